"""How the events of duties, and of what waits for them, change a board's folded state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.protocol.events import Subject
from slateboard.reports.past.fold import moment
from slateboard.reports.past.fold_queue import end, end_attempt, move, new_item

if TYPE_CHECKING:
    from datetime import datetime

    from slateboard.reports.past.fold import Entry, State
    from slateboard.reports.past.fold_queue import Handler


def _posted(state: State, payload: dict[str, Any], entry: Entry) -> None:
    item = payload["item"]
    known = {name: payload[name] for name in ("kind", "reference", "inbox")}
    new_item(state, {"id": item, **known, "base_rating": payload["rating"], "due": payload.get("due")}, entry)
    blockers = payload.get("blocked_by", ())
    for blocker in blockers:
        state.add_edge(blocker, item, by=entry.actor, at=entry.happened_at)
    move(state, item, "gated" if blockers else "ready")


def wait_on(state: State, item: int, entry: Entry, **waiting: Any) -> None:
    """An item gives its claim back, if it has one, and waits for a duty."""
    if item in state.tables["leases"]:
        row = state.tables["work_items"][item]
        row["run_at"] = None
        row["attempts"] = end_attempt(state, item, "blocked", waiting.pop("told"), entry.happened_at)["attempt"]
    state.add_edge(waiting["on_item"], item, by=entry.actor, at=entry.happened_at)
    state.put("waiting", {"item": item, "since": entry.happened_at, **waiting})
    move(state, item, "waiting")


def done(state: State, item: int, entry: Entry, told: dict[str, Any] | None = None) -> None:
    """A duty is done, by a claim or without one; what waited for it is told of next."""
    if item in state.tables["leases"]:
        lease = end_attempt(state, item, "completed", told or {}, entry.happened_at)
        if told is not None and "fence" in told:  # by the claim itself
            state.tables["work_items"][item].update(attempts=lease["attempt"], run_at=None)
    state.tables["dead_letters"].pop(item, None)
    end(state, item, "done", entry.happened_at)
    waiting = state.tables["waiting"]
    waiting.pop(item, None)
    for one in [one for one in state.dependents.get(item, ()) if one in waiting and waiting[one]["on_item"] == item]:
        del waiting[one]


def hand_over(state: State, item: int, entry: Entry, *, about: int | None, to: int, deadline: datetime | None) -> None:
    """A duty goes to another inbox, and begins anew there; what waits for it waits for the new owner."""
    waiting = state.tables["waiting"].get(about)
    if waiting is not None:
        waiting.update(owner=to, deadline=deadline)
    if item in state.tables["leases"]:
        end_attempt(state, item, "cancelled", {"error": "handed over"}, entry.happened_at)
    state.tables["dead_letters"].pop(item, None)
    state.tables["waiting"].pop(item, None)
    state.tables["work_items"][item].update(
        inbox=to, due=deadline, outcome=None, finished_at=None, failures=0, interruptions=0, run_at=None
    )
    move(state, item, "ready")


def _raised(state: State, payload: dict[str, Any], entry: Entry) -> None:
    row = payload["escalation"]
    state.put("escalations", row)
    if row["about"] is not None:
        wait_on(
            state, row["about"], entry, told=payload, owner=row["owner"], deadline=row["deadline"],
            on_item=row["item"], reason="question",
        )  # fmt: skip


def _moved(state: State, payload: dict[str, Any], entry: Entry) -> None:
    item, deadline = payload["item"], moment(payload["deadline"])
    row = state.tables["escalations"][item]
    row.update(owner=payload["owner"], level=payload["level"], deadline=deadline)
    hand_over(state, item, entry, about=row["about"], to=payload["owner"], deadline=deadline)


def _answered(state: State, payload: dict[str, Any], entry: Entry) -> None:
    row = state.tables["escalations"][payload["item"]]
    row.update(answer=payload["answer"], answered_by=payload["by"], answered_at=entry.happened_at)
    done(state, payload["item"], entry, payload)


DUTY_HANDLERS: dict[str, Handler] = {
    Subject.ITEM_POSTED.value: _posted,
    Subject.ESCALATION_RAISED.value: _raised,
    Subject.ESCALATION_MOVED.value: _moved,
    Subject.ESCALATION_ANSWERED.value: _answered,
}
