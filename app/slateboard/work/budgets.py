"""Budgets: how many tokens, or how much cost, an agent, a task with all below it, or the board may use.

What is used up stops claims that begin after it was noticed, within a second; what runs, runs on. A budget that is set
anew is judged at once, so that raising it lets work go on. The row itself says that it is used up, and a claim looks it
up beside the pauses; items below a task with a budget are guarded (`work/guard.sql`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.board import agents
from slateboard.board import queries as board_queries
from slateboard.protocol.errors import Invalid, UnknownName
from slateboard.protocol.events import Subject
from slateboard.protocol.rights import Right
from slateboard.protocol.usage import MOST_COST, MOST_TOKENS
from slateboard.work.usage import task_id

if TYPE_CHECKING:
    from slateboard.transaction import ReadTransaction, Transaction

WARN_AT = 0.8
"""The share of a budget from which somebody is warned."""
MAX_BUDGETS = 1_000
MAX_WOKEN = 1_000

SET = """
INSERT INTO budgets (board, agent, task, tokens, cost, set_by, set_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (board, agent, task) DO UPDATE
SET tokens = excluded.tokens, cost = excluded.cost, set_by = excluded.set_by, set_at = excluded.set_at
RETURNING *
"""

REMOVE = "DELETE FROM budgets WHERE board = $1 AND agent = $2 AND task = $3 RETURNING agent"

USED = """
SELECT u.tokens AS used_tokens, u.cost::float8 AS used_cost FROM used_of($1, $2, $3) AS u
"""

MARK = "UPDATE budgets SET warned_at = $4, exhausted_at = $5 WHERE board = $1 AND agent = $2 AND task = $3"

# Let the claims of what is still to do below a task look at its budget.
GUARD = """
WITH RECURSIVE below (id) AS (
    SELECT $2::bigint
    UNION
    SELECT t.id FROM below b, LATERAL (SELECT t.id FROM tasks t WHERE t.board = $1 AND t.parent = b.id OFFSET 0) AS t
)
UPDATE work_items w SET guarded = true
FROM (
    SELECT i.place
    FROM below b,
    LATERAL (SELECT a.newest_item FROM artifacts a WHERE a.board = $1 AND a.task = b.id OFFSET 0) AS a,
    LATERAL (SELECT i.ctid AS place FROM work_items i
             WHERE i.board = $1 AND i.id = a.newest_item AND i.outcome IS NULL AND NOT i.guarded
             ORDER BY i.id FOR NO KEY UPDATE) AS i
) AS at
WHERE w.ctid = at.place
"""

SHOWN = """
SELECT CASE WHEN b.agent > 0 THEN 'agent' WHEN b.task > 0 THEN 'task' ELSE 'board' END AS scope,
       coalesce((SELECT a.name FROM agents a WHERE a.board = b.board AND a.id = b.agent),
                (SELECT t.name FROM tasks t WHERE t.board = b.board AND t.id = b.task)) AS name,
       b.tokens, b.cost, u.tokens AS used_tokens, u.cost::float8 AS used_cost, b.warned_at, b.exhausted_at, b.set_by,
       b.set_at
FROM budgets b, LATERAL used_of(b.board, b.agent, b.task) AS u
WHERE b.board = $1 ORDER BY b.agent, b.task LIMIT $2
"""


async def put(
    tx: Transaction,
    *,
    agent: str | None = None,
    task: str | None = None,
    tokens: int | None = None,
    cost: float | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Put a budget in the place of the one before, and judge it; `patterns/spending.py` tells who has to hear of it.

    Returns it with its `scope` and what is used of it, and the times of the one before. Raises as the operation does.
    """
    tx.require(Right.OPERATOR)
    if tokens is None and cost is None:
        raise Invalid("a budget limits tokens, cost or both", remedy="name at least one of them")
    if tokens is not None and not (type(tokens) is int and 0 < tokens <= MOST_TOKENS):
        raise Invalid(f"a budget has 1 to {MOST_TOKENS:.0e} tokens", remedy="choose a whole number in that range")
    if cost is not None and not (type(cost) in {int, float} and 0 < cost <= MOST_COST):
        raise Invalid(f"a budget has a cost above 0 and at most {MOST_COST:.0e}", remedy="choose one in that range")
    key = await _key(tx, agent, task)
    if await tx.fetchval("SELECT count(*) FROM budgets WHERE board = $1", tx.board) >= MAX_BUDGETS:
        raise Invalid(f"a board has at most {MAX_BUDGETS:,} budgets", remedy="remove one that is not needed")
    row = dict(await tx.fetchrow(SET, tx.board, *key, tokens, cost, tx.actor.name, tx.now))
    if key[1]:
        await tx.fetch(GUARD, tx.board, key[1])
    used = await used_of(tx, *key)
    before = {"warned_at": row["warned_at"], "exhausted_at": row["exhausted_at"]}
    row |= times(row, used, tx.now)
    await tx.fetch(MARK, tx.board, *key, row["warned_at"], row["exhausted_at"])
    del row["board"]
    tx.record(Subject.BUDGET_SET, {"budget": row, "scope": _scope(agent, task)})
    await _wake(tx, key[0])
    return {**row, "scope": _scope(agent, task), **used}, before


async def remove_budget(tx: Transaction, *, agent: str | None = None, task: str | None = None) -> dict[str, Any]:
    """Take a budget away, of an agent, a task, or (without either) the board. Raises `UnknownName`."""
    tx.require(Right.OPERATOR)
    key, scope = await _key(tx, agent, task), _scope(agent, task)
    if await tx.fetchrow(REMOVE, tx.board, *key) is None:
        raise UnknownName(f"{scope} has no budget", remedy="see `slate budget list`")
    tx.record(Subject.BUDGET_REMOVED, {"agent": key[0], "task": key[1], "scope": scope})
    await _wake(tx, key[0])
    return {"removed": scope}


async def list_budgets(tx: ReadTransaction) -> list[dict[str, Any]]:
    """The budgets of the board, each with what is used of it, and since when it stops claims if it does."""
    tx.require(Right.READER)
    return [dict(row) for row in await tx.fetch(SHOWN, tx.board, MAX_BUDGETS)]


async def used_of(tx: Transaction, agent: int, task: int) -> dict[str, Any]:
    """`{used_tokens, used_cost}` of what a budget pays for."""
    return dict(await tx.fetchrow(USED, tx.board, agent, task))


def share(budget: dict[str, Any], used: dict[str, Any]) -> float:
    """How much of a budget is used, 1 being all of it: of tokens or cost, whichever is more."""
    of_tokens = used["used_tokens"] / budget["tokens"] if budget["tokens"] else 0.0
    return max(of_tokens, used["used_cost"] / budget["cost"] if budget["cost"] else 0.0)


def times(budget: dict[str, Any], used: dict[str, Any], now: Any) -> dict[str, Any]:
    """Since when a budget is nearly, and since when it is wholly used: kept while it is so."""
    part = share(budget, used)
    return {
        "warned_at": (budget["warned_at"] or now) if part >= WARN_AT else None,
        "exhausted_at": (budget["exhausted_at"] or now) if part >= 1 else None,
    }


async def _wake(tx: Transaction, agent: int) -> None:
    for row in await tx.fetch(board_queries.RESUMED_AGENTS, tx.board, agent, MAX_WOKEN):
        tx.wake([row["id"]])


async def _key(tx: Transaction, agent: str | None, task: str | None) -> tuple[int, int]:
    if agent is not None and task is not None:
        raise Invalid("a budget is of an agent or of a task, not both", remedy="leave one of them out")
    if agent is not None:
        return (await agents.ids(tx, [agent]))[agent], 0
    return 0, 0 if task is None else await task_id(tx, task)


def _scope(agent: str | None, task: str | None) -> str:
    return f"agent {agent}" if agent else f"task {task}" if task else "the board"
