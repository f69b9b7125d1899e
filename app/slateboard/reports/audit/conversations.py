"""What agents said to each other: threads with their messages, consults, open requests, and what was refused.

Pure, a part of the fold. A consult is a question: what was asked, by when, and the answer stand in the row of its
escalation, and here only who asked whom on which thread. So many signs of texts are kept as `Room` has; of those that
come after, the beginning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.reports.past.fold import moment

if TYPE_CHECKING:
    from collections.abc import Mapping

    Event = Mapping[str, Any]
    Payload = Mapping[str, Any]
    Row = dict[str, Any]

MOST_CHARACTERS = 20_000_000
"""Of all that was said on threads and in meetings, together: 64,000 characters for each of 300 long messages, say."""
BEGINNING = 500
"""Signs of a text that is kept where there is no room for the rest."""


class Room:
    """How many signs can still be kept; `cut` counts the texts of which only the beginning was."""

    def __init__(self, signs: int = MOST_CHARACTERS) -> None:
        self.left = signs
        self.cut = 0

    def keep(self, text: str | None) -> str | None:
        """The text, or its beginning."""
        if text is None:
            return None
        if len(text) > max(self.left, BEGINNING):
            self.cut += 1
            text = f"{text[: BEGINNING - 1]}…"
        self.left -= len(text)
        return text


class Conversations:
    """What was read so far; agents stand in the rows by number."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.threads: dict[int, Row] = {}
        self.consults: list[Row] = []
        self.requests: dict[int, Row] = {}
        self.refusals: list[Row] = []

    def add(self, noun: str, verb: str, event: Event, payload: Payload) -> None:
        """Take the next event of a thread, a message, a consult or an open request."""
        if noun == "thread":
            self._thread(verb, event, payload)
        elif noun == "message":
            self._said(event, payload["message"])
        elif noun == "request":
            self._request(verb, event, payload)
        elif verb == "asked":
            self.consults.append({**payload["consult"], **_at(event), "asked_at": event["happened_at"]})
        elif verb == "refused":
            told = {name: payload.get(name) for name in ("agent", "to", "because")}
            self.refusals.append({**_at(event), "happened_at": event["happened_at"], "by": event["actor"], **told})

    def _thread(self, verb: str, event: Event, payload: Payload) -> None:
        if verb == "opened":
            given = payload["thread"]
            row = self._known(given["id"], event)
            row.update(topic=given["topic"], correlation=given["correlation"], opened_by=given["opened_by"],
                       opened_at=moment(given["opened_at"]))  # fmt: skip
            row["members"].update(dict.fromkeys(payload["members"], 0))
        elif verb == "joined":
            self._known(payload["thread"], event)["members"].update(dict.fromkeys(payload["members"], 0))
        elif verb == "read":
            self._known(payload["thread"], event)["members"][payload["agent"]] = payload["read_to"]

    def _said(self, event: Event, given: Payload) -> None:
        self._known(given["thread"], event)["messages"].append({
            "position": event["position"], "message": given["id"], "kind": given["kind"], "said_by": given["said_by"],
            "said_at": event["happened_at"], "text": self.room.keep(given["text"]),
            "data": self.room.keep(given["data"]), "consult": given["consult"],
        })  # fmt: skip

    def _request(self, verb: str, event: Event, payload: Payload) -> None:
        if verb == "asked":
            given = payload["request"]
            times = {name: moment(given[name]) for name in ("deadline", "asked_at", "closed_at")}
            self.requests[given["id"]] = {**_at(event), **given, **times, "counted": 0}
        elif payload["request"] in self.requests:
            row = self.requests[payload["request"]]
            row.update(closed_at=moment(payload["closed_at"]), counted=payload["answers"])

    def _known(self, number: int, event: Event) -> Row:
        """The row of a thread; of one that was opened before the range only what is said from now on."""
        found = self.threads.get(number)
        if found is None:
            found = self.threads[number] = {
                **_at(event), "thread": number, "topic": None, "opened_by": None, "opened_at": None, "members": {},
                "messages": [],
            }  # fmt: skip
        return found


def _at(event: Event) -> Row:
    return {"position": event["position"], "correlation": event["correlation"]}
