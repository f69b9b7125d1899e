"""Why an item does not move: the path of what holds it, down to the root cause, and what would release it.

The blockers above an item are read by one recursive statement, however many there are; then the facts of the path
alone. Of several causes the one that cannot move by itself comes first, and of those the nearest. Nothing is kept: the
answer is what the board says now.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from slateboard.board import graph
from slateboard.protocol.errors import Invalid, UnknownName
from slateboard.protocol.names import split_reference
from slateboard.protocol.rights import Right
from slateboard.protocol.states import Place
from slateboard.reports import causes
from slateboard.work import gates

if TYPE_CHECKING:
    from collections.abc import Mapping

    from slateboard.transaction import Statement

MAX_EDGES = 100_000
MAX_ROOTS = 100
"""Root causes that are looked at."""
MAX_PATH = 200
"""Steps of a path that are shown."""

# The unfinished items above one, each with all its blockers, what its gate still counts, and how much of that is an
# event or a limit. Whatever blocks one of them and is not among them has ended.
UPSTREAM = """
WITH RECURSIVE upstream (item) AS (
    SELECT $2::bigint
    UNION
    SELECT b.id FROM upstream u
    CROSS JOIN LATERAL (SELECT d.blocker FROM dependencies d
                        WHERE d.board = $1 AND d.item = u.item AND d.counted OFFSET 0) AS d
    CROSS JOIN LATERAL (SELECT w.id FROM work_items w
                        WHERE w.board = $1 AND w.id = d.blocker AND w.outcome IS NULL OFFSET 0) AS b
)
SELECT u.item, g.remaining,
       EXISTS (SELECT FROM holds h WHERE h.board = $1 AND h.item = u.item)::int
       + EXISTS (SELECT FROM event_waits e
                 WHERE e.board = $1 AND e.item = u.item AND e.ended_at IS NULL)::int AS others,
       ARRAY(SELECT d.blocker FROM dependencies d
             WHERE d.board = $1 AND d.item = u.item AND d.counted ORDER BY d.blocker) AS blockers
FROM (SELECT item FROM upstream LIMIT $3) AS u
LEFT JOIN LATERAL (SELECT g.remaining FROM gates g WHERE g.board = $1 AND g.item = u.item OFFSET 0) AS g ON true
"""

# Those of these that ended without a result.
ENDED = """
SELECT w.id FROM unnest($2::bigint[]) AS i (id)
CROSS JOIN LATERAL (SELECT w.id FROM work_items w
                    WHERE w.board = $1 AND w.id = i.id AND w.outcome IN ('dead', 'cancelled') OFFSET 0) AS w
"""


async def why(tx: Statement, *, item: int | str) -> dict[str, Any]:
    """Why an item (its number, or an artifact's reference) does not move.

    Returns `{item, reference, place, moves, because, release, path, roots, more_roots, circle}`: `path` leads from the
    item to the root cause, each step `{item, reference, place, agent, because, owner, deadline, release, moves}`;
    `moves` says that it will go on by itself, `release` what would let it. Raises `UnknownName`.
    """
    tx.require(Right.READER)
    number = await _number(tx, item)
    rows = await tx.fetch(UPSTREAM, tx.board, number, MAX_EDGES)
    open_ = {row["item"] for row in rows}
    others = sorted({one for row in rows for one in row["blockers"]} - open_)
    ended = {row["id"] for row in await tx.fetch(ENDED, tx.board, others)} if others else set[int]()
    blockers = {row["item"]: _holding(row, open_, ended) for row in rows}
    before, roots = _search(blockers, number)
    circle = graph.find_cycle(blockers) if len(rows) > 1 else None
    found = await causes.of(tx, roots[:MAX_ROOTS] or [number])
    known = [one for one in roots[:MAX_ROOTS] or [number] if one in found]
    if not known:
        raise UnknownName(f"there is no work item {number}", remedy="see `slate work list`", item=number)
    root = min(known, key=lambda one: found[one]["moves"])  # the first of them is the nearest
    path = _path(before, root)
    shown = path if len(path) <= MAX_PATH else [*path[: MAX_PATH - 1], path[-1]]
    told = await causes.of(tx, shown)
    steps = [told[one] for one in shown]
    for step, blocker in zip(steps, shown[1:], strict=False):
        if step["place"] == Place.GATED:
            held = {"because": f"waits for {told[blocker]['reference']}", "release": None}
            step |= {**held, "moves": told[root]["moves"]}
    first = told[number]
    return {
        "item": number, "reference": first["reference"], "place": first["place"], "moves": told[root]["moves"],
        "because": told[root]["because"], "release": told[root]["release"], "path": steps,
        "roots": [found[one] for one in known], "more_roots": len(roots) > MAX_ROOTS, "circle": circle or [],
    }  # fmt: skip


def _holding(row: Any, open_: set[int], ended: set[int]) -> list[int]:
    """What holds an item: what ended without a result only where its gate still counts it, as nobody waived it."""
    holding = [one for one in row["blockers"] if one in open_]
    if (row["remaining"] or 0) > len(holding) + row["others"]:
        return [*(one for one in row["blockers"] if one in ended), *holding]
    return holding


def _search(blockers: Mapping[int, list[int]], start: int) -> tuple[dict[int, int], list[int]]:
    """From each item that holds `start`, the step back towards it; and the ends, the nearest first."""
    before: dict[int, int] = {start: start}
    roots: list[int] = []
    queue = deque([start])
    while queue:
        item = queue.popleft()
        above = blockers.get(item, [])
        if not above:
            roots.append(item)
        for one in above:
            if one not in before:
                before[one] = item
                queue.append(one)
    return before, roots


def _path(before: Mapping[int, int], root: int) -> list[int]:
    path = [root]
    while before[path[-1]] != path[-1]:
        path.append(before[path[-1]])
    return path[::-1]


async def _number(tx: Statement, item: int | str) -> int:
    if isinstance(item, int) or item.isdecimal():
        if len(str(item)) > 18:
            raise Invalid("that is no work item's number", remedy="see `slate work list`")
        return int(item)
    own = "/".join(split_reference(item))
    return (await gates.newest_items(tx, {own}))[own]
