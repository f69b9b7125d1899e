"""Ratings: which ready item comes first. Set when an item becomes ready; the leader rates again what has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.protocol.errors import Invalid, UnknownName
from slateboard.protocol.events import Subject
from slateboard.protocol.rights import Right
from slateboard.protocol.states import Place
from slateboard.work import queries

if TYPE_CHECKING:
    from datetime import datetime

    from slateboard.transaction import Statement, Transaction

MAX_PIN = 1_000_000
ROUNDS = 10
"""How often a pin looks again for an item that was rated again meanwhile."""
DUE_RATING = ((0.8, 500), (0.5, 100))
UNBLOCKED_RATING = 200


async def explain(tx: Statement, *, item: int) -> dict[str, Any]:
    """Why an item stands where it stands: its place, what it waits for, and its rating as a sum of parts."""
    tx.require(Right.READER)
    row = await tx.fetchrow(queries.RATING, tx.board, item)
    if row is None:
        raise UnknownName(f"there is no work item {item}", remedy="see `slate work list`", item=item)
    answer: dict[str, Any] = {
        "item": item,
        "reference": row["reference"],
        "place": row["place"],
        "rating": row["rating"],
        "parts": parts(dict(row)),
        "ahead": row["ahead"] if row["place"] == Place.READY else None,
        "run_at": row["run_at"],
        "blocked_by": [dict(one) for one in await tx.fetch(queries.BLOCKERS, tx.board, item)],
    }
    pauses = await tx.fetch(
        "SELECT p.board, p.agent, p.reason FROM pauses p JOIN work_items w ON w.board = $1 AND w.id = $2"
        " WHERE (p.board, p.agent) IN ((0, 0), ($1, 0), ($1, w.inbox))",
        tx.board,
        item,
    )
    answer["paused"] = [
        {"what": "everything" if one["board"] == 0 else "the board" if one["agent"] == 0 else "the agent",
         "reason": one["reason"]} for one in pauses
    ]  # fmt: skip
    return answer


def parts(row: dict[str, Any]) -> dict[str, int]:
    """The parts of a rating by name; their sum is the rating of a ready item, unless it is pinned."""
    if row["pinned_rating"] is not None:
        return {"pinned": row["pinned_rating"]}
    found = {"priority": row["base_rating"]}
    if row["due"] is not None:
        used, whole = row["now"] - row["created_at"], row["due"] - row["created_at"]
        found["due"] = next((rating for share, rating in DUE_RATING if used >= share * whole), 0)
    found["dependents"] = 50 * min(row["dependents"], 10)
    if row["rating"] is not None:
        found["just_unblocked"] = UNBLOCKED_RATING if row["rating"] - sum(found.values()) >= UNBLOCKED_RATING else 0
    return {name: value for name, value in found.items() if value}


async def pin(tx: Transaction, *, item: int, rating: int | None, reason: str | None = None) -> dict[str, Any]:
    """Fix the rating of an unfinished item, or (None) let it be worked out again; the reason is kept in the log."""
    tx.require(Right.OPERATOR)
    if rating is not None and not -MAX_PIN <= rating <= MAX_PIN:
        raise Invalid(f"a pin is between -{MAX_PIN:,} and {MAX_PIN:,}", remedy="choose a rating in that range")
    row = await tx.fetchrow(
        "UPDATE work_items SET pinned_rating = $3 WHERE board = $1 AND id = $2 AND outcome IS NULL"
        " RETURNING reference, kind, correlation",
        tx.board,
        item,
        rating,
    )
    if row is None:
        raise UnknownName(f"there is no unfinished work item {item}", remedy="see `slate work list`", item=item)
    # Again if it was there but went to another rank meanwhile.
    for _ in range(ROUNDS):
        if await tx.fetch("DELETE FROM ready WHERE board = $1 AND item = $2 RETURNING item", tx.board, item):
            tx.wake(await tx.fetchval(queries.PLACE, tx.board, [item], False, tx.now))
            break
        if not await tx.fetchval("SELECT EXISTS (SELECT FROM ready WHERE board = $1 AND item = $2)", tx.board, item):
            break
    payload = {"item": item, "reference": row["reference"], "rating": rating}
    if reason:
        payload["reason"] = reason
    tx.record(Subject.ITEM_PINNED.of(row["kind"]), payload, correlation=row["correlation"])
    return {"item": item, "reference": row["reference"], "rating": rating}


async def refresh(tx: Statement, *, limit: int = 500, now: datetime | None = None) -> int:
    """Rate again what time has changed, at most `limit` marks; returns how many ready items got a new rank."""
    return len(await tx.fetch(queries.RERATE, limit, now))
