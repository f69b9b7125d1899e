"""Spending: sets budgets and looks at all of them again and again, warns of what is nearly used, and asks when it is.

One that is wholly used stops claims from the commit that says so; the escalation asks what is to become of it, and
raising the budget lets the work go on and ends the question.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.patterns import escalations
from slateboard.protocol.events import Subject
from slateboard.protocol.names import BoardId
from slateboard.work import budgets

if TYPE_CHECKING:
    from slateboard.transaction import Transaction

# Those whose standing is not what was last said of them; the others are read and left alone.
CHANGED = """
SELECT b.board, b.agent, b.task FROM budgets b, LATERAL used_of(b.board, b.agent, b.task) AS u,
LATERAL (SELECT greatest(u.tokens / b.tokens::float8, u.cost::float8 / b.cost) AS share) AS s
WHERE (SELECT o.archived_at IS NULL FROM boards o WHERE o.id = b.board)
  AND (s.share >= $1 AND b.warned_at IS NULL OR s.share >= 1 AND b.exhausted_at IS NULL)
ORDER BY b.board, b.agent, b.task LIMIT $2
"""

# Questions about budgets that are not used up any more.
SETTLED = """
SELECT e.board, e.item FROM escalations e
WHERE e.answered_at IS NULL AND e.kind = 'budget'
  AND (SELECT o.archived_at IS NULL FROM boards o WHERE o.id = e.board)
  AND NOT EXISTS (
      SELECT FROM budgets b WHERE b.board = e.board AND b.exhausted_at IS NOT NULL
        AND e.reference = 'budget/' || coalesce(
            (SELECT 'agent/' || a.name FROM agents a WHERE a.board = b.board AND a.id = b.agent),
            (SELECT 'task/' || t.name FROM tasks t WHERE t.board = b.board AND t.id = b.task), 'board'))
ORDER BY e.board, e.item LIMIT $1
"""

HELD = "SELECT * FROM budgets WHERE board = $1 AND agent = $2 AND task = $3 FOR NO KEY UPDATE"

NAME = """
SELECT coalesce((SELECT 'agent ' || a.name FROM agents a WHERE a.board = $1 AND a.id = $2),
                (SELECT 'task ' || t.name FROM tasks t WHERE t.board = $1 AND t.id = $3), 'the board') AS scope,
       coalesce((SELECT t.delegator FROM tasks t WHERE t.board = $1 AND t.id = $3),
                (SELECT a.manager FROM agents a WHERE a.board = $1 AND a.id = $2),
                (SELECT min(h.id) FROM agents h WHERE h.board = $1 AND h.kind = 'human'
                   AND h.removed_at IS NULL)) AS owner
"""


async def set_budget(
    tx: Transaction,
    *,
    agent: str | None = None,
    task: str | None = None,
    tokens: int | None = None,
    cost: float | None = None,
) -> dict[str, Any]:
    """Limit what an agent, a task with all below it, or (without either) the board may use; it replaces the one before.

    Tokens are input and output together. One that is used up already stops claims from this commit, and somebody is
    asked. Raises `UnknownName`, `Invalid` (no limit, or not above zero).
    """
    made, before = await budgets.put(tx, agent=agent, task=task, tokens=tokens, cost=cost)
    used = {name: made[name] for name in ("used_tokens", "used_cost")}
    await _tell(tx, made, used, before=before)
    return made


async def watch(tx: Transaction, *, limit: int = 100) -> int:
    """Say which budgets are nearly or wholly used since the last look, at most `limit`, on any board; how many.

    Questions about budgets that were raised or removed meanwhile are at their end.
    """
    rows = await tx.fetch(CHANGED, budgets.WARN_AT, limit)
    for row in rows:
        tx.board = BoardId(row["board"])
        await _judge(tx, row["agent"], row["task"])
        await tx.flush()
    settled = await tx.fetch(SETTLED, limit)
    for row in settled:
        tx.board = BoardId(row["board"])
        await escalations.settle(tx, escalation=row["item"], answer="no longer used up")
        await tx.flush()
    return max(len(rows), len(settled))


async def _judge(tx: Transaction, agent: int, task: int) -> None:
    row = await tx.fetchrow(HELD, tx.board, agent, task)
    if row is None:  # removed meanwhile
        return
    used = await budgets.used_of(tx, agent, task)
    now = budgets.times(row, used, tx.now)
    await tx.fetch(budgets.MARK, tx.board, agent, task, now["warned_at"], now["exhausted_at"])
    await _tell(tx, {**row, **now}, used, before=row)


async def _tell(tx: Transaction, budget: dict[str, Any], used: dict[str, Any], *, before: Any) -> None:
    """Say what a budget has come to, if it was not so before; of one that is used up somebody is asked."""
    agent, task = budget["agent"], budget["task"]
    named = await tx.fetchrow(NAME, tx.board, agent, task)
    told = {name: budget[name] for name in ("agent", "task", "tokens", "cost", "warned_at", "exhausted_at")}
    told |= {"scope": named["scope"], **used}
    if budget["exhausted_at"] is None:
        if budget["warned_at"] is not None and before["warned_at"] is None:
            tx.record(Subject.BUDGET_WARNED, told)
    elif before["exhausted_at"] is None:
        tx.record(Subject.BUDGET_EXHAUSTED, told)
        if task:
            await tx.fetch(budgets.GUARD, tx.board, task)
        if named["owner"] is not None:
            await _escalate(tx, named["scope"], named["owner"], budget, used)


async def _escalate(tx: Transaction, scope: str, owner: int, row: dict[str, Any], used: dict[str, Any]) -> None:
    of = [
        f"{used[f'used_{what}']:,} of {row[what]:,} {'tokens' if what == 'tokens' else 'in cost'}"
        for what in ("tokens", "cost")
        if row[what] is not None
    ]
    await escalations.raise_(
        tx, kind="budget", reference="budget/" + scope.removeprefix("the ").replace(" ", "/"), owner=owner,
        severity="high",
        question=f"The budget of {scope} is used up ({', '.join(of)}): nothing more is claimed. "
        "Raise it with `slate budget set`, or leave it.",
    )  # fmt: skip
