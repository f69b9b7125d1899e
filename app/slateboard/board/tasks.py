"""Tasks: changing the text, agent, priority and due time of those that are there. They are posted by `work.intake`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from slateboard.board import delegations, queries
from slateboard.protocol.errors import NotYours
from slateboard.protocol.events import Subject
from slateboard.protocol.rights import Right
from slateboard.store.arrays import numbers, texts, times

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from slateboard.transaction import Transaction


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskChange:
    """A task as it is to be; `changed` names the fields that differ from what it is."""

    id: int
    name: str
    title: str
    brief: str
    agent: int | None
    priority: str
    due: datetime | None
    changed: tuple[str, ...]


async def change(tx: Transaction, *, changes: Sequence[TaskChange]) -> None:
    """Change tasks, one event each. An agent changes what it does or delegated: else `NotYours`.

    Another agent is named by who delegated the task, or by who does it where nobody else delegated it.
    """
    tx.require(Right.AGENT)
    if not changes:
        return
    numbered = numbers(one.id for one in changes)
    if tx.actor.right < Right.OPERATOR:
        foreign = await tx.fetchval(queries.FOREIGN_TASK, tx.board, numbered, tx.actor.agent)
        if foreign is not None:
            message = f"{tx.actor.name} neither does nor delegated {foreign}, so it cannot change it"
            raise NotYours(message, remedy="ask its delegator, or somebody with the right operator", task=foreign)
    regiven = [one for one in changes if "agent" in one.changed]
    if regiven:
        await _check_delegations(tx, regiven)
    await tx.fetch(
        queries.CHANGE_TASKS,
        tx.board,
        numbered,
        texts(one.title for one in changes),
        texts(one.brief for one in changes),
        numbers(one.agent for one in changes),
        texts(one.priority for one in changes),
        times(one.due for one in changes),
    )
    if regiven:
        await delegations.renew(tx, [one.id for one in regiven])
    for one in changes:
        fields = ("id", "name", "title", "brief", "agent", "priority", "due")
        image = {field: getattr(one, field) for field in fields}
        told = {"delegated": True} if "agent" in one.changed else {}
        tx.record(Subject.TASK_CHANGED, {"task": image, "reference": one.name, "changed": one.changed, **told})


async def _check_delegations(tx: Transaction, changes: Sequence[TaskChange]) -> None:
    """Refuse an agent to whom its task may not be delegated, and who may not delegate it."""
    rows = await tx.fetch(queries.GIVEN_TASKS, tx.board, numbers(one.id for one in changes))
    for row in rows:
        if tx.actor.right < Right.OPERATOR and tx.actor.agent != (row["delegator"] or row["agent"]):
            message = f"{tx.actor.name} did not delegate {row['name']}"
            raise NotYours(message, remedy="who delegated it gives it to another", task=row["name"])
    agents = {one.id: one.agent for one in changes}
    wanted = [
        one for row in rows if (agent := agents[row["id"]]) is not None for one in delegations.given_to(row, agent)
    ]
    await delegations.check(tx, wanted)
