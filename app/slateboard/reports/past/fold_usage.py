"""How the events of usage, budgets, limits and what they hold change a board's folded state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.protocol.events import Subject
from slateboard.reports.past.fold import moment

if TYPE_CHECKING:
    from slateboard.reports.past.fold import Entry, State
    from slateboard.reports.past.fold_queue import Handler


def _reported(state: State, payload: dict[str, Any], _entry: Entry) -> None:
    state.put("usage_ledger", payload["usage"])


def _set(state: State, payload: dict[str, Any], _entry: Entry) -> None:
    state.put("budgets", payload["budget"])


def _removed(state: State, payload: dict[str, Any], _entry: Entry) -> None:
    state.tables["budgets"].pop((payload["agent"], payload["task"]), None)


def _judged(state: State, payload: dict[str, Any], _entry: Entry) -> None:
    state.tables["budgets"][payload["agent"], payload["task"]].update(
        warned_at=moment(payload["warned_at"]), exhausted_at=moment(payload["exhausted_at"])
    )


USAGE_HANDLERS: dict[str, Handler] = {
    Subject.USAGE_REPORTED.value: _reported,
    Subject.BUDGET_SET.value: _set,
    Subject.BUDGET_REMOVED.value: _removed,
    Subject.BUDGET_WARNED.value: _judged,
    Subject.BUDGET_EXHAUSTED.value: _judged,
}
