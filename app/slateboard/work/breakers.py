"""Circuit breakers: an agent whose items fail one after the other gets no more of them for a while.

A breaker opens at a number of items in a row that failed (an item counts once, at its first failure; interruptions and
validation errors do not), and a success starts the count anew. After its recovery time exactly one probe goes through,
whatever the number of workers and servers; only the probe's own outcome closes or reopens it, and one that comes to no
outcome (released, interrupted, taken back) counts for nothing: the next claim is the probe. What waits in the queue is
never rewritten. What happens at claims and their ends is in `breakers.sql`; here is what people do with breakers.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from slateboard.board import agents
from slateboard.protocol.errors import Invalid, WrongState
from slateboard.protocol.events import Subject
from slateboard.protocol.rights import Right
from slateboard.protocol.states import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from slateboard.transaction import ReadTransaction, Transaction

MAX_THRESHOLD = 1_000
MAX_RECOVERY_SECONDS = 30 * 86_400.0
MAX_SHOWN = 1_000
MAX_HISTORY = 50
MAX_REASON_CHARACTERS = 1_000
BOARD_DEFAULT = 0
"""The agent id that means all agents without rules of their own, in `breaker_settings`."""
BUILT_IN: dict[str, Any] = {
    "failure_threshold": 3, "recovery_seconds": 300.0, "fallback": "escalate_to_human", "substitute": None,
}  # fmt: skip
"""The rules where neither the agent nor the board has any; `breaker_rules` says the same."""


class Fallback(StrEnum):
    """What becomes of an agent's work while its breaker is open."""

    ESCALATE_TO_HUMAN = "escalate_to_human"
    QUEUE_FOR_RETRY = "queue_for_retry"
    PROCEED_WITH_WARNING = "proceed_with_warning"
    REASSIGN = "reassign"


SETTLE = """
SELECT settle_breakers($1, $2, $3, $4, array_fill($5::text, ARRAY[cardinality($2::bigint[])]), NULL, $6, $7, $8)
WHERE EXISTS (SELECT FROM failure_runs f WHERE f.board = $1)
"""

# Half-open is also one that would let the next claim through; a probe whose claim is gone is none any more.
SHOWN = """
SELECT g.name AS agent,
       CASE WHEN c.agent IS NULL THEN 'closed' WHEN c.until <= $3 THEN 'half_open' ELSE 'open' END AS state,
       coalesce(f.failed, 0) AS failed, c.reason, c.since, c.until, coalesce(c.fallback, r.fallback) AS fallback,
       u.name AS substitute, r.failure_threshold, r.recovery_seconds, l.item AS probe, c.escalation
FROM agents g
LEFT JOIN circuit_breakers c ON c.board = g.board AND c.agent = g.id
LEFT JOIN failure_runs f ON f.board = g.board AND f.agent = g.id
LEFT JOIN leases l ON l.board = g.board AND l.item = c.probe_item AND l.fence = c.probe_fence
CROSS JOIN LATERAL breaker_rules($1, g.id) AS r
LEFT JOIN agents u ON u.board = g.board
                  AND u.id = CASE WHEN c.agent IS NULL THEN r.substitute ELSE c.substitute END
WHERE g.board = $1 AND ($2::bigint IS NULL AND (c.agent IS NOT NULL OR f.failed > 0) OR g.id = $2)
ORDER BY c.since NULLS LAST, g.name LIMIT $4
"""

HISTORY = """
SELECT e.position, e.subject, e.actor, e.happened_at,
       coalesce(e.payload::jsonb->>'reason', e.payload::jsonb->'breaker'->>'reason') AS reason
FROM events e
WHERE e.board = $1 AND e.correlation = $2 AND e.subject LIKE 'board.breaker.%'
ORDER BY e.position DESC LIMIT $3
"""

# The agent's row in `failure_runs`, held: whoever changes a breaker holds this first.
HOLD = """
INSERT INTO failure_runs AS f (board, agent, failed) VALUES ($1, $2, 0)
ON CONFLICT (board, agent) DO UPDATE SET failed = f.failed RETURNING f.failed
"""

OPEN = "SELECT open_breaker($1, $2, $3, $4, $5, $6, $7, $8)"
CLOSE = "DELETE FROM circuit_breakers WHERE board = $1 AND agent = $2 RETURNING *"
FORGET = "DELETE FROM failure_runs WHERE board = $1 AND agent = $2"
THERE = "SELECT EXISTS (SELECT FROM circuit_breakers WHERE board = $1 AND agent = $2)"
SUBSTITUTE = "SELECT substitute FROM circuit_breakers WHERE board = $1 AND agent = $2 AND substitute IS NOT NULL"
INBOXES = "SELECT id FROM open_inboxes WHERE board = $1 LIMIT 1000"

SET = """
INSERT INTO breaker_settings (board, agent, failure_threshold, recovery_seconds, fallback, substitute, source)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (board, agent) DO UPDATE SET failure_threshold = excluded.failure_threshold,
    recovery_seconds = excluded.recovery_seconds, fallback = excluded.fallback, substitute = excluded.substitute,
    source = excluded.source
RETURNING *
"""

# A person of the board, else the agent's manager; held, so that it is told of once.
UNTOLD = """
SELECT c.board, c.agent, g.name, c.reason, o.owner
FROM circuit_breakers c
JOIN agents g ON g.board = c.board AND g.id = c.agent
JOIN boards b ON b.id = c.board AND b.archived_at IS NULL
CROSS JOIN LATERAL (
    SELECT coalesce((SELECT min(h.id) FROM agents h WHERE h.board = c.board AND h.kind = 'human'
       AND h.removed_at IS NULL AND h.id <> c.agent),
                    g.manager) AS owner) AS o
WHERE c.fallback = 'escalate_to_human' AND c.escalation IS NULL AND o.owner IS NOT NULL
ORDER BY c.board, c.agent LIMIT $1 FOR UPDATE OF c SKIP LOCKED
"""

TOLD = "UPDATE circuit_breakers SET escalation = $3 WHERE board = $1 AND agent = $2 RETURNING *"


async def settle(tx: Transaction, leases: Sequence[Any], *, outcome: Outcome) -> None:
    """Let breakers know of claims that this transaction ends: completed, or else for nothing."""
    if leases:
        columns = ([lease[name] for lease in leases] for name in ("item", "fence", "agent"))
        verdict = "good" if outcome is Outcome.COMPLETED else "none"
        closed = await tx.fetchval(
            SETTLE, tx.board, *columns, verdict, tx.actor.name, tx.actor.authenticated_by, tx.now
        )
        tx.wake(closed or [])


async def list_breakers(tx: ReadTransaction, *, limit: int = 100) -> list[dict[str, Any]]:
    """The breakers that are not closed, the oldest first, and then the agents that failed something just now."""
    tx.require(Right.READER)
    if not 1 <= limit <= MAX_SHOWN:
        raise Invalid(f"a list has 1 to {MAX_SHOWN:,} rows", remedy="choose a number in that range")
    return [dict(row) for row in await tx.fetch(SHOWN, tx.board, None, tx.now, limit)]


async def show_breaker(tx: ReadTransaction, *, agent: str) -> dict[str, Any]:
    """The breaker of one agent: its state, its rules, and its last 50 changes, the newest first."""
    tx.require(Right.READER)
    number = (await agents.ids(tx, [agent]))[agent]
    row = dict((await tx.fetch(SHOWN, tx.board, number, tx.now, 1))[0])
    row["history"] = [dict(one) for one in await tx.fetch(HISTORY, tx.board, _correlation(number), MAX_HISTORY)]
    return row


async def open_breaker(
    tx: Transaction, *, agent: str, reason: str, recovery_seconds: float | None = None
) -> dict[str, Any]:
    """Open an agent's breaker by hand, until a probe closes it. Raises `WrongState` if it is open, `Invalid`."""
    tx.require(Right.OPERATOR)
    if not 1 <= len(reason.strip()) <= MAX_REASON_CHARACTERS:
        message = f"a breaker is opened for a reason of 1 to {MAX_REASON_CHARACTERS:,} characters"
        raise Invalid(message, remedy="say why")
    if recovery_seconds is not None:
        _check_recovery(recovery_seconds)
    number = (await agents.ids(tx, [agent]))[agent]
    failed = await tx.fetchval(HOLD, tx.board, number)
    if await tx.fetchval(THERE, tx.board, number):
        raise WrongState(f"the breaker of {agent} is open already", remedy=f"see `slate breaker show {agent}`")
    by = (tx.actor.name, tx.actor.authenticated_by, tx.now)
    await tx.fetch(OPEN, tx.board, number, failed, reason, recovery_seconds, *by)
    tx.wake([row["substitute"] for row in await tx.fetch(SUBSTITUTE, tx.board, number)])
    return dict((await tx.fetch(SHOWN, tx.board, number, tx.now, 1))[0])


async def close_breaker(tx: Transaction, *, agent: str, reason: str | None = None) -> dict[str, Any]:
    """Close an open breaker by hand: claims go on, and failures are counted anew. Raises `WrongState`."""
    tx.require(Right.OPERATOR)
    number = (await agents.ids(tx, [agent]))[agent]
    if not await close(tx, number, reason):
        raise WrongState(f"the breaker of {agent} is not open", remedy="nothing to do")
    return {"agent": agent, "state": "closed"}


async def reset_breaker(tx: Transaction, *, agent: str) -> dict[str, Any]:
    """As if the agent had not failed: its breaker is closed, if it is open, and failures are counted anew."""
    tx.require(Right.OPERATOR)
    number = (await agents.ids(tx, [agent]))[agent]
    if not await close(tx, number, "reset"):
        tx.record(Subject.BREAKER_RESET, {"agent": number, "name": agent}, correlation=_correlation(number))
    return {"agent": agent, "state": "closed"}


async def close(tx: Transaction, agent: int, reason: str | None) -> bool:
    """Close a breaker and forget what the agent failed; False if it is closed."""
    await tx.fetch(HOLD, tx.board, agent)
    row = await tx.fetchrow(CLOSE, tx.board, agent)
    await tx.fetch(FORGET, tx.board, agent)
    if row is None:
        return False
    image = dict(row)
    del image["board"]
    tx.record(Subject.BREAKER_CLOSED, {"breaker": image, "reason": reason}, correlation=_correlation(agent))
    tx.wake([agent, *(one["id"] for one in await tx.fetch(INBOXES, tx.board))])
    return True


async def set_rules(
    tx: Transaction,
    *,
    agent: str | None,
    failure_threshold: int = BUILT_IN["failure_threshold"],
    recovery_seconds: float = BUILT_IN["recovery_seconds"],
    fallback: str = BUILT_IN["fallback"],
    substitute: str | None = None,
    source: str | None = None,
) -> None:
    """Set the rules of an agent's breaker, or without an agent the board's default; they hold from its next opening.

    Raises `Invalid` (a threshold of zero, an unknown fallback, `reassign` to nobody or to itself), `UnknownName`.
    """
    tx.require(Right.OPERATOR)
    check(failure_threshold, recovery_seconds, fallback, substitute, agent)
    known = await agents.ids(tx, [name for name in (agent, substitute) if name])
    values = (failure_threshold, recovery_seconds, fallback, known[substitute] if substitute else None, source)
    row = dict(await tx.fetchrow(SET, tx.board, known[agent] if agent else BOARD_DEFAULT, *values))
    del row["board"]
    tx.record(Subject.BREAKER_SET, {"rules": row, "name": agent})


async def unset_rules(tx: Transaction, *, agent: int) -> None:
    """Take the rules of an agent (0 for the board's default) away: those above them hold again."""
    tx.require(Right.OPERATOR)
    await tx.fetch("DELETE FROM breaker_settings WHERE board = $1 AND agent = $2", tx.board, agent)
    tx.record(Subject.BREAKER_UNSET, {"agent": agent})


def check(
    failure_threshold: int, recovery_seconds: float, fallback: str, substitute: str | None, agent: str | None
) -> None:
    """Refuse rules that cannot be meant."""
    if not 1 <= failure_threshold <= MAX_THRESHOLD:
        message = f"a breaker opens after 1 to {MAX_THRESHOLD:,} failed items, not {failure_threshold}"
        raise Invalid(message, remedy="choose a failure_threshold in that range")
    _check_recovery(recovery_seconds)
    if fallback not in set(Fallback):
        raise Invalid(f"there is no fallback {fallback!r}", remedy=f"one of: {', '.join(Fallback)}")
    if (fallback == Fallback.REASSIGN) != (substitute is not None):
        raise Invalid("`reassign` names a substitute, and nothing else does", remedy="give `substitute: AGENT` with it")
    if substitute is not None and substitute == agent:
        raise Invalid(f"{agent} cannot be its own substitute", remedy="name another agent")


def _check_recovery(seconds: float) -> None:
    if not 0 < seconds <= MAX_RECOVERY_SECONDS:
        message = f"a breaker recovers for more than 0 s and at most 30 days, not {seconds:g} s"
        raise Invalid(message, remedy="choose another recovery time")


async def untold(tx: Transaction, *, limit: int) -> list[Mapping[str, Any]]:
    """Breakers, held, of which a person is to hear and did not yet, at most `limit`, whatever the board."""
    return await tx.fetch(UNTOLD, limit)


async def told(tx: Transaction, *, agent: int, name: str, escalation: int) -> None:
    """A person hears of this held breaker by an escalation."""
    image = dict(await tx.fetchrow(TOLD, tx.board, agent, escalation))
    del image["board"]
    tx.record(Subject.BREAKER_ESCALATED, {"breaker": image, "name": name}, correlation=_correlation(agent))


def _correlation(agent: int) -> str:
    """What all events of an agent's breaker share; `breakers.sql` says the same."""
    return f"breaker-{agent}"
