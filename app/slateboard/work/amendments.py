"""Amending artifacts that nobody has finished: text, path, owner, priority and times; and taking over results that
exist already.

A ready or scheduled item whose owner, priority or time changes leaves its place and is placed again, so that its rating
and inbox are always those of its row. What a claimant works on stays its own until the claim ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slateboard.board import artifacts
from slateboard.board import queries as board_queries
from slateboard.protocol.errors import NotYours
from slateboard.protocol.events import Subject
from slateboard.protocol.rights import Right
from slateboard.store.arrays import numbers, texts, times
from slateboard.work import entries, gates, inboxes, queries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from slateboard.protocol.work import Result
    from slateboard.transaction import Transaction

MOVING = frozenset(("owner", "capability", "priority", "due", "run_at"))
"""Fields that decide where a waiting item stands."""


RULED = """
SELECT w.reference FROM unnest($2::bigint[]) AS g (item),
LATERAL (SELECT w.reference FROM work_items w WHERE w.board = $1 AND w.id = g.item AND w.hooked OFFSET 0) AS w
LIMIT 1
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Amendment:
    """An artifact, with its unfinished item, as it is to be; `changed` names the fields that differ from what it is."""

    artifact: int
    item: int
    reference: str
    title: str
    brief: str
    path: str | None
    owner: int | None
    capability: str | None
    rating: int
    due: datetime | None
    run_at: datetime | None
    max_attempts: int
    changed: tuple[str, ...]


async def amend(tx: Transaction, *, amendments: Sequence[Amendment]) -> None:
    """Change artifacts and their items, one event each. The caller holds the items.

    An agent changes what it owns, does or delegated: else `NotYours`. A new owner accepts it from who gives it: else
    `NotAccepted`.
    """
    tx.require(Right.AGENT)
    if not amendments:
        return
    await artifacts.require_own(tx, [one.artifact for one in amendments])
    given = [(one.artifact, one.owner) for one in amendments if "owner" in one.changed and one.owner is not None]
    await artifacts.check_owners(tx, given)
    open_inboxes = await inboxes.open_to(tx, {one.capability or "" for one in amendments if one.owner is None})
    into = [open_inboxes[one.capability or ""] if one.owner is None else one.owner for one in amendments]
    await tx.fetch(
        board_queries.CHANGE_ARTIFACTS,
        tx.board,
        numbers(one.artifact for one in amendments),
        texts(one.title for one in amendments),
        texts(one.brief for one in amendments),
        texts(one.path for one in amendments),
        numbers(one.owner for one in amendments),
        texts(one.capability for one in amendments),
    )
    await tx.fetch(
        queries.CHANGE_ITEMS,
        tx.board,
        numbers(one.item for one in amendments),
        numbers(into),
        numbers(one.rating for one in amendments),
        times(one.due for one in amendments),
        times(one.run_at for one in amendments),
        numbers(one.max_attempts for one in amendments),
    )
    if later := [one.item for one in amendments if "due" in one.changed]:
        await tx.fetch(queries.MARK_DUE_AGAIN, tx.board, later)
    await _move(tx, sorted(one.item for one in amendments if MOVING & set(one.changed)))
    for one, inbox in zip(amendments, into, strict=True):
        image = {name: getattr(one, name) for name in Amendment.__slots__ if name not in {"changed", "reference"}}
        image["inbox"] = inbox
        tx.record(
            Subject.ARTIFACT_CHANGED, {"artifact": image, "reference": one.reference, "changed": list(one.changed)}
        )


async def take_over(tx: Transaction, *, results: Sequence[tuple[str, int, int, Result]]) -> set[str]:
    """Complete waiting items with results that exist already: (reference, artifact, item, result).

    Returns the references of those that were taken over; an item that somebody has claimed is left alone. The caller
    holds the items. Raises `NotYours`: also for an agent, where a verdict or evidence is demanded.
    """
    tx.require(Right.AGENT)
    if not results:
        return set()
    await artifacts.require_own(tx, [artifact for _, artifact, _, _ in results])
    if tx.actor.right < Right.OPERATOR:
        await _check_unruled(tx, sorted(item for _, _, item, _ in results))
    left = await tx.fetch(queries.LEAVE_WAITING, tx.board, sorted(item for _, _, item, _ in results))
    free = {row["item"] for row in left}
    taken = [one for one in results if one[2] in free]
    if taken:
        await tx.fetch(queries.MARK_DONE, tx.board, sorted(free), tx.now)
        await entries.insert_versions(tx, [(artifact, result) for _, artifact, _, result in taken])
        for reference, artifact, _, result in taken:
            entries.record_import(tx, reference, artifact, result)
        await tx.flush()  # what opens now is told after what opened it
        await gates.release_dependents(tx, sorted(free))
    return {reference for reference, _, _, _ in taken}


async def _check_unruled(tx: Transaction, items: Sequence[int]) -> None:
    """Refuse to take over what must be judged, or must have evidence: an agent finishes that under a claim."""
    ruled = await tx.fetchval(RULED, tx.board, items)
    if ruled is not None:
        message = f"{ruled} is complete with a verdict or with evidence, so {tx.actor.name} cannot say that it is"
        raise NotYours(message, remedy="claim it and finish it, or let an operator take it over", reference=ruled)


async def _move(tx: Transaction, items: Sequence[int]) -> None:
    """Place waiting items again; what was opened by a blocker keeps what that is worth."""
    if not items:
        return
    rows: list[Any] = await tx.fetch(queries.LEAVE_PLACES_TO_MOVE, tx.board, items)
    for unblocked in (False, True):
        moving = sorted(row["item"] for row in rows if row["unblocked"] is unblocked)
        if moving:
            tx.wake(await tx.fetchval(queries.PLACE, tx.board, moving, unblocked, tx.now))
