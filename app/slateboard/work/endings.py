"""Ending items without a result: cancel, and what a discard from the dead letters does.

What waits for an ended item stays gated unless the caller chooses: `cascade` ends it too, `waive` lets it go without.
A lease ends at once; its worker hears of it at its next call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.protocol.errors import DatabaseBusy, Invalid, UnknownName, WrongState
from slateboard.protocol.events import Subject
from slateboard.protocol.names import split_reference
from slateboard.protocol.rights import Right
from slateboard.protocol.states import Outcome, Place
from slateboard.work import gates, queries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slateboard.transaction import Transaction

ROUNDS = 10
"""How often an ending looks again at what moved on while it waited for a row."""


async def cancel(
    tx: Transaction, *, reference: str, reason: str = "", cascade: bool = False, waive: bool = False
) -> dict[str, Any]:
    """Cancel an unfinished artifact: its claim ends, nothing will produce it.

    Raises `WrongState`, `HasDependents`, `NotYours` (also for what a cascade would end).
    """
    tx.require(Right.AGENT)
    own = "/".join(split_reference(reference))
    item = (await gates.newest_items(tx, {own}))[own]
    await gates.require_own(tx, item)
    ended = await end(tx, Subject.ITEM_CANCELLED, [item], reason=reason, cascade=cascade, waive=waive)
    return {"cancelled": [row["reference"] for row in ended], "waived": waive}


async def call_off(tx: Transaction, *, item: int, reason: str) -> None:
    """Cancel an item as somebody decided who was asked. Raises `HasDependents` while others wait for it."""
    await end(tx, Subject.ITEM_CANCELLED, [item], reason=reason)


async def withdraw(tx: Transaction, *, item: int, reason: str) -> None:
    """Cancel what somebody is to do, alive or dead, so that this item can go on, as it is to go on without it."""
    if asked := [row["id"] for row in await tx.fetch(queries.DUTIES, tx.board, [item])]:
        _, held = await _hold(tx, asked, cascade=False)
        await _end(tx, Subject.ITEM_CANCELLED, list(held.values()), reason=reason)


async def end(
    tx: Transaction,
    subject: Subject,
    items: Sequence[int],
    *,
    reason: str,
    cascade: bool = False,
    waive: bool = False,
    leave: bool = False,
    dry_run: bool = False,
) -> list[dict[str, Any]]:
    """End these items (with all that waits for them, for `cascade`); returns them, or raises with nothing changed.

    With `leave` what waits for them stays as it is: stuck. A `dry_run` changes nothing either.
    """
    if cascade and waive:
        raise Invalid("either cascade or waive", remedy="leave one of them out")
    waiting, held = await _hold(tx, items, cascade=cascade)
    for item in items:
        _check_end(item, held.get(item), from_dead=subject is Subject.ITEM_DISCARDED)
    if waiting and not cascade and not waive and not leave:
        raise gates.refuse_dependents(held[items[0]]["reference"], waiting)
    if cascade:
        await gates.require_say(tx, [row["id"] for row in waiting])
    # What is dead beside those that are named is a duty: nobody waits for it any more.
    ended = [row for row in held.values() if row["id"] in items or row["outcome"] in {None, Place.DEAD}]
    if dry_run:
        return ended
    await _end(tx, subject, ended, reason=reason, waived=waive)
    if waive:
        numbers = [row["id"] for row in ended]
        tx.record(Subject.ITEM_WAIVED, {"items": numbers})
        await tx.flush()  # what opens now is told after what opened it
        await tx.fetch(queries.END_WAIT, tx.board, numbers)
        await gates.release_dependents(tx, numbers)
    return ended


async def _end(
    tx: Transaction, subject: Subject, held: Sequence[dict[str, Any]], *, reason: str, waived: bool = False
) -> None:
    """Take held items out of their places, end their claims, withdraw what was asked, and tell each."""
    numbers = [row["id"] for row in held]
    leases = await leave_places(tx, numbers)
    await gates.end_attempts(tx, leases, outcome=Outcome.CANCELLED, error=None, note=None)
    await tx.fetch(
        "UPDATE work_items SET outcome = 'cancelled', finished_at = $3 WHERE board = $1 AND id = ANY ($2::bigint[])",
        tx.board,
        numbers,
        tx.now,
    )
    await tx.fetch(queries.WITHDRAW, tx.board, numbers, tx.now)
    for row in held:
        payload = {
            "item": row["id"],
            "reference": row["reference"],
            "reason": reason,
            **({"waived": True} if waived else {}),
        }
        tx.record(subject.of(row["kind"]), payload, correlation=row["correlation"])


async def _hold(
    tx: Transaction, items: Sequence[int], *, cascade: bool
) -> tuple[list[dict[str, Any]], dict[int, dict[str, Any]]]:
    """Hold these items (with all that waits for them, for `cascade`); returns what waits, and the held rows by item.

    Asked again once they are held: from then on nobody can put a new dependent behind them unseen.
    """
    held: dict[int, dict[str, Any]] = {}
    holding: set[int] = set()
    for _ in range(ROUNDS):
        waiting = [dict(row) for row in await tx.fetch(queries.DOWNSTREAM, tx.board, items)]
        wanted = {*items, *((row["id"] for row in waiting) if cascade else ())}
        wanted |= {row["id"] for row in await tx.fetch(queries.DUTIES, tx.board, sorted(wanted))}
        if wanted <= holding:
            return waiting, held
        holding |= wanted
        await tx.fetch(queries.LOCK_LEASES, tx.board, sorted(holding))
        held = {row["id"]: dict(row) for row in await tx.fetch(queries.LOCK_ITEMS, tx.board, sorted(holding))}
    raise _restless()


async def leave_places(tx: Transaction, items: Sequence[int]) -> list[Any]:
    """Take items, held and unfinished (or dead), out of the place each is in; returns the leases that this ended.

    An item may go on to its next place (a claim, an unlock) while this waits for its row in the place before: then it
    is looked for again. Once its row is taken nobody can move it.
    """
    left, leases = set(items), list[Any]()
    for _ in range(ROUNDS):
        ended = await tx.fetch(queries.LEAVE_LEASES, tx.board, sorted(left))
        leases += ended
        taken = await tx.fetch(queries.LEAVE_PLACES, tx.board, sorted(left))
        left -= {row["item"] for row in (*ended, *taken)}
        if not left:
            return leases
    raise _restless()


def _restless() -> DatabaseBusy:
    return DatabaseBusy("the items moved on faster than they could be held", remedy="ask again")


def _check_end(item: int, row: dict[str, Any] | None, *, from_dead: bool) -> None:
    if row is None:
        raise UnknownName(f"there is no work item {item}", remedy="see `slate work list`", item=item)
    if from_dead and row["outcome"] != Place.DEAD:
        raise WrongState(f"{row['reference']} is no dead letter", remedy="see `slate dead-letters list`", item=item)
    if not from_dead and row["outcome"] == Place.DEAD:
        message = f"{row['reference']} is a dead letter"
        raise WrongState(message, remedy=f"use `slate dead-letters discard {item}`", item=item)
    if not from_dead and row["outcome"] is not None:
        raise WrongState(f"{row['reference']} is {row['outcome']} already", remedy="nothing to do", item=item)
