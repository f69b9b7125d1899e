"""The hub of the live feeds: one read of the log for all readers that stand at its end, whatever their number.

Each board that somebody follows has one tail, which reads what is new once, when it hears of it and every second
whether it heard or not, and hands it to the readers. A reader has a cursor (a position), a pattern and a buffer of
bounded size. Where the buffer is full it falls behind and reads for itself, from where the buffer ends, until it has
reached the tail again; so no reader skips or repeats a position, and none holds up another. A reader that takes nothing
for 10 s while events wait for it is told its last position (`SlowReader`) and closed. Nothing holds a connection or a
transaction while it waits.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from slateboard.board import agents
from slateboard.interfaces.cursors import cursor_of
from slateboard.log import feed
from slateboard.protocol.errors import (
    DatabaseBusy,
    DatabaseUnreachable,
    NotAuthenticated,
    ServerProblem,
    SlateError,
    SlowReader,
)
from slateboard.protocol.rights import SYSTEM, Actor
from slateboard.protocol.subjects import expression
from slateboard.sdk.backoff import Backoff
from slateboard.store.notifications import LOG_CHANNEL, listener_of
from slateboard.transaction import hot

if TYPE_CHECKING:
    from slateboard.protocol.names import BoardId
    from slateboard.store.database import Database

log = logging.getLogger(__name__)

MAX_READERS = 1_000
"""Readers of one process."""
BUFFER_EVENTS = 1_000
BUFFER_BYTES = 4 << 20
"""Payloads in one reader's buffer; one event is taken in however large it is."""
PAGE_EVENTS = 500
POLL_SECONDS = 1.0
SLOW_SECONDS = 10.0
"""How long a reader may take nothing while events wait for it."""
CREDENTIAL_SECONDS = 10.0
"""How long a reader may go on after its token was revoked or has expired."""
SHARED_TEXTS = 8
"""Texts that an event keeps for its other readers, so that its size is bounded."""
READS = 2
"""Connections that all readers together use at once."""


class Event:
    """One event of the log, shared by all readers."""

    def __init__(self, board: int, row: Any) -> None:
        self.board = board
        self.position: int = row["position"]
        self.subject: str = row["subject"]
        self.size_bytes = len(row["payload"] or "")
        self._row = row
        self._texts: dict[Hashable, str] = {}

    @cached_property
    def shown(self) -> dict[str, Any]:
        """The event as plain values, with its payload as JSON and whether that was `erased`; made once for all."""
        payload: str | None = self._row["payload"]
        shown = {"payload": None if payload is None else json.loads(payload), "erased": payload is None}
        return {**self._row, **shown, "cursor": cursor_of(self.board, self.position)}

    def text(self, key: Hashable, write: Callable[[dict[str, Any]], str]) -> str:
        """What `write` makes of `shown`, made once for all readers that give the same key."""
        text = self._texts.get(key)
        if text is None:
            text = write(self.shown)
            if len(self._texts) < SHARED_TEXTS:
                self._texts[key] = text
        return text


class Reader:
    """One reader of one board: an asynchronous iterator of events, which ends only by an error or by `close`."""

    def __init__(self, tail: Tail, actor: Actor, after: int, subject: str | None) -> None:
        self.actor = actor
        self.position = after
        """The last position that was dealt with; what comes next stands behind it."""
        self.told: Callable[[SlateError], None] | None = None
        """Called when the reader is ended from outside, since whoever does not read does not see an error either."""
        self._tail = tail
        self._pattern = None if subject is None else re.compile(expression(subject))
        self._buffer: deque[Event] = deque()
        self._buffered_bytes = 0
        self._read_to = after
        self._handed = after
        self._taken_at = tail.clock()
        self._asks = True
        self._fresh = asyncio.Event()
        self._error: SlateError | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        self.position = self._handed
        self._asks = True
        try:
            while True:
                if self._error:
                    self._error.details["position"] = self.position
                    raise self._error
                if self._buffer:
                    return self._take()
                if self in self._tail.standing:
                    self._fresh.clear()
                    await self._fresh.wait()
                else:
                    await self._catch_up()
        finally:
            self._asks = False

    @property
    def pattern(self) -> str | None:
        """The regular expression of the subjects that it wants."""
        return self._pattern and self._pattern.pattern

    @property
    def buffered(self) -> int:
        """How many events wait to be taken."""
        return len(self._buffer)

    def is_slow(self, now: float) -> bool:
        """Whether it takes nothing although events wait for it, in its buffer or behind it."""
        waiting = bool(self._buffer) or self not in self._tail.standing
        return waiting and not self._asks and now - self._taken_at > SLOW_SECONDS

    def hear(self, events: list[Event]) -> None:
        """Take in what the tail has read; what does not fit any more it will read for itself."""
        if not self._buffer:
            self._taken_at = self._tail.clock()
        for event in events:
            if event.position <= self._read_to:
                continue
            if self._pattern is None or self._pattern.search(event.subject):
                if self._is_full(event):
                    self._tail.standing.discard(self)
                    break
                self._add(event)
            self._read_to = event.position
        if self._buffer:
            self._fresh.set()

    def end(self, error: SlateError) -> None:
        """No more events: whoever reads gets this error instead, with the last position in its details."""
        if self._error is None:
            error.details["position"] = self.position
            self._error = error
            self._buffer.clear()
            self._fresh.set()
            if self.told:
                self.told(error)

    async def close(self) -> None:
        """Nobody reads any more."""
        await self._tail.forget(self)

    def _take(self) -> Event:
        event = self._buffer.popleft()
        self._buffered_bytes -= event.size_bytes
        self._handed = event.position
        self._taken_at = self._tail.clock()
        return event

    def _is_full(self, event: Event) -> bool:
        return bool(self._buffer) and (
            len(self._buffer) >= BUFFER_EVENTS or self._buffered_bytes + event.size_bytes > BUFFER_BYTES
        )

    def _add(self, event: Event) -> None:
        self._buffer.append(event)
        self._buffered_bytes += event.size_bytes

    async def _catch_up(self) -> None:
        """Read the next page on the way to the tail; who has reached it stands there from now on."""
        until = self._tail.position
        if self._read_to < until:
            events = await self._tail.read(after=self._read_to, until=until, pattern=self.pattern)
            self._taken_at = self._tail.clock()
            for event in events:
                if self._is_full(event):
                    break
                self._add(event)
                self._read_to = event.position
            else:
                self._read_to = until if len(events) < PAGE_EVENTS else events[-1].position
        if self._read_to >= self._tail.position and self._error is None:
            self._tail.standing.add(self)


class Tail:
    """The end of one board's log. Whoever stands here has seen or buffered all up to `position`."""

    def __init__(self, hub: Hub, board: BoardId, position: int) -> None:
        self.board = board
        self.position = position
        self.readers: set[Reader] = set()
        self.standing: set[Reader] = set()
        self.clock = asyncio.get_running_loop().time
        self._hub = hub
        self._task = asyncio.create_task(self._run(), name=f"tail-{board}")

    async def read(self, *, after: int, until: int, pattern: str | None) -> list[Event]:
        """A page of the log; waits for the database as long as it takes."""
        backoff = Backoff()
        while True:
            try:
                async with self._hub.turns, hot(self._hub.database, SYSTEM, self.board) as tx:
                    rows = await feed.read_between(tx, after=after, until=until, limit=PAGE_EVENTS, pattern=pattern)
                return [Event(self.board, row) for row in rows]
            except (DatabaseBusy, DatabaseUnreachable) as error:
                log.debug("a live feed waits for the database: %s", error)
            await asyncio.sleep(backoff.next_seconds())

    async def forget(self, reader: Reader) -> None:
        """One reader less; without any the tail ends."""
        self.readers.discard(reader)
        self.standing.discard(reader)
        if not self.readers:
            await self._hub.drop(self)

    async def stop(self) -> None:
        """End the task that reads."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        watch = listener_of(self._hub.database.url, LOG_CHANNEL).watch(self.board)
        try:
            while True:
                await self._advance()
                await watch.wait(POLL_SECONDS)
        except SlateError as error:
            self._hub.end(self.readers, type(error), error.message, error.remedy)
        except Exception:
            log.exception("the live feed of board %d failed", self.board)
            self._hub.end(self.readers, ServerProblem, "the live feed failed", "go on after `position`")
        finally:
            self._hub.retire(self)
            await watch.close()

    async def _advance(self) -> None:
        """Read what is new, once, for all who stand here."""
        while events := await self.read(after=self.position, until=2**63 - 1, pattern=None):
            for reader in list(self.standing):
                reader.hear(events)
            self.position = events[-1].position
            if len(events) < PAGE_EVENTS:
                return
            await asyncio.sleep(0)  # who is fast enough takes its events before the next page


class Hub:
    """All live readers of one process."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.turns = asyncio.Semaphore(READS)
        self._tails: dict[BoardId, Tail] = {}
        self._warden: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def readers(self) -> list[Reader]:
        """Those that are open."""
        return [reader for tail in self._tails.values() for reader in tail.readers]

    async def open(
        self, actor: Actor, board: BoardId, *, after: int | None = None, subject: str | None = None
    ) -> Reader:
        """A reader of the events after a position, or of those from now on; close it when nobody reads any more.

        Raises `Denied`, `BadCursor`, `BadSubject`, and `DatabaseBusy` where the process has readers enough.
        """
        if subject is not None:
            expression(subject)
        async with hot(self.database, actor, board) as tx:
            head = await feed.check(tx, 0 if after is None else after)
        if self._closed or len(self.readers) >= MAX_READERS:
            raise DatabaseBusy(f"this server has {MAX_READERS:,} live readers", remedy="try another one, or later")
        tail = self._tails.get(board)
        if tail is None:
            tail = self._tails[board] = Tail(self, board, head)
        reader = Reader(tail, actor, head if after is None else after, subject)
        tail.readers.add(reader)
        if self._warden is None:
            self._warden = asyncio.create_task(self._watch_over(), name="live-readers")
        return reader

    def end(self, readers: Iterable[Reader], kind: type[SlateError], message: str, remedy: str) -> None:
        """Tell these readers that there is no more."""
        for reader in list(readers):
            reader.end(kind(message, remedy=remedy))

    async def drop(self, tail: Tail) -> None:
        """A tail without readers is no longer read."""
        self.retire(tail)
        await tail.stop()

    def retire(self, tail: Tail) -> None:
        """From now on new readers of this board get another tail."""
        if self._tails.get(tail.board) is tail:
            del self._tails[tail.board]

    async def close(self) -> None:
        """End all readers; they can go on elsewhere from their positions."""
        self._closed = True
        self.end(self.readers, ServerProblem, "the server stops", "go on after `position` when it is back")
        if self._warden:
            self._warden.cancel()
            with suppress(asyncio.CancelledError):
                await self._warden
        for tail in list(self._tails.values()):
            await self.drop(tail)

    async def _watch_over(self) -> None:
        """Once a second end who does not read, and now and then who is no longer allowed to."""
        clock = asyncio.get_running_loop().time
        checked_at = clock()
        while True:
            await asyncio.sleep(POLL_SECONDS)
            self.end_slow(clock())
            if clock() - checked_at > CREDENTIAL_SECONDS:
                checked_at = clock()
                with suppress(DatabaseBusy, DatabaseUnreachable):
                    await self.end_unauthenticated()

    def end_slow(self, now: float) -> None:
        """End the readers that take nothing."""
        for reader in self.readers:
            if reader.is_slow(now):
                message = f"nothing was read for {SLOW_SECONDS:.0f} s while events waited"
                reader.end(SlowReader(message, remedy="go on after `position`, and read faster, or less"))

    async def end_unauthenticated(self) -> None:
        """End the readers whose token was revoked or has expired."""
        by_token: dict[int, list[Reader]] = {}
        for reader in self.readers:
            kind, _, number = reader.actor.authenticated_by.partition(":")
            if kind == "token":
                by_token.setdefault(int(number), []).append(reader)
        if not by_token:
            return
        async with self.database.acquire() as connection:
            live = await agents.live_tokens(connection, list(by_token))
        for number in by_token.keys() - live:
            self.end(by_token[number], NotAuthenticated, "the token is no longer good", "use a new one")
