"""Routing: what subscriptions have not seen of the log becomes deliveries, each event once for each, in order.

A step covers at most 5,000 positions of one subscription. `plan` says, for all subscriptions of a board, which events
their patterns fit; those that nothing fits move on together (`skip`). For each other one `route` applies its filter and
makes its deliveries in a transaction of its own (`route.sql`), which counts only if the cursor is still where the plan
saw it. A filter that fails or is slow pauses its own subscription. The life of deliveries and the queue's own motion
are never routed, so that no delivery begets another by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from slateboard.patterns import filters, gathering, subscriptions
from slateboard.patterns.fitting import POSITIONS, SIFT, Fit, Wanted, fitting
from slateboard.protocol.subjects import expression
from slateboard.work.intake import RATING_OF

if TYPE_CHECKING:
    from slateboard.transaction import Statement, Transaction

BOARDS = 100
SUBSCRIPTIONS = 1_000
"""Of one board, in one plan."""

BEHIND = """
SELECT h.board, h.position AS head FROM event_heads h
WHERE h.board > $1 AND (SELECT b.archived_at IS NULL FROM boards b WHERE b.id = h.board) AND (
    EXISTS (SELECT FROM subscriptions s WHERE s.board = h.board AND s.cursor < h.position AND s.paused_at IS NULL)
    OR (SELECT min(w.after_position) FROM event_waits w
        WHERE w.board = h.board AND w.ended_at IS NULL AND w.pattern IS NOT NULL) < h.position)
ORDER BY h.board LIMIT $2
"""

LAGGING = """
SELECT id, name, patterns, all_of, filter, ordered_by, priority, cursor FROM subscriptions
WHERE board = $1 AND cursor < $2 AND paused_at IS NULL ORDER BY cursor, id LIMIT $3
"""

SKIP = """
UPDATE subscriptions s SET cursor = g.upto
FROM unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS g (id, cursor, upto)
WHERE s.board = $1 AND s.id = g.id AND s.cursor = g.cursor AND s.paused_at IS NULL
"""

DELIVER = "SELECT delivered, woken FROM deliver_events($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"


@dataclass(frozen=True, slots=True)
class Step:
    """What one subscription is to see next: the events between its cursor and `upto` that its patterns fit."""

    subscription: Any
    upto: int
    fits: list[Fit]

    def to(self, position: int) -> Step:
        """No more of it than to this position."""
        return Step(self.subscription, position, [fit for fit in self.fits if fit.position <= position])


@dataclass(slots=True)
class Plan:
    """One step for each subscription of a board that is behind, and those that have nothing to see."""

    steps: list[Step] = field(default_factory=list)
    idle: list[tuple[int, int, int]] = field(default_factory=list)
    """Subscription, cursor, and where it goes."""
    more: bool = False
    """Whether a subscription is behind even after this."""


async def boards_behind(tx: Statement, *, after: int = 0) -> list[Any]:
    """Boards with a subscription or a wait that is behind: rows of board and head, by id, at most 100 after `after`."""
    return await tx.fetch(BEHIND, after, BOARDS)


async def plan(tx: Statement, *, head: int) -> Plan:
    """What the subscriptions of the board have not seen yet, one step each."""
    made = Plan()
    rows = await tx.fetch(LAGGING, tx.board, head, SUBSCRIPTIONS)
    made.more = len(rows) == SUBSCRIPTIONS
    for cursor in sorted({row["cursor"] for row in rows}):
        together = [row for row in rows if row["cursor"] == cursor]
        upto = min(head, cursor + POSITIONS)
        made.more |= upto < head
        found = await fitting(tx, [one for row in together for one in _wanted(row)], cursor, upto)
        made.steps += [Step(row, upto, found[row["id"]]) for row in together if row["id"] in found]
        made.idle += [(row["id"], cursor, upto) for row in together if row["id"] not in found]
    return made


async def skip(tx: Statement, idle: list[tuple[int, int, int]]) -> None:
    """Move on the subscriptions that have nothing to see."""
    if idle:
        await tx.fetch(SKIP, tx.board, *map(list, zip(*idle, strict=True)))


async def route(tx: Transaction, step: Step) -> int:
    """Make the deliveries of one step; returns how many, 0 too if somebody else has made them."""
    subscription = step.subscription
    wanted = sorted({fit.position for fit in step.fits})
    keys: dict[int, str | None] = {}
    if subscription["filter"] or subscription["ordered_by"]:
        rows = await filters.trial(
            tx, SIFT, tx.board, wanted[0], wanted[-1], wanted, subscription["filter"], subscription["ordered_by"]
        )
        if few := filters.fewer(rows, len(wanted)):
            return await route(tx, step.to(wanted[few - 1]))
        if isinstance(rows, str):
            await subscriptions.stop(tx, subscription["id"], rows)
            return 0
        keys = {row["position"]: row["key"] for row in rows}
        step = Step(subscription, step.upto, [fit for fit in step.fits if fit.position in keys])
    gathered: dict[int, list[int]] = {}
    fits = step.fits
    if subscription["all_of"]:
        found = await gathering.gather(tx, subscription, fits)
        if found is None:
            return 0
        gathered = found
        fits = [one for one in {fit.position: fit for fit in fits}.values() if one.position in gathered]
    return await _deliver(tx, Step(subscription, step.upto, fits), keys, gathered)


async def _deliver(tx: Transaction, step: Step, keys: dict[int, str | None], gathered: dict[int, list[int]]) -> int:
    subscription, fits = step.subscription, step.fits
    row = await tx.fetchrow(
        DELIVER,
        tx.board,
        subscription["id"],
        subscription["cursor"],
        step.upto,
        [fit.position for fit in fits],
        [fit.event for fit in fits],
        [fit.correlation for fit in fits],
        [fit.depth for fit in fits],
        [keys[fit.position] for fit in fits] if subscription["ordered_by"] else None,
        [_array(gathered.get(fit.position)) for fit in fits],
        RATING_OF[subscription["priority"]],
        tx.now,
    )
    if row is None:
        return 0
    tx.wake(row["woken"])
    return row["delivered"]


def _wanted(row: Any) -> list[Wanted]:
    """What a subscription wants: any of its patterns at once, or (`all_of`) each by its number."""
    each = [expression(pattern) for pattern in row["patterns"]]
    if row["all_of"]:
        return [Wanted(row["id"], number, one) for number, one in enumerate(each)]
    return [Wanted(row["id"], 0, "|".join(each))]


def _array(positions: list[int] | None) -> str | None:
    return None if positions is None else "{" + ",".join(map(str, positions)) + "}"
