"""Usage and budgets: what attempts used, and how much may be."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry.types import Info

from slateboard.interfaces.graphql.choreography import given
from slateboard.interfaces.graphql.request import Request
from slateboard.interfaces.graphql.scalars import BigInt

Ask = Info[Request, None]


@strawberry.type
class Used:
    """Sums of what was reported. `input_tokens` has the `cached_tokens` in it."""

    input_tokens: BigInt
    cached_tokens: BigInt
    output_tokens: BigInt
    cost: float
    reports: BigInt


@strawberry.type
class UsedBy(Used):
    """The sums of one agent, task, item or model; without a name, of none."""

    name: str | None


@strawberry.type
class Usage:
    """What was used in all, and by each, the dearest first."""

    total: Used
    rows: list[UsedBy]


@strawberry.type
class ReportedUsage:
    """What was booked."""

    item: BigInt
    input_tokens: BigInt
    cached_tokens: BigInt
    output_tokens: BigInt
    cost: float
    model: str | None


@strawberry.type
class Budget:
    """How much may be used, of tokens or cost, and how much is. Since `exhausted_at` nothing more is claimed."""

    scope: str
    name: str | None
    tokens: BigInt | None
    cost: float | None
    used_tokens: BigInt
    used_cost: float
    warned_at: datetime | None
    exhausted_at: datetime | None
    set_by: str
    set_at: datetime


@strawberry.type
class BudgetSet:
    """A budget as it is now."""

    scope: str
    tokens: BigInt | None
    cost: float | None
    used_tokens: BigInt
    used_cost: float
    warned_at: datetime | None
    exhausted_at: datetime | None


@strawberry.type
class BudgetRemoved:
    """Whose budget was taken away."""

    removed: str


@strawberry.type
class Limit:
    """How many items run at once, or start in `per_seconds`: of an agent, a capability or a key (`scope`)."""

    scope: str
    name: str
    concurrency: int | None
    rate: int | None
    per_seconds: float | None
    set_by: str
    set_at: datetime
    running: BigInt | None = None


@strawberry.type
class LimitRemoved:
    """Which limit was taken away."""

    scope: str
    name: str


@strawberry.type
class UsageQuery:
    """What was used, and what may be."""

    @strawberry.field
    async def usage(
        self,
        info: Ask,
        agent: str | None = None,
        task: str | None = None,
        per: str = "agent",
        limit: int = 100,
        board: str | None = None,
    ) -> Usage | None:
        """What was used: by an agent, for a task with all below it, or in all; a row per agent, task, item or model."""
        arguments = {"per": per, "limit": limit, **given(agent=agent, task=task)}
        return await info.context.perform("usage", board, arguments)

    @strawberry.field
    async def budgets(self, info: Ask, board: str | None = None) -> list[Budget] | None:
        """The budgets of the board, with what is used of each."""
        return await info.context.perform("list_budgets", board, {})

    @strawberry.field
    async def limits(self, info: Ask, board: str | None = None) -> list[Limit] | None:
        """The limits of the board, with how many items each lets run now."""
        return await info.context.perform("list_limits", board, {})


@strawberry.type
class UsageMutation:
    """Reports of usage, and budgets."""

    @strawberry.mutation
    async def report_usage(
        self,
        info: Ask,
        item: BigInt,
        fence: BigInt,
        input_tokens: BigInt | None = None,
        cached_tokens: BigInt | None = None,
        output_tokens: BigInt | None = None,
        cost: float | None = None,
        model: str | None = None,
        board: str | None = None,
    ) -> ReportedUsage | None:
        """Book what an attempt used since its last report."""
        used = given(
            input_tokens=input_tokens, cached_tokens=cached_tokens, output_tokens=output_tokens, cost=cost, model=model
        )
        return await info.context.perform("report_usage", board, {"item": item, "fence": fence, **used})

    @strawberry.mutation
    async def set_budget(
        self,
        info: Ask,
        agent: str | None = None,
        task: str | None = None,
        tokens: BigInt | None = None,
        cost: float | None = None,
        board: str | None = None,
    ) -> BudgetSet | None:
        """Limit what an agent, a task with all below it, or the board may use."""
        arguments = given(agent=agent, task=task, tokens=tokens, cost=cost)
        return await info.context.perform("set_budget", board, arguments)

    @strawberry.mutation
    async def remove_budget(
        self, info: Ask, agent: str | None = None, task: str | None = None, board: str | None = None
    ) -> BudgetRemoved | None:
        """Take a budget away, of an agent, a task, or the board."""
        return await info.context.perform("remove_budget", board, given(agent=agent, task=task))

    @strawberry.mutation
    async def set_limit(
        self,
        info: Ask,
        scope: str,
        name: str,
        concurrency: int | None = None,
        rate: int | None = None,
        per_seconds: float | None = None,
        board: str | None = None,
    ) -> Limit | None:
        """Limit an agent, a capability or a key: items at once, `rate` starts in `perSeconds`, or both."""
        more = given(concurrency=concurrency, rate=rate, per_seconds=per_seconds)
        return await info.context.perform("set_limit", board, {"scope": scope, "name": name, **more})

    @strawberry.mutation
    async def remove_limit(self, info: Ask, scope: str, name: str, board: str | None = None) -> LimitRemoved | None:
        """Take a limit away."""
        return await info.context.perform("remove_limit", board, {"scope": scope, "name": name})
