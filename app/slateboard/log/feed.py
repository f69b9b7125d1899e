"""The feed: a reader with a cursor sees every event of a board once, in order, however the writers overlapped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.protocol.errors import Invalid
from slateboard.protocol.rights import Right
from slateboard.protocol.subjects import expression

if TYPE_CHECKING:
    from slateboard.transaction import Statement

MAX_PAGE = 10_000

AFTER = """
SELECT position, id, subject, payload, actor, authenticated_by, cause, correlation, depth,
       traceparent, happened_at
FROM events WHERE board = $1 AND position > $2 AND ($4::text IS NULL OR subject ~ $4) ORDER BY position LIMIT $3
"""

HEAD = "SELECT coalesce((SELECT position FROM event_heads WHERE board = $1), 0)"


async def read(tx: Statement, *, after: int = 0, limit: int = 1000, subject: str | None = None) -> list[Any]:
    """Events after a position, oldest first: rows with position, id, subject, payload (JSON text), actor, times.

    `subject` is a pattern as in NATS: `*` is one token, `>` the rest.
    """
    tx.require(Right.READER)
    if not 1 <= limit <= MAX_PAGE:
        raise Invalid(f"a page holds 1 to {MAX_PAGE:,} events, not {limit}", remedy="ask for fewer at once")
    return await tx.fetch(AFTER, tx.board, after, limit, None if subject is None else expression(subject))


async def head(tx: Statement) -> int:
    """The newest position of the board's log; 0 when it is empty."""
    tx.require(Right.READER)
    return await tx.fetchval(HEAD, tx.board)
