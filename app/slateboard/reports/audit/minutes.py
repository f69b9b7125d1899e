"""The minutes of a meeting out of the log: as the operation `minutes` has them of the live tables, with how long each
item of the agenda took, and what became of the tasks that came of it.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import groupby
from typing import TYPE_CHECKING, Any

from slateboard.reports.audit.artifacts import task_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from slateboard.reports.audit.held import Meeting
    from slateboard.reports.audit.life import Item
    from slateboard.reports.audit.report import Scope

    Row = dict[str, Any]

OF_MEETING = (
    "title", "state", "scheduled_by", "scheduled_at", "starts_at", "opened_at", "ends_at", "adjourned_at",
    "ended_because", "decision_required", "max_seconds", "quorum", "decision_model", "veto_roles", "moves", "source",
)  # fmt: skip
OF_ITEM = ("number", "title", "stage", "round", "outcome", "reason", "decision", "motion", "opened_at", "closed_at")
OF_SEAT = ("required", "seated", "present", "may_veto", "joined_at")
OF_STATEMENT = ("id", "round", "kind", "text", "said_at", "settled", "settled_by", "settled_because", "settled_at")
OF_TURN = ("round", "kind", "outcome", "ended_at")
OF_VOTE = ("choice", "rationale", "voted_at")


def concerns(scope: Scope, one: Meeting, below: set[str], agent: str | None) -> bool:
    """Whether a meeting is about these tasks (some of them came of it), or this agent was invited."""
    came = {row["task"] for row in one.rows("action_items")}
    came |= {name for name, row in scope.tasks.items() if row["source"] == f"meeting:{one.number}"}
    if below and not came & below:
        return False
    invited = {scope.agent(row["agent"]) for row in one.rows("meeting_seats")}
    return agent is None or agent in invited | {one.row.get("scheduled_by")}


def items_by_task(scope: Scope) -> dict[str, list[Item]]:
    """The items of each task that is an action item of a meeting."""
    wanted = {
        row["task"] for one in scope.read.fold.organisation.meetings.known.values() for row in one.rows("action_items")
    }
    found: dict[str, list[Item]] = defaultdict(list)
    for item in scope.read.fold.items.values() if wanted - {None} else ():
        task = task_of(item)
        if task is not None and task in wanted and not item.duty:
            found[task].append(item)
    return found


def of(scope: Scope, one: Meeting, by_task: Mapping[str, list[Item]]) -> Row:
    """The minutes of one meeting; what the range does not tell of is None."""
    row = one.row
    seats = sorted(one.rows("meeting_seats"), key=lambda seat: seat["position"])
    tables = {name: _by_number(one.rows(name)) for name in ("statements", "vote_changes", "meeting_turns")}
    agenda = [_item(scope, one, item, tables, by_task) for item in one.rows("agenda_items")]
    return {
        "meeting": one.number,
        "reference": f"meeting:{one.number}",
        "position": one.position,
        "begins_at": one.begins_at,
        **{name: row.get(name) for name in OF_MEETING},
        "chair": scope.agent(row.get("chair")),
        "seconds": seconds(row.get("opened_at"), row.get("adjourned_at")),
        "seats": [{"agent": scope.agent(seat["agent"]), **{name: seat[name] for name in OF_SEAT}} for seat in seats],
        "agenda": agenda,
    }


def _by_number(rows: Iterable[Row]) -> Mapping[int | None, list[Row]]:
    """Rows by the item of the agenda that they are about."""
    found: dict[int | None, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["number"]].append(row)
    return found


def _item(
    scope: Scope,
    one: Meeting,
    item: Row,
    tables: Mapping[str, Mapping[int | None, list[Row]]],
    by_task: Mapping[str, list[Item]],
) -> Row:
    """An item of the agenda, with what was said about it, the votes, and what came of it."""
    number = item["number"]
    motion = one.tables.get("motions", {}).get(item["motion"], {})
    statements = [_statement(scope, row) for row in tables["statements"].get(number, ())]
    votes = _votes(scope, tables["vote_changes"].get(number, ()))
    turns = tables["meeting_turns"].get(number, ())
    turns = [row for row in turns if row["kind"] != "join"]
    missed = [row for row in turns if row["outcome"] == "absent"]
    actions = sorted(
        (row for row in one.rows("action_items") if row["motion"] == item["motion"]), key=lambda row: row["position"]
    )
    approved = item["outcome"] == "approved"
    return {
        **{name: item[name] for name in OF_ITEM},
        "motion_text": motion.get("text"),
        "rationale": motion.get("rationale"),
        "proposed_by": scope.agent(motion.get("agent")),
        "seconds": seconds(item["opened_at"], item["closed_at"]),
        "turns": [{"agent": agent_name(scope, row["agent"]), **{name: row[name] for name in OF_TURN}} for row in turns],
        "statements": [said for said in statements if said["kind"] == "said"],
        "concerns": [said for said in statements if said["kind"] == "concern"],
        "votes": votes,
        "dissent": [vote for vote in votes if approved and vote["choice"] != "approve"],
        "actions": [_action(scope, row, by_task) for row in actions],
        "absent": sorted({agent_name(scope, row["agent"]) for row in missed}),
    }


def _statement(scope: Scope, row: Row) -> Row:
    return {"agent": scope.agent(row["agent"]), **{name: row[name] for name in OF_STATEMENT}}


def _votes(scope: Scope, changes: Iterable[Row]) -> list[Row]:
    """The last vote of each seat, with all of its votes in order."""
    named = sorted(
        ((agent_name(scope, row["agent"]), row) for row in changes), key=lambda one: (one[0], one[1]["change"])
    )
    found: list[Row] = []
    for agent, some in groupby(named, key=lambda one: one[0]):
        history = [{name: row[name] for name in OF_VOTE} for _, row in some]
        found.append({"agent": agent, **history[-1], "history": history})
    return found


def _action(scope: Scope, row: Row, by_task: Mapping[str, list[Item]]) -> Row:
    """With what became of its task: done with all its items, else the place of the first that is not."""
    items = by_task.get(row["task"], ()) if row["task"] else ()
    places = [item.place for item in items if item.place != "done"]
    told = {name: row[name] for name in ("title", "brief", "due_seconds", "task")}
    return {
        **told,
        "owner": scope.agent(row["owner"]),
        "place": (places[0] if places else "done") if items else None,
        "finished_at": max((item.finished_at for item in items if item.finished_at), default=None)
        if items and not places
        else None,
    }


def agent_name(scope: Scope, number: int) -> str:
    """The name of an agent, or its number where the board has none of that number."""
    return scope.agent(number) or f"agent {number}"


def seconds(begin: Any, end: Any) -> float | None:
    """Between two moments, to the millisecond; None where one of them is not known."""
    return None if begin is None or end is None else round((end - begin).total_seconds(), 3)
