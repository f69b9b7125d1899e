"""Limits: how many items of an agent, a capability or a key run at once, or how many start in so many seconds.

They hold exactly, however many workers claim (`work/guard.sql`): what runs has a numbered slot while its lease is
there, and each start takes one from a bucket that fills evenly and holds one full rate at most. A key is a name among
the `keys` of artifacts. A limit that is lowered ends nothing that runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.board import agents
from slateboard.board import queries as board_queries
from slateboard.protocol.errors import Invalid, UnknownName
from slateboard.protocol.events import Subject
from slateboard.protocol.names import check_name
from slateboard.protocol.rights import Right
from slateboard.work import inboxes

if TYPE_CHECKING:
    from slateboard.transaction import ReadTransaction, Transaction

MAX_LIMITS = 1_000
MOST = 100_000
"""Items at once, or starts in one period."""
MAX_PER_SECONDS = 30 * 86_400.0
MAX_WOKEN = 1_000

SET = """
INSERT INTO limits (board, scope, name, inbox, concurrency, rate, per_seconds, tokens, filled_at, set_by, set_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, coalesce($6, 0), $9, $8, $9)
ON CONFLICT (board, scope, name) DO UPDATE
SET concurrency = excluded.concurrency, rate = excluded.rate, per_seconds = excluded.per_seconds,
    tokens = CASE WHEN limits.rate IS NULL THEN excluded.tokens ELSE in_bucket(limits, excluded.filled_at) END,
    filled_at = excluded.filled_at, set_by = excluded.set_by, set_at = excluded.set_at
RETURNING scope, name, concurrency, rate, per_seconds, set_by, set_at
"""

REMOVE = "DELETE FROM limits WHERE board = $1 AND scope = $2 AND name = $3 RETURNING scope"

SHOWN = """
SELECT l.scope, l.name, l.concurrency, l.rate, l.per_seconds, l.set_by, l.set_at,
       (SELECT count(*) FROM limit_slots s, LATERAL (SELECT FROM leases e WHERE e.board = s.board AND e.item = s.item
                                                     AND e.fence = s.fence OFFSET 0) AS e
        WHERE s.board = l.board AND s.scope = l.scope AND s.name = l.name) AS running
FROM limits l WHERE l.board = $1 ORDER BY l.scope, l.name LIMIT $2
"""


async def set_limit(
    tx: Transaction,
    *,
    scope: str,
    name: str,
    concurrency: int | None = None,
    rate: int | None = None,
    per_seconds: float | None = None,
) -> dict[str, Any]:
    """Limit an agent, a capability or a key (`scope`): items at once, `rate` starts in `per_seconds`, or both.

    It replaces the one before. Raises `UnknownName` (the agent), `BadName`, `Invalid`.
    """
    tx.require(Right.OPERATOR)
    if concurrency is None and rate is None:
        raise Invalid("a limit has a concurrency, a rate, or both", remedy="name at least one of them")
    if (rate is None) != (per_seconds is None):
        raise Invalid("a rate is so many starts in so many seconds", remedy="name both: rate and per_seconds")
    for what, number in (("concurrency", concurrency), ("rate", rate)):
        if number is not None and not 0 < number <= MOST:
            raise Invalid(f"a {what} is 1 to {MOST:,}, not {number}", remedy="choose a number in that range")
    if per_seconds is not None and not 0 < per_seconds <= MAX_PER_SECONDS:
        raise Invalid("a rate is over more than 0 s and at most 30 days", remedy="choose a period in that range")
    if await tx.fetchval("SELECT count(*) FROM limits WHERE board = $1", tx.board) >= MAX_LIMITS:
        raise Invalid(f"a board has at most {MAX_LIMITS:,} limits", remedy="remove one that is not needed")
    inbox = await _inbox(tx, scope, name)
    values = (scope, name, inbox, concurrency, rate, per_seconds, tx.actor.name, tx.now)
    row = dict(await tx.fetchrow(SET, tx.board, *values))
    tx.record(Subject.LIMIT_SET, {"limit": row})
    await _wake(tx)
    return row


async def remove_limit(tx: Transaction, *, scope: str, name: str) -> dict[str, Any]:
    """Take a limit away. Raises `UnknownName`."""
    tx.require(Right.OPERATOR)
    if await tx.fetchrow(REMOVE, tx.board, scope, name) is None:
        raise UnknownName(f"there is no limit of the {scope} {name[:80]!r}", remedy="see `slate limit list`")
    tx.record(Subject.LIMIT_REMOVED, {"scope": scope, "name": name})
    await _wake(tx)
    return {"scope": scope, "name": name}


async def list_limits(tx: ReadTransaction) -> list[dict[str, Any]]:
    """The limits of the board, each with how many items it lets run now."""
    tx.require(Right.READER)
    return [dict(row) for row in await tx.fetch(SHOWN, tx.board, MAX_LIMITS)]


async def _inbox(tx: Transaction, scope: str, name: str) -> int:
    """The inbox that a limit looks at; 0 for a key."""
    if scope == "agent":
        return (await agents.ids(tx, [name]))[name]
    check_name(name, scope)
    if scope == "capability":
        return (await inboxes.open_to(tx, [name]))[name]
    if scope != "key":
        raise Invalid(f"nothing is limited by {scope[:80]!r}", remedy="one of: agent, capability, key")
    return 0


async def _wake(tx: Transaction) -> None:
    for row in await tx.fetch(board_queries.RESUMED_AGENTS, tx.board, 0, MAX_WOKEN):
        tx.wake([row["id"]])
