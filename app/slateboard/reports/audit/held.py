"""Meetings as the log tells of them: the rows of their tables, as each event left them.

Pure, a part of the fold. The events of a meeting carry whole rows, so the newest of each is what the live table has;
agents stand in them by number.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from slateboard.reports.past.fold import COLUMNS, TIMES_OF, key_of, moment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from slateboard.reports.audit.conversations import Room

    Event = Mapping[str, Any]
    Payload = Mapping[str, Any]
    Row = dict[str, Any]

NOUNS = frozenset(("meeting", "agenda", "turn", "statement", "concern", "motion", "vote"))
SAID = frozenset(("text", "rationale", "settled_because", "brief"))
"""Columns of what somebody said."""


@dataclass(slots=True)
class Meeting:
    """What was read of one meeting: its own row, and the others by table and key."""

    number: int
    position: int
    begins_at: datetime
    row: Row = field(default_factory=dict[str, Any])
    tables: dict[str, dict[Any, Row]] = field(default_factory=dict[str, dict[Any, dict[str, Any]]])
    correlations: set[str] = field(default_factory=set[str])

    def rows(self, table: str) -> list[Row]:
        """The rows of a table in the order of their keys."""
        return [row for _, row in sorted(self.tables.get(table, {}).items())]


class Meetings:
    """The meetings by number."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.known: dict[int, Meeting] = {}

    def add(self, event: Event, payload: Payload) -> None:
        """Take the rows of the next event of one of `NOUNS`."""
        number = payload["meeting"]
        found = self.known.get(number)
        if found is None:
            found = self.known[number] = Meeting(number, event["position"], event["happened_at"])
        if event["correlation"] is not None:
            found.correlations.add(event["correlation"])
        for table, rows in payload["rows"].items():
            for given in rows:
                row = {name: given.get(name) for name in COLUMNS[table]}
                for name in TIMES_OF[table]:
                    row[name] = moment(row[name])
                for name in SAID & row.keys():
                    row[name] = self.room.keep(row[name])
                if table == "meetings":
                    found.row = row
                else:
                    found.tables.setdefault(table, {})[key_of(table, row)] = row
