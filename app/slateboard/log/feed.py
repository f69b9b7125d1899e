"""The feed: a reader with a cursor sees every event of a board once, in order, however the writers overlapped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.protocol.errors import Archived, BadCursor, Invalid, UnknownName
from slateboard.protocol.rights import Right
from slateboard.protocol.subjects import expression

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slateboard.transaction import Statement

MAX_PAGE = 10_000

AFTER = """
SELECT position, id, subject, payload, actor, authenticated_by, cause, correlation, depth,
       traceparent, happened_at
FROM events
WHERE board = $1 AND EXISTS (SELECT FROM boards WHERE id = $1) AND position > $2
  AND ($4::text IS NULL OR subject ~ $4)
ORDER BY position LIMIT $3
"""

BETWEEN = AFTER.replace("AND position > $2", "AND position > $2 AND position <= $5")

ARCHIVED = "SELECT max(last_position) FROM archives WHERE board = $1"
HEAD = "SELECT coalesce((SELECT h.position FROM event_heads h WHERE h.board = $1), 0) FROM boards WHERE id = $1"


async def read(tx: Statement, *, after: int = 0, limit: int = 1000, subject: str | None = None) -> list[Any]:
    """Events after a position, oldest first: rows with position, id, subject, payload (JSON text), actor, times.

    `subject` is a pattern as in NATS: `*` is one token, `>` the rest. Raises `BadCursor` for a position that the log
    has not, `Archived` for one whose next event is no longer here (0 means the first that is), and `BadSubject`.
    """
    tx.require(Right.READER)
    if not 1 <= limit <= MAX_PAGE:
        raise Invalid(f"a page holds 1 to {MAX_PAGE:,} events, not {limit}", remedy="ask for fewer at once")
    rows = await tx.fetch(AFTER, tx.board, after, limit, None if subject is None else expression(subject))
    if after < 0 or not rows:
        await check(tx, after)
    await _check_archived(tx, after, rows)
    return rows


async def read_between(tx: Statement, *, after: int, until: int, limit: int, pattern: str | None) -> list[Any]:
    """Events after one position up to another, as `read` gives them; `pattern` is a regular expression."""
    tx.require(Right.READER)
    rows = await tx.fetch(BETWEEN, tx.board, after, limit, pattern, until)
    if not rows:
        await head(tx)
    await _check_archived(tx, after, rows)
    return rows


async def _check_archived(tx: Statement, after: int, rows: Sequence[Any]) -> None:
    """Refuse to pass over events that are in an archive; after 0 comes the first event that is still here."""
    if after == 0 or (rows and rows[-1]["position"] == after + len(rows)):
        return
    archived: int | None = await tx.fetchval(ARCHIVED, tx.board)
    if archived is not None and after < archived:
        message = (
            f"the events up to position {archived} are in archives, and the cursor stands at {after};"
            f" the first one that is still in the database is {archived + 1}"
        )
        remedy = f"read the archives' files up to {archived}, then go on after {archived}"
        raise Archived(message, remedy=remedy, position=after, archived=archived)


async def check(tx: Statement, after: int) -> int:
    """The newest position; `BadCursor` for a position after which nobody can go on."""
    newest = await head(tx)
    if not 0 <= after <= newest:
        message = f"the log has no position {after}: its newest is {newest}"
        remedy = "go on from the last position that you saw on this board; 0 stands before the first"
        raise BadCursor(message, remedy=remedy, position=after, head=newest)
    return newest


async def head(tx: Statement) -> int:
    """The newest position of the board's log; 0 when it is empty. Raises `UnknownName` for a board that was deleted."""
    tx.require(Right.READER)
    newest: int | None = await tx.fetchval(HEAD, tx.board)
    if newest is None:
        raise UnknownName("the board was deleted: its log is gone", remedy="see `slate board deleted`")
    return newest
