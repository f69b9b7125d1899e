"""The board at a glance: how much is in each place, who has what, what is wrong, and whether somebody leads.

Nothing here counts further than a stated limit, so that it costs about the same on a board with a million artifacts;
`at_least` names the counts that reached theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.protocol.pages import COUNT_LIMIT, MAX_PAGE
from slateboard.protocol.rights import Right
from slateboard.reports import listings, queries
from slateboard.reports.listings import READY_LIMIT

if TYPE_CHECKING:
    from slateboard.transaction import Statement

MAX_STUCK = 20
"""Stuck artifacts that are named; they are looked for among the first 20,000 gated ones."""
GATES_SEARCHED = 20_000
MAX_PAUSED = 20
"""Paused subscriptions that are named."""
MAX_OPEN = 20

# Circuit breakers that are not closed, the oldest first.
BREAKERS = """
SELECT a.name AS agent, CASE WHEN c.until <= now() THEN 'half_open' ELSE 'open' END AS state, c.reason, c.since, c.until
FROM circuit_breakers c JOIN agents a ON a.board = c.board AND a.id = c.agent
WHERE c.board = $1 ORDER BY c.since, c.agent LIMIT $2
"""

# Claims that were told of since they make no progress, and have made none since, the oldest first.
STALLED = """
SELECT l.item, w.reference, a.name AS agent, l.worker, coalesce(l.progressed_at, l.claimed_at) AS since
FROM leases l JOIN work_items w ON w.board = l.board AND w.id = l.item
JOIN agents a ON a.board = l.board AND a.id = l.agent
WHERE l.board = $1 AND l.stalled_at > coalesce(l.progressed_at, l.claimed_at) ORDER BY since, l.item LIMIT $2
"""

BOARD = """
SELECT b.id, b.name, b.prefix, b.archived_at,
       EXISTS (SELECT FROM pauses p WHERE p.board = b.id AND p.agent = 0) AS paused,
       EXISTS (SELECT FROM pauses p WHERE p.board = 0 AND p.agent = 0) AS everything_paused,
       coalesce((SELECT h.position FROM event_heads h WHERE h.board = b.id), 0) AS head
FROM boards b WHERE b.id = $1
"""

QUEUE = """
SELECT (SELECT count(*) FROM (SELECT FROM gates g LEFT JOIN waiting n USING (board, item)
                              WHERE g.board = $1 AND n.item IS NULL LIMIT $2) AS x) AS gated,
       (SELECT count(*) FROM (SELECT FROM waiting WHERE board = $1 LIMIT $2) AS x) AS waiting,
       (SELECT count(*) FROM (SELECT FROM scheduled WHERE board = $1 LIMIT $2) AS x) AS scheduled,
       (SELECT count(*) FROM (SELECT FROM ready WHERE board = $1 LIMIT $2) AS x) AS ready,
       (SELECT count(*) FROM (SELECT FROM leases WHERE board = $1 LIMIT $2) AS x) AS claimed,
       (SELECT count(*) FROM (SELECT FROM dead_letters WHERE board = $1 LIMIT $2) AS x) AS dead,
       (SELECT count(*) FROM (SELECT FROM event_outbox WHERE board = $1 LIMIT $2) AS x) AS outbox
"""

# The first so many items of the board: where they are fewer than the limit, the counts are exact.
FINISHED = """
SELECT count(*) AS items, count(*) FILTER (WHERE x.outcome = 'done') AS done,
       count(*) FILTER (WHERE x.outcome = 'cancelled') AS cancelled
FROM (SELECT outcome FROM work_items WHERE board = $1 LIMIT $2) AS x
"""

# Of the first so many gated items, what waits for something that ended without a result.
STUCK = f"""
SELECT w.reference, w.id AS item, h.number,
       ARRAY(SELECT b.reference
             FROM (SELECT d.blocker FROM dependencies d
                   WHERE d.board = $1 AND d.item = h.item AND d.counted OFFSET 0) AS d
             CROSS JOIN LATERAL (SELECT b.id, b.reference, b.outcome FROM work_items b
                                 WHERE b.board = $1 AND b.id = d.blocker OFFSET 0) AS b
             WHERE b.outcome IN ('dead', 'cancelled') ORDER BY b.id LIMIT 5) AS because_of
FROM (SELECT g.item, count(*) OVER () AS number
      FROM (SELECT * FROM gates WHERE board = $1 ORDER BY item LIMIT $2) AS g
      WHERE {queries.STUCK} ORDER BY g.item LIMIT $3) AS h
JOIN work_items w ON w.board = $1 AND w.id = h.item
ORDER BY h.item
"""

OPEN_INBOXES = """
SELECT o.capability,
       (SELECT count(*) FROM (SELECT FROM ready r WHERE r.board = o.board AND r.inbox = o.id LIMIT $2) AS x) AS ready
FROM open_inboxes o WHERE o.board = $1 ORDER BY o.capability LIMIT $3
"""

# Of at most 1,000 subscriptions.
PAUSED_SUBSCRIPTIONS = """
SELECT s.name, s.paused_because, s.paused_at, coalesce(h.position, 0) - s.cursor AS behind
FROM subscriptions s LEFT JOIN event_heads h ON h.board = s.board
WHERE s.board = $1 AND s.paused_at IS NOT NULL ORDER BY s.paused_at DESC, s.name LIMIT $2
"""

LEADER = "SELECT name, holder, expires_at, expires_at > now() AS alive FROM leaders ORDER BY name LIMIT 10"


async def status(tx: Statement) -> dict[str, Any]:
    """Counts by place, agent (`ready` to 10,000) and open inbox; pauses, leader, log, dead letters, what is stuck."""
    tx.require(Right.READER)
    board = await tx.fetchrow(BOARD, tx.board)
    queue = await tx.fetchrow(QUEUE, tx.board, COUNT_LIMIT)
    finished = await tx.fetchrow(FINISHED, tx.board, COUNT_LIMIT)
    stuck = await tx.fetch(STUCK, tx.board, GATES_SEARCHED, MAX_STUCK)
    agents = await listings.agents(tx, first=MAX_PAGE)
    places = {place: queue[place] for place in ("gated", "waiting", "scheduled", "ready", "claimed")}
    places |= {"done": finished["done"], "dead": queue["dead"], "cancelled": finished["cancelled"]}
    counts = {**places, "items": finished["items"], "outbox": queue["outbox"]}
    at_least = [name for name, number in counts.items() if number >= COUNT_LIMIT]
    if finished["items"] >= COUNT_LIMIT:
        at_least = sorted({*at_least, "done", "cancelled"})
    return {
        "board": board["name"],
        "prefix": board["prefix"],
        "archived_at": board["archived_at"],
        "paused": board["paused"],
        "everything_paused": board["everything_paused"],
        "items": finished["items"],
        "places": places,
        "at_least": at_least,
        "agents": [
            {name: row[name] for name in ("name", "kind", "ready", "claimed", "paused", "pause_reason")}
            | {"ready_at_least": row["ready"] >= READY_LIMIT}
            for row in agents.rows
        ],
        "open": [dict(row) for row in await tx.fetch(OPEN_INBOXES, tx.board, READY_LIMIT, MAX_PAGE)],
        "leader": [dict(row) for row in await tx.fetch(LEADER)],
        "log": {"head": board["head"], "outbox": queue["outbox"]},
        "dead_letters": queue["dead"],
        "breakers": [dict(row) for row in await tx.fetch(BREAKERS, tx.board, MAX_OPEN)],
        "stalled": [dict(row) for row in await tx.fetch(STALLED, tx.board, MAX_OPEN)],
        "paused_subscriptions": [dict(row) for row in await tx.fetch(PAUSED_SUBSCRIPTIONS, tx.board, MAX_PAUSED)],
        "stuck": {
            "number": stuck[0]["number"] if stuck else 0,
            "artifacts": [{name: row[name] for name in ("reference", "item", "because_of")} for row in stuck],
        },
    }
