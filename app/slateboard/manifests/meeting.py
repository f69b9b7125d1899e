"""The kind Meeting: a meeting that is to be held once, known by the manifest's name.

Applied again it is the same meeting, whatever became of it: what a file says otherwise by then is noted, and changes
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from slateboard.manifests.declarations import DeclaredMeeting
from slateboard.manifests.fields import Fields, check, text
from slateboard.manifests.places import located, unknown, wrong
from slateboard.patterns.meetings import schedule
from slateboard.protocol.errors import SlateError
from slateboard.protocol.meetings import (
    MAX_AGENDA,
    MAX_MINUTES,
    MAX_PARTICIPANTS,
    MAX_TITLE_CHARACTERS,
    DecisionModel,
)
from slateboard.store.arrays import names

if TYPE_CHECKING:
    from slateboard.manifests.declarations import Declarations
    from slateboard.manifests.documents import Document
    from slateboard.manifests.places import Node
    from slateboard.transaction import Statement, Transaction

SPEC_KEYS = frozenset((
    "title", "participants", "optional", "agenda", "decision_required", "max_duration_minutes", "quorum",
    "decision_model", "veto_roles", "chair", "starts_at", "turn_seconds", "vote_seconds",
))  # fmt: skip
AN_AGENDA = f"1 to {MAX_AGENDA} texts, of 1 to {MAX_TITLE_CHARACTERS} characters each"
PARTICIPANTS = f"2 to {MAX_PARTICIPANTS} agents, each once, with those who are optional"
COMPARED = ("title", "participants", "agenda", "decision_required", "max_duration_minutes", "decision_model",
            "veto_roles", "quorum", "optional")  # fmt: skip

THERE = """
SELECT m.id, m.source, m.title, m.decision_required, m.max_seconds / 60 AS max_duration_minutes, m.decision_model,
       m.veto_roles, m.quorum::int AS quorum,
       ARRAY(SELECT i.title FROM agenda_items i
             WHERE i.board = m.board AND i.meeting = m.id ORDER BY i.number) AS agenda,
       ARRAY(SELECT g.name FROM meeting_seats s JOIN agents g ON g.board = s.board AND g.id = s.agent
             WHERE s.board = m.board AND s.meeting = m.id AND s.required ORDER BY s.position) AS participants,
       ARRAY(SELECT g.name FROM meeting_seats s JOIN agents g ON g.board = s.board AND g.id = s.agent
             WHERE s.board = m.board AND s.meeting = m.id AND NOT s.required ORDER BY s.position) AS optional
FROM meetings m WHERE m.board = $1 AND m.source = ANY ($2::text::text[])
"""


def declare(found: Declarations, document: Document, spec: Node, own: str) -> None:
    """The meeting of the manifest."""
    fields = Fields(document, spec, SPEC_KEYS, f"the spec of a Meeting: {', '.join(sorted(SPEC_KEYS))}")
    fields.require("participants", PARTICIPANTS)
    optional = _agents(found, fields, "optional")
    participants = [one for one in _agents(found, fields, "participants") if one not in optional]
    seats = len(participants) + len(optional)
    if not participants or not 2 <= seats <= MAX_PARTICIPANTS:
        found_ = f"found {seats} participants" if seats else "found no participant"
        raise wrong(document.at(fields.values["participants"]), found_, PARTICIPANTS)
    chair = fields.name("chair")
    if chair is not None and chair not in {*participants, *optional}:
        raise unknown(document.at(fields.values["chair"]), "participant", chair, [*participants, *optional])
    given: dict[str, Any] = {
        "title": fields.text("title") or own,
        "participants": participants,
        "optional": optional,
        "agenda": _agenda(fields),
        "decision_required": fields.truth("decision_required"),
        "max_duration_minutes": fields.number("max_duration_minutes", 1, MAX_MINUTES),
        "quorum": fields.number("quorum", 1, seats),
        "decision_model": fields.word("decision_model", [one.value for one in DecisionModel]),
        "veto_roles": [text(document, one) for one in fields.texts("veto_roles")],
        "chair": chair,
        "turn_seconds": fields.number("turn_seconds", 1, MAX_MINUTES * 60),
        "vote_seconds": fields.number("vote_seconds", 1, MAX_MINUTES * 60),
    }
    _check_veto(fields, given)
    found.add_meeting(
        DeclaredMeeting(
            document=document,
            node=fields.node,
            name=own,
            source=f"Meeting/{own}",
            given={key: value for key, value in given.items() if value is not None},
            starts_at=fields.moment("starts_at"),
        )
    )


def _agents(found: Declarations, fields: Fields, key: str) -> list[str]:
    """The agents that a list names, each once."""
    named: list[str] = []
    for node in fields.texts(key):
        one = check(fields.document, node, node.value)
        if one in named:
            raise wrong(fields.document.at(node), f"found {one!r} twice", PARTICIPANTS)
        found.add_agent(one, fields.document, node)
        named.append(one)
    return named


def _agenda(fields: Fields) -> list[str]:
    node = fields.require("agenda", AN_AGENDA)
    nodes = fields.items("agenda", AN_AGENDA)
    if not 1 <= len(nodes) <= MAX_AGENDA:
        raise wrong(fields.document.at(node), f"found {len(nodes) or 'no'} items", AN_AGENDA)
    agenda = [text(fields.document, one) for one in nodes]
    for one, said in zip(nodes, agenda, strict=True):
        if not said.strip() or len(said) > MAX_TITLE_CHARACTERS:
            raise wrong(fields.document.at(one), f"found {len(said.strip()):,} characters", AN_AGENDA)
    return agenda


def _check_veto(fields: Fields, given: dict[str, Any]) -> None:
    with_veto = given["decision_model"] == DecisionModel.MAJORITY_WITH_VETO
    if bool(given["veto_roles"]) is not with_veto:
        place = fields.document.at(fields.node_of("veto_roles" if given["veto_roles"] else "decision_model"))
        message = "found no veto_roles" if with_veto else "found veto_roles without their model"
        raise wrong(place, message, "veto_roles with decision_model: majority_with_veto, and with no other")


@dataclass(slots=True)
class Meetings:
    """What an apply does about meetings, and what it answers."""

    new: list[DeclaredMeeting] = field(default_factory=list)
    changed: list[dict[str, Any]] = field(default_factory=list)
    """Never anything: a meeting stays as it was scheduled."""
    notes: list[str] = field(default_factory=list)
    unchanged: int = 0

    @property
    def created(self) -> list[dict[str, str]]:
        """The meetings that are new."""
        return [{"kind": "meeting", "reference": one.name} for one in self.new]


async def compare(tx: Statement, declared: Declarations) -> Meetings:
    """What is to be done."""
    found = Meetings()
    if not declared.meetings:
        return found
    sources = names(one.source for one in declared.meetings.values())
    there = {row["source"]: row for row in await tx.fetch(THERE, tx.board, sources)}
    for one in declared.meetings.values():
        row = there.get(one.source)
        if row is None:
            found.new.append(one)
            continue
        other = [key for key in COMPARED if key in one.given and one.given[key] != row[key]]
        if other:
            was = f"meeting:{row['id']} was scheduled with another {', '.join(other)}, and stays as it is"
            found.notes.append(f"{one.place}: {was}: give the manifest another name for another meeting")
        found.unchanged += 1
    return found


async def execute(tx: Transaction, todo: Meetings) -> None:
    """Schedule the meetings that are new; what is refused is shown at its manifest."""
    for one in todo.new:
        begins = one.starts_at.since(tx.now) if one.starts_at else None
        try:
            await schedule.schedule_meeting(tx, **one.given, starts_at=begins, source=one.source)
        except SlateError as error:
            raise located(error, one.place) from error
