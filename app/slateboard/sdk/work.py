"""The work in hand: what a handler is given, and what it can do while it holds the claim.

Calls under the claim carry its fence and raise `LeaseLost` when it is gone. `ask`, `consult`, `request`, `block_on`,
`delegate`, `wait_for` and `release` give the claim back and end the handler. A plain function (which runs in a thread)
uses `work.sync`, which has the same methods without `await`.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

from slateboard.protocol.errors import DuplicateName, Invalid
from slateboard.protocol.states import ItemKind
from slateboard.protocol.work import NewArtifact
from slateboard.sdk import verdicts
from slateboard.sdk.briefing import Briefing, Event
from slateboard.sdk.failures import HandlerEnded
from slateboard.sdk.meetings import MeetingWork, SyncMeetingWork
from slateboard.sdk.peers import PeerWork, SyncPeerWork

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable
    from datetime import datetime, timedelta

    from slateboard.protocol.work import Claim, NewTask
    from slateboard.sdk.desk import Desk


class Work(MeetingWork, PeerWork):
    """One claimed work item."""

    __slots__ = ("_cancelled", "_claim", "_desk", "_is_cancelled")

    def __init__(self, claim: Claim, desk: Desk) -> None:
        self._claim = claim
        self._desk = desk
        self._cancelled: threading.Event | None = None
        self._is_cancelled = False

    @property
    def item(self) -> int:
        """The id of the work item."""
        return self._claim.item

    @property
    def fence(self) -> int:
        """The number of this claim, never used before: a good idempotency key for what happens elsewhere."""
        return self._claim.fence

    @property
    def attempt(self) -> int:
        """Which attempt this is, from 1."""
        return self._claim.attempt

    @property
    def kind(self) -> str:
        """What is asked for, e.g. `produce`."""
        return self._claim.kind

    @property
    def reference(self) -> str:
        """`task/artifact`; of a delivery `subscription/action`."""
        return self._claim.reference

    @property
    def task(self) -> str:
        """The name of the task."""
        return self._claim.reference.partition("/")[0]

    @property
    def artifact(self) -> str:
        """The name of the artifact within its task."""
        return self._claim.reference.partition("/")[2]

    @property
    def action(self) -> str:
        """What a delivery asks for: the action of its subscription."""
        return self._claim.reference.partition("/")[2]

    @property
    def title(self) -> str:
        """What the artifact is called."""
        return self._claim.title

    @property
    def due(self) -> datetime | None:
        """When it is wanted."""
        return self._claim.due

    @property
    def correlation(self) -> str | None:
        """The id of the chain of events that this belongs to."""
        return self._claim.correlation

    @property
    def _under(self) -> tuple[int, int]:
        """What makes a change part of this work, and lets it fail when the claim is gone."""
        return self._claim.item, self._claim.fence

    @property
    def cancelled(self) -> threading.Event:
        """Set when the claim is gone or the worker must stop: a plain function looks at it now and then."""
        if self._cancelled is None:
            self._cancelled = threading.Event()
            if self._is_cancelled:
                self._cancelled.set()
        return self._cancelled

    @property
    def sync(self) -> SyncWork:
        """The same methods without `await`, for plain functions."""
        return SyncWork(self, self._desk.loop)

    def cancel(self) -> None:
        """Set `cancelled`."""
        self._is_cancelled = True
        if self._cancelled:
            self._cancelled.set()

    async def briefing(self) -> Briefing:
        """All that there is to know: the tasks above, inputs, decisions in force, earlier attempts, checkpoint."""
        return Briefing.of(await self.briefing_values())

    async def briefing_values(self) -> dict[str, Any]:
        """The briefing as plain JSON values, for a program in another language."""
        return await self._desk.call("briefing", item=self.item)

    async def event(self) -> Event:
        """The event that was delivered; `Invalid` where this work is none. `Briefing.events` has all of an `all_of`."""
        event = (await self.briefing()).event
        if event is None:
            raise Invalid(f"{self.reference} is no delivery, so it has no event", remedy="ask for `work.briefing()`")
        return event

    async def progress(self, percent: int | None = None, text: str | None = None) -> None:
        """Say how far it is (0 to 100) and what is being done. Many calls in a short time become one."""
        await self._desk.progress(self.fence, percent, text)

    async def checkpoint(self, data: Any) -> None:
        """Keep data (JSON, at most 1 MiB) for the attempt that follows, should this one not come to its end."""
        await self._desk.call("checkpoint", item=self.item, fence=self.fence, data=data)

    async def note(self, text: str) -> None:
        """Leave a hand-over note for the attempt that follows."""
        await self._desk.call("checkpoint", item=self.item, fence=self.fence, note=text)

    async def usage(
        self,
        *,
        input_tokens: int = 0,
        cached_tokens: int = 0,
        output_tokens: int = 0,
        cost: float = 0.0,
        model: str | None = None,
    ) -> None:
        """Report what was used since the last report, so that budgets know while it runs. Nothing is ever negative.

        What is reported here is not said again in the result's `usage`.
        """
        await self._desk.call(
            "report_usage", item=self.item, fence=self.fence, input_tokens=input_tokens, cached_tokens=cached_tokens,
            output_tokens=output_tokens, cost=cost, model=model,
        )  # fmt: skip

    async def post(
        self,
        name: str,
        *,
        owner: str | None = None,
        capability: str | None = None,
        title: str = "",
        brief: str = "",
        path: str | None = None,
        blocked_by: Iterable[str] = (),
        priority: str | None = None,
        due: datetime | None = None,
        task: str | None = None,
        rules: dict[str, Any] | None = None,
    ) -> str:
        """Post an artifact (into this task, unless another is named) and return its reference.

        One that is there already, as after a crash of an earlier attempt, is left as it is. Without an owner it goes
        to the task's agent, with `capability` to anybody who has it. `rules` is what its work must keep to: `verify`,
        `criteria`, `evidence`, `touches` and more.
        """
        if task is None and self.kind == ItemKind.HANDLE:
            raise Invalid("a delivery belongs to no task to post into", remedy="name one: task=…")
        names = (blocked_by,) if isinstance(blocked_by, str) else tuple(blocked_by)
        artifact = NewArtifact(
            task=task or self.task, name=name, title=title, brief=brief, owner=owner, capability=capability, path=path,
            priority=priority, due=due, blocked_by=names, rules=rules,
        )  # fmt: skip
        with suppress(DuplicateName):
            await self._desk.call("post", under=self._under, artifacts=[artifact])
        return f"{artifact.task}/{name}"

    async def decide(self, decision: str, **more: Any) -> Any:
        """Record a decision; `more` is what `decide` takes: rationale, options, subject, task, supersedes…"""
        return await self._desk.call("decide", under=self._under, decision=decision, **more)

    async def publish(
        self,
        subject: str,
        data: Any = None,
        *,
        id: str | None = None,  # noqa: A002  its name at every door
        traceparent: str | None = None,
    ) -> dict[str, Any]:
        """Publish an event as part of this work: `data` is JSON, at most 1 MiB.

        With an `id` that was published already nothing happens again; without one each call is an event of its own,
        repeated or not. Its trace is that of the event that was delivered, unless another is given. Raises
        `BadSubject`, `TooLarge`, `LeaseLost`, and `Denied` for a subject of the board's own.
        """
        given = {"subject": subject, "data": data, "id": id or secrets.token_hex(8)}
        if traceparent is not None:
            given["traceparent"] = traceparent
        return await self._desk.call("publish", under=self._under, **given)

    async def wait_for(
        self,
        pattern: str | None = None,
        *,
        timeout_seconds: float,
        filter: str | None = None,  # noqa: A002  its name at every door
        note: str | None = None,
    ) -> NoReturn:
        """Give the claim back until an event comes that matches, or the time is up, and end this handler.

        Without a pattern it waits for the time alone.
        The handler then starts from its beginning; `awaited` in its briefing says how the wait ended. `filter` is a
        Postgres JSON path over the event. What was published since the claim counts.
        """
        await self._desk.awaiting(
            self.fence, pattern=pattern, filter=filter, timeout_seconds=timeout_seconds, note=note
        )
        raise HandlerEnded

    async def ask(
        self,
        question: str,
        *,
        of: str | None = None,
        options: Iterable[str] = (),
        default: str | None = None,
        deadline: timedelta | None = None,
        severity: str | None = None,
        note: str | None = None,
    ) -> NoReturn:
        """Give the claim back until somebody has answered (`of`, else a manager, delegator or person), and end here.

        The handler then starts from its beginning, with the answer as the last of its briefing's `answers`. With
        `options` the answer is one of them. Unanswered by the deadline (in 4 hours) it goes one level up, twice at
        most; then `default` is the answer, or without one this work becomes a dead letter. Raises `UnknownName`,
        `Invalid`.
        """
        seconds = None if deadline is None else deadline.total_seconds()
        given = {"of": of, "default": default, "deadline_seconds": seconds, "severity": severity, "note": note}
        known = {name: value for name, value in given.items() if value is not None}
        await self._desk.asked(self.fence, "ask", question=question, options=list(options), **known)
        raise HandlerEnded

    async def block_on(self, *references: str, note: str | None = None) -> NoReturn:
        """Give the claim back until these artifacts are complete, and end this handler.

        The handler then starts from its beginning, with them among its inputs. Raises `DependencyCycle`, `UnknownName`.
        """
        await self._desk.blocked(self.fence, list(references), note)
        raise HandlerEnded

    async def delegate(
        self, tasks: Iterable[NewTask], artifacts: Iterable[NewArtifact] = (), *, note: str | None = None
    ) -> NoReturn:
        """Give tasks to others, all or nothing, and the claim back until they are complete; end this handler here.

        They stand below the task in hand. The handler then starts from its beginning, with their results among its
        inputs. Raises `NotAccepted`, `DelegationLoop`, `TooDeep`, `UnknownName`, `DuplicateName`, `DependencyCycle`.
        """
        await self._desk.delegated(self.fence, tasks=list(tasks), artifacts=list(artifacts), note=note)
        raise HandlerEnded

    async def approve(self, reason: str | None = None) -> NoReturn:
        """Approve the version that this verification is about, and end this handler.

        What can be read here (the content, or the file at the path) is hashed again: `VersionConflict` where it is not
        what was handed in. `Invalid` where this work is no verification.
        """
        await self._judge("approve", reason)

    async def reject(self, reason: str) -> NoReturn:
        """Reject the version that this verification is about, and end this handler.

        The reason stands in the next briefing of its author.
        """
        await self._judge("reject", reason)

    async def _judge(self, verdict: str, reason: str | None) -> NoReturn:
        asked = verdicts.asked(await self.briefing_values())
        if verdict == "approve":
            await verdicts.check(asked)
        await self._desk.judged(
            self.fence, verdict=verdict, version=asked["version"], hash=asked["hash"], reason=reason
        )
        raise HandlerEnded

    async def release(self, *, delay_seconds: float | None = None, note: str | None = None) -> NoReturn:
        """Give the claim back, to be taken up again after `delay_seconds`, and end this handler. It is no failure."""
        await self._desk.released(self.fence, delay_seconds, note)
        raise HandlerEnded


class SyncWork(SyncMeetingWork, SyncPeerWork):
    """The methods of `Work` for a plain function, which runs in a thread."""

    _work: Work

    def __init__(self, work: Work, loop: asyncio.AbstractEventLoop) -> None:
        self._work = work
        self._loop = loop

    def briefing(self) -> Briefing:
        """See `Work.briefing`."""
        return self._wait(self._work.briefing())

    def progress(self, percent: int | None = None, text: str | None = None) -> None:
        """See `Work.progress`."""
        self._wait(self._work.progress(percent, text))

    def checkpoint(self, data: Any) -> None:
        """See `Work.checkpoint`."""
        self._wait(self._work.checkpoint(data))

    def note(self, text: str) -> None:
        """See `Work.note`."""
        self._wait(self._work.note(text))

    def usage(self, **used: Any) -> None:
        """See `Work.usage`."""
        self._wait(self._work.usage(**used))

    def post(self, name: str, **more: Any) -> str:
        """See `Work.post`."""
        return self._wait(self._work.post(name, **more))

    def decide(self, decision: str, **more: Any) -> Any:
        """See `Work.decide`."""
        return self._wait(self._work.decide(decision, **more))

    def event(self) -> Event:
        """See `Work.event`."""
        return self._wait(self._work.event())

    def publish(self, subject: str, data: Any = None, **more: Any) -> dict[str, Any]:
        """See `Work.publish`."""
        return self._wait(self._work.publish(subject, data, **more))

    def wait_for(self, pattern: str | None = None, **more: Any) -> NoReturn:
        """See `Work.wait_for`."""
        self._wait(self._work.wait_for(pattern, **more))
        raise HandlerEnded

    def ask(self, question: str, **more: Any) -> NoReturn:
        """See `Work.ask`."""
        self._wait(self._work.ask(question, **more))
        raise HandlerEnded

    def block_on(self, *references: str, note: str | None = None) -> NoReturn:
        """See `Work.block_on`."""
        self._wait(self._work.block_on(*references, note=note))
        raise HandlerEnded

    def delegate(
        self, tasks: Iterable[NewTask], artifacts: Iterable[NewArtifact] = (), *, note: str | None = None
    ) -> NoReturn:
        """See `Work.delegate`."""
        self._wait(self._work.delegate(tasks, artifacts, note=note))
        raise HandlerEnded

    def approve(self, reason: str | None = None) -> NoReturn:
        """See `Work.approve`."""
        self._wait(self._work.approve(reason))
        raise HandlerEnded

    def reject(self, reason: str) -> NoReturn:
        """See `Work.reject`."""
        self._wait(self._work.reject(reason))
        raise HandlerEnded

    def release(self, *, delay_seconds: float | None = None, note: str | None = None) -> NoReturn:
        """See `Work.release`."""
        self._wait(self._work.release(delay_seconds=delay_seconds, note=note))
        raise HandlerEnded

    def _wait(self, call: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(call, self._loop).result()
