"""How the events of routes, threads, messages, consults and open requests change a board's folded state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.protocol.events import Subject
from slateboard.reports.past.fold import moment

if TYPE_CHECKING:
    from slateboard.reports.past.fold import Entry, State
    from slateboard.reports.past.fold_queue import Handler


def _route(state: State, payload: dict[str, Any], _entry: Entry) -> None:
    state.put("routes", payload["route"])


def _route_removed(state: State, payload: dict[str, Any], _entry: Entry) -> None:
    del state.tables["routes"][payload["route"]]


def _opened(state: State, payload: dict[str, Any], entry: Entry) -> None:
    state.put("threads", payload["thread"])
    _join(state, payload["thread"]["id"], payload["members"], entry)


def _joined(state: State, payload: dict[str, Any], entry: Entry) -> None:
    _join(state, payload["thread"], payload["members"], entry)


def _join(state: State, thread: int, members: list[int], entry: Entry) -> None:
    for agent in members:
        row = {"thread": thread, "agent": agent, "read_to": 0, "joined_at": entry.happened_at}
        state.put("thread_members", row)


def _read(state: State, payload: dict[str, Any], _entry: Entry) -> None:
    state.tables["thread_members"][payload["thread"], payload["agent"]]["read_to"] = payload["read_to"]


def _said(state: State, payload: dict[str, Any], _entry: Entry) -> None:
    state.put("messages", payload["message"])


def _consulted(state: State, payload: dict[str, Any], _entry: Entry) -> None:
    state.put("consults", payload["consult"])


def _asked(state: State, payload: dict[str, Any], _entry: Entry) -> None:
    state.put("requests", payload["request"])


def _closed(state: State, payload: dict[str, Any], _entry: Entry) -> None:
    state.tables["requests"][payload["request"]]["closed_at"] = moment(payload["closed_at"])


PEER_HANDLERS: dict[str, Handler] = {
    Subject.ROUTE_ADDED.value: _route,
    Subject.ROUTE_CHANGED.value: _route,
    Subject.ROUTE_REMOVED.value: _route_removed,
    Subject.THREAD_OPENED.value: _opened,
    Subject.THREAD_JOINED.value: _joined,
    Subject.THREAD_READ.value: _read,
    Subject.MESSAGE_SAID.value: _said,
    Subject.CONSULT_ASKED.value: _consulted,
    Subject.REQUEST_ASKED.value: _asked,
    Subject.REQUEST_CLOSED.value: _closed,
}
