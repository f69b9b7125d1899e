"""The rows of a post: tasks, artifacts with their versions and items, edges, gates and places, in as few statements for
all as there are programs of SQL. Nothing is decided here; `intake` decides.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slateboard.board import agents as board_agents
from slateboard.board import queries as board_queries
from slateboard.protocol.events import Subject
from slateboard.protocol.work import DEFAULT_ATTEMPTS
from slateboard.store.arrays import flags, numbers, texts, times
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
    removed = await tx.fetch(
        board_queries.INSERT_TASKS,
        tx.board,
        tx.actor.name,
        tx.now,
        numbers(task_ids[task.name] for task in tasks),
        texts(task.name for task in tasks),
        numbers(parents),
        texts(task.title for task in tasks),
        texts(task.brief for task in tasks),
        numbers(agents),
        numbers(delegators),
        texts(task.priority for task in tasks),
        times(task.due for task in tasks),
        texts(task.source for task in tasks),
        texts(task.on_no_ack for task in tasks),
    )
    if removed:
        gone = {row["id"] for row in removed}
        await board_agents.check_found(tx, [name for name, number in agent_ids.items() if number in gone], ())
    for task, parent, agent, delegator in zip(tasks, parents, agents, delegators, strict=True):
        row = (task_ids[task.name], task.name, parent, task.title, task.brief, agent, delegator, task.priority)
        image: dict[str, Any] = dict(zip(TASK, (*row, task.due, task.source), strict=True))
        if image["delegator"] not in {None, image["agent"]}:
            image["on_no_ack"] = task.on_no_ack
        tx.record(Subject.TASK_POSTED, {"task": image, "reference": task.name})


async def enter(
    tx: Transaction, rows: Sequence[Entry], blockers_of: Mapping[int, Sequence[int]], older: Sequence[int]
) -> None:
    """Enter artifacts with their items, edges, gates and places; an imported result is done at once, with its version.

    `older` are the blockers that were there before.
    """
    if not rows:
        return
    await insert_versions(tx, [(row.item, row.artifact.imported) for row in rows if row.artifact.imported])
    record(tx, rows, blockers_of)
    edges = [(blocker, item) for item, blockers in blockers_of.items() for blocker in blockers]
    await tx.conclude(
        queries.ENTER,
        tx.board,
        tx.actor.name,
        tx.actor.authenticated_by,
        tx.correlation,
        tx.now,
        numbers(row.item for row in rows),
        numbers(row.task for row in rows),
        texts(row.artifact.name for row in rows),
        texts(row.artifact.title or row.artifact.name for row in rows),
        texts(row.artifact.brief for row in rows),
        numbers(row.owner for row in rows),
        texts(row.artifact.capability for row in rows),
        texts(row.artifact.path for row in rows),
        texts(row.reference for row in rows),
        numbers(row.inbox for row in rows),
        numbers(row.rating for row in rows),
        times(row.due for row in rows),
        times(row.artifact.run_at for row in rows),
        numbers(row.artifact.max_attempts for row in rows),
        flags(row.artifact.imported is not None for row in rows),
        texts(json.dumps(row.artifact.rules) if row.artifact.rules else None for row in rows),
        numbers(sorted(older)),
        numbers(blocker for blocker, _ in edges),
        numbers(item for _, item in edges),
    )


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
        if row.owner is None:
            image["inbox"] = row.inbox
        if one.max_attempts != DEFAULT_ATTEMPTS:
            image["max_attempts"] = one.max_attempts
        if one.rules:
            image["rules"] = one.rules
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
