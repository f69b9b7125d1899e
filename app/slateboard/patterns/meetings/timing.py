"""What is past its time: meetings begin, open or move, turns are missed, and at its limit a meeting ends.

A bounded action of the leader, by the database's clock; each meeting is a change of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from slateboard.patterns.meetings import closing, gathering, progress, queries, records
from slateboard.protocol.meetings import MeetingState, TurnKind
from slateboard.protocol.names import BoardId

if TYPE_CHECKING:
    from datetime import datetime

    from slateboard.transaction import Statement, Transaction

OUT_OF_TIME = "its time was over"


async def due(tx: Statement, *, now: datetime | None = None, limit: int = 100) -> list[tuple[BoardId, int]]:
    """Meetings in which something is past its time, whatever the board, the longest ago first."""
    moment = now or await tx.fetchval("SELECT clock_timestamp()")
    return [(BoardId(row["board"]), row["id"]) for row in await tx.fetch(queries.DUE, moment, limit)]


async def time_out(tx: Transaction, meeting: int) -> None:
    """Do what the time has come for in one meeting of the transaction's board; nothing if it was done meanwhile."""
    held = await records.hold(tx, meeting)
    row = held.row
    if row["state"] == MeetingState.SCHEDULED and row["starts_at"] <= tx.now:
        await gathering.call(tx, held)
    elif row["state"] == MeetingState.WAITING and row["waits_until"] <= tx.now:
        await gathering.waited(tx, held)
    elif row["state"] == MeetingState.OPEN and row["ends_at"] <= tx.now:
        await closing.adjourn(tx, held, OUT_OF_TIME)
    elif row["state"] == MeetingState.OPEN:
        late = [
            one for one in held.open_turns()
            if one["kind"] != TurnKind.JOIN and one["deadline"] is not None and one["deadline"] <= tx.now
        ]  # fmt: skip
        if late:
            await progress.miss(tx, held, late)
            await progress.advance(tx, held)
