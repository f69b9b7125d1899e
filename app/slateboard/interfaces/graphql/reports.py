"""The queries for reports: the audit trail, the decisions as records, and what each agent did."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry.scalars import JSON
from strawberry.types import Info

from slateboard.interfaces.graphql.request import Request
from slateboard.interfaces.graphql.scalars import BigInt, plain_json

Ask = Info[Request, None]


@strawberry.type
class DecisionRecord:
    """A decision as a Markdown file (MADR); `text` is what stands in `file`."""

    number: int
    id: BigInt
    subject: str
    status: str
    file: str
    text: str


@strawberry.type
class AgentRecord:
    """What one agent did. `seconds` is the time of its items by place, `busySeconds` that of its attempts."""

    agent: str
    items: int
    attempts: int
    completed: int
    failed: int
    interrupted: int
    failure_rate: float | None
    per_hour: float | None
    busy_seconds: float
    seconds: JSON


@strawberry.type
class AgentsReport:
    """What each agent did in a range of the log."""

    begins_at: datetime | None
    ends_at: datetime | None
    events: BigInt
    agents: list[AgentRecord]


@strawberry.type
class ReportsQuery:
    """The queries for reports."""

    @strawberry.field
    async def audit_report(
        self,
        info: Ask,
        board: str | None = None,
        task: str | None = None,
        agent: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        correlation: str | None = None,
        format: str | None = None,  # noqa: A002  its name in the schema
    ) -> JSON | None:
        """The audit trail as data; with a `format` (`html`, `md`, `json`, `csv`) an object with its `text`."""
        asked = {"task": task, "agent": agent, "since": since, "until": until, "correlation": correlation}
        return plain_json(await info.context.perform("report_audit", board, {**asked, "format": format}))

    @strawberry.field
    async def decisions_report(self, info: Ask, board: str | None = None) -> list[DecisionRecord] | None:
        """Every decision as a Markdown record, the oldest first."""
        return await info.context.perform("report_decisions", board, {})

    @strawberry.field
    async def agents_report(
        self, info: Ask, board: str | None = None, since: datetime | None = None, until: datetime | None = None
    ) -> AgentsReport | None:
        """What each agent finished, how often it failed, and where the time of its work went."""
        return await info.context.perform("report_agents", board, {"since": since, "until": until})
