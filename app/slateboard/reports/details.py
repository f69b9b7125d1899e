"""Everything about one thing: a task, an artifact or a work item, with what it waits for and how it went so far."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from slateboard.patterns import steps
from slateboard.protocol.errors import UnknownName
from slateboard.protocol.names import split_reference
from slateboard.protocol.rights import Right
from slateboard.reports import history, listings
from slateboard.reports.artifacts import artifacts
from slateboard.reports.items import items

if TYPE_CHECKING:
    from slateboard.transaction import Statement

SHOWN = 20
"""Attempts, versions and decisions that are shown, the newest first."""
MAX_NEIGHBOURS = 100
"""Blockers, dependents and artifacts that are shown."""

NEIGHBOUR = ("reference", "status", "owner", "claimed_by", "stuck", "item")

OVERRULING = [f"board.{noun}.{verb}" for noun in ("item", "delivery") for verb in ("pinned", "moved")]

RULES = "SELECT rules::text FROM artifacts WHERE board = $1 AND id = $2"

# Pins and moves of one item, the newest first; they belong to the correlation of its work.
OVERRULED = """
WITH found AS MATERIALIZED (
    SELECT e.position, e.subject, e.payload, e.actor, e.happened_at
    FROM work_items w JOIN events e ON e.board = w.board AND e.correlation = w.correlation
    WHERE w.board = $1 AND w.id = $2 AND e.payload IS NOT NULL AND e.subject = ANY ($3::text[])
)
SELECT f.actor AS by, f.happened_at AS at, f.payload::jsonb ->> 'reason' AS reason,
       (f.payload::jsonb ->> 'rating')::int AS rating, f.payload::jsonb ? 'rating' AS pinned, a.name AS agent
FROM found f LEFT JOIN agents a ON a.board = $1 AND a.id = (f.payload::jsonb ->> 'inbox')::bigint
WHERE (f.payload::jsonb ->> 'item')::bigint = $2 OR f.payload::jsonb -> 'items' @> to_jsonb($2)
ORDER BY f.position DESC LIMIT $4
"""

CHECKPOINT = "SELECT data, note, kept_at FROM checkpoints WHERE board = $1 AND item = $2"


async def show(tx: Statement, *, name: str | int) -> dict[str, Any]:
    """A task by its name, an artifact by its reference, or a work item by its id: a dict whose `type` says which.

    A task comes with its artifacts, subtasks and decisions; an artifact with its rules, versions (the newest with its
    inline content), attempts, blockers, dependents, checkpoint and note; an item with its artifact. Both have
    `overruled`: who pinned or moved it, to what, and why, the newest first. Where not all is shown, `more_<name>` is
    true. Raises `UnknownName`.
    """
    tx.require(Right.READER)
    name = str(name)
    if "/" in name:
        return await _artifact(tx, "/".join(split_reference(name)))
    tasks = await listings.tasks(tx, names=[name])
    if tasks.rows:
        return await _task(tx, tasks.rows[0])
    if name.isdecimal() and len(name) < 19:
        found = await items(tx, ids=[int(name)])
        if found.rows:
            return await _item(tx, found.rows[0])
        raise UnknownName(f"there is no work item {name}", remedy="see `slate work list`", item=name)
    message = f"there is no task {name!r} on this board"
    raise UnknownName(message, remedy="see `slate get tasks`; an artifact is named task/artifact", task=name)


async def _task(tx: Statement, row: dict[str, Any]) -> dict[str, Any]:
    own = await artifacts(tx, task=row["name"], first=MAX_NEIGHBOURS)
    below = await listings.tasks(tx, parent=row["name"], first=MAX_NEIGHBOURS)
    decided = await listings.decisions(tx, task=row["name"], first=SHOWN)
    return {
        "type": "task",
        **row,
        "artifacts": own.rows,
        "more_artifacts": own.next is not None,
        "tasks": below.rows,
        "more_tasks": below.next is not None,
        "decisions": decided.rows,
        "more_decisions": decided.next is not None,
        **cut("compensations", await steps.list_compensations(tx, task=row["name"], limit=SHOWN + 1), SHOWN),
    }


async def _artifact(tx: Statement, reference: str) -> dict[str, Any]:
    row = (await artifacts(tx, references=[reference])).rows[0]
    key = [row["id"]]
    versions = await history.versions(tx, artifacts=key, last=SHOWN + 1)
    if versions and versions[0]["has_content"]:
        versions[0] = (await history.versions(tx, artifacts=key, last=1, content=True))[0]
    decided = await listings.decisions(tx, task=row["task"], first=SHOWN)
    rules = await tx.fetchval(RULES, tx.board, row["id"])
    return {
        "type": "artifact",
        **row,
        "rules": None if rules is None else json.loads(rules),
        **await _kept(tx, row["item"]),
        **await _overruled(tx, row["item"]),
        **cut("versions", versions, SHOWN),
        **cut("attempts_made", await history.attempts(tx, artifacts=key, last=SHOWN + 1), SHOWN),
        **await _neighbours(tx, row["id"]),
        "decisions": decided.rows,
        "more_decisions": decided.next is not None,
    }


def cut(name: str, rows: list[dict[str, Any]], most: int) -> dict[str, Any]:
    """The rows that are shown, and whether there are more."""
    return {name: rows[:most], f"more_{name}": len(rows) > most}


async def _item(tx: Statement, row: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "type": "item", **row, **await _kept(tx, row["id"]), **await _overruled(tx, row["id"]),
    }  # fmt: skip
    if row["artifact"] is not None:
        attempts = await history.attempts(tx, artifacts=[row["artifact"]], last=SHOWN + 1)
        answer |= cut("attempts_made", [one for one in attempts if one["item"] == row["id"]], SHOWN)
        answer |= await _neighbours(tx, row["artifact"])
    return answer


async def _kept(tx: Statement, item: int) -> dict[str, Any]:
    """What the attempt before left for the next one."""
    row = await tx.fetchrow(CHECKPOINT, tx.board, item)
    if row is None:
        return {"checkpoint": None, "note": None}
    return {"checkpoint": None if row["data"] is None else json.loads(row["data"]), "note": row["note"]}


async def _overruled(tx: Statement, item: int) -> dict[str, Any]:
    """Who decided otherwise about its rating or agent, and why."""
    found = await tx.fetch(OVERRULED, tx.board, item, OVERRULING, SHOWN + 1)
    return cut("overruled", [dict(row) for row in found], SHOWN)


async def _neighbours(tx: Statement, artifact: int) -> dict[str, Any]:
    """What blocks an artifact, and what it blocks, each with its status."""
    answer: dict[str, Any] = {}
    for name, dependents in (("blockers", False), ("dependents", True)):
        edges = await history.dependencies(tx, artifacts=[artifact], dependents=dependents, first=MAX_NEIGHBOURS + 1)
        ids = sorted({edge["id"] for edge in edges if edge["id"] is not None})
        rows = (await artifacts(tx, ids=ids, first=len(ids))).rows if ids else []
        answer |= cut(name, [{key: row[key] for key in NEIGHBOUR} for row in rows], MAX_NEIGHBOURS)
    return answer
