"""Tracing: who has handled an event and who not yet, and the chain of one correlation as a tree with times.

In a chain an event's children are its deliveries, and a delivery's children are the events that its work brought about
(their `cause` is its claim). An event without a known parent is a root. What the deliveries themselves went through is
told by their times, not by further events.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from slateboard.patterns.fitting import NEVER_ROUTED
from slateboard.patterns.gathering import AWAITED
from slateboard.protocol.errors import Invalid, UnknownName
from slateboard.protocol.rights import Right
from slateboard.protocol.subjects import expression

if TYPE_CHECKING:
    from slateboard.transaction import ReadTransaction

MAX_EVENTS = 1_000
MAX_SUBSCRIPTIONS = 1_000
MAX_DELIVERIES = 1_000
MAX_CLAIMS_SEARCHED = 200_000
"""Positions between the first and the last event of a chain that are searched for its claims."""

COLUMNS = "position, id, subject, payload, actor, cause, correlation, depth, traceparent, happened_at"

EVENT = f"SELECT {COLUMNS} FROM events WHERE board = $1 AND position = $2"

HANDLED = """
SELECT d.item, d.subscription, s.name, a.name AS agent, w.reference, p.place, w.attempts, w.last_error,
       w.created_at AS delivered_at, w.finished_at, w.run_at, n.pattern AS waits_for, n.deadline
FROM (SELECT * FROM deliveries d WHERE d.board = $1 AND d.position = $2
      UNION
      SELECT d.* FROM subscriptions s, LATERAL (
          SELECT * FROM deliveries d
          WHERE d.board = $1 AND d.subscription = s.id AND d.position >= $2 AND $2 = ANY (d.positions)
          ORDER BY d.position LIMIT 10) AS d
      WHERE s.board = $1 AND s.all_of) AS d
JOIN work_items w ON w.board = $1 AND w.id = d.item
JOIN item_places p ON p.board = $1 AND p.item = d.item
LEFT JOIN subscriptions s ON s.board = $1 AND s.id = d.subscription
LEFT JOIN agents a ON a.board = $1 AND a.id = w.inbox
LEFT JOIN event_waits n ON n.board = $1 AND n.item = d.item AND n.ended_at IS NULL AND w.outcome IS NULL
ORDER BY d.item LIMIT $3
"""

SUBSCRIBED = """
SELECT s.id, s.name, s.patterns, s.action, s.cursor, s.paused_because, a.name AS agent, g.positions AS gathered
FROM subscriptions s LEFT JOIN agents a ON a.board = s.board AND a.id = s.agent
LEFT JOIN gatherings g ON g.board = $1 AND g.subscription = s.id AND g.correlation = $3 AND $2 = ANY (g.positions)
WHERE s.board = $1 ORDER BY s.name LIMIT $4
"""

# What a correlation has gathered and still lacks.
GATHERINGS = """
SELECT s.name, s.patterns, a.name AS agent, g.positions AS gathered
FROM subscriptions s JOIN gatherings g ON g.board = $1 AND g.subscription = s.id AND g.correlation = $2
LEFT JOIN agents a ON a.board = s.board AND a.id = s.agent
WHERE s.board = $1 AND s.all_of ORDER BY s.name LIMIT $3
"""

ENDED_WAITS = """
SELECT n.item, w.reference FROM event_waits n JOIN work_items w ON w.board = n.board AND w.id = n.item
WHERE n.board = $1 AND n.position = $2 ORDER BY n.item LIMIT $3
"""

CHAIN_DELIVERIES = """
SELECT d.item, d.position, d.positions, s.name AS subscription, a.name AS agent, w.reference, p.place, w.attempts,
       w.last_error, w.created_at AS delivered_at, w.finished_at, w.run_at, n.pattern AS waits_for, n.deadline,
       (SELECT min(t.started_at) FROM attempts t WHERE t.board = $1 AND t.item = d.item) AS started_at
FROM (SELECT * FROM deliveries d WHERE d.board = $1 AND d.correlation = $2 ORDER BY d.item LIMIT $3) AS d
JOIN work_items w ON w.board = $1 AND w.id = d.item
JOIN item_places p ON p.board = $1 AND p.item = d.item
LEFT JOIN subscriptions s ON s.board = $1 AND s.id = d.subscription
LEFT JOIN agents a ON a.board = $1 AND a.id = w.inbox
LEFT JOIN event_waits n ON n.board = $1 AND n.item = d.item AND n.ended_at IS NULL AND w.outcome IS NULL
ORDER BY d.item
"""

# Of the correlation, and whatever was delivered in its name.
CHAIN_EVENTS = f"""
SELECT {COLUMNS} FROM events
WHERE board = $1 AND correlation = $2 AND subject !~ '^board\\.(delivery\\..+|item\\.(claimed|opened|promoted))$'
UNION
SELECT {COLUMNS} FROM events WHERE board = $1 AND position = ANY ($3::bigint[])
ORDER BY position LIMIT $4
"""

CLAIMS = """
SELECT id, payload FROM events
WHERE board = $1 AND position BETWEEN $2 AND least($3, $2 + $5) AND subject = 'board.item.claimed'
  AND id = ANY ($4::bigint[])
"""


async def show_event(tx: ReadTransaction, *, position: int) -> dict[str, Any]:
    """An event, and of each subscription whose patterns fit it where its delivery is. Raises `UnknownName`.

    `state` is `delivered` (with `item` and `place`; `run_at` of one that is tried again, `waits_for` and `deadline` of
    one that waits for an event), `gathering` (with the patterns that its correlation still `lacks`), `not routed` (with
    `paused_because` where that is why), or `not wanted` (its filter).
    """
    tx.require(Right.READER)
    event = await _event(tx, position)
    rows = await tx.fetch(HANDLED, tx.board, position, MAX_DELIVERIES)
    handled = [{**dict(row), "state": "delivered"} for row in rows]
    delivered = {row["subscription"] for row in rows}
    correlation = event["correlation"] or f"event-{event['id']}"
    for row in await tx.fetch(SUBSCRIBED, tx.board, position, correlation, MAX_SUBSCRIPTIONS):
        if row["id"] in delivered or not _wanted(row["patterns"], event["subject"]):
            continue
        state = "gathering" if row["gathered"] else "not routed" if row["cursor"] < position else "not wanted"
        told = {"subscription": row["id"], "name": row["name"], "agent": row["agent"], "state": state}
        handled.append({**told, "paused_because": row["paused_because"], "lacks": _lacking(row)})
    ended = [dict(row) for row in await tx.fetch(ENDED_WAITS, tx.board, position, MAX_DELIVERIES)]
    return {**event, "handled": handled, "ended_waits": ended}


async def chain(tx: ReadTransaction, *, correlation: str | None = None, position: int | None = None) -> dict[str, Any]:
    """What followed from what: `{correlation, roots, gatherings, truncated}`.

    `roots` is a tree of events and deliveries with their times; `gatherings` are the subscriptions with `all_of` that
    have some of the chain's events, and what each still `lacks`. Named by the correlation, or by the position of one of
    its events. At most 1,000 events and deliveries each.
    """
    tx.require(Right.READER)
    if (correlation is None) == (position is None):
        raise Invalid("a chain is named by a correlation or by a position", remedy="give one of the two")
    if position is not None:
        event = await _event(tx, position)
        correlation = event["correlation"] or f"event-{event['id']}"
    assert correlation is not None
    deliveries = [dict(row) for row in await tx.fetch(CHAIN_DELIVERIES, tx.board, correlation, MAX_DELIVERIES)]
    named = sorted({one for row in deliveries for one in row["positions"]} | ({position} if position else set[int]()))
    events = [_plain(row) for row in await tx.fetch(CHAIN_EVENTS, tx.board, correlation, named, MAX_EVENTS)]
    if not events:
        message = f"nothing in this board's log has the correlation {correlation!r}"
        raise UnknownName(message, remedy="see `slate log tail`", correlation=correlation)
    claimed = await _claimed(tx, events, {row["item"] for row in deliveries})
    roots = grow(events, deliveries, claimed)
    gathered = await tx.fetch(GATHERINGS, tx.board, correlation, MAX_SUBSCRIPTIONS)
    return {
        "correlation": correlation,
        "roots": roots,
        "gatherings": [{"name": row["name"], "agent": row["agent"], "lacks": _lacking(row)} for row in gathered],
        "truncated": len(events) == MAX_EVENTS or len(deliveries) == MAX_DELIVERIES,
    }


def grow(
    events: list[dict[str, Any]], deliveries: list[dict[str, Any]], claimed: dict[int, int]
) -> list[dict[str, Any]]:
    """The tree of these events and deliveries; `claimed` says of which item an event's cause is the claim."""
    nodes: list[dict[str, Any]] = [{**one, "kind": "event", "children": []} for one in events]
    by_position: dict[int, dict[str, Any]] = {node["position"]: node for node in nodes}
    by_id: dict[int, dict[str, Any]] = {node["id"]: node for node in nodes}
    by_item: dict[int, dict[str, Any]] = {}
    for one in deliveries:
        node: dict[str, Any] = {**one, "kind": "delivery", "children": []}
        by_item[one["item"]] = node
        if one["position"] in by_position:
            by_position[one["position"]]["children"].append(node)
    roots: list[dict[str, Any]] = []
    for event in nodes:
        parent = by_id.get(event["cause"]) or by_item.get(claimed.get(event["cause"], 0))
        # What came before it can have led to it; so the tree has no circle.
        if parent is None or parent.get("position", 0) >= event["position"]:
            roots.append(event)
        else:
            parent["children"].append(event)
    return roots


async def _claimed(tx: ReadTransaction, events: list[dict[str, Any]], items: set[int]) -> dict[int, int]:
    """By the id of a claim's event: which delivery of the chain it claimed; never more than one (`work/claim.sql`)."""
    causes = sorted({one["cause"] for one in events if one["cause"] is not None} - {one["id"] for one in events})
    if not causes or not items:
        return {}
    first, last = events[0]["position"], events[-1]["position"]
    rows = await tx.fetch(CLAIMS, tx.board, first, last, causes, MAX_CLAIMS_SEARCHED)
    claimed: dict[int, int] = {}
    for row in rows:
        for item, *_ in json.loads(row["payload"] or "{}").get("items", ()):
            if item in items:
                claimed[row["id"]] = item
    return claimed


async def _event(tx: ReadTransaction, position: int) -> dict[str, Any]:
    row = await tx.fetchrow(EVENT, tx.board, position)
    if row is None:
        message = f"the log of this board has no position {position}"
        raise UnknownName(message, remedy="see `slate log tail`", position=position)
    return _plain(row)


def _plain(row: Any) -> dict[str, Any]:
    erased = row["payload"] is None
    return {**dict(row), "payload": None if erased else json.loads(row["payload"]), "erased": erased}


def _lacking(row: Any) -> list[str]:
    """The patterns that no event of the correlation has met yet."""
    gathered = row["gathered"] or ()
    return [pattern for pattern, position in zip(row["patterns"], gathered, strict=False) if position == AWAITED]


def _wanted(patterns: list[str], subject: str) -> bool:
    return not re.search(NEVER_ROUTED, subject) and any(re.search(expression(one), subject) for one in patterns)
