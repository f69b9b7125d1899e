"""A folded board as rows, in the words of the listings: what `slate get` shows, as it was.

Left out is what the log does not tell: ratings, progress, and when a lease would have run out.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from slateboard.protocol.states import PRIORITY_RATING, Place
from slateboard.reports.progress import progress, status_of, task_status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from slateboard.reports.past.fold import Row, State

PRIORITY_WORD = {rating: priority.value for priority, rating in PRIORITY_RATING.items()}
ITEM_FIELDS = (
    "id", "kind", "reference", "artifact", "revision", "due", "run_at", "attempts", "failures", "interruptions",
    "max_attempts", "last_error", "correlation", "created_at", "finished_at",
)  # fmt: skip
LEASE_FIELDS = ("worker", "fence", "claimed_at")
VERSION_FIELDS = ("version", "path", "uri", "hash", "size", "author", "summary")


def agents(state: State) -> list[Row]:
    """The agents, with how much each had ready and claimed."""
    pauses, items = state.tables["pauses"], state.tables["work_items"]
    ready: dict[int, int] = {}
    for number, row in state.tables["places"].items():
        if row["place"] == Place.READY:
            inbox = items[number]["inbox"]
            ready[inbox] = ready.get(inbox, 0) + 1
    claimed: dict[int, int] = {}
    for lease in state.tables["leases"].values():
        claimed[lease["agent"]] = claimed.get(lease["agent"], 0) + 1
    return [
        {
            **_picked(row, ("id", "name", "kind", "role", "capabilities", "created_at")),
            "manager": _name(state, "agents", row["manager"]),
            "right": row["grant"],
            "ready": ready.get(number, 0),
            "claimed": claimed.get(number, 0),
            "paused": number in pauses,
            "pause_reason": pauses[number]["reason"] if number in pauses else None,
        }
        for number, row in state.tables["agents"].items()
    ]


def tasks(state: State) -> list[Row]:
    """The tasks, each with the status and progress of everything below it."""
    rows = state.tables["tasks"]
    counts: dict[int, dict[str, int]] = {number: {} for number in rows}
    for artifact in state.tables["artifacts"].values():
        status = status_of(standing(state, artifact["newest_item"]))
        above: int | None = artifact["task"]
        while above is not None and above in rows:
            counts[above][status] = counts[above].get(status, 0) + 1
            above = rows[above]["parent"]
    return [
        {
            **row,
            "parent": _name(state, "tasks", row["parent"]),
            "agent": _name(state, "agents", row["agent"]),
            "delegator": _name(state, "agents", row["delegator"]),
            "status": task_status(counts[number]),
            "progress": {**progress(counts[number]), "capped": False},
        }
        for number, row in rows.items()
    ]


def artifacts(state: State, ids: Sequence[int] | None = None) -> Iterator[Row]:
    """The artifacts, or those of these ids, each with the state of its newest item and its newest version."""
    newest: dict[int, Row] = {}
    judged = state.tables["verifications"].values()
    unapproved = {(one["artifact"], one["version"]) for one in judged if one["verdict"] != "approved"}
    for key, version in state.tables["artifact_versions"].items():
        if key not in unapproved:
            newest[key[0]] = version
    known = state.tables["artifacts"]
    return (_artifact(state, known[number], newest.get(number)) for number in (known if ids is None else ids))


def standing(state: State, item: int) -> str:
    """The place of an item, or `in_review` where it waits for a verdict."""
    waiting = state.tables["waiting"].get(item)
    return "in_review" if waiting is not None and waiting["reason"] == "review" else _place(state, item)


def _artifact(state: State, row: Row, version: Row | None) -> Row:
    item = state.tables["work_items"][row["newest_item"]]
    task = state.tables["tasks"][row["task"]]["name"]
    blockers = {*state.blockers.get(row["id"], ()), *state.blockers.get(item["id"], ())}
    shown = _item(state, item)
    found = _picked(version or {}, VERSION_FIELDS)
    return {
        **_picked(row, ("id", "name", "title", "brief", "capability", "created_by", "created_at")),
        "reference": f"{task}/{row['name']}",
        "task": task,
        "task_id": row["task"],
        "owner": _name(state, "agents", row["owner"]),
        "item": item["id"],
        "status": status_of(standing(state, item["id"])),
        "priority": PRIORITY_WORD.get(item["base_rating"]),
        **found,
        "path": found["path"] or row["path"],
        "stale": row["stale_at"] is not None,
        "because": row["stale_because"],
        "blocked_by": [state.tables["work_items"][one]["reference"] for one in sorted(blockers)],
        **_picked(shown, ("place", "due", "run_at", "revision", "attempts", "failures", "last_error", "stuck",
                          "remaining", "claimed_by", "worker", "claimed_at")),
    }  # fmt: skip


def items(state: State) -> Iterator[Row]:
    """The work items, with where each stood and who held it."""
    return (_item(state, row) for row in state.tables["work_items"].values())


def item(state: State, number: int) -> Row:
    """One work item, by its id."""
    return _item(state, state.tables["work_items"][number])


def _item(state: State, row: Row) -> Row:
    number = row["id"]
    place = _place(state, number)
    gated = place == Place.GATED
    lease = state.tables["leases"].get(number)
    agent = _name(state, "agents", row["inbox"])
    artifact = state.tables["artifacts"].get(row["artifact"])
    remaining = state.remaining(number) if gated else 0
    return {
        **_picked(row, ITEM_FIELDS),
        "place": place,
        "agent": agent,
        "capability": artifact["capability"] if artifact and agent is None else None,
        "pinned": row["pinned_rating"],
        "remaining": remaining,
        "stuck": gated and _is_stuck(state, number, remaining),
        "claimed_by": _name(state, "agents", lease["agent"]) if lease else None,
        **_picked(lease or {}, LEASE_FIELDS),
    }


def _is_stuck(state: State, item: int, remaining: int) -> bool:
    """Whether it waits for something dead or cancelled, as `queries.STUCK` says it."""
    edges, known = state.tables["dependencies"], state.tables["work_items"]
    outcomes = [known[one]["outcome"] for one in state.blockers.get(item, ()) if edges[one, item]["counted"]]
    return not {"dead", "cancelled"}.isdisjoint(outcomes) and (
        remaining - (item in state.waiting) > outcomes.count(None)
    )


def decisions(state: State) -> list[Row]:
    """The decisions, the newest first."""
    rows = state.tables["decisions"]
    replaced = {row["supersedes"]: number for number, row in rows.items() if row["supersedes"] is not None}
    return [
        {
            **row,
            "task": _name(state, "tasks", row["task"]),
            "superseded_by": replaced.get(number) if row["status"] == "superseded" else None,
        }
        for number, row in reversed(rows.items())
    ]


def dead_letters(state: State) -> list[Row]:
    """The dead letters, the newest first."""
    known = state.tables["work_items"]
    rows = sorted(state.tables["dead_letters"].values(), key=lambda row: (row["died_at"], row["item"]), reverse=True)
    fields = ("reference", "kind", "artifact", "attempts", "failures", "interruptions", "correlation")
    return [
        {
            "id": row["item"],
            **_picked(known[row["item"]], fields),
            **_picked(row, ("class", "error", "died_at")),
            "agent": _name(state, "agents", row["agent"]),
            "owner": _name(state, "agents", known[row["item"]]["inbox"]),
        }
        for row in rows
    ]


def page(state: State, kind: str, where: dict[str, Any], begin: int, end: int) -> tuple[list[Row], int]:
    """The rows of a kind from one number to another, and how many there are; no more are made than are needed."""
    rows = KINDS[kind](state)
    if where:
        found = matching(rows, where)
        return found[begin:end], len(found)
    return list(islice(rows, begin, end)), len(state.tables["work_items" if kind == "items" else kind])


def matching(rows: Iterable[Row], where: dict[str, Any]) -> list[Row]:
    """The rows whose fields have these values; a list of values means any of them, a list in the row one of its own."""
    return [row for row in rows if all(_matches(row.get(name), value) for name, value in where.items())]


def _matches(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, (list, tuple)):
        return found in wanted
    return wanted in found if isinstance(found, list) else found == wanted


def _place(state: State, item: int) -> str:
    return state.tables["places"][item]["place"]


def _name(state: State, table: str, number: int | None) -> str | None:
    row = None if number is None else state.tables[table].get(number)
    return None if row is None else row["name"]


def _picked(row: Row, names: Iterable[str]) -> Row:
    return {name: row.get(name) for name in names}


KINDS: dict[str, Callable[[State], Iterable[Row]]] = {
    "agents": agents,
    "tasks": tasks,
    "artifacts": artifacts,
    "items": items,
    "decisions": decisions,
    "dead_letters": dead_letters,
}
"""What of a folded board can be asked for."""
