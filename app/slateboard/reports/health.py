"""The health of a board: what runs without progress, what is late, what is stale, and which agents are degraded.

Everything is asked of the tables as they are now, so it is the same whether the leader has told of it yet. Each list
has a limit, and so has what is searched; `more` names the lists that were cut.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from slateboard.protocol import durations
from slateboard.protocol.errors import Invalid
from slateboard.protocol.rights import Right
from slateboard.reports import queries
from slateboard.work.health import STALL_SECONDS

if TYPE_CHECKING:
    from slateboard.transaction import ReadTransaction

MAX_SHOWN = 1_000
SEARCHED = 20_000
"""Unfinished items among which what is due is searched."""
RECENT_ATTEMPTS = 5_000
"""Attempts at the newest items that are looked at for failures."""
RECENT = timedelta(hours=1)
FEWEST_ATTEMPTS = 5
FAILING_SHARE = 0.5

# What runs without progress; people have deadlines instead.
STALLED = """
SELECT l.item, w.reference, a.name AS agent, l.worker, l.fence, coalesce(l.progressed_at, l.claimed_at) AS since,
       l.percent, l.progress, l.expires_at
FROM leases l
JOIN agents a ON a.board = l.board AND a.id = l.agent AND a.kind <> 'human'
CROSS JOIN LATERAL (SELECT w.reference FROM work_items w WHERE w.board = l.board AND w.id = l.item OFFSET 0) AS w
WHERE l.board = $1 AND coalesce(l.progressed_at, l.claimed_at) <= $2::timestamptz - make_interval(secs => $3)
ORDER BY since, l.item LIMIT $4
"""

# Of the first so many unfinished items those that are late, or of whose time three quarters are over.
LATE = f"""
SELECT w.id AS item, w.reference, {queries.PLACE} AS place, w.due,
       coalesce(a.name, 'open (' || coalesce(nullif(o.capability, ''), 'anybody') || ')') AS owner
FROM (SELECT u.item FROM ({queries.UNFINISHED}) AS u WHERE u.board = $1 LIMIT $3) AS u
CROSS JOIN LATERAL (SELECT * FROM work_items w
                    WHERE w.board = $1 AND w.id = u.item AND w.outcome IS NULL AND w.due IS NOT NULL OFFSET 0) AS w
{queries.PLACES}
LEFT JOIN agents a ON a.board = w.board AND a.id = w.inbox
LEFT JOIN open_inboxes o ON o.board = w.board AND o.id = w.inbox
WHERE CASE WHEN $4 THEN w.due <= $2 ELSE w.due > $2 AND w.created_at + 0.75 * (w.due - w.created_at) <= $2 END
ORDER BY w.due, w.id LIMIT $5
"""

# What was made from something that has a newer version, or by a decision that was superseded.
STALE = """
SELECT t.name || '/' || p.name AS reference, o.name AS owner, p.stale_at AS since, p.stale_because AS because,
       w.outcome IS NULL AS revised
FROM artifacts p
JOIN tasks t ON t.board = p.board AND t.id = p.task
LEFT JOIN agents o ON o.board = p.board AND o.id = p.owner
CROSS JOIN LATERAL (SELECT w.outcome FROM work_items w WHERE w.board = p.board AND w.id = p.newest_item OFFSET 0) AS w
WHERE p.board = $1 AND p.stale_at IS NOT NULL ORDER BY p.id LIMIT $2
"""

BREAKERS = """
SELECT a.name AS agent, c.reason, c.since FROM circuit_breakers c JOIN agents a ON a.board = c.board AND a.id = c.agent
WHERE c.board = $1 ORDER BY c.since LIMIT $2
"""

# By agent, how the attempts at the newest items ended within an hour.
ENDED = """
SELECT a.name AS agent, count(*) AS ended, count(*) FILTER (WHERE r.outcome = 'failed') AS failed,
       min(r.ended_at) AS since
FROM (SELECT x.agent, x.outcome, x.ended_at FROM attempts x
      WHERE x.board = $1 AND x.ended_at >= date_trunc('month', $2::timestamptz) ORDER BY x.item DESC LIMIT $3) AS r
JOIN agents a ON a.board = $1 AND a.id = r.agent
WHERE r.ended_at > $2 AND r.outcome IN ('completed', 'failed') GROUP BY a.name ORDER BY a.name
"""

# Agents that hold nothing, with the time since when the first of what is ready for them could have been claimed.
SILENT = """
SELECT a.name AS agent, x.reference, x.since
FROM agents a
CROSS JOIN LATERAL (SELECT r.item FROM ready r WHERE r.board = a.board AND r.inbox = a.id
                    ORDER BY r.rank, r.item LIMIT 1) AS r
CROSS JOIN LATERAL (
    SELECT w.reference, greatest(
        w.created_at, w.run_at,
        (SELECT max(b.finished_at) FROM dependencies d JOIN work_items b ON b.board = d.board AND b.id = d.blocker
         WHERE d.board = a.board AND d.item = w.id),
        (SELECT max(t.ended_at) FROM attempts t WHERE t.board = a.board AND t.item = w.id)) AS since
    FROM work_items w WHERE w.board = a.board AND w.id = r.item OFFSET 0) AS x
WHERE a.board = $1 AND a.kind <> 'human' AND x.since <= $2
  AND NOT EXISTS (SELECT FROM leases l WHERE l.board = a.board AND l.agent = a.id)
  AND NOT EXISTS (SELECT FROM pauses p WHERE (p.board, p.agent) IN ((0, 0), (a.board, 0), (a.board, a.id)))
ORDER BY x.since LIMIT $3
"""


async def health(tx: ReadTransaction, *, limit: int = 100) -> dict[str, Any]:
    """What is not as it should be: `{stalled, overdue, due_soon, stale, degraded, more}`, each of at most `limit` rows.

    `stalled` runs and has made no progress for 5 min; `overdue` and `due_soon` are searched among 20,000 unfinished
    items; `stale` names owners; `degraded` are agents, each with `reasons` of `breaker`, `stalled`, `failing` (half of
    at least 5 attempts within an hour) and `silent` (holds nothing while work has waited for it for 5 min).
    """
    tx.require(Right.READER)
    if not 1 <= limit <= MAX_SHOWN:
        raise Invalid(f"the limit is between 1 and {MAX_SHOWN:,}", remedy="choose one in that range")
    found: dict[str, list[dict[str, Any]]] = {
        "stalled": await _rows(tx, STALLED, tx.now, STALL_SECONDS, limit + 1),
        "overdue": await _rows(tx, LATE, tx.now, SEARCHED, True, limit + 1),
        "due_soon": await _rows(tx, LATE, tx.now, SEARCHED, False, limit + 1),
        "stale": await _rows(tx, STALE, limit + 1),
        "degraded": await _degraded(tx, limit + 1),
    }
    more = [name for name, rows in found.items() if len(rows) > limit]
    return {name: rows[:limit] for name, rows in found.items()} | {"more": more}


async def _degraded(tx: ReadTransaction, limit: int) -> list[dict[str, Any]]:
    reasons: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def note(agent: str, reason: str, because: str, since: datetime) -> None:
        reasons[agent].append({"reason": reason, "because": because, "since": since})

    for row in await _rows(tx, BREAKERS, limit):
        note(row["agent"], "breaker", f"its circuit breaker is not closed: {row['reason']}", row["since"])
    for row in await _rows(tx, STALLED, tx.now, STALL_SECONDS, limit):
        length = durations.shown((tx.now - row["since"]).total_seconds())
        note(row["agent"], "stalled", f"{row['reference']} has made no progress for {length}", row["since"])
    for row in await _rows(tx, ENDED, tx.now - RECENT, RECENT_ATTEMPTS):
        if row["ended"] >= FEWEST_ATTEMPTS and row["failed"] >= FAILING_SHARE * row["ended"]:
            share = f"{row['failed']:,} of its last {row['ended']:,} attempts failed"
            note(row["agent"], "failing", share, row["since"])
    for row in await _rows(tx, SILENT, tx.now - timedelta(seconds=STALL_SECONDS), limit):
        length = durations.shown((tx.now - row["since"]).total_seconds())
        because = f"it holds nothing, and {row['reference']} has been ready for {length}"
        note(row["agent"], "silent", because, row["since"])
    return [{"agent": agent, "reasons": reasons[agent]} for agent in sorted(reasons)][:limit]


async def _rows(tx: ReadTransaction, sql: str, *arguments: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in await tx.fetch(sql, tx.board, *arguments)]
