"""Forgetting: what the choreography keeps only for a time. One page of one table at a time, whatever the board.

A chain to which nothing was delivered for a week counts from nothing if it goes on; a gathering that grew no more for
90 days is given up; how a wait ended is forgotten 30 days after it, if its work is finished. Deliveries themselves are
history and stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slateboard.transaction import Transaction

CHAIN_DAYS = 7
GATHERING_DAYS = 90
WAIT_DAYS = 30
PAGE = 1_000

# What somebody else holds is left to the next time: it is in use.
FORGET = """
WITH page AS MATERIALIZED (
    SELECT k.ctid AS place, {key}, {over} AS over FROM {table} k
    WHERE ({key}) > ({after}) ORDER BY {key} LIMIT $1
),
gone AS (
    DELETE FROM {table} WHERE ctid = ANY (ARRAY(
        SELECT k.ctid FROM {table} k
        WHERE k.ctid = ANY (ARRAY(SELECT p.place FROM page p WHERE p.over)) AND {over} FOR UPDATE SKIP LOCKED))
)
SELECT {key} FROM page k ORDER BY {key} OFFSET $1 - 1 LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """A table whose rows are kept so many days, with its key and what comes before the first."""

    sql: str
    first: tuple[Any, ...]
    days: int


def _kept(table: str, key: str, over: str, first: tuple[Any, ...], days: int) -> Kept:
    after = ", ".join(f"${number}" for number in range(3, 3 + len(first)))
    return Kept(FORGET.format(table=table, key=key, over=over, after=after), first, days)


CHAINS = _kept("chains", "k.board, k.correlation", "k.delivered_at <= $2", (0, ""), CHAIN_DAYS)
GATHERINGS = _kept(
    "gatherings", "k.board, k.subscription, k.correlation", "k.gathered_at <= $2", (0, 0, ""), GATHERING_DAYS
)
WAITS = _kept(
    "event_waits",
    "k.board, k.item",
    "(k.ended_at <= $2 AND (SELECT w.outcome FROM work_items w WHERE w.board = k.board AND w.id = k.item) IS NOT NULL)",
    (0, 0),
    WAIT_DAYS,
)
EVERYTHING = (CHAINS, GATHERINGS, WAITS)


async def forget(
    tx: Transaction, kept: Kept, *, after: tuple[Any, ...] | None = None, limit: int = PAGE
) -> tuple[Any, ...] | None:
    """Forget what is over in one page of a table; returns where the next page begins, None after the last."""
    row = await tx.fetchrow(kept.sql, limit, tx.now - timedelta(days=kept.days), *(after or kept.first))
    return None if row is None else tuple(row)
