"""The fold of the log into what an audit tells: the life of each item, its attempts and versions, and what went wrong.

Pure: it takes events one by one, in the order of the log, and keeps only what the report needs. An event says where its
item was until then (what is claimed was ready, what is opened was gated), so the time in each place is right also for
an item that was posted before the first event that is read. The rules for where an item goes next are those of `fold`,
which tells of every table; a test holds both against the same tables.
"""

from __future__ import annotations

from collections import Counter
from sys import intern
from typing import TYPE_CHECKING, Any

from slateboard.reports.audit.life import ENDS, HANDLE, Attempt, Incident, Item, Version
from slateboard.reports.audit.organisation import NOUNS as ORGANISED
from slateboard.reports.audit.organisation import OF_ITEMS, Organisation
from slateboard.reports.audit.troubles import NOUNS, Troubles
from slateboard.reports.past.fold import moment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

GONE_WRONG = frozenset(("failed", "died", "interrupted", "cancelled", "discarded"))
ENDINGS = GONE_WRONG | {"completed", "released", "returned", "blocked", "waiting", "redriven"}
"""What ends a claim, or was decided about an item; what else is told of one moves nothing."""
ENTRIES = frozenset(("posted", "revised"))
MOVING = frozenset(("owner", "capability", "priority", "due", "run_at"))

Payload = dict[str, Any]


class Fold:
    """What was read so far. `begins_at` is the begin of the range: where items that were there before enter it."""

    def __init__(self, begins_at: datetime) -> None:
        self.begins_at = begins_at
        self.items: dict[int, Item] = {}
        self.newest: dict[int, Item] = {}
        self.waived: set[int] = set()
        self.awaited: dict[int, list[Item]] = {}
        self.decisions: dict[int, Payload] = {}
        self.superseded: dict[int, datetime] = {}
        self.incidents: list[Incident] = []
        self.published: list[Payload] = []
        self.erasures: list[Payload] = []
        self.tasks: dict[str, Payload] = {}
        self.subjects: Counter[str] = Counter()
        self.correlated: dict[str, set[int]] = {}
        self.troubles = Troubles(self)
        self.organisation = Organisation(self)
        self.erased = 0

    def add(self, event: Mapping[str, Any], payload: Payload | None) -> None:
        """Take the next event; `payload` is None where it was erased."""
        subject: str = event["subject"]
        self.subjects[subject] += 1
        if not subject.startswith("board."):
            named = ("position", "subject", "actor", "cause", "correlation", "happened_at")
            self.published.append({name: event[name] for name in named})
            return
        if payload is None:
            return
        _, noun, verb = subject.split(".", 2)
        if noun in {"item", "artifact", "delivery"}:
            self._of_work(noun, verb, event, payload)
        elif noun in NOUNS:
            if (noun, verb) == ("verification", "asked"):
                self._handed_in(event, payload)
            self.troubles.add(noun, verb, event, payload)
        elif noun == "usage":
            self.item(payload["item"]).reported_cost += float(payload["usage"].get("cost") or 0)
        elif noun == "dependency":
            self._depended(event, payload)
        elif noun in ORGANISED:
            if (noun, verb) == ("task", "posted"):
                named = {"correlation": event["correlation"], "asked_by": event["actor"]}
                self.tasks[payload["reference"]] = {**named, "asked_at": event["happened_at"]}
            self.organisation.add(noun, verb, event, payload)
        elif noun == "decision":
            self._decided(verb, event, payload)
        elif noun == "event" and verb == "erased":
            named = {name: payload.get(name) for name in ("position", "subject", "reason")}
            self.erasures.append({**named, "by": event["actor"], "happened_at": event["happened_at"]})

    def end(self, at: datetime) -> None:
        """Count the time in the last place up to the end of the range."""
        for item in self.items.values():
            if item.place not in ENDS:
                item.move(item.place, at)

    def item(self, number: int) -> Item:
        """The item of that number; one that is not known was there before the range."""
        found = self.items.get(number)
        if found is None:
            found = self.items[number] = Item(number=number, entered_at=self.begins_at)
        return found

    def _of_work(self, noun: str, verb: str, event: Mapping[str, Any], payload: Payload) -> None:
        if verb == "claimed":
            self._claimed(event, payload)
        elif verb in {"opened", "promoted", "repaired"}:
            for number in payload["items"]:
                item = self.item(number)
                before = "scheduled" if verb == "promoted" else "gated"
                item.stand(event["happened_at"], from_place="waiting" if item.place == "waiting" else before)
        elif verb == "made":
            self._delivered(event, payload)
        elif verb == "waived":
            self.waived.update(payload["items"])
        elif verb == "imported":
            self._imported(event, payload)
        elif noun == "artifact" and verb == "changed":
            self._changed(event, payload)
        elif noun == "item" and verb == "posted":
            self._posted(event, payload)
        elif verb == "held":
            for number, _, _ in payload["items"]:
                self.item(number).move("gated", event["happened_at"], from_place="ready")
        elif verb in ENTRIES:
            self._entered(event, payload)
        elif verb in OF_ITEMS:
            self.organisation.add(noun, verb, event, payload)
        elif verb in ENDINGS:
            self._ended(self._touched(noun, event, payload), verb, event, payload)

    def _posted(self, event: Mapping[str, Any], payload: Payload) -> None:
        """A duty: work that makes no artifact."""
        item = self._touched("item", event, payload)
        item.kind, item.owner, item.blockers = payload["kind"], payload["inbox"], tuple(payload.get("blocked_by", ()))
        item.cause = event["cause"]
        self._enter(item, "gated" if item.blockers else "ready", event)

    def _touched(self, noun: str, event: Mapping[str, Any], payload: Payload) -> Item:
        item = self.item(payload["item"] if "item" in payload else payload["artifact"])
        item.reference = item.reference or payload.get("reference")
        if noun == "delivery":
            item.kind = HANDLE
        elif "artifact" in payload:
            item.artifact = payload["artifact"]
        self._correlate(item, event["correlation"])
        return item

    def _correlate(self, item: Item, correlation: str | None) -> None:
        if correlation is not None:
            item.correlation = item.correlation or intern(correlation)
            if item.correlation != correlation:
                self.correlated.setdefault(correlation, set()).add(item.number)

    def _enter(self, item: Item, place: str, event: Mapping[str, Any]) -> None:
        item.posted_at = item.entered_at = event["happened_at"]
        item.posted_by = intern(event["actor"])
        item.place = place
        item.seconds.clear()

    def _entered(self, event: Mapping[str, Any], payload: Payload) -> None:
        """A new item: that of a new artifact, or of a revision, which takes from the item before it what it is."""
        item = self._touched("artifact", event, payload)
        assert item.artifact is not None
        if "revision" in payload:
            item.revision = payload["revision"]
            before = self.newest.get(item.artifact)
            if before is not None:
                item.owner, item.capability = before.owner, before.capability
                item.title, item.path = before.title, before.path
        else:
            item.owner, item.capability = payload.get("owner"), payload.get("capability")
            item.title, item.path = payload.get("title"), payload.get("path")
            item.run_at = moment(payload.get("run_at"))
            item.blockers = tuple(payload.get("blocked_by", ()))
        item.cause = event["cause"]
        self.newest[item.artifact] = item
        self._enter(item, "ready", event)
        if payload.get("imported"):
            item.move("done", event["happened_at"])
            for dependent in self.awaited.pop(item.number, ()):
                if dependent.place == "gated" and not self._gated(dependent):
                    dependent.stand(event["happened_at"])
        elif self._gated(item):
            item.place = "gated"
            for blocker in item.blockers:
                if blocker not in self.items:  # told of later; if it was imported, nobody ever waited for it
                    self.awaited.setdefault(blocker, []).append(item)
        else:
            item.stand(event["happened_at"])

    def _gated(self, item: Item) -> bool:
        return any(not self._is_done(blocker) for blocker in item.blockers)

    def _is_done(self, number: int) -> bool:
        found = self.items.get(number)
        return number in self.waived or (found is not None and found.place == "done")

    def _changed(self, event: Mapping[str, Any], payload: Payload) -> None:
        given = payload["artifact"]
        item = self.item(given["item"])
        self._correlate(item, event["correlation"])
        item.owner, item.capability = given["owner"], given["capability"]
        item.title, item.path = given["title"], given["path"]
        item.run_at = moment(given["run_at"])
        if MOVING & set(payload["changed"]) and item.place in {"ready", "scheduled"}:
            item.stand(event["happened_at"])

    def _delivered(self, event: Mapping[str, Any], payload: Payload) -> None:
        """Deliveries of one step of a subscription, each of the event at a position."""
        numbers = payload["items"]
        correlations = payload.get("correlations") or [event["correlation"]] * len(numbers)
        for (number, position), correlation in zip(numbers, correlations, strict=True):
            item = self.item(number)
            item.kind, item.owner, item.source = HANDLE, payload["agent"], position
            item.reference = payload["reference"]
            self._correlate(item, correlation)
            self._enter(item, "ready", event)
        for number, blocker, _ in payload.get("edges", ()):
            item = self.item(number)
            item.block([blocker])
            if not self._is_done(blocker) and self.item(blocker).place != "cancelled":
                item.place = "gated"

    def _claimed(self, event: Mapping[str, Any], payload: Payload) -> None:
        at: datetime = event["happened_at"]
        agent, worker = intern(event["actor"]), intern(payload["worker"])
        for number, fence, attempt in payload["items"]:
            item = self.item(number)
            item.move("claimed", at, from_place="ready")
            item.claimed_at = at
            self.settle(item, f"tried again by {agent} (attempt {attempt})")
            item.attempts.append(
                Attempt(
                    item=number,
                    fence=fence,
                    attempt=attempt,
                    agent=agent,
                    worker=worker,
                    started_at=at,
                    claim=event["id"],
                )
            )

    def _ended(self, item: Item, verb: str, event: Mapping[str, Any], payload: Payload) -> None:
        """The end of an attempt, or what somebody decided about an item."""
        at: datetime = event["happened_at"]
        if verb == "redriven":
            self.settle(item, f"brought back by {event['actor']}")
            self.troubles.ended(item.number, verb, event)
            item.run_at = None
            item.move("ready", at, from_place="dead")
        elif verb in {"cancelled", "discarded"}:
            words = "given up" if verb == "discarded" else verb
            self.settle(item, f"{words} by {event['actor']}")
            self.close(item, "cancelled", event, {})
            self.troubles.ended(item.number, verb, event, payload.get("reason"))
            fresh = item.posted_at is None and not item.attempts and verb == "discarded"
            item.move("cancelled", at, from_place="dead" if fresh else None)
        else:
            self._end_claim(item, verb, event, payload)
        if verb in GONE_WRONG:
            self._went_wrong(item, verb, event, payload)

    def _end_claim(self, item: Item, verb: str, event: Mapping[str, Any], payload: Payload) -> None:
        at: datetime = event["happened_at"]
        if "verification" in payload:  # its attempt and its version were told of when it was handed in
            item.move("done", at, from_place="waiting")
            return
        claimed = "claimed" if "fence" in payload else None  # what died without one ran away and was never claimed
        if verb == "returned":
            if item.running:
                item.attempts.pop()
        else:
            self.close(item, "blocked" if verb == "waiting" else payload.get("outcome", verb), event, payload)
        item.run_at = moment(payload.get("run_at"))
        if verb == "completed":
            item.move("done", at, from_place=claimed)
            if payload.get("version") is not None:
                item.versions.append(_version(item, event, payload, imported=False))
        elif verb == "died":
            item.move("dead", at, from_place=claimed)
            self.troubles.died(item.number, event, payload)
        elif verb == "waiting":
            item.move("waiting", at, from_place=claimed)
        elif verb == "blocked":
            item.block(payload.get("on", ()))
            item.move(payload["place"], at, from_place=claimed)
        else:
            item.stand(at, from_place=claimed)

    def close(self, item: Item, outcome: str, event: Mapping[str, Any], payload: Mapping[str, Any]) -> None:
        """End the attempt that runs, or one that began before the range, if there is one."""
        at: datetime = event["happened_at"]
        running = item.running
        if running is None:
            if "fence" not in payload:
                return
            running = Attempt(
                item=item.number,
                fence=payload["fence"],
                attempt=payload.get("attempt", 1),
                agent=intern(event["actor"]),
                worker=intern(payload.get("worker") or ""),
                started_at=moment(payload.get("started_at")) or self.begins_at,
            )
            item.attempts.append(running)
        running.ended_at = max(at, running.started_at)
        running.outcome = intern(outcome)
        running.failure_class = payload.get("class")
        running.error = payload.get("error")
        running.note = payload.get("note")
        running.usage = payload.get("usage")

    def _handed_in(self, event: Mapping[str, Any], payload: Payload) -> None:
        """A result that somebody must judge: its attempt has ended, and the item waits for the verdict."""
        row = payload["verification"]
        item = self._touched("artifact", event, {**payload, "item": row["about"], "artifact": row["artifact"]})
        item.versions.append(_version(item, event, {**payload, "version": row["version"]}, imported=False))
        self.wait(item.number, row["item"], event, payload, outcome="completed")

    def wait(
        self, number: int, duty: int, event: Mapping[str, Any], payload: Mapping[str, Any], *, outcome: str = "blocked"
    ) -> None:
        """An item waits for somebody's duty; the claim that it gave back, if it did, ended with that outcome."""
        item = self.item(number)
        claimed = item.running is not None or "fence" in payload
        self.close(item, outcome, event, payload)
        item.block([duty])
        item.run_at = None
        item.move("waiting", event["happened_at"], from_place="claimed" if claimed else None)

    def _imported(self, event: Mapping[str, Any], payload: Payload) -> None:
        """A result that existed already: it ends the artifact's newest item, unless that is done."""
        item = self.newest.get(payload["artifact"]) or self.item(payload["artifact"])
        item.reference = item.reference or payload.get("reference")
        item.artifact = payload["artifact"]
        self._correlate(item, event["correlation"])
        if item.place not in ENDS:
            item.move("done", event["happened_at"])
        item.versions.append(_version(item, event, {**payload, "size": payload.get("size_bytes")}, imported=True))

    def _depended(self, event: Mapping[str, Any], payload: Payload) -> None:
        item = self._touched("item", event, payload)
        added = [blocker for blocker in payload["blockers"] if blocker not in item.blockers]
        item.block(added)
        if any(not self._is_done(blocker) for blocker in added) and item.place in {"ready", "scheduled"}:
            item.move("gated", event["happened_at"])

    def _decided(self, verb: str, event: Mapping[str, Any], payload: Payload) -> None:
        if verb == "made":
            named = {"position": event["position"], "correlation": event["correlation"]}
            self.decisions[payload["decision"]["id"]] = {**payload["decision"], **named}
        elif verb == "superseded":
            self.superseded[payload["decision"]] = event["happened_at"]

    def _went_wrong(self, item: Item, verb: str, event: Mapping[str, Any], payload: Payload) -> None:
        incident = Incident(
            position=event["position"],
            happened_at=event["happened_at"],
            item=item.number,
            what=verb,
            by=intern(event["actor"]),
            failure_class=payload.get("class"),
            error=payload.get("error", payload.get("reason")),
            note=payload.get("note"),
            run_at=payload.get("run_at"),
        )
        self.incidents.append(incident)
        if verb not in {"cancelled", "discarded"}:
            item.open_incident = incident

    def settle(self, item: Item, then: str) -> None:
        """Note what was done about what went wrong last with an item."""
        if item.open_incident:
            item.open_incident.then = then
            item.open_incident = None


def _version(item: Item, event: Mapping[str, Any], payload: Payload, *, imported: bool) -> Version:
    return Version(
        version=payload["version"],
        item=item.number,
        author=intern(event["actor"]),
        position=event["position"],
        created_at=event["happened_at"],
        imported=imported,
        path=payload.get("path"),
        uri=payload.get("uri"),
        hash=payload.get("hash"),
        size=payload.get("size"),
        summary=payload.get("summary"),
        fence=payload.get("fence"),
    )
