"""The agenda of an agent: what it would get, in the order in which it would get it, and why; and overruling that.

It is read from the inboxes that a claim reads. A pin and an override stand in the log with who and why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.board import agents
from slateboard.protocol.errors import Invalid, UnknownName, WrongState
from slateboard.protocol.rights import Right
from slateboard.work import moves, ratings

if TYPE_CHECKING:
    from slateboard.transaction import Statement, Transaction

MOST_SHOWN = 500
MOST_CHARACTERS = 1_000
"""Of a reason."""

# In the order of a claim: over all inboxes that it reads, the highest rating first, of equals the oldest item.
AGENDA = """
WITH boxes AS (
    SELECT $2::bigint AS inbox, NULL::text AS capability
    UNION ALL
    SELECT o.id, o.capability FROM open_inboxes o
    WHERE o.board = $1 AND (o.capability = '' OR o.capability = ANY (
        ARRAY(SELECT unnest(a.capabilities) FROM agents a WHERE a.board = $1 AND a.id = $2)))
), next AS (
    SELECT r.item, r.rank, b.capability
    FROM boxes b, LATERAL (SELECT r.item, r.rank FROM ready r WHERE r.board = $1 AND r.inbox = b.inbox
                           ORDER BY r.rank, r.item LIMIT $3) AS r
    ORDER BY r.rank, r.item LIMIT $3
)
SELECT n.item, w.reference, w.kind, w.artifact, -n.rank AS rating, n.capability, w.base_rating, w.pinned_rating, w.due,
       w.created_at, w.attempts, now() AS now,
       (SELECT count(*) FROM dependencies d WHERE d.board = $1 AND d.blocker = n.item) AS dependents
FROM next n, LATERAL (SELECT * FROM work_items w WHERE w.board = $1 AND w.id = n.item OFFSET 0) AS w
ORDER BY n.rank, n.item
"""

STANDS = """
SELECT p.place, w.reference FROM item_places p JOIN work_items w ON w.board = p.board AND w.id = p.item
WHERE p.board = $1 AND p.item = $2
"""


async def agenda(tx: Statement, *, agent: str, limit: int = 50) -> list[dict[str, Any]]:
    """What an agent would get next, at most `limit` (500) items, each with its rating as a sum of `parts`.

    `capability` is set for what anybody who has it may take ('' for anybody). Raises `UnknownName`, `Invalid`.
    """
    tx.require(Right.READER)
    if not 1 <= limit <= MOST_SHOWN:
        raise Invalid(f"an agenda shows 1 to {MOST_SHOWN} items", remedy="choose a number in that range")
    rows = await tx.fetch(AGENDA, tx.board, (await agents.ids(tx, [agent]))[agent], limit)
    shown = ("item", "reference", "kind", "rating", "capability", "due", "attempts")
    return [
        {"order": number, **{key: row[key] for key in shown}, "parts": ratings.parts(dict(row))}
        for number, row in enumerate(rows, 1)
    ]


async def override(
    tx: Transaction, *, item: int, reason: str, agent: str | None = None, rating: int | None = None
) -> dict[str, Any]:
    """Overrule who does an unclaimed item, or how soon it comes (a pin), or both; who said so and why is in the log.

    Raises `UnknownName`, `WrongState` (claimed, or finished), `Invalid` (neither is given, no reason).
    """
    tx.require(Right.OPERATOR)
    if not 1 <= len(reason.strip()) <= MOST_CHARACTERS:
        raise Invalid(f"a reason has 1 to {MOST_CHARACTERS:,} characters", remedy="say why; it is kept in the log")
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
        await moves.move(tx, [item], to=to, reason=reason.strip())
    if rating is not None:
        await ratings.pin(tx, item=item, rating=rating, reason=reason.strip())
    return {"item": item, "reference": row["reference"], "agent": agent, "rating": rating}
