"""Delegations as rows: what was given to whom by whom, and what became of it; also of all tasks above some."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.protocol.errors import Invalid
from slateboard.protocol.rights import Right
from slateboard.reports.artifacts import require_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slateboard.transaction import Statement

MOST_SHOWN = 1_000
MOST_ROWS = 100_000
MOST_HOPS = 100
STATES = ("pending", "acknowledged", "declined", "unanswered")

COLUMNS = """
t.name AS task, t.title, f.name AS delegator, e.name AS agent, d.state, d.delegated_at, d.settled_at, d.reason
"""

LIST = f"""
SELECT x.* FROM (
    SELECT {COLUMNS}, t.name AS of, t.id,
           row_number() OVER (PARTITION BY CASE WHEN $2::text[] IS NOT NULL THEN d.agent
                                                WHEN $3::text[] IS NOT NULL THEN d.delegator END
                              ORDER BY d.task DESC) AS number
    FROM delegations d
    JOIN tasks t ON t.board = d.board AND t.id = d.task
    JOIN agents f ON f.board = d.board AND f.id = d.delegator
    JOIN agents e ON e.board = d.board AND e.id = d.agent
    WHERE d.board = $1 AND ($2::text[] IS NULL OR e.name = ANY ($2)) AND ($3::text[] IS NULL OR f.name = ANY ($3))
      AND ($4::text IS NULL OR d.state = $4) AND ($5::text[] IS NULL OR t.name = ANY ($5))
) AS x WHERE x.number <= $6 ORDER BY x.id DESC LIMIT {MOST_ROWS}
"""

# The hops above each of these tasks and itself, from the root down.
ABOVE = f"""
WITH RECURSIVE hops (of, id, hop) AS (
    SELECT t.name, t.id, 0 FROM tasks t WHERE t.board = $1 AND t.name = ANY ($5::text[])
    UNION ALL
    SELECT h.of, t.parent, h.hop + 1
    FROM hops h, LATERAL (SELECT t.parent FROM tasks t WHERE t.board = $1 AND t.id = h.id OFFSET 0) AS t
    WHERE t.parent IS NOT NULL AND h.hop < {MOST_HOPS}
)
SELECT {COLUMNS}, h.of
FROM hops h,
LATERAL (SELECT * FROM delegations d WHERE d.board = $1 AND d.task = h.id OFFSET 0) AS d
JOIN tasks t ON t.board = $1 AND t.id = d.task
JOIN agents f ON f.board = $1 AND f.id = d.delegator
JOIN agents e ON e.board = $1 AND e.id = d.agent
WHERE ($2::text[] IS NULL OR e.name = ANY ($2)) AND ($3::text[] IS NULL OR f.name = ANY ($3))
  AND ($4::text IS NULL OR d.state = $4) AND $6 > 0
ORDER BY h.of, h.hop DESC LIMIT {MOST_ROWS}
"""


async def list_delegations(
    tx: Statement,
    *,
    agents: Sequence[str] | None = None,
    delegators: Sequence[str] | None = None,
    state: str | None = None,
    tasks: Sequence[str] | None = None,
    above: bool = False,
    first: int = 100,
) -> list[dict[str, Any]]:
    """What was delegated to `agents`, by `delegators`, or of `tasks`, the newest first.

    At most `first` (1,000) of each agent that is named, or delegator. With `above` those of all tasks above `tasks`,
    too, for each of these (`of`) from the root down. Raises `Invalid`, `UnknownName`.
    """
    tx.require(Right.READER)
    if not 1 <= first <= MOST_SHOWN:
        raise Invalid(f"a list has 1 to {MOST_SHOWN:,} rows", remedy="choose a number in that range")
    if state is not None and state not in STATES:
        raise Invalid(f"{state[:40]!r} is no state of a delegation", remedy=f"one of: {', '.join(STATES)}")
    if above and tasks is None:
        raise Invalid("above which tasks?", remedy="name `tasks`, or leave `above` out")
    names = [None if some is None else list(some) for some in (agents, delegators, tasks)]
    rows = await tx.fetch(ABOVE if above else LIST, tx.board, names[0], names[1], state, names[2], first)
    if not rows:
        one = [*(agents or ()), *(delegators or ())]
        await require_names(tx, owner=one[0] if len(one) == 1 else None)
        await require_names(tx, task=tasks[0] if tasks and len(tasks) == 1 else None)
    shown = ("task", "title", "delegator", "agent", "state", "delegated_at", "settled_at", "reason", "of")
    return [{name: row[name] for name in shown} for row in rows]
