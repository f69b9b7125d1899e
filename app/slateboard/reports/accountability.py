"""The accountability chain of a task or artifact: who gave what to whom, when, and what the other said to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.protocol.errors import UnknownName
from slateboard.protocol.rights import Right

if TYPE_CHECKING:
    from slateboard.transaction import Statement

MOST_HOPS = 100

CHAIN = f"""
WITH RECURSIVE chain (id, hops) AS (
    SELECT t.id, 0 FROM tasks t WHERE t.board = $1 AND t.name = $2
    UNION ALL
    SELECT t.parent, c.hops + 1
    FROM chain c, LATERAL (SELECT t.parent FROM tasks t WHERE t.board = $1 AND t.id = c.id OFFSET 0) AS t
    WHERE t.parent IS NOT NULL AND c.hops < {MOST_HOPS}
)
SELECT t.name AS task, t.title, g.name AS agent, f.name AS delegator, t.created_by, t.created_at AS posted_at,
       e.name AS delegated_to, d.state, d.delegated_at, d.settled_at, d.reason,
       o.name AS owner, v.author, v.version, v.created_at AS completed_at
FROM chain c
JOIN tasks t ON t.board = $1 AND t.id = c.id
LEFT JOIN agents g ON g.board = $1 AND g.id = t.agent
LEFT JOIN agents f ON f.board = $1 AND f.id = t.delegator
LEFT JOIN delegations d ON d.board = $1 AND d.task = t.id
LEFT JOIN agents e ON e.board = $1 AND e.id = d.agent
LEFT JOIN artifacts a ON a.board = $1 AND a.task = t.id AND c.hops = 0 AND a.name = $3
LEFT JOIN agents o ON o.board = $1 AND o.id = a.owner
LEFT JOIN LATERAL (SELECT v.* FROM artifact_versions v WHERE v.board = $1 AND v.artifact = a.id
                   ORDER BY v.version DESC LIMIT 1) AS v ON true
ORDER BY c.hops DESC
"""

THERE = """
SELECT EXISTS (SELECT FROM artifacts a JOIN tasks t ON t.board = a.board AND t.id = a.task
               WHERE t.board = $1 AND t.name = $2 AND a.name = $3)
"""


async def accountability(tx: Statement, *, reference: str) -> list[dict[str, Any]]:
    """The hops from the root down to a task, or to `task/artifact`: who delegated what to whom, when, and its state.

    `state` is pending, acknowledged, declined (with its `reason`), unanswered, or null where nobody delegated. Of an
    artifact the last hop has its owner, and author and time of its newest version. Raises `UnknownName`.
    """
    tx.require(Right.READER)
    task, _, artifact = reference.partition("/")
    rows = await tx.fetch(CHAIN, tx.board, task, artifact)
    if not rows or (artifact and not await tx.fetchval(THERE, tx.board, task, artifact)):
        message = f"there is no {'artifact' if artifact else 'task'} {reference!r} on this board"
        raise UnknownName(message, remedy="see `slate tree`", reference=reference)
    return [dict(row) for row in rows]
