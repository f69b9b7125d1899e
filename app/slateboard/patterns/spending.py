"""Spending: looks at all budgets again and again, warns when one is nearly used, and tells a person when it is.

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
                (SELECT min(h.id) FROM agents h WHERE h.board = $1 AND h.kind = 'human')) AS owner
"""


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
    times = budgets.times(row, used, tx.now)
    await tx.fetch(budgets.MARK, tx.board, agent, task, times["warned_at"], times["exhausted_at"])
    named = await tx.fetchrow(NAME, tx.board, agent, task)
    told: dict[str, Any] = {"agent": agent, "task": task, "scope": named["scope"], "tokens": row["tokens"]}
    told |= {"cost": row["cost"], **used, **times}
    if times["exhausted_at"] is None:
        tx.record(Subject.BUDGET_WARNED, told)
    elif row["exhausted_at"] is None:
        tx.record(Subject.BUDGET_EXHAUSTED, told)
        if task:
            await tx.fetch(budgets.GUARD, tx.board, task)
        if named["owner"] is not None:
            await _escalate(tx, named["scope"], named["owner"], dict(row), used)


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
