"""The health of a board, and of what it runs on."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry.types import Info

from slateboard.interfaces.graphql.request import Request
from slateboard.interfaces.graphql.scalars import BigInt

Ask = Info[Request, None]


@strawberry.type
class StalledClaim:
    """A claim that has made no progress for five minutes: no report that says something new, no checkpoint."""

    item: BigInt
    reference: str
    agent: str
    worker: str
    fence: BigInt
    since: datetime
    percent: int | None
    progress: str | None
    expires_at: datetime


@strawberry.type
class LateItem:
    """An unfinished item that is due, or of whose time three quarters are over."""

    item: BigInt
    reference: str
    place: str
    owner: str
    due: datetime


@strawberry.type
class StaleArtifact:
    """What was made from something older than what there is now. `revised` says that a new version is on its way."""

    reference: str
    owner: str | None
    since: datetime
    because: str
    revised: bool


@strawberry.type
class DegradedReason:
    """Why an agent is degraded: `breaker`, `stalled`, `failing` or `silent`."""

    reason: str
    because: str
    since: datetime


@strawberry.type
class DegradedAgent:
    """An agent that does not work as it should."""

    agent: str
    reasons: list[DegradedReason]


@strawberry.type
class Health:
    """What is not as it should be on a board. `more` names the lists that were cut."""

    stalled: list[StalledClaim]
    overdue: list[LateItem]
    due_soon: list[LateItem]
    stale: list[StaleArtifact]
    degraded: list[DegradedAgent]
    more: list[str]


@strawberry.type
class Check:
    """One check of the doctor: `state` is `ok`, `warn` or `fail`; `remedy` is what to do."""

    name: str
    state: str
    seen: str
    remedy: str | None


@strawberry.type
class Diagnosis:
    """What the doctor found; `state` is the worst of its checks."""

    state: str
    checks: list[Check]


@strawberry.type
class HealthQuery:
    """Health, of a board and of what it runs on."""

    @strawberry.field
    async def health(self, info: Ask, limit: int = 100, board: str | None = None) -> Health | None:
        """Claims without progress, what is late or stale, and degraded agents."""
        return await info.context.perform("health", board, {"limit": limit})

    @strawberry.field
    async def doctor(self, info: Ask, board: str | None = None) -> Diagnosis | None:
        """Checks database, schema, sequencer, leader, leases, partitions, disk, and the invariants of one board."""
        return await info.context.perform("doctor", board, {})
