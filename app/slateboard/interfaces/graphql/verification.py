"""Verification: what waits for a verdict, and the verdict."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry.scalars import JSON
from strawberry.types import Info

from slateboard.interfaces.graphql.choreography import given
from slateboard.interfaces.graphql.request import Request
from slateboard.interfaces.graphql.scalars import BigInt

Ask = Info[Request, None]


@strawberry.type
class Verification:
    """A version that waits for a verdict, by `deadline`. What has no hash is not `proven`."""

    item: BigInt
    about: BigInt
    reference: str
    version: int
    hash: str | None
    proven: bool
    criteria: str | None
    author: str
    verifier: str
    level: int
    path: str | None
    uri: str | None
    summary: str | None
    evidence: JSON
    asked_at: datetime
    deadline: datetime


@strawberry.type
class Verdict:
    """What was said of a version: `approved` or `rejected`."""

    verification: BigInt
    item: BigInt
    reference: str
    version: int
    verdict: str


@strawberry.type
class VerificationQuery:
    """What waits for a verdict."""

    @strawberry.field
    async def verifications(
        self, info: Ask, agent: str | None = None, limit: int = 100, board: str | None = None
    ) -> list[Verification] | None:
        """What waits for a verdict, of one verifier or of all, the nearest deadline first."""
        return await info.context.perform("list_verifications", board, {"agent": agent, "limit": limit})


@strawberry.type
class VerificationMutation:
    """Verdicts."""

    @strawberry.mutation
    async def judge(
        self,
        info: Ask,
        item: BigInt,
        verdict: str,
        version: int,
        hash: str | None = None,  # noqa: A002  its name in the schema
        reason: str | None = None,
        board: str | None = None,
    ) -> Verdict | None:
        """Approve or reject (with a reason) the version, and its hash, that a verification is about."""
        arguments = {"item": item, "verdict": verdict, "version": version, **given(hash=hash, reason=reason)}
        return await info.context.perform("judge", board, arguments)
