"""One request = one transaction = one actor.

The door opens it and leaving it commits; actions never commit. `Transaction` carries the connection, the actor, the
board, `now` (the database's clock) and `record(event)`, which buffers: the events are written last, after every lock of
the change is held, so that the log's order agrees with the rows' order. `ReadTransaction` is another type, without
`record`; `Statement` is what the hot actions take: one statement, which is its own transaction.

Locks are taken in one order: leases, items, gates, outbox; rows of one table by ascending id.
"""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from slateboard.protocol.errors import Denied, NotYours, UnknownName
from slateboard.protocol.rights import Actor, Right

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from datetime import datetime

    from sqlalchemy.sql import ClauseElement

    from slateboard.protocol.events import Subject
    from slateboard.protocol.names import BoardId
    from slateboard.store.database import Database

REPEATS = 3
"""How often a door repeats a transaction that lost a deadlock or a serialization race."""

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
        return await self.connection.fetch(sql, *arguments)

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
    """A snapshot: all reads see the board as it was at `now`."""

    now: datetime


class Transaction(ReadTransaction):
    """A change. Its events are written when the door leaves it, after all its locks are held."""

    def __init__(self, connection: Any, actor: Actor, board: BoardId, correlation: str | None = None) -> None:
        super().__init__(connection, actor, board)
        self.correlation = correlation
        self.woken: dict[BoardId, set[int]] = {}
        self._recorded: list[tuple[str, str, str | None]] = []

    def record(self, subject: Subject, payload: dict[str, Any], *, correlation: str | None = None) -> None:
        """Buffer an event; `payload` is the after-image, of JSON values and datetimes."""
        text = _ENCODE(payload)
        self._recorded.append((subject.value, text, correlation or self.correlation))

    def wake(self, inboxes: Sequence[int], *, board: BoardId | None = None) -> None:
        """Note inboxes (of this board) that may hold new work; the door tells the notifier after the commit."""
        if inboxes:
            self.woken.setdefault(board or self.board, set()).update(inboxes)

    async def flush(self) -> None:
        """Write the buffered events to the outbox, in the order of recording."""
        if not self._recorded:
            return
        await self.connection.execute(
            "INSERT INTO event_outbox"
            " (lane, board, subject, payload, actor, authenticated_by, correlation, happened_at)"
            " SELECT (SELECT lane FROM event_lane), $1, r.subject, r.payload, $2, $3, r.correlation, $4"
            " FROM unnest($5::text[], $6::text[], $7::text[]) AS r (subject, payload, correlation)",
            self.board,
            self.actor.name,
            self.actor.authenticated_by,
            self.now,
            *(list(column) for column in zip(*self._recorded, strict=True)),
        )
        self._recorded.clear()

    @asynccontextmanager
    async def rehearsal(self) -> AsyncGenerator[None]:
        """Take back whatever is done inside: rows, events and wake-ups."""
        recorded, woken = self._recorded.copy(), {board: set(inboxes) for board, inboxes in self.woken.items()}
        savepoint = self.connection.transaction()
        await savepoint.start()
        try:
            yield
        finally:
            await savepoint.rollback()
            self._recorded, self.woken = recorded, woken


@asynccontextmanager
async def reading(database: Database, actor: Actor, board: BoardId) -> AsyncGenerator[ReadTransaction]:
    """A read-only snapshot for one request."""
    async with database.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        tx = ReadTransaction(connection, actor, board)
        tx.now = await connection.fetchval("SELECT now()")
        yield tx


@asynccontextmanager
async def writing(
    database: Database, actor: Actor, board: BoardId, *, correlation: str | None = None, now: datetime | None = None
) -> AsyncGenerator[Transaction]:
    """One change: leaving commits it, an error rolls it back whole. Tests pass `now` instead of sleeping."""
    async with database.acquire() as connection, connection.transaction():
        tx = Transaction(connection, actor, board, correlation)
        tx.now = now or await connection.fetchval("SELECT clock_timestamp()")
        yield tx
        await tx.flush()


@asynccontextmanager
async def hot(database: Database, actor: Actor, board: BoardId) -> AsyncGenerator[Statement]:
    """A connection for hot statements, each of which commits by itself."""
    async with database.acquire() as connection:
        yield Statement(connection, actor, board)


async def board_named(connection: Any, name: str) -> BoardId:
    """The id of the board of that name; `UnknownName` if there is none."""
    found = await connection.fetchval("SELECT id FROM boards WHERE name = $1", name)
    if found is None:
        message = f"there is no board {name!r}"
        raise UnknownName(message, remedy="create it with `slate board add`, or set SLATE_BOARD", board=name)
    return found
