"""Usage: the tokens and the cost of attempts, in a ledger that only grows.

An attempt reports while it runs; what it did not report by then, its end says. Sums are computed on read: of an agent,
of a task with all below it, or of the board. Nothing in the ledger is ever changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.board import agents
from slateboard.protocol.errors import Invalid, UnknownName
from slateboard.protocol.events import Subject
from slateboard.protocol.rights import Right
from slateboard.protocol.usage import check_usage
from slateboard.work import leases

if TYPE_CHECKING:
    from slateboard.transaction import ReadTransaction, Statement, Transaction

MAX_SHOWN = 1_000

BOOK = """
INSERT INTO usage_ledger (board, fence, number, item, agent, task, input_tokens, cached_tokens, output_tokens, cost,
                          model, reported_at)
SELECT l.board, l.fence, nextval('ids'), l.item, l.agent, task_of_item(l.board, l.item), $4, $5, $6, $7, $8, $9
FROM leases l WHERE l.board = $1 AND l.item = $2 AND l.fence = $3
RETURNING *
"""

TASK = "SELECT id FROM tasks WHERE board = $1 AND name = $2"

# The entries of an agent, of a task with all below it, or of all.
ENTRIES = """
WITH RECURSIVE below (id) AS (
    SELECT $3::bigint WHERE $3::bigint IS NOT NULL
    UNION
    SELECT t.id FROM below b, LATERAL (SELECT t.id FROM tasks t WHERE t.board = $1 AND t.parent = b.id OFFSET 0) AS t
),
entries AS (
    SELECT u.* FROM usage_ledger u
    WHERE u.board = $1 AND ($2::bigint IS NULL OR u.agent = $2)
      AND ($3::bigint IS NULL OR u.task = ANY (ARRAY(SELECT id FROM below)))
)
"""
SUMS = """
coalesce(sum(e.input_tokens), 0)::bigint AS input_tokens, coalesce(sum(e.cached_tokens), 0)::bigint AS cached_tokens,
coalesce(sum(e.output_tokens), 0)::bigint AS output_tokens, coalesce(sum(e.cost::numeric), 0)::float8 AS cost,
count(*) AS reports
"""
NAMES = {
    "agent": "SELECT a.name FROM agents a WHERE a.board = $1 AND a.id = e.agent",
    "task": "SELECT t.name FROM tasks t WHERE t.board = $1 AND t.id = e.task",
    "item": "SELECT w.reference FROM work_items w WHERE w.board = $1 AND w.id = e.item",
    "model": "SELECT e.model",
}
TOTAL = f"{ENTRIES} SELECT {SUMS} FROM entries e"
GROUPS = {
    by: f"{ENTRIES} SELECT ({name}) AS name, {SUMS} FROM entries e GROUP BY e.{by} ORDER BY cost DESC, 1 LIMIT $4"
    for by, name in NAMES.items()
}


async def report_usage(
    tx: Transaction,
    *,
    item: int,
    fence: int,
    input_tokens: int = 0,
    cached_tokens: int = 0,
    output_tokens: int = 0,
    cost: float = 0.0,
    model: str | None = None,
) -> dict[str, Any]:
    """Book what an attempt used since its last report. Raises `LeaseLost`, and `Invalid` for less than nothing."""
    tx.require(Right.AGENT)
    used = {"input_tokens": input_tokens, "cached_tokens": cached_tokens, "output_tokens": output_tokens, "cost": cost}
    check_usage({**used, "model": model})
    await leases.hold(tx, item=item, fence=fence)
    row = dict(await tx.fetchrow(BOOK, tx.board, item, fence, *used.values(), model, tx.now))
    del row["board"]
    tx.record(Subject.USAGE_REPORTED, {"usage": row, "item": item})
    return {"item": item, **used, "model": model}


async def usage(
    tx: ReadTransaction, *, agent: str | None = None, task: str | None = None, per: str = "agent", limit: int = 100
) -> dict[str, Any]:
    """What was used: by an agent, for a task with all below it, or by all; `{total, rows}`, the dearest first.

    `per` is what the rows stand for: agent, task, item or model. A row without a name belongs to none.
    """
    tx.require(Right.READER)
    if per not in GROUPS:
        raise Invalid(f"usage is not summed per {per[:80]!r}", remedy=f"one of: {', '.join(GROUPS)}")
    if not 1 <= limit <= MAX_SHOWN:
        raise Invalid(f"a list has 1 to {MAX_SHOWN:,} rows", remedy="choose a number in that range")
    wanted = (
        (await agents.ids(tx, [agent]))[agent] if agent else None,
        await task_id(tx, task) if task else None,
    )
    total = await tx.fetchrow(TOTAL, tx.board, *wanted)
    rows = await tx.fetch(GROUPS[per], tx.board, *wanted, limit)
    return {"total": dict(total), "rows": [dict(row) for row in rows]}


async def task_id(tx: Statement, name: str) -> int:
    """The id of a task. Raises `UnknownName`."""
    found = await tx.fetchval(TASK, tx.board, name)
    if found is None:
        raise UnknownName(f"there is no task {name!r} on this board", remedy="see `slate get tasks`", task=name)
    return found
