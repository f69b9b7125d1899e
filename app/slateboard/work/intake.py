"""Taking work in: posting tasks and artifacts with their work items, edges and gates, in bulk and all or nothing.

Every artifact's first work item has the artifact's own id. A task that declares no artifact gets one, `result`; a task
with subtasks has a `result` that is gated by all artifacts of its subtasks. The rows themselves are written by
`work.entries`; here is decided which.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.board import agents, graph
from slateboard.board import queries as board_queries
from slateboard.protocol.errors import DependencyCycle, DuplicateName, Invalid, NotYours, UnknownName
from slateboard.protocol.names import RESULT, check_name, split_reference
from slateboard.protocol.rights import Right
from slateboard.protocol.states import PRIORITY_RATING, Priority
from slateboard.protocol.work import MAX_POST, NewArtifact, NewTask, Posted
from slateboard.work import entries, gates, inboxes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from slateboard.transaction import Transaction

RATING_OF: dict[str, int] = {priority.value: rating for priority, rating in PRIORITY_RATING.items()}


async def post(tx: Transaction, *, tasks: Sequence[NewTask] = (), artifacts: Sequence[NewArtifact] = ()) -> Posted:
    """Post tasks and artifacts; what nothing holds can be claimed after the commit.

    Raises `DuplicateName`, `UnknownName` (an agent, task or blocker), `DependencyCycle` (with its path), `BadName`,
    `NotYours` (a delegator that is neither the actor nor the parent task's agent), `AlreadyStarted` (a subtask below a
    task whose `result` has begun).
    """
    tx.require(Right.AGENT)
    if len(tasks) + len(artifacts) > MAX_POST:
        raise Invalid(f"one post takes at most {MAX_POST:,} tasks and artifacts", remedy="post in several calls")
    check(tasks, artifacts)
    known = await _known_tasks(tx, tasks, artifacts)
    artifacts = [*artifacts, *await _results(tx, known, tasks, artifacts)]
    agent_ids = await agents.ids(tx, _named_agents(tasks, artifacts))
    _check_delegators(tx, tasks, known, agent_ids)

    fresh: list[int] = await tx.fetchval(board_queries.NEW_IDS, len(tasks) + len(artifacts)) or []
    task_ids = {name: row["id"] for name, row in known.items()} | {
        task.name: number for task, number in zip(tasks, fresh, strict=False)
    }
    items = {f"{one.task}/{one.name}": number for one, number in zip(artifacts, fresh[len(tasks) :], strict=True)}
    await entries.insert_tasks(tx, tasks, task_ids, agent_ids)
    rows = await _rows(tx, artifacts, tasks, known, task_ids, items, agent_ids)
    await entries.insert_artifacts(tx, rows)
    await _link(tx, tasks, rows, known, items)
    return Posted(tasks=tuple(task.name for task in tasks), items=items)


def check(tasks: Sequence[NewTask], artifacts: Sequence[NewArtifact]) -> None:
    """The rules that need no database: names, priorities, no name twice."""
    seen: set[str] = set()
    for task in tasks:
        check_name(task.name, "task")
        check_priority(task.priority, task.name)
        if task.name in seen:
            raise DuplicateName(f"the task {task.name!r} stands twice in this call", remedy="name each task once")
        seen.add(task.name)
    for one in artifacts:
        reference = f"{one.task}/{check_name(one.name, 'artifact')}"
        if one.priority is not None:
            check_priority(one.priority, reference)
        if one.capability is not None:
            check_name(one.capability, "capability")
            if one.owner is not None:
                raise Invalid(f"{reference} has an owner and a capability", remedy="an open artifact has no owner")
        if reference in seen:
            raise DuplicateName(f"the artifact {reference!r} stands twice", remedy="name each artifact once")
        seen.add(reference)


def check_priority(priority: str, what: str) -> None:
    """Refuse a priority that is not one of the four words."""
    if priority not in RATING_OF:
        words = ", ".join(Priority)
        raise Invalid(f"the priority {priority!r} of {what} is none of: {words}", remedy=f"use one of {words}")


def blocker_reference(blocker: str, task: str) -> str:
    """`artifact` or `task/artifact`, as `task/artifact`."""
    if "/" not in blocker:
        return f"{task}/{check_name(blocker, 'artifact')}"
    return "/".join(split_reference(blocker))


def _named_agents(tasks: Sequence[NewTask], artifacts: Sequence[NewArtifact]) -> set[str]:
    names = {name for task in tasks for name in (task.agent, task.delegator) if name}
    return names | {one.owner for one in artifacts if one.owner}


def _check_delegators(
    tx: Transaction, tasks: Sequence[NewTask], known: Mapping[str, Any], agent_ids: Mapping[str, int]
) -> None:
    """Only an administrator delegates for another; in a tree, a parent's agent delegates to its children."""
    if tx.actor.right >= Right.ADMIN:
        return
    task_agents = {name: row["agent"] for name, row in known.items()} | {
        task.name: agent_ids[task.agent] if task.agent else None for task in tasks
    }
    for task in tasks:
        if task.delegator and agent_ids[task.delegator] not in {tx.actor.agent, task_agents.get(task.parent or "")}:
            message = f"{tx.actor.name} cannot delegate {task.name} for {task.delegator}"
            raise NotYours(message, remedy="leave the delegator out, or use its token", task=task.name)


async def _known_tasks(tx: Transaction, tasks: Sequence[NewTask], artifacts: Sequence[NewArtifact]) -> dict[str, Any]:
    """The tasks that are named but not posted here, by name; `UnknownName` if one is nowhere."""
    own = {task.name for task in tasks}
    wanted = ({one.task for one in artifacts} | {task.parent for task in tasks if task.parent}) - own
    rows = await tx.fetch(board_queries.TASKS_BY_NAME, tx.board, sorted(wanted)) if wanted else []
    known = {row["name"]: row for row in rows}
    for name in sorted(wanted - known.keys()):
        raise UnknownName(f"there is no task {name!r} on this board", remedy="post it first", task=name)
    return known


async def _results(
    tx: Transaction, known: Mapping[str, Any], tasks: Sequence[NewTask], artifacts: Sequence[NewArtifact]
) -> list[NewArtifact]:
    """The `result` of each new task without artifacts, and of each task that gets its first subtask."""
    parents = {task.parent for task in tasks if task.parent}
    producing = {one.task for one in artifacts}
    declared = {one.task for one in artifacts if one.name == RESULT}
    older = sorted(parents & known.keys())
    rows = await tx.fetch(board_queries.ARTIFACTS_BY_REFERENCE, tx.board, older, [RESULT] * len(older)) if older else []
    declared |= {row["reference"].partition("/")[0] for row in rows}
    titles = {task.name: task.title for task in tasks}
    wanted = [task.name for task in tasks if task.name not in producing or task.name in parents] + older
    return [
        NewArtifact(task=name, name=RESULT, title=titles.get(name, name)) for name in wanted if name not in declared
    ]


async def _rows(
    tx: Transaction,
    artifacts: Sequence[NewArtifact],
    tasks: Sequence[NewTask],
    known: Mapping[str, Any],
    task_ids: Mapping[str, int],
    items: Mapping[str, int],
    agent_ids: Mapping[str, int],
) -> list[entries.Entry]:
    """Each artifact with what it takes from its task: the owner, priority and due time that it does not say itself."""
    defaults = {name: (row["agent"], row["priority"], row["due"]) for name, row in known.items()} | {
        task.name: (agent_ids[task.agent] if task.agent else None, task.priority, task.due) for task in tasks
    }
    rows: list[entries.Entry] = []
    for (reference, number), one in zip(items.items(), artifacts, strict=True):
        agent, priority, due = defaults[one.task]
        owner = agent_ids[one.owner] if one.owner else None if one.capability else agent
        rows.append(
            entries.Entry(
                artifact=one,
                reference=reference,
                item=number,
                task=task_ids[one.task],
                owner=owner,
                inbox=owner,
                rating=RATING_OF[one.priority or priority],
                due=one.due or due,
            )
        )
    unowned = {row.artifact.capability or "" for row in rows if row.inbox is None}
    if unowned:
        open_inboxes = await inboxes.open_to(tx, unowned)
        for row in rows:
            if row.inbox is None:
                row.inbox = open_inboxes[row.artifact.capability or ""]
    return rows


async def _link(
    tx: Transaction,
    tasks: Sequence[NewTask],
    rows: Sequence[entries.Entry],
    known: Mapping[str, Any],
    items: Mapping[str, int],
) -> None:
    """Write the edges: what was declared, and each parent's `result` blocked by all artifacts of its subtasks."""
    implied = await _implied(tx, tasks, rows, known)
    edges: dict[str, list[str]] = {}
    for row in rows:
        blockers = [blocker_reference(blocker, row.artifact.task) for blocker in row.artifact.blocked_by]
        edges[row.reference] = list(dict.fromkeys([*blockers, *implied.pop(row.reference, ())]))
    cycle = graph.find_cycle(edges)
    if cycle:
        path = " → ".join(cycle)
        raise DependencyCycle(f"the dependencies form a circle: {path}", remedy="remove one of them", path=cycle)
    older = {blocker for blockers in edges.values() for blocker in blockers} - edges.keys()
    older_items = await gates.newest_items(tx, older | implied.keys())
    numbers = {**older_items, **items}
    if implied:
        await tx.fetch(board_queries.LOCK_EDGES, tx.board)  # before the items, as everybody takes it
    unfinished = await gates.lock_blockers(tx, sorted({numbers[one] for one in older}))
    unfinished |= {row.item for row in rows if row.artifact.imported is None}
    blockers_of = {row.item: [numbers[blocker] for blocker in edges[row.reference]] for row in rows}
    entries.record(tx, rows, blockers_of)
    await entries.place(tx, rows, blockers_of, unfinished)
    if implied:
        into = {numbers[one]: (one, [numbers[blocker] for blocker in blockers]) for one, blockers in implied.items()}
        await gates.add_many(tx, into)


async def _implied(
    tx: Transaction, tasks: Sequence[NewTask], rows: Sequence[entries.Entry], known: Mapping[str, Any]
) -> dict[str, list[str]]:
    """For each parent's `result`: the new artifacts of its subtasks, by reference."""
    parents = {task.name: task.parent for task in tasks}
    above = {row["parent"] for row in known.values() if row["parent"]}
    if above:
        found = await tx.fetch(board_queries.TASK_NAMES, tx.board, sorted(above))
        names = {row["id"]: row["name"] for row in found}
        parents |= {name: names[row["parent"]] for name, row in known.items() if row["parent"]}
    implied: dict[str, list[str]] = {}
    for row in rows:
        parent = parents.get(row.artifact.task)
        if parent:
            implied.setdefault(f"{parent}/{RESULT}", []).append(row.reference)
    return implied
