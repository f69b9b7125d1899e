"""How the events of circuit breakers change a board's folded state; those that are closed have no row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.protocol.events import Subject

if TYPE_CHECKING:
    from slateboard.reports.past.fold import Entry, State
    from slateboard.reports.past.fold_queue import Handler


def _put(state: State, payload: dict[str, Any], _entry: Entry) -> None:
    state.put("circuit_breakers", payload["breaker"])


def _closed(state: State, payload: dict[str, Any], _entry: Entry) -> None:
    del state.tables["circuit_breakers"][payload["breaker"]["agent"]]


def _set(state: State, payload: dict[str, Any], _entry: Entry) -> None:
    state.put("breaker_settings", payload["rules"])


def _unset(state: State, payload: dict[str, Any], _entry: Entry) -> None:
    del state.tables["breaker_settings"][payload["agent"]]


BREAKER_HANDLERS: dict[str, Handler] = {
    Subject.BREAKER_OPENED.value: _put,
    Subject.BREAKER_PROBED.value: _put,
    Subject.BREAKER_RETURNED.value: _put,
    Subject.BREAKER_REOPENED.value: _put,
    Subject.BREAKER_ESCALATED.value: _put,
    Subject.BREAKER_CLOSED.value: _closed,
    Subject.BREAKER_SET.value: _set,
    Subject.BREAKER_UNSET.value: _unset,
}
