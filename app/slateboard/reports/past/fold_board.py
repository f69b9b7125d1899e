"""How the events of the board itself change its folded state: boards, agents, pauses, tasks, decisions, stale marks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.protocol.events import Subject
from slateboard.protocol.states import Availability
from slateboard.protocol.work import DEFAULT_ON_NO_ACK
from slateboard.reports.past.fold import moment

if TYPE_CHECKING:
    from collections.abc import Callable

    from slateboard.reports.past.fold import Entry, State

    Handler = Callable[[State, dict[str, Any], Entry], None]

CHANGEABLE = ("title", "brief", "agent", "priority")


def _board_changed(state: State, payload: dict[str, Any], _entry: Entry) -> None:
    state.put("boards", payload["board"])


def _agent_told(state: State, payload: dict[str, Any], _entry: Entry) -> None:
    # Events from before agents had it do not tell of it.
    state.put("agents", {"availability": Availability.ALWAYS.value, **payload["agent"]})


def _paused(state: State, payload: dict[str, Any], _entry: Entry) -> None:
    """A pause of everything stands in the log of the board that it was asked from, and is no row of this board."""
    if payload["pause"]["board"] == state.board:
        state.put("pauses", payload["pause"])


def _resumed(state: State, payload: dict[str, Any], _entry: Entry) -> None:
    if payload["board"] == state.board:
        state.tables["pauses"].pop(payload["agent"], None)


def _task_posted(state: State, payload: dict[str, Any], entry: Entry) -> None:
    task = payload["task"]
    state.put("tasks", {**task, "created_by": entry.actor, "created_at": entry.happened_at})
    state.task_ids[task["name"]] = task["id"]
    if "on_no_ack" in task:  # else it is not delegated, or was posted before delegations were kept
        delegate(state, task["id"], entry, on_no_ack=task["on_no_ack"])


def delegate(state: State, task: int, entry: Entry, *, on_no_ack: str | None = None) -> None:
    """A task was given to its agent just now, by whoever delegates it; or it is nobody's, or its delegator's own."""
    row, given = state.tables["tasks"][task], state.tables["delegations"]
    before = given.pop(task, None)
    if row["agent"] is None or row["delegator"] in {None, row["agent"]}:
        return
    given[task] = {
        "task": task, "delegator": row["delegator"], "agent": row["agent"], "state": "pending",
        "on_no_ack": on_no_ack or (before["on_no_ack"] if before else DEFAULT_ON_NO_ACK),
        "delegated_at": entry.happened_at, "settled_at": None, "reason": None,
    }  # fmt: skip


def _task_changed(state: State, payload: dict[str, Any], entry: Entry) -> None:
    given = payload["task"]
    row = state.tables["tasks"][given["id"]]
    for name in CHANGEABLE:
        row[name] = given[name]
    row["due"] = moment(given["due"])
    if payload.get("delegated"):
        delegate(state, given["id"], entry)


def _staled(state: State, payload: dict[str, Any], entry: Entry) -> None:
    for one in payload["artifacts"]:
        row = state.tables["artifacts"][one["artifact"]]
        row["stale_at"], row["stale_because"] = entry.happened_at, one["because"]


def _decided(state: State, payload: dict[str, Any], _entry: Entry) -> None:
    state.put("decisions", payload["decision"])


def _superseded(state: State, payload: dict[str, Any], _entry: Entry) -> None:
    state.tables["decisions"][payload["decision"]]["status"] = "superseded"


BOARD_HANDLERS: dict[str, Handler] = {
    Subject.BOARD_CREATED.value: _board_changed,
    Subject.BOARD_ARCHIVED.value: _board_changed,
    Subject.BOARD_UNARCHIVED.value: _board_changed,
    Subject.AGENT_ADDED.value: _agent_told,
    Subject.AGENT_CHANGED.value: _agent_told,
    Subject.PAUSED.value: _paused,
    Subject.RESUMED.value: _resumed,
    Subject.TASK_POSTED.value: _task_posted,
    Subject.TASK_CHANGED.value: _task_changed,
    Subject.ARTIFACT_STALED.value: _staled,
    Subject.DECISION_MADE.value: _decided,
    Subject.DECISION_SUPERSEDED.value: _superseded,
}
