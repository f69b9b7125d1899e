"""Compensation: what became of the steps of tasks that failed, and undoing a task at once."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry.types import Info

from slateboard.interfaces.graphql.request import Request
from slateboard.interfaces.graphql.scalars import BigInt

Ask = Info[Request, None]


@strawberry.type
class Compensation:
    """What became of a step.

    `state` is where the undo is (gated, ready, claimed), or undone, left, failed, given up; or unknown, where nobody
    can say what the step did. `question` is the escalation that asks about it.
    """

    item: BigInt
    reference: str
    version: int | None
    action: str
    agent: str | None
    state: str
    error: str | None
    because: str
    question: BigInt | None
    posted_at: datetime
    ended_at: datetime | None


@strawberry.type
class Compensated:
    """Which steps of a task are to be undone now, whose effect is unknown, and what of it was cancelled."""

    task: str
    posted: list[str]
    unknown: list[str]
    cancelled: list[str]


@strawberry.type
class CompensationQuery:
    """What became of the steps of tasks that failed."""

    @strawberry.field
    async def compensations(
        self, info: Ask, task: str | None = None, limit: int = 100, board: str | None = None
    ) -> list[Compensation] | None:
        """What was undone, what could not be, and whose effect is unknown: of a task or of all, the newest first."""
        return await info.context.perform("list_compensations", board, {"task": task, "limit": limit})


@strawberry.type
class CompensationMutation:
    """Undoing what was completed."""

    @strawberry.mutation
    async def compensate(self, info: Ask, task: str, reason: str, board: str | None = None) -> Compensated | None:
        """Undo now what was completed of a task, the last step first, and cancel what is left of it."""
        return await info.context.perform("compensate", board, {"task": task, "reason": reason})
