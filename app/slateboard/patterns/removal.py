"""Removing an agent: what it leaves and to whom that goes, told before it is done.

The agent's row stays, for history names it; but it can claim nothing, be named for nothing, and its tokens are refused.
Its routes are taken away, both ways. Its seats in meetings stay empty: nobody speaks or votes for another.
Whoever it managed is managed by its manager from then on.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from slateboard.board import agents, boards, delegations
from slateboard.patterns import subscriptions
from slateboard.patterns.peers import routes
from slateboard.protocol.errors import HasWork, Invalid, TooLarge
from slateboard.protocol.events import Subject
from slateboard.protocol.rights import Right
from slateboard.work import moves

if TYPE_CHECKING:
    from slateboard.transaction import Transaction

MOST_ITEMS = 10_000
"""What one removal moves; whoever has more gives some of it away first."""
SHOWN = 100
"""Items that a preview lists by name."""

# Who is removed, and the heir: nothing can be given to them meanwhile, and whoever gave them something has ended.
HOLD = "SELECT * FROM agents WHERE board = $1 AND name = ANY ($2::text[]) ORDER BY id FOR UPDATE"

# What is not over: unfinished, or dead, since somebody may bring it back.
ITEMS = """
SELECT w.id AS item, w.reference, w.kind, p.place
FROM work_items w JOIN item_places p ON p.board = w.board AND p.item = w.id
WHERE w.board = $1 AND w.inbox = $2 AND (w.outcome IS NULL OR w.outcome = 'dead') ORDER BY w.id LIMIT $3
"""

# Tasks that are not over; by whom they are done ($3: agent), or who waits for them (delegator).
TASKS = """
SELECT t.id, t.name, t.agent = $2 AS does, t.delegator = $2 AS delegated FROM tasks t
WHERE t.board = $1 AND $2 IN (t.agent, t.delegator) AND EXISTS (
    SELECT FROM artifacts a JOIN work_items w ON w.board = a.board AND w.id = a.newest_item
    WHERE a.board = t.board AND a.task = t.id AND w.outcome IS DISTINCT FROM 'done'
      AND w.outcome IS DISTINCT FROM 'cancelled')
ORDER BY t.id LIMIT $3
"""

SUBSCRIBED = """
SELECT name, patterns, all_of, filter, action, ordered_by, priority, source FROM subscriptions
WHERE board = $1 AND agent = $2 ORDER BY name
"""

# Both ways.
ROUTES = """
SELECT r.id, a.name AS agent, o.name AS other, r.kind, r.label
FROM routes r
JOIN agents a ON a.board = r.board AND a.id = r.agent
JOIN agents o ON o.board = r.board AND o.id = r.other
WHERE r.board = $1 AND $2 IN (r.agent, r.other) ORDER BY r.id
"""

SEATS = """
SELECT 'meeting:' || m.id AS meeting FROM meetings m JOIN meeting_seats s ON s.board = m.board AND s.meeting = m.id
WHERE m.board = $1 AND s.agent = $2 AND m.adjourned_at IS NULL ORDER BY m.id LIMIT $3
"""

MANAGED = "SELECT id, name FROM agents WHERE board = $1 AND manager = $2 AND removed_at IS NULL ORDER BY id"
HAND_ON = """
UPDATE tasks SET agent = CASE WHEN id = ANY ($2) THEN $3 ELSE agent END,
                 delegator = CASE WHEN id = ANY ($4) THEN $3 ELSE delegator END
WHERE board = $1 AND id = ANY ($2::bigint[] || $4::bigint[])
"""
MANAGE = "UPDATE agents SET manager = $3 WHERE board = $1 AND id = ANY ($2::bigint[])"
REMOVE = "UPDATE agents SET removed_at = $3 WHERE board = $1 AND id = $2 RETURNING *"


async def remove_agent(
    tx: Transaction, *, name: str, to: str | None = None, reason: str = "", dry_run: bool = False
) -> dict[str, Any]:
    """Remove an agent; its unfinished work, its tasks and subscriptions go `to` another, its claims end at once.

    Returns what it left: `{agent, to, dry_run, places, items, tasks, delegated, subscriptions, routes, seats,
    managed}`, items and seats at most 100 of them; a `dry_run` changes nothing. Raises `UnknownName`, `HasWork` (there
    is something, and no `to`).
    """
    tx.require(Right.ADMIN)
    if to == name:
        raise Invalid("an agent cannot go to itself", remedy="name another agent")
    held = {} if dry_run else {one["name"]: one for one in await tx.fetch(HOLD, tx.board, [name, to or name])}
    known = await agents.ids(tx, {name, to or name})
    own, heir = known[name], known[to] if to else None
    items = await tx.fetch(ITEMS, tx.board, own, MOST_ITEMS + 1)
    tasks = await tx.fetch(TASKS, tx.board, own, MOST_ITEMS + 1)
    subscribed = await tx.fetch(SUBSCRIBED, tx.board, own)
    managed = await tx.fetch(MANAGED, tx.board, own)
    routed = await tx.fetch(ROUTES, tx.board, own)
    left: dict[str, Any] = {
        "agent": name, "to": to, "dry_run": dry_run, "places": dict(Counter(one["place"] for one in items)),
        "items": [dict(one) for one in items[:SHOWN]],
        "tasks": [one["name"] for one in tasks if one["does"]],
        "delegated": [one["name"] for one in tasks if one["delegated"]],
        "subscriptions": [one["name"] for one in subscribed],
        "routes": [routes.shown(one["agent"], one["other"], one["kind"], one["label"]) for one in routed],
        "seats": [one["meeting"] for one in await tx.fetch(SEATS, tx.board, own, SHOWN)],
        "managed": [one["name"] for one in managed],
    }  # fmt: skip
    if dry_run:
        return left
    if max(len(items), len(tasks)) > MOST_ITEMS:
        raise TooLarge(f"{name} has more than {MOST_ITEMS:,} items", remedy="reassign some of its tasks first")
    if heir is None and (items or tasks or subscribed):
        message = f"{name} has {len(items):,} unfinished items, {len(tasks):,} tasks, {len(subscribed):,} subscriptions"
        raise HasWork(message, remedy="say to whom they go: `--to AGENT`; see them with `--dry-run`", agent=name)
    if to is not None and heir is not None:
        await moves.move(
            tx, [one["item"] for one in items], to=heir, reason=reason or f"{name} was removed", ending_claims=True
        )
        for one in subscribed:
            wanted: dict[str, Any] = {**dict(one), "agent": to}
            await subscriptions.change_subscription(tx, **wanted)
    await routes.remove(tx, routes=[one["id"] for one in routed])
    await boards.pause(tx, agent=name, reason="removed")
    does, delegated = ([one["id"] for one in tasks if one[key]] for key in ("does", "delegated"))
    await tx.fetch(HAND_ON, tx.board, does, heir, delegated)
    await delegations.renew(tx, [one["id"] for one in tasks])
    numbers = [one["id"] for one in managed]
    await tx.fetch(MANAGE, tx.board, numbers, held[name]["manager"])
    image = dict(await tx.fetchrow(REMOVE, tx.board, own, tx.now))
    told = {"to": heir, "reason": reason, "tasks": does, "delegated": delegated, "managed": numbers}
    tx.record(Subject.AGENT_REMOVED, {"agent": image, "name": name, **told})
    return left
