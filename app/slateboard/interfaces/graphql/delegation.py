"""Delegation: giving tasks on, giving them back, to others, and up; and who answers for what."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

import strawberry
from strawberry.types import Info

from slateboard.interfaces.graphql.answers import PostedArtifact
from slateboard.interfaces.graphql.inputs import ArtifactInput, TaskInput
from slateboard.interfaces.graphql.request import Request
from slateboard.interfaces.graphql.scalars import BigInt

Ask = Info[Request, None]


@strawberry.type
class DelegationHop:
    """A task on the way from the root: who gave it to whom, when, and what the other said to it.

    `state` is `pending`, `acknowledged`, `declined` or `unanswered`, and null where nobody delegated it. Of an artifact
    the last hop has its owner, and author and time of its newest version.
    """

    task: str
    title: str
    agent: str | None
    delegator: str | None
    created_by: str
    posted_at: datetime
    delegated_to: str | None
    state: str | None
    delegated_at: datetime | None
    settled_at: datetime | None
    reason: str | None
    owner: str | None
    author: str | None
    version: int | None
    completed_at: datetime | None


@strawberry.type
class DelegatedWork:
    """What was delegated out of work in hand, which comes back when `remaining` of it is complete."""

    item: BigInt
    reference: str
    place: str
    remaining: int
    tasks: list[str]
    artifacts: list[PostedArtifact]


@strawberry.type
class DeclinedTask:
    """A task that went back to who delegated it, and the escalation that says so."""

    task: str
    agent: str
    to: str
    escalation: BigInt


@strawberry.type
class ReassignedTask:
    """A task that was given to another agent."""

    task: str
    agent: str
    before: str | None


@strawberry.type
class CancelledTask:
    """A subtree that was cancelled: what is cancelled of it, what is undone, and of what nobody knows the effect."""

    task: str
    cancelled: list[str]
    undone: list[str]
    unknown: list[str]


@strawberry.type
class DelegationQuery:
    """Who answers for what."""

    @strawberry.field
    async def accountability(self, info: Ask, reference: str, board: str | None = None) -> list[DelegationHop] | None:
        """The hops from the root down to a task or to `task/artifact`."""
        return await info.context.perform("accountability", board, {"reference": reference})


@strawberry.type
class DelegationMutation:
    """Giving tasks to others, and taking them back."""

    @strawberry.mutation
    async def delegate(
        self,
        info: Ask,
        item: BigInt,
        fence: BigInt,
        tasks: list[TaskInput],
        artifacts: list[ArtifactInput] | None = None,
        note: str | None = None,
        board: str | None = None,
    ) -> DelegatedWork | None:
        """Post tasks below the one in hand and give the claim back until they are complete: all of it, or nothing."""
        arguments: dict[str, Any] = {
            "item": item, "fence": fence, "note": note, "tasks": [one.value() for one in tasks],
            "artifacts": [one.value() for one in artifacts or ()],
        }  # fmt: skip
        answer = await info.context.perform("delegate", board, arguments)
        made = [{"reference": reference, "item": number} for reference, number in answer.pop("items").items()]
        return cast("DelegatedWork", {**answer, "artifacts": made})

    @strawberry.mutation
    async def decline(self, info: Ask, task: str, reason: str, board: str | None = None) -> DeclinedTask | None:
        """Give a delegated task back to who delegated it, who is told why."""
        return await info.context.perform("decline", board, {"task": task, "reason": reason})

    @strawberry.mutation
    async def reassign(
        self, info: Ask, task: str, agent: str, reason: str, board: str | None = None
    ) -> ReassignedTask | None:
        """Give a task to another agent; what is claimed of it goes on."""
        return await info.context.perform("reassign", board, {"task": task, "agent": agent, "reason": reason})

    @strawberry.mutation
    async def cancel_task(
        self,
        info: Ask,
        task: str,
        reason: str,
        cascade: bool = False,
        waive: bool = False,
        board: str | None = None,
    ) -> CancelledTask | None:
        """Cancel a task with all below it, the leaves first; what was completed of them is undone as is declared."""
        arguments = {"task": task, "reason": reason, "cascade": cascade, "waive": waive}
        return await info.context.perform("cancel_task", board, arguments)
