"""The directory: who is there, what each can do, and how much it has in hand; to choose whom to give work to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.board.presence import LIVE_SECONDS
from slateboard.protocol.errors import Invalid
from slateboard.protocol.names import check_name
from slateboard.protocol.rights import Right

if TYPE_CHECKING:
    from slateboard.transaction import Statement

MOST_AGENTS = 500
MOST_COUNTED = 1_000
"""Ready items of one agent are counted so far and no further."""

# One probe for each agent of the page: where the planner knows little of a board, a join reads the whole queue.
FIND = f"""
WITH claimed AS (SELECT l.agent, count(*) AS number FROM leases l WHERE l.board = $1 GROUP BY l.agent)
SELECT a.name, a.kind, a.role, a.capabilities, a.availability, a.manager, a.accepts_from, a.ready, a.claimed,
       a.paused, a.breaker, a.live, a.worker, a.seen_at, a.worker_seen_at, a.live AND NOT a.paused
           AND a.breaker <> 'open' AS available
FROM (
    SELECT g.name, g.kind, g.role, g.capabilities, g.availability, m.name AS manager,
           CASE WHEN g.accepts_from IS NULL THEN NULL ELSE coalesce(
               (SELECT array_agg(f.name ORDER BY f.name) FROM agents f
                WHERE f.board = $1 AND f.id = ANY (g.accepts_from)), '{{}}') END AS accepts_from,
           r.number AS ready, coalesce(l.number, 0) AS claimed,
           EXISTS (SELECT FROM pauses p WHERE (p.board, p.agent) IN ((0, 0), ($1, 0), ($1, g.id))) AS paused,
           coalesce((SELECT c.state FROM circuit_breakers c WHERE c.board = $1 AND c.agent = g.id), 'closed')
               AS breaker,
           coalesce(n.worker_seen_at > now() - make_interval(secs => {LIVE_SECONDS}), false) AS live,
           n.worker, n.seen_at, n.worker_seen_at
    FROM (
        SELECT * FROM agents g
        WHERE g.board = $1 AND g.removed_at IS NULL AND ($2::text IS NULL OR $2 = ANY (g.capabilities))
        ORDER BY g.id LIMIT {MOST_AGENTS}
    ) AS g
    LEFT JOIN agents m ON m.board = g.board AND m.id = g.manager
    LEFT JOIN presence n ON n.board = g.board AND n.agent = g.id
    LEFT JOIN LATERAL (
        SELECT count(*) AS number
        FROM (SELECT FROM ready r WHERE r.board = $1 AND r.inbox = g.id LIMIT {MOST_COUNTED}) AS x OFFSET 0
    ) AS r ON true
    LEFT JOIN claimed l ON l.agent = g.id
) AS a
ORDER BY available DESC, a.ready + a.claimed, a.name LIMIT $3
"""


async def find_agents(
    tx: Statement, *, capability: str | None = None, available: bool = False, limit: int = 100
) -> list[dict[str, Any]]:
    """Agents, those who can begin at once first, the least laden first; with `available` only these.

    Available is who has a live worker, is not paused, and whose breaker is not open. `accepts_from` is null where
    anybody may delegate to it. Raises `Invalid` (a limit below 1 or above 500), `BadName`.
    """
    tx.require(Right.READER)
    if not 1 <= limit <= MOST_AGENTS:
        raise Invalid(f"a directory shows 1 to {MOST_AGENTS} agents", remedy="choose a number in that range")
    if capability is not None:
        check_name(capability, "capability")
    rows = await tx.fetch(FIND, tx.board, capability, MOST_AGENTS if available else limit)
    return [dict(row) for row in rows if row["available"] or not available][:limit]
