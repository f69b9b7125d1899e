"""What would keep a claim of an agent from an item now, in words; read only, by the rules of a claim.

A pause, a budget, an open circuit breaker or a limit of the agent holds all of its items; the limit of a capability
those of one inbox; the budget of a task, a resource or a key one item. What ended claims have left is free, as for a
claim.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from slateboard.transaction import Statement

LIVE = "EXISTS (SELECT FROM leases e WHERE e.board = $1 AND e.item = s.item AND e.fence = s.fence)"

FULL = f"""
(floor(in_bucket(l, now())) < 1
 OR l.concurrency <= (SELECT count(*) FROM limit_slots s
                      WHERE s.board = l.board AND s.scope = l.scope AND s.name = l.name AND {LIVE}))
"""

# In the order in which a claim looks.
AGENT = f"""
SELECT (SELECT CASE WHEN p.board = 0 THEN 'everything' WHEN p.agent = 0 THEN 'the board' ELSE $3 END
               || ' is paused' || coalesce(': ' || p.reason, '')
        FROM pauses p WHERE (p.board, p.agent) IN ((0, 0), ($1, 0), ($1, $2))
        ORDER BY p.board, p.agent LIMIT 1) AS paused,
       (SELECT 'the budget of ' || CASE WHEN b.agent = 0 THEN 'the board' ELSE $3 END || ' is used up'
        FROM budgets b WHERE (b.board, b.agent, b.task) IN (($1, 0, 0), ($1, $2, 0)) AND b.exhausted_at IS NOT NULL
        ORDER BY b.agent LIMIT 1) AS used_up,
       (SELECT l.name FROM limits l
        WHERE l.board = $1 AND l.scope = 'agent' AND l.inbox = $2 AND {FULL} LIMIT 1) AS full,
       ARRAY(SELECT l.inbox FROM limits l WHERE l.board = $1 AND l.scope = 'capability' AND {FULL}) AS full_inboxes,
       c.agent IS NOT NULL AND c.until <= now() AND NOT c.probed AS probing,
       c.until > now() OR c.probed AS open, c.reason, c.until,
       (SELECT a.name FROM agents a WHERE a.board = $1 AND a.id = c.substitute) AS substitute
FROM (VALUES (1)) AS one
LEFT JOIN LATERAL (
    SELECT s.*, EXISTS (SELECT FROM leases e WHERE e.board = $1 AND e.item = s.probe_item AND e.fence = s.probe_fence)
                AS probed
    FROM circuit_breakers s WHERE s.board = $1 AND s.agent = $2 AND s.fallback <> 'proceed_with_warning' OFFSET 0
) AS c ON true
"""

# Of guarded items: the used up budget of a task above, who has a resource, the key whose limit is reached.
ITEMS = f"""
SELECT i.item, b.name AS task, r.resource, r.holder,
       CASE WHEN g.rules ? 'keys' THEN
           (SELECT l.name FROM limits l WHERE l.board = $1 AND l.scope = 'key' AND g.rules -> 'keys' ? l.name AND {FULL}
            ORDER BY l.name LIMIT 1) END AS key
FROM unnest($2::bigint[]) AS i (item),
LATERAL (SELECT a.task, a.rules FROM work_items w, artifacts a
         WHERE w.board = $1 AND w.id = i.item AND a.board = $1 AND a.id = w.artifact OFFSET 0) AS g
LEFT JOIN LATERAL (
    WITH RECURSIVE above (id) AS (
        SELECT g.task
        UNION
        SELECT t.parent FROM above b, LATERAL (SELECT t.parent FROM tasks t
                                               WHERE t.board = $1 AND t.id = b.id OFFSET 0) AS t
    )
    SELECT t.name FROM above b,
    LATERAL (SELECT FROM budgets x WHERE x.board = $1 AND x.agent = 0 AND x.task = b.id AND x.task > 0
                                     AND x.exhausted_at IS NOT NULL OFFSET 0) AS x,
    LATERAL (SELECT t.name FROM tasks t WHERE t.board = $1 AND t.id = b.id OFFSET 0) AS t
    LIMIT 1
) AS b ON true
LEFT JOIN LATERAL (
    SELECT s.prefix || CASE WHEN s.whole THEN '' ELSE '*' END AS resource,
           (SELECT w.reference FROM work_items w WHERE w.board = $1 AND w.id = s.item) AS holder
    FROM jsonb_array_elements_text(g.rules -> 'touches') AS wanted (glob),
    LATERAL glob_prefix(wanted.glob) AS p,
    LATERAL (SELECT s.* FROM touched s
             WHERE s.board = $1 AND s.item <> i.item AND {LIVE}
               AND CASE WHEN s.whole AND p.whole THEN s.prefix = p.prefix
                        WHEN s.whole THEN starts_with(s.prefix, p.prefix)
                        WHEN p.whole THEN starts_with(p.prefix, s.prefix)
                        ELSE starts_with(s.prefix, p.prefix) OR starts_with(p.prefix, s.prefix) END
             LIMIT 1) AS s
    LIMIT 1
) AS r ON true
"""


async def of(tx: Statement, *, agent: int, name: str, rows: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """By item, why a claim of this agent would not give it now; who may have all of these has none.

    The rows are in the order of a claim, each with its `item`, `inbox`, `guarded`, and the `reason` and `name` of what
    a claim has put it aside for.
    """
    found = await tx.fetchrow(AGENT, tx.board, agent, name)
    everything = _of_agent(found, name)
    if everything:
        return {row["item"]: everything for row in rows}
    held: dict[int, str] = {}
    if found["probing"]:
        text = f"the circuit breaker of {name} is half-open: one item goes first, and decides"
        held = {row["item"]: text for row in rows[1:]}
    full = set(found["full_inboxes"])
    held |= {
        row["item"]: f"the limit of capability {row['capability']} is reached" for row in rows if row["inbox"] in full
    }
    guarded = [row["item"] for row in rows if row["guarded"]]
    for row in await tx.fetch(ITEMS, tx.board, guarded) if guarded else ():
        text = _of_item(row)
        if text:
            held[row["item"]] = text
    for row in rows:
        if row["reason"] is not None:
            held.setdefault(row["item"], _aside(row["reason"], row["name"]))
    return held


def _of_agent(found: Any, name: str) -> str | None:
    """What holds all items of an agent."""
    if found["paused"] or found["used_up"]:
        return found["paused"] or found["used_up"]
    if found["open"]:
        stead = f"; {found['substitute']} stands in" if found["substitute"] else ""
        return f"the circuit breaker of {name} is open: {found['reason']}{stead}"
    return f"the limit of agent {name} is reached" if found["full"] else None


def _of_item(row: Any) -> str | None:
    """What holds one item."""
    if row["task"]:
        return f"the budget of the task {row['task']} is used up"
    if row["resource"]:
        return f"{row['holder']} has the resource {row['resource']}"
    return f"the limit of key {row['key']} is reached" if row["key"] else None


def _aside(reason: str, name: str) -> str:
    """What a claim has put an item aside for, where that is over: the leader frees it within a second or so."""
    what = {"budget": f"the budget of the task {name}", "resource": f"the resource {name}"}.get(
        reason, f"the limit of {name}"
    )
    return f"it was put aside for {what}, and is about to be ready again"
