"""The briefing: what a worker is told about its item. Texts of peers are data, with their author on them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from slateboard.sdk.meetings import Meeting

if TYPE_CHECKING:
    from collections.abc import Mapping

Value = TypeVar("Value")


@dataclass(frozen=True, kw_only=True, slots=True)
class Hop:
    """One task of the chain above an item: what it asks for, and who is responsible for it."""

    task: str
    title: str = ""
    brief: str = ""
    agent: str | None = None
    cut: bool = False
    """Whether its brief was too long for the briefing, and is cut."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Input:
    """An artifact that this one was blocked by, in its newest version."""

    reference: str
    version: int | None = None
    author: str | None = None
    path: str | None = None
    uri: str | None = None
    content: str | None = None
    hash: str | None = None
    summary: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """A decision in force; `agent` made it."""

    subject: str
    text: str
    rationale: str | None = None
    agent: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class EarlierAttempt:
    """An attempt before this one, with its error and the note that it left."""

    attempt: int
    worker: str
    outcome: str
    failure_class: str | None = None
    error: str | None = None
    note: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """An event of the log: what happened, by its subject, and what is said of it.

    `correlation` is the chain that it belongs to; `payload` is None where it was erased.
    """

    position: int
    subject: str
    payload: Any = None
    actor: str | None = None
    correlation: str | None = None
    happened_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Awaited:
    """How a wait ended: with an event, because its time was up, or because its filter failed (`error`)."""

    event: Event | None = None
    timed_out: bool = False
    error: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """The version that a verifier judges; what is not `proven` has no hash."""

    version: int
    hash: str | None = None
    proven: bool = False
    criteria: str | None = None
    author: str | None = None
    path: str | None = None
    uri: str | None = None
    content: str | None = None
    summary: str | None = None
    evidence: tuple[dict[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What somebody is to answer, with one of the `options` where there are any."""

    question: str
    kind: str = "question"
    options: tuple[str, ...] = ()
    default: str | None = None
    asked_by: str | None = None
    thread: int | None = None
    """Where it is talked about, if a peer asks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What was answered to a question of this very work; nobody's answer has no text."""

    question: str
    answer: str | None = None
    answered_by: str | None = None
    answered_at: datetime | None = None
    thread: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Review:
    """A verdict on an earlier version of this very work: `approved`, or `rejected` for a reason."""

    version: int
    verdict: str
    reason: str | None = None
    judged_by: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Peer:
    """An agent that this one may `consult` (for the `topic`), has a `channel` to, or must `notify` (when)."""

    agent: str
    kind: str = "consult"
    topic: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Compensation:
    """A completed step that is to be undone, in the version that it made, and why.

    `idempotency_key` is the same for every attempt to undo this version: what happens elsewhere is done once under it.
    """

    step: str
    version: int
    action: str
    because: str
    idempotency_key: str
    author: str | None = None
    path: str | None = None
    uri: str | None = None
    content: str | None = None
    hash: str | None = None
    summary: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Briefing:
    """All that a worker needs to know of its item.

    `chain` begins with the item's own task and ends with the root; `checkpoint` and `note` are what an earlier attempt
    left; `last_error` is why it must be done again; `path` is where the result is wanted. For a delivery `event` is
    what is to be handled, and `events` every event of an `all_of`, in the log's order. `awaited` is how the last
    `wait_for` ended; None without one. `verification` is what a verifier judges; `reviews` are the verdicts on what was
    handed in before, `criteria` what it is judged by, and `evidence` what a result must name.
    `compensation` is the step that is to be undone, `meeting` what a meeting asks. `question` is what is to be
    answered, and `answers` what was said to the questions that this work asked, the newest last. `peers` are those whom
    its agent may consult or must tell.
    """

    item: int
    kind: str = "produce"
    reference: str = ""
    artifact: str | None = None
    title: str | None = None
    brief: str | None = None
    path: str | None = None
    due: datetime | None = None
    revision: int = 0
    attempt: int = 1
    last_error: str | None = None
    chain: tuple[Hop, ...] = ()
    inputs: tuple[Input, ...] = ()
    decisions: tuple[Decision, ...] = ()
    attempts: tuple[EarlierAttempt, ...] = ()
    checkpoint: Any = None
    note: str | None = None
    event: Event | None = None
    events: tuple[Event, ...] = ()
    awaited: Awaited | None = None
    verification: Verification | None = None
    reviews: tuple[Review, ...] = ()
    criteria: str | None = None
    evidence: tuple[str, ...] = ()
    compensation: Compensation | None = None
    meeting: Meeting | None = None
    question: Question | None = None
    answers: tuple[Answer, ...] = ()
    peers: tuple[Peer, ...] = ()

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Briefing:
        """The briefing that the board answered with; fields that this version does not know are left out."""
        event = _event(given.get("event"))
        events = tuple(filter(None, map(_event, given.get("events") or ())))
        return _known(
            cls,
            {
                **given,
                "event": event,
                "awaited": _awaited(given.get("awaited")),
                "events": events or ((event,) if event else ()),
                "verification": _verification(given.get("verification")),
                "reviews": tuple(_known(Review, one) for one in given.get("reviews") or ()),
                "evidence": tuple(given.get("evidence") or ()),
                "compensation": _compensation(given.get("compensation")),
                "meeting": Meeting.of(given["meeting"]) if given.get("meeting") else None,
                "question": _question(given.get("question")),
                "answers": tuple(
                    _known(Answer, {**one, "answered_at": _time(one.get("answered_at"))})
                    for one in given.get("answers") or ()
                ),
                "peers": tuple(_known(Peer, one) for one in given.get("peers") or ()),
                "due": _time(given.get("due")),
                "chain": tuple(_known(Hop, one) for one in given.get("chain", ())),
                "inputs": tuple(_known(Input, one) for one in given.get("inputs", ())),
                "decisions": tuple(
                    _known(Decision, {**one, "text": one["decision"]}) for one in given.get("decisions", ())
                ),
                "attempts": tuple(
                    _known(EarlierAttempt, {**one, "failure_class": one["class"]}) for one in given.get("attempts", ())
                ),
            },
        )

    def input(self, name: str) -> Input:
        """The input of that reference, or of that artifact's name where only one has it; `KeyError` names the rest."""
        found = [one for one in self.inputs if name in {one.reference, one.reference.rpartition("/")[2]}]
        if len(found) != 1:
            known = ", ".join(one.reference for one in self.inputs) or "none"
            raise KeyError(f"{len(found)} inputs are called {name!r}; the inputs are: {known}")
        return found[0]


def _event(given: Mapping[str, Any] | None) -> Event | None:
    return _known(Event, {**given, "happened_at": _time(given.get("happened_at"))}) if given else None


def _awaited(given: Mapping[str, Any] | None) -> Awaited | None:
    if not given:
        return None
    event = _event(given) if "subject" in given else _event(given.get("event"))
    return Awaited(event=event, timed_out=bool(given.get("timed_out")), error=given.get("error"))


def _verification(given: Mapping[str, Any] | None) -> Verification | None:
    return _known(Verification, {**given, "evidence": tuple(given.get("evidence") or ())}) if given else None


def _compensation(given: Mapping[str, Any] | None) -> Compensation | None:
    return _known(Compensation, given) if given else None


def _question(given: Mapping[str, Any] | None) -> Question | None:
    return _known(Question, {**given, "options": tuple(given.get("options") or ())}) if given else None


def _time(given: str | datetime | None) -> datetime | None:
    return datetime.fromisoformat(given) if isinstance(given, str) else given


def _known(kind: type[Value], given: Mapping[str, Any]) -> Value:
    names = {field.name for field in fields(kind)}  # pyright: ignore[reportArgumentType]
    return kind(**{name: value for name, value in given.items() if name in names})
