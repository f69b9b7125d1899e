"""A meeting that a change holds: its rows, and how each of them is changed and told.

Whoever changes anything of a meeting holds its row first, before leases and items. The events carry the rows as they
are afterwards, by table, under `rows`; and under `ended` the duties that ended.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from slateboard.patterns.meetings import queries, rules
from slateboard.protocol.errors import NotYours, UnknownName, WrongState
from slateboard.protocol.events import Subject
from slateboard.protocol.meetings import Choice, DecisionModel, MeetingState, Stage, TurnEnd, TurnKind
from slateboard.protocol.rights import Actor, Right
from slateboard.protocol.states import ItemKind, Outcome, Place
from slateboard.work import duties, endings, gates
from slateboard.work import queries as work_queries
from slateboard.work.intake import RATING_OF

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from slateboard.transaction import Transaction

Row = dict[str, Any]

STATE = ("state", "chair", "starts_at", "waits_until", "moves", "escalation", "opened_at", "ends_at", "adjourned_at",
         "ended_because")  # fmt: skip
ITEM = ("stage", "round", "motion", "outcome", "reason", "decision", "opened_at", "closed_at")
SEAT = ("seated", "present", "may_veto", "joined_at")


@dataclass(slots=True)
class Held:
    """A meeting and what is open of it; `concerns` and `votes` are those of the current item of the agenda."""

    row: Row
    seats: list[Row]
    agenda: list[Row]
    turns: list[Row]
    concerns: list[Row] = field(default_factory=list[Row])
    votes: list[Row] = field(default_factory=list[Row])

    @property
    def id(self) -> int:
        """The meeting's number."""
        return self.row["id"]

    @property
    def reference(self) -> str:
        """How it is named elsewhere: `meeting:<id>`."""
        return f"meeting:{self.id}"

    @property
    def current(self) -> Row | None:
        """The item of the agenda that is open, or the next to be."""
        return next((one for one in self.agenda if one["stage"] != Stage.CLOSED), None)

    @property
    def seated(self) -> list[Row]:
        """The seats, in order."""
        return [one for one in self.seats if one["seated"]]

    @property
    def present(self) -> list[Row]:
        """The seats that are there, in order."""
        return [one for one in self.seated if one["present"] and not one["removed"]]

    def seat(self, agent: int | None) -> Row | None:
        """The row of an agent that was invited."""
        return next((one for one in self.seats if one["agent"] == agent), None)

    def open_turns(self, *kinds: TurnKind, agent: int | None = None) -> list[Row]:
        """What was asked and is not ended, of these kinds (or any)."""
        return [
            one for one in self.turns
            if one["ended_at"] is None and (not kinds or one["kind"] in kinds) and agent in {None, one["agent"]}
        ]  # fmt: skip

    def verdict(self) -> rules.Verdict:
        """What the votes on the current item mean as they are."""
        cast = [one["choice"] for one in self.votes]
        model = DecisionModel(self.row["decision_model"])
        return rules.tally(cast, seats=len(self.seated), quorum=self.row["quorum"], model=model)

    def view(self, item: Row) -> rules.View:
        """The current item, for the rules."""
        verdict = self.verdict()
        # What the chair is asked about concerns is nobody's wait once they hold nothing any more.
        moot = {TurnKind.CONCERNS} if not self.concerns or verdict is not rules.Verdict.APPROVED else set[TurnKind]()
        about = [one for one in self.turns if one["number"] == item["number"] and one["kind"] != TurnKind.JOIN]
        chairs = TurnKind.CONCERNS if item["stage"] == Stage.VOTING else TurnKind.MOTION
        left = {TurnEnd.PASSED, TurnEnd.SPOKE}
        return rules.View(
            stage=Stage(item["stage"]),
            round=item["round"],
            waiting=sum(one["ended_at"] is None and one["kind"] not in moot for one in about),
            spoke=any(one["round"] == item["round"] and one["outcome"] == TurnEnd.SPOKE for one in about),
            motion=item["motion"] is not None,
            concerns=len(self.concerns),
            present=len(self.present),
            declined=any(one["kind"] == chairs and one["outcome"] in left for one in about),
            verdict=verdict,
        )

    def require_open(self, tx: Transaction) -> Row:
        """The current item of the agenda; `WrongState` unless the meeting is open and its time is not over."""
        item = self.current
        if self.row["state"] != MeetingState.OPEN or item is None:
            message = f"{self.reference} is {self.row['state']}, not open"
            raise WrongState(message, remedy=f"see `slate meeting show {self.id}`", meeting=self.id)
        if tx.now >= self.row["ends_at"]:
            message = f"the time of {self.reference} was over at {self.row['ends_at']:%H:%M:%S}"
            raise WrongState(message, remedy="what is undecided is deferred; schedule another meeting", meeting=self.id)
        return item


async def hold(tx: Transaction, meeting: int) -> Held:
    """Hold a meeting until the commit, and read what is open of it. Raises `UnknownName`."""
    row = await tx.fetchrow(queries.HOLD, tx.board, meeting)
    if row is None:
        message = f"there is no meeting {meeting} on this board"
        raise UnknownName(message, remedy="see `slate meeting list`", meeting=meeting)
    seats = [dict(one) for one in await tx.fetch(queries.SEATS, tx.board, meeting)]
    agenda = [dict(one) for one in await tx.fetch(queries.AGENDA, tx.board, meeting)]
    held = Held(dict(row), seats, agenda, [])
    await look(tx, held)
    return held


async def look(tx: Transaction, held: Held) -> None:
    """Read again what is open, as after another item of the agenda has become the current one."""
    number = held.current["number"] if held.current else None
    held.turns = [dict(one) for one in await tx.fetch(queries.TURNS, tx.board, held.id, number)]
    held.concerns = [dict(one) for one in await tx.fetch(queries.CONCERNS, tx.board, held.id, number)]
    held.votes = [dict(one) for one in await tx.fetch(queries.VOTES, tx.board, held.id, number)]


def seat_of(tx: Transaction, held: Held, agent: str | None) -> Row:
    """The seat that acts: the actor's, or an agent's for whom an administrator acts. Raises `NotYours`."""
    row = held.seat(tx.actor.agent)
    if agent is not None:
        row = next((one for one in held.seats if one["name"] == agent), None)
    if row is None:
        whose = agent or tx.actor.name
        message = f"{whose} was not invited to {held.reference}"
        raise NotYours(message, remedy="only those invited take part", meeting=held.id)
    if tx.actor.agent != row["agent"] and tx.actor.right < Right.ADMIN:
        raise NotYours(f"{tx.actor.name} cannot act as {agent}", remedy="use the token of that agent", agent=agent)
    return row


def tell(
    tx: Transaction,
    held: Held,
    subject: Subject,
    rows: Mapping[str, Sequence[Row]],
    *,
    ended: Sequence[int] = (),
    **more: Any,
) -> None:
    """Record what happened, with the changed rows by table."""
    images = {table: [_image(one) for one in some] for table, some in rows.items() if some}
    told: dict[str, Any] = {"meeting": held.id, "reference": held.reference, "rows": images, **more}
    if ended:
        told["ended"] = list(ended)
    tx.record(subject, told)


def _image(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in {"board", "name", "role", "removed"}}


async def change(tx: Transaction, held: Held, **new: Any) -> Row:
    """Change the meeting's own row."""
    held.row |= new
    row = dict(await tx.fetchrow(queries.STATE, tx.board, held.id, *(held.row[name] for name in STATE)))
    held.row |= row
    return row


async def change_item(tx: Transaction, held: Held, item: Row, **new: Any) -> Row:
    """Change an item of the agenda."""
    item |= new
    await tx.fetch(queries.ITEM, tx.board, held.id, item["number"], *(item[name] for name in ITEM))
    return item


async def change_seat(tx: Transaction, held: Held, seat: Row, **new: Any) -> Row:
    """Change a seat."""
    seat |= new
    await tx.fetch(queries.SEAT, tx.board, held.id, seat["agent"], *(seat[name] for name in SEAT))
    return seat


def until(tx: Transaction, held: Held, seconds: float) -> datetime:
    """So many seconds from now, but not past the meeting's limit."""
    then = tx.now + timedelta(seconds=seconds)
    return min(then, held.row["ends_at"]) if held.row["ends_at"] else then


async def ask(
    tx: Transaction,
    held: Held,
    kind: TurnKind,
    agents: Iterable[int],
    *,
    deadline: datetime | None,
    in_turn: bool = False,
) -> list[Row]:
    """Post what is asked of these agents; `in_turn` each waits for the one before, and its time begins then."""
    item = held.current if held.row["state"] == MeetingState.OPEN and kind != TurnKind.JOIN else None
    rows: list[Row] = []
    for agent in agents:
        before = [rows[-1]["item"]] if in_turn and rows else []
        duty = await duties.post(
            tx, kind=ItemKind.MEET, reference=f"{held.reference}/{kind}", inbox=agent, rating=RATING_OF["high"],
            due=None if before else deadline, after=before, hooked=True,
        )  # fmt: skip
        where = (held.id, item["number"], item["round"]) if item else (held.id, None, None)
        values = (duty, *where, agent, kind.value, None if before else deadline)
        rows.append(dict(await tx.fetchrow(queries.INSERT_TURN, tx.board, *values)))
    held.turns += rows
    return rows


async def end_turns(
    tx: Transaction, held: Held, turns: Sequence[Row], outcome: TurnEnd, *, claim: Row | None = None, **rows: list[Row]
) -> None:
    """End what was asked, whoever works on it; the time of the next in turn begins. `rows` changed with it.

    `claim` is what ended with it: the item, its fence, note and usage; the caller has given that claim up.
    """
    items = sorted(one["item"] for one in turns)
    given_up = None if claim is None else claim["item"]
    await tx.fetch(work_queries.LOCK_LEASES, tx.board, items)
    locked = await tx.fetch(work_queries.LOCK_ITEMS, tx.board, items)
    ending = [one["id"] for one in locked if one["outcome"] in {None, Place.DEAD}]
    ended = {one["item"]: dict(one) for one in await tx.fetch(queries.END_TURNS, tx.board, items, outcome, tx.now)}
    for one in held.turns:
        one.update(ended.get(one["item"], {}))
    changed = [*ended.values(), *await _begin_next(tx, held)]
    subject = Subject.TURN_MISSED if outcome is TurnEnd.ABSENT else Subject.TURN_ENDED
    more = {} if claim is None else {"claim": claim}
    tell(tx, held, subject, {"meeting_turns": changed, **rows}, ended=ending, **more)
    others = [one for one in ending if one != given_up]
    if others:
        leases = await endings.leave_places(tx, others)
        await gates.end_attempts(tx, leases, outcome=Outcome.COMPLETED, error=None, note=None)
    await tx.fetch(work_queries.MARK_DONE, tx.board, ending, tx.now)
    await tx.fetch(work_queries.END_WAIT, tx.board, ending)
    await tx.flush()  # what opens now is told after what opened it
    await gates.release_dependents(tx, ending)


async def _begin_next(tx: Transaction, held: Held) -> list[Row]:
    """Give the first open turn of the round its time, where it has none yet."""
    first = next(iter(held.open_turns(TurnKind.TURN)), None)
    if first is None or first["deadline"] is not None:
        return []
    deadline = until(tx, held, held.row["turn_seconds"])
    first |= dict(await tx.fetchrow(queries.SET_DEADLINE, tx.board, first["item"], deadline))
    return [first]


def meetings_own(held: Held) -> Actor:
    """Who does what a meeting does by itself: what is decided, and the tasks that follow from it."""
    return Actor(name=held.reference, right=Right.ADMIN, authenticated_by="system")


def may_veto(held: Held, seat: Row) -> bool:
    """Whether a seat has a veto: by its role, or by its name."""
    return bool({seat["role"], seat["name"]} & set(held.row["veto_roles"]))


def choices(seat: Row) -> list[str]:
    """What a seat can vote."""
    return [one.value for one in Choice if one is not Choice.VETO or seat["may_veto"]]
