"""Where in the log a subscription begins: now, the beginning, a time, a position, or a cursor (`board@position`)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from slateboard.log import feed
from slateboard.protocol.errors import Archived, Invalid

if TYPE_CHECKING:
    from slateboard.transaction import Transaction

# Held against archiving, which takes it alone: what is chosen here is not archived before it is kept.
CUT = "SELECT pg_advisory_xact_lock_shared(hashtextextended('slateboard.cut', $1))"

# Partitions of the days before are left out.
AT_TIME = """
SELECT position FROM events
WHERE board = $1 AND sealed_on >= ($2::timestamptz AT TIME ZONE 'UTC')::date AND happened_at >= $2
ORDER BY position LIMIT 1
"""


async def cursor_before(tx: Transaction, start: str | int | datetime) -> int:
    """The cursor from which the next event is the one at `start`; `Invalid` for a position that the log has not.

    Raises `Archived`, with the first position that is there, for one that is in the archives.
    """
    await tx.fetch(CUT, tx.board)
    head = await feed.head(tx)
    if isinstance(start, str):
        start = await _read(tx, start, head)
    if isinstance(start, datetime):
        at = start if start.tzinfo else start.replace(tzinfo=UTC)
        if await tx.fetchval(
            "SELECT EXISTS (SELECT FROM archives WHERE board = $1 AND last_happened_at >= $2)", tx.board, at
        ):
            raise await _archived(tx, f"the events of {at.isoformat()}")
        position = await tx.fetchval(AT_TIME, tx.board, at)
        return head if position is None else position - 1
    if not 1 <= start <= head + 1:
        message = f"the log of this board has no position {start}: it ends at {head}"
        raise Invalid(message, remedy="begin with a position of `slate log tail`, with now, or with beginning")
    if start <= (await tx.fetchval(feed.ARCHIVED, tx.board) or 0):
        raise await _archived(tx, f"position {start}")
    return start - 1


async def _archived(tx: Transaction, what: str) -> Archived:
    first = await tx.fetchval(feed.ARCHIVED, tx.board) + 1
    message = f"{what} is in the archives; the first position that a subscription can begin with is {first}"
    return Archived(message, remedy=f"begin with position {first}, with a later one, or with now", first=first)


async def _read(tx: Transaction, start: str, head: int) -> int | datetime:
    if start == "now":
        return head + 1
    if start == "beginning":
        if await tx.fetchval(feed.ARCHIVED, tx.board):
            raise await _archived(tx, "the beginning of the log")
        return 1
    board, at, position = start.rpartition("@")
    if at and board != (name := await tx.fetchval("SELECT name FROM boards WHERE id = $1", tx.board)):
        raise Invalid(f"{start!r} is a cursor of the board {board!r}, not of {name!r}", remedy="use one of this board")
    if position.isascii() and position.isdecimal():
        return int(position)
    try:
        return datetime.fromisoformat(start)
    except ValueError as error:
        message = f"{start!r} is no place in the log"
        raise Invalid(message, remedy="now, beginning, a position, or a time as 2026-01-31T12:00Z") from error
