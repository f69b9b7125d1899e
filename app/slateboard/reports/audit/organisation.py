"""What an audit tells of the organisation beside the lives of items: delegations, conversations, meetings, who took
hold of work that was not theirs, and what stood still or came too late.

Pure, a part of the fold: it takes the events of these one by one, in the order of the log. Where an event ends claims
or moves items, it says so to the fold. `organised` names the agents and tasks in its rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.reports.audit import held
from slateboard.reports.audit.conversations import Conversations, Room
from slateboard.reports.audit.delegated import Delegations
from slateboard.reports.past.fold import moment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from slateboard.reports.audit.fold import Fold

    Event = Mapping[str, Any]
    Payload = Mapping[str, Any]
    Row = dict[str, Any]

TALK = frozenset(("thread", "message", "consult", "request"))
NOUNS = frozenset(("task", "agent", "work")) | TALK | held.NOUNS
OF_ITEMS = frozenset(("moved", "pinned", "stalled", "overdue"))
"""What is told of items and belongs here."""
ENDED_MOVES = {"declined": "declined", "reassigned": "reassigned", "removed": "agent removed"}
"""What an event says of the moves right before it, by its verb: why they were."""
OVERRIDDEN = "overridden"
PLACED = frozenset(("ready", "scheduled"))


class Organisation:
    """What was read so far."""

    def __init__(self, fold: Fold) -> None:
        self.fold = fold
        self.room = Room()
        self.delegations = Delegations()
        self.conversations = Conversations(self.room)
        self.meetings = held.Meetings(self.room)
        self.control: list[Row] = []
        self.late: list[Row] = []

    def add(self, noun: str, verb: str, event: Event, payload: Payload) -> None:
        """Take the next event of one of `NOUNS`, or of an item one of `OF_ITEMS`."""
        if noun in TALK:
            self.conversations.add(noun, verb, event, payload)
        elif noun in held.NOUNS:
            self.meetings.add(event, payload)
            self._ended(event, payload)
        elif noun == "task":
            self.delegations.add(verb, event, payload)
            if verb in ENDED_MOVES:
                to = payload["agent"] if verb == "reassigned" else payload["to"]
                before = payload["before"] if verb == "reassigned" else payload["agent"]
                self._took(verb, event, payload, task=payload["reference"], agent=before, to=to)
        elif noun == "agent" and verb == "removed":
            self.delegations.removed(event, payload)
            self._took(verb, event, payload, agent=payload["agent"]["id"], to=payload["to"])
        elif verb == "moved":
            self._moved(event, payload)
        elif verb == "pinned":
            what = "unpinned" if payload["rating"] is None else "pinned"
            self._control(what, event, payload, items=(payload["item"],), rating=payload["rating"])
        elif verb in {"stalled", "overdue"}:
            self._late(verb, event, payload)
        elif noun == "work":
            pause = payload.get("pause", payload)
            everything = None if pause["agent"] else "everything" if pause["board"] == 0 else "the board"
            self._control(verb, event, pause, agent=pause["agent"] or None, scope=everything)

    def _control(self, what: str, event: Event, payload: Payload, **more: Any) -> Row:
        row: Row = {
            "position": event["position"], "happened_at": event["happened_at"], "correlation": event["correlation"],
            "what": what, "by": event["actor"], "reason": payload.get("reason") or None, "items": (), "task": None,
            "agent": None, "to": None, "rating": None, "scope": None, **more,
        }  # fmt: skip
        self.control.append(row)
        return row

    def _took(self, verb: str, event: Event, payload: Payload, **more: Any) -> None:
        """A task or all work of an agent went to another: with it the items that moved in the same change."""
        items: list[int] = []
        place = len(self.control)
        while place and _same_change(self.control[place - 1], event):
            place -= 1
            if self.control[place]["what"] == OVERRIDDEN:
                items += self.control.pop(place)["items"]
        self._control(ENDED_MOVES[verb], event, payload, items=tuple(sorted(items)), **more)

    def _moved(self, event: Event, payload: Payload) -> None:
        """Unfinished items went to another inbox; without more said of it, an operator's override."""
        to, ended = payload["inbox"], set(payload["ended"])
        for number in payload["items"]:
            item = self.fold.item(number)
            item.owner, item.capability = to, None
            self.fold.troubles.moved(number, to)
            if number in ended:
                self.fold.close(item, "cancelled", event, {"error": "handed over"})
            if number in ended or item.place in PLACED:
                item.stand(event["happened_at"])
        self._control(OVERRIDDEN, event, payload, items=tuple(payload["items"]), to=to)

    def _ended(self, event: Event, payload: Payload) -> None:
        """Duties of a meeting that ended; one of them with its claim."""
        claim: Payload = payload.get("claim", {})
        for number in payload.get("ended", ()):
            self.fold.troubles.done(number, event, claim if claim.get("item") == number else {})

    def _late(self, verb: str, event: Event, payload: Payload) -> None:
        since = payload.get("since") if verb == "stalled" else payload["due"]
        self.late.append({
            "position": event["position"], "happened_at": event["happened_at"], "correlation": event["correlation"],
            "item": payload["item"], "what": verb, "agent": payload["agent"], "worker": payload.get("worker"),
            "attempt": payload.get("attempt"), "since": moment(since),
        })  # fmt: skip


def _same_change(row: Row, event: Event) -> bool:
    """Whether a row tells of the change that an event tells of: one actor, one moment."""
    return (row["by"], row["happened_at"]) == (event["actor"], event["happened_at"])
