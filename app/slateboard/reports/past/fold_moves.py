"""How moves of work, and the going of agents, change a board's folded state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.protocol.events import Subject
from slateboard.reports.past.fold_board import delegate
from slateboard.reports.past.fold_queue import end_attempt, stand

if TYPE_CHECKING:
    from collections.abc import Callable

    from slateboard.reports.past.fold import Entry, State

    Handler = Callable[[State, dict[str, Any], Entry], None]

OWNED = (
    ("escalations", "owner", "answered_at"),
    ("verifications", "verifier", "judged_at"),
    ("compensations", "inbox", "ended_at"),
)
"""Tables of what an item is about: the column that says by whom, and the one that is set when it is over."""


def _moved(state: State, payload: dict[str, Any], entry: Entry) -> None:
    moved, to = set(payload["items"]), payload["inbox"]
    for item in moved:
        row = state.tables["work_items"][item]
        row["inbox"] = to
        artifact = state.tables["artifacts"].get(row["artifact"])
        if artifact is not None and artifact["newest_item"] == item:
            artifact.update(owner=to, capability=None)
        for table, column, over in OWNED:
            about = state.tables[table].get(item)
            if about is not None and about[over] is None:
                about[column] = to
        if item in payload["ended"]:
            end_attempt(state, item, "cancelled", {"error": "handed over"}, entry.happened_at)
            stand(state, item, entry.happened_at)
        elif state.tables["places"][item]["place"] in {"ready", "scheduled"}:
            stand(state, item, entry.happened_at)
    for waiting in state.tables["waiting"].values():
        if waiting["on_item"] in moved:
            waiting["owner"] = to


def _removed(state: State, payload: dict[str, Any], entry: Entry) -> None:
    state.put("agents", payload["agent"])
    agents, tasks = state.tables["agents"], state.tables["tasks"]
    for one in payload["managed"]:
        agents[one]["manager"] = payload["agent"]["manager"]
    for one in payload["tasks"]:
        tasks[one]["agent"] = payload["to"]
    for one in payload["delegated"]:
        tasks[one]["delegator"] = payload["to"]
    for one in {*payload["tasks"], *payload["delegated"]}:
        delegate(state, one, entry)


def _settled(state: State, tasks: list[int], how: str, entry: Entry, reason: str | None = None) -> None:
    for task in tasks:
        state.tables["delegations"][task].update(state=how, settled_at=entry.happened_at, reason=reason)


def _acknowledged(state: State, payload: dict[str, Any], entry: Entry) -> None:
    _settled(state, payload["tasks"], "acknowledged", entry)


def _unanswered(state: State, payload: dict[str, Any], entry: Entry) -> None:
    _settled(state, [payload["task"]], "unanswered", entry)


def _declined(state: State, payload: dict[str, Any], entry: Entry) -> None:
    state.tables["tasks"][payload["task"]]["agent"] = payload["to"]
    _settled(state, [payload["task"]], "declined", entry, payload["reason"])


def _reassigned(state: State, payload: dict[str, Any], entry: Entry) -> None:
    state.tables["tasks"][payload["task"]]["agent"] = payload["agent"]
    delegate(state, payload["task"], entry)


MOVE_HANDLERS: dict[str, Handler] = {
    Subject.ITEM_MOVED.value: _moved,
    Subject.DELIVERY_MOVED.value: _moved,
    Subject.AGENT_REMOVED.value: _removed,
    Subject.TASK_ACKNOWLEDGED.value: _acknowledged,
    Subject.TASK_UNANSWERED.value: _unanswered,
    Subject.TASK_DECLINED.value: _declined,
    Subject.TASK_REASSIGNED.value: _reassigned,
}
