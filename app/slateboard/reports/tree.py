"""The task tree with its roll-up: status, progress, cost and time of each task with everything below it.

Computed on read, in one recursive statement, and never kept in a row. The statement gives each task that is shown what
is its own, with what is below it and not shown; the sums up the tree are made here. At most 10,000 tasks are shown, and
100,000 artifacts read; an answer that reached a limit says so (`capped`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from slateboard.protocol.errors import Invalid, UnknownName
from slateboard.protocol.pages import COUNT_LIMIT
from slateboard.protocol.rights import Right
from slateboard.reports.progress import by_status, progress, status_of, task_status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slateboard.transaction import Statement

MAX_DEPTH = 32
MAX_TASKS = 10_000
MAX_LISTED = 5_000
"""Artifacts that are listed in one tree; all are counted."""
SUM_DIGITS = 9
"""After the point, of what is summed up: a sum says the same in whatever order it was made."""

# Each task, item and lease is looked up by itself (`OFFSET 0` keeps it so): as joins, and without statistics, the
# planner read the whole board for each task.
BELOW = """
    CROSS JOIN LATERAL (SELECT t.id FROM tasks t WHERE t.board = $1 AND t.parent = b.id OFFSET 0) AS t
"""
PLACED = """
    SELECT b.root, b.id AS task, a.name, a.id AS artifact, a.newest_item, a.owner, l.agent AS claimed_by, l.percent,
           a.stale_at IS NOT NULL AS stale,
           coalesce(w.outcome,
                    CASE WHEN l.agent IS NOT NULL THEN 'claimed' WHEN g.remaining IS NULL THEN 'ready'
                         ELSE coalesce((SELECT CASE n.reason WHEN 'review' THEN 'in_review' ELSE 'waiting' END
                                        FROM waiting n WHERE n.board = $1 AND n.item = a.newest_item), 'gated')
                    END) AS place
    FROM below b
    CROSS JOIN LATERAL (SELECT * FROM artifacts a WHERE a.board = $1 AND a.task = b.id OFFSET 0) AS a
    CROSS JOIN LATERAL (SELECT w.outcome FROM work_items w WHERE w.board = $1 AND w.id = a.newest_item OFFSET 0) AS w
    LEFT JOIN LATERAL (
        SELECT l.agent, l.percent FROM leases l WHERE l.board = $1 AND l.item = a.newest_item OFFSET 0
    ) AS l ON w.outcome IS NULL
    LEFT JOIN LATERAL (
        SELECT g.remaining FROM gates g WHERE g.board = $1 AND g.item = a.newest_item OFFSET 0
    ) AS g ON w.outcome IS NULL
    ORDER BY a.id LIMIT $3
"""

COUNTS = f"""
WITH RECURSIVE below (root, id, hops) AS (
    SELECT given, given, 0 FROM unnest($2::bigint[]) AS given
    UNION ALL
    SELECT b.root, t.id, b.hops + 1 FROM below b {BELOW}
    WHERE b.hops < {MAX_DEPTH}
),
placed AS ({PLACED})
SELECT root, place, count(*) AS number FROM placed GROUP BY root, place
"""

# A task is summed up to its `root`: itself where it is shown (above the level $5), else the last above it that is.
TREE = f"""
WITH RECURSIVE roots (id) AS (
    SELECT t.id FROM tasks t WHERE t.board = $1 AND t.name = $2
    UNION ALL
    SELECT t.id FROM tasks t WHERE $2::text IS NULL AND t.board = $1 AND t.parent IS NULL
),
below (root, id, parent, hops) AS (
    SELECT r.id, r.id, NULL::bigint, 0 FROM roots r
    UNION ALL
    SELECT CASE WHEN b.hops + 1 < $5 THEN t.id ELSE b.root END, t.id, b.id, b.hops + 1 FROM below b {BELOW}
    WHERE b.hops < {MAX_DEPTH}
),
placed AS ({PLACED}),
used AS (
    SELECT p.root,
           sum(CASE WHEN jsonb_typeof(t.usage -> 'cost') = 'number' THEN (t.usage -> 'cost')::numeric END)::float8
               AS cost,
           sum(extract(epoch FROM t.ended_at - t.started_at))::float8 AS seconds, count(*) AS attempts
    FROM (SELECT root, artifact AS item FROM placed
          UNION ALL SELECT root, newest_item FROM placed WHERE newest_item <> artifact) AS p
    CROSS JOIN LATERAL (SELECT * FROM attempts t WHERE t.board = $1 AND t.item = p.item OFFSET 0) AS t
    GROUP BY p.root
),
counted AS (
    SELECT c.root, json_object_agg(c.place, c.number)::text AS places
    FROM (SELECT p.root, p.place, count(*) AS number FROM placed p GROUP BY p.root, p.place) AS c GROUP BY c.root
),
own AS (
    SELECT p.task,
           json_agg(json_build_array(p.name, p.place, o.name, c.name, p.percent, p.stale) ORDER BY p.artifact)
               AS artifacts
    FROM placed p
    LEFT JOIN agents o ON o.board = $1 AND o.id = p.owner
    LEFT JOIN agents c ON c.board = $1 AND c.id = p.claimed_by
    WHERE p.task = p.root AND $6
    GROUP BY p.task
)
SELECT b.id, b.parent, b.hops, t.name, t.title, g.name AS agent, t.due, own.artifacts::text AS artifacts,
       counted.places, used.cost, used.seconds, used.attempts
FROM below b
CROSS JOIN LATERAL (SELECT * FROM tasks t WHERE t.board = $1 AND t.id = b.id OFFSET 0) AS t
LEFT JOIN agents g ON g.board = $1 AND g.id = t.agent
LEFT JOIN own ON own.task = b.id
LEFT JOIN counted ON counted.root = b.id
LEFT JOIN used ON used.root = b.id
WHERE b.id = b.root
ORDER BY b.hops, b.id LIMIT $4
"""


async def roll_up(tx: Statement, tasks: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Status and progress of tasks by id, each with everything below it: `{status, progress}`."""
    places: dict[int, dict[str, int]] = {task: {} for task in tasks}
    seen = 0
    for row in await tx.fetch(COUNTS, tx.board, list(tasks), COUNT_LIMIT):
        places[row["root"]][row["place"]] = row["number"]
        seen += row["number"]
    answers: dict[int, dict[str, Any]] = {}
    for task, found in places.items():
        counts = by_status(found)
        answers[task] = {
            "status": task_status(counts),
            "progress": {**progress(counts), "capped": seen >= COUNT_LIMIT},
        }
    return answers


async def tree(
    tx: Statement, *, task: str | None = None, depth: int = MAX_DEPTH, artifacts: bool = True
) -> dict[str, Any]:
    """The tree below a task (all of the board's trees without one): `{tasks: [node, …], capped}`.

    A node has `name`, `title`, `agent`, `due`, `status`, `progress`, `cost` (in what the attempts report), `seconds`
    (of all attempts), `attempts`, `artifacts` and `tasks`. Below `depth` levels nodes are summed up but not shown.
    Raises `UnknownName`.
    """
    tx.require(Right.READER)
    check_depth(depth)
    rows = await tx.fetch(TREE, tx.board, task, COUNT_LIMIT, MAX_TASKS + 1, depth, artifacts)
    if not rows and task is not None:
        raise UnknownName(f"there is no task {task!r} on this board", remedy="see `slate get tasks`", task=task)
    told: list[dict[str, Any]] = [
        {
            **row,
            "artifacts": json.loads(row["artifacts"]) if row["artifacts"] else [],
            "places": json.loads(row["places"]) if row["places"] else {},
        }
        for row in rows
    ]
    return assembled(told, depth=depth, artifacts=artifacts)


def check_depth(depth: int) -> None:
    """Refuse a depth that no tree is shown in."""
    if not 1 <= depth <= MAX_DEPTH:
        raise Invalid(
            f"a tree is shown 1 to {MAX_DEPTH} levels deep, not {depth}", remedy="choose a depth in that range"
        )


def assembled(rows: Sequence[dict[str, Any]], *, depth: int, artifacts: bool) -> dict[str, Any]:
    """The tree of tasks, given by level and id: each with its `parent`, `hops` and own `artifacts`, and what they used.

    An artifact is a list: name, place, owner, claimed by, percent, stale. `places` counts them by place, with those of
    tasks below that are not given.
    """
    nodes: dict[int, dict[str, Any]] = {}
    places: dict[int, dict[str, int]] = {}
    listed = given = 0
    for row in rows[:MAX_TASKS]:
        own: list[list[Any]] = row["artifacts"]
        places[row["id"]] = row["places"] if "places" in row else _count(own)
        shown = [_artifact(row["name"], one) for one in own[: MAX_LISTED - listed]] if artifacts else []
        listed, given = listed + len(shown), given + len(own)
        nodes[row["id"]] = {
            "name": row["name"],
            "title": row["title"],
            "agent": row["agent"],
            "due": row["due"],
            "cost": row["cost"] or 0.0,
            "seconds": row["seconds"] or 0.0,
            "attempts": row["attempts"] or 0,
            "artifacts": shown,
            "tasks": [],
        }
    total = sum(sum(found.values()) for found in places.values())
    _sum_up(rows[:MAX_TASKS], nodes, places, depth)
    roots = [nodes[row["id"]] for row in rows[:MAX_TASKS] if row["parent"] is None]
    capped = len(rows) > MAX_TASKS or total >= COUNT_LIMIT or (artifacts and listed < given)
    return {"tasks": roots, "capped": capped}


def _sum_up(
    rows: Sequence[Any], nodes: dict[int, dict[str, Any]], places: dict[int, dict[str, int]], depth: int
) -> None:
    """Add each node to the one above it, the deepest first, and hang it there unless it is too deep to be shown."""
    for row in reversed(rows):
        node = nodes[row["id"]]
        counts = by_status(places[row["id"]])
        node["status"] = task_status(counts)
        node["progress"] = progress(counts)
        parent = row["parent"]
        if parent is None:
            continue
        for place, number in places[row["id"]].items():
            places[parent][place] = places[parent].get(place, 0) + number
        for name in ("cost", "seconds", "attempts"):
            nodes[parent][name] = round(nodes[parent][name] + node[name], SUM_DIGITS)
        if row["hops"] < depth:
            nodes[parent]["tasks"].insert(0, node)


def _count(own: Sequence[Sequence[Any]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for one in own:
        counts[one[1]] = counts.get(one[1], 0) + 1
    return counts


def _artifact(task: str, one: Sequence[Any]) -> dict[str, Any]:
    name, place, owner, claimed_by, percent, stale = one
    return {
        "reference": f"{task}/{name}",
        "name": name,
        "status": status_of(place),
        "owner": owner,
        "claimed_by": claimed_by,
        "percent": percent,
        "stale": stale,
    }
