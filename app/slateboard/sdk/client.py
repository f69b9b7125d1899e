"""The client: any operation of a board by name, and typed conveniences for the common ones.

A client belongs to one board, and acts for one agent where one is named. It reconnects by itself: a call that meets a
lost database raises `Unavailable`, and the next one tries anew.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Self

from slateboard.protocol.errors import Unavailable
from slateboard.protocol.work import SHELL_LEASE_SECONDS
from slateboard.sdk.backoff import Backoff
from slateboard.sdk.briefing import Briefing
from slateboard.sdk.transport import open_transport

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Sequence
    from types import TracebackType

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
    )
    from slateboard.sdk.transport import Transport

FOLLOW_PAGE = 1_000
FOLLOW_POLL_SECONDS = 1.0


def connect(url: str | None = None, *, board: str | None = None, agent: str | None = None) -> Connecting:
    """Open a client; await it, or enter it with `async with`, which closes it.

    `url` is `postgresql://…`; without it `SLATE_DATABASE_URL`, else the server that `slate up` started in `SLATE_HOME`.
    `board` is else `SLATE_BOARD`, else `default`. `agent` is the agent to act for. Raises `Unavailable` (with what to
    do) and `UnknownName` (the board or the agent).
    """
    return Connecting(url, board, agent)


class Connecting:
    """A client to be: awaited, or entered."""

    def __init__(self, url: str | None, board: str | None, agent: str | None) -> None:
        self._url = url
        self._board = board
        self._agent = agent
        self._client: Client | None = None

    def __await__(self) -> Generator[Any, None, Client]:
        return self._open().__await__()

    async def __aenter__(self) -> Client:
        self._client = await self._open()
        return self._client

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client:
            await self._client.close()

    async def _open(self) -> Client:
        return Client(await open_transport(self._url, board=self._board, agent=self._agent))


class Client:
    """A connection to one board. Made by `connect`."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    @property
    def board(self) -> str:
        """The board's name."""
        return self.transport.board

    @property
    def agent(self) -> str | None:
        """The name of the agent that acts, if one does."""
        return self.transport.agent

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the connections."""
        await self.transport.close()

    async def call(self, operation: str, **arguments: Any) -> Any:
        """Any operation of the catalogue, by name; plain values come back (times are `datetime`).

        Raises the classes of `SlateError`, `Invalid` for an argument that is unknown or missing.
        """
        return await self.transport.call(operation, arguments)

    # The queue, for the agent of this client.

    async def claim(self, *, worker: str, limit: int = 1, lease_seconds: float = SHELL_LEASE_SECONDS) -> list[Claim]:
        """Claim up to `limit` ready items, the highest rating first. Raises `Paused`."""
        return await self.transport.claim(worker=worker, limit=limit, lease_seconds=lease_seconds)

    async def heartbeat(self, beats: Sequence[Beat], *, lease_seconds: float | None = None) -> list[Renewed]:
        """Renew claims, with progress; one answer for each."""
        return await self.transport.heartbeat(beats, lease_seconds=lease_seconds)

    async def finish(self, finishes: Sequence[Finish]) -> list[Finished]:
        """Hand in results; one answer for each, with the version made or the error."""
        return await self.transport.finish(finishes)

    async def give_back(self, returns: Sequence[GiveBack]) -> list[GivenBack]:
        """End claims without a result; one answer for each."""
        return await self.transport.give_back(returns)

    async def has_work(self) -> bool:
        """Whether a claim would find anything now."""
        return await self.call("has_work")

    async def mine(self) -> list[dict[str, Any]]:
        """What the agent holds now, with the notes and checkpoints that it left."""
        return await self.call("mine")

    async def briefing(self, item: int) -> Briefing:
        """All that a worker of this item needs to know."""
        return Briefing.of(await self.call("briefing", item=item))

    # The board.

    async def post(self, *, tasks: Sequence[NewTask] = (), artifacts: Sequence[NewArtifact] = ()) -> dict[str, int]:
        """Post tasks and artifacts, all or nothing; the work item of each reference."""
        posted = await self.call("post", tasks=tasks, artifacts=artifacts)
        return posted["items"]

    async def depend(self, reference: str, *on: str) -> dict[str, Any]:
        """Block an artifact that has not started on others."""
        return await self.call("depend", reference=reference, on=list(on))

    async def revise(self, reference: str, *, reason: str = "", expect_version: int | None = None) -> dict[str, Any]:
        """Ask for a new version of a complete artifact."""
        return await self.call("revise", reference=reference, reason=reason, expect_version=expect_version)

    async def decide(self, decision: str, **more: Any) -> dict[str, Any]:
        """Record a decision; `more` is what `decide` takes: rationale, options, subject, task, supersedes…"""
        return await self.call("decide", decision=decision, **more)

    # The log.

    async def publish(self, subject: str, data: Any = None, **more: Any) -> dict[str, Any]:
        """Publish an event: `data` is JSON, at most 1 MiB. Gives `{event, subject, correlation, repeated}`.

        `more` is what `publish` takes: `id` (given again, it publishes nothing again), `correlation`, `cause`,
        `traceparent`. Raises `BadSubject`, `TooLarge`, and `Denied` for a subject of the board's own.
        """
        return await self.call("publish", subject=subject, data=data, **more)

    async def read_log(self, *, after: int = 0, limit: int = FOLLOW_PAGE, subject: str | None = None) -> list[Any]:
        """Events after a position, oldest first; `payload` is a JSON value, and None where it was `erased`."""
        rows = await self.call("read_log", after=after, limit=limit, subject=subject)
        return [
            {**row, "payload": row["payload"] and json.loads(row["payload"]), "erased": row["payload"] is None}
            for row in rows
        ]

    async def follow(
        self, *, after: int = 0, subject: str | None = None, lost: Callable[[Unavailable], None] | None = None
    ) -> AsyncGenerator[dict[str, Any]]:
        """Every event after a position, in order, and then each new one as it is logged; it never ends by itself.

        Asks the log when it hears that it has grown, and every second whether it heard or not. While the database
        cannot be reached it tries on, and then goes on without a gap or a repetition; `lost` is told once of each such
        time. Whoever begins anew after the `position` of the last event that came misses none either. Raises
        `BadCursor` for a position that the log has not, `Archived` for one whose next event is no longer in the
        database (0 means the first that is), and `BadSubject`.
        """
        watch = await self.transport.watch_log()
        backoff = Backoff(most_seconds=FOLLOW_POLL_SECONDS)
        try:
            while True:
                try:
                    # With a pattern what does not match is passed by; without one the last event is the head.
                    head: int = after if subject is None else await self.call("log_head")
                    events = await self.read_log(after=after, subject=subject)
                except Unavailable as error:
                    if lost and not backoff.failing:
                        lost(error)
                    await asyncio.sleep(backoff.next_seconds())
                    continue
                backoff.reset()
                for event in events:
                    yield event
                if len(events) == FOLLOW_PAGE:
                    after = events[-1]["position"]
                    continue
                after = max(after, head, events[-1]["position"] if events else 0)
                await watch.wait(FOLLOW_POLL_SECONDS)
        finally:
            await watch.close()
