"""Votes: one for each seat, with a rationale; changed until the item closes, and every change kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.patterns.meetings import progress, queries, records, speaking
from slateboard.protocol.errors import Denied, Invalid, NotYours, TooLarge, WrongState
from slateboard.protocol.events import Subject
from slateboard.protocol.meetings import MAX_TEXT_CHARACTERS, MAX_VOTE_CHANGES, Choice, Stage, TurnEnd, TurnKind
from slateboard.protocol.rights import Right

if TYPE_CHECKING:
    from slateboard.patterns.meetings.records import Held, Row
    from slateboard.transaction import Transaction


async def vote(
    tx: Transaction, *, meeting: int, choice: str, rationale: str = "", agent: str | None = None,
    item: int | None = None, fence: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Vote on the motion: approve, reject, abstain or veto; again, it changes the vote.

    Without a claim it ends what was asked of the seat; under one (item and fence) the end of the claim does. Gives
    `{meeting, number, choice, changes}`. Raises `WrongState` (nothing is voted on, or it is over), `NotYours` (no
    seat), `Denied` (a veto of a seat without one), `Invalid`, `LeaseLost`.
    """
    tx.require(Right.AGENT)
    held = await records.hold(tx, meeting)
    number = held.require_open(tx)["number"]
    await speaking.own(tx, item, fence)
    seat = records.seat_of(tx, held, agent)
    row = await cast(tx, held, seat, choice, rationale)
    if item is None:
        asked = held.open_turns(TurnKind.VOTE, agent=seat["agent"])
        if asked:
            await records.end_turns(tx, held, asked, TurnEnd.VOTED)
        if not seat["present"]:
            await progress.come_back(tx, held, seat)
        await progress.advance(tx, held)
    return {"meeting": meeting, "number": number, "choice": row["choice"], "changes": row["changes"]}


async def cast(tx: Transaction, held: Held, seat: Row, choice: str, rationale: str) -> Row:
    """Keep and tell a vote on the motion that stands, or its change."""
    item = held.require_open(tx)
    if choice not in set(Choice):
        raise Invalid(f"{choice[:40]!r} is no vote", remedy=f"one of: {', '.join(records.choices(seat))}")
    if not seat["seated"]:
        message = f"{seat['name']} has no seat in {held.reference}: seats were fixed when it opened"
        raise NotYours(message, remedy="come before it opens", meeting=held.id)
    if choice == Choice.VETO and not seat["may_veto"]:
        message = f"{seat['name']} has no veto in {held.reference}"
        raise Denied(message, remedy=f"vote {', '.join(records.choices(seat))}; vetoes have veto_roles")
    if len(rationale) > MAX_TEXT_CHARACTERS:
        raise Invalid(f"a rationale has at most {MAX_TEXT_CHARACTERS:,} characters", remedy="shorten it")
    if item["stage"] != Stage.VOTING:
        message = f"nothing is voted on in {held.reference}: item {item['number']} is {item['stage']}"
        raise WrongState(message, remedy="wait for the vote in the inbox", meeting=held.id)
    row = dict(await tx.fetchrow(
        queries.VOTE, tx.board, held.id, item["number"], seat["agent"], choice, rationale.strip(), tx.now
    ))  # fmt: skip
    if row["changes"] > MAX_VOTE_CHANGES:
        raise TooLarge(f"a vote is changed at most {MAX_VOTE_CHANGES} times", remedy="leave it as it is")
    values = (held.id, item["number"], seat["agent"], row["changes"], choice, row["rationale"], tx.now)
    kept = dict(await tx.fetchrow(queries.KEEP_VOTE, tx.board, *values))
    held.votes = [one for one in held.votes if one["agent"] != seat["agent"]] + [row]
    rows = {"votes": [row], "vote_changes": [kept]}
    records.tell(tx, held, Subject.VOTE_CAST, rows, agent=seat["name"], choice=choice, number=item["number"])
    return row
