"""The choreography: publishing, subscriptions and schedules as mutations, and what became of events as queries."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, cast

import strawberry
from strawberry.scalars import JSON
from strawberry.types import Info

from slateboard.interfaces.graphql.request import Request
from slateboard.interfaces.graphql.scalars import BigInt, plain_json

Ask = Info[Request, None]


@strawberry.type
class Published:
    """An event that was put into the log. `repeated` says that its id was published already, and nothing was done."""

    event: BigInt
    subject: str
    correlation: str
    repeated: bool


@strawberry.type
class EventSubscription:
    """Who hears of which events. What fits up to `cursor` was delivered; `source` is the pipeline that says it."""

    id: BigInt
    name: str
    patterns: list[str]
    all_of: bool
    filter: str | None
    agent: str
    action: str
    ordered_by: str | None
    priority: str
    cursor: BigInt
    behind: BigInt
    paused_because: str | None
    paused_at: datetime | None
    source: str | None
    created_by: str
    created_at: datetime


@strawberry.type
class Schedule:
    """What the board publishes by itself, and when next."""

    name: str
    cron: str
    timezone: str
    subject: str
    data: JSON | None
    next_at: datetime


def given(**arguments: Any) -> dict[str, Any]:
    """The arguments that were given; the others are the action's to choose."""
    return {name: value for name, value in arguments.items() if value is not None}


@strawberry.type
class ChoreographyQuery:
    """Subscriptions, schedules, and what became of events."""

    @strawberry.field
    async def subscriptions(self, info: Ask, board: str | None = None) -> list[EventSubscription] | None:
        """The subscriptions of the board, by name."""
        return await info.context.perform("list_subscriptions", board, {})

    @strawberry.field
    async def schedules(self, info: Ask, board: str | None = None) -> list[Schedule] | None:
        """The schedules of the board, by name."""
        rows: list[dict[str, Any]] = await info.context.perform("list_schedules", board, {})
        return cast("list[Schedule]", [{**row, "data": json.loads(row["payload"])} for row in rows])

    @strawberry.field
    async def show_event(self, info: Ask, position: BigInt, board: str | None = None) -> JSON | None:
        """An event of the log, with who has handled it and who has not yet."""
        return plain_json(await info.context.perform("show_event", board, {"position": position}))

    @strawberry.field
    async def chain(
        self,
        info: Ask,
        correlation: str | None = None,
        position: BigInt | None = None,
        board: str | None = None,
    ) -> JSON | None:
        """All events of one correlation (or of that which an event belongs to), as a tree of causes with times."""
        arguments = given(correlation=correlation, position=position)
        return plain_json(await info.context.perform("chain", board, arguments))


@strawberry.type
class ChoreographyMutation:
    """Events, and who hears of them."""

    @strawberry.mutation
    async def publish(
        self,
        info: Ask,
        subject: str,
        data: JSON | None = None,
        id: str | None = None,  # noqa: A002  its name in the schema
        correlation: str | None = None,
        cause: BigInt | None = None,
        traceparent: str | None = None,
        board: str | None = None,
    ) -> Published | None:
        """Put an event into the log. An `id` that was published already publishes nothing again."""
        arguments = given(id=id, correlation=correlation, cause=cause, traceparent=traceparent)
        return await info.context.perform("publish", board, {"subject": subject, "data": data, **arguments})

    @strawberry.mutation
    async def subscribe(
        self,
        info: Ask,
        name: str,
        patterns: list[str],
        agent: str,
        action: str | None = None,
        filter: str | None = None,  # noqa: A002  its name in the schema
        all_of: bool = False,
        ordered_by: str | None = None,
        start: str | None = None,
        priority: str | None = None,
        board: str | None = None,
    ) -> JSON | None:
        """Let each event that matches become a delivery. `start` is now, beginning, a position or a time."""
        arguments = given(
            name=name, patterns=patterns, agent=agent, action=action, filter=filter, all_of=all_of,
            ordered_by=ordered_by, start=start, priority=priority,
        )  # fmt: skip
        return plain_json(await info.context.perform("subscribe", board, arguments))

    @strawberry.mutation
    async def change_subscription(
        self,
        info: Ask,
        name: str,
        patterns: list[str],
        agent: str,
        action: str | None = None,
        filter: str | None = None,  # noqa: A002  its name in the schema
        all_of: bool = False,
        ordered_by: str | None = None,
        priority: str | None = None,
        board: str | None = None,
    ) -> JSON | None:
        """Say anew what a subscription wants and who gets it; it goes on where it is."""
        arguments = given(
            name=name, patterns=patterns, agent=agent, action=action, filter=filter, all_of=all_of,
            ordered_by=ordered_by, priority=priority,
        )  # fmt: skip
        return plain_json(await info.context.perform("change_subscription", board, arguments))

    @strawberry.mutation
    async def unsubscribe(self, info: Ask, name: str, board: str | None = None) -> JSON | None:
        """Take a subscription away; what it delivered stays."""
        return plain_json(await info.context.perform("unsubscribe", board, {"name": name}))

    @strawberry.mutation
    async def pause_subscription(self, info: Ask, name: str, reason: str, board: str | None = None) -> JSON | None:
        """Deliver nothing more for now; what comes meanwhile is delivered when it is resumed."""
        return plain_json(await info.context.perform("pause_subscription", board, {"name": name, "reason": reason}))

    @strawberry.mutation
    async def resume_subscription(self, info: Ask, name: str, board: str | None = None) -> JSON | None:
        """Go on delivering, from where it stopped."""
        return plain_json(await info.context.perform("resume_subscription", board, {"name": name}))

    @strawberry.mutation
    async def rewind_subscription(self, info: Ask, name: str, to: str, board: str | None = None) -> JSON | None:
        """Go on from another place of the log: now, beginning, a position or a time. What follows comes again."""
        return plain_json(await info.context.perform("rewind_subscription", board, {"name": name, "to": to}))

    @strawberry.mutation
    async def wait_for(
        self,
        info: Ask,
        item: BigInt,
        fence: BigInt,
        timeout_seconds: float,
        pattern: str | None = None,
        filter: str | None = None,  # noqa: A002  its name in the schema
        note: str | None = None,
        board: str | None = None,
    ) -> JSON | None:
        """Give a claim back until an event comes or the time is up; the next briefing has it as `awaited`."""
        arguments = given(
            item=item, fence=fence, pattern=pattern, filter=filter, timeout_seconds=timeout_seconds, note=note
        )
        return plain_json(await info.context.perform("wait_for", board, arguments))

    @strawberry.mutation
    async def schedule(
        self,
        info: Ask,
        name: str,
        cron: str,
        subject: str,
        timezone: str = "UTC",
        data: JSON | None = None,
        board: str | None = None,
    ) -> JSON | None:
        """Publish an event at each time that a cron expression says, by the clock of a time zone."""
        arguments = {"name": name, "cron": cron, "timezone": timezone, "subject": subject, "data": data}
        return plain_json(await info.context.perform("schedule", board, arguments))

    @strawberry.mutation
    async def unschedule(self, info: Ask, name: str, board: str | None = None) -> JSON | None:
        """Take a schedule away."""
        return plain_json(await info.context.perform("unschedule", board, {"name": name}))
