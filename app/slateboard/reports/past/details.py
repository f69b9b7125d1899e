"""The tree and one thing in full, as they were: what `slate tree` and `slate show` show, made from a folded board.

The shapes are those of `tree` and `details`. What the log does not tell is None: ratings, progress within an attempt,
when a lease would have run out, checkpoints, and inline content.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from slateboard.protocol.errors import Invalid, UnknownName
from slateboard.protocol.names import split_reference
from slateboard.reports.details import MAX_NEIGHBOURS, NEIGHBOUR, SHOWN, cut
from slateboard.reports.past import listing
from slateboard.reports.tree import MAX_DEPTH, MAX_TASKS, assembled, check_depth

if TYPE_CHECKING:
    from collections.abc import Mapping

    from slateboard.reports.past.fold import Row, State

UNTOLD = dict.fromkeys(("rating", "percent", "progress", "expires_at", "stalled_since"))
LEFT = {"checkpoint": None, "note": None}
"""What an attempt leaves for the next one."""
TREE = frozenset(("task", "depth", "artifacts"))


def tree(state: State, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What `tree.tree` answers with these arguments (`task`, `depth`, `artifacts`)."""
    if not asked.keys() <= TREE:
        raise Invalid(f"a tree is asked for by {', '.join(sorted(TREE))}", remedy="leave the rest out")
    depth, task = asked.get("depth", MAX_DEPTH), asked.get("task")
    check_depth(depth)
    tasks = state.tables["tasks"]
    children: dict[int | None, list[int]] = {}
    for number, row in sorted(tasks.items()):
        children.setdefault(row["parent"], []).append(number)
    level = children.get(None, []) if task is None else [_task_id(state, task)]
    own, used = _own(state), _used(state)
    rows: list[Row] = []
    above: dict[int, int] = {}
    for hops in range(MAX_DEPTH + 1):
        for number in level:
            row = tasks[number]
            rows.append({
                "id": number, "parent": above.get(number), "hops": hops, "name": row["name"], "title": row["title"],
                "agent": _agent(state, row["agent"]), "due": row["due"], "artifacts": own.get(number, []),
                **used.get(number, {"cost": 0.0, "seconds": 0.0, "attempts": 0}),
            })  # fmt: skip
        above = {child: number for number in level for child in children.get(number, ())}
        level = sorted(above)
    return assembled(rows[: MAX_TASKS + 1], depth=depth, artifacts=asked.get("artifacts", True))


def _own(state: State) -> dict[int, list[list[Any]]]:
    """By task, its artifacts: name, place, owner, who had claimed it, no progress, whether it was stale."""
    leases = state.tables["leases"]
    own: dict[int, list[list[Any]]] = {}
    for _, row in sorted(state.tables["artifacts"].items()):
        item = row["newest_item"]
        by = leases[item]["agent"] if item in leases else None
        shown = [row["name"], listing.standing(state, item), _agent(state, row["owner"]), _agent(state, by), None]
        own.setdefault(row["task"], []).append([*shown, row["stale_at"] is not None])
    return own


def _used(state: State) -> dict[int, dict[str, Any]]:
    """By task, what the attempts at its artifacts cost: at the first item of each, and at the newest."""
    items, artifacts = state.tables["work_items"], state.tables["artifacts"]
    used: dict[int, dict[str, Any]] = {}
    for attempt in state.tables["attempts"].values():
        artifact = artifacts.get(items[attempt["item"]]["artifact"])
        if artifact is None or attempt["item"] not in {artifact["id"], artifact["newest_item"]}:
            continue
        sums = used.setdefault(artifact["task"], {"cost": Decimal(0), "seconds": timedelta(), "attempts": 0})
        usage: dict[str, Any] = attempt["usage"] or {}
        cost: Any = usage.get("cost")
        sums["cost"] += Decimal(str(cost)) if isinstance(cost, int | float) and not isinstance(cost, bool) else 0
        sums["seconds"] += attempt["ended_at"] - attempt["started_at"]
        sums["attempts"] += 1
    for sums in used.values():
        sums |= {"cost": float(sums["cost"]), "seconds": sums["seconds"].total_seconds()}
    return used


def show(state: State, name: str) -> dict[str, Any]:
    """What `details.show` answers: a task by its name, an artifact by its reference, or a work item by its id."""
    if "/" in name:
        return _artifact(state, "/".join(split_reference(name)))
    if name in state.task_ids:
        return _task(state, name)
    if name.isdecimal() and len(name) < 19 and int(name) in state.tables["work_items"]:
        return _item(state, int(name))
    raise _unknown(f"no task or work item {name!r}", name)


def _task(state: State, name: str) -> dict[str, Any]:
    number, tasks = state.task_ids[name], listing.tasks(state)
    ids = sorted(one for one, row in state.tables["artifacts"].items() if row["task"] == number)
    own = listing.artifacts(state, ids[: MAX_NEIGHBOURS + 1])
    return {
        "type": "task",
        **next(row for row in tasks if row["id"] == number),
        **cut("artifacts", [_whole(row) for row in own], MAX_NEIGHBOURS),
        **cut("tasks", [row for row in tasks if row["parent"] == name], MAX_NEIGHBOURS),
        **_decisions(state, name),
        **cut("compensations", _compensations(state, number), SHOWN),
    }


def _artifact(state: State, reference: str) -> dict[str, Any]:
    task, _, name = reference.partition("/")
    above = state.task_ids.get(task)
    known = state.tables["artifacts"]
    number = next((one for one, row in known.items() if (row["task"], row["name"]) == (above, name)), None)
    if number is None:
        raise _unknown(f"no artifact {reference!r}", reference)
    judged = state.tables["verifications"].values()
    reviews = {(one["artifact"], one["version"]): one["verdict"] or "pending" for one in judged}
    made = [
        {
            **version,
            "content": None,
            "has_content": None,
            "proven": version["hash"] is not None,
            "review": reviews.get((number, version["version"])),
        }
        for (artifact, _), version in state.tables["artifact_versions"].items()
        if artifact == number
    ]
    return {
        "type": "artifact",
        **_whole(next(listing.artifacts(state, [number]))),
        "rules": state.tables["artifacts"][number]["rules"],
        **LEFT,
        **_overruled(state, state.tables["artifacts"][number]["newest_item"]),
        **cut("versions", sorted(made, key=lambda one: -one["version"]), SHOWN),
        **cut("attempts_made", _attempts(state, number), SHOWN),
        **_neighbours(state, number),
        **_decisions(state, task),
    }


def _item(state: State, item: int) -> dict[str, Any]:
    row = listing.item(state, item)
    answer: dict[str, Any] = {"type": "item", **UNTOLD, **row, **LEFT, **_overruled(state, item)}
    if row["artifact"] is not None:
        attempts = _attempts(state, row["artifact"])[: SHOWN + 1]
        answer |= cut("attempts_made", [one for one in attempts if one["item"] == item], SHOWN)
        answer |= _neighbours(state, row["artifact"])
    return answer


def _overruled(state: State, item: int) -> dict[str, Any]:
    told = reversed(state.overruled.get(item, ()))
    return cut("overruled", [{**one, "agent": _agent(state, one["agent"])} for one in told], SHOWN)


def _attempts(state: State, artifact: int) -> list[Row]:
    """The attempts at an artifact, its revisions included, the newest first."""
    items = state.tables["work_items"]
    rows = [
        {
            "artifact": artifact,
            "reference": items[item]["reference"],
            **row,
            "agent": _agent(state, row["agent"]),
            "seconds": (row["ended_at"] - row["started_at"]).total_seconds(),
        }
        for (item, _), row in state.tables["attempts"].items()
        if items[item]["artifact"] == artifact
    ]
    return sorted(rows, key=lambda row: -row["fence"])


def _neighbours(state: State, artifact: int) -> dict[str, Any]:
    """What blocks an artifact, and what it blocks, each with its status."""
    items = {artifact, state.tables["artifacts"][artifact]["newest_item"]}
    answer: dict[str, Any] = {}
    for name, edges in (("blockers", state.blockers), ("dependents", state.dependents)):
        numbers = {other for item in items for other in edges.get(item, ())}
        ids = {state.tables["work_items"][other]["artifact"] for other in numbers} - {None}
        rows = listing.artifacts(state, sorted(ids)[: MAX_NEIGHBOURS + 1])
        answer |= cut(name, [{key: row[key] for key in NEIGHBOUR} for row in rows], MAX_NEIGHBOURS)
    return answer


def _decisions(state: State, task: str) -> dict[str, Any]:
    return cut("decisions", listing.matching(listing.decisions(state), {"task": task})[: SHOWN + 1], SHOWN)


def _compensations(state: State, task: int) -> list[Row]:
    """What became of the steps of a task, the newest first."""
    names = {"dead": "failed", "cancelled": "given up"}
    rows = [row for row in state.tables["compensations"].values() if row["task"] == task]
    answer: list[Row] = []
    for row in sorted(rows, key=lambda one: (-one["posted_at"].timestamp(), one["item"]))[: SHOWN + 1]:
        place = state.tables["places"][row["item"]]["place"]
        answer.append({
            **{name: row[name] for name in ("item", "reference", "version", "action")},
            "agent": state.tables["agents"].get(row["inbox"], {}).get("name"),
            **{name: row[name] for name in ("because", "posted_at", "ended_at", "question")},
            "state": row["outcome"] or names.get(place, place),
            "error": state.tables["work_items"][row["item"]]["last_error"],
        })  # fmt: skip
    return answer


def _whole(row: Row) -> Row:
    """The row of an artifact with what no event tells of as None."""
    return {**UNTOLD, "updated_at": None, **row}


def _agent(state: State, number: int | None) -> str | None:
    row = None if number is None else state.tables["agents"].get(number)
    return None if row is None else row["name"]


def _task_id(state: State, name: str) -> int:
    if name not in state.task_ids:
        raise _unknown(f"no task {name!r}", name)
    return state.task_ids[name]


def _unknown(what: str, name: str) -> UnknownName:
    message = f"there was {what} on this board then"
    return UnknownName(message, remedy="see `slate get tasks --as-of`, or ask for a later position", name=name)
