"""The hook of what a meeting asked: the claim ends, what its result says is done, and the meeting goes on.

A handler that has said or voted all it wants through the operations ends without a result. A program in any language
may say it all in its result: a turn's content is a statement, what the chair is asked is answered with a motion, and a
vote's content is the choice, or `{"vote", "rationale"}` as JSON.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from slateboard.patterns.meetings import gathering, progress, queries, records, speaking, voting
from slateboard.protocol.errors import LeaseLost
from slateboard.protocol.meetings import TurnEnd, TurnKind
from slateboard.protocol.states import Outcome
from slateboard.protocol.work import Finished
from slateboard.work import finish, leases

if TYPE_CHECKING:
    from slateboard.patterns.meetings.records import Held, Row
    from slateboard.protocol.work import Finish
    from slateboard.transaction import Transaction


async def finished(tx: Transaction, given: Finish) -> Finished:
    """End the claim of a turn with its result. Raises `LeaseLost`, and what the result's own acts raise."""
    held = await records.hold(tx, await tx.fetchval(queries.MEETING_OF_TURN, tx.board, given.item))
    lease = await leases.own(tx, item=given.item, fence=given.fence)
    turn = next((one for one in held.open_turns() if one["item"] == given.item), None)
    if turn is None:
        raise LeaseLost(f"item {given.item} is asked no more", remedy="drop it", item=given.item)
    usage, digest = finish.receipt(given.result)
    await leases.give_up(
        tx, lease, outcome=Outcome.COMPLETED, note=given.result.note, usage=usage, digest=digest
    )  # fmt: skip
    await tx.fetch("DELETE FROM checkpoints WHERE board = $1 AND item = $2", tx.board, given.item)
    claim = {"item": given.item, "fence": given.fence, "note": given.result.note, "usage": given.result.usage}
    seat = held.seat(turn["agent"])
    assert seat is not None
    if turn["kind"] == TurnKind.JOIN:
        await gathering.join(tx, held, seat, claim=claim)
        return Finished(item=given.item)
    held.require_open(tx)
    # Work that was moved to somebody else's inbox is done, but a seat speaks and votes for itself.
    content = given.result.content if lease["agent"] == turn["agent"] else None
    await records.end_turns(tx, held, [turn], await _take(tx, held, turn, seat, content), claim=claim)
    await progress.advance(tx, held)
    return Finished(item=given.item)


async def _take(tx: Transaction, held: Held, turn: Row, seat: Row, content: str | None) -> TurnEnd:
    """Do what the content of a result says; returns how the turn ended."""
    text = (content or "").strip()
    if turn["kind"] == TurnKind.VOTE:
        if text:
            choice, rationale = _vote(text)
            await voting.cast(tx, held, seat, choice, rationale)
        voted = any(one["agent"] == turn["agent"] for one in held.votes)
        return TurnEnd.VOTED if voted else TurnEnd.PASSED
    if text and turn["kind"] == TurnKind.MOTION:
        await speaking.move(tx, held, turn, text, "", (), None)
    elif text and turn["kind"] == TurnKind.TURN:
        await speaking.speak(tx, held, turn, "said", text)
    return await speaking.ending(tx, held, turn)


def _vote(text: str) -> tuple[str, str]:
    try:
        given: Any = json.loads(text)
    except ValueError:
        given = None
    if isinstance(given, dict):
        said = cast("dict[str, Any]", given)
        return str(said.get("vote", "")), str(said.get("rationale", ""))
    return text, ""
