"""The rows of tasks that are exported: some roots with all below them, in a few statements however many they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from slateboard.protocol.states import Place
from slateboard.store.arrays import numbers
from slateboard.work.queries import STANDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slateboard.manifests.export_page import Notes
    from slateboard.transaction import Statement

MAX_INLINE_BYTES = 65_536
"""Of the content of a result; a larger one is exported as its hash."""
MAX_EDGES = 200_000
"""Dependencies of one page."""

BELOW = """
WITH RECURSIVE below (root, id) AS (
    SELECT g.id, g.id FROM unnest($2::text::bigint[]) AS g (id)
    UNION ALL
    SELECT b.root, c.id FROM below b,
    LATERAL (SELECT t.id FROM tasks t WHERE t.board = $1 AND t.parent = b.id OFFSET 0) AS c
)
"""

TASKS = f"""{BELOW}
SELECT b.root, t.id, t.name, t.parent, t.title, t.brief, t.priority, t.due, a.name AS agent, g.name AS delegator,
       d.on_no_ack
FROM below b,
LATERAL (SELECT t.* FROM tasks t WHERE t.board = $1 AND t.id = b.id OFFSET 0) AS t
LEFT JOIN LATERAL (SELECT a.name FROM agents a WHERE a.board = $1 AND a.id = t.agent OFFSET 0) AS a ON true
LEFT JOIN LATERAL (SELECT g.name FROM agents g WHERE g.board = $1 AND g.id = t.delegator OFFSET 0) AS g ON true
LEFT JOIN LATERAL (SELECT d.on_no_ack FROM delegations d WHERE d.board = $1 AND d.task = t.id OFFSET 0) AS d ON true
ORDER BY t.id
"""

ARTIFACTS = f"""
SELECT a.id, a.task, a.name, a.title, a.brief, o.name AS owner, a.capability, a.path, a.rules::text AS rules,
       w.outcome, w.revision, w.base_rating, w.due, w.run_at, w.attempts, w.max_attempts, v.*
FROM unnest($2::text::bigint[]) AS g (task),
LATERAL (SELECT a.* FROM artifacts a WHERE a.board = $1 AND a.task = g.task OFFSET 0) AS a,
LATERAL (SELECT w.* FROM work_items w WHERE w.board = $1 AND w.id = a.newest_item OFFSET 0) AS w
LEFT JOIN LATERAL (SELECT o.name FROM agents o WHERE o.board = $1 AND o.id = a.owner OFFSET 0) AS o ON true
LEFT JOIN LATERAL (
    SELECT v.path AS made_path, v.uri, coalesce(octet_length(v.content), 0) > {MAX_INLINE_BYTES} AS large,
           CASE WHEN octet_length(v.content) <= {MAX_INLINE_BYTES} THEN v.content END AS content,
           CASE WHEN v.hash IS NULL AND octet_length(v.content) > {MAX_INLINE_BYTES}
                THEN 'sha256:' || encode(sha256(convert_to(v.content, 'UTF8')), 'hex') ELSE v.hash END AS hash
    FROM artifact_versions v WHERE v.board = $1 AND v.artifact = a.id AND w.outcome = 'done' AND {STANDS}
    ORDER BY v.version DESC LIMIT 1
) AS v ON true
ORDER BY a.id
"""

EDGES = f"""
SELECT d.item, t.name AS task, t.parent, a.name, n.outcome
FROM unnest($2::text::bigint[]) AS g (item),
LATERAL (SELECT d.item, d.blocker FROM dependencies d WHERE d.board = $1 AND d.item = g.item OFFSET 0) AS d,
LATERAL (SELECT w.artifact FROM work_items w
         WHERE w.board = $1 AND w.id = d.blocker AND w.kind = 'produce' OFFSET 0) AS w,
LATERAL (SELECT a.name, a.task, a.newest_item FROM artifacts a WHERE a.board = $1 AND a.id = w.artifact OFFSET 0) AS a,
LATERAL (SELECT t.name, t.parent FROM tasks t WHERE t.board = $1 AND t.id = a.task OFFSET 0) AS t,
LATERAL (SELECT n.outcome FROM work_items n WHERE n.board = $1 AND n.id = a.newest_item OFFSET 0) AS n
LIMIT {MAX_EDGES}
"""

# The one that holds of each subject, else the last that was not superseded.
DECISIONS = """
SELECT DISTINCT ON (d.subject) d.id, d.task, d.subject, d.status, d.decision, d.rationale, d.context, d.drivers,
       d.options::text AS options, d.consequences, d.confirmation, a.name AS agent
FROM decisions d LEFT JOIN agents a ON a.board = d.board AND a.name = d.agent
WHERE d.board = $1 AND d.status <> 'superseded' ORDER BY d.subject, d.status <> 'accepted', d.id DESC
"""

ACCEPTING = """
SELECT a.name, ARRAY(SELECT f.name FROM agents f WHERE f.board = $1 AND f.id = ANY (a.accepts_from)) AS accepts
FROM agents a WHERE a.board = $1 AND a.accepts_from IS NOT NULL
"""


@dataclass(slots=True)
class Found:
    """The rows of some roots with all below them, and how they stand in trees."""

    tasks: dict[int, Any]
    children: dict[int, list[Any]]
    artifacts: dict[int, list[Any]]
    blockers: dict[int, list[Any]]
    decisions: dict[int, list[Any]]
    accepting: dict[str, set[str]]
    notes: Notes
    left_out: set[int] = field(default_factory=set[int])
    # What was cancelled, by the root above it.
    gone: dict[int, list[str]] = field(default_factory=dict[int, list[str]])
    # Of each task, as it will stand elsewhere: the agents above it, itself included, and how many delegations deep.
    chains: dict[int, tuple[frozenset[str], int]] = field(default_factory=dict[int, "tuple[frozenset[str], int]"])


async def load(tx: Statement, roots: Sequence[int], notes: Notes) -> Found:
    """Everything of these roots and below them."""
    tasks = {row["id"]: row for row in await tx.fetch(TASKS, tx.board, numbers(roots))}
    artifacts = await tx.fetch(ARTIFACTS, tx.board, numbers(tasks))
    edges = await tx.fetch(EDGES, tx.board, numbers(row["id"] for row in artifacts))
    if len(edges) == MAX_EDGES:
        notes.add(f"there are more than {MAX_EDGES:,} dependencies here, and some are left out")
    accepting = {row["name"]: set(row["accepts"]) for row in await tx.fetch(ACCEPTING, tx.board)}
    decisions = [row for row in await tx.fetch(DECISIONS, tx.board) if row["task"] in tasks]
    found = Found(
        tasks,
        _grouped(tasks.values(), "parent"),
        _grouped(artifacts, "task"),
        _grouped(edges, "item"),
        _grouped(sorted(decisions, key=lambda row: row["id"]), "task"),
        accepting,
        notes,
    )
    _leave_out(found)
    return found


def _grouped(rows: Any, key: str) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    for row in rows:
        found.setdefault(row[key], []).append(row)
    return found


def _leave_out(found: Found) -> None:
    """Leave out the tasks of which nothing is left but what was cancelled; those below stand after those above."""
    for number, task in sorted(found.tasks.items(), reverse=True):
        own = found.artifacts.get(number, [])
        below = found.children.get(number, [])
        gone = [one for one in own if one["outcome"] == Place.CANCELLED]
        found.gone.setdefault(task["root"], []).extend(f"{task['name']}/{one['name']}" for one in gone)
        if own and len(gone) == len(own) and all(one["id"] in found.left_out for one in below):
            found.left_out.add(number)
