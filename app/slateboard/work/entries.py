"""The rows of a post: tasks, artifacts with their versions and items, edges, gates and places, each table in one
statement for all. Nothing is decided here; `intake` decides, and holds the older blockers that are named.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slateboard.board import queries as board_queries
from slateboard.protocol.events import Subject
from slateboard.protocol.states import ItemKind
from slateboard.store.arrays import flags, names, numbers, texts, times
from slateboard.work import queries

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from slateboard.protocol.work import NewArtifact, NewTask
    from slateboard.transaction import Transaction

TASK = ("id", "name", "parent", "title", "brief", "agent", "delegator", "priority", "due", "source")


@dataclass(slots=True)
class Entry:
    """An artifact to insert, with all that it takes from elsewhere: ids, and what its task gives it."""

    artifact: NewArtifact
    reference: str
    item: int
    task: int
    owner: int | None
    inbox: int | None
    rating: int
    due: datetime | None


async def insert_tasks(
    tx: Transaction, tasks: Sequence[NewTask], task_ids: Mapping[str, int], agent_ids: Mapping[str, int]
) -> None:
    """Insert tasks, one event each; without a delegator it is the actor."""
    if not tasks:
        return
    agents = [agent_ids[task.agent] if task.agent else None for task in tasks]
    delegators = [agent_ids[task.delegator] if task.delegator else tx.actor.agent for task in tasks]
    parents = [task_ids[task.parent] if task.parent else None for task in tasks]
    await tx.fetch(
        board_queries.INSERT_TASKS,
        tx.board,
        tx.actor.name,
        tx.now,
        numbers(task_ids[task.name] for task in tasks),
        names(task.name for task in tasks),
        numbers(parents),
        texts(task.title for task in tasks),
        texts(task.brief for task in tasks),
        numbers(agents),
        numbers(delegators),
        names(task.priority for task in tasks),
        times(task.due for task in tasks),
        texts(task.source for task in tasks),
    )
    for task, parent, agent, delegator in zip(tasks, parents, agents, delegators, strict=True):
        row = (task_ids[task.name], task.name, parent, task.title, task.brief, agent, delegator, task.priority)
        image = dict(zip(TASK, (*row, task.due, task.source), strict=True))
        tx.record(Subject.TASK_POSTED, {"task": image, "reference": task.name})


async def insert_artifacts(tx: Transaction, rows: Sequence[Entry]) -> None:
    """Insert artifacts and their first items; an imported result is done at once, with its version."""
    if not rows:
        return
    items = numbers(row.item for row in rows)
    await tx.fetch(
        board_queries.INSERT_ARTIFACTS,
        tx.board,
        tx.actor.name,
        tx.now,
        items,
        numbers(row.task for row in rows),
        names(row.artifact.name for row in rows),
        texts(row.artifact.title or row.artifact.name for row in rows),
        texts(row.artifact.brief for row in rows),
        numbers(row.owner for row in rows),
        texts(row.artifact.capability for row in rows),
        texts(row.artifact.path for row in rows),
    )
    await tx.fetch(
        queries.INSERT_ITEMS,
        tx.board,
        ItemKind.PRODUCE.value,
        tx.correlation,
        tx.now,
        items,
        names(row.reference for row in rows),
        numbers(row.inbox for row in rows),
        numbers(row.rating for row in rows),
        times(row.due for row in rows),
        times(row.artifact.run_at for row in rows),
        numbers(row.artifact.max_attempts for row in rows),
        flags(row.artifact.imported is not None for row in rows),
    )
    await insert_versions(tx, [(row.item, row.artifact.imported) for row in rows if row.artifact.imported])


async def insert_versions(tx: Transaction, rows: Sequence[tuple[int, Any]]) -> None:
    """Insert the first versions of artifacts whose results existed already: (artifact, result)."""
    if rows:
        results = [result for _, result in rows]
        await tx.fetch(
            board_queries.INSERT_VERSIONS,
            tx.board,
            tx.actor.name,
            tx.now,
            numbers(artifact for artifact, _ in rows),
            *(texts(getattr(result, name) for result in results) for name in ("path", "uri", "content", "hash")),
            numbers(result.size_bytes for result in results),
            texts(result.summary for result in results),
        )


def record(tx: Transaction, rows: Sequence[Entry], blockers_of: Mapping[int, Sequence[int]]) -> None:
    """One event for each artifact, and one more where its result was taken over."""
    for row in rows:
        one = row.artifact
        image: dict[str, Any] = {
            "reference": row.reference,
            "artifact": row.item,
            "title": one.title or one.name,
            "owner": row.owner,
            "capability": one.capability,
            "path": one.path,
            "rating": row.rating,
            "blocked_by": blockers_of[row.item],
            "imported": one.imported is not None,
        }
        if one.brief:
            image["brief"] = one.brief
        if row.due is not None:
            image["due"] = row.due
        if one.run_at is not None:
            image["run_at"] = one.run_at
        tx.record(Subject.ARTIFACT_POSTED, image)
        if one.imported is not None:
            record_import(tx, row.reference, row.item, one.imported)


def record_import(tx: Transaction, reference: str, artifact: int, result: Any) -> None:
    """The event of a result that was taken over."""
    image = {name: getattr(result, name) for name in ("path", "uri", "hash", "size_bytes", "summary")}
    tx.record(Subject.ARTIFACT_IMPORTED, {"reference": reference, "artifact": artifact, "version": 1, **image})


async def place(
    tx: Transaction, rows: Sequence[Entry], blockers_of: Mapping[int, Sequence[int]], unfinished: set[int]
) -> None:
    """Insert the edges of new items, and a gate for each that waits; place the rest."""
    edges = [(blocker, item) for item, blockers in blockers_of.items() for blocker in blockers]
    if edges:
        await tx.fetch(
            board_queries.INSERT_NEW_DEPENDENCIES,
            tx.board,
            tx.actor.name,
            tx.now,
            numbers(blocker for blocker, _ in edges),
            numbers(item for _, item in edges),
            flags(blocker in unfinished for blocker, _ in edges),
        )
    held: list[tuple[int, int]] = []
    free: list[int] = []
    for row in rows:
        if row.artifact.imported is None:
            remaining = sum(blocker in unfinished for blocker in blockers_of[row.item])
            if remaining:
                held.append((row.item, remaining))
            else:
                free.append(row.item)
    if held:
        columns = (numbers(item for item, _ in held), numbers(remaining for _, remaining in held))
        await tx.fetch(queries.INSERT_NEW_GATES, tx.board, *columns)
    if free:
        tx.wake(await tx.fetchval(queries.PLACE, tx.board, sorted(free), False, tx.now))
    older = {blocker for blocker, _ in edges} - blockers_of.keys()
    if older:
        await tx.fetch(queries.MARK_RERATED, tx.board, sorted(older), tx.now)
