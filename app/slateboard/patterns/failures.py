"""What the log says of tasks that failed, read once from a cursor for each board that has compensations.

A step reads up to 5,000 positions and acts on the first failure there that has something to undo; then the cursor
stands behind it. Both are one commit: whatever crashes, a failure is neither passed over nor acted on twice. Whether a
task has failed is asked of the board as it is then, so a dead letter that was redriven meanwhile undoes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.patterns import compensation
from slateboard.patterns.fitting import POSITIONS
from slateboard.protocol.events import Subject
from slateboard.protocol.names import BoardId
from slateboard.protocol.states import ItemKind

if TYPE_CHECKING:
    from slateboard.transaction import Statement, Transaction

BOARDS = 100

BEHIND = """
SELECT c.board FROM compensation_cursors c JOIN event_heads h ON h.board = c.board
WHERE c.position < h.position AND (SELECT b.archived_at IS NULL FROM boards b WHERE b.id = c.board)
ORDER BY c.board LIMIT $1
"""

HOLD = """
SELECT c.position, h.position AS head FROM compensation_cursors c JOIN event_heads h ON h.board = c.board
WHERE c.board = $1 FOR UPDATE OF c SKIP LOCKED
"""

MOVE = "UPDATE compensation_cursors SET position = $2 WHERE board = $1"

# What may have let a task fail, or completed a step of one that had failed already: an undo that died; an item whose
# task has a dead one; one that was cancelled without a waiver, with nothing left of its task.
FAILED = """
WITH told AS MATERIALIZED (
    SELECT e.position, e.subject, (e.payload::json ->> 'item')::bigint AS item,
           (e.payload::json ->> 'waived') IS NOT NULL AS waived, e.payload::json ->> 'error' AS error,
           e.payload::json ->> 'reason' AS reason
    FROM events e
    WHERE e.board = $1 AND e.position > $2 AND e.position <= $3 AND e.subject = ANY ($4::text[])
)
SELECT t.position, t.item, w.kind, a.task, w.reference, t.error, t.reason, d.reference AS dead, d.last_error
FROM told t
JOIN work_items w ON w.board = $1 AND w.id = t.item
LEFT JOIN artifacts a ON a.board = $1 AND a.id = w.artifact
LEFT JOIN LATERAL (
    SELECT i.reference, i.last_error FROM artifacts o JOIN work_items i ON i.board = o.board AND i.id = o.newest_item
    WHERE o.board = $1 AND o.task = a.task AND i.outcome = 'dead' ORDER BY i.finished_at LIMIT 1) AS d ON true
WHERE (w.kind = $5 AND w.outcome = 'dead' AND t.subject = $6)
   OR (a.task IS NOT NULL AND (d.reference IS NOT NULL OR (
       w.outcome = 'cancelled' AND NOT t.waived AND NOT EXISTS (
           SELECT FROM artifacts o JOIN work_items i ON i.board = o.board AND i.id = o.newest_item
           WHERE o.board = $1 AND o.task = a.task AND i.outcome IS NULL))))
ORDER BY t.position
"""
SUBJECTS = (Subject.ITEM_DIED, Subject.ITEM_CANCELLED, Subject.ITEM_DISCARDED, Subject.ARTIFACT_COMPLETED)


async def boards_behind(tx: Statement) -> list[BoardId]:
    """Boards with a part of the log that was not looked through, at most 100."""
    return [BoardId(row["board"]) for row in await tx.fetch(BEHIND, BOARDS)]


async def act(tx: Transaction) -> bool:
    """Look through the next part of this board's log, and act on the first failure in it; whether there is more."""
    held = await tx.fetchrow(HOLD, tx.board)
    if held is None:
        return False
    upto = min(held["position"] + POSITIONS, held["head"])
    given = ([one.value for one in SUBJECTS], ItemKind.COMPENSATE.value, Subject.ITEM_DIED.value)
    for row in await tx.fetch(FAILED, tx.board, held["position"], upto, *given):
        if await _act_on(tx, row):
            upto = row["position"]
            break
    await tx.fetch(MOVE, tx.board, upto)
    return upto < held["head"]


async def _act_on(tx: Transaction, row: Any) -> bool:
    """Whether there was anything to do about it."""
    if row["kind"] == ItemKind.COMPENSATE:
        await compensation.died(tx, row["item"])
        return True
    if row["dead"] is not None:
        because = f"{row['dead']} failed: {row['last_error'] or 'no error was told'}"
    else:
        because = f"{row['reference']} was given up: {row['reason'] or 'no reason was told'}"
    done = await compensation.roll_back(tx, row["task"], because)
    return any(done.values())
