"""Subscriptions: durable consumers of a board's log. What fits becomes a delivery in the inbox of the agent.

Each has a cursor of its own, so that adding, changing, pausing or rewinding one touches no other. An operator manages
all of them; an agent those that deliver to itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.board import agents
from slateboard.patterns import filters, positions
from slateboard.protocol.errors import DuplicateName, Invalid, NotYours, UnknownName, WrongState
from slateboard.protocol.events import Subject
from slateboard.protocol.names import check_name
from slateboard.protocol.rights import Right
from slateboard.protocol.states import Priority
from slateboard.protocol.subjects import check_pattern
from slateboard.work.intake import check_priority

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from slateboard.transaction import ReadTransaction, Transaction

MAX_PATTERNS = 16
MAX_SUBSCRIPTIONS = 1_000
"""Of one board."""

COUNT = "SELECT count(*), bool_or(name = $2) AS taken FROM subscriptions WHERE board = $1"

INSERT = """
INSERT INTO subscriptions (board, name, patterns, all_of, filter, agent, action, ordered_by, priority, cursor, source,
                           created_by, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
RETURNING *
"""

CHANGE = """
UPDATE subscriptions SET patterns = $3, all_of = $4, filter = $5, agent = $6, action = $7, ordered_by = $8,
                         priority = $9, source = $10
WHERE board = $1 AND id = $2 RETURNING *
"""

HOLD = "SELECT * FROM subscriptions WHERE board = $1 AND name = $2 FOR UPDATE"

STOP = """
UPDATE subscriptions SET paused_because = $3, paused_at = $4
WHERE board = $1 AND id = $2 AND paused_at IS NULL RETURNING *
"""

LIST = """
SELECT s.id, s.name, s.patterns, s.all_of, s.filter, a.name AS agent, s.action, s.ordered_by, s.priority, s.cursor,
       coalesce(h.position, 0) - s.cursor AS behind, s.paused_because, s.paused_at, s.source, s.created_by, s.created_at
FROM subscriptions s
LEFT JOIN agents a ON a.board = s.board AND a.id = s.agent
LEFT JOIN event_heads h ON h.board = s.board
WHERE s.board = $1 ORDER BY s.name LIMIT $2
"""


async def subscribe(
    tx: Transaction,
    *,
    name: str,
    patterns: Sequence[str],
    agent: str,
    action: str = "handle",
    filter: str | None = None,  # noqa: A002  the word that every door uses
    all_of: bool = False,
    ordered_by: str | None = None,
    start: str | int | datetime = "now",
    priority: str = "medium",
    source: str | None = None,
) -> dict[str, Any]:
    """Add a subscription; it hears of what comes from `start` on (a position or time: that event is the first).

    Raises `DuplicateName`, `UnknownName` (the agent), `BadSubject`, `BadName`, `Invalid` (filter, key, start).
    """
    tx.require(Right.AGENT)
    check_name(name, "subscription")
    values = await _checked(tx, patterns, all_of, filter, agent, action, ordered_by, priority)
    row = await tx.fetchrow(COUNT, tx.board, name)
    if row["taken"]:
        message = f"there is a subscription {name!r} already"
        remedy = f"choose another name, or take that one away first: `slate subscription remove {name}`"
        raise DuplicateName(message, remedy=remedy, name=name)
    if row["count"] >= MAX_SUBSCRIPTIONS:
        raise Invalid(f"a board has at most {MAX_SUBSCRIPTIONS:,} subscriptions", remedy="use patterns with wildcards")
    cursor = await positions.cursor_before(tx, start)
    row = await tx.fetchrow(INSERT, tx.board, name, *values, cursor, source, tx.actor.name, tx.now)
    return _told(tx, Subject.SUBSCRIPTION_ADDED, row)


async def change_subscription(
    tx: Transaction,
    *,
    name: str,
    patterns: Sequence[str],
    agent: str,
    action: str = "handle",
    filter: str | None = None,  # noqa: A002  the word that every door uses
    all_of: bool = False,
    ordered_by: str | None = None,
    priority: str = "medium",
    source: str | None = None,
) -> dict[str, Any]:
    """Say anew what a subscription wants and who gets it; it goes on where it is. Raises what `subscribe` raises."""
    tx.require(Right.AGENT)
    held = await _hold(tx, name)
    values = await _checked(tx, patterns, all_of, filter, agent, action, ordered_by, priority)
    if list(held["patterns"]) != values[0] or held["all_of"] != all_of:
        await _forget_gatherings(tx, held["id"])
    row = await tx.fetchrow(CHANGE, tx.board, held["id"], *values, source)
    return _told(tx, Subject.SUBSCRIPTION_CHANGED, row)


async def unsubscribe(tx: Transaction, *, name: str) -> dict[str, Any]:
    """Take a subscription away; what it delivered stays. Raises `UnknownName`."""
    tx.require(Right.AGENT)
    held = await _hold(tx, name)
    await _forget_gatherings(tx, held["id"])
    await tx.fetch("DELETE FROM subscriptions WHERE board = $1 AND id = $2", tx.board, held["id"])
    return _told(tx, Subject.SUBSCRIPTION_REMOVED, held)


async def pause_subscription(tx: Transaction, *, name: str, reason: str) -> dict[str, Any]:
    """Stop routing to a subscription; what comes meanwhile is routed when it is resumed. Raises `WrongState`."""
    tx.require(Right.AGENT)
    if not reason.strip():
        raise Invalid("a pause of a subscription needs a reason", remedy="say why; it is shown to all")
    held = await _hold(tx, name)
    if held["paused_at"] is not None:
        message = f"the subscription {name!r} is paused already: {held['paused_because']}"
        raise WrongState(message, remedy="resume it first", name=name)
    return await stop(tx, held["id"], reason)


async def resume_subscription(tx: Transaction, *, name: str) -> dict[str, Any]:
    """Route again, from where it stopped. Raises `WrongState` if it is not paused."""
    tx.require(Right.AGENT)
    held = await _hold(tx, name)
    if held["paused_at"] is None:
        raise WrongState(f"the subscription {name!r} is not paused", remedy="nothing to do", name=name)
    row = await tx.fetchrow(
        "UPDATE subscriptions SET paused_because = NULL, paused_at = NULL WHERE board = $1 AND id = $2 RETURNING *",
        tx.board,
        held["id"],
    )
    return _told(tx, Subject.SUBSCRIPTION_RESUMED, row)


async def rewind_subscription(tx: Transaction, *, name: str, to: str | int | datetime) -> dict[str, Any]:
    """Go on from another place of the log: that event is the next. What was delivered is delivered once more.

    Raises `UnknownName`, `Invalid` (a position that the log has not, a cursor of another board).
    """
    tx.require(Right.AGENT)
    held = await _hold(tx, name)
    await _forget_gatherings(tx, held["id"])
    row = await tx.fetchrow(
        "UPDATE subscriptions SET cursor = $3, round = round + 1 WHERE board = $1 AND id = $2 RETURNING *",
        tx.board,
        held["id"],
        await positions.cursor_before(tx, to),
    )
    return _told(tx, Subject.SUBSCRIPTION_REWOUND, row)


async def list_subscriptions(tx: ReadTransaction) -> list[dict[str, Any]]:
    """All subscriptions of the board (at most 1,000) by name, each with how many positions it is `behind`."""
    tx.require(Right.READER)
    return [dict(row) for row in await tx.fetch(LIST, tx.board, MAX_SUBSCRIPTIONS)]


async def stop(tx: Transaction, subscription: int, reason: str) -> dict[str, Any]:
    """Pause a subscription, by its id, unless it is paused already."""
    row = await tx.fetchrow(STOP, tx.board, subscription, reason, tx.now)
    return {} if row is None else _told(tx, Subject.SUBSCRIPTION_PAUSED, row)


async def _checked(
    tx: Transaction,
    patterns: Sequence[str],
    all_of: bool,  # noqa: FBT001  one of the values that are kept
    path: str | None,
    agent: str,
    action: str,
    ordered_by: str | None,
    priority: str,
) -> tuple[Any, ...]:
    """The values to keep, in the order of the columns, each checked."""
    wanted = [patterns] if isinstance(patterns, str) else list(patterns)
    if not 1 <= len(wanted) <= MAX_PATTERNS:
        raise Invalid(f"a subscription has 1 to {MAX_PATTERNS} patterns, not {len(wanted)}", remedy="name at least one")
    for pattern in wanted:
        check_pattern(pattern)
    check_name(action, "action")
    if priority == "normal":
        priority = Priority.MEDIUM.value
    check_priority(priority, "the subscription")
    number = (await agents.ids(tx, [agent]))[agent]
    _require_own(tx, number, agent)
    await filters.check(tx, path, "filter")
    await filters.check(tx, ordered_by, "key")
    return wanted, all_of, path, number, action, ordered_by, priority


async def _hold(tx: Transaction, name: str) -> Any:
    row = await tx.fetchrow(HOLD, tx.board, name)
    if row is None:
        raise UnknownName(f"there is no subscription {name!r}", remedy="see `slate subscription list`", name=name)
    _require_own(tx, row["agent"], "the agent that it delivers to")
    return row


def _require_own(tx: Transaction, agent: int, name: str) -> None:
    if tx.actor.right < Right.OPERATOR and tx.actor.agent != agent:
        message = f"{tx.actor.name} can subscribe itself only, not {name}"
        raise NotYours(message, remedy="ask somebody with the right operator")


async def _forget_gatherings(tx: Transaction, subscription: int) -> None:
    await tx.fetch("DELETE FROM gatherings WHERE board = $1 AND subscription = $2", tx.board, subscription)


def _told(tx: Transaction, subject: Subject, row: Any) -> dict[str, Any]:
    tx.record(subject, {"subscription": dict(row)})
    return dict(row)
