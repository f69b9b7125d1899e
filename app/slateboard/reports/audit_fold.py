"""The fold of the log into what an audit tells: the life of each item, its attempts and versions, and what went wrong.

Pure: it takes events one by one, in the order of the log, and keeps only what the report needs. An event says where its
item was until then (what is claimed was ready, what is opened was gated), so the time in each place is right also for
an item that was posted before the first event that is read.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from slateboard.protocol.states import Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

PLACES = tuple(place.value for place in Place if place not in {Place.DONE, Place.CANCELLED})
"""The places whose time is counted; the others are ends."""
ENDS = {Place.DONE.value, Place.CANCELLED.value}
HANDLE = "handle"
GONE_WRONG = {"failed", "died", "interrupted", "cancelled", "discarded"}

Payload = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One claim from start to end; `outcome` is `running` while it has not ended."""

    item: int
    fence: int
    attempt: int
    agent: str
    worker: str
    started_at: datetime
    ended_at: datetime | None = None
    outcome: str = "running"
    failure_class: str | None = None
    error: str | None = None
    note: str | None = None
    usage: Any = None


@dataclass(slots=True, kw_only=True)
class Incident:
    """Something that went wrong with an item, or that ended it early, and what was done about it (`then`)."""

    position: int
    happened_at: datetime
    item: int
    what: str
    by: str
    failure_class: str | None
    error: str | None
    note: str | None
    run_at: str | None
    then: str | None = None


@dataclass(slots=True, kw_only=True)
class Item:
    """The life of one work item, as far as it was read."""

    number: int
    entered_at: datetime
    reference: str | None = None
    kind: str = "produce"
    artifact: int | None = None
    revision: int = 0
    owner: int | None = None
    agent: str | None = None
    capability: str | None = None
    title: str | None = None
    path: str | None = None
    posted_by: str | None = None
    posted_at: datetime | None = None
    correlation: str | None = None
    place: str = "ready"
    seconds: dict[str, float] = field(default_factory=dict)
    blockers: tuple[int, ...] = ()
    ready_at: datetime | None = None
    claimed_at: datetime | None = None
    finished_at: datetime | None = None
    attempts: list[Attempt] = field(default_factory=list)
    versions: list[Payload] = field(default_factory=list)
    open_incident: Incident | None = None

    def move(self, place: str, at: datetime, *, from_place: str | None = None) -> None:
        """Leave a place (the one that the event implies, if it does) for another, and count the time spent in it."""
        left = from_place or self.place
        if left not in ENDS:
            spent = max(0.0, (at - self.entered_at).total_seconds())
            self.seconds[left] = self.seconds.get(left, 0.0) + spent
        self.place = place
        self.entered_at = max(at, self.entered_at)
        if place == "ready":
            self.ready_at = at
        self.finished_at = at if place in ENDS else None

    def block(self, on: Iterable[int]) -> None:
        """Note what it waits for, besides what it waited for before."""
        self.blockers = tuple(dict.fromkeys((*self.blockers, *on)))

    @property
    def running(self) -> Attempt | None:
        """The attempt that has not ended."""
        return self.attempts[-1] if self.attempts and self.attempts[-1].ended_at is None else None


class Fold:
    """What was read so far. `begins_at` is the begin of the range: where items that were there before enter it."""

    def __init__(self, begins_at: datetime) -> None:
        self.begins_at = begins_at
        self.items: dict[int, Item] = {}
        self.first_of: dict[int, int] = {}
        self.decisions: dict[int, Payload] = {}
        self.superseded: dict[int, datetime] = {}
        self.incidents: list[Incident] = []
        self.published: list[Payload] = []
        self.tasks: dict[str, Payload] = {}
        self.subjects: Counter[str] = Counter()
        self.correlated: dict[str, set[int]] = {}
        self.erased = 0

    def add(self, event: Mapping[str, Any], payload: Payload | None) -> None:
        """Take the next event; `payload` is None where it was erased."""
        subject: str = event["subject"]
        self.subjects[subject] += 1
        if payload is None:
            self.erased += 1
            return
        if not subject.startswith("board."):
            self.published.append(
                {
                    "position": event["position"],
                    "subject": subject,
                    "actor": event["actor"],
                    "correlation": event["correlation"],
                    "happened_at": event["happened_at"],
                }
            )
            return
        _, noun, verb = subject.split(".", 2)
        if noun in {"item", "artifact", "delivery"}:
            self._of_work(noun, verb, event, payload)
        elif noun == "dependency":
            self._depended(event, payload)
        elif noun == "task" and verb == "posted":
            self.tasks[payload["reference"]] = {
                "correlation": event["correlation"],
                "asked_by": event["actor"],
                "asked_at": event["happened_at"],
            }
        elif noun == "decision":
            self._decided(verb, event, payload)

    def end(self, at: datetime) -> None:
        """Count the time in the last place up to the end of the range."""
        for item in self.items.values():
            item.move(item.place, at) if item.place not in ENDS else None

    def item(self, number: int) -> Item:
        """The item of that number; one that is not known was there before the range."""
        found = self.items.get(number)
        if found is None:
            found = self.items[number] = Item(number=number, entered_at=self.begins_at)
        return found

    def _of_work(self, noun: str, verb: str, event: Mapping[str, Any], payload: Payload) -> None:
        at: datetime = event["happened_at"]
        if verb == "claimed":
            self._claimed(event, payload)
        elif verb in {"opened", "promoted", "repaired"}:
            before = "scheduled" if verb == "promoted" else "gated"
            for number in payload["items"]:
                self.item(number).move("ready", at, from_place=before)
        elif noun == "artifact" and verb == "imported":
            self._imported(event, payload)
        elif verb in {"changed", "staled", "pinned", "waived"}:
            return
        elif "item" in payload or noun == "artifact":
            item = self._touched(noun, event, payload)
            if verb in {"posted", "revised", "created", "routed", "entered"}:
                self._posted(item, event, payload)
            else:
                self._ended(item, verb, event, payload)

    def _touched(self, noun: str, event: Mapping[str, Any], payload: Payload) -> Item:
        number = payload.get("item", payload.get("artifact"))
        assert isinstance(number, int)
        item = self.items.get(number)
        if item is None:
            item = self.item(number)
        item.reference = payload.get("reference", item.reference)
        item.correlation = item.correlation or event["correlation"]
        if noun == "delivery":
            item.kind = HANDLE
        elif "artifact" in payload:
            item.artifact = payload["artifact"]
        if event["correlation"]:
            self.correlated.setdefault(event["correlation"], set()).add(number)
        return item

    def _posted(self, item: Item, event: Mapping[str, Any], payload: Payload) -> None:
        at: datetime = event["happened_at"]
        item.posted_at = item.entered_at = at
        item.posted_by = event["actor"]
        item.owner = payload.get("owner", payload.get("agent"))
        item.capability = payload.get("capability")
        item.title = payload.get("title")
        item.path = payload.get("path")
        item.revision = payload.get("revision", 0)
        item.block(payload.get("blocked_by", ()))
        item.seconds.clear()
        if payload.get("place"):
            item.place = payload["place"]
        elif any(not self._is_done(blocker) for blocker in item.blockers):
            item.place = "gated"
        else:
            item.place = "scheduled" if payload.get("run_at") else "ready"
        item.ready_at = at if item.place == "ready" else None

    def _is_done(self, number: int) -> bool:
        found = self.items.get(number)
        return found is not None and found.place == "done"

    def _claimed(self, event: Mapping[str, Any], payload: Payload) -> None:
        at: datetime = event["happened_at"]
        for number, fence, attempt in payload["items"]:
            item = self.item(number)
            item.move("claimed", at, from_place="ready")
            item.claimed_at = at
            if item.open_incident:
                item.open_incident.then = f"tried again by {event['actor']} (attempt {attempt})"
                item.open_incident = None
            item.attempts.append(
                Attempt(
                    item=number,
                    fence=fence,
                    attempt=attempt,
                    agent=event["actor"],
                    worker=payload["worker"],
                    started_at=at,
                )
            )

    def _ended(self, item: Item, verb: str, event: Mapping[str, Any], payload: Payload) -> None:
        """The end of an attempt, or what somebody decided about an item."""
        at: datetime = event["happened_at"]
        if verb == "returned":
            item.move("ready", at, from_place="claimed")
            if item.running:
                item.attempts.pop()
            return
        if verb in {"redriven", "discarded"}:
            self._settle(item, f"{verb} by {event['actor']}")
            item.move("ready" if verb == "redriven" else "cancelled", at, from_place="dead")
        elif verb == "cancelled":
            self._settle(item, f"cancelled by {event['actor']}")
            self._close(item, "cancelled", event, payload)
            item.move("cancelled", at)
        else:
            self._close(item, payload.get("outcome", verb), event, payload)
            item.move(_place_after(verb, payload), at, from_place="claimed")
            item.block(payload.get("on", ()) if verb == "blocked" else ())
            if verb == "completed":
                self._version(item, event, payload)
        if verb in GONE_WRONG:
            self._went_wrong(item, verb, event, payload)

    def _close(self, item: Item, outcome: str, event: Mapping[str, Any], payload: Payload) -> None:
        at: datetime = event["happened_at"]
        running = item.running
        if running is None:
            if "fence" not in payload or outcome == "cancelled":
                return
            running = Attempt(
                item=item.number,
                fence=payload["fence"],
                attempt=payload.get("attempt", 1),
                agent=event["actor"],
                worker=payload.get("worker") or "",
                started_at=self.begins_at,
            )
            item.attempts.append(running)
        running.ended_at = max(at, running.started_at)
        running.outcome = outcome
        running.failure_class = payload.get("class")
        running.error = payload.get("error") if outcome != "cancelled" else payload.get("reason")
        running.note = payload.get("note")
        running.usage = payload.get("usage")

    def _version(self, item: Item, event: Mapping[str, Any], payload: Payload) -> None:
        if payload.get("version") is None:
            return
        named = {name: payload.get(name) for name in ("path", "uri", "hash", "size", "summary", "fence")}
        item.versions.append(
            {
                "version": payload["version"],
                "item": item.number,
                **named,
                "author": event["actor"],
                "position": event["position"],
                "created_at": event["happened_at"],
                "imported": False,
            }
        )

    def _imported(self, event: Mapping[str, Any], payload: Payload) -> None:
        item = self._touched("artifact", event, payload)
        item.move("done", event["happened_at"])
        size = payload.get("size", payload.get("size_bytes"))
        self._version(item, event, {**payload, "size": size})
        item.versions[-1]["imported"] = True

    def _depended(self, event: Mapping[str, Any], payload: Payload) -> None:
        item = self._touched("item", event, payload)
        item.block(payload["blockers"])
        if any(not self._is_done(blocker) for blocker in payload["blockers"]) and item.place in {"ready", "scheduled"}:
            item.move("gated", event["happened_at"])

    def _decided(self, verb: str, event: Mapping[str, Any], payload: Payload) -> None:
        if verb == "made":
            self.decisions[payload["decision"]["id"]] = {
                **payload["decision"],
                "position": event["position"],
                "correlation": event["correlation"],
            }
        elif verb == "superseded":
            self.superseded[payload["decision"]] = event["happened_at"]

    def _went_wrong(self, item: Item, verb: str, event: Mapping[str, Any], payload: Payload) -> None:
        incident = Incident(
            position=event["position"],
            happened_at=event["happened_at"],
            item=item.number,
            what=verb,
            by=event["actor"],
            failure_class=payload.get("class"),
            error=payload.get("error", payload.get("reason")),
            note=payload.get("note"),
            run_at=payload.get("run_at"),
        )
        self.incidents.append(incident)
        if verb not in {"cancelled", "discarded"}:
            item.open_incident = incident

    def _settle(self, item: Item, then: str) -> None:
        if item.open_incident:
            item.open_incident.then = then
            item.open_incident = None


def _place_after(verb: str, payload: Payload) -> str:
    """Where an item goes when a claim on it ends."""
    if verb == "completed":
        return "done"
    if verb == "died":
        return "dead"
    if payload.get("place"):
        return payload["place"]
    if verb in {"blocked", "waiting", "waited"}:
        return "gated"
    return "scheduled" if payload.get("run_at") else "ready"


def seconds_of(items: Iterable[Item]) -> dict[str, float]:
    """The time of many items in each place, in seconds to the millisecond; only the places that somebody was in."""
    total = dict.fromkeys(PLACES, 0.0)
    for item in items:
        for place, seconds in item.seconds.items():
            total[place] = total.get(place, 0.0) + seconds
    return {place: round(seconds, 3) for place, seconds in total.items() if seconds}
