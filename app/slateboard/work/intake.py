"""Taking work in: posting tasks and artifacts with their work items, edges and gates, in bulk and all or nothing.

Every artifact's first work item has the artifact's own id. A task that declares no artifact gets one, `result`; a task
with subtasks has a `result` that is gated by all artifacts of its subtasks. The rows themselves are written by
`work.entries`; here is decided which.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from slateboard.board import agents, delegations, graph, mandates
from slateboard.board import queries as board_queries
from slateboard.protocol.errors import DependencyCycle, DuplicateName, Invalid, UnknownName
from slateboard.protocol.names import RESULT, check_name, split_reference
from slateboard.protocol.rights import Right
from slateboard.protocol.states import PRIORITY_RATING, Priority
from slateboard.protocol.work import MAX_POST, ON_NO_ACK, NewArtifact, NewTask, Posted
from slateboard.store.arrays import texts
from slateboard.work import entries, gates, inboxes, queries, rules

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from slateboard.transaction import Transaction


@dataclass(slots=True)
class Known:
    """What the board has of what a post names: tasks' rows, agents, items by reference, open inboxes; and fresh ids."""

    tasks: dict[str, Any] = field(default_factory=dict)
    agents: dict[str, int] = field(default_factory=dict)
    accepts: dict[str, list[int] | None] = field(default_factory=dict)
    items: dict[str, int] = field(default_factory=dict)
    inboxes: dict[str, int] = field(default_factory=dict)
    ids: list[int] = field(default_factory=list)


RATING_OF: dict[str, int] = {priority.value: rating for priority, rating in PRIORITY_RATING.items()}


async def post(tx: Transaction, *, tasks: Sequence[NewTask] = (), artifacts: Sequence[NewArtifact] = ()) -> Posted:
    """Post tasks and artifacts; what nothing holds can be claimed after the commit.

    Raises `DuplicateName`, `UnknownName` (an agent, verifier, task or blocker), `DependencyCycle` (with its path),
    `BadName`, `NotYours` (a delegator or a task for which the actor may not speak), `AlreadyStarted` (a subtask below
    a task whose `result` has begun), `NotAccepted`, `Invalid` (an owner that would verify its own work).
    """
    return await post_below(tx, tasks, artifacts)


async def post_below(
    tx: Transaction, tasks: Sequence[NewTask], artifacts: Sequence[NewArtifact], *, holding: int | None = None
) -> Posted:
    """Post as `post` does; `holding` is an item that the caller holds, and puts behind what is posted itself."""
    tx.require(Right.AGENT)
    if len(tasks) + len(artifacts) > MAX_POST:
        raise Invalid(f"one post takes at most {MAX_POST:,} tasks and artifacts", remedy="post in several calls")
    check(tasks, artifacts)
    blockers = {f"{one.task}/{one.name}": _blockers(one) for one in artifacts}
    known = await _look_up(tx, tasks, artifacts, blockers)
    await _check_mandates(tx, tasks, artifacts, known)
    artifacts = [*artifacts, *_results(known, tasks, artifacts)]

    task_ids = {name: row["id"] for name, row in known.tasks.items()} | {
        task.name: number for task, number in zip(tasks, known.ids, strict=False)
    }
    items = {f"{one.task}/{one.name}": number for one, number in zip(artifacts, known.ids[len(tasks) :], strict=False)}
    await _check_delegations(tx, tasks, known)
    await entries.insert_tasks(tx, tasks, task_ids, known.agents)
    rows = await _rows(tx, artifacts, tasks, known, task_ids, items)
    await _enter(tx, tasks, rows, known, items, blockers, holding)
    return Posted(tasks=tuple(task.name for task in tasks), items=items)


def check(tasks: Sequence[NewTask], artifacts: Sequence[NewArtifact]) -> None:
    """The rules that need no database: names, priorities, no name twice."""
    seen: set[str] = set()
    for task in tasks:
        check_name(task.name, "task")
        check_priority(task.priority, task.name)
        if task.on_no_ack not in ON_NO_ACK:
            choice = ", ".join(ON_NO_ACK)
            raise Invalid(f"{task.on_no_ack!r} of {task.name} is none of: {choice}", remedy=f"one of: {choice}")
        if task.name in seen:
            raise DuplicateName(f"the task {task.name!r} stands twice in this call", remedy="name each task once")
        seen.add(task.name)
    for one in artifacts:
        reference = f"{one.task}/{check_name(one.name, 'artifact')}"
        if one.priority is not None:
            check_priority(one.priority, reference)
        if one.rules:
            rules.check(one.rules, reference)
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


def _blockers(one: NewArtifact) -> list[str]:
    return [blocker_reference(blocker, one.task) for blocker in one.blocked_by]


def _named_agents(tasks: Sequence[NewTask], artifacts: Sequence[NewArtifact]) -> set[str]:
    names = {name for task in tasks for name in (task.agent, task.delegator) if name}
    return names | {name for one in artifacts for name in (one.owner, rules.verifier(one.rules)) if name}


async def _check_mandates(
    tx: Transaction, tasks: Sequence[NewTask], artifacts: Sequence[NewArtifact], known: Known
) -> None:
    """Hold the edges where something comes below what is there, and refuse what the actor may not say for others."""
    older = known.tasks
    if any(task.parent in older for task in tasks) or any(
        older[one.task]["parent"] for one in artifacts if one.task in older
    ):
        await tx.fetch(board_queries.LOCK_EDGES, tx.board)  # before tasks and items, as everybody takes it
    delegated = [
        mandates.Delegated(task.name, task.delegator, number)
        for task in tasks
        if task.delegator and (number := known.agents[task.delegator]) != tx.actor.agent
    ]
    places = [({"task": task.name}, task.parent) for task in tasks]
    places += [({"reference": f"{one.task}/{one.name}"}, one.task) for one in artifacts]
    below = [mandates.Below(what, name, older[name]["id"]) for what, name in places if name in older]
    for task in tasks:
        mandates.check_source(tx, task.name, task.source)
    await mandates.check(tx, delegated, below)


async def _check_delegations(tx: Transaction, tasks: Sequence[NewTask], known: Known) -> None:
    """Check who delegates what to whom, parents before their children."""
    order: dict[str, int] = {}
    wanted: list[delegations.Wanted] = []
    waiting = list(tasks)
    own = {task.name for task in tasks}
    while waiting:
        ripe = [task for task in waiting if task.parent is None or task.parent not in own or task.parent in order]
        if not ripe:
            raise Invalid("tasks cannot stand below each other in a circle", remedy="take one out of the circle")
        for task in ripe:
            order[task.name] = len(wanted)
            older = known.tasks.get(task.parent) if task.parent and task.parent not in own else None
            wanted.append(
                delegations.Wanted(
                    name=task.name,
                    agent=known.agents[task.agent] if task.agent else None,
                    delegator=known.agents[task.delegator] if task.delegator else tx.actor.agent,
                    parent=older["id"] if older else None,
                    within=order.get(task.parent or ""),
                    named=task.delegator is not None,
                )
            )
        waiting = [task for task in waiting if task.name not in order]
    await delegations.check(tx, wanted)


async def _look_up(
    tx: Transaction,
    tasks: Sequence[NewTask],
    artifacts: Sequence[NewArtifact],
    blockers: Mapping[str, Sequence[str]],
) -> Known:
    """All that a post must know of the board, in one statement. `UnknownName` if a task or an agent is nowhere."""
    own = {task.name for task in tasks}
    older = ({one.task for one in artifacts} | {task.parent for task in tasks if task.parent}) - own
    named = _named_agents(tasks, artifacts)
    fresh = blockers.keys() | {f"{name}/{RESULT}" for name in own}
    references = [one.split("/", 1) for one in sorted({one for some in blockers.values() for one in some} - fresh)]
    known = Known()
    found = {"agent": known.agents, "artifact": known.items, "inbox": known.inboxes}
    for row in await tx.look(
        queries.LOOK_UP,
        tx.board,
        len(artifacts) + 2 * len(tasks) + len(older),  # the most: each task may get a `result`
        texts(sorted(older)),
        texts(sorted(named)),
        texts(task for task, _ in references),
        texts(artifact for _, artifact in references),
        texts({one.capability or "" for one in artifacts if one.owner is None} | {""}),
    ):
        if row["what"] == "post":
            tx.takes_place_at(row["looked_at"])
            known.ids = row["ids"]
        elif row["what"] == "task":
            known.tasks[row["name"]] = row
            for task, result in ((row["name"], row["result"]), (row["parent"], row["parent_result"])):
                if result is not None:
                    known.items[f"{task}/{RESULT}"] = result
        else:
            found[row["what"]][row["name"]] = row["id"]
            if row["what"] == "agent":
                known.accepts[row["name"]] = row["ids"]
    for name in sorted(older - known.tasks.keys()):
        raise UnknownName(f"there is no task {name!r} on this board", remedy="post it first", task=name)
    await agents.check_found(tx, named, known.agents)
    return known


def _results(known: Known, tasks: Sequence[NewTask], artifacts: Sequence[NewArtifact]) -> list[NewArtifact]:
    """The `result` of each new task without artifacts, and of each task that gets its first subtask."""
    parents = {task.parent for task in tasks if task.parent}
    producing = {one.task for one in artifacts}
    declared = {one.task for one in artifacts if one.name == RESULT}
    older = sorted(parents & known.tasks.keys())
    declared |= {name for name in older if known.tasks[name]["result"] is not None}
    titles = {task.name: task.title for task in tasks}
    wanted = [task.name for task in tasks if task.name not in producing or task.name in parents] + older
    return [
        NewArtifact(task=name, name=RESULT, title=titles.get(name, name)) for name in wanted if name not in declared
    ]


async def _rows(
    tx: Transaction,
    artifacts: Sequence[NewArtifact],
    tasks: Sequence[NewTask],
    known: Known,
    task_ids: Mapping[str, int],
    items: Mapping[str, int],
) -> list[entries.Entry]:
    """Each artifact with what it takes from its task: the owner, priority and due time that it does not say itself."""
    defaults = {name: (row["agent"], row["priority"], row["due"]) for name, row in known.tasks.items()} | {
        task.name: (known.agents[task.agent] if task.agent else None, task.priority, task.due) for task in tasks
    }
    rows: list[entries.Entry] = []
    for (reference, number), one in zip(items.items(), artifacts, strict=True):
        agent, priority, due = defaults[one.task]
        owner = known.agents[one.owner] if one.owner else None if one.capability else agent
        if one.owner:
            accepts = known.accepts[one.owner]
            delegations.check_part(tx, reference, known.agents[one.owner], one.owner, accepts, does=agent)
        verifier = rules.verifier(one.rules)
        if verifier and known.agents[verifier] == owner:
            message = f"{verifier} would verify its own work on {reference}"
            raise Invalid(message, remedy="name another verifier, or `verify: true`", artifact=reference)
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
    unowned = [row for row in rows if row.inbox is None]
    missing = {row.artifact.capability or "" for row in unowned} - known.inboxes.keys()
    open_inboxes = {**known.inboxes, **await inboxes.open_to(tx, missing)}
    for row in unowned:
        row.inbox = open_inboxes[row.artifact.capability or ""]
    return rows


async def _enter(
    tx: Transaction,
    tasks: Sequence[NewTask],
    rows: Sequence[entries.Entry],
    known: Known,
    items: Mapping[str, int],
    blockers: Mapping[str, Sequence[str]],
    holding: int | None,
) -> None:
    """Enter the rows and edges: what was declared, and each parent's `result` blocked by its subtasks' artifacts."""
    implied = {
        reference: some
        for reference, some in _implied(tasks, rows, known).items()
        if holding is None or known.items.get(reference) != holding
    }
    edges: dict[str, list[str]] = {}
    for row in rows:
        declared = blockers.get(row.reference, ())
        edges[row.reference] = list(dict.fromkeys([*declared, *implied.pop(row.reference, ())]))
    cycle = graph.find_cycle(edges)
    if cycle:
        path = " → ".join(cycle)
        raise DependencyCycle(f"the dependencies form a circle: {path}", remedy="remove one of them", path=cycle)
    older = {blocker for some in edges.values() for blocker in some} - edges.keys()
    gates.check_found(older | implied.keys(), known.items)
    numbers = {**known.items, **items}
    blockers_of = {row.item: [numbers[blocker] for blocker in edges[row.reference]] for row in rows}
    await entries.enter(tx, rows, blockers_of, sorted({numbers[one] for one in older}))
    if implied:
        into = {numbers[one]: (one, [numbers[blocker] for blocker in some]) for one, some in implied.items()}
        await gates.add_many(tx, into)


def _implied(tasks: Sequence[NewTask], rows: Sequence[entries.Entry], known: Known) -> dict[str, list[str]]:
    """For each parent's `result`: the new artifacts of its subtasks, by reference."""
    parents = {task.name: task.parent for task in tasks} | {name: row["parent"] for name, row in known.tasks.items()}
    implied: dict[str, list[str]] = {}
    for row in rows:
        parent = parents.get(row.artifact.task)
        if parent:
            implied.setdefault(f"{parent}/{RESULT}", []).append(row.reference)
    return implied
