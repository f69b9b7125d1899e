"""Agents: what they are and accept, who is there, and how much each has in hand."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry.scalars import JSON
from strawberry.types import Info

from slateboard.interfaces.graphql.request import Request
from slateboard.interfaces.graphql.scalars import BigInt

Ask = Info[Request, None]


@strawberry.type
class FoundAgent:
    """An agent of the directory. `available` is who has a live worker, is not paused, and has no open breaker.

    `accepts_from` is null where anybody may delegate to it.
    """

    name: str
    kind: str
    role: str
    capabilities: list[str]
    availability: str
    manager: str | None
    accepts_from: list[str] | None
    ready: int
    claimed: int
    paused: bool
    breaker: str
    live: bool
    worker: str | None
    seen_at: datetime | None
    worker_seen_at: datetime | None
    available: bool


@strawberry.type
class ChangedAgent:
    """An agent, and what was changed of it."""

    name: str
    changed: list[str]


@strawberry.type
class Attended:
    """A worker that was noted as there."""

    agent: str
    worker: str


@strawberry.type
class AgendaEntry:
    """An item that an agent would get, where it stands in that order, and its rating as a sum of parts.

    `capability` is set for what anybody who has it may take; it is empty for anybody at all.
    """

    order: int
    item: BigInt
    reference: str
    kind: str
    rating: int
    capability: str | None
    due: datetime | None
    attempts: int
    parts: JSON


@strawberry.type
class LeftItem:
    """An item that a removed agent leaves."""

    item: BigInt
    reference: str
    kind: str
    place: str


@strawberry.type
class RemovedAgent:
    """What a removed agent leaves, and to whom it goes; `places` counts its items by place, `items` names 100."""

    agent: str
    to: str | None
    dry_run: bool
    places: JSON
    items: list[LeftItem]
    tasks: list[str]
    delegated: list[str]
    subscriptions: list[str]
    routes: list[str]
    seats: list[str]
    managed: list[str]


@strawberry.type
class Overridden:
    """An item whose agent or rating was overruled."""

    item: BigInt
    reference: str
    agent: str | None
    rating: int | None


@strawberry.type
class DirectoryQuery:
    """Who is there."""

    @strawberry.field
    async def find_agents(
        self,
        info: Ask,
        capability: str | None = None,
        available: bool = False,
        limit: int = 100,
        board: str | None = None,
    ) -> list[FoundAgent] | None:
        """Agents, those who can begin at once first, the least laden first; with `available` only these."""
        arguments = {"capability": capability, "available": available, "limit": limit}
        return await info.context.perform("find_agents", board, arguments)

    @strawberry.field
    async def agenda(
        self, info: Ask, agent: str, limit: int = 50, board: str | None = None
    ) -> list[AgendaEntry] | None:
        """What an agent would get next, in that order, each with its rating and why."""
        return await info.context.perform("agenda", board, {"agent": agent, "limit": limit})


@strawberry.type
class DirectoryMutation:
    """What agents are."""

    @strawberry.mutation
    async def change_agent(
        self,
        info: Ask,
        name: str,
        kind: str | None = None,
        role: str | None = None,
        capabilities: list[str] | None = None,
        manager: str | None = None,
        right: str | None = None,
        accepts_from: list[str] | None = None,
        accepts_anyone: bool = False,
        availability: str | None = None,
        board: str | None = None,
    ) -> ChangedAgent | None:
        """Change what is given of an agent. An empty manager is none, an empty list nobody."""
        arguments = {
            "name": name, "kind": kind, "role": role, "capabilities": capabilities, "manager": manager, "right": right,
            "accepts_from": accepts_from, "accepts_anyone": accepts_anyone, "availability": availability,
        }  # fmt: skip
        return await info.context.perform("change_agent", board, arguments)

    @strawberry.mutation
    async def attend(self, info: Ask, worker: str, board: str | None = None) -> Attended | None:
        """Say that a worker of the agent that asks is there; good for a minute."""
        return await info.context.perform("attend", board, {"worker": worker})

    @strawberry.mutation
    async def remove_agent(
        self,
        info: Ask,
        name: str,
        to: str | None = None,
        reason: str = "",
        dry_run: bool = False,
        board: str | None = None,
    ) -> RemovedAgent | None:
        """Remove an agent; what it leaves goes to another. A dry run only says what that is."""
        arguments = {"name": name, "to": to, "reason": reason, "dry_run": dry_run}
        return await info.context.perform("remove_agent", board, arguments)

    @strawberry.mutation
    async def override(
        self,
        info: Ask,
        item: BigInt,
        reason: str,
        agent: str | None = None,
        rating: int | None = None,
        board: str | None = None,
    ) -> Overridden | None:
        """Overrule who does an unclaimed item, or how soon it comes."""
        arguments = {"item": item, "reason": reason, "agent": agent, "rating": rating}
        return await info.context.perform("override", board, arguments)
