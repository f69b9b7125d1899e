"""The outbox's door for events that are no change of the board's own: what somebody publishes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slateboard.transaction import Transaction

INSERT = """
INSERT INTO event_outbox (id, lane, board, subject, payload, actor, authenticated_by, cause, correlation, depth,
                          traceparent, happened_at)
VALUES (coalesce($1, nextval('event_ids')), (SELECT outbox_lane($2)), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
RETURNING id
"""


async def append(
    tx: Transaction, *, subject: str, payload: str, correlation: str, cause: int | None, event: int | None = None
) -> int:
    """Append one event (JSON text) after what was recorded before; returns its id (`event`, if that is given)."""
    await tx.flush()
    return await tx.fetchval(
        INSERT,
        event,
        tx.board,
        subject,
        payload,
        tx.actor.name,
        tx.actor.authenticated_by,
        cause,
        correlation,
        tx.depth,
        tx.traceparent,
        tx.now,
    )
