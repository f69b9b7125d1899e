"""What holds an item where it stands, in words: who must act, by when, and what would release it.

Facts are read for a page of items in one statement. `moves` says whether the item goes on without anybody's decision:
what is ready for an agent that is not paused, is being worked on, or waits for a time or an event, moves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.protocol.errors import Invalid
from slateboard.protocol.rights import Right
from slateboard.protocol.states import ItemKind, Place
from slateboard.reports.queries import PLACE, PLACES, STUCK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slateboard.transaction import Statement

MAX_SHOWN = 1_000
SEARCHED = 20_000
"""Gated and ready items that are searched for what is stuck."""

# A capability that no agent has; what is open to anybody has the empty one.
FACTS = f"""
SELECT w.id AS item, w.reference, w.kind, {PLACE} AS place, w.last_error, w.run_at, l.expires_at, l.worker,
       coalesce(a.name, 'open (' || coalesce(nullif(o.capability, ''), 'anybody') || ')') AS agent,
       (SELECT n.name FROM agents n WHERE n.board = w.board AND n.id = l.agent) AS held_by,
       c.class, c.error, h.name AS owner, n.deadline, n.reason, n.on_item, e.pattern, e.deadline AS wait_deadline,
       q.deadline AS answer_by, v.deadline AS verdict_by,
       coalesce(o.capability <> '' AND NOT EXISTS (
           SELECT FROM agents x WHERE x.board = w.board AND o.capability = ANY (x.capabilities)), false) AS nobody,
       b.state AS breaker, b.reason AS breaker_reason, b.until, b.fallback, k.reason AS held_for, k.name AS held_name,
       (SELECT i.reference FROM touched u JOIN work_items i ON i.board = u.board AND i.id = u.item
        WHERE u.board = w.board AND u.prefix || CASE WHEN u.whole THEN '' ELSE '*' END = k.name
        ORDER BY u.fence DESC LIMIT 1) AS holder,
       {STUCK} AS stuck,
       (SELECT u.scope || ' ' || u.name FROM limits u
        WHERE u.board = w.board AND u.inbox = w.inbox
          AND (floor(in_bucket(u, now())) < 1 OR u.concurrency <= (
              SELECT count(*) FROM limit_slots t JOIN leases y ON y.board = t.board AND y.item = t.item
                                                              AND y.fence = t.fence
              WHERE t.board = u.board AND t.scope = u.scope AND t.name = u.name))
        ORDER BY u.scope, u.name LIMIT 1) AS limited,
       (SELECT g.agent FROM budgets g
        WHERE (g.board, g.agent, g.task) IN ((w.board, 0, 0), (w.board, w.inbox, 0)) AND g.exhausted_at IS NOT NULL
        ORDER BY g.agent LIMIT 1) AS exhausted,
       p.board AS paused, p.agent AS paused_agent, p.reason AS pause_reason
FROM unnest($2::bigint[]) AS i (id)
JOIN work_items w ON w.board = $1 AND w.id = i.id
{PLACES}
LEFT JOIN agents a ON a.board = w.board AND a.id = w.inbox
LEFT JOIN open_inboxes o ON o.board = w.board AND o.id = w.inbox
LEFT JOIN dead_letters c ON c.board = w.board AND c.item = w.id
LEFT JOIN waiting n ON n.board = w.board AND n.item = w.id
LEFT JOIN agents h ON h.board = w.board AND h.id = n.owner
LEFT JOIN event_waits e ON e.board = w.board AND e.item = w.id AND e.ended_at IS NULL
LEFT JOIN escalations q ON q.board = w.board AND q.item = w.id
LEFT JOIN circuit_breakers b ON b.board = w.board AND b.agent = w.inbox
LEFT JOIN holds k ON k.board = w.board AND k.item = w.id
LEFT JOIN verifications v ON v.board = w.board AND v.item = w.id
LEFT JOIN LATERAL (SELECT p.* FROM pauses p WHERE (p.board, p.agent) IN ((0, 0), (w.board, 0), (w.board, w.inbox))
                   ORDER BY p.board, p.agent LIMIT 1) AS p ON true
"""

# Dead letters; what is behind something that ended without a result, or held by a budget; what waits for somebody; and
# what is ready where nobody may claim it: of a paused agent, or of a capability that none has.
STUCK_ITEMS = f"""
SELECT item FROM (
    (SELECT d.item, 0 AS kind FROM dead_letters d WHERE d.board = $1 ORDER BY d.died_at LIMIT $2)
    UNION ALL
    (SELECT n.item, 1 FROM waiting n WHERE n.board = $1 ORDER BY n.deadline LIMIT $2)
    UNION ALL
    (SELECT g.item, 2 FROM (SELECT * FROM gates WHERE board = $1 ORDER BY item LIMIT $3) AS g
     WHERE {STUCK} OR EXISTS (SELECT FROM holds h WHERE h.board = g.board AND h.item = g.item AND h.reason = 'budget')
     LIMIT $2)
    UNION ALL
    (SELECT r.item, 3 FROM (SELECT * FROM ready WHERE board = $1 LIMIT $3) AS r
     WHERE EXISTS (SELECT FROM pauses p WHERE (p.board, p.agent) IN ((0, 0), ($1, 0), ($1, r.inbox)))
        OR EXISTS (SELECT FROM budgets g WHERE (g.board, g.agent, g.task) IN (($1, 0, 0), ($1, r.inbox, 0))
                   AND g.exhausted_at IS NOT NULL)
        OR EXISTS (SELECT FROM open_inboxes o WHERE o.board = $1 AND o.id = r.inbox AND o.capability <> ''
                   AND NOT EXISTS (SELECT FROM agents x WHERE x.board = $1 AND o.capability = ANY (x.capabilities)))
     LIMIT $2)
) AS s ORDER BY s.kind, s.item LIMIT $2
"""

# Agents whose work waits for each other: the owner of what an agent waits for itself waits, however far, for the agent.
CIRCLES = """
WITH RECURSIVE edges AS MATERIALIZED (
    SELECT DISTINCT w.inbox AS waits, n.owner FROM waiting n JOIN work_items w ON w.board = n.board AND w.id = n.item
    WHERE n.board = $1 LIMIT 1000
), reach (start, owner, path) AS (
    SELECT e.waits, e.owner, ARRAY[e.waits, e.owner] FROM edges e
    UNION
    SELECT r.start, e.owner, r.path || e.owner FROM reach r JOIN edges e ON e.waits = r.owner
    WHERE r.owner <> r.start AND cardinality(r.path) < 8 AND (e.owner = r.start OR e.owner <> ALL (r.path))
)
SELECT ARRAY(SELECT a.name FROM unnest(r.path) WITH ORDINALITY AS p (id, number)
             JOIN agents a ON a.board = $1 AND a.id = p.id ORDER BY p.number) AS agents
FROM reach r WHERE r.owner = r.start AND r.start = (SELECT min(x) FROM unnest(r.path) AS x) ORDER BY r.path LIMIT 100
"""


async def of(tx: Statement, items: Sequence[int]) -> dict[int, dict[str, Any]]:
    """By item, `{item, reference, place, agent, because, owner, deadline, release, moves}`."""
    return {row["item"]: _cause(row) for row in await tx.fetch(FACTS, tx.board, list(items))}


async def stuck(tx: Statement, *, limit: int = 100) -> dict[str, Any]:
    """All that cannot move by itself: `{items: [as in why], more, circles: [[agents]]}`.

    Dead letters come first, then what waits for somebody, what is behind something that ended without a result, and
    what nobody may claim. A circle is of agents whose work waits for each other, the first repeated at the end. What is
    gated and ready is searched to 20,000 items.
    """
    tx.require(Right.READER)
    if not 1 <= limit <= MAX_SHOWN:
        raise Invalid(f"a list has 1 to {MAX_SHOWN:,} rows", remedy="choose a number in that range")
    items = [row["item"] for row in await tx.fetch(STUCK_ITEMS, tx.board, limit + 1, SEARCHED)]
    found = await of(tx, items[:limit])
    circles = [list(row["agents"]) for row in await tx.fetch(CIRCLES, tx.board)]
    return {"items": [found[one] for one in items[:limit]], "more": len(items) > limit, "circles": circles}


def _cause(row: Any) -> dict[str, Any]:
    owner, deadline, moves = None, None, True
    release: str | None = None
    place = row["place"]
    if place == Place.DEAD:
        because, moves = f"is a dead letter: {row['class']}: {row['error'] or row['last_error'] or 'no error'}", False
        release = f"slate dead-letters redrive {row['item']}"
    elif place == Place.CANCELLED:
        because, moves = "was cancelled", False
        release = "cancel what waits for it, or post it anew under another name"
    elif place == Place.DONE:
        because = "is done"
    elif place == Place.WAITING:
        owner, deadline, moves = row["owner"], row["deadline"], False
        because = f"waits for {'a verdict' if row['reason'] == 'review' else 'an answer'} of {owner}"
        release = _release_duty(row["reason"] == "review", row["on_item"])
    elif place == Place.CLAIMED:
        because, deadline = f"{row['held_by']} works on it ({row['worker']})", row["expires_at"]
    elif row["pattern"] is not None or row["wait_deadline"] is not None:
        because = f"waits for {'the event ' + row['pattern'] if row['pattern'] else 'a time'}"
        deadline, release = row["wait_deadline"], f"an event {row['pattern']}" if row["pattern"] else None
    elif place == Place.SCHEDULED:
        because, deadline = "is not to start before its time", row["run_at"]
    elif place == Place.GATED and row["held_for"] is not None:
        because, release, moves = _held(row)
    elif place == Place.GATED and row["stuck"]:
        because, release, moves = "is behind something dead or cancelled", f"slate why {row['item']}", False
    elif place == Place.GATED:
        because = "waits for what it is blocked by, or is just about to open"
    else:
        because, release, moves, owner, deadline = _ready(row)
    return {
        "item": row["item"], "reference": row["reference"], "place": place, "agent": row["agent"], "because": because,
        "owner": owner, "deadline": deadline, "release": release, "moves": moves,
    }  # fmt: skip


def _held(row: Any) -> tuple[str, str, bool]:
    """What holds an item that a claim has picked and could not take."""
    held, name = row["held_for"], row["held_name"]
    if held == "budget":
        return f"the budget of the task {name} is used up", f"slate budget set --task {name}, with more", False
    if held == "resource":
        holder = row["holder"] or "other work"
        return f"{holder} has the resource {name}", f"the end of {holder}", True
    return f"the limit of {name} is reached", f"the end of what runs, or slate limit set {name}, with more", True


def _ready(row: Any) -> tuple[str, str | None, bool, str | None, Any]:
    """Why something that can be claimed is not: nobody may, somebody must decide, or nobody has come yet."""
    if row["paused"] is not None:
        one = "everything" if row["paused"] == 0 else "the board" if row["paused_agent"] == 0 else row["agent"]
        option = {"everything": " --everything", "the board": ""}.get(one, f" --agent {row['agent']}")
        because = f"{one} is paused{': ' + row['pause_reason'] if row['pause_reason'] else ''}"
        return because, f"slate resume{option}", False, None, None
    if row["exhausted"] is not None:
        whose, option = (row["agent"], f" --agent {row['agent']}") if row["exhausted"] else ("the board", "")
        return f"the budget of {whose} is used up", f"slate budget set{option}, with more", False, None, None
    if row["breaker"] is not None and row["fallback"] != "proceed_with_warning":
        because = (
            f"the circuit breaker of {row['agent']} is {row['breaker'].replace('_', '-')}: {row['breaker_reason']}"
        )
        return because, f"slate breaker close {row['agent']}", True, None, row["until"]
    if row["limited"] is not None:
        because = f"the limit of {row['limited']} is reached"
        return because, f"the end of what runs, or slate limit set {row['limited']}, with more", True, None, None
    if row["nobody"]:
        return f"no agent has the capability that it is {row['agent']} to", "slate agent add", False, None, None
    if row["kind"] in {ItemKind.ANSWER, ItemKind.VERIFY}:
        review = row["kind"] == ItemKind.VERIFY
        because = f"{row['agent']} must {'judge' if review else 'answer'}"
        by = row["verdict_by"] if review else row["answer_by"]
        return because, _release_duty(review, row["item"]), False, row["agent"], by
    return f"is ready for {row['agent']}", None, True, None, None


def _release_duty(review: bool, duty: int) -> str:  # noqa: FBT001  of two kinds
    return f"slate work approve {duty}, or reject" if review else f"slate answer {duty} TEXT"
