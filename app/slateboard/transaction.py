"""One request = one transaction = one actor.

The door opens it and leaving it commits; actions never commit. `Transaction` carries the connection, the actor, the
board, `now` (the database's clock) and `record(event)`, which buffers: the events are written last, after every lock of
the change is held, so that the log's order agrees with the rows' order. `ReadTransaction` is another type, without
`record`; `Statement` is what the hot actions take: one statement, which is its own transaction. A change that needs no
more than that is no more: it begins only when something follows its `look`, and not at all if that is its last.

Locks are taken in one order: leases, items, gates, outbox; rows of one table by ascending id.
"""

from __future__ import annotations

import json
import secrets
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from slateboard.protocol.errors import Denied, NotYours, SlateError, UnknownName
from slateboard.protocol.rights import Actor, Right

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy.sql import ClauseElement

    from slateboard.protocol.events import Subject
    from slateboard.protocol.names import BoardId
    from slateboard.store.database import Database

    Wake = Callable[[BoardId, Iterable[int]], None]

REPEATS = 3
"""How often a door repeats a transaction that lost a deadlock or a serialization race."""

DELETED = """
SELECT position, hash, actor, deleted_at FROM deleted_boards WHERE name = $1 ORDER BY deleted_at DESC LIMIT 1
"""

APPEND = "SELECT append_events($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"

_ENCODE = json.JSONEncoder(default=str, separators=(",", ":"), check_circular=False).encode


class Statement:
    """What a hot action works on: a connection, the actor and the board; each statement commits by itself."""

    def __init__(self, connection: Any, actor: Actor, board: BoardId) -> None:
        self.connection = connection
        self.actor = actor
        self.board = board

    async def fetch(self, sql: str, *arguments: Any) -> list[Any]:
        """All rows of a statement written as SQL text, with `$1`… for the arguments."""
        return await self.connection.fetch(sql, *arguments)

    async def fetchrow(self, sql: str, *arguments: Any) -> Any:
        """The first row, or None."""
        return await self.connection.fetchrow(sql, *arguments)

    async def fetchval(self, sql: str, *arguments: Any) -> Any:
        """The first column of the first row, or None."""
        return await self.connection.fetchval(sql, *arguments)

    async def execute(self, statement: ClauseElement) -> list[Any]:
        """All rows of a statement built with SQLAlchemy."""
        from slateboard.store.statements import compiled

        sql, arguments = compiled(statement)
        return await self.fetch(sql, *arguments)

    @asynccontextmanager
    async def change(self, *, now: datetime | None = None) -> AsyncGenerator[Transaction]:
        """A change of its own on this connection, committed when it is left; the caller tells whom it woke.

        Without `now` it takes the clock from its own first look or change.
        """
        async with self.connection.transaction():
            tx = Transaction(self.connection, self.actor, self.board)
            if now is not None:
                tx.now = now
            yield tx
            await tx.end()

    def require(self, right: Right) -> None:
        """Refuse an actor whose right is less than `right`."""
        if self.actor.right < right:
            message = f"{self.actor.name} has the right {self.actor.right.word}; this needs {right.word}"
            raise Denied(message, remedy=f"ask somebody with the right {right.word}", right=right.word)

    def require_agent(self, agent: int, name: str) -> None:
        """Refuse an actor that acts for another agent, unless it is an administrator."""
        if self.actor.right < Right.ADMIN and self.actor.agent != agent:
            message = f"{self.actor.name} cannot act as {name}"
            raise NotYours(message, remedy="use the token of that agent", agent=name)


class ReadTransaction(Statement):
    """A snapshot: all reads see the board as it was at `now`. `home` is where the files beside the database are."""

    now: datetime
    home: Path | None = None


class Transaction(ReadTransaction):
    """A change. Its events are written when the door leaves it, after all its locks are held.

    They share a `correlation` (a fresh one, unless the change belongs to something that has one), and carry what led to
    it: `cause` is an event's id, `depth` how many deliveries, `traceparent` the caller's trace.

    `begin` opens the transaction in the database; without it that is open already. It is opened by the first statement
    that is neither a `look` nor the last.
    """

    def __init__(
        self,
        connection: Any,
        actor: Actor,
        board: BoardId,
        correlation: str | None = None,
        *,
        begin: Callable[[], Awaitable[Any]] | None = None,
    ) -> None:
        super().__init__(connection, actor, board)
        self.correlation = correlation or secrets.token_hex(8)
        self.cause: int | None = None
        self.depth = 0
        self.traceparent: str | None = None
        self.woken: dict[BoardId, set[int]] = {}
        self.refused: list[tuple[Subject, dict[str, Any], str]] = []
        self._recorded: list[tuple[str, str, str | None]] = []
        self._begin = begin
        self._last: tuple[str, tuple[Any, ...]] | None = None

    def takes_place_at(self, now: datetime) -> None:
        """Take the database's clock from a look, unless the change has a time already."""
        if not hasattr(self, "now"):
            self.now = now

    async def takes_place_now(self) -> None:
        """Ask the database for its clock, unless the change has a time already."""
        if not hasattr(self, "now"):
            self.now = await self.fetchval("SELECT clock_timestamp()")

    async def look(self, sql: str, *arguments: Any) -> list[Any]:
        """All rows of a statement that changes and holds nothing, so that it may come before the transaction."""
        if self._last:
            await self.proceed()
        return await self.connection.fetch(sql, *arguments)

    async def fetch(self, sql: str, *arguments: Any) -> list[Any]:
        """All rows of a statement written as SQL text, with `$1`… for the arguments."""
        await self.proceed()
        return await self.connection.fetch(sql, *arguments)

    async def fetchrow(self, sql: str, *arguments: Any) -> Any:
        """The first row, or None."""
        await self.proceed()
        return await self.connection.fetchrow(sql, *arguments)

    async def fetchval(self, sql: str, *arguments: Any) -> Any:
        """The first column of the first row, or None."""
        await self.proceed()
        return await self.connection.fetchval(sql, *arguments)

    async def conclude(self, sql: str, *arguments: Any) -> None:
        """Leave a statement for the end, or until another follows it; its answer is the inboxes to wake.

        Its last six arguments are what `append_events` takes at its end, by which it writes the events last of all:
        those recorded until then if it is the last, else none.
        """
        if self._last:
            await self.proceed()
        self._last = (sql, arguments)

    async def proceed(self) -> None:
        """Before another statement: open the transaction, and run what might have been its last."""
        if self._begin:
            start, self._begin = self._begin, None
            await start()
        if self._last:
            await self._run_last((None, 0, None, [], [], []))

    def record(self, subject: Subject, payload: dict[str, Any], *, correlation: str | None = None) -> None:
        """Buffer an event; `payload` is the after-image, of JSON values and datetimes."""
        self.append(subject.value, _ENCODE(payload), correlation=correlation or self.correlation)

    def append(self, subject: str, payload: str, *, correlation: str | None) -> None:
        """Buffer an event that is no change of the board's own; `payload` is JSON text."""
        self._recorded.append((subject, payload, correlation))

    def refuse(self, subject: Subject, payload: dict[str, Any]) -> None:
        """Before an error is raised: what the log keeps of the refusal, though the change itself is taken back."""
        self.refused.append((subject, payload, self.correlation))

    def wake(self, inboxes: Sequence[int], *, board: BoardId | None = None) -> None:
        """Note inboxes (of this board) that may hold new work; the door tells the notifier after the commit."""
        if inboxes:
            self.woken.setdefault(board or self.board, set()).update(inboxes)

    async def flush(self) -> None:
        """Write the buffered events to the outbox, in the order of recording."""
        await self.proceed()
        await self.end()

    async def flush_by(self, sql: str, *arguments: Any) -> Any:
        """Run a statement that writes the buffered events itself; returns the first column of its first row.

        Its last six arguments are what `append_events` takes at its end.
        """
        await self.proceed()
        answer = await self.connection.fetchval(sql, *arguments, *self._events())
        self._recorded.clear()
        return answer

    async def end(self) -> None:
        """Write what is left to write: the last statement with the events, or the events alone."""
        if not self._last and not self._recorded:
            return
        if self._last:
            await self._run_last(self._events())
        else:
            await self.connection.execute(
                APPEND, self.board, self.actor.name, self.actor.authenticated_by, self.now, *self._events()
            )
        self._recorded.clear()

    def _events(self) -> tuple[Any, ...]:
        columns = [list(column) for column in zip(*self._recorded, strict=True)] or [[], [], []]
        return (self.cause, self.depth, self.traceparent, *columns)

    async def _run_last(self, events: tuple[Any, ...]) -> None:
        assert self._last
        (sql, arguments), self._last = self._last, None
        self.wake(await self.connection.fetchval(sql, *arguments, *events))

    @asynccontextmanager
    async def rehearsal(self) -> AsyncGenerator[None]:
        """Take back whatever is done inside: rows, events and wake-ups."""
        await self.proceed()
        recorded, woken = self._recorded.copy(), {board: set(inboxes) for board, inboxes in self.woken.items()}
        savepoint = self.connection.transaction()
        await savepoint.start()
        try:
            yield
        finally:
            await savepoint.rollback()
            self._recorded, self.woken, self._last = recorded, woken, None


@asynccontextmanager
async def reading(database: Database, actor: Actor, board: BoardId) -> AsyncGenerator[ReadTransaction]:
    """A read-only snapshot for one request."""
    async with database.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        tx = ReadTransaction(connection, actor, board)
        tx.home = database.home
        tx.now = await connection.fetchval("SELECT now()")
        yield tx


@asynccontextmanager
async def writing(
    database: Database,
    actor: Actor,
    board: BoardId,
    *,
    correlation: str | None = None,
    now: datetime | None = None,
    looks_first: bool = False,
    wake: Wake | None = None,
) -> AsyncGenerator[Transaction]:
    """One change: leaving commits it, an error rolls it back whole. Tests pass `now` instead of sleeping.

    One that `looks_first` takes the clock from its own first look or change, and begins after the look. `wake` is told
    of each board's inboxes that may hold new work, right after the commit.
    """
    async with database.acquire() as connection:
        tx = None
        try:
            async with AsyncExitStack() as stack:
                tx = Transaction(
                    connection,
                    actor,
                    board,
                    correlation,
                    begin=lambda: stack.enter_async_context(connection.transaction()),
                )
                if now is not None:
                    tx.now = now
                if not looks_first:
                    await tx.proceed()
                    await tx.takes_place_now()
                yield tx
                await tx.end()
        except SlateError:
            if tx is not None and tx.refused:
                await _keep_refusals(connection, tx)
            raise
        if wake:
            for woken, inboxes in tx.woken.items():
                wake(woken, inboxes)


async def _keep_refusals(connection: Any, refused: Transaction) -> None:
    """Log what a change was refused for, after it was taken back."""
    async with connection.transaction():
        tx = Transaction(connection, refused.actor, refused.board)
        tx.now = refused.now
        for subject, payload, correlation in refused.refused:
            tx.record(subject, payload, correlation=correlation)
        await tx.end()


@asynccontextmanager
async def hot(database: Database, actor: Actor, board: BoardId) -> AsyncGenerator[Statement]:
    """A connection for hot statements, each of which commits by itself."""
    async with database.acquire() as connection:
        yield Statement(connection, actor, board)


async def board_named(connection: Any, name: str) -> BoardId:
    """The id of the board of that name; `UnknownName` if there is none."""
    found = await connection.fetchval("SELECT id FROM boards WHERE name = $1", name)
    if found is None:
        gone = await connection.fetchrow(DELETED, name)
        if gone is not None:
            message = f"the board {name!r} was deleted at {gone['deleted_at']:%Y-%m-%d %H:%M:%S} by {gone['actor']}"
            remedy = "see `slate board deleted`, or make a new one of this name with `slate board add`"
            end = {"position": gone["position"], "hash": gone["hash"].hex()}
            raise UnknownName(message, remedy=remedy, board=name, **end)
        message = f"there is no board {name!r}"
        raise UnknownName(message, remedy="create it with `slate board add`, or set SLATE_BOARD", board=name)
    return found
