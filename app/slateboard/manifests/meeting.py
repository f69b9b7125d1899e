"""The kind Meeting: a meeting that is to be held once, known by the manifest's name.

Applied again it is the same meeting, whatever became of it: what a file says otherwise by then is noted, and changes
nothing. One that somebody scheduled in just these words, and that was not opened yet, is the same meeting too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from slateboard.manifests.declarations import DeclaredMeeting, argued
from slateboard.manifests.fields import Fields, Key, Table, Texts
from slateboard.manifests.places import located, unknown, wrong
from slateboard.manifests.values import A_MOMENT, Name, Number, Text, Time, Truth, Word
from slateboard.patterns.meetings import schedule
from slateboard.protocol.errors import SlateError
from slateboard.protocol.meetings import (
    MAX_AGENDA,
    MAX_MINUTES,
    MAX_PARTICIPANTS,
    MAX_TITLE_CHARACTERS,
    DecisionModel,
)
from slateboard.store.arrays import texts

if TYPE_CHECKING:
    from slateboard.manifests.declarations import Declarations
    from slateboard.transaction import Statement, Transaction

AN_AGENDA = f"1 to {MAX_AGENDA} texts, of 1 to {MAX_TITLE_CHARACTERS} characters each"
PARTICIPANTS = f"2 to {MAX_PARTICIPANTS} agents, each once, with those who are optional"
A_VETO = "veto_roles with decision_model: majority_with_veto, and with no other"
SPEC = Table(
    "spec",
    "the spec of a Meeting: participants, agenda",
    {
        "title": Key(Text(), "What it is called; else the manifest's name."),
        "participants": Key(
            Texts(Name(), PARTICIPANTS, least=1, most=MAX_PARTICIPANTS, items="participants"),
            "The agents who have a seat.",
            required=True,
        ),
        "optional": Key(
            Texts(Name(), PARTICIPANTS, most=MAX_PARTICIPANTS), "Agents who have a seat, and for whom nobody waits."
        ),
        "agenda": Key(
            Texts(
                Text(AN_AGENDA, most=MAX_TITLE_CHARACTERS, blank=False),
                AN_AGENDA,
                least=1,
                most=MAX_AGENDA,
                alone=False,
            ),
            "What is spoken of, one after the other.",
            required=True,
        ),
        "decision_required": Key(Truth(), "Whether each item ends with a vote."),
        "max_duration_minutes": Key(Number(1, MAX_MINUTES), "When it is over, whatever was reached."),
        "quorum": Key(Number(1, MAX_PARTICIPANTS), "How many must be there to begin, at most as many as have a seat."),
        "decision_model": Key(Word([one.value for one in DecisionModel]), "What carries a motion."),
        "veto_roles": Key(Texts(Text()), "With `majority_with_veto`: the agents or roles whose no is enough."),
        "chair": Key(Name(), "Who leads it: one of those who have a seat."),
        "starts_at": Key(Time(), f"Not before: {A_MOMENT}."),
        "turn_seconds": Key(Number(1, MAX_MINUTES * 60), "How long a turn to speak lasts."),
        "vote_seconds": Key(Number(1, MAX_MINUTES * 60), "How long a vote lasts."),
    },
)
COMPARED = ("title", "participants", "agenda", "decision_required", "max_duration_minutes", "decision_model",
            "veto_roles", "quorum", "optional")  # fmt: skip

MAX_BY_HAND = 1_000
"""Meetings by hand that manifests are compared with."""

BY_HAND_COLUMNS = """
       m.title, m.decision_required, m.max_seconds / 60 AS max_duration_minutes, m.decision_model,
       m.veto_roles, m.quorum::int AS quorum,
       ARRAY(SELECT i.title FROM agenda_items i
             WHERE i.board = m.board AND i.meeting = m.id ORDER BY i.number) AS agenda,
       ARRAY(SELECT g.name FROM meeting_seats s JOIN agents g ON g.board = s.board AND g.id = s.agent
             WHERE s.board = m.board AND s.meeting = m.id AND s.required ORDER BY s.position) AS participants,
       ARRAY(SELECT g.name FROM meeting_seats s JOIN agents g ON g.board = s.board AND g.id = s.agent
             WHERE s.board = m.board AND s.meeting = m.id AND NOT s.required ORDER BY s.position) AS optional
"""

THERE = f"""
SELECT m.id, m.source, {BY_HAND_COLUMNS} FROM meetings m WHERE m.board = $1 AND m.source = ANY ($2::text::text[])
"""

# What somebody scheduled, and was not opened yet.
BY_HAND = f"""
SELECT m.id, m.starts_at, {BY_HAND_COLUMNS} FROM meetings m
WHERE m.board = $1 AND m.source IS NULL AND m.state IN ('scheduled', 'waiting') AND m.title = ANY ($2::text::text[])
ORDER BY m.id LIMIT {MAX_BY_HAND}
"""


def declare(found: Declarations, fields: Fields, own: str | None) -> None:
    """The meeting of the manifest."""
    optional = _agents(found, fields, "optional")
    participants = [one for one in _agents(found, fields, "participants") if one not in optional]
    seats = len(participants) + len(optional)
    if not participants or not 2 <= seats <= MAX_PARTICIPANTS:
        taking_part = "one participant" if seats == 1 else f"{seats} participants"
        raise fields.wrong("participants", f"found {taking_part}", PARTICIPANTS)
    chair, quorum = fields.get("chair"), fields.get("quorum")
    if chair is not None and chair not in {*participants, *optional}:
        raise unknown(fields.place("chair"), "participant", chair, [*participants, *optional])
    if quorum is not None and quorum > seats:
        raise fields.wrong(
            "quorum", f"found a quorum of {quorum}", f"a whole number, 1 to {seats}: as many have a seat"
        )
    given: dict[str, Any] = {
        "title": fields.get("title") or own,
        "participants": participants,
        "optional": optional,
        "agenda": [node.value for node in fields.nodes("agenda")],
        "decision_required": fields.get("decision_required"),
        "max_duration_minutes": fields.get("max_duration_minutes"),
        "quorum": quorum,
        "decision_model": fields.get("decision_model"),
        "veto_roles": [node.value for node in fields.nodes("veto_roles")],
        "chair": chair,
        "turn_seconds": fields.get("turn_seconds"),
        "vote_seconds": fields.get("vote_seconds"),
    }
    _check_veto(fields, given)
    found.add_meeting(
        DeclaredMeeting(
            document=fields.document,
            node=fields.node,
            name=own or "",
            source=f"Meeting/{own}",
            given={key: value for key, value in given.items() if value is not None},
            starts_at=fields.get("starts_at"),
        )
    )


def _agents(found: Declarations, fields: Fields, key: str) -> list[str]:
    """The agents that a list names, each once."""
    named: list[str] = []
    for node in fields.nodes(key):
        if node.value in named:
            raise wrong(fields.document.at(node), f"found {node.value!r} twice", PARTICIPANTS)
        found.add_agent(node.value, fields.document, node)
        named.append(node.value)
    return named


def _check_veto(fields: Fields, given: dict[str, Any]) -> None:
    with_veto = given["decision_model"] == DecisionModel.MAJORITY_WITH_VETO
    if with_veto and not given["veto_roles"]:
        raise fields.wrong("decision_model", "found no veto_roles", A_VETO)
    if given["veto_roles"] and not with_veto:
        raise fields.wrong("veto_roles", "found veto_roles without their model", A_VETO)


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
    sources = texts(one.source for one in declared.meetings.values())
    there = {row["source"]: row for row in await tx.fetch(THERE, tx.board, sources)}
    titles = texts(one.given["title"] for one in declared.meetings.values() if one.source not in there)
    by_hand = await tx.fetch(BY_HAND, tx.board, titles) if len(there) < len(declared.meetings) else []
    for one in declared.meetings.values():
        row = there.get(one.source)
        if row is None:
            same = next((row for row in by_hand if _is_same(one, row)), None)
            if same is None:
                found.new.append(one)
            else:
                by_hand.remove(same)
                found.unchanged += 1
            continue
        other = [key for key in COMPARED if key in one.given and one.given[key] != row[key]]
        if other:
            was = f"meeting:{row['id']} was scheduled with another {', '.join(other)}, and stays as it is"
            found.notes.append(f"{one.place}: {was}: give the manifest another name for another meeting")
        found.unchanged += 1
    return found


def _is_same(one: DeclaredMeeting, row: Any) -> bool:
    """Whether a meeting that somebody scheduled is this one: all that the manifest says of it."""
    at = one.starts_at.time if one.starts_at is not None else None
    if one.starts_at is not None and at != row["starts_at"]:
        return False
    return all(one.given[key] == row[key] for key in COMPARED if key in one.given)


async def execute(tx: Transaction, todo: Meetings) -> None:
    """Schedule the meetings that are new; what is refused is shown at its key, else at its manifest."""
    for one in todo.new:
        begins = one.starts_at.since(tx.now) if one.starts_at else None
        try:
            await schedule.schedule_meeting(tx, **one.given, starts_at=begins, source=one.source)
        except SlateError as error:
            raise located(error, argued(one, error)) from error
