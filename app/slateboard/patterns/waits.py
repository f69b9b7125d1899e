"""Waits: running work that waits for an event or a time gives its claim back, and is gated until one of them comes.

The first event since its claim began that fits pattern and filter ends the wait, so that an answer which came before
the wait is not missed; looked for among the last 10,000 of the log at most. Without one its time ends it. The next
attempt's briefing has it as `awaited`.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from slateboard.patterns import filters
from slateboard.patterns.fitting import POSITIONS, SIFT, Wanted, fitting
from slateboard.protocol.errors import Invalid
from slateboard.protocol.events import Subject
from slateboard.protocol.names import BoardId
from slateboard.protocol.rights import Right
from slateboard.protocol.states import Outcome, Place
from slateboard.protocol.subjects import check_pattern, expression
from slateboard.work import leases, queries

if TYPE_CHECKING:
    from slateboard.transaction import Transaction

MAX_SECONDS = 30 * 86_400.0
BATCH = 1_000
"""Waits looked at in one step."""

# Where the claim stands in the log: events of one board are sealed in the order of their ids, but for late committers.
CLAIMED_AT = """
SELECT greatest(h.position - 10000, coalesce(
           (SELECT e.position FROM events e
            WHERE e.board = $1 AND e.position > h.position - 10000 AND e.id <= $2
            ORDER BY e.position DESC LIMIT 1), h.position - 10000), 0)
FROM event_heads h WHERE h.board = $1
"""

BEGIN = """
INSERT INTO event_waits (board, item, pattern, filter, after_position, deadline) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (board, item) DO UPDATE
SET pattern = excluded.pattern, filter = excluded.filter, after_position = excluded.after_position,
    deadline = excluded.deadline, position = NULL, error = NULL, ended_at = NULL
"""

WAITING = """
SELECT item, pattern, filter, after_position FROM event_waits
WHERE board = $1 AND ended_at IS NULL AND pattern IS NOT NULL AND after_position < $2
ORDER BY after_position, item LIMIT $3 FOR UPDATE SKIP LOCKED
"""

LOOKED_AT = "UPDATE event_waits SET after_position = $3 WHERE board = $1 AND item = ANY ($2::bigint[])"

OVERDUE = """
SELECT board, array_agg(item ORDER BY item) AS items FROM (
    SELECT w.board, w.item FROM event_waits w
    WHERE w.ended_at IS NULL AND w.deadline <= $1
      AND (SELECT b.archived_at IS NULL FROM boards b WHERE b.id = w.board)
    ORDER BY w.deadline LIMIT $2 FOR UPDATE SKIP LOCKED) AS due
GROUP BY board ORDER BY board
"""

END = "SELECT end_waits($1, $2, $3, $4, $5)"


async def wait_for(
    tx: Transaction,
    *,
    item: int,
    fence: int,
    pattern: str | None = None,
    filter: str | None = None,  # noqa: A002  the word that every door uses
    timeout_seconds: float,
    note: str | None = None,
) -> dict[str, Any]:
    """Give a claim back until an event comes that fits, or `timeout_seconds` (at most 30 days) are over.

    Without a pattern it waits for the time alone. Raises `LeaseLost`, `BadSubject`, `NoProgress`,
    `Invalid` (filter, time).
    """
    tx.require(Right.AGENT)
    if not 0 < timeout_seconds <= MAX_SECONDS:
        raise Invalid("a wait lasts more than 0 s and at most 30 days", remedy="choose a time-out in that range")
    if pattern is None and filter is not None:
        raise Invalid("a filter without a pattern fits nothing", remedy="give a pattern, e.g. genbrain.events.>")
    if pattern is not None:
        check_pattern(pattern)
    await filters.check(tx, filter, "filter")
    lease = await leases.own(tx, item=item, fence=fence)
    await leases.check_progress(tx, item)
    row = await leases.give_up(tx, item=item, fence=fence, outcome=Outcome.BLOCKED, note=note)
    await tx.fetch(queries.INSERT_GATES, tx.board, [item], [1])
    after = await tx.fetchval(CLAIMED_AT, tx.board, lease["cause"]) or 0
    deadline = tx.now + timedelta(seconds=timeout_seconds)
    await tx.fetch(BEGIN, tx.board, item, pattern, filter, after, deadline)
    told = {"item": item, "reference": row["reference"], "pattern": pattern, "filter": filter, "deadline": deadline}
    subject = Subject.ITEM_WAITING.of(row["kind"])
    tx.record(subject, {**told, "fence": fence, "note": note, "after_position": after})
    return {**told, "place": Place.GATED}


async def match(tx: Transaction, *, head: int) -> int:
    """End waits of the board whose event has come, in one bounded step; returns how many were looked at.

    Those whose filters are too slow for one step are left to the next, and it returns as many as a full one.
    """
    rows = await tx.fetch(WAITING, tx.board, head, BATCH)
    ended: dict[int, tuple[int | None, str | None]] = {}
    filtered, left = 0, set[int]()
    end = time.monotonic() + filters.MOST_SECONDS
    for after in sorted({row["after_position"] for row in rows}):
        together = {row["item"]: row for row in rows if row["after_position"] == after}
        upto = min(head, after + POSITIONS)
        wanted = [Wanted(item, 0, expression(row["pattern"])) for item, row in together.items()]
        for item, fits in (await fitting(tx, wanted, after, upto)).items():
            path = together[item]["filter"]
            if path and filtered and time.monotonic() > end:
                left.add(item)
                continue
            filtered += path is not None
            positions = [fit.position for fit in fits]
            found = await _fitting(tx, positions, path)
            while few := filters.fewer(found, len(positions)):
                positions = positions[:few]
                left.add(item)
                found = await _fitting(tx, positions, path)
            if isinstance(found, str):
                ended[item] = (None, found)
            elif found:
                ended[item] = (found[0]["position"], None)
            elif item in left:
                await tx.fetch(LOOKED_AT, tx.board, [item], positions[-1])
        await tx.fetch(LOOKED_AT, tx.board, [item for item in together if item not in ended and item not in left], upto)
    await _end(tx, tx.board, ended)
    return BATCH if left else len(rows)


async def time_out(tx: Transaction, *, limit: int = 500) -> int:
    """End waits whose time is over, at most `limit`, whatever the board; returns how many."""
    rows = await tx.fetch(OVERDUE, tx.now, limit)
    for row in rows:
        tx.board = BoardId(row["board"])
        await _end(tx, tx.board, dict.fromkeys(row["items"], (None, None)))
    return sum(len(row["items"]) for row in rows)


async def _fitting(tx: Transaction, positions: list[int], path: str | None) -> list[Any] | str:
    """Those of these events that meet the filter, in order; in words, why the filter cannot be used."""
    if path is None:
        return [{"position": positions[0]}]
    return await filters.trial(tx, SIFT, tx.board, positions[0], positions[-1], positions, path, None)


async def _end(tx: Transaction, board: BoardId, ended: dict[int, tuple[int | None, str | None]]) -> None:
    if ended:
        items = sorted(ended)
        columns = [[ended[item][0] for item in items], [ended[item][1] for item in items]]
        tx.wake(await tx.fetchval(END, board, items, *columns, tx.now), board=board)
