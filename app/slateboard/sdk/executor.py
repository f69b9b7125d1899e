"""Work done by a command: the briefing goes in as JSON on standard input, the result comes out as JSON.

For each item the command is started anew. It prints one JSON object: a result (`path`, `uri` or `content`, with
`summary`, `note`, `usage`, `evidence` and `undo`), or `{"block_on": [references]}`, or
`{"fail": {"class", "error", "note"}}`. Its exit code says what kind of failure it was (`CLASSES`); the end of its
standard error is kept with the attempt. Whatever the command does, this worker lives on: output and time are bounded,
and its whole process group ends with the claim.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn, cast

from slateboard.protocol.errors import BadHandler
from slateboard.protocol.states import FailureClass
from slateboard.protocol.work import MAX_CONTENT_BYTES, Result
from slateboard.sdk import program
from slateboard.sdk.failures import (
    ERROR_CHARACTERS,
    Failure,
    InfrastructureFailure,
    LogicFailure,
    TransientFailure,
    ValidationFailure,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slateboard.sdk.work import Work

TIMEOUT_SECONDS = 1_800.0
MAX_OUTPUT_BYTES = 6 * MAX_CONTENT_BYTES + 65_536
"""1 MiB of content, however JSON escapes it (`\\u0001` for one byte), and what stands around it."""

CLASSES: dict[int, type[Failure]] = {
    os.EX_DATAERR: ValidationFailure,
    os.EX_UNAVAILABLE: InfrastructureFailure,
    os.EX_OSERR: InfrastructureFailure,
    os.EX_IOERR: InfrastructureFailure,
    os.EX_TEMPFAIL: TransientFailure,
    126: InfrastructureFailure,  # found by a shell, but cannot be run
    127: InfrastructureFailure,  # not found by a shell
}
"""Exit codes that say something (as in sysexits.h); every other one but 0 is transient."""

FAILURES: dict[str, type[Failure]] = {
    failure.failure_class.value: failure
    for failure in (TransientFailure, InfrastructureFailure, ValidationFailure, LogicFailure)
}
RESULT_FIELDS: dict[str, type] = {"path": str, "uri": str, "content": str, "summary": str, "note": str, "usage": dict,
                                 "evidence": list, "undo": str}  # fmt: skip
SHAPES = "a result (path, uri or content; summary, note, usage, evidence, undo), or block_on, or fail"


@dataclass(kw_only=True)
class Executor:
    """A handler that runs a command for each item. `start` before the worker starts, `stop` after it has ended."""

    command: Sequence[str]
    board: str
    agent: str
    timeout_seconds: float = TIMEOUT_SECONDS
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    _guardian: program.Guardian = field(default_factory=program.Guardian, init=False)

    @classmethod
    def of(cls, line: str, **settings: Any) -> Executor:
        """An executor for a command line, split as a shell splits it; `BadHandler` if there is no such program."""
        try:
            words = shlex.split(line)
        except ValueError as error:
            raise BadHandler(f"the command {line!r} cannot be split: {error}", remedy="close the quotes") from error
        if not words:
            raise BadHandler("the command is empty", remedy="name a program: --exec ./review.sh")
        found = shutil.which(words[0])
        if found is None:
            there = os.path.exists(words[0])  # noqa: PTH110  a word of a command line, not a path of ours
            wrong = "cannot be executed" if there else "is not there"
            remedy = f"chmod +x {words[0]}" if there else "give its path, or put it on the PATH"
            raise BadHandler(f"the command {words[0]!r} {wrong}", remedy=remedy)
        return cls(command=[found, *words[1:]], **settings)

    async def start(self) -> None:
        """Start the guardian, which ends running commands should this process be killed."""
        await self._guardian.start()

    async def stop(self) -> None:
        """Let go of the guardian."""
        await self._guardian.stop()

    async def __call__(self, work: Work) -> Result:
        """Run the command for one item; returns its result, or ends as the command asked for."""
        briefing = await work.briefing_values()
        try:
            ending = await program.run(
                self.command,
                given=json.dumps(briefing, default=str).encode() + b"\n",
                environment={**self.environment, **self._said_of(work)},
                seconds=self.timeout_seconds,
                output_bytes=MAX_OUTPUT_BYTES,
                guardian=self._guardian,
            )
        except OSError as error:
            raise InfrastructureFailure(f"{self.command[0]} cannot be started: {error.strerror}") from error
        self._check(ending)
        answer = _object(ending)
        if "fail" in answer:
            _fail(answer["fail"], ending)
        if "block_on" in answer:
            await _block(work, answer, ending)
        return _result(answer, ending)

    def _said_of(self, work: Work) -> dict[str, str]:
        """What the command finds in its environment, so that it can call `slate work …` for its item."""
        return {
            "SLATE_ITEM": str(work.item),
            "SLATE_FENCE": str(work.fence),
            "SLATE_REFERENCE": work.reference,
            "SLATE_ATTEMPT": str(work.attempt),
            "SLATE_BOARD": self.board,
            "SLATE_AGENT": self.agent,
        }

    def _check(self, ending: program.Ending) -> None:
        """Raise what the way it ended means, unless it ended well."""
        if ending.cut is program.Cut.OUTPUT:
            limit = f"{MAX_OUTPUT_BYTES:,} bytes"
            raise ValidationFailure(_with_errors(f"the command printed more than {limit}: write a file", ending))
        if ending.cut is program.Cut.TIME:
            message = f"the command did not end within {self.timeout_seconds:g} s and was ended"
            raise TransientFailure(_with_errors(message, ending))
        if ending.exit_code < 0:
            name = signal.Signals(-ending.exit_code).name
            raise InfrastructureFailure(_with_errors(f"the command was killed by {name}", ending))
        if ending.exit_code > 0:
            failure = CLASSES.get(ending.exit_code, TransientFailure)
            raise failure(_with_errors(f"the command exited with {ending.exit_code}", ending))


def _object(ending: program.Ending) -> dict[str, Any]:
    """What the command printed, as an object with known words in it."""
    text = ending.output.decode(errors="replace").strip()
    try:
        answer: Any = json.loads(text)
    except (ValueError, RecursionError):
        shown = repr(text[:200]) if text else "nothing"
        raise ValidationFailure(_with_errors(f"the command printed no JSON but {shown}", ending)) from None
    if not isinstance(answer, dict):
        raise ValidationFailure(_with_errors(f"the command printed no JSON object; expected {SHAPES}", ending))
    fields = cast("dict[str, Any]", answer)
    unknown = sorted(fields.keys() - RESULT_FIELDS.keys() - {"block_on", "fail"})
    if unknown:
        message = f"the command printed {', '.join(unknown)[:200]}, which says nothing here; expected {SHAPES}"
        raise ValidationFailure(_with_errors(message, ending))
    return fields


def _result(answer: Mapping[str, Any], ending: program.Ending) -> Result:
    """The result that the object says; without a note the end of standard error is kept in its place."""
    values = {name: value for name, value in answer.items() if value is not None}
    for name, value in values.items():
        wanted = RESULT_FIELDS[name]
        if not isinstance(value, wanted):
            kind = {dict: "an object", list: "a list"}.get(wanted, "a text")
            raise ValidationFailure(_with_errors(f"{name!r} of the result is {kind}, not {str(value)[:100]}", ending))
    where = sorted(values.keys() & {"path", "uri", "content"})
    if len(where) > 1:
        raise ValidationFailure(_with_errors(f"a result has one of path, uri and content, not {where}", ending))
    if ending.errors:
        values.setdefault("note", ending.errors)
    return Result(**values)


def _fail(given: Any, ending: program.Ending) -> NoReturn:
    """Fail as the command asked for: a text (transient), or an object of class, error and note."""
    fields = cast("dict[str, Any]", given) if isinstance(given, dict) else {"error": str(given)}
    failure = FAILURES.get(str(fields.get("class", FailureClass.TRANSIENT)))
    if failure is None:
        message = f"there is no failure class {str(fields['class'])[:40]!r}: use one of {', '.join(FAILURES)}"
        raise ValidationFailure(_with_errors(message, ending))
    note = None if fields.get("note") is None else str(fields["note"])
    raise failure(_with_errors(str(fields.get("error") or "the command gave no reason"), ending), note=note)


async def _block(work: Work, answer: Mapping[str, Any], ending: program.Ending) -> NoReturn:
    """Give the claim back until others are complete."""
    on: object = answer["block_on"]
    references = [on] if isinstance(on, str) else cast("list[object]", on) if isinstance(on, list) else []
    if not references or not all(isinstance(one, str) for one in references):
        message = f"block_on is a list of references, not {json.dumps(on)[:100]}"
        raise ValidationFailure(_with_errors(message, ending))
    note = None if answer.get("note") is None else str(answer["note"])
    await work.block_on(*map(str, references), note=note or ending.errors or None)


def _with_errors(message: str, ending: program.Ending) -> str:
    """The message, with the end of what the command wrote to standard error; cut so that all of it is kept."""
    if not ending.errors:
        return message[:ERROR_CHARACTERS]
    head = f"{message[:1000]}\nstandard error ended with:\n"
    return head + ending.errors[-(ERROR_CHARACTERS - len(head)) :]
