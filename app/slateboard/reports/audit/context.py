"""What an audit looks up beside the log: names of agents, the tasks with those who asked for them, older items.

Tasks, titles and names are those of now; what happened is told by the log alone. Each look-up is one statement for
everything that is wanted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from slateboard.reports.audit.life import Item
    from slateboard.transaction import Statement

MAX_DEPTH = 64
"""Levels of tasks that are followed upwards."""

AGENTS = """
SELECT a.id, a.name, a.kind, a.role, m.name AS manager
FROM agents a LEFT JOIN agents m ON m.board = a.board AND m.id = a.manager WHERE a.board = $1 ORDER BY a.name
"""

DELEGATED = """
SELECT t.id, t.name, d.name AS delegator
FROM tasks t LEFT JOIN agents d ON d.board = t.board AND d.id = t.delegator
WHERE t.board = $1 AND t.id = ANY ($2::bigint[])
"""

# The tasks that are named, and those above them.
TASKS = """
WITH RECURSIVE up (id, depth) AS (
    SELECT t.id, 0 FROM tasks t WHERE t.board = $1 AND t.name = ANY ($2::text[])
    UNION
    SELECT t.parent, up.depth + 1 FROM up JOIN tasks t ON t.board = $1 AND t.id = up.id
    WHERE t.parent IS NOT NULL AND up.depth < $3
)
SELECT t.name, t.title, t.priority, t.due, t.source, t.created_by, t.created_at, p.name AS parent, g.name AS agent,
       d.name AS delegator
FROM (SELECT DISTINCT id FROM up) AS up
JOIN tasks t ON t.board = $1 AND t.id = up.id
LEFT JOIN tasks p ON p.board = $1 AND p.id = t.parent
LEFT JOIN agents g ON g.board = $1 AND g.id = t.agent
LEFT JOIN agents d ON d.board = $1 AND d.id = t.delegator
ORDER BY t.id
"""

BELOW = """
WITH RECURSIVE down (id, depth) AS (
    SELECT t.id, 0 FROM tasks t WHERE t.board = $1 AND t.name = $2
    UNION
    SELECT t.id, down.depth + 1 FROM down JOIN tasks t ON t.board = $1 AND t.parent = down.id WHERE down.depth < $3
)
SELECT DISTINCT t.name FROM down JOIN tasks t ON t.board = $1 AND t.id = down.id
"""

OLDER = """
SELECT w.id, w.kind, w.reference, w.artifact, w.revision, w.inbox, w.correlation, a.title, a.path, a.capability,
       ARRAY(SELECT d.blocker FROM dependencies d WHERE d.board = $1 AND d.item = w.id ORDER BY d.blocker) AS blockers
FROM unnest($2::bigint[]) AS g (item)
CROSS JOIN LATERAL (SELECT * FROM work_items w WHERE w.board = $1 AND w.id = g.item OFFSET 0) AS w
LEFT JOIN LATERAL (SELECT * FROM artifacts a WHERE a.board = $1 AND a.id = w.artifact OFFSET 0) AS a ON true
"""

EARLIER_DECISIONS = "SELECT id, subject, decision FROM decisions WHERE board = $1 AND id = ANY ($2::bigint[])"


async def agents(tx: Statement) -> dict[int, dict[str, Any]]:
    """The board's agents by id."""
    return {
        row["id"]: {name: row[name] for name in ("name", "kind", "role", "manager")}
        for row in await tx.fetch(AGENTS, tx.board)
    }


async def tasks(tx: Statement, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """These tasks and all above them, by name, in the order in which they were given."""
    return {row["name"]: dict(row) for row in await tx.fetch(TASKS, tx.board, sorted(names), MAX_DEPTH)}


async def below(tx: Statement, task: str) -> set[str]:
    """The names of a task and of all below it; empty if there is none of that name."""
    return {row["name"] for row in await tx.fetch(BELOW, tx.board, task, MAX_DEPTH)}


async def complete(tx: Statement, items: Iterable[Item]) -> None:
    """Fill in what an item was from the board, where it was posted before the range."""
    older = {item.number: item for item in items if item.posted_at is None}
    for row in await tx.fetch(OLDER, tx.board, sorted(older)) if older else ():
        item = older[row["id"]]
        item.reference, item.kind, item.artifact = row["reference"], row["kind"], row["artifact"]
        item.revision, item.owner = row["revision"], row["inbox"]
        item.title, item.path, item.capability = row["title"], row["path"], row["capability"]
        item.correlation = item.correlation or row["correlation"]
        item.blockers = tuple(dict.fromkeys((*row["blockers"], *item.blockers)))


async def decisions(tx: Statement, numbers: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Subject and text of decisions by id, for those that were made before the range."""
    wanted = sorted(set(numbers))
    rows = await tx.fetch(EARLIER_DECISIONS, tx.board, wanted) if wanted else []
    return {row["id"]: {"subject": row["subject"], "decision": row["decision"]} for row in rows}


def chain_of(task: str | None, known: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Who asked whom, from the task itself upwards: `{task, agent, delegator}`, at most `MAX_DEPTH` levels."""
    steps: list[dict[str, Any]] = []
    while task is not None and task in known and len(steps) < MAX_DEPTH:
        row = known[task]
        steps.append({"task": task, "agent": row["agent"], "delegator": row["delegator"]})
        task = row["parent"]
    return steps


async def task_names(tx: Statement, numbers: Iterable[int]) -> dict[int, str]:
    """The names of tasks by id."""
    wanted = sorted(numbers)
    sql = "SELECT id, name FROM tasks WHERE board = $1 AND id = ANY ($2::bigint[])"
    return {row["id"]: row["name"] for row in await tx.fetch(sql, tx.board, wanted)} if wanted else {}


async def delegated(tx: Statement, numbers: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Name and delegator of tasks by id."""
    wanted = sorted(numbers)
    return {row["id"]: dict(row) for row in await tx.fetch(DELEGATED, tx.board, wanted)} if wanted else {}
