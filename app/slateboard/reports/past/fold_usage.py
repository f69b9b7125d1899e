"""How the events of usage, budgets, limits and what they hold change a board's folded state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.protocol.events import Subject
from slateboard.reports.past.fold import moment
from slateboard.reports.past.fold_queue import move

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


def _limited(state: State, payload: dict[str, Any], _entry: Entry) -> None:
    state.put("limits", payload["limit"])


def _unlimited(state: State, payload: dict[str, Any], _entry: Entry) -> None:
    state.tables["limits"].pop((payload["scope"], payload["name"]), None)


def _held(state: State, payload: dict[str, Any], entry: Entry) -> None:
    for item, reason, name in payload["items"]:
        state.put("holds", {"item": item, "reason": reason, "name": name, "since": entry.happened_at})
        state.waiting.add(item)
        move(state, item, "gated")


def _freed(state: State, payload: dict[str, Any], _entry: Entry) -> None:
    """What opens now is told next."""
    for item in payload["items"]:
        state.tables["holds"].pop(item, None)
        state.waiting.discard(item)


USAGE_HANDLERS: dict[str, Handler] = {
    Subject.ITEM_HELD.value: _held,
    Subject.ITEM_FREED.value: _freed,
    Subject.LIMIT_SET.value: _limited,
    Subject.LIMIT_REMOVED.value: _unlimited,
    Subject.USAGE_REPORTED.value: _reported,
    Subject.BUDGET_SET.value: _set,
    Subject.BUDGET_REMOVED.value: _removed,
    Subject.BUDGET_WARNED.value: _judged,
    Subject.BUDGET_EXHAUSTED.value: _judged,
}
