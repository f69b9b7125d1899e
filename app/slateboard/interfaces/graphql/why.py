"""Why something does not move, and all that cannot move by itself."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry.types import Info

from slateboard.interfaces.graphql.request import Request
from slateboard.interfaces.graphql.scalars import BigInt

Ask = Info[Request, None]


@strawberry.type
class Cause:
    """Where an item stands and what holds it there; `release` is what would let it go on, if it does not by itself."""

    item: BigInt
    reference: str
    place: str
    agent: str | None
    because: str
    owner: str | None
    deadline: datetime | None
    release: str | None
    moves: bool


@strawberry.type
class Why:
    """Why an item does not move: `path` leads to the root cause, `roots` are all that were found."""

    item: BigInt
    reference: str
    place: str
    moves: bool
    because: str
    release: str | None
    path: list[Cause]
    roots: list[Cause]
    more_roots: bool
    circle: list[BigInt]


@strawberry.type
class StuckItems:
    """What cannot move by itself; `circles` are of agents whose work waits for each other."""

    items: list[Cause]
    more: bool
    circles: list[list[str]]


@strawberry.type
class WhyQuery:
    """Why something does not move."""

    @strawberry.field
    async def why(self, info: Ask, item: str, board: str | None = None) -> Why | None:
        """Why an item (its number, or task/artifact) does not move, down to the root cause."""
        return await info.context.perform("why", board, {"item": item})

    @strawberry.field
    async def stuck(self, info: Ask, limit: int = 100, board: str | None = None) -> StuckItems | None:
        """All that cannot move by itself: dead, waiting for somebody, behind what ended, or with nobody to claim it."""
        return await info.context.perform("stuck", board, {"limit": limit})
