"""Deaths: what follows from the answer of a delegator who was told that work of a task is dead.

They are told in the commit of the death (`work/dead_letters.sql`), once for each task while nobody has answered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.protocol.work import MAX_BATCH
from slateboard.work import dead_letters

if TYPE_CHECKING:
    from slateboard.transaction import Transaction

REDRIVE = "redrive"

OF_TASK = """
SELECT w.id FROM tasks t
JOIN artifacts a ON a.board = t.board AND a.task = t.id
JOIN work_items w ON w.board = a.board AND w.id = a.newest_item
WHERE t.board = $1 AND t.name = $2 AND w.outcome = 'dead' AND w.attempts < {most}
ORDER BY w.id LIMIT $3
"""


async def decided(tx: Transaction, row: dict[str, Any], text: str, _by: str) -> None:
    """The dead letters of the task come back, as far as they were not tried too often, or stay dead."""
    if text != REDRIVE:
        return
    statement = OF_TASK.format(most=dead_letters.most())
    found = [one["id"] for one in await tx.fetch(statement, tx.board, row["reference"], MAX_BATCH)]
    if found:
        await dead_letters.revive(tx, found)
