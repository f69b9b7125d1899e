"""What the leader does again and again: ordinary bounded actions of the packages below, called in loops.

A chore holds no logic. Its step runs one action and says how many seconds may pass before the next; a full batch is
followed by another at once. A step that fails is told once for each kind of error and tried again, later and later,
and stops no other chore. All of them end together when the leader's lease is lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from slateboard.board import boards
from slateboard.patterns import (
    delegation,
    escalations,
    failures,
    forgetting,
    openings,
    publishing,
    schedules,
    spending,
    verification,
    waits,
)
from slateboard.patterns.meetings import timing
from slateboard.protocol.errors import SlateError
from slateboard.protocol.names import BoardId
from slateboard.protocol.rights import SYSTEM
from slateboard.sdk.backoff import Backoff
from slateboard.server import checkpointing, routing, sealing, upkeep
from slateboard.server.duty import Duty
from slateboard.store.driver_errors import translate
from slateboard.transaction import hot, writing
from slateboard.work import dead_letters, gates, health, leases, ratings, resources, schedule

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from slateboard.transaction import Transaction

log = logging.getLogger(__name__)

Due = TypeVar("Due")

BATCH = 500
ESCALATIONS = 100
MEETINGS = 100
MOST_WAIT_SECONDS = 30.0
"""The longest wait before a chore that fails is tried again."""
EXPIRE_SECONDS = 0.5
PROMOTE_SECONDS = 0.25
UNLOCK_SECONDS = 0.1
RATE_SECONDS = 1.0
DUE_SECONDS = 1.0
TIME_LIMIT_SECONDS = 2.0
STALL_SECONDS = 5.0
SWEEP_SECONDS = 60.0
FORGET_SECONDS = 30.0
FORGET_OLD_SECONDS = 3_600.0
SCHEDULE_SECONDS = 0.5
BUDGET_SECONDS = 0.5
ARCHIVE_SECONDS = 30.0
PURGE_SECONDS = 10.0
PURGE_PAUSE_SECONDS = 0.05
"""Between two batches of a deleted board: nobody waits for its end."""
NO_BOARD = BoardId(0)
"""A chore serves all boards; each statement names the one it is about."""


async def expire_leases(duty: Duty) -> float:
    """Take back the leases that ran out, and wake who may claim what they held."""
    async with hot(duty.database, SYSTEM, NO_BOARD) as tx:
        rows = await leases.expire_due(tx, limit=BATCH, now=duty.now)
    for board in {row["board"] for row in rows}:
        duty.wake(BoardId(board), {inbox for row in rows if row["board"] == board for inbox in row["woken"]})
    return 0.0 if len(rows) == BATCH else EXPIRE_SECONDS


async def end_overlong(duty: Duty) -> float:
    """End what takes longer than it may, and wake who may try it again."""
    async with hot(duty.database, SYSTEM, NO_BOARD) as tx:
        rows = await health.end_overlong(tx, limit=BATCH, now=duty.now)
    for board in {row["board"] for row in rows}:
        duty.wake(BoardId(board), {inbox for row in rows if row["board"] == board for inbox in row["woken"]})
    return 0.0 if len(rows) == BATCH else TIME_LIMIT_SECONDS


async def tell_stalled(duty: Duty) -> float:
    """Tell of what runs and makes no progress."""
    async with _writing(duty) as tx:
        told = await health.tell_stalled(tx, limit=BATCH)
    return 0.0 if told >= BATCH else STALL_SECONDS


async def tell_due(duty: Duty) -> float:
    """Tell of what comes near its `due`, or has passed it."""
    async with _writing(duty) as tx:
        told = await health.tell_due(tx, limit=BATCH)
    return 0.0 if told >= BATCH else DUE_SECONDS


async def promote_scheduled(duty: Duty) -> float:
    """Make ready what only time held."""
    async with _writing(duty) as tx:
        promoted = await schedule.promote(tx, limit=BATCH)
    return 0.0 if promoted >= BATCH else PROMOTE_SECONDS


async def unlock_more(duty: Duty) -> float:
    """Open the next part of a wide fan-out."""
    async with _writing(duty) as tx:
        unlocked = await gates.unlock_more(tx)
    return 0.0 if unlocked else UNLOCK_SECONDS


async def rate_again(duty: Duty) -> float:
    """Rate what time has made more urgent."""
    async with hot(duty.database, SYSTEM, NO_BOARD) as tx:
        rated = await ratings.refresh(tx, limit=BATCH, now=duty.now)
    return 0.0 if rated >= BATCH else RATE_SECONDS


async def sweep_gates(duty: Duty) -> float:
    """Look through all gates, page by page, for one that is shut without cause."""
    after = (0, 0)
    while True:
        async with _writing(duty) as tx:
            after = await gates.sweep(tx, after=after)
        if after == (0, 0):
            return SWEEP_SECONDS


async def forget_published(duty: Duty) -> float:
    """Forget the ids of what was published more than two minutes ago."""
    async with _writing(duty) as tx:
        forgotten = await publishing.forget(tx, limit=BATCH)
    return 0.0 if forgotten >= BATCH else FORGET_SECONDS


async def forget_old(duty: Duty) -> float:
    """Forget the chains, gatherings and waits whose time is over, page by page."""
    for kept in forgetting.EVERYTHING:
        after = kept.first
        while after is not None:
            async with _writing(duty) as tx:
                after = await forgetting.forget(tx, kept, after=after)
    return FORGET_OLD_SECONDS


async def purge_boards(duty: Duty) -> float:
    """Delete what is left of deleted boards."""
    async with hot(duty.database, SYSTEM, NO_BOARD) as tx:
        purged = await boards.purge(tx, limit=BATCH)
    return PURGE_PAUSE_SECONDS if purged else PURGE_SECONDS


async def time_out_waits(duty: Duty) -> float:
    """End the waits for an event whose time is over."""
    async with _writing(duty) as tx:
        ended = await waits.time_out(tx, limit=BATCH)
    return 0.0 if ended >= BATCH else PROMOTE_SECONDS


async def escalate(duty: Duty) -> float:
    """Take what nobody has answered or judged in time one level up, or to its end; tell of breakers."""
    async with _writing(duty) as tx:
        moved = await escalations.time_out(tx, limit=ESCALATIONS)
        asked = await verification.time_out(tx, limit=ESCALATIONS)
        opened = await openings.tell(tx, limit=ESCALATIONS)
    return 0.0 if max(moved, asked, opened) >= ESCALATIONS else PROMOTE_SECONDS


async def hold_meetings(duty: Duty) -> float:
    """Begin, open, move and end meetings whose time has come, and the turns in them."""
    async with hot(duty.database, SYSTEM, NO_BOARD) as tx:
        due = await timing.due(tx, now=duty.now, limit=MEETINGS)
    await _each(duty, due, timing.time_out)
    return 0.0 if len(due) >= MEETINGS else PROMOTE_SECONDS


async def settle_delegations(duty: Duty) -> float:
    """Acknowledge what agents were heard of after, and find others for what they were silent about."""
    async with hot(duty.database, SYSTEM, NO_BOARD) as tx:
        due = await delegation.due(tx, now=duty.now, limit=BATCH)
    await _each(duty, due, delegation.settle)
    return 0.0 if sum(len(rows) for _, rows in due) >= BATCH else SCHEDULE_SECONDS


async def _each(
    duty: Duty, due: Sequence[tuple[BoardId, Due]], settle: Callable[[Transaction, Due], Awaitable[None]]
) -> None:
    """A change of its own for each, on its board: one that fails is told when the others are done."""
    troubles: list[Exception] = []
    for board, one in due:
        try:
            async with writing(duty.database, SYSTEM, board, now=duty.now, wake=duty.wake) as tx:
                await settle(tx, one)
        except Exception as error:  # noqa: BLE001  one does not hold up the others; it is told below
            troubles.append(error)
    if troubles:
        raise troubles[0]


async def undo_failures(duty: Duty) -> float:
    """Undo what was completed of tasks that failed, board by board."""
    async with hot(duty.database, SYSTEM, NO_BOARD) as tx:
        behind = await failures.boards_behind(tx)
    more = False
    for board in behind:
        async with writing(duty.database, SYSTEM, board, now=duty.now, wake=duty.wake) as tx:
            more |= await failures.act(tx)
    return 0.0 if more else PROMOTE_SECONDS


async def free_held(duty: Duty) -> float:
    """Look through what budgets, limits and resources hold, page by page, for what may go on."""
    after = (0, 0)
    while True:
        async with _writing(duty) as tx:
            after = await resources.free_held(tx, after=after)
        if after == (0, 0):
            return PROMOTE_SECONDS


async def archive_dead_letters(duty: Duty) -> float:
    """Discard the oldest dead letters of boards that have too many."""
    async with _writing(duty) as tx:
        archived = await dead_letters.archive(tx, limit=BATCH)
    return 0.0 if archived >= BATCH else ARCHIVE_SECONDS


async def watch_budgets(duty: Duty) -> float:
    """Stop claims where a budget is used up, and warn before."""
    async with _writing(duty) as tx:
        changed = await spending.watch(tx, limit=BATCH)
    return 0.0 if changed >= BATCH else BUDGET_SECONDS


async def publish_due(duty: Duty) -> float:
    """Publish the events of schedules whose time has come."""
    async with _writing(duty) as tx:
        published = await schedules.publish_due(tx, limit=BATCH)
    if published:
        duty.grown.set()
    return 0.0 if published >= BATCH else SCHEDULE_SECONDS


@asynccontextmanager
async def _writing(duty: Duty) -> AsyncGenerator[Transaction]:
    """A change by the server itself; wakes after the commit whom it concerns."""
    async with writing(duty.database, SYSTEM, NO_BOARD, now=duty.now, wake=duty.wake) as tx:
        yield tx


@dataclass(frozen=True, slots=True)
class Chore:
    """One loop: what it is called in the log, and its step, which returns the seconds until the next."""

    name: str
    step: Callable[[Duty], Awaitable[float]]


CHORES = (
    Chore(sealing.NAME, sealing.seal_for_ever),
    Chore(routing.NAME, routing.route_for_ever),
    Chore("escalate what nobody answers", escalate),
    Chore("settle delegations", settle_delegations),
    Chore("hold meetings", hold_meetings),
    Chore("undo what failed", undo_failures),
    Chore("archive dead letters", archive_dead_letters),
    Chore("watch the budgets", watch_budgets),
    Chore("free what was held", free_held),
    Chore("publish what is due", publish_due),
    Chore("time out waits", time_out_waits),
    Chore("forget published ids", forget_published),
    Chore("forget old chains", forget_old),
    Chore("empty deleted boards", purge_boards),
    Chore("take back expired leases", expire_leases),
    Chore("end what takes too long", end_overlong),
    Chore("tell what makes no progress", tell_stalled),
    Chore("tell what is due", tell_due),
    Chore("promote scheduled items", promote_scheduled),
    Chore("open the rest of a fan-out", unlock_more),
    Chore("rate again", rate_again),
    Chore("sweep the gates", sweep_gates),
    Chore("sign checkpoints of the log", checkpointing.sign_checkpoints),
    Chore("make partitions", upkeep.make_partitions),
    Chore("archive old events", upkeep.archive_events),
    Chore("vacuum", upkeep.vacuum),
)


async def run(duty: Duty, chores: tuple[Chore, ...] = CHORES) -> None:
    """Run all chores side by side, until it is cancelled; then all have ended."""
    duty.troubles.clear()
    async with asyncio.TaskGroup() as group:
        for chore in chores:
            group.create_task(repeat(chore, duty), name=f"chore: {chore.name}")


async def repeat(chore: Chore, duty: Duty) -> None:
    """Run one chore for ever; a kind of error is told once, and told again only after it worked in between."""
    backoff = Backoff(most_seconds=MOST_WAIT_SECONDS)
    told: set[str] = set()
    while True:
        try:
            pause = await chore.step(duty)
        except Exception as raised:
            error = translate(raised)
            kind = error.code if isinstance(error, SlateError) else type(error).__name__
            if chore.name not in duty.troubles:
                told.clear()
                backoff.reset()
            duty.troubles[chore.name] = f"cannot {chore.name}: {error or kind}"
            if kind not in told:
                told.add(kind)
                unexpected = None if isinstance(error, SlateError) else error
                log.warning("cannot %s: %s", chore.name, error or kind, exc_info=unexpected)
            pause = backoff.next_seconds()
        else:
            duty.works_again(chore.name)
        await asyncio.sleep(pause)
