"""Peers: routes and threads as queries; consults, requests, notices and what is said on threads as mutations."""

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
class Route:
    """A way from one agent to another of a `kind`: consult, notify or channel; `label` says for what, or when.

    An event of the `subject` tells by itself. `source` is the manifest that declares it.
    """

    agent: str
    kind: str
    other: str
    label: str
    subject: str | None
    source: str | None


@strawberry.type
class Thread:
    """What agents say to each other about a topic; for the agent that was asked about: what it has not read."""

    thread: BigInt
    topic: str
    opened_by: str
    opened_at: datetime
    read_to: BigInt | None
    unread: int | None


@strawberry.type
class ThreadMember:
    """An agent on a thread, up to which message it has read, and how many it has not."""

    agent: str
    read_to: BigInt
    unread: int


@strawberry.type
class Message:
    """What was said on a thread: a question, an answer, a notice, a reply, or that a question is overdue."""

    message: BigInt
    kind: str
    said_by: str
    text: str
    data: JSON | None
    consult: BigInt | None
    said_at: datetime


@strawberry.type
class WholeThread:
    """A thread with its members, and its messages, the oldest first."""

    thread: BigInt
    topic: str
    correlation: str
    opened_by: str
    opened_at: datetime
    members: list[ThreadMember]
    messages: list[Message]


@strawberry.type
class Consulted:
    """A question to a peer; `item` is what waits for the answer, if anything does, and `place` where it is."""

    consult: BigInt
    thread: BigInt
    to: str
    deadline: datetime
    item: BigInt | None
    place: str | None


@strawberry.type
class Requested:
    """A question to whoever has a capability; `consults` are the questions, each in an inbox."""

    request: BigInt
    thread: BigInt
    consults: list[BigInt]
    answers: int
    deadline: datetime
    item: BigInt | None
    place: str | None


@strawberry.type
class Notified:
    """A notice, on a thread of its own, and who was told."""

    thread: BigInt
    message: BigInt
    told: list[str]


@strawberry.type
class Said:
    """A message that was said."""

    thread: BigInt
    message: BigInt


@strawberry.type
class Acknowledged:
    """Up to which message a thread was read; null where nothing of it was new."""

    thread: BigInt
    read_to: BigInt | None


@strawberry.type
class PeerQuery:
    """Who may consult whom, and what was said."""

    @strawberry.field
    async def routes(self, info: Ask, agent: str | None = None, board: str | None = None) -> list[Route] | None:
        """Whom agents may consult for what, and whom they tell when; of one agent or of all."""
        return await info.context.perform("list_routes", board, given(agent=agent))

    @strawberry.field
    async def threads(
        self, info: Ask, agent: str | None = None, unread: bool = False, first: int = 50, after: BigInt | None = None,
        board: str | None = None,
    ) -> list[Thread] | None:  # fmt: skip
        """The threads that an agent is on, the newest first; an administrator who names nobody sees all."""
        arguments = given(agent=agent, unread=unread, first=first, after=after)
        return await info.context.perform("list_threads", board, arguments)

    @strawberry.field
    async def show_thread(
        self, info: Ask, thread: BigInt, first: int = 100, after: BigInt | None = None, board: str | None = None
    ) -> WholeThread | None:
        """A thread, with a page of its messages after one of them."""
        return await info.context.perform("show_thread", board, given(thread=thread, first=first, after=after))


@strawberry.type
class PeerMutation:
    """Talking to peers. With an item and a fence, that work is given back until the answer has come."""

    @strawberry.mutation
    async def consult(
        self, info: Ask, to: str, question: str, topic: str | None = None, thread: BigInt | None = None,
        item: BigInt | None = None, fence: BigInt | None = None, options: list[str] | None = None,
        default: str | None = None, deadline_seconds: float | None = None, severity: str | None = None,
        note: str | None = None, board: str | None = None,
    ) -> Consulted | None:  # fmt: skip
        """Ask a peer whom a route or channel leads to."""
        arguments = given(
            to=to, question=question, topic=topic, thread=thread, item=item, fence=fence, options=options,
            default=default, deadline_seconds=deadline_seconds, severity=severity, note=note,
        )  # fmt: skip
        return await info.context.perform("consult", board, arguments)

    @strawberry.mutation
    async def request(
        self, info: Ask, capability: str, question: str, answers: int = 1, topic: str | None = None,
        item: BigInt | None = None, fence: BigInt | None = None, deadline_seconds: float | None = None,
        severity: str | None = None, note: str | None = None, board: str | None = None,
    ) -> Requested | None:  # fmt: skip
        """Ask whoever has a capability; the first `answers` count."""
        arguments = given(
            capability=capability, question=question, answers=answers, topic=topic, item=item, fence=fence,
            deadline_seconds=deadline_seconds, severity=severity, note=note,
        )  # fmt: skip
        return await info.context.perform("request", board, arguments)

    @strawberry.mutation
    async def notify(
        self, info: Ask, label: str, text: str | None = None, data: JSON | None = None, board: str | None = None
    ) -> Notified | None:
        """Tell all whom the routes name for this label."""
        return await info.context.perform("notify", board, given(label=label, text=text, data=data))

    @strawberry.mutation
    async def reply(
        self, info: Ask, thread: BigInt, text: str, data: JSON | None = None, board: str | None = None
    ) -> Said | None:
        """Say something on a thread that one is on."""
        return await info.context.perform("reply", board, given(thread=thread, text=text, data=data))

    @strawberry.mutation
    async def acknowledge(
        self, info: Ask, thread: BigInt, message: BigInt | None = None, board: str | None = None
    ) -> Acknowledged | None:
        """Say that a thread was read, or up to a message."""
        return await info.context.perform("acknowledge", board, given(thread=thread, message=message))
