"""What always holds on a board, asked of the tables themselves, each question within a stated number of rows.

Every unfinished item is in exactly one place, every gate counts what it waits for, and whoever waits, waits for
somebody who can still act. A row that comes back breaks it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slateboard.transaction import Statement

LIMIT = 20_000
"""Rows of each table that are looked at: the first of the places and gates, the newest of the items."""
SHOWN = 5
"""Items that are named."""

_IN_PLACES = """
EXISTS (SELECT FROM leases y WHERE y.board = $1 AND y.item = x.item)::int
+ EXISTS (SELECT FROM ready y WHERE y.board = $1 AND y.item = x.item)::int
+ EXISTS (SELECT FROM scheduled y WHERE y.board = $1 AND y.item = x.item)::int
+ EXISTS (SELECT FROM gates y WHERE y.board = $1 AND y.item = x.item)::int
"""

_FIRST = "(SELECT item, '{table}' AS place FROM {table} WHERE board = $1 ORDER BY board, item LIMIT $2)"

# In two places; or in one though it is finished or not there at all: an orphan.
DOUBLED = f"""
SELECT x.item, CASE WHEN w.id IS NULL THEN 'in ' || x.place || ', and there is no such item'
                    WHEN w.outcome IS NOT NULL THEN 'in ' || x.place || ', and ' || w.outcome
                    ELSE 'in more than one place' END AS what
FROM ({" UNION ALL ".join(_FIRST.format(table=table) for table in ("leases", "ready", "scheduled", "gates"))}) AS x
LEFT JOIN LATERAL (SELECT w.id, w.outcome FROM work_items w WHERE w.board = $1 AND w.id = x.item OFFSET 0) AS w ON true
WHERE w.id IS NULL OR w.outcome IS NOT NULL OR {_IN_PLACES} > 1
ORDER BY x.item
"""

NOWHERE = f"""
SELECT x.item, 'unfinished, and in no place' AS what
FROM (SELECT w.id AS item, w.outcome FROM work_items w WHERE w.board = $1 ORDER BY w.id DESC LIMIT $2) AS x
WHERE x.outcome IS NULL AND {_IN_PLACES} = 0 ORDER BY x.item
"""

# What ended without a result is counted or was waived. A blocker that is done still counts while the rest of its
# fan-out is on its way.
MISCOUNTED = """
SELECT g.item, 'its gate counts ' || g.remaining || ', and ' || n.least || CASE WHEN n.most > n.least
       THEN ' to ' || n.most ELSE '' END || ' hold it' AS what
FROM (SELECT * FROM gates WHERE board = $1 ORDER BY board, item LIMIT $2) AS g
CROSS JOIN LATERAL (
    SELECT b.counting + h.other AS least, b.counting + b.ended + h.other AS most
    FROM (SELECT count(*) FILTER (WHERE b.outcome IS NULL OR b.outcome = 'done' AND d.item > u.after_item) AS counting,
                 count(*) FILTER (WHERE b.outcome IN ('dead', 'cancelled')) AS ended
          FROM (SELECT d.blocker, d.item FROM dependencies d
                WHERE d.board = $1 AND d.item = g.item AND d.counted OFFSET 0) AS d
          CROSS JOIN LATERAL (SELECT b.outcome FROM work_items b WHERE b.board = $1 AND b.id = d.blocker OFFSET 0) AS b
          LEFT JOIN LATERAL (SELECT u.after_item FROM unlocks u
                             WHERE u.board = $1 AND u.blocker = d.blocker OFFSET 0) AS u ON true OFFSET 0) AS b,
         (SELECT (SELECT count(*) FROM event_waits e
                  WHERE e.board = $1 AND e.item = g.item AND e.ended_at IS NULL)
                 + (SELECT count(*) FROM holds o WHERE o.board = $1 AND o.item = g.item) AS other) AS h OFFSET 0) AS n
WHERE g.remaining < greatest(1, n.least) OR g.remaining > n.most
ORDER BY g.item
"""

# A duty that died can still be answered; one that is done or cancelled lets nothing go on any more.
WAITING = """
SELECT x.item, CASE WHEN g.item IS NULL THEN 'said to wait, and behind no gate'
                    WHEN w.id IS NULL THEN 'waits for item ' || x.on_item || ', which is not there'
                    ELSE 'waits for item ' || x.on_item || ', which is ' || w.outcome END AS what
FROM (SELECT * FROM waiting WHERE board = $1 ORDER BY board, item LIMIT $2) AS x
LEFT JOIN LATERAL (SELECT g.item FROM gates g WHERE g.board = $1 AND g.item = x.item OFFSET 0) AS g ON true
LEFT JOIN LATERAL (SELECT w.id, w.outcome FROM work_items w WHERE w.board = $1 AND w.id = x.on_item OFFSET 0) AS w
    ON true
WHERE g.item IS NULL OR w.id IS NULL OR w.outcome IN ('done', 'cancelled')
ORDER BY x.item
"""

INVARIANTS: dict[str, tuple[str, ...]] = {"places": (DOUBLED, NOWHERE), "gates": (MISCOUNTED,), "waiting": (WAITING,)}


async def broken(tx: Statement, name: str) -> list[dict[str, Any]]:
    """The rows that break an invariant of the board: `{item, what}`, the lowest items first."""
    found: dict[int, dict[str, Any]] = {}
    for sql in INVARIANTS[name]:
        found |= {row["item"]: dict(row) for row in await tx.fetch(sql, tx.board, LIMIT)}
    return [found[item] for item in sorted(found)]
