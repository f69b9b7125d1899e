"""What comes next in an open meeting: `rules.next_step` says it; it is done here, until somebody must be waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.patterns.meetings import closing, queries, records
from slateboard.patterns.meetings.rules import Step, next_step
from slateboard.protocol.events import Subject
from slateboard.protocol.meetings import MeetingState, Stage, TurnEnd, TurnKind, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slateboard.patterns.meetings.records import Held, Row
    from slateboard.transaction import Transaction

DONE = "its agenda is done"
NO_MOTION = "nobody proposed a motion"
CONCERNED = "a concern was neither resolved nor overruled"
STEPS_PER_ITEM = 10
"""More than an item can take one after the other without anybody being waited for."""


async def advance(tx: Transaction, held: Held) -> None:
    """Take the steps that nothing holds, until somebody is asked something or the meeting is over."""
    for _ in range(STEPS_PER_ITEM * len(held.agenda) + 1):
        if held.row["state"] != MeetingState.OPEN:
            return
        item = held.current
        if item is None:
            await closing.adjourn(tx, held, DONE)
            return
        view = held.view(item)
        step = next_step(view)
        if step is Step.WAIT:
            return
        if step is Step.ROUND:
            await _begin_round(tx, held, item)
        elif step is Step.VOTE:
            await _begin_vote(tx, held, item)
        elif step is Step.ASK_MOTION or step is Step.ASK_CONCERNS:
            await _ask_chair(tx, held, TurnKind.MOTION if step is Step.ASK_MOTION else TurnKind.CONCERNS)
        elif step is Step.CLOSE:
            await closing.close(tx, held, item, view.verdict)
        else:
            reason = CONCERNED if item["stage"] == Stage.VOTING else NO_MOTION
            await closing.close(tx, held, item, Verdict.DEFERRED, reason=reason)
    raise AssertionError


async def _begin_round(tx: Transaction, held: Held, item: Row) -> None:
    """Ask everybody who is there to speak, one after the other."""
    opened_at = item["opened_at"] or tx.now
    await records.change_item(tx, held, item, stage=Stage.DISCUSSING, round=item["round"] + 1, opened_at=opened_at)
    deadline = records.until(tx, held, held.row["turn_seconds"])
    speakers = [one["agent"] for one in held.present]
    rows = await records.ask(tx, held, TurnKind.TURN, speakers, deadline=deadline, in_turn=True)
    records.tell(tx, held, Subject.AGENDA_OPENED, {"agenda_items": [item], "meeting_turns": rows}, title=item["title"])


async def _begin_vote(tx: Transaction, held: Held, item: Row) -> None:
    """Ask everybody who is there to vote on the motion, side by side."""
    await records.change_item(tx, held, item, stage=Stage.VOTING, opened_at=item["opened_at"] or tx.now)
    deadline = records.until(tx, held, held.row["vote_seconds"])
    voters = [one["agent"] for one in held.present]
    rows = await records.ask(tx, held, TurnKind.VOTE, voters, deadline=deadline)
    motion = await tx.fetchrow(queries.MOTION, tx.board, item["motion"])
    changed = {"agenda_items": [item], "meeting_turns": rows}
    records.tell(tx, held, Subject.VOTE_OPENED, changed, motion=motion["text"])


async def _ask_chair(tx: Transaction, held: Held, kind: TurnKind) -> None:
    deadline = records.until(tx, held, held.row["turn_seconds"])
    rows = await records.ask(tx, held, kind, [held.row["chair"]], deadline=deadline)
    records.tell(tx, held, Subject.TURN_ASKED, {"meeting_turns": rows})


async def miss(tx: Transaction, held: Held, turns: Sequence[Row]) -> None:
    """End these turns as absent: their seats are not waited for again until they come back, and lose the chair."""
    agents = {one["agent"] for one in turns}
    gone = [
        await records.change_seat(tx, held, one, present=False)
        for one in held.seated
        if one["agent"] in agents and one["present"]
    ]
    await records.end_turns(tx, held, turns, TurnEnd.ABSENT, meeting_seats=gone)
    if gone:
        rows = await records.ask(tx, held, TurnKind.JOIN, [one["agent"] for one in gone], deadline=None)
        records.tell(tx, held, Subject.TURN_ASKED, {"meeting_turns": rows})
    await find_chair(tx, held)


async def find_chair(tx: Transaction, held: Held) -> None:
    """Let the next seat that is there take the chair, where who had it is not."""
    there = [one["agent"] for one in held.present]
    if there and held.row["chair"] not in there:
        row = await records.change(tx, held, chair=there[0])
        records.tell(tx, held, Subject.MEETING_CHAIRED, {"meetings": [row]}, chair=there[0])


async def come_back(tx: Transaction, held: Held, seat: Row, *, claim: dict[str, Any] | None = None) -> None:
    """A seat is there: it votes on what is voted on, and speaks from the next round on."""
    invited = held.open_turns(TurnKind.JOIN, agent=seat["agent"])
    if seat["present"] and not invited:
        return
    joined = await records.change_seat(tx, held, seat, present=True, joined_at=seat["joined_at"] or tx.now)
    records.tell(tx, held, Subject.MEETING_JOINED, {"meeting_seats": [joined]}, agent=seat["name"])
    if invited:
        await records.end_turns(tx, held, invited, TurnEnd.JOINED, claim=claim)
    await find_chair(tx, held)
    item = held.current
    if held.row["state"] != MeetingState.OPEN or item is None or item["stage"] != Stage.VOTING:
        return
    voted = any(one["agent"] == seat["agent"] for one in held.votes)
    if not voted and not held.open_turns(TurnKind.VOTE, agent=seat["agent"]):
        deadline = records.until(tx, held, held.row["vote_seconds"])
        rows = await records.ask(tx, held, TurnKind.VOTE, [seat["agent"]], deadline=deadline)
        records.tell(tx, held, Subject.TURN_ASKED, {"meeting_turns": rows})
