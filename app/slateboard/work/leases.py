"""Leases: the time limit of a claim, on the database's clock. A heartbeat renews; an absent row means that the right is
gone; the leader takes back what ran out. The fence decides, not the clock: a finish that comes late but before the item
was taken back is accepted.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

from slateboard.protocol.errors import Invalid, LeaseLost, NoProgress, TooLarge
from slateboard.protocol.rights import Right
from slateboard.protocol.states import ItemKind, Outcome
from slateboard.protocol.work import MAX_BATCH, MAX_CONTENT_BYTES, Beat, Renewed
from slateboard.work import breakers, claims, queries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from slateboard.transaction import Statement, Transaction


# A claim ends on the way to something else than `finish_items`, at $9 or now; `watched` where breakers must know of it.
GIVE_UP = """
WITH gone AS (
    DELETE FROM leases l
    WHERE l.board = $1 AND l.item = $2 AND l.fence = $3 AND ($4::bigint IS NULL OR l.agent = $4)
    RETURNING l.*, coalesce($9::timestamptz, clock_timestamp()) AS now
), kept AS (
    INSERT INTO attempts (board, item, attempt, fence, agent, worker, started_at, outcome, note, usage, digest,
                          ended_at)
    SELECT board, item, attempt, fence, agent, worker, claimed_at, $5, $6, $7::text::jsonb, $8, now FROM gone
)
UPDATE work_items w SET attempts = g.attempt, run_at = NULL FROM gone g WHERE w.board = $1 AND w.id = $2
RETURNING w.reference, w.kind, w.artifact, w.revision, w.inbox, w.base_rating, w.correlation, w.depth,
          g.item, g.fence, g.agent, g.cause, g.now, EXISTS (SELECT FROM failure_runs f WHERE f.board = $1) AS watched
"""


async def renew(tx: Statement, *, beats: Sequence[Beat], lease_seconds: float | None = None) -> list[Renewed]:
    """Renew many leases in one statement, by their own length or `lease_seconds`; one answer for each beat."""
    tx.require(Right.AGENT)
    if lease_seconds is not None:
        claims.check_lease(lease_seconds)
    if len(beats) > MAX_BATCH:
        raise Invalid(f"a heartbeat carries at most {MAX_BATCH} items, not {len(beats)}", remedy="send several")
    ordered = sorted(beats, key=lambda beat: beat.item)
    rows = await tx.fetch(
        queries.RENEW,
        tx.board,
        [beat.item for beat in ordered],
        [beat.fence for beat in ordered],
        [beat.percent for beat in ordered],
        [beat.progress for beat in ordered],
        lease_seconds,
        tx.actor.limited_to,
    )
    renewed = {(row["item"], row["fence"]): row["expires_at"] for row in rows}
    lost = [(beat.item, beat.fence) for beat in beats if (beat.item, beat.fence) not in renewed]
    losses = await claims.explain_losses(tx, lost) if lost else {}
    return [
        Renewed(
            item=beat.item,
            expires_at=renewed.get((beat.item, beat.fence)),
            error=losses.get((beat.item, beat.fence)),
        )
        for beat in beats
    ]


async def hold(tx: Transaction, *, item: int, fence: int) -> None:
    """Let a change belong to the work of this claim, which cannot end before it. Raises `LeaseLost`."""
    row = await tx.fetchrow(queries.HOLD_CLAIM, tx.board, item, fence, tx.actor.limited_to)
    if row is None:
        await _lose(tx, item, fence)
    tx.correlation = row["correlation"] or tx.correlation
    tx.cause, tx.depth = row["cause"], row["depth"]
    if row["kind"] == ItemKind.HANDLE:
        tx.traceparent = await tx.fetchval(queries.TRACE_OF_DELIVERY, tx.board, item)


async def _lose(tx: Statement, item: int, fence: int) -> NoReturn:
    losses = await claims.explain_losses(tx, [(item, fence)])
    raise losses.get((item, fence)) or LeaseLost(f"there is no claim of item {item} under fence {fence}")


async def own(tx: Transaction, *, item: int, fence: int) -> Any:
    """The lease of this claim, held, to be ended by `give_up`. Raises `LeaseLost`."""
    held = await tx.fetch(queries.LOCK_LEASES, tx.board, [item])
    return await check_own(tx, held[0] if held else None, item=item, fence=fence)


async def check_own(tx: Transaction, lease: Any, *, item: int, fence: int) -> Any:
    """The lease that an item has, held, if it is the one of this claim. Raises `LeaseLost`."""
    only = tx.actor.limited_to
    if lease is not None and lease["fence"] == fence and (only is None or lease["agent"] == only):
        return lease
    return await _lose(tx, item, fence)


async def check_progress(tx: Statement, item: int) -> None:
    """Refuse to end an attempt without a result once too often in a row. Raises `NoProgress`."""
    error: str | None = await tx.fetchval("SELECT no_progress($1, $2)", tx.board, item)
    if error is not None:
        raise NoProgress(error, remedy="finish the work, or fail it; the claim is still held", item=item)


async def give_up(
    tx: Transaction,
    *,
    item: int,
    fence: int,
    outcome: Outcome,
    note: str | None = None,
    usage: str | None = None,
    digest: bytes | None = None,
) -> Any:
    """End a claim and keep its attempt; what the transaction then says belongs to its work. Raises `LeaseLost`.

    `usage` is JSON; by the `digest` of its content a finish that is repeated is answered as the first time. A change
    without a time takes place now.

    The item is held and in no place then. Returns its `reference`, `kind`, `artifact`, `revision`, `inbox`,
    `base_rating`, `correlation` and `depth`, and the `agent` whose claim it was.
    """
    now = getattr(tx, "now", None)
    row = await tx.fetchrow(
        GIVE_UP, tx.board, item, fence, tx.actor.limited_to, outcome.value, note, usage, digest, now
    )  # fmt: skip
    if row is None:
        await _lose(tx, item, fence)
    tx.takes_place_at(row["now"])
    if row["watched"]:
        await breakers.settle(tx, [row], outcome=outcome)
    tx.correlation = row["correlation"] or tx.correlation
    tx.cause, tx.depth = row["cause"], row["depth"]
    return row


async def checkpoint(tx: Statement, *, item: int, fence: int, data: Any = None, note: str | None = None) -> None:
    """Keep data (JSON) or a hand-over note for the attempt that follows; renews the lease. Raises `LeaseLost`."""
    tx.require(Right.AGENT)
    try:
        text = None if data is None else json.dumps(data, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise Invalid(f"the checkpoint is not JSON: {error}", remedy="keep numbers, texts, lists, objects") from error
    if note is not None and len(note) > MAX_CONTENT_BYTES:
        raise TooLarge("a note is limited to 1 MiB", remedy="write a file and keep its path")
    if text is not None and len(text) > MAX_CONTENT_BYTES:
        raise TooLarge("a checkpoint is limited to 1 MiB", remedy="write a file and keep its path")
    if await tx.fetchval(queries.CHECKPOINT, tx.board, item, fence, tx.actor.limited_to, text, note) is None:
        raise (await claims.explain_losses(tx, [(item, fence)]))[item, fence]


async def mine(tx: Statement, *, agent: int) -> list[dict[str, Any]]:
    """What this agent holds now, oldest first, with the notes and checkpoints that it left."""
    tx.require(Right.READER)
    return [dict(row) for row in await tx.fetch(queries.MINE, tx.board, agent)]


async def expire_due(tx: Statement, *, limit: int = 500, now: datetime | None = None) -> list[Any]:
    """Take back leases that ran out, at most `limit`: rows of board, item, place and the inboxes to wake."""
    return await tx.fetch(queries.EXPIRE, limit, now)
