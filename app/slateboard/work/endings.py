"""Ending unfinished items without a result: cancel, and discard from the dead letters; and bringing dead ones back.

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
from slateboard.protocol.work import MAX_BATCH
from slateboard.work import gates, queries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slateboard.transaction import Transaction

ROUNDS = 10
"""How often an ending looks again at what moved on while it waited for a row."""


async def cancel(
    tx: Transaction, *, reference: str, reason: str = "", cascade: bool = False, waive: bool = False
) -> dict[str, Any]:
    """Cancel an unfinished artifact: its claim ends, nothing will produce it. Raises `WrongState`, `HasDependents`."""
    tx.require(Right.AGENT)
    own = "/".join(split_reference(reference))
    item = (await gates.newest_items(tx, {own}))[own]
    await gates.require_own(tx, item)
    ended = await _end(tx, Subject.ITEM_CANCELLED, [item], reason=reason, cascade=cascade, waive=waive)
    return {"cancelled": [row["reference"] for row in ended], "waived": waive}


async def discard(
    tx: Transaction, *, items: Sequence[int], reason: str, cascade: bool = False, waive: bool = False
) -> dict[str, Any]:
    """Take dead letters off the table for good, with a reason. Raises `WrongState`, `HasDependents`."""
    tx.require(Right.OPERATOR)
    if not reason.strip():
        raise Invalid("a discard needs a reason", remedy="say why it will not be done")
    ended = await _end(tx, Subject.ITEM_DISCARDED, _bounded(items), reason=reason, cascade=cascade, waive=waive)
    return {"discarded": [row["reference"] for row in ended], "waived": waive}


async def redrive(tx: Transaction, *, items: Sequence[int]) -> dict[str, Any]:
    """Bring dead letters back: ready again, a fresh count of failures, the history kept, a new fence at the claim."""
    tx.require(Right.OPERATOR)
    ordered = _bounded(items)
    await tx.fetch(queries.LOCK_ITEMS, tx.board, ordered)
    rows = await tx.fetch(
        "DELETE FROM dead_letters WHERE board = $1 AND item = ANY ($2::bigint[]) RETURNING item", tx.board, ordered
    )
    missing = sorted(set(ordered) - {row["item"] for row in rows})
    if missing:
        raise WrongState(f"no dead letters: {missing[:10]}", remedy="see `slate dead-letters list`", items=missing)
    revived = await tx.fetch(
        "UPDATE work_items SET outcome = NULL, finished_at = NULL, failures = 0, interruptions = 0, run_at = NULL"
        " WHERE board = $1 AND id = ANY ($2::bigint[]) RETURNING id, kind, reference, correlation",
        tx.board,
        ordered,
    )
    tx.wake(await tx.fetchval(queries.PLACE, tx.board, ordered, False, tx.now))
    for row in revived:
        payload = {"item": row["id"], "reference": row["reference"]}
        tx.record(Subject.ITEM_REDRIVEN.of(row["kind"]), payload, correlation=row["correlation"])
    return {"redriven": [row["reference"] for row in revived]}


async def _end(
    tx: Transaction, subject: Subject, items: Sequence[int], *, reason: str, cascade: bool, waive: bool
) -> list[dict[str, Any]]:
    """End these items (with all that waits for them, for `cascade`); returns them, or raises with nothing changed."""
    if cascade and waive:
        raise Invalid("either cascade or waive", remedy="leave one of them out")
    waiting, held = await _hold(tx, items, cascade=cascade)
    for item in items:
        _check_end(item, held.get(item), from_dead=subject is Subject.ITEM_DISCARDED)
    if waiting and not cascade and not waive:
        raise gates.refuse_dependents(held[items[0]]["reference"], waiting)
    ended = [row for row in held.values() if row["id"] in items or row["outcome"] is None]
    numbers = [row["id"] for row in ended]
    leases = await _leave_places(tx, numbers)
    await gates.end_attempts(tx, leases, outcome=Outcome.CANCELLED, error=None, note=None)
    await tx.fetch(
        "UPDATE work_items SET outcome = 'cancelled', finished_at = $3 WHERE board = $1 AND id = ANY ($2::bigint[])",
        tx.board,
        numbers,
        tx.now,
    )
    for row in ended:
        payload = {"item": row["id"], "reference": row["reference"], "reason": reason}
        tx.record(subject.of(row["kind"]), payload, correlation=row["correlation"])
    if waive:
        tx.record(Subject.ITEM_WAIVED, {"items": numbers})
        await tx.flush()  # what opens now is told after what opened it
        await gates.release_dependents(tx, numbers)
    return ended


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
        if wanted <= holding:
            return waiting, held
        holding |= wanted
        await tx.fetch(queries.LOCK_LEASES, tx.board, sorted(holding))
        held = {row["id"]: dict(row) for row in await tx.fetch(queries.LOCK_ITEMS, tx.board, sorted(holding))}
    raise _restless()


async def _leave_places(tx: Transaction, items: Sequence[int]) -> list[Any]:
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


def _bounded(items: Sequence[int]) -> list[int]:
    if not items:
        raise Invalid("no item was named", remedy="see `slate dead-letters list`")
    if len(items) > MAX_BATCH:
        raise Invalid(f"at most {MAX_BATCH} items at once", remedy="use several calls")
    return sorted(set(items))
