"""What an audit tells of failures beside the lives of items: dead letters, questions, verdicts, undone steps, circuit
breakers and budgets, each with what was done about it.

Pure, like the fold whose part it is: it takes the events of these one by one, in the order of the log, and keeps a row
for each thing that somebody may want to know. Agents and items stand in the rows by number; `remedies` names them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.protocol.states import Place
from slateboard.reports.past.fold import moment
from slateboard.reports.past.fold_queue import CLASS_OF_END

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from slateboard.reports.audit.fold import Fold

    Event = Mapping[str, Any]
    Payload = Mapping[str, Any]
    Row = dict[str, Any]

NOUNS = frozenset(("escalation", "verification", "compensation", "breaker", "budget"))
OF_ESCALATION = ("item", "kind", "about", "reference", "severity", "owner", "question", "options", "asked_by")
OF_VERIFICATION = ("item", "about", "reference", "version", "hash", "author", "verifier", "criteria")
OF_COMPENSATION = ("item", "reference", "version", "action", "because")
OF_BUDGET = ("scope", "tokens", "cost", "used_tokens", "used_cost")
CHANGES = frozenset(("opened", "probed", "returned", "reopened", "closed"))
"""Of a breaker; that its rules were set, or somebody was asked about it, is told elsewhere."""


BY_PROBE = "its probe was completed"
"""Why a breaker closed that nobody closed by hand."""


class Troubles:
    """What was read so far, in the order of the log; moves of items are made in the fold."""

    def __init__(self, fold: Fold) -> None:
        self.fold = fold
        self.dead_letters: list[Row] = []
        self.escalations: list[Row] = []
        self.verifications: list[Row] = []
        self.compensations: list[Row] = []
        self.breakers: list[Row] = []
        self.budgets: list[Row] = []
        self._dead: dict[int, Row] = {}
        self._asked: dict[int, Row] = {}
        self._judged: dict[int, Row] = {}
        self._undone: dict[int, Row] = {}
        self._limits: dict[str, tuple[Any, Any]] = {}

    def add(self, noun: str, verb: str, event: Event, payload: Payload) -> None:
        """Take the next event of one of `NOUNS`."""
        if noun == "escalation":
            self._escalation(verb, event, payload)
        elif noun == "verification":
            self._verification(verb, event, payload)
        elif noun == "compensation":
            self._compensation(verb, event, payload)
        elif noun == "budget":
            self._budget(verb, event, payload)
        elif verb in CHANGES:
            self._breaker(verb, event, payload)

    def died(self, item: int, event: Event, payload: Payload) -> None:
        """An item became a dead letter."""
        failure_class = payload.get("class") or CLASS_OF_END.get(payload.get("outcome", ""))
        row = self._dead[item] = {
            **_at(event), "item": item, "class": failure_class, "error": payload.get("error"),
            "by": event["actor"], "then": None, "ended_by": None, "ended_at": None, "reason": None,
        }  # fmt: skip
        self.dead_letters.append(row)

    def ended(self, item: int, then: str, event: Event, reason: str | None = None) -> None:
        """A dead letter is none any more, and a question that was open and is cancelled needs no answer."""
        dead = self._dead.pop(item, None)
        if dead is not None:
            dead.update(then=then, ended_by=event["actor"], ended_at=event["happened_at"], reason=reason)
        asked = self._asked.get(item)
        if asked is not None and asked["answered_at"] is None and then in {"cancelled", "discarded"}:
            asked.update(answered_by="withdrawn", answered_at=event["happened_at"])

    def _escalation(self, verb: str, event: Event, payload: Payload) -> None:
        if verb == "raised":
            given = payload["escalation"]
            row = self._asked[given["item"]] = {
                **_at(event), **{name: given[name] for name in OF_ESCALATION}, "default": given["default_answer"],
                "deadline": moment(given["deadline"]), "level": 0, "answer": None, "answered_by": None,
                "answered_at": None,
            }  # fmt: skip
            self.escalations.append(row)
            if given["about"] is not None:
                self.fold.wait(given["about"], given["item"], event, payload)
        elif verb == "moved":
            row = self._asked.get(payload["item"])
            if row is not None:
                row.update(owner=payload["owner"], level=payload["level"], deadline=moment(payload["deadline"]))
            self._handed_over(payload["item"], payload["owner"], event)
        elif verb == "answered":
            row = self._asked.get(payload["item"])
            if row is not None:
                row.update(answer=payload["answer"], answered_by=payload["by"], answered_at=event["happened_at"])
            self.done(payload["item"], event, payload)

    def _verification(self, verb: str, event: Event, payload: Payload) -> None:
        if verb == "asked":
            given = payload["verification"]
            row = self._judged[given["item"]] = {
                **_at(event), **{name: given[name] for name in OF_VERIFICATION}, "proven": given["hash"] is not None,
                "deadline": moment(given["deadline"]), "level": 0, "verdict": None, "reason": None, "judged_by": None,
                "judged_at": None,
            }  # fmt: skip
            self.verifications.append(row)
        elif verb == "moved":
            row = self._judged.get(payload["item"])
            if row is not None:
                row.update(verifier=payload["verifier"], level=payload["level"], deadline=moment(payload["deadline"]))
            self._handed_over(payload["item"], payload["verifier"], event)
        elif verb in {"approved", "rejected"}:
            self._verdict(verb, event, payload)

    def _verdict(self, verb: str, event: Event, payload: Payload) -> None:
        """A version may be rejected and then accepted all the same: two rows."""
        row = self._judged.get(payload["item"])
        if row is None or row["verdict"] is not None:
            known = {name: (row or payload).get(name) for name in OF_VERIFICATION}
            row = {**_at(event), "deadline": None, "level": 0, **known, "proven": payload["proven"]}
            self.verifications.append(row)
        row.update(
            verdict=verb, reason=payload["reason"], judged_by=payload["by"], judged_at=event["happened_at"]
        )  # fmt: skip
        self._judged[payload["item"]] = row
        self.done(payload["item"], event, {})

    def _compensation(self, verb: str, event: Event, payload: Payload) -> None:
        if verb == "posted":
            given = payload["compensation"]
            row = self._undone[given["item"]] = {
                **_at(event), **{name: given[name] for name in OF_COMPENSATION}, "agent": given["inbox"],
                "question": given["question"], "outcome": given["outcome"], "by": None, "summary": None,
                "ended_at": None,
            }  # fmt: skip
            self.compensations.append(row)
        elif verb in {"asked", "undone", "left"}:
            row = self._undone.get(payload["item"])
            if verb == "asked":
                if row is not None:
                    row["question"] = payload["question"]
                return
            if row is not None:
                by = payload.get("by") or event["actor"]
                row.update(outcome=verb, by=by, summary=payload.get("summary"), ended_at=event["happened_at"])
            self.done(payload["item"], event, payload)

    def _breaker(self, verb: str, event: Event, payload: Payload) -> None:
        image = payload["breaker"]
        reason = payload.get("reason", BY_PROBE) if verb == "closed" else None
        if verb.endswith("opened"):
            reason = image["reason"]
        self.breakers.append({
            **_at(event), "agent": image["agent"], "change": verb, "by": event["actor"], "reason": reason,
            "failed": image["failed"], "fallback": image["fallback"], "probe": image["probe_item"],
            "until": moment(image["until"]) if verb.endswith("opened") else None,
        })  # fmt: skip

    def _budget(self, verb: str, event: Event, payload: Payload) -> None:
        given = {**payload, **payload.get("budget", {})}
        scope, limits = payload["scope"], (given.get("tokens"), given.get("cost"))
        before = self._limits.get(scope)
        if verb == "set" and before is not None:
            verb = "raised" if _more(limits, before) else "changed"
        if verb == "removed":
            self._limits.pop(scope, None)
        else:
            self._limits[scope] = limits
        known = {name: given.get(name) for name in OF_BUDGET}
        self.budgets.append({**_at(event), **known, "change": verb, "by": event["actor"]})

    def _handed_over(self, number: int, owner: int, event: Event) -> None:
        """One level up: whoever had the duty, dead or alive, has it no more."""
        item = self.fold.item(number)
        self.fold.close(item, "cancelled", event, {"error": "handed over"})
        self.ended(number, "handed over", event)
        self.fold.settle(item, "handed over")
        item.owner = owner
        item.move(Place.READY.value, event["happened_at"])

    def asked(self, item: int) -> Row | None:
        """The question that an item is to answer; None for one of before the range, or whose event was erased."""
        return self._asked.get(item)

    def moved(self, item: int, to: int) -> None:
        """An item is to be done by somebody else."""
        for known, whose in ((self._asked, "owner"), (self._judged, "verifier"), (self._undone, "agent")):
            if item in known:
                known[item][whose] = to

    def done(self, number: int, event: Event, payload: Payload) -> None:
        """A duty is done, by a claim or without one."""
        item = self.fold.item(number)
        if item.place == Place.DONE.value:
            return
        self.fold.close(item, "completed", event, payload)
        self.ended(number, "settled", event)
        self.fold.settle(item, f"settled by {event['actor']}")
        item.move(Place.DONE.value, event["happened_at"])


def _at(event: Event) -> dict[str, Any]:
    when: datetime = event["happened_at"]
    return {"position": event["position"], "happened_at": when, "correlation": event["correlation"]}


def _more(limits: tuple[Any, Any], before: tuple[Any, Any]) -> bool:
    """Whether a budget allows more than before, and of nothing less."""
    most = float("inf")
    pairs = [
        (most if new is None else new, most if old is None else old) for new, old in zip(limits, before, strict=True)
    ]
    return all(new >= old for new, old in pairs) and any(new > old for new, old in pairs)
