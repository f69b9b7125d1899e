"""The organisation as fields of agents, tasks and meetings, each loaded for all rows of a list at once (`prefetch`)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from strawberry.types import Info

from slateboard.interfaces.graphql.choreography import given
from slateboard.interfaces.graphql.directory import FoundAgent
from slateboard.interfaces.graphql.peers import Thread
from slateboard.interfaces.graphql.request import Request
from slateboard.interfaces.graphql.rows import LOADED
from slateboard.interfaces.graphql.scalars import BigInt
from slateboard.interfaces.graphql.selection import loaded_key

if TYPE_CHECKING:
    from slateboard.interfaces.graphql.types import Agent, Task

Ask = Info[Request, None]
MARK: dict[str, Any] = {LOADED: True}
SHOWN = 20
"""Delegations and threads of one agent that are shown where no number is asked for."""
TYPES = "slateboard.interfaces.graphql.types"


def loaded(row: Any, field_name: str, **arguments: Any) -> Any:
    """What `prefetch` put into the row for this field with these arguments."""
    return row[loaded_key(field_name, arguments)]


@strawberry.type
class Delegation:
    """A task that was given by one agent to another; its `state` is pending, acknowledged, declined or unanswered.

    Of a chain, `of` is the task whose chain it is.
    """

    task: str
    title: str
    delegator: str
    agent: str
    state: str
    delegated_at: datetime
    settled_at: datetime | None
    reason: str | None
    of: str


@strawberry.type
class AgentInOrganisation:
    """Who an agent works for, whether it is there, what it was given and gave, and what was said to it."""

    @strawberry.field(metadata=MARK)
    def manager_agent(self) -> Annotated[Agent, strawberry.lazy(TYPES)] | None:
        """Its manager, as an agent."""
        return loaded(self, "manager_agent")

    @strawberry.field(metadata=MARK)
    def presence(self) -> FoundAgent | None:
        """Whether it is there and can begin, from whom it accepts work, and its load; null of one that was removed."""
        return loaded(self, "presence")

    @strawberry.field(metadata=MARK)
    def delegations_received(self, state: str | None = None, first: int = SHOWN) -> list[Delegation]:
        """What was given to it, the newest first."""
        return loaded(self, "delegations_received", state=state, first=first)

    @strawberry.field(metadata=MARK)
    def delegations_given(self, state: str | None = None, first: int = SHOWN) -> list[Delegation]:
        """What it gave to others, the newest first."""
        return loaded(self, "delegations_given", state=state, first=first)

    @strawberry.field(metadata=MARK)
    def threads(self, unread: bool = False, first: int = SHOWN) -> list[Thread]:
        """The threads that it is on, the newest first, each with how many messages it has not read."""
        return loaded(self, "threads", unread=unread, first=first)


@strawberry.type
class TaskInOrganisation:
    """Who gave a task to whom, and on the way from the root."""

    @strawberry.field(metadata=MARK)
    def parent_task(self) -> Annotated[Task, strawberry.lazy(TYPES)] | None:
        """The task above it."""
        return loaded(self, "parent_task")

    @strawberry.field(metadata=MARK)
    def delegation(self) -> Delegation | None:
        """Its own delegation; null where nobody delegated it."""
        return loaded(self, "delegation")

    @strawberry.field(metadata=MARK)
    def delegation_chain(self) -> list[Delegation]:
        """The delegations from the root down to it."""
        return loaded(self, "delegation_chain")


@strawberry.type
class DelegationsQuery:
    """What was given to whom."""

    @strawberry.field
    async def delegations(
        self, info: Ask, agents: list[str] | None = None, delegators: list[str] | None = None,
        state: str | None = None, tasks: list[str] | None = None, above: bool = False, first: int = 100,
        board: str | None = None,
    ) -> list[Delegation] | None:  # fmt: skip
        """What was delegated to these agents, by these delegators, or of these tasks and those `above` them."""
        arguments = given(
            agents=agents, delegators=delegators, state=state, tasks=tasks, above=above, first=first
        )  # fmt: skip
        return await info.context.perform("list_delegations", board, arguments)


@strawberry.type
class Seat:
    """A seat of a meeting: whether it was `required`, fixed at the opening (`seated`), and who came when."""

    agent: str
    role: str
    required: bool
    seated: bool
    present: bool
    may_veto: bool
    joined_at: datetime | None


@strawberry.type
class MeetingStatement:
    """What was said in a meeting; of a concern, whether it was resolved or overruled, by whom and why."""

    id: BigInt
    round: int
    agent: str
    kind: str
    text: str
    said_at: datetime
    settled: str | None
    settled_by: str | None
    settled_because: str | None
    settled_at: datetime | None


@strawberry.type
class VoteChange:
    """A vote as it was cast."""

    choice: str
    rationale: str
    voted_at: datetime


@strawberry.type
class MeetingVote:
    """The last vote of a seat, with its `history`."""

    agent: str
    choice: str
    rationale: str
    voted_at: datetime
    history: list[VoteChange]


@strawberry.type
class ActionItem:
    """What somebody does once a motion is approved: from then on a task."""

    title: str
    brief: str
    owner: str
    due_seconds: float | None

    @strawberry.field(metadata=MARK)
    def task(self) -> Annotated[Task, strawberry.lazy(TYPES)] | None:
        """Its task; null until the motion is approved."""
        return loaded(self, "task")


@strawberry.type
class AgendaItem:
    """An item of a meeting's agenda; `motion` and `decision` are ids, of what was moved and what it became."""

    number: int
    title: str
    stage: str
    round: int
    outcome: str | None
    reason: str | None
    motion: BigInt | None
    motion_text: str | None
    rationale: str | None
    proposed_by: str | None
    decision: BigInt | None
    decision_subject: str | None
    opened_at: datetime | None
    closed_at: datetime | None
    statements: list[MeetingStatement]
    concerns: list[MeetingStatement]
    votes: list[MeetingVote]
    dissent: list[MeetingVote]
    actions: list[ActionItem]
    absent: list[str]
