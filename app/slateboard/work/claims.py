"""Claiming: the exclusive, time-limited right of one worker to one work item.

What always holds: an item is leased to at most one worker at a time; each claim has a fence that was never used before,
and every later write of the worker carries it; an item is claimable only when nothing holds it. A claim never waits
for another claim, and its cost does not depend on how much waits or was ever done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.protocol.errors import Invalid, LeaseLost, NotYours, SlateError, WrongState
from slateboard.protocol.rights import Right
from slateboard.protocol.work import MAX_BATCH, MAX_LEASE_SECONDS, Claim
from slateboard.work import queries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slateboard.transaction import Statement


async def claim(
    tx: Statement, *, agent: int, worker: str, limit: int = 1, lease_seconds: float, item: int | None = None
) -> list[Claim]:
    """Claim up to `limit` ready items for an agent, the highest rating first; an empty list if nothing is ready.

    `worker` names the process (fresh for each start); `item` narrows the claim to one. Raises `Paused`.
    """
    tx.require(Right.AGENT)
    tx.require_agent(agent, f"agent {agent}")
    if not 1 <= limit <= MAX_BATCH:
        raise Invalid(f"a claim takes 1 to {MAX_BATCH} items, not {limit}", remedy="ask for fewer at once")
    check_lease(lease_seconds)
    rows = await tx.fetch(
        queries.CLAIM, tx.board, agent, worker, limit, lease_seconds, tx.actor.name, tx.actor.authenticated_by, item
    )
    if not rows:
        return []
    claimed_at, expires_at = rows[0]["claimed_at"], rows[0]["expires_at"]
    return [
        Claim(item, fence, attempt, kind, reference, title, due, claimed_at, expires_at, correlation)
        for item, fence, attempt, kind, reference, title, due, correlation, _, _ in rows
    ]


async def claim_one(tx: Statement, *, agent: int, worker: str, lease_seconds: float, item: int) -> Claim:
    """Claim this very item; if it cannot be had, the error says why, who holds it and until when."""
    claims = await claim(tx, agent=agent, worker=worker, lease_seconds=lease_seconds, item=item)
    if claims:
        return claims[0]
    row = await tx.fetchrow(queries.STANDING, tx.board, item)
    if row is None:
        raise WrongState(f"there is no work item {item}", remedy="see `slate work list`")
    if row["place"] == "claimed":
        message = f"item {item} ({row['reference']}) is held by {row['worker']} until {row['expires_at']:%H:%M:%S}"
        raise WrongState(message, remedy="take other work", holder=row["worker"], until=row["expires_at"].isoformat())
    if row["place"] == "ready":
        raise NotYours(f"item {item} ({row['reference']}) is not in this agent's inboxes", remedy="take other work")
    message = f"item {item} ({row['reference']}) is {row['place']}, not ready"
    raise WrongState(message, remedy=f"see `slate work explain {item}`", place=row["place"])


async def has_work(tx: Statement, *, agent: int) -> bool:
    """Whether a claim of this agent would find anything now; cheap, and takes nothing."""
    tx.require(Right.READER)
    return bool(await tx.fetchval(queries.HAS_WORK, tx.board, agent))


def check_lease(seconds: float) -> None:
    """Refuse a lease that is not above 0 s and at most 24 h."""
    if not 0 < seconds <= MAX_LEASE_SECONDS:
        message = f"a lease lasts more than 0 s and at most 24 h, not {seconds:g} s"
        raise Invalid(message, remedy="choose another length", lease_seconds=seconds)


async def losses(tx: Statement, claims: Sequence[tuple[int, int]]) -> dict[tuple[int, int], Any]:
    """For claims that are no longer held: the row that says why, by item and fence."""
    rows = await tx.fetch(queries.LOSSES, tx.board, [item for item, _ in claims], [fence for _, fence in claims])
    return {(row["item"], row["fence"]): row for row in rows}


async def explain_losses(tx: Statement, claims: Sequence[tuple[int, int]]) -> dict[tuple[int, int], SlateError]:
    """For claims that are no longer held: why, by item and fence."""
    return {key: loss(tx, row) for key, row in (await losses(tx, claims)).items()}


def loss(tx: Statement, row: Any) -> SlateError:
    """The error that tells the holder of a lost claim what became of it."""
    item, place, remedy = row["item"], row["place"], "stop working on it; claim other work"
    details = {"item": item, "fence": row["fence"], "place": place}
    if place is None:
        return LeaseLost(f"there is no work item {item}", remedy="see `slate work list`", **details)
    if row["holder_fence"] == row["fence"] and row["holder_agent"] != tx.actor.agent:
        message = f"item {item} is claimed by another agent ({row['holder']}), until {row['until']:%H:%M:%S}"
        return NotYours(message, remedy="leave it to that agent, or act as it: its token, or `--as`", **details)
    if row["ended"] is not None:
        how = f"{row['ended']}: {row['error']}" if row["error"] else row["ended"]
        message = f"the claim of item {item} under fence {row['fence']} has ended ({how})"
    elif row["holder_fence"] is not None:
        message = f"item {item} is held by {row['holder']} under a newer fence, until {row['until']:%H:%M:%S}"
        details |= {"holder": row["holder"], "until": row["until"].isoformat()}
    else:
        message = f"item {item} was never claimed under fence {row['fence']}; it is {place}"
    return LeaseLost(message, remedy=remedy, **details)
