"""Escalations: questions and failures that somebody named must answer by a deadline, and the answers."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry.types import Info

from slateboard.interfaces.graphql.choreography import given
from slateboard.interfaces.graphql.request import Request
from slateboard.interfaces.graphql.scalars import BigInt

Ask = Info[Request, None]


@strawberry.type
class Escalation:
    """What its `owner` must answer by `deadline`; `about` is the item that waits for it, if one does."""

    item: BigInt
    kind: str
    about: BigInt | None
    reference: str
    severity: str
    owner: str
    level: int
    deadline: datetime
    question: str
    options: list[str]
    default: str | None
    asked_by: str
    asked_at: datetime


@strawberry.type
class Asked:
    """A question that was put: its `escalation`, and where the item that asks is now."""

    escalation: BigInt
    item: BigInt
    place: str
    owner: BigInt
    deadline: datetime


@strawberry.type
class Answered:
    """An answer that was given; `about` is the item that goes on with it."""

    escalation: BigInt
    answer: str
    reference: str
    about: BigInt | None


@strawberry.type
class EscalationMutation:
    """Questions and answers."""

    @strawberry.mutation
    async def ask(
        self,
        info: Ask,
        item: BigInt,
        fence: BigInt,
        question: str,
        of: str | None = None,
        options: list[str] | None = None,
        default: str | None = None,
        deadline_seconds: float | None = None,
        severity: str | None = None,
        note: str | None = None,
        board: str | None = None,
    ) -> Asked | None:
        """Give a claim back and wait for somebody's answer: `of`, else the manager, the delegator, or a person."""
        wanted = given(
            of=of, options=options, default=default, deadline_seconds=deadline_seconds, severity=severity, note=note
        )
        arguments = {"item": item, "fence": fence, "question": question, **wanted}
        return await info.context.perform("ask", board, arguments)

    @strawberry.mutation
    async def answer(self, info: Ask, escalation: BigInt, answer: str, board: str | None = None) -> Answered | None:
        """Answer an escalation, once: what waits for it goes on, with the answer in its briefing."""
        return await info.context.perform("answer", board, {"escalation": escalation, "answer": answer})
