"""Gates: what on the board holds an item back. A gate counts the unfinished blockers; the last one to finish opens it.

An edge into an existing item is added under a lock of its board, since two edges added at once could close a circle
that neither transaction sees; its blockers are held while they are counted, so that none completes unnoticed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.board import artifacts, graph
from slateboard.board import queries as board_queries
from slateboard.protocol.errors import (
    AlreadyStarted,
    DependencyCycle,
    HasDependents,
    Invalid,
    NotYours,
    SlateError,
    UnknownName,
    WrongState,
)
from slateboard.protocol.events import Subject
from slateboard.protocol.names import BoardId, split_reference
from slateboard.protocol.rights import Right
from slateboard.protocol.states import Outcome, Place
from slateboard.protocol.work import MAX_BATCH
from slateboard.work import breakers, leases, queries

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from slateboard.transaction import Statement, Transaction

ROUNDS = 10
"""How often an edge looks again for an item that moved on while it waited for its row."""


async def depend(tx: Transaction, *, reference: str, on: Sequence[str]) -> dict[str, Any]:
    """Block an artifact that has not started on others. Raises `AlreadyStarted`, `DependencyCycle`, `UnknownName`."""
    tx.require(Right.AGENT)
    _check_blockers(on)
    task, name = split_reference(reference)
    own = f"{task}/{name}"
    numbers = await newest_items(tx, {own, *(_full(one, task) for one in on)})
    await require_own(tx, numbers[own])
    await tx.fetch(board_queries.LOCK_EDGES, tx.board)
    blockers = [numbers[_full(one, task)] for one in on]
    await add_edges(tx, item=numbers[own], reference=own, blockers=blockers)
    return {"reference": own, "item": numbers[own], "blocked_by": blockers}


async def block_on(
    tx: Transaction, *, item: int, fence: int, on: Sequence[str], note: str | None = None
) -> dict[str, Any]:
    """Give a claim back, gated by other artifacts: it is claimable again when all of them are complete.

    Raises `LeaseLost`, `DependencyCycle`, `NoProgress`, `UnknownName`.
    """
    tx.require(Right.AGENT)
    _check_blockers(on)
    await tx.fetch(board_queries.LOCK_EDGES, tx.board)
    await leases.own(tx, item=item, fence=fence)
    await leases.check_progress(tx, item)
    reference: str = (await tx.fetch(queries.REFERENCES, tx.board, [item]))[0]["reference"]
    task = reference.partition("/")[0]
    numbers = await newest_items(tx, {_full(one, task) for one in on})
    remaining = (await _insert(tx, {item: (reference, sorted(set(numbers.values())))}))[item]
    row = await leases.give_up(tx, item=item, fence=fence, outcome=Outcome.BLOCKED, note=note)
    await _rate_again(tx, numbers.values())
    place = await _hold(tx, item, remaining)
    tx.record(
        Subject.ITEM_BLOCKED.of(row["kind"]),
        {
            "item": item,
            "reference": reference,
            "fence": fence,
            "on": sorted(set(numbers.values())),
            "place": place,
            "note": note,
        },
        correlation=row["correlation"],
    )
    return {"item": item, "reference": reference, "place": place, "remaining": remaining}


async def add_edges(tx: Transaction, *, item: int, reference: str, blockers: Sequence[int]) -> None:
    """Add edges into an existing item that has not started, and shut its gate if one of the blockers is unfinished."""
    await add_many(tx, {item: (reference, blockers)})


async def add_many(tx: Transaction, into: Mapping[int, tuple[str, Sequence[int]]]) -> None:
    """Add edges into many existing items: by item, its reference and its blockers. One event for each item."""
    await tx.fetch(board_queries.LOCK_EDGES, tx.board)
    counted = await _insert(tx, into)
    for item, (reference, blockers) in sorted(into.items()):
        if not await _shut(tx, item, counted[item]):
            raise AlreadyStarted(
                f"{reference} has been started, so nothing can be put before it",
                remedy="its claimant can block it, or `revise` it when it is complete",
                item=item,
                reference=reference,
            )
        tx.record(Subject.DEPENDENCY_ADDED, {"item": item, "reference": reference, "blockers": list(blockers)})
    await _rate_again(tx, {blocker for _, blockers in into.values() for blocker in blockers})


async def newest_items(tx: Statement, references: Iterable[str]) -> dict[str, int]:
    """The item that now produces each `task/artifact`; `UnknownName` names the first that is missing."""
    wanted = sorted(set(references))
    if not wanted:
        return {}
    pairs = [reference.split("/", 1) for reference in wanted]
    rows = await tx.fetch(
        board_queries.ARTIFACTS_BY_REFERENCE, tx.board, [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    )
    found = {row["reference"]: row["newest_item"] for row in rows}
    check_found(wanted, found)
    return found


def check_found(wanted: Iterable[str], found: Mapping[str, int]) -> None:
    """Refuse the first reference that is wanted and was not found."""
    for reference in sorted(set(wanted) - found.keys()):
        message = f"there is no artifact {reference!r} on this board"
        raise UnknownName(message, remedy="see `slate get artifacts`", artifact=reference)


async def require_own(tx: Statement, item: int) -> None:
    """Refuse an agent that has no say in the artifact of this item."""
    await artifacts.require_own(
        tx, [await tx.fetchval("SELECT artifact FROM work_items WHERE board = $1 AND id = $2", tx.board, item)]
    )


async def require_say(tx: Statement, items: Iterable[int]) -> None:
    """Refuse an agent that would end these items with its own, and has no say in the artifact of one of them."""
    if tx.actor.right >= Right.OPERATOR:
        return
    rows = await tx.fetch(queries.ARTIFACTS_OF_ITEMS, tx.board, sorted(items))
    try:
        await artifacts.require_own(tx, [row["artifact"] for row in rows])
    except NotYours as error:
        remedy = "waive it, so that it goes on without, or ask somebody with the right operator"
        raise NotYours(error.message, remedy=remedy, **error.details) from error


async def lock_blockers(tx: Transaction, items: Sequence[int]) -> set[int]:
    """Hold these items until the commit, in order; returns those that are not done. A cancelled one is refused."""
    rows = await tx.fetch(queries.LOCK_ITEMS, tx.board, sorted(items)) if items else []
    for row in rows:
        if row["outcome"] == Place.CANCELLED:
            message = f"{row['reference']} was cancelled, so nothing can wait for it"
            raise WrongState(message, remedy="name another blocker", item=row["id"])
    return {row["id"] for row in rows if row["outcome"] != Place.DONE}


async def end_attempts(
    tx: Transaction, leases: Sequence[Any], *, outcome: Outcome, error: str | None, note: str | None
) -> None:
    """Keep the attempts of leases that this transaction ends."""
    await tx.fetch(
        queries.INSERT_ATTEMPTS,
        tx.board,
        outcome.value,
        error,
        note,
        tx.now,
        *([lease[name] for lease in leases] for name in ("item", "fence", "attempt", "agent", "worker", "claimed_at")),
    )
    await breakers.settle(tx, leases, outcome=outcome)


async def release_dependents(tx: Transaction, items: Sequence[int]) -> None:
    """Let what waits for these items go on without them."""
    woken = await tx.fetchval(
        queries.UNLOCK, tx.board, sorted(items), 0, tx.actor.name, tx.actor.authenticated_by, tx.now
    )
    tx.wake(woken)


async def unlock_more(tx: Transaction) -> int:
    """Open the next part of a fan-out of more than 1,000; returns 0 when none is left."""
    rows = await tx.fetch(queries.NEXT_UNLOCK)
    for row in rows:
        tx.board = BoardId(row["board"])
        woken = await tx.fetchval(
            queries.UNLOCK, row["board"], [row["blocker"]], row["after_item"], "system", "system", tx.now
        )
        tx.wake(woken)
    return len(rows)


async def repair(tx: Transaction, *, after: tuple[int, int] = (0, 0), limit: int = 1000) -> list[dict[str, Any]]:
    """Find gates that are shut without cause, open them and say so; none is ever expected."""
    rows: list[Any] = await tx.fetch(queries.SHUT_WITHOUT_CAUSE, *after, limit)
    for row in rows:
        await tx.fetch(queries.LOCK_GATES, row["board"], row["items"])
    if rows:  # asked again, now that nobody can count a new blocker into them
        held = {(row["board"], item) for row in rows for item in row["items"]}
        rows = [
            {"board": row["board"], "items": [item for item in row["items"] if (row["board"], item) in held]}
            for row in await tx.fetch(queries.SHUT_WITHOUT_CAUSE, *after, limit)
        ]
    for row in rows:
        tx.board = row["board"]
        tx.wake(await tx.fetchval(queries.OPEN, row["board"], row["items"], "system", "system", tx.now))
        tx.record(Subject.GATE_REPAIRED, {"items": row["items"]})
        await tx.flush()
    return [dict(row) for row in rows]


async def sweep(tx: Transaction, *, after: tuple[int, int] = (0, 0), limit: int = 1000) -> tuple[int, int]:
    """Repair one page of gates, whatever the board; returns where the next page begins, (0, 0) after the last."""
    last = await tx.fetchrow(queries.GATE_PAGE_END, *after, limit)
    await repair(tx, after=after, limit=limit)
    return (0, 0) if last is None else (last["board"], last["item"])


def _check_blockers(on: Sequence[str]) -> None:
    if not on:
        raise Invalid("no blocker was named", remedy="name at least one artifact to wait for")
    if len(on) > MAX_BATCH:
        raise Invalid(f"at most {MAX_BATCH} blockers at once, not {len(on)}", remedy="add them in several calls")


def refuse_dependents(reference: str, waiting: Sequence[Any]) -> SlateError:
    """The conflict that asks for `--cascade` or `--waive`."""
    names = ", ".join(row["reference"] for row in waiting[:5]) + (" …" if len(waiting) > 5 else "")
    return HasDependents(
        f"{len(waiting)} unfinished artifacts wait for {reference}: {names}",
        remedy="choose --cascade (end them too) or --waive (let them go on without it)",
        dependents=[row["reference"] for row in waiting[:100]],
    )


async def _insert(tx: Transaction, into: Mapping[int, tuple[str, Sequence[int]]]) -> dict[int, int]:
    """Insert edges, blockers held; returns how many count for each item. Raises `DependencyCycle` with the path."""
    unfinished = await lock_blockers(tx, sorted({blocker for _, blockers in into.values() for blocker in blockers}))
    edges = [(blocker, item) for item, (_, blockers) in into.items() for blocker in blockers]
    rows = await tx.fetch(
        board_queries.INSERT_DEPENDENCIES,
        tx.board,
        tx.actor.name,
        tx.now,
        [blocker for blocker, _ in edges],
        [item for _, item in edges],
        [blocker in unfinished for blocker, _ in edges],
    )
    path = await _circle(tx, sorted(into))
    if path:
        raise DependencyCycle(
            f"this would close a circle: {' → '.join(path)}", remedy="remove one of these dependencies", path=path
        )
    counted = dict.fromkeys(into, 0)
    for row in rows:
        counted[row["item"]] += row["counted"]
    return counted


async def _circle(tx: Transaction, items: Sequence[int]) -> list[str]:
    """The way from one of these items back to itself, by references; empty if there is none.

    One item is judged by the database; for many, the edges above them are read once.
    """
    if len(items) == 1 and not await tx.fetchval(board_queries.WAITS_FOR_ITSELF, tx.board, items[0]):
        return []
    edges: dict[int, list[int]] = {item: [] for item in items}
    for row in await tx.fetch(board_queries.UPSTREAM_EDGES, tx.board, items):
        edges.setdefault(row["item"], []).append(row["blocker"])
    circle = graph.find_cycle(edges) or []
    if not circle:
        return []
    rows = await tx.fetch(queries.REFERENCES, tx.board, circle)
    names = {row["id"]: row["reference"] for row in rows}
    return [names[one] for one in circle]


async def _shut(tx: Transaction, item: int, remaining: int) -> bool:
    """Count more blockers into the gate of an item that has not started; False if it has.

    Asked again, since the item may go from its gate to `ready`, or to another rank, between the two statements.
    """
    for _ in range(ROUNDS):
        if await tx.fetch(queries.RAISE_GATE, tx.board, item, remaining):
            return True
        if await tx.fetch(queries.LEAVE_READY if remaining else queries.LOCK_READY, tx.board, item):
            if remaining:
                await tx.fetch(queries.INSERT_GATES, tx.board, [item], [remaining])
            return True
    return False


async def _rate_again(tx: Transaction, blockers: Iterable[int]) -> None:
    """Let the leader rate these again: they have one more dependent."""
    await tx.fetch(queries.MARK_RERATED, tx.board, sorted(set(blockers)), tx.now)


async def _hold(tx: Transaction, item: int, remaining: int) -> str:
    """Put an item that is in no place behind its gate, or into `ready` if nothing is left to wait for."""
    if remaining:
        await tx.fetch(queries.INSERT_GATES, tx.board, [item], [remaining])
        return Place.GATED
    tx.wake(await tx.fetchval(queries.PLACE, tx.board, [item], True, tx.now))
    return Place.READY


def _full(reference: str, task: str) -> str:
    return "/".join(split_reference(reference if "/" in reference else f"{task}/{reference}"))
