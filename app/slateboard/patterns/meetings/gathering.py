"""Until a meeting opens: who is invited is asked to come, and it opens, is moved, or somebody is asked what to do."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from slateboard.patterns import escalations
from slateboard.patterns.meetings import closing, progress, queries, records
from slateboard.protocol.errors import WrongState
from slateboard.protocol.events import Subject
from slateboard.protocol.meetings import (
    GRACE_SECONDS,
    JOIN_SECONDS,
    MOVE_SECONDS,
    MeetingState,
    TurnEnd,
    TurnKind,
)
from slateboard.protocol.rights import Right

if TYPE_CHECKING:
    from slateboard.patterns.meetings.records import Held, Row
    from slateboard.transaction import Transaction

RETRY, CANCEL = "retry", "cancel"


async def join_meeting(tx: Transaction, *, meeting: int, agent: str | None = None) -> dict[str, Any]:
    """Come to a meeting that waits for its quorum, or back to one that is open. Gives `{meeting, state, present}`.

    Raises `UnknownName`, `NotYours` (not invited), `WrongState` (not begun, or over).
    """
    tx.require(Right.AGENT)
    held = await records.hold(tx, meeting)
    await join(tx, held, records.seat_of(tx, held, agent))
    there = [one["name"] for one in held.seats if one["present"]]
    return {"meeting": meeting, "state": held.row["state"], "present": there}


async def join(tx: Transaction, held: Held, seat: Row, *, claim: dict[str, Any] | None = None) -> None:
    """Somebody who was invited is there; `claim` is the claim of the invitation, which has been given up."""
    state = held.row["state"]
    if state == MeetingState.OPEN and seat["seated"]:
        held.require_open(tx)
        await progress.come_back(tx, held, seat, claim=claim)
        await progress.advance(tx, held)
        return
    if state != MeetingState.WAITING:
        message = f"{held.reference} is {state}, so nobody can join it"
        raise WrongState(message, remedy=f"see `slate meeting show {held.id}`", meeting=held.id)
    await progress.come_back(tx, held, seat, claim=claim)
    there = [one for one in held.seats if one["present"]]
    if len(there) == len(held.seats):
        await open_(tx, held)
        return
    grace = tx.now + timedelta(seconds=GRACE_SECONDS)
    if len(there) == held.row["quorum"] and grace < held.row["waits_until"]:
        row = await records.change(tx, held, waits_until=grace)
        records.tell(tx, held, Subject.MEETING_CALLED, {"meetings": [row]})


async def call(tx: Transaction, held: Held) -> None:
    """Ask everybody who is invited to come."""
    until = tx.now + timedelta(seconds=JOIN_SECONDS)
    row = await records.change(tx, held, state=MeetingState.WAITING, waits_until=until)
    invited = [one["agent"] for one in held.seats]
    turns = await records.ask(tx, held, TurnKind.JOIN, invited, deadline=until)
    records.tell(tx, held, Subject.MEETING_CALLED, {"meetings": [row], "meeting_turns": turns}, title=row["title"])


async def waited(tx: Transaction, held: Held) -> None:
    """The time to come is over: open, move, or ask."""
    if sum(one["present"] for one in held.seats) >= held.row["quorum"]:
        await open_(tx, held)
        return
    gone = [
        await records.change_seat(tx, held, one, present=False, joined_at=None)
        for one in held.seats
        if one["present"]
    ]  # fmt: skip
    invited = held.open_turns(TurnKind.JOIN)
    if invited:
        await records.end_turns(tx, held, invited, TurnEnd.ABSENT)
    if held.row["moves"] == 0:
        begins = tx.now + timedelta(seconds=MOVE_SECONDS)
        row = await records.change(tx, held, state=MeetingState.SCHEDULED, starts_at=begins, waits_until=None, moves=1)
        records.tell(tx, held, Subject.MEETING_MOVED, {"meetings": [row], "meeting_seats": gone})
        return
    asked = await escalations.raise_(
        tx, kind="quorum", reference=held.reference, owner=await closing.whom(tx, held), severity="high",
        question=f"{held.row['title']!r} had no quorum twice: {held.row['quorum']} of {len(held.seats)} must come."
        " Try again, or cancel it?",
        options=(RETRY, CANCEL), default=CANCEL,
    )  # fmt: skip
    row = await records.change(
        tx, held, state=MeetingState.ESCALATED, waits_until=None, escalation=asked["item"]
    )  # fmt: skip
    records.tell(tx, held, Subject.MEETING_ESCALATED, {"meetings": [row], "meeting_seats": gone})


async def decided(tx: Transaction, row: dict[str, Any], text: str, by: str) -> None:
    """What was answered about a meeting that had no quorum: its participants are asked again, or it is cancelled."""
    meeting = await tx.fetchval(queries.MEETING_OF_ESCALATION, tx.board, row["item"])
    held = await records.hold(tx, meeting)
    if held.row["state"] != MeetingState.ESCALATED:
        return
    if text == RETRY:
        await call(tx, held)
    else:
        await closing.end(tx, held, MeetingState.CANCELLED, f"no quorum; {by} cancelled it")


async def open_(tx: Transaction, held: Held) -> None:
    """Fix the seats: all who must come, and of the others those who are there. The first item is opened."""
    late = [one for one in held.open_turns(TurnKind.JOIN) if not _is_required(held, one["agent"])]
    seats = [
        await records.change_seat(tx, held, one, seated=True, may_veto=records.may_veto(held, one))
        for one in held.seats
        if one["required"] or one["present"]
    ]
    there = [one["agent"] for one in held.present] or [one["agent"] for one in held.seated]
    wanted = (held.row["chair"], held.row["organiser"])
    chair = next((one for one in wanted if one in there), there[0])
    ends = tx.now + timedelta(seconds=held.row["max_seconds"])
    row = await records.change(
        tx, held, state=MeetingState.OPEN, chair=chair, opened_at=tx.now, ends_at=ends, waits_until=None
    )  # fmt: skip
    names = {one["agent"]: one["name"] for one in seats}
    told = {"chair": names[chair], "seats": list(names.values()), "title": row["title"]}
    records.tell(tx, held, Subject.MEETING_OPENED, {"meetings": [row], "meeting_seats": seats}, **told)
    if late:
        await records.end_turns(tx, held, late, TurnEnd.WITHDRAWN)
    await progress.advance(tx, held)


def _is_required(held: Held, agent: int) -> bool:
    return any(one["agent"] == agent and one["required"] for one in held.seats)
