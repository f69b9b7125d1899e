"""Where in the log a subscription begins: now, the beginning, a time, a position, or a cursor (`board@position`)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from slateboard.log import feed
from slateboard.protocol.errors import Invalid

if TYPE_CHECKING:
    from slateboard.transaction import Transaction

FIRST = "SELECT position FROM events WHERE board = $1 ORDER BY position LIMIT 1"

# Partitions of the days before are left out.
AT_TIME = """
SELECT position FROM events
WHERE board = $1 AND sealed_on >= ($2::timestamptz AT TIME ZONE 'UTC')::date AND happened_at >= $2
ORDER BY position LIMIT 1
"""


async def cursor_before(tx: Transaction, start: str | int | datetime) -> int:
    """The cursor from which the next event is the one at `start`; `Invalid` for a position that the log has not."""
    head = await feed.head(tx)
    if isinstance(start, str):
        start = await _read(tx, start, head)
    if isinstance(start, datetime):
        at = start if start.tzinfo else start.replace(tzinfo=UTC)
        position = await tx.fetchval(AT_TIME, tx.board, at)
        return head if position is None else position - 1
    if not 1 <= start <= head + 1:
        message = f"the log of this board has no position {start}: it ends at {head}"
        raise Invalid(message, remedy="begin with a position of `slate log tail`, with now, or with beginning")
    return start - 1


async def _read(tx: Transaction, start: str, head: int) -> int | datetime:
    if start == "now":
        return head + 1
    if start == "beginning":
        return await tx.fetchval(FIRST, tx.board) or head + 1
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
