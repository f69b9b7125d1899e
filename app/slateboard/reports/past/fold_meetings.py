"""How the events of meetings change a board's folded state: each carries its rows, and the duties that ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.protocol.events import Subject
from slateboard.reports.past.fold_duties import done

if TYPE_CHECKING:
    from slateboard.reports.past.fold import Entry, State
    from slateboard.reports.past.fold_queue import Handler


def _told(state: State, payload: dict[str, Any], entry: Entry) -> None:
    for table, rows in payload["rows"].items():
        for row in rows:
            state.put(table, row)
    claim: dict[str, Any] = payload.get("claim", {})
    for item in payload.get("ended", ()):
        done(state, item, entry, claim if claim.get("item") == item else None)


MEETING_HANDLERS: dict[str, Handler] = {
    subject.value: _told
    for subject in Subject
    if subject.split(".")[1] in {"meeting", "agenda", "turn", "statement", "concern", "motion", "vote"}
}
