"""For tests of your own handlers: run one on made-up work, without a board and without a database.

    trial = await testing.run(worker, artifact="api_docs", inputs=[Input(reference="api/api_spec", path="spec.yaml")])
    assert trial.outcome == "completed"

What runs is the real worker, with its look-up of handlers, its hashing and its failure classes. What is made up are the
board's answers: they come from memory, and prove nothing about claims, leases or the order of things. For that, run the
worker against a Postgres.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from slateboard.protocol.errors import DuplicateName, Invalid
from slateboard.protocol.names import slug, split_reference
from slateboard.protocol.states import FailureClass, ItemKind, Outcome
from slateboard.protocol.work import (
    Beat,
    Claim,
    Finish,
    Finished,
    GiveBack,
    GivenBack,
    NewArtifact,
    NewTask,
    Renewed,
    Result,
)
from slateboard.sdk.briefing import Briefing, Decision, EarlierAttempt, Event, Hop, Input
from slateboard.sdk.run import Run

if TYPE_CHECKING:
    from slateboard.sdk.worker import Worker

__all__ = ["Decision", "EarlierAttempt", "Event", "Hop", "Input", "Trial", "run"]

LEASE_SECONDS = 60.0
LIMIT_SECONDS = 60.0


@dataclass(kw_only=True)
class Trial:
    """What a handler did with the work."""

    outcome: Outcome | None = None
    result: Result | None = None
    failure_class: FailureClass | None = None
    error: str | None = None
    note: str | None = None
    delay_seconds: float | None = None
    posted: list[NewArtifact] = field(default_factory=list[NewArtifact])
    delegated: list[NewTask] = field(default_factory=list[NewTask])
    blocked_on: list[str] = field(default_factory=list[str])
    progress: list[tuple[int | None, str | None]] = field(default_factory=list[tuple[int | None, str | None]])
    checkpoints: list[Any] = field(default_factory=list[Any])
    decisions: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    meeting: list[tuple[str, dict[str, Any]]] = field(default_factory=list[tuple[str, dict[str, Any]]])
    """What it did in a meeting: the operations, each with its arguments."""
    said: list[tuple[str, dict[str, Any]]] = field(default_factory=list[tuple[str, dict[str, Any]]])
    """What it said to its peers without waiting for an answer: the operations, each with its arguments."""
    published: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    waited_for: dict[str, Any] | None = None
    asked: dict[str, Any] | None = None


async def run(
    worker: Worker,
    *,
    artifact: str = "result",
    task: str = "task",
    kind: str = "produce",
    attempt: int = 1,
    title: str = "",
    brief: str = "",
    path: str | None = None,
    due: datetime | None = None,
    chain: Sequence[Hop] = (),
    inputs: Sequence[Input] = (),
    decisions: Sequence[Decision] = (),
    attempts: Sequence[EarlierAttempt] = (),
    last_error: str | None = None,
    checkpoint: Any = None,
    note: str | None = None,
    event: Event | None = None,
    posted_before: Iterable[str] = (),
    limit_seconds: float = LIMIT_SECONDS,
) -> Trial:
    """Run the worker's handler once on an item made of the arguments; they are what its briefing says.

    With an `event` the item is its delivery, and `artifact` the action that is asked for.
    `posted_before` are artifacts of the task that are there already. Raises `TimeoutError` after `limit_seconds`.
    """
    kind = "handle" if event else kind
    whole = f"{task}/{artifact}"
    reference = whole if kind == ItemKind.MEET else "/".join(split_reference(whole))
    briefing = Briefing(
        item=1, kind=kind, reference=reference, artifact=artifact, title=title or artifact, brief=brief, path=path,
        due=due, attempt=attempt, last_error=last_error, chain=tuple(chain) or (Hop(task=task),), inputs=tuple(inputs),
        decisions=tuple(decisions), attempts=tuple(attempts), checkpoint=checkpoint, note=note, event=event,
    )  # fmt: skip
    trial = Trial()
    transport = _MadeUp(worker.agent, briefing, trial, {f"{task}/{name}" for name in posted_before})
    running = _Run(
        transport,
        worker.handlers,
        worker=f"{worker.agent}/testing",
        concurrency=1,
        lease_seconds=LEASE_SECONDS,
        poll_seconds=LIMIT_SECONDS,
        grace_seconds=limit_seconds,
        batch=1,
    )
    running.trial = trial
    transport.ended = running.stop
    async with asyncio.timeout(limit_seconds):
        await running.until_stopped(_Silence())
    return trial


class _Run(Run):
    """A run that keeps every report of progress, also those that would share a call."""

    trial: Trial

    async def progress(self, fence: int, percent: int | None, text: str | None) -> None:
        self.trial.progress.append((percent, text))


class _Silence:
    """No hints."""

    async def wait(self, timeout_seconds: float) -> bool:
        await asyncio.sleep(timeout_seconds)
        return False

    async def close(self) -> None:
        return


class _MadeUp:
    """A board with one claimable item, in memory."""

    board = "testing"

    def __init__(self, agent: str, briefing: Briefing, trial: Trial, known: set[str]) -> None:
        self.agent = agent
        self.ended = _nothing
        self._briefing = briefing
        self._trial = trial
        self._known = known
        self._claimed = False

    async def claim(self, *, worker: str, limit: int, lease_seconds: float) -> list[Claim]:
        if self._claimed:
            return []
        self._claimed = True
        told, now = self._briefing, datetime.now(UTC)
        return [
            Claim(
                item=told.item, fence=1, attempt=told.attempt, kind=told.kind, reference=told.reference,
                title=told.title or "", due=told.due, claimed_at=now, expires_at=now + timedelta(seconds=lease_seconds),
                correlation=None,
            )
        ]  # fmt: skip

    async def heartbeat(self, beats: Sequence[Beat], *, lease_seconds: float | None = None) -> list[Renewed]:
        until = datetime.now(UTC) + timedelta(seconds=LEASE_SECONDS)
        return [Renewed(item=beat.item, expires_at=until) for beat in beats]

    async def finish(self, finishes: Sequence[Finish]) -> list[Finished]:
        self._trial.outcome = Outcome.COMPLETED
        self._trial.result = finishes[0].result
        self.ended()
        return [Finished(item=one.item, version=1) for one in finishes]

    async def give_back(self, returns: Sequence[GiveBack]) -> list[GivenBack]:
        one, trial = returns[0], self._trial
        trial.outcome, trial.failure_class, trial.error = one.outcome, one.failure_class, one.error
        trial.note, trial.delay_seconds = one.note or trial.note, one.delay_seconds
        self.ended()
        return [GivenBack(item=one.item, place="ready") for one in returns]

    async def call(self, operation: str, arguments: Mapping[str, Any], *, under: tuple[int, int] | None = None) -> Any:
        trial = self._trial
        match operation:
            case "briefing":
                return _told(self._briefing)
            case "checkpoint":
                if arguments.get("data") is not None:
                    trial.checkpoints.append(arguments["data"])
                trial.note = arguments.get("note") or trial.note
                return None
            case "attend":
                return None
            case "post":
                return self._post(arguments["artifacts"])
            case "decide":
                trial.decisions.append(dict(arguments))
                return {"id": len(trial.decisions), "subject": slug(arguments["decision"])}
            case "publish":
                trial.published.append(dict(arguments))
                return {"event": len(trial.published), "subject": arguments["subject"], "repeated": False}
            case "wait_for":
                trial.outcome, trial.waited_for = Outcome.BLOCKED, dict(arguments)
                trial.note = arguments.get("note") or trial.note
                self.ended()
                return {"item": arguments["item"], "place": "gated"}
            case "delegate":
                trial.outcome, trial.delegated = Outcome.BLOCKED, list(arguments["tasks"])
                trial.note = arguments.get("note") or trial.note
                self.ended()
                return {"item": arguments["item"], "place": "gated"}
            case "ask" | "consult" | "request" if "item" in arguments:
                trial.outcome, trial.asked = Outcome.BLOCKED, dict(arguments)
                trial.note = arguments.get("note") or trial.note
                self.ended()
                return {"item": arguments["item"], "place": "waiting"}
            case "block_on":
                trial.outcome, trial.blocked_on = Outcome.BLOCKED, list(arguments["on"])
                trial.note = arguments.get("note") or trial.note
                self.ended()
                return {"item": arguments["item"], "place": "gated"}
            case "consult" | "request" | "notify" | "reply" | "acknowledge":
                trial.said.append((operation, dict(arguments)))
                return {"thread": arguments.get("thread", len(trial.said))}
            case "say" | "concern" | "propose" | "vote" | "settle_concern":
                trial.meeting.append((operation, dict(arguments)))
                return {"meeting": arguments.get("meeting"), "concern": len(trial.meeting)}
            case _:
                raise Invalid(f"a made-up board has no {operation!r}", remedy="test this against a Postgres")

    async def watch_work(self, *, listen: bool = True) -> _Silence:
        return _Silence()

    async def watch_log(self) -> _Silence:
        return _Silence()

    async def close(self) -> None:
        return

    def _post(self, artifacts: Sequence[NewArtifact]) -> Any:
        for one in artifacts:
            if f"{one.task}/{one.name}" in self._known:
                raise DuplicateName("the task has an artifact of this name", remedy="choose another name")
        self._known.update(f"{one.task}/{one.name}" for one in artifacts)
        self._trial.posted.extend(replace(one) for one in artifacts)
        return {"tasks": [], "items": {f"{one.task}/{one.name}": 1 for one in artifacts}}


def _told(briefing: Briefing) -> dict[str, Any]:
    """The briefing in the board's own form."""
    told = asdict(briefing)
    told["decisions"] = [{**one, "decision": one["text"]} for one in told["decisions"]]
    told["attempts"] = [{**one, "class": one["failure_class"]} for one in told["attempts"]]
    return told


def _nothing() -> None:
    return
