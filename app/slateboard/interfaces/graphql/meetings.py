"""Meetings: the list and the minutes as queries, and what takes place in them as mutations."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry.scalars import JSON
from strawberry.types import Info

from slateboard.interfaces.graphql.choreography import given
from slateboard.interfaces.graphql.request import Request
from slateboard.interfaces.graphql.scalars import BigInt, plain_json

Ask = Info[Request, None]


@strawberry.type
class Meeting:
    """A meeting: `closed` of the `items` of its agenda are; it ends at `endsAt` in any case."""

    meeting: BigInt
    title: str
    state: str
    starts_at: datetime
    opened_at: datetime | None
    ends_at: datetime | None
    adjourned_at: datetime | None
    scheduled_by: str
    chair: str | None
    invited: int
    items: int
    closed: int


@strawberry.type
class ScheduledMeeting:
    """A meeting that was scheduled, elsewhere named by its `reference`."""

    meeting: BigInt
    reference: str
    title: str
    state: str
    starts_at: datetime
    quorum: int


@strawberry.type
class CastVote:
    """A vote on an item of the agenda, and how often it was changed."""

    meeting: BigInt
    number: int
    choice: str
    changes: int


@strawberry.type
class MeetingQuery:
    """Meetings and their minutes."""

    @strawberry.field
    async def meetings(
        self, info: Ask, state: str | None = None, limit: int = 100, board: str | None = None
    ) -> list[Meeting] | None:
        """The meetings of the board, the newest first; of one state, or all."""
        return await info.context.perform("list_meetings", board, {"state": state, "limit": limit})

    @strawberry.field
    async def minutes(self, info: Ask, meeting: BigInt, board: str | None = None) -> JSON | None:
        """The minutes of a meeting: seats, and for each item of its agenda the motion, statements, concerns, votes."""
        return plain_json(await info.context.perform("minutes", board, {"meeting": meeting}))


@strawberry.type
class MeetingMutation:
    """What takes place in meetings. With an item and a fence it is done under that claim."""

    @strawberry.mutation
    async def schedule_meeting(
        self,
        info: Ask,
        title: str,
        participants: list[str],
        agenda: list[str],
        decision_required: bool = False,
        max_duration_minutes: float | None = None,
        quorum: int | None = None,
        decision_model: str | None = None,
        veto_roles: list[str] | None = None,
        optional: list[str] | None = None,
        starts_at: datetime | None = None,
        chair: str | None = None,
        turn_seconds: float | None = None,
        vote_seconds: float | None = None,
        board: str | None = None,
    ) -> ScheduledMeeting | None:
        """Schedule a meeting of these participants; without a time it begins at once."""
        arguments = given(
            title=title, participants=participants, agenda=agenda, decision_required=decision_required,
            max_duration_minutes=max_duration_minutes, quorum=quorum, decision_model=decision_model,
            veto_roles=veto_roles, optional=optional, starts_at=starts_at, chair=chair, turn_seconds=turn_seconds,
            vote_seconds=vote_seconds,
        )  # fmt: skip
        return await info.context.perform("schedule_meeting", board, arguments)

    @strawberry.mutation
    async def join_meeting(
        self, info: Ask, meeting: BigInt, agent: str | None = None, board: str | None = None
    ) -> JSON | None:
        """Come to a meeting that waits for its quorum, or back to one that is open."""
        return plain_json(await info.context.perform("join_meeting", board, given(meeting=meeting, agent=agent)))

    @strawberry.mutation
    async def say(
        self, info: Ask, meeting: BigInt, text: str, agent: str | None = None, item: BigInt | None = None,
        fence: BigInt | None = None, board: str | None = None,
    ) -> JSON | None:  # fmt: skip
        """Say something in one's turn."""
        arguments = given(meeting=meeting, text=text, agent=agent, item=item, fence=fence)
        return plain_json(await info.context.perform("say", board, arguments))

    @strawberry.mutation
    async def concern(
        self, info: Ask, meeting: BigInt, text: str, agent: str | None = None, item: BigInt | None = None,
        fence: BigInt | None = None, board: str | None = None,
    ) -> JSON | None:  # fmt: skip
        """Raise a concern in one's turn or vote: nothing is approved until it is resolved or overruled."""
        arguments = given(meeting=meeting, text=text, agent=agent, item=item, fence=fence)
        return plain_json(await info.context.perform("concern", board, arguments))

    @strawberry.mutation
    async def settle_concern(
        self, info: Ask, concern: BigInt, how: str, reason: str, agent: str | None = None,
        item: BigInt | None = None, fence: BigInt | None = None, board: str | None = None,
    ) -> JSON | None:  # fmt: skip
        """Have a concern `resolved`, as who raised it, or `overruled`, as the chair."""
        arguments = given(concern=concern, how=how, reason=reason, agent=agent, item=item, fence=fence)
        return plain_json(await info.context.perform("settle_concern", board, arguments))

    @strawberry.mutation
    async def propose(
        self, info: Ask, meeting: BigInt, motion: str, rationale: str | None = None, actions: JSON | None = None,
        subject: str | None = None, agent: str | None = None, item: BigInt | None = None,
        fence: BigInt | None = None, board: str | None = None,
    ) -> JSON | None:  # fmt: skip
        """Propose a motion in one's turn; `actions` is a list of {title, owner, brief, due}."""
        arguments = given(
            meeting=meeting, motion=motion, rationale=rationale, actions=actions, subject=subject, agent=agent,
            item=item, fence=fence,
        )  # fmt: skip
        return plain_json(await info.context.perform("propose", board, arguments))

    @strawberry.mutation
    async def vote(
        self, info: Ask, meeting: BigInt, choice: str, rationale: str | None = None, agent: str | None = None,
        item: BigInt | None = None, fence: BigInt | None = None, board: str | None = None,
    ) -> CastVote | None:  # fmt: skip
        """Vote approve, reject, abstain or veto; again, it changes the vote until the item is closed."""
        arguments = given(meeting=meeting, choice=choice, rationale=rationale, agent=agent, item=item, fence=fence)
        return await info.context.perform("vote", board, arguments)

    @strawberry.mutation
    async def pass_turn(
        self, info: Ask, meeting: BigInt, agent: str | None = None, board: str | None = None
    ) -> JSON | None:
        """End one's turn: who has said nothing passes."""
        return plain_json(await info.context.perform("pass_turn", board, given(meeting=meeting, agent=agent)))

    @strawberry.mutation
    async def adjourn_meeting(self, info: Ask, meeting: BigInt, reason: str, board: str | None = None) -> JSON | None:
        """End a meeting: what is undecided is deferred."""
        arguments = {"meeting": meeting, "reason": reason}
        return plain_json(await info.context.perform("adjourn_meeting", board, arguments))
