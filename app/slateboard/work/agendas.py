"""The agenda of an agent: what it would get, in the order in which it would get it, and why; and overruling that.

It is read from the inboxes that a claim reads, those of agents that it stands in for included. What a claim would not
give it now stays in its place, and says what holds it; what a claim has put aside for that stands last. A pin and an
override stand in the log with who and why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.board import agents
from slateboard.protocol.errors import Invalid, UnknownName, WrongState
from slateboard.protocol.rights import Right
from slateboard.work import holding, moves, ratings

if TYPE_CHECKING:
    from slateboard.transaction import Statement, Transaction

MOST_SHOWN = 500
MOST_SEARCHED = 10_000
"""Items that a claim has put aside, of the whole board, that are looked at for those of one agent."""
BOXES = """
boxes AS MATERIALIZED (
    SELECT $2::bigint AS inbox, NULL::text AS capability, NULL::bigint AS instead
    UNION ALL
    SELECT o.id, o.capability, NULL FROM open_inboxes o
    WHERE o.board = $1 AND (o.capability = '' OR o.capability = ANY (
        ARRAY(SELECT unnest(a.capabilities) FROM agents a WHERE a.board = $1 AND a.id = $2)))
    UNION ALL
    SELECT b.agent, NULL, b.agent FROM circuit_breakers b WHERE b.board = $1 AND b.substitute = $2
)
"""

# In the order of a claim: over all inboxes that it reads, the highest rating first, of equals the oldest item. Then
# what a claim has put behind its gate, as it may not run now, and that waits for nothing else.
AGENDA = f"""
WITH {BOXES}, next AS (
    SELECT r.item, r.rank, b.*, NULL::text AS reason, NULL::text AS name
    FROM boxes b, LATERAL (SELECT r.item, r.rank FROM ready r WHERE r.board = $1 AND r.inbox = b.inbox
                           ORDER BY r.rank, r.item LIMIT $3) AS r
    ORDER BY r.rank, r.item LIMIT $3
), aside AS (
    SELECT h.item, NULL::int, b.*, h.reason, h.name
    FROM (SELECT h.* FROM holds h WHERE h.board = $1 ORDER BY h.item LIMIT {MOST_SEARCHED}) AS h,
    LATERAL (SELECT w.inbox FROM work_items w WHERE w.board = $1 AND w.id = h.item OFFSET 0) AS w,
    LATERAL (SELECT b.* FROM boxes b WHERE b.inbox = w.inbox OFFSET 0) AS b,
    LATERAL (SELECT FROM gates g WHERE g.board = $1 AND g.item = h.item AND g.remaining = 1 OFFSET 0) AS g
    ORDER BY h.item LIMIT $3
)
SELECT n.item, w.reference, w.kind, w.artifact, -n.rank AS rating, n.capability, n.reason, n.name, n.inbox,
       (SELECT a.name FROM agents a WHERE a.board = $1 AND a.id = n.instead) AS instead_of,
       w.base_rating, w.pinned_rating, w.due, w.created_at, w.attempts, w.guarded, now() AS now,
       (SELECT count(*) FROM dependencies d WHERE d.board = $1 AND d.blocker = n.item) AS dependents
FROM (SELECT * FROM next UNION ALL SELECT * FROM aside) AS n,
LATERAL (SELECT * FROM work_items w WHERE w.board = $1 AND w.id = n.item OFFSET 0) AS w
ORDER BY n.rank NULLS LAST, coalesce(w.pinned_rating, w.base_rating) DESC, n.item LIMIT $3
"""

STANDS = """
SELECT p.place, w.reference, w.correlation FROM item_places p JOIN work_items w ON w.board = p.board AND w.id = p.item
WHERE p.board = $1 AND p.item = $2
"""


async def agenda(tx: Statement, *, agent: str, limit: int = 50) -> list[dict[str, Any]]:
    """What an agent would get next, at most `limit` (500) items, each with its rating as a sum of `parts`.

    `capability` is set for what anybody who has it may take ('' for anybody), `instead_of` for the work of an agent
    that it stands in for. `held` says why a claim would not give it the item now; the first without it is what it gets.
    Raises `UnknownName`, `Invalid`.
    """
    tx.require(Right.READER)
    if not 1 <= limit <= MOST_SHOWN:
        raise Invalid(f"an agenda shows 1 to {MOST_SHOWN} items", remedy="choose a number in that range")
    number = (await agents.ids(tx, [agent]))[agent]
    rows = [dict(row) for row in await tx.fetch(AGENDA, tx.board, number, limit)]
    holds = await holding.of(tx, agent=number, name=agent, rows=rows)
    shown = ("item", "reference", "kind", "rating", "capability", "instead_of", "due", "attempts")
    entries: list[dict[str, Any]] = []
    for order, row in enumerate(rows, 1):
        parts = ratings.parts(row)
        if row["rating"] is None:
            row["rating"] = sum(parts.values())
        entries.append(
            {"order": order, **{key: row[key] for key in shown}, "parts": parts, "held": holds.get(row["item"])}
        )
    return entries


async def override(
    tx: Transaction, *, item: int, reason: str, agent: str | None = None, rating: int | None = None
) -> dict[str, Any]:
    """Overrule who does an unclaimed item, or how soon it comes (a pin), or both; who said so and why is in the log.

    Raises `UnknownName`, `WrongState` (claimed, or finished), `Invalid` (neither is given, no reason).
    """
    tx.require(Right.OPERATOR)
    if not 1 <= len(reason.strip()) <= ratings.MAX_REASON_CHARACTERS:
        message = f"a reason has 1 to {ratings.MAX_REASON_CHARACTERS:,} characters"
        raise Invalid(message, remedy="say why; it is kept in the log")
    if agent is None and rating is None:
        raise Invalid("an override names an agent, a rating, or both", remedy="name at least one of them")
    row = await tx.fetchrow(STANDS, tx.board, item)
    if row is None:
        raise UnknownName(f"there is no work item {item}", remedy="see `slate work list`", item=item)
    if agent is not None:
        if row["place"] not in {"ready", "scheduled", "gated", "waiting"}:
            message = f"{row['reference']} is {row['place']}, so it stays whose it is"
            raise WrongState(message, remedy="wait for the end of the claim, or cancel it", item=item)
        to = (await agents.ids(tx, [agent]))[agent]
        await moves.move(tx, [item], to=to, reason=reason.strip(), correlation=row["correlation"])
    if rating is not None:
        await ratings.pin(tx, item=item, rating=rating, reason=reason.strip())
    return {"item": item, "reference": row["reference"], "agent": agent, "rating": rating}
