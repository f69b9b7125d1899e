"""How the events of compensations change a board's folded state: what undoes a step, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.protocol.events import Subject
from slateboard.reports.past.fold_duties import done
from slateboard.reports.past.fold_queue import end_attempt

if TYPE_CHECKING:
    from slateboard.reports.past.fold import Entry, State
    from slateboard.reports.past.fold_queue import Handler


def _declared(state: State, payload: dict[str, Any], _entry: Entry) -> None:
    state.put("compensation_rules", payload["rule"])


def _withdrawn(state: State, payload: dict[str, Any], _entry: Entry) -> None:
    del state.tables["compensation_rules"][payload["step"]]


def _posted(state: State, payload: dict[str, Any], _entry: Entry) -> None:
    state.put("compensations", payload["compensation"])


def _asked(state: State, payload: dict[str, Any], _entry: Entry) -> None:
    state.tables["compensations"][payload["item"]]["question"] = payload["question"]


def _ended(state: State, payload: dict[str, Any], entry: Entry) -> None:
    item, at = payload["item"], entry.happened_at
    state.tables["compensations"][item].update(outcome=entry.subject.rpartition(".")[2], ended_at=at)
    if item in state.tables["leases"]:
        attempt = end_attempt(state, item, "completed", payload, at)["attempt"]
        state.tables["work_items"][item].update(attempts=attempt, run_at=None)
    done(state, item, entry)


COMPENSATION_HANDLERS: dict[str, Handler] = {
    Subject.COMPENSATION_DECLARED.value: _declared,
    Subject.COMPENSATION_WITHDRAWN.value: _withdrawn,
    Subject.COMPENSATION_POSTED.value: _posted,
    Subject.COMPENSATION_ASKED.value: _asked,
    Subject.COMPENSATION_UNDONE.value: _ended,
    Subject.COMPENSATION_LEFT.value: _ended,
}
