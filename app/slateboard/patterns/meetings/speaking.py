"""What a seat does in its turn: say, raise concerns, propose a motion; and what becomes of a concern.

A turn is the seat's as long as it is open. Whoever names the claim (item and fence) of the turn acts under it, and is
refused when it is gone; a person acts without one, as the seat.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from slateboard.board import agents
from slateboard.patterns.meetings import progress, queries, records
from slateboard.protocol import durations
from slateboard.protocol.errors import Invalid, NotYours, TooLarge, UnknownName, WrongState
from slateboard.protocol.events import Subject
from slateboard.protocol.meetings import (
    MAX_ACTIONS,
    MAX_STATEMENTS_PER_TURN,
    MAX_TEXT_CHARACTERS,
    MAX_TITLE_CHARACTERS,
    Stage,
    TurnEnd,
    TurnKind,
)
from slateboard.protocol.rights import Right
from slateboard.work import leases

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from slateboard.patterns.meetings.records import Held, Row
    from slateboard.transaction import Transaction

ACTION_KEYS = frozenset(("title", "owner", "brief", "due"))
MAX_DUE_SECONDS = 3650 * 86_400.0
RESOLVED, OVERRULED = "resolved", "overruled"


async def say(
    tx: Transaction, *, meeting: int, text: str, agent: str | None = None, item: int | None = None,
    fence: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Say something in one's turn. Gives `{meeting, statement}`. Raises `WrongState` (not its turn), `NotYours`."""
    held, turn = await _in_turn(tx, meeting, agent, item, fence)
    return {"meeting": meeting, "statement": (await speak(tx, held, turn, "said", text))["id"]}


async def concern(
    tx: Transaction, *, meeting: int, text: str, agent: str | None = None, item: int | None = None,
    fence: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Raise a concern in one's turn or vote: nothing is approved until it is resolved or overruled.

    Gives `{meeting, concern}`. Raises `WrongState`, `NotYours`.
    """
    held, turn = await _in_turn(tx, meeting, agent, item, fence, TurnKind.VOTE)
    return {"meeting": meeting, "concern": (await speak(tx, held, turn, "concern", text))["id"]}


async def propose(
    tx: Transaction, *, meeting: int, motion: str, rationale: str = "", actions: Sequence[Mapping[str, Any]] = (),
    subject: str | None = None, agent: str | None = None, item: int | None = None, fence: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Propose a motion in one's turn; it takes the place of one that was proposed before.

    `actions` are `{title, owner, brief, due}` each, with one owner; `due` is a length of time (`2d`) after the vote.
    `subject` is that of the decision (default: the slug of the motion). Gives `{meeting, motion}`. Raises `Invalid` (an
    action item without an owner, or with two), `UnknownName`, `WrongState`, `NotYours`.
    """
    held, turn = await _in_turn(tx, meeting, agent, item, fence, TurnKind.MOTION)
    return {"meeting": meeting, "motion": await move(tx, held, turn, motion, rationale, actions, subject)}


async def pass_turn(tx: Transaction, *, meeting: int, agent: str | None = None) -> dict[str, Any]:
    """End one's turn without a claim of it: who has said nothing passes. Gives `{meeting, state}`."""
    tx.require(Right.AGENT)
    held = await records.hold(tx, meeting)
    held.require_open(tx)
    seat = records.seat_of(tx, held, agent)
    turn = _turn_of(held, seat, TurnKind.TURN, TurnKind.MOTION, TurnKind.CONCERNS)
    await records.end_turns(tx, held, [turn], await ending(tx, held, turn))
    await progress.advance(tx, held)
    return {"meeting": meeting, "state": held.row["state"]}


async def settle_concern(
    tx: Transaction, *, concern: int, how: str, reason: str, agent: str | None = None, item: int | None = None,
    fence: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Resolve a concern, as who raised it does, or overrule it, as the chair does; an operator may do both.

    Under a claim (item and fence) the meeting goes on when that ends. Gives `{meeting, concern, settled}`. Raises
    `UnknownName`, `NotYours`, `WrongState` (settled, or closed), `LeaseLost`.
    """
    tx.require(Right.AGENT)
    if how not in {RESOLVED, OVERRULED}:
        raise Invalid(f"{how[:40]!r} is not how a concern ends", remedy=f"{RESOLVED} or {OVERRULED}")
    _check_text("a reason", reason)
    meeting = await tx.fetchval(queries.MEETING_OF_STATEMENT, tx.board, concern)
    if meeting is None:
        message = f"there is no concern {concern} on this board"
        raise UnknownName(message, remedy="see `slate meeting show`", concern=concern)
    held = await records.hold(tx, meeting)
    held.require_open(tx)
    await own(tx, item, fence)
    row = next((one for one in held.concerns if one["id"] == concern), None)
    if row is None:
        raise WrongState(f"the concern {concern} is not open", remedy="see `slate meeting show`", concern=concern)
    names = {one["agent"]: one["name"] for one in held.seats}
    who = row["agent"] if how == RESOLVED else held.row["chair"]
    by = tx.actor.name
    if agent is not None or tx.actor.right < Right.OPERATOR:
        seat = records.seat_of(tx, held, agent)
        by = seat["name"]
        if seat["agent"] != who:
            whose = "who raised it" if how == RESOLVED else "the chair"
            message = f"only {names[who]}, {whose}, can have concern {concern} {how}"
            raise NotYours(message, remedy=f"ask {names[who]}", concern=concern)
    settled = dict(await tx.fetchrow(queries.SETTLE, tx.board, concern, how, by, reason.strip(), tx.now))
    held.concerns.remove(row)
    records.tell(tx, held, Subject.CONCERN_SETTLED, {"statements": [settled]}, concern=concern, settled=how, by=by)
    if item is None:
        await progress.advance(tx, held)
    return {"meeting": meeting, "concern": concern, "settled": how}


async def speak(tx: Transaction, held: Held, turn: Row, kind: str, text: str) -> Row:
    """Keep and tell what was said in a turn."""
    _check_text("a statement", text)
    said = await tx.fetchval(
        queries.SAID_IN_ROUND, tx.board, held.id, turn["number"], turn["round"], turn["agent"]
    )  # fmt: skip
    if said >= MAX_STATEMENTS_PER_TURN:
        message = f"a turn has at most {MAX_STATEMENTS_PER_TURN} statements"
        raise TooLarge(message, remedy="say more at once, or wait for the next round")
    where = (turn["number"], turn["round"], turn["agent"])
    row = dict(await tx.fetchrow(queries.INSERT_STATEMENT, tx.board, held.id, *where, kind, text.strip(), tx.now))
    if kind == "concern":
        held.concerns.append(row)
    subject = Subject.CONCERN_RAISED if kind == "concern" else Subject.STATEMENT_SAID
    records.tell(tx, held, subject, {"statements": [row]}, text=row["text"], agent=_name(held, turn))
    return row


async def move(
    tx: Transaction, held: Held, turn: Row, motion: str, rationale: str, actions: Sequence[Any], subject: str | None
) -> int:
    """Keep and tell a motion, which is the one that stands from now on; returns its number."""
    _check_text("a motion", motion)
    if len(rationale) > MAX_TEXT_CHARACTERS:
        raise Invalid(f"a rationale has at most {MAX_TEXT_CHARACTERS:,} characters", remedy="shorten it")
    wanted = await _actions(tx, actions)
    values = (turn["number"], turn["agent"], motion.strip(), rationale.strip(), subject)
    row = dict(await tx.fetchrow(queries.INSERT_MOTION, tx.board, held.id, *values, tx.now))
    kept = [
        dict(await tx.fetchrow(queries.INSERT_ACTION, tx.board, held.id, row["id"], position, *one))
        for position, one in enumerate(wanted, 1)
    ]
    number: int = turn["number"]
    item = held.agenda[number - 1]
    await records.change_item(tx, held, item, motion=row["id"])
    rows = {"motions": [row], "action_items": kept, "agenda_items": [item]}
    records.tell(tx, held, Subject.MOTION_PROPOSED, rows, motion=row["text"], agent=_name(held, turn))
    return row["id"]


async def ending(tx: Transaction, held: Held, turn: Row) -> TurnEnd:
    """How a turn ends that its seat gives up: it spoke, or passed."""
    number: int = turn["number"]
    where = (held.id, number, turn["round"], turn["agent"])
    said = await tx.fetchval(queries.SAID_IN_ROUND, tx.board, *where)
    moved: int | None = held.agenda[number - 1]["motion"]
    motion = await tx.fetchrow(queries.MOTION, tx.board, moved) if moved else None
    return TurnEnd.SPOKE if said or (motion and motion["agent"] == turn["agent"]) else TurnEnd.PASSED


async def _in_turn(
    tx: Transaction, meeting: int, agent: str | None, item: int | None, fence: int | None, *kinds: TurnKind
) -> tuple[Held, Row]:
    """The meeting, held, and the open turn in which the seat acts; under a claim, that of the claim."""
    tx.require(Right.AGENT)
    held = await records.hold(tx, meeting)
    held.require_open(tx)
    await own(tx, item, fence)
    seat = records.seat_of(tx, held, agent)
    return held, _turn_of(held, seat, TurnKind.TURN, *kinds, item=item)


async def own(tx: Transaction, item: int | None, fence: int | None) -> None:
    """Refuse an act under a claim that is gone: `LeaseLost`."""
    if (item is None) is not (fence is None):
        raise Invalid("a claim is an item and a fence", remedy="give both, or neither")
    if item is not None and fence is not None:
        await leases.own(tx, item=item, fence=fence)


def _turn_of(held: Held, seat: Row, *kinds: TurnKind, item: int | None = None) -> Row:
    """The turn of a seat that is open now: the first of its round; of another kind, its own."""
    turns = held.open_turns(TurnKind.TURN)[:1] + held.open_turns(*[one for one in TurnKind if one != TurnKind.TURN])
    for one in turns:
        if one["agent"] == seat["agent"] and one["kind"] in kinds and item in {None, one["item"]}:
            return one
    first = turns[0] if turns and turns[0]["kind"] == TurnKind.TURN else None
    stage = held.current["stage"] if held.current else Stage.CLOSED
    whose = f"it is the turn of {_name(held, first)}" if first else f"the meeting is {stage}"
    message = f"it is not the turn of {seat['name']} in {held.reference}: {whose}"
    raise WrongState(message, remedy="wait for a turn in the inbox", meeting=held.id)


async def _actions(tx: Transaction, actions: Sequence[Any]) -> list[tuple[str, str, int, float | None]]:
    """Action items as rows: title, brief, owner, seconds until they are due."""
    if len(actions) > MAX_ACTIONS:
        raise Invalid(f"a motion has at most {MAX_ACTIONS} action items", remedy="propose several motions")
    found: list[tuple[str, str, str, float | None]] = []
    for number, given in enumerate(actions, 1):
        if not isinstance(given, dict):
            raise Invalid(f"action item {number} is no object", remedy="write {title, owner, brief, due}")
        one = cast("dict[str, Any]", given)
        unknown = sorted(one.keys() - ACTION_KEYS)
        if unknown:
            message = f"action item {number} has the unknown key {unknown[0]!r}"
            raise Invalid(message, remedy=f"one of: {', '.join(sorted(ACTION_KEYS))}")
        found.append(_action(number, one))
    numbers = await agents.ids(tx, {owner for _, _, owner, _ in found})
    return [(title, brief, numbers[owner], due) for title, brief, owner, due in found]


def _action(number: int, one: Mapping[str, Any]) -> tuple[str, str, str, float | None]:
    title, owner, brief, due = (one.get(key) for key in ("title", "owner", "brief", "due"))
    if not isinstance(title, str) or not 1 <= len(title.strip()) <= MAX_TITLE_CHARACTERS:
        raise Invalid(f"action item {number} has no title", remedy=f"say what is to be done, in {MAX_TITLE_CHARACTERS}")
    if owner is None or owner in ("", []):
        raise Invalid(f"action item {number} ({title[:60]}) has no owner", remedy="name the one agent that does it")
    if not isinstance(owner, str):
        message = f"action item {number} ({title[:60]}) has more than one owner"
        raise Invalid(message, remedy="name one; who shares the work gets an item of its own")
    if brief is not None and (not isinstance(brief, str) or len(brief) > MAX_TEXT_CHARACTERS):
        raise Invalid(f"the brief of action item {number} is no text of {MAX_TEXT_CHARACTERS:,}", remedy="shorten it")
    seconds = None if due is None else durations.parse(str(due))
    if seconds is not None and not 0 < seconds <= MAX_DUE_SECONDS:
        raise Invalid(f"action item {number} cannot be due in {due}", remedy="a length of time like 4h or 2d")
    return title.strip(), brief or "", owner, seconds


def _check_text(what: str, text: str) -> None:
    if not text.strip() or len(text) > MAX_TEXT_CHARACTERS:
        raise Invalid(f"{what} has 1 to {MAX_TEXT_CHARACTERS:,} characters", remedy="say something, or shorten it")


def _name(held: Held, turn: Row) -> str:
    return next(one["name"] for one in held.seats if one["agent"] == turn["agent"])
