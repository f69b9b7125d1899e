"""Moving unfinished work from one inbox to another: an agent goes, declines, is overruled, or does not answer.

An item keeps its place among its kind, its rating, attempts and what waits for it; only who does it changes, in its row
and in that of what it is about. A dead letter stays dead, and is brought back for whoever has it then. One event tells
of all items of a move, another one of the deliveries among them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.protocol.events import Subject
from slateboard.protocol.states import ItemKind, Outcome, Place
from slateboard.work import gates, queries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slateboard.transaction import Transaction

HANDED_OVER = "handed over"
"""The error of an attempt that a move ended."""

# What says by whom an item is to be done stands in the item, and in the row of what it is about.
MOVE = """
WITH moved AS (
    UPDATE work_items w SET inbox = $3 WHERE w.board = $1 AND w.id = ANY ($2::bigint[])
    RETURNING w.id, w.artifact
), owned AS (
    UPDATE artifacts a SET owner = $3, capability = NULL FROM moved m
    WHERE a.board = $1 AND a.id = m.artifact AND a.newest_item = m.id
), asked AS (
    UPDATE escalations e SET owner = $3
    WHERE e.board = $1 AND e.item = ANY ($2::bigint[]) AND e.answered_at IS NULL
), judged AS (
    UPDATE verifications v SET verifier = $3
    WHERE v.board = $1 AND v.item = ANY ($2::bigint[]) AND v.judged_at IS NULL
), undone AS (
    UPDATE compensations c SET inbox = $3
    WHERE c.board = $1 AND c.item = ANY ($2::bigint[]) AND c.ended_at IS NULL
)
UPDATE waiting n SET owner = $3 WHERE n.board = $1 AND n.on_item = ANY ($2::bigint[])
"""


async def move(
    tx: Transaction,
    items: Sequence[int],
    *,
    to: int,
    reason: str,
    ending_claims: bool = False,
    correlation: str | None = None,
) -> list[dict[str, Any]]:
    """Put those of these items that are not over into an inbox; returns their `{id, kind, reference}`.

    A claim goes on, and only what comes after it goes to the new inbox; with `ending_claims` it ends at once. The event
    belongs to the `correlation`, else to that of the change.
    """
    wanted = sorted(set(items))
    await tx.fetch(queries.LOCK_LEASES, tx.board, wanted)
    held = await tx.fetch(queries.LOCK_ITEMS, tx.board, wanted)
    rows = [dict(row) for row in held if row["outcome"] in {None, Place.DEAD}]
    numbers = [row["id"] for row in rows]
    if not numbers:
        return []
    leases = await tx.fetch(queries.LEAVE_LEASES, tx.board, numbers) if ending_claims else []
    await gates.end_attempts(tx, leases, outcome=Outcome.CANCELLED, error=HANDED_OVER, note=None)
    left = await tx.fetch(queries.LEAVE_PLACES_TO_MOVE, tx.board, numbers)
    await tx.fetch(MOVE, tx.board, numbers, to)
    ended: set[int] = {lease["item"] for lease in leases}
    for unblocked in (False, True):
        placed: set[int] = {row["item"] for row in left if row["unblocked"] is unblocked}
        if not unblocked:
            placed |= ended
        if placed:
            tx.wake(await tx.fetchval(queries.PLACE, tx.board, sorted(placed), unblocked, tx.now))
    for delivered in (False, True):
        told = [row for row in rows if (row["kind"] == ItemKind.HANDLE) is delivered]
        if told:
            payload = {
                "items": [row["id"] for row in told],
                "references": [row["reference"] for row in told],
                "inbox": to,
                "ended": sorted(ended & {row["id"] for row in told}),
                "reason": reason,
            }
            tx.record(Subject.ITEM_MOVED.of(told[0]["kind"]), payload, correlation=correlation)
    return rows
