"""Circuit breakers: which agents get no work for now, why, until when, and what people do about it."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry.types import Info

from slateboard.interfaces.graphql.request import Request
from slateboard.interfaces.graphql.scalars import BigInt

Ask = Info[Request, None]


@strawberry.type
class CircuitBreaker:
    """The breaker of an agent: `closed`, `open`, or `half_open` (one probe may go through, or is under way).

    `failed` counts the items in a row that failed; `probe` is the item that decides; `escalation` is whom it was told.
    """

    agent: str
    state: str
    failed: int
    reason: str | None
    since: datetime | None
    until: datetime | None
    fallback: str
    substitute: str | None
    failure_threshold: int
    recovery_seconds: float
    probe: BigInt | None
    escalation: BigInt | None


@strawberry.type
class BreakerChange:
    """One change of a breaker, as the log has it."""

    position: BigInt
    subject: str
    actor: str
    happened_at: datetime
    reason: str | None


@strawberry.type
class ShownBreaker(CircuitBreaker):
    """A breaker with its last changes, the newest first."""

    history: list[BreakerChange]


@strawberry.type
class ClosedBreaker:
    """A breaker that was closed by hand."""

    agent: str
    state: str


@strawberry.type
class BreakerQuery:
    """The breakers of the board."""

    @strawberry.field
    async def breakers(self, info: Ask, limit: int = 100, board: str | None = None) -> list[CircuitBreaker] | None:
        """The breakers that are not closed, the oldest first, and then the agents that failed something just now."""
        return await info.context.perform("list_breakers", board, {"limit": limit})

    @strawberry.field
    async def breaker(self, info: Ask, agent: str, board: str | None = None) -> ShownBreaker | None:
        """The breaker of one agent, with its rules and its last 50 changes."""
        return await info.context.perform("show_breaker", board, {"agent": agent})


@strawberry.type
class BreakerMutation:
    """Opening and closing breakers by hand."""

    @strawberry.mutation
    async def open_breaker(
        self,
        info: Ask,
        agent: str,
        reason: str,
        recovery_seconds: float | None = None,
        board: str | None = None,
    ) -> CircuitBreaker | None:
        """Open an agent's breaker, until a probe closes it."""
        arguments = {"agent": agent, "reason": reason, "recovery_seconds": recovery_seconds}
        return await info.context.perform("open_breaker", board, arguments)

    @strawberry.mutation
    async def close_breaker(
        self, info: Ask, agent: str, reason: str | None = None, board: str | None = None
    ) -> ClosedBreaker | None:
        """Close an open breaker: claims go on, and failures are counted anew."""
        return await info.context.perform("close_breaker", board, {"agent": agent, "reason": reason})

    @strawberry.mutation
    async def reset_breaker(self, info: Ask, agent: str, board: str | None = None) -> ClosedBreaker | None:
        """As if the agent had not failed: its breaker is closed, and failures are counted anew."""
        return await info.context.perform("reset_breaker", board, {"agent": agent})
