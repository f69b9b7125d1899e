"""The steps of a task: what undoes each, which are completed, and which were begun and never came to an end.

A step is an artifact. What its worker gave as `undo` when it finished comes before what the board declares for its
name. What was taken over complete (imported) is no step of the board's, and what was never begun has no effect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.board import agents
from slateboard.protocol.errors import Invalid
from slateboard.protocol.events import Subject
from slateboard.protocol.names import check_name
from slateboard.protocol.rights import Right
from slateboard.work import queries, usage

if TYPE_CHECKING:
    from slateboard.transaction import Statement, Transaction

MAX_SHOWN = 1_000

ITEMS = """
SELECT w.id FROM artifacts a JOIN work_items w ON w.board = a.board AND w.id = a.newest_item
WHERE a.board = $1 AND a.task = $2
UNION SELECT c.item FROM compensations c WHERE c.board = $1 AND c.task = $2 AND c.outcome IS NULL
"""

# Every artifact of a task: its newest item, its newest version that stands, what undoes it, and who does that.
STEPS = f"""
SELECT a.id AS artifact, a.task, w.id AS item, w.reference, w.outcome, w.base_rating, w.correlation, v.version,
       v.created_at, v.fence, coalesce(v.undo, r.action) AS action, coalesce(r.irreversible, false) AS irreversible,
       coalesce(r.agent, a.owner, (SELECT g.id FROM agents g WHERE g.board = $1 AND g.name = v.author), x.agent,
                w.inbox) AS inbox,
       l.item IS NOT NULL OR (w.outcome IS DISTINCT FROM 'done'
                              AND x.outcome IN ('cancelled', 'interrupted', 'completed')) AS begun,
       EXISTS (SELECT FROM compensations c
               WHERE c.board = $1 AND c.artifact = a.id AND c.version = v.version) AS compensated,
       EXISTS (SELECT FROM compensations c WHERE c.board = $1 AND c.item = w.id) AS listed
FROM artifacts a
JOIN work_items w ON w.board = a.board AND w.id = a.newest_item
LEFT JOIN compensation_rules r ON r.board = a.board AND r.step = a.name
LEFT JOIN leases l ON l.board = a.board AND l.item = w.id
LEFT JOIN LATERAL (SELECT v.* FROM artifact_versions v WHERE v.board = $1 AND v.artifact = a.id AND {queries.STANDS}
                   ORDER BY v.version DESC LIMIT 1) AS v ON true
LEFT JOIN LATERAL (SELECT x.outcome, x.agent FROM attempts x WHERE x.board = $1 AND x.item = w.id
                   ORDER BY x.fence DESC LIMIT 1) AS x ON true
WHERE a.board = $1 AND a.task = $2 ORDER BY a.id
"""

# The compensation of a task that was posted last, while it is still to be done or left.
LAST_OPEN = """
SELECT max(c.item) FROM compensations c JOIN work_items w ON w.board = c.board AND w.id = c.item
WHERE c.board = $1 AND c.task = $2 AND c.outcome IS NULL AND w.outcome IS DISTINCT FROM 'cancelled'
"""

DECLARE = """
INSERT INTO compensation_rules (board, step, action, agent, irreversible, source, created_by, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (board, step) DO UPDATE SET action = excluded.action, agent = excluded.agent,
    irreversible = excluded.irreversible, source = excluded.source
RETURNING *
"""

# From here on the log is looked through for what fails.
WATCH = """
INSERT INTO compensation_cursors (board, position)
SELECT $1, coalesce((SELECT h.position FROM event_heads h WHERE h.board = $1), 0) ON CONFLICT DO NOTHING
"""

SHOWN = """
SELECT c.item, c.reference, c.version, c.action, g.name AS agent, c.because, c.posted_at, c.ended_at, c.question,
       coalesce(c.outcome, CASE p.place WHEN 'dead' THEN 'failed' WHEN 'cancelled' THEN 'given up'
                                        ELSE p.place END) AS state,
       w.last_error AS error
FROM compensations c
JOIN item_places p ON p.board = c.board AND p.item = c.item
JOIN work_items w ON w.board = c.board AND w.id = c.item
LEFT JOIN agents g ON g.board = c.board AND g.id = c.inbox
WHERE c.board = $1 AND ($2::text IS NULL OR c.task = (SELECT t.id FROM tasks t WHERE t.board = $1 AND t.name = $2))
ORDER BY c.posted_at DESC, c.item LIMIT $3
"""


async def hold(tx: Transaction, task: int) -> list[Any]:
    """The artifacts of a task, their newest items and open compensations held until the commit."""
    items = [row["id"] for row in await tx.fetch(ITEMS, tx.board, task)]
    await tx.fetch(queries.LOCK_LEASES, tx.board, items)
    await tx.fetch(queries.LOCK_ITEMS, tx.board, items)
    return await tx.fetch(STEPS, tx.board, task)


def completed(found: list[Any]) -> list[Any]:
    """The steps that are to be undone, the last that was completed first."""
    mine = [one for one in found if one["action"] and one["fence"] is not None and not one["compensated"]]
    return sorted(mine, key=lambda one: (one["created_at"], one["fence"]), reverse=True)


def begun(found: list[Any]) -> list[Any]:
    """The steps of which nobody can say what they did."""
    return [one for one in found if one["action"] and one["begun"] and not one["listed"]]


async def declare(
    tx: Transaction,
    *,
    step: str,
    compensate: str,
    agent: str | None = None,
    irreversible: bool = False,
    source: str | None = None,
) -> dict[str, Any]:
    """Say what undoes the steps of this name, whatever their task; `agent` does it, else who owns the step."""
    tx.require(Right.OPERATOR)
    check_name(step, "step")
    check_name(compensate, "compensation")
    number = (await agents.ids(tx, [agent]))[agent] if agent else None
    values = (step, compensate, number, irreversible, source, tx.actor.name, tx.now)
    row = dict(await tx.fetchrow(DECLARE, tx.board, *values))
    await watch(tx)
    del row["board"]
    tx.record(Subject.COMPENSATION_DECLARED, {"rule": row})
    return row


async def withdraw(tx: Transaction, *, step: str) -> None:
    """Nothing undoes the steps of this name any more; what was posted stays."""
    tx.require(Right.OPERATOR)
    await tx.fetch("DELETE FROM compensation_rules WHERE board = $1 AND step = $2", tx.board, step)
    tx.record(Subject.COMPENSATION_WITHDRAWN, {"step": step})


async def watch(tx: Transaction) -> None:
    """Let the server look for failures on this board, from now on."""
    await tx.fetch(WATCH, tx.board)


async def list_compensations(tx: Statement, *, task: str | None = None, limit: int = 100) -> list[dict[str, Any]]:
    """What was undone, what could not be, and whose effect is unknown: of one task or of all, the newest first.

    Raises `UnknownName` for a task that is not there, so that a slip never looks like an empty answer.
    """
    tx.require(Right.READER)
    if not 1 <= limit <= MAX_SHOWN:
        raise Invalid(f"a list has 1 to {MAX_SHOWN:,} rows", remedy="choose a number in that range")
    rows = [dict(row) for row in await tx.fetch(SHOWN, tx.board, task, limit)]
    if not rows and task is not None:
        await usage.task_id(tx, task)
    return rows
