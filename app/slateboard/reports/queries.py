"""The fragments of SQL that the reports share: where an item is, and what holds it.

Hot tables are joined by (board, item), a page at a time; the page itself is picked first, along a key, so that no
listing reads more than it shows.
"""

from __future__ import annotations

# Joins of an item `w` to the narrow tables, of which an unfinished one stands in exactly one.
PLACES = """
LEFT JOIN leases l ON l.board = w.board AND l.item = w.id
LEFT JOIN ready r ON r.board = w.board AND r.item = w.id
LEFT JOIN scheduled s ON s.board = w.board AND s.item = w.id
LEFT JOIN gates g ON g.board = w.board AND g.item = w.id
"""

# After `PLACES`: the place of the item.
PLACE = """
CASE WHEN w.outcome IS NOT NULL THEN w.outcome WHEN l.item IS NOT NULL THEN 'claimed'
     WHEN r.item IS NOT NULL THEN 'ready' WHEN s.item IS NOT NULL THEN 'scheduled'
     WHEN g.item IS NOT NULL THEN CASE WHEN EXISTS (
         SELECT FROM waiting n WHERE n.board = w.board AND n.item = w.id) THEN 'waiting' ELSE 'gated' END END
"""

# After `PLACES` or another `g` of `gates`: what its gate counts besides an awaited event, a hold, and blockers that may
# still be finished (`{open}`, their number): above 0, something that ended without a result was not waived.
BEYOND = """
(g.remaining - {open}
 - EXISTS (SELECT FROM holds h WHERE h.board = g.board AND h.item = g.item)::int
 - EXISTS (SELECT FROM event_waits e WHERE e.board = g.board AND e.item = g.item AND e.ended_at IS NULL)::int)
"""

# After `PLACES`: whether a gated item waits for something dead or cancelled that was not waived. `OFFSET 0` keeps the
# look-ups what they are: as a join, and without statistics, the planner read all edges of the board for each item.
STUCK = f"""
(g.item IS NOT NULL AND coalesce((
    SELECT x.ended AND {BEYOND.format(open="x.open")} > 0
    FROM (SELECT bool_or(b.outcome IN ('dead', 'cancelled')) AS ended,
                 count(*) FILTER (WHERE b.outcome IS NULL) AS open
          FROM (SELECT d.blocker FROM dependencies d
                WHERE d.board = g.board AND d.item = g.item AND d.counted OFFSET 0) AS d
          CROSS JOIN LATERAL (SELECT b.outcome FROM work_items b
                              WHERE b.board = g.board AND b.id = d.blocker OFFSET 0) AS b OFFSET 0) AS x), false))
"""

# The places that are tables of their own, where few items are found without looking at all; each has the key
# (board, item).
ITEMS_IN_PLACE: dict[str, str] = {
    "gated": "SELECT g.board, g.item FROM gates g LEFT JOIN waiting n USING (board, item) WHERE n.item IS NULL",
    "waiting": "SELECT board, item FROM waiting",
    "scheduled": "SELECT board, item FROM scheduled",
    "ready": "SELECT board, item FROM ready",
    "claimed": "SELECT board, item FROM leases",
    "dead": "SELECT board, item FROM dead_letters",
}
ITEMS_IN_STATUS: dict[str, str] = {
    "waiting": "SELECT board, item FROM waiting WHERE reason <> 'review'",
    "in_review": "SELECT board, item FROM waiting WHERE reason = 'review'",
}
"""What the place alone does not tell: by status, the items that wait."""

# After `PLACES`: whether a verifier judges what the item made.
IN_REVIEW = """
CASE WHEN g.item IS NULL THEN false ELSE EXISTS (
    SELECT FROM waiting n WHERE n.board = w.board AND n.item = w.id AND n.reason = 'review') END
"""
UNFINISHED = " UNION ALL ".join(sql for place, sql in ITEMS_IN_PLACE.items() if place != "dead")
