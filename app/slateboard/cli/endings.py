"""The endings of a claim from the shell: with a result, or without one. All of them carry the fence of the claim."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from slateboard.cli import completion, parameters, tables
from slateboard.cli.output import Invocation, pass_invocation
from slateboard.cli.parameters import DURATION
from slateboard.protocol.errors import Invalid, TooLarge
from slateboard.protocol.states import FailureClass, Outcome, Place
from slateboard.protocol.work import MAX_CONTENT_BYTES, Finish, GiveBack, Result

Command = TypeVar("Command", bound=Callable[..., Any])


def under_claim(command: Command) -> Command:
    """The item and the fence that name a claim."""
    command = click.option(
        "--fence", type=int, required=True, envvar="SLATE_FENCE", metavar="F", help="The fence that the claim printed."
    )(command)
    return click.argument("item", envvar="SLATE_ITEM", metavar="ITEM|REF", shell_complete=completion.references)(
        command
    )


def reported(command: Command) -> Command:
    """What every ending of a claim may say."""
    command = click.option("--usage", metavar="JSON", help="What it took: tokens, cost, model.")(command)
    return click.option("--note", metavar="TEXT", help="A sentence for the attempt that follows.")(command)


@click.command()
@under_claim
@click.option("--path", metavar="PATH", help="The file that was made; its hash is taken.")
@click.option("--uri", metavar="URI", help="Where the result is.")
@click.option("--content", metavar="TEXT", help="The result itself, at most 1 MiB.")
@click.option("--content-file", metavar="FILE", help="The same, read from a file; `-` reads standard input.")
@click.option("--summary", metavar="TEXT", help="What it is, in a sentence.")
@click.option(
    "--evidence", multiple=True, metavar="KIND=TEXT", help="What shows it: link=, hash= or note=; repeatable."
)
@click.option("--undo", metavar="ACTION", help="What undoes it, should its task fail later.")
@reported
@pass_invocation
def finish(
    invocation: Invocation, item: str, fence: int, usage: str | None, evidence: tuple[str, ...], **said: Any
) -> None:
    """Hand in the result. Repeated with the same content it answers as the first time.

    Example: slate work finish 4711 --fence 99 --path specs/api.yaml --summary "six endpoints"
    """
    given = [name for name in ("path", "uri", "content", "content_file") if said[name] is not None]
    if len(given) > 1:
        options = " and ".join("--" + name.replace("_", "-") for name in given)
        raise Invalid(f"{options} exclude each other", remedy="give one of them")
    file = said.pop("content_file")
    if file is not None:
        said["content"] = _content(file)
    result = Result(usage=_usage(usage), evidence=_evidence(evidence), **said)

    async def act() -> dict[str, Any]:
        hashed = await _with_hash(result)
        async with invocation.client() as client:
            number = await parameters.item_of(client, item)
            (finished,) = await client.finish([Finish(item=number, fence=fence, result=hashed)])
            if finished.error:
                raise finished.error
            shown = await client.call("show", name=str(number))
            return {"item": number, "version": finished.version, "hash": hashed.hash, "place": shown["place"]}

    answer = invocation.run(act())
    made = "" if answer["version"] is None else f": version {answer['version']}"
    state = "handed in, and is to be judged" if answer["place"] == Place.WAITING else "done"
    invocation.answer(answer, f"item {answer['item']} is {state}{made}")


@click.command()
@under_claim
@click.option("--delay", type=DURATION, metavar="TIME", help="How long nobody takes it up again.")
@reported
@pass_invocation
def release(
    invocation: Invocation, item: str, fence: int, delay: float | None, note: str | None, usage: str | None
) -> None:
    """Give the claim back; it is no failure.

    Example: slate work release 4711 --fence 99 --note "waits for the new data" --delay 1h
    """
    _give_back(invocation, item, fence, outcome=Outcome.RELEASED, note=note, usage=usage, delay_seconds=delay)


@click.command()
@under_claim
@click.option("--error", required=True, metavar="TEXT", help="What went wrong; the next attempt reads it.")
@click.option(
    "--class", "failure_class", type=parameters.one_of(FailureClass), default=FailureClass.TRANSIENT.value,
    show_default=True, help="`logic` is not tried again.",
)  # fmt: skip
@click.option("--delay", type=DURATION, metavar="TIME", help="How long until it is tried again.")
@reported
@pass_invocation
def fail(
    invocation: Invocation, item: str, fence: int, error: str, failure_class: str, delay: float | None,
    note: str | None, usage: str | None,
) -> None:  # fmt: skip
    """End the attempt as failed; whether and when it is tried again depends on the class.

    Example: slate work fail 4711 --fence 99 --class validation --error "the description does not parse"
    """
    _give_back(
        invocation, item, fence, outcome=Outcome.FAILED, failure_class=FailureClass(failure_class), error=error,
        note=note, usage=usage, delay_seconds=delay,
    )  # fmt: skip


@click.command()
@under_claim
@click.option("--on", "blockers", multiple=True, required=True, metavar="REF", help="What it waits for; repeatable.")
@click.option("--note", metavar="TEXT", help="A sentence for the attempt that follows.")
@pass_invocation
def block(invocation: Invocation, item: str, fence: int, blockers: tuple[str, ...], note: str | None) -> None:
    """Give the claim back until other artifacts are complete; then the item is ready again.

    Example: slate work block 4711 --fence 99 --on security/repair
    """

    async def act() -> dict[str, Any]:
        async with invocation.client() as client:
            number = await parameters.item_of(client, item)
            await client.call("block_on", item=number, fence=fence, on=list(blockers), note=note)
            return {"item": number, "blocked_by": list(blockers)}

    answer = invocation.run(act())
    invocation.answer(answer, f"item {answer['item']} waits for {', '.join(blockers)}")


@click.command()
@under_claim
@click.option(
    "--for", "pattern", metavar="PATTERN", help="The subject of what it waits for, as in NATS; else the time."
)
@click.option("--filter", "path", metavar="JSONPATH", help="Only an event that this Postgres JSON path fits.")
@click.option("--timeout", type=DURATION, required=True, metavar="TIME", help="How long; then it goes on without.")
@click.option("--note", metavar="TEXT", help="A sentence for the attempt that follows.")
@pass_invocation
def wait(
    invocation: Invocation,
    item: str,
    fence: int,
    pattern: str | None,
    path: str | None,
    timeout: float,
    note: str | None,
) -> None:
    """Give the claim back until an event comes or the time is over; its next briefing has it as `awaited`.

    Example: slate work wait 4711 --fence 99 --for genbrain.events.approval.given --timeout 2d
    """

    async def act() -> dict[str, Any]:
        async with invocation.client() as client:
            number = await parameters.item_of(client, item)
            wanted = {"pattern": pattern, "filter": path, "timeout_seconds": timeout, "note": note}
            await client.call("wait_for", item=number, fence=fence, **wanted)
            return {"item": number, "waits_for": pattern, "timeout_seconds": timeout}

    answer = invocation.run(act())
    invocation.answer(answer, f"item {answer['item']} waits for {pattern or 'the time'}")


def _give_back(invocation: Invocation, item: str, fence: int, *, usage: str | None, **values: Any) -> None:
    """End a claim without a result, and say where the item is now."""
    spent = _usage(usage)

    async def act() -> dict[str, Any]:
        async with invocation.client() as client:
            number = await parameters.item_of(client, item)
            (given,) = await client.give_back([GiveBack(item=number, fence=fence, usage=spent, **values)])
            if given.error:
                raise given.error
            return {"item": number, "place": given.place, "run_at": given.run_at}

    answer = invocation.run(act())
    later = "" if answer["run_at"] is None else f", not before {tables.moment(answer['run_at'])}"
    invocation.answer(answer, f"item {answer['item']} is {answer['place']}{later}")


async def _with_hash(result: Result) -> Result:
    """The result with the hash of its file or content, as a worker's would have it."""
    from slateboard import ValidationFailure
    from slateboard.sdk.results import result_of

    try:
        return await result_of(result)
    except ValidationFailure as failure:
        raise Invalid(str(failure), remedy="hand in a file that is there, or text of at most 1 MiB") from failure


def _content(file: str) -> str:
    """The text of a file, or of standard input; one byte over the limit is enough to refuse it."""
    try:
        with sys.stdin.buffer if file == "-" else Path(file).open("rb") as stream:
            data = stream.read(MAX_CONTENT_BYTES + 1)
        text = data.decode()
    except OSError as error:
        raise Invalid(f"{file} cannot be read: {error.strerror}", remedy="name a file that is there") from error
    except UnicodeDecodeError as error:
        raise Invalid(f"{file} is not UTF-8 text", remedy="hand it in as a file: --path") from error
    if len(data) > MAX_CONTENT_BYTES:
        raise TooLarge(f"inline content is limited to 1 MiB; {file} is larger", remedy="hand it in as a file: --path")
    return text


def _evidence(given: tuple[str, ...]) -> tuple[dict[str, str], ...] | None:
    """`KIND=TEXT`, each as the object that it means; the board knows the kinds."""
    for one in given:
        if "=" not in one:
            raise Invalid(f"--evidence {one[:80]} has no kind", remedy="write link=…, hash=… or note=…")
    return tuple({kind: text} for kind, _, text in (one.partition("=") for one in given)) or None


def _usage(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    value = json_of(text, "--usage")
    if not isinstance(value, dict):
        raise Invalid("--usage is no JSON object", remedy="""write it like '{"tokens": 1200, "cost": 0.03}'""")
    return cast("dict[str, Any]", value)


def json_of(text: str, option: str) -> Any:
    """A JSON value of the command line."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise Invalid(f"{option} is not JSON: {error}", remedy="put it in single quotes") from error
