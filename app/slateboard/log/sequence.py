"""The sequencer's step: move committed events from the outbox to the log. See `seal.sql` for the order and the chain.

Writers insert into the outbox in their own transaction; the leader seals. Readers therefore need no horizon, no long
transaction elsewhere can stall the feed, and a dump and restore keeps the order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slateboard.transaction import Statement

BATCH = 5_000
"""Events of one seal."""


async def seal(tx: Statement, *, limit: int = BATCH) -> list[Any]:
    """Seal up to `limit` events: rows of board, head (its newest position) and how many were sealed."""
    return await tx.fetch("SELECT * FROM seal_events($1)", limit)


async def rotate(tx: Statement) -> bool:
    """Empty the outbox lane that is not written to, if nothing is left in it, and swap the lanes."""
    return await tx.fetchval("SELECT rotate_outbox()")


async def backlog(tx: Statement) -> int:
    """Events that wait to be sealed, counted up to 100,000."""
    return await tx.fetchval("SELECT count(*) FROM (SELECT FROM event_outbox LIMIT 100000) AS waiting")
