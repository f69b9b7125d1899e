"""What the board has of what manifests declare: read in a few statements, however much they declare."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from slateboard.board.queries import AGENT_NAMES
from slateboard.manifests.places import nearest, wrong
from slateboard.protocol.errors import UnknownName
from slateboard.protocol.rights import Right
from slateboard.store.arrays import numbers, texts

if TYPE_CHECKING:
    from datetime import datetime

    from slateboard.manifests.declarations import Declarations
    from slateboard.protocol.errors import SlateError
    from slateboard.transaction import Statement

# Two applies of the same files at once: the second waits, and then finds everything there.
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('slateboard.apply', $1::bigint))"

# One probe for each: where the planner knows little of a board, a join reads all of it for each row.
TASKS = """
SELECT t.*, p.name AS parent, a.name AS agent
FROM unnest($2::text::text[]) AS g (name),
LATERAL (SELECT t.id, t.name, t.title, t.brief, t.priority, t.due, t.created_at, t.parent AS below, t.agent AS owned_by
         FROM tasks t WHERE t.board = $1 AND t.name = g.name OFFSET 0) AS t
LEFT JOIN LATERAL (SELECT p.name FROM tasks p WHERE p.board = $1 AND p.id = t.below OFFSET 0) AS p ON true
LEFT JOIN LATERAL (SELECT a.name FROM agents a WHERE a.board = $1 AND a.id = t.owned_by OFFSET 0) AS a ON true
"""

ARTIFACTS = """
SELECT g.task || '/' || g.artifact AS reference, a.*, o.name AS owner, w.*, p.place
FROM unnest($2::text::text[], $3::text::text[]) AS g (task, artifact),
LATERAL (SELECT t.id FROM tasks t WHERE t.board = $1 AND t.name = g.task OFFSET 0) AS t,
LATERAL (SELECT a.id, a.title, a.brief, a.path, a.capability, a.created_at, a.newest_item, a.owner AS owner_id,
                a.rules::text AS rules
         FROM artifacts a WHERE a.board = $1 AND a.task = t.id AND a.name = g.artifact OFFSET 0) AS a,
LATERAL (SELECT w.revision, w.outcome, w.base_rating, w.due, w.run_at, w.max_attempts, w.attempts
         FROM work_items w WHERE w.board = $1 AND w.id = a.newest_item OFFSET 0) AS w,
LATERAL (SELECT p.place FROM item_places p WHERE p.board = $1 AND p.item = a.newest_item OFFSET 0) AS p
LEFT JOIN LATERAL (SELECT o.name FROM agents o WHERE o.board = $1 AND o.id = a.owner_id OFFSET 0) AS o ON true
"""

# What declared artifacts are blocked by, as artifacts; edges to revisions count as edges to their artifact.
EDGES = """
SELECT d.item, (SELECT b.artifact FROM work_items b WHERE b.board = $1 AND b.id = d.blocker) AS blocker
FROM dependencies d WHERE d.board = $1 AND d.item = ANY ($2::text::bigint[])
"""

DECISIONS = """
SELECT id, subject, status, decision, rationale, context, consequences, confirmation FROM decisions
WHERE board = $1 AND subject = ANY ($2::text::text[]) ORDER BY id
"""

AGENTS = "SELECT name, removed_at FROM agents WHERE board = $1 AND name = ANY ($2::text::text[])"

# What a reference to nothing may have meant.
NEIGHBOURS = """
SELECT t.name || '/' || a.name AS reference FROM artifacts a JOIN tasks t ON t.board = a.board AND t.id = a.task
WHERE a.board = $1 ORDER BY t.name = $2 DESC, a.id DESC LIMIT 2000
"""


@dataclass(slots=True)
class State:
    """Rows of the board by the names that manifests use; `edges` has the ids of each artifact's blockers.

    `removed` are those of the agents that were removed, and when: finished work may name them, and nothing that is new.
    """

    agents: set[str] = field(default_factory=set)
    removed: dict[str, datetime] = field(default_factory=dict)
    tasks: dict[str, Any] = field(default_factory=dict)
    artifacts: dict[str, Any] = field(default_factory=dict)
    edges: dict[int, set[int]] = field(default_factory=dict)
    decisions: dict[str, list[Any]] = field(default_factory=dict)


async def load(tx: Statement, declared: Declarations) -> State:
    """The board's rows for everything that is declared, and for every blocker that is named."""
    state = State()
    agents = await tx.fetch(AGENTS, tx.board, texts(declared.agents))
    state.agents = {row["name"] for row in agents}
    state.removed = {row["name"]: row["removed_at"] for row in agents if row["removed_at"] is not None}
    tasks = {*declared.tasks, *(one.parent for one in declared.tasks.values() if one.parent is not None)}
    state.tasks = {row["name"]: row for row in await tx.fetch(TASKS, tx.board, texts(sorted(tasks)))}
    wanted = [one.reference for one in declared.artifacts.values() if one.task in state.tasks]
    wanted += {
        reference
        for one in declared.artifacts.values()
        for reference in one.blocked_by
        if reference not in declared.artifacts
    }
    if wanted:
        pairs = [reference.split("/") for reference in wanted]
        columns = (texts(task for task, _ in pairs), texts(artifact for _, artifact in pairs))
        state.artifacts = {row["reference"]: row for row in await tx.fetch(ARTIFACTS, tx.board, *columns)}
    there = [row["id"] for reference, row in state.artifacts.items() if reference in declared.artifacts]
    if there:
        for row in await tx.fetch(EDGES, tx.board, numbers(there)):
            state.edges.setdefault(row["item"], set()).add(row["blocker"])
    if declared.decisions:
        for row in await tx.fetch(DECISIONS, tx.board, texts(declared.decisions)):
            state.decisions.setdefault(row["subject"], []).append(row)
    return state


async def check_blockers(tx: Statement, declared: Declarations, state: State) -> None:
    """Refuse a blocker that is neither declared nor on the board, with the nearest that is."""
    for one in declared.artifacts.values():
        for reference, node in one.blocked_by.items():
            if reference not in declared.artifacts and reference not in state.artifacts:
                task = reference.partition("/")[0]
                rows = await tx.fetch(NEIGHBOURS, tx.board, task)
                known = dict.fromkeys([*declared.artifacts, *(row["reference"] for row in rows)])
                near = nearest(reference, known)
                if near is not None and near.startswith(f"{one.task}/"):
                    near = near.partition("/")[2]
                raise wrong(
                    one.document.at(node),
                    f"there is no artifact {reference!r}, neither in the manifests nor on the board",
                    "an artifact of the same task, or task/artifact",
                    remedy=f"did you mean {near!r}?" if near else "declare it, or remove the dependency",
                    nearest=near,
                )


def check_parents(declared: Declarations, state: State) -> None:
    """Refuse a task below one that is neither declared nor on the board, and tasks that stand below each other."""
    for task in declared.tasks.values():
        if task.parent is not None and task.parent not in declared.tasks and task.parent not in state.tasks:
            near = nearest(task.parent, declared.tasks)
            remedy = f"did you mean {near!r}?" if near else "declare it, or leave `parent` out"
            message = f"there is no task {task.parent!r}, neither in the manifests nor on the board"
            raise wrong(task.place, message, "the name of a task as `parent`", remedy=remedy, nearest=near)


def check_circles_of_parents(declared: Declarations) -> None:
    """Refuse tasks that stand below each other."""
    fine: set[str] = set()
    for task in declared.tasks.values():
        way: dict[str, None] = {}
        name: str | None = task.name
        while name in declared.tasks and name not in fine and name not in way:
            way[name] = None
            name = declared.tasks[name].parent
        if name in way:
            circle = [*list(way)[list(way).index(name) :], name]
            path = " → ".join(circle)
            place = declared.tasks[name].place
            raise wrong(place, f"found a task below itself: {path}", "another parent, or none", circle=circle)
        fine.update(way)


async def missing_agents(tx: Statement, declared: Declarations, state: State, *, strict: bool) -> list[str]:
    """The agents to create; `UnknownName`, with the nearest known name, where the actor or `strict` forbids it."""
    missing = [name for name in declared.agents if name not in state.agents]
    undefined = missing if tx.actor.right < Right.ADMIN else [one for one in missing if one not in declared.profiles]
    if undefined and (strict or tx.actor.right < Right.ADMIN):
        place = declared.agents[undefined[0]]
        near = nearest(
            undefined[0], [*declared.profiles, *(row["name"] for row in await tx.fetch(AGENT_NAMES, tx.board))]
        )
        hint = f"did you mean {near!r}? Else add it" if near else "add it"
        raise UnknownName(
            f"{place}: {place.path}: there is no agent {undefined[0]!r} on this board",
            remedy=f"{hint} with `slate agent add {undefined[0]}`",
            agent=undefined[0],
            nearest=near,
            **place.details(),
        )
    return missing


def of_a_removed_agent(error: SlateError, declared: Declarations, state: State) -> UnknownName | None:
    """What to say where an action refused because of an agent that was removed: where a manifest names it first."""
    agent = error.details.get("agent")
    if not isinstance(error, UnknownName) or agent not in state.removed or agent not in declared.agents:
        return None
    place = declared.agents[agent]
    return UnknownName(
        f"{place}: {place.path}: the agent {agent!r} was removed from this board at"
        f" {state.removed[agent]:%Y-%m-%d %H:%M:%S}, and gets nothing new",
        remedy=f"name another agent instead of {agent}",
        agent=agent,
        **place.details(),
    )
