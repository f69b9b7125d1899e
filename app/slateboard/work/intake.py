"""Taking work in: posting tasks and artifacts with their work items, edges and gates, in bulk and all or nothing.

Every artifact's first work item has the artifact's own id. A task that declares no artifact gets one, `result`; a task
with subtasks has a `result` that is gated by all artifacts of its subtasks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.board import agents, graph
from slateboard.board import queries as board_queries
from slateboard.protocol.errors import DependencyCycle, DuplicateName, Invalid, UnknownName
from slateboard.protocol.events import Subject
from slateboard.protocol.names import RESULT, check_name, split_reference
from slateboard.protocol.rights import Right
from slateboard.protocol.states import PRIORITY_RATING, ItemKind, Priority
from slateboard.protocol.work import MAX_POST, NewArtifact, NewTask, Posted
from slateboard.work import gates, inboxes, queries

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from slateboard.transaction import Transaction


async def post(tx: Transaction, *, tasks: Sequence[NewTask] = (), artifacts: Sequence[NewArtifact] = ()) -> Posted:
    """Post tasks and artifacts; what nothing holds can be claimed after the commit.

    Raises `DuplicateName`, `UnknownName` (an agent, task or blocker), `DependencyCycle` (with its path), `BadName`,
    `AlreadyStarted` (a subtask below a task whose `result` has begun).
    """
    tx.require(Right.AGENT)
    if len(tasks) + len(artifacts) > MAX_POST:
        raise Invalid(f"one post takes at most {MAX_POST:,} tasks and artifacts", remedy="post in several calls")
    check(tasks, artifacts)
    known = await _known_tasks(tx, tasks, artifacts)
    artifacts = [*artifacts, *await _results(tx, known, tasks, artifacts)]
    names = {name for task in tasks for name in (task.agent, task.delegator) if name}
    agent_ids = await agents.ids(tx, names | {one.owner for one in artifacts if one.owner})

    fresh = [row["nextval"] for row in await tx.fetch(board_queries.NEW_IDS, len(tasks) + len(artifacts))]
    task_ids = {name: row["id"] for name, row in known.items()} | {
        task.name: number for task, number in zip(tasks, fresh, strict=False)
    }
    items = {f"{one.task}/{one.name}": number for one, number in zip(artifacts, fresh[len(tasks) :], strict=True)}
    await _insert_tasks(tx, tasks, task_ids, agent_ids)
    await _insert_artifacts(tx, artifacts, tasks, known, task_ids, items, agent_ids)
    await _link(tx, tasks, artifacts, known, items)
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
        if one.owner is not None and one.capability is not None:
            raise Invalid(f"{reference} has an owner and a capability", remedy="an open artifact has no owner")
        if reference in seen:
            raise DuplicateName(f"the artifact {reference!r} stands twice", remedy="name each artifact once")
        seen.add(reference)


def check_priority(priority: str, what: str) -> None:
    """Refuse a priority that is not one of the four words."""
    if priority not in set(Priority):
        words = ", ".join(Priority)
        raise Invalid(f"the priority {priority!r} of {what} is none of: {words}", remedy=f"use one of {words}")


def blocker_reference(blocker: str, task: str) -> str:
    """`artifact` or `task/artifact`, as `task/artifact`."""
    if "/" not in blocker:
        return f"{task}/{check_name(blocker, 'artifact')}"
    return "/".join(split_reference(blocker))


async def _known_tasks(tx: Transaction, tasks: Sequence[NewTask], artifacts: Sequence[NewArtifact]) -> dict[str, Any]:
    """The tasks that are named but not posted here, by name; `UnknownName` if one is nowhere."""
    own = {task.name for task in tasks}
    wanted = {one.task for one in artifacts} | {task.parent for task in tasks if task.parent} - {None}
    rows = await tx.fetch(board_queries.TASKS_BY_NAME, tx.board, sorted(wanted - own))
    known = {row["name"]: row for row in rows}
    for name in sorted(wanted - own - known.keys()):
        raise UnknownName(f"there is no task {name!r} on this board", remedy="post it first", task=name)
    return known


async def _results(
    tx: Transaction, known: Mapping[str, Any], tasks: Sequence[NewTask], artifacts: Sequence[NewArtifact]
) -> list[NewArtifact]:
    """The `result` of each new task without artifacts, and of each task that gets its first subtask."""
    declared: dict[str, set[str]] = {}
    for one in artifacts:
        declared.setdefault(one.task, set()).add(one.name)
    parents = {task.parent for task in tasks if task.parent}
    titles = {task.name: task.title for task in tasks}
    wanted = [task.name for task in tasks if not declared.get(task.name) or task.name in parents] + sorted(
        parents & known.keys()
    )
    rows = await tx.fetch(
        board_queries.ARTIFACTS_BY_REFERENCE,
        tx.board,
        sorted(parents & known.keys()),
        [RESULT] * len(parents & known.keys()),
    )
    there = {row["reference"] for row in rows}
    return [
        NewArtifact(task=name, name=RESULT, title=titles.get(name, name))
        for name in wanted
        if RESULT not in declared.get(name, ()) and f"{name}/{RESULT}" not in there
    ]


async def _insert_tasks(
    tx: Transaction, tasks: Sequence[NewTask], task_ids: Mapping[str, int], agent_ids: Mapping[str, int]
) -> None:
    if not tasks:
        return
    rows = [
        (
            task_ids[task.name],
            task.name,
            task_ids[task.parent] if task.parent else None,
            task.title,
            task.brief,
            agent_ids[task.agent] if task.agent else None,
            agent_ids[task.delegator] if task.delegator else tx.actor.agent,
            task.priority,
            task.due,
            task.source,
        )
        for task in tasks
    ]
    await tx.fetch(board_queries.INSERT_TASKS, tx.board, tx.actor.name, tx.now, *columns(rows))
    for task, row in zip(tasks, rows, strict=True):
        image = dict(
            zip(
                ("id", "name", "parent", "title", "brief", "agent", "delegator", "priority", "due", "source"),
                row,
                strict=True,
            )
        )
        tx.record(Subject.TASK_POSTED, {"task": image, "reference": task.name})


async def _insert_artifacts(
    tx: Transaction,
    artifacts: Sequence[NewArtifact],
    tasks: Sequence[NewTask],
    known: Mapping[str, Any],
    task_ids: Mapping[str, int],
    items: Mapping[str, int],
    agent_ids: Mapping[str, int],
) -> None:
    """Insert the artifacts and their items; an imported result is done at once, with its version."""
    task_agents = {name: row["agent"] for name, row in known.items()} | {
        task.name: agent_ids[task.agent] if task.agent else None for task in tasks
    }
    defaults = {name: (row["priority"], row["due"]) for name, row in known.items()} | {
        task.name: (task.priority, task.due) for task in tasks
    }
    owners = {
        reference: agent_ids[one.owner] if one.owner else None if one.capability else task_agents[one.task]
        for reference, one in zip(items, artifacts, strict=True)
    }
    open_inboxes = await inboxes.open_to(
        tx, {one.capability or "" for reference, one in zip(items, artifacts, strict=True) if owners[reference] is None}
    )
    wide: list[tuple[Any, ...]] = []
    narrow: list[tuple[Any, ...]] = []
    for (reference, number), one in zip(items.items(), artifacts, strict=True):
        priority, due = defaults[one.task]
        owner = owners[reference]
        wide.append(
            (number, task_ids[one.task], one.name, one.title or one.name, one.brief, owner, one.capability, one.path)
        )
        narrow.append(
            (
                number,
                number,
                0,
                reference,
                owner if owner is not None else open_inboxes[one.capability or ""],
                PRIORITY_RATING[Priority(one.priority or priority)],
                one.due or due,
                one.run_at,
                one.max_attempts,
                one.imported is not None,
            )
        )
    if wide:
        await tx.fetch(board_queries.INSERT_ARTIFACTS, tx.board, tx.actor.name, tx.now, *columns(wide))
        await insert_items(tx, narrow)
    await _import_versions(tx, artifacts, items)


async def insert_items(tx: Transaction, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert work items: (id, artifact, revision, reference, inbox, base rating, due, run_at, max attempts, done)."""
    await tx.fetch(queries.INSERT_ITEMS, tx.board, ItemKind.PRODUCE.value, tx.correlation, tx.now, *columns(rows))


async def _import_versions(tx: Transaction, artifacts: Sequence[NewArtifact], items: Mapping[str, int]) -> None:
    rows = [
        (items[f"{one.task}/{one.name}"], one.imported.path, one.imported.uri, one.imported.content, one.imported.hash,
         one.imported.size_bytes, one.imported.summary)
        for one in artifacts if one.imported
    ]  # fmt: skip
    if rows:
        await tx.fetch(board_queries.INSERT_VERSIONS, tx.board, tx.actor.name, tx.now, *columns(rows))


async def _link(
    tx: Transaction,
    tasks: Sequence[NewTask],
    artifacts: Sequence[NewArtifact],
    known: Mapping[str, Any],
    items: Mapping[str, int],
) -> None:
    """Write the edges: what was declared, and each parent's `result` blocked by all artifacts of its subtasks."""
    edges: dict[str, list[str]] = {
        reference: [blocker_reference(blocker, one.task) for blocker in dict.fromkeys(one.blocked_by)]
        for reference, one in zip(items, artifacts, strict=True)
    }
    implied = await _implied(tx, tasks, artifacts, known)
    for reference, blockers in implied.items():
        if reference in edges:
            edges[reference] = list(dict.fromkeys([*edges[reference], *blockers]))
    cycle = graph.find_cycle(edges)
    if cycle:
        path = " → ".join(cycle)
        raise DependencyCycle(f"the dependencies form a circle: {path}", remedy="remove one of them", path=cycle)
    older = {blocker for blockers in edges.values() for blocker in blockers} - edges.keys()
    numbers = dict(items) | await gates.newest_items(tx, older)

    finished = {items[f"{one.task}/{one.name}"] for one in artifacts if one.imported}
    unfinished = await gates.lock_blockers(tx, [numbers[one] for one in older]) | (set(items.values()) - finished)
    await _close_gates(tx, edges, numbers, unfinished, finished)
    by_reference = {reference: one for reference, one in zip(items, artifacts, strict=True)}
    for reference, one in by_reference.items():
        tx.record(
            Subject.ARTIFACT_POSTED,
            {
                "reference": reference,
                "artifact": items[reference],
                "title": one.title or one.name,
                "owner": one.owner,
                "capability": one.capability,
                "path": one.path,
                "blocked_by": [numbers[blocker] for blocker in edges[reference]],
                "imported": one.imported is not None,
            },
        )
    for reference, blockers in implied.items():
        if reference not in edges:
            target = (await gates.newest_items(tx, {reference}))[reference]
            await gates.add_edges(tx, item=target, reference=reference, blockers=[numbers[one] for one in blockers])


async def _implied(
    tx: Transaction, tasks: Sequence[NewTask], artifacts: Sequence[NewArtifact], known: Mapping[str, Any]
) -> dict[str, list[str]]:
    """For each parent's `result`: the new artifacts of its subtasks, by reference."""
    parents = {task.name: task.parent for task in tasks}
    above = {row["parent"] for row in known.values() if row["parent"]}
    rows = await tx.fetch("SELECT id, name FROM tasks WHERE board = $1 AND id = ANY ($2)", tx.board, sorted(above))
    names = {row["id"]: row["name"] for row in rows}
    parents |= {name: names[row["parent"]] if row["parent"] else None for name, row in known.items()}
    implied: dict[str, list[str]] = {}
    for one in artifacts:
        parent = parents[one.task]
        if parent:
            implied.setdefault(f"{parent}/{RESULT}", []).append(f"{one.task}/{one.name}")
    return implied


async def _close_gates(
    tx: Transaction,
    edges: Mapping[str, Sequence[str]],
    numbers: Mapping[str, int],
    unfinished: set[int],
    finished: set[int],
) -> None:
    """Insert the edges of new items and a gate for each that waits; place the rest."""
    rows = [
        (numbers[blocker], numbers[reference], numbers[blocker] in unfinished)
        for reference, blockers in edges.items()
        for blocker in blockers
    ]
    if rows:
        await tx.fetch(board_queries.INSERT_DEPENDENCIES, tx.board, tx.actor.name, tx.now, *columns(rows))
    waiting = {
        numbers[reference]: sum(numbers[blocker] in unfinished for blocker in blockers)
        for reference, blockers in edges.items()
        if numbers[reference] not in finished
    }
    held = [(item, remaining) for item, remaining in waiting.items() if remaining]
    if held:
        await tx.fetch(queries.INSERT_GATES, tx.board, *columns(held))
    free = sorted(item for item, remaining in waiting.items() if not remaining)
    if free:
        tx.wake(await tx.fetchval(queries.PLACE, tx.board, free, False, tx.now))
    await tx.fetch(queries.MARK_RERATED, tx.board, sorted({row[0] for row in rows} - set(waiting)), tx.now)


def columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    """Rows turned into the arrays that `unnest` takes."""
    return [list(column) for column in zip(*rows, strict=True)]
