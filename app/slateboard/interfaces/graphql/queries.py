"""The queries: each field is one operation of the catalogue. Listings are Relay connections (`first`, at most 1,000,
and `after`); what a field does not say is said by the action of the same name.

Long because every operation that reads has its field here, but for those with a module of their own.
"""

from __future__ import annotations

import json
from typing import Any, cast

import strawberry
from strawberry.scalars import JSON
from strawberry.types import Info

from slateboard.interfaces.cursors import cursor_of, position_of
from slateboard.interfaces.graphql import past, prefetch
from slateboard.interfaces.graphql.answers import Explanation, Held, Status
from slateboard.interfaces.graphql.boards import DeletedBoardsQuery
from slateboard.interfaces.graphql.breakers import BreakerQuery
from slateboard.interfaces.graphql.choreography import ChoreographyQuery
from slateboard.interfaces.graphql.compensation import CompensationQuery
from slateboard.interfaces.graphql.delegation import DelegationQuery
from slateboard.interfaces.graphql.directory import DirectoryQuery
from slateboard.interfaces.graphql.escalations import Escalation
from slateboard.interfaces.graphql.health import HealthQuery
from slateboard.interfaces.graphql.meetings import MeetingQuery
from slateboard.interfaces.graphql.peers import PeerQuery
from slateboard.interfaces.graphql.prefetch import Key, connection
from slateboard.interfaces.graphql.proof import ProofQuery
from slateboard.interfaces.graphql.reports import ReportsQuery
from slateboard.interfaces.graphql.request import Request
from slateboard.interfaces.graphql.scalars import BigInt, plain_json
from slateboard.interfaces.graphql.types import (
    Agent,
    Artifact,
    Board,
    Connection,
    DeadLetter,
    Decision,
    Event,
    Item,
    Task,
    Token,
    Tree,
)
from slateboard.interfaces.graphql.usage import UsageQuery
from slateboard.interfaces.graphql.verification import VerificationQuery
from slateboard.interfaces.graphql.why import WhyQuery
from slateboard.protocol.errors import UnknownName
from slateboard.protocol.names import BoardId
from slateboard.protocol.pages import DEFAULT_PAGE, MAX_PAGE, Page
from slateboard.protocol.states import Place
from slateboard.reports.artifacts import is_by_item, item_key
from slateboard.reports.escalations import deadline_key
from slateboard.reports.items import death_key, rating_key
from slateboard.reports.paging import check_first, id_key

Ask = Info[Request, None]

DEFAULT_TREE = 5
"""Levels of a tree; a query names as many levels of `tasks` as it wants to see, anyway."""


async def _page(info: Ask, board: str | None, operation: str, node: str, *, key: Key = id_key, **arguments: Any) -> Any:
    """One listing of the catalogue as a connection of nodes of that type."""
    request = info.context
    where = await _where(request, board, operation)
    selected = request.selected(info)
    given = {name: value for name, value in arguments.items() if value is not None}
    if any(one.name == "totalCount" for one in selected.below):
        given["total"] = True
    page: Page = await request.perform(operation, where, given)
    return await connection(request, where, node, page, selected, key=key, after=arguments.get("after"))


async def _where(request: Request, board: str | None, operation: str) -> BoardId:
    """The board that is meant; boards can be listed before there is one."""
    if operation == "list_boards" and request.actor.board is None:
        return BoardId(0)
    return await request.board(board)


async def _one(info: Ask, board: str | None, operation: str, node: str, arguments: dict[str, Any]) -> Any:
    """The only row of a listing, with everything loaded that is selected on it; None if there is none."""
    request = info.context
    where = await _where(request, board, operation)
    page: Page = await request.perform(operation, where, arguments)
    for row in page.rows:
        if node in prefetch.ADAPTED:
            prefetch.ADAPTED[node](row)
    await prefetch.load(request, where, node, page.rows, request.selected(info).below)
    return page.rows[0] if page.rows else None


@strawberry.type
class Query(
    BreakerQuery,
    DelegationQuery,
    DirectoryQuery,
    MeetingQuery,
    PeerQuery,
    UsageQuery,
    WhyQuery,
    HealthQuery,
    CompensationQuery,
    VerificationQuery,
    ChoreographyQuery,
    ProofQuery,
    ReportsQuery,
    DeletedBoardsQuery,
):
    """Questions. `board` is the token's own, or the server's default, where it is left out."""

    @strawberry.field
    async def boards(
        self, info: Ask, first: int = DEFAULT_PAGE, after: str | None = None, names: list[str] | None = None
    ) -> Connection[Board] | None:
        """The boards that the token may see."""
        return await _page(info, None, "list_boards", "Board", first=first, after=after, names=names)

    @strawberry.field
    async def board(
        self,
        info: Ask,
        name: str | None = None,
        as_of: str | None = None,
        first: int = DEFAULT_PAGE,
        after: str | None = None,
    ) -> Board | None:
        """One board; with `asOf`, a position or a time, its field of that name says how it was."""
        request = info.context
        where = await request.board(name)
        row = await _one(info, name, "list_boards", "Board", {"ids": [where]})
        if row is not None:
            selected = request.selected(info)
            row["as_of"] = as_of and await past.load(request, where, selected, as_of, first=first, after=after)
        return row

    @strawberry.field
    async def agents(
        self,
        info: Ask,
        board: str | None = None,
        first: int = DEFAULT_PAGE,
        after: str | None = None,
        kind: str | None = None,
        capability: str | None = None,
        names: list[str] | None = None,
    ) -> Connection[Agent] | None:
        """The agents of the board, with how much each has ready and claimed."""
        return await _page(
            info, board, "list_agents", "Agent", first=first, after=after, kind=kind, capability=capability, names=names
        )

    @strawberry.field
    async def tokens(
        self,
        info: Ask,
        board: str | None = None,
        first: int = DEFAULT_PAGE,
        after: str | None = None,
        agent: str | None = None,
        live: bool | None = None,
    ) -> Connection[Token] | None:
        """The tokens of the board's agents; for administrators."""
        return await _page(info, board, "list_tokens", "Token", first=first, after=after, agent=agent, live=live)

    @strawberry.field
    async def tasks(
        self,
        info: Ask,
        board: str | None = None,
        first: int = DEFAULT_PAGE,
        after: str | None = None,
        parent: str | None = None,
        roots: bool = False,
        agent: str | None = None,
        names: list[str] | None = None,
    ) -> Connection[Task] | None:
        """The tasks of the board, or those below a parent."""
        below = info.context.selected(info)
        roll_up = any(one.name in {"status", "progress"} for one in prefetch.nodes_below(below))
        return await _page(
            info,
            board,
            "list_tasks",
            "Task",
            first=first,
            after=after,
            parent=parent,
            roots=roots,
            agent=agent,
            names=names,
            roll_up=roll_up,
        )

    @strawberry.field
    async def task(self, info: Ask, name: str, board: str | None = None) -> Task | None:
        """One task, by its name."""
        found = await _one(info, board, "list_tasks", "Task", {"names": [name]})
        if found is None:
            raise UnknownName(f"there is no task {name!r} on this board", remedy="see `tasks`", task=name)
        return found

    @strawberry.field
    async def artifacts(
        self,
        info: Ask,
        board: str | None = None,
        first: int = DEFAULT_PAGE,
        after: str | None = None,
        task: str | None = None,
        owner: str | None = None,
        capability: str | None = None,
        status: str | None = None,
        stale: bool | None = None,
        references: list[str] | None = None,
    ) -> Connection[Artifact] | None:
        """The artifacts of the board, in the order in which they were posted."""
        return await _page(
            info,
            board,
            "list_artifacts",
            "Artifact",
            key=item_key if is_by_item(status) else id_key,
            first=first,
            after=after,
            task=task,
            owner=owner,
            capability=capability,
            status=status,
            stale=stale,
            references=references,
        )

    @strawberry.field
    async def artifact(self, info: Ask, reference: str, board: str | None = None) -> Artifact | None:
        """One artifact, by its reference: `task/artifact`, or `task` for its `result`."""
        return await _one(info, board, "list_artifacts", "Artifact", {"references": [reference]})

    @strawberry.field
    async def items(
        self,
        info: Ask,
        board: str | None = None,
        first: int = DEFAULT_PAGE,
        after: str | None = None,
        place: str | None = None,
        agent: str | None = None,
        finished: bool | None = None,
    ) -> Connection[Item] | None:
        """Work items; the ready ones of one agent in the order in which it will get them."""
        key = rating_key if place == Place.READY and agent is not None else id_key
        return await _page(
            info,
            board,
            "list_items",
            "Item",
            key=key,
            first=first,
            after=after,
            place=place,
            agent=agent,
            finished=finished,
        )

    @strawberry.field
    async def item(self, info: Ask, id: BigInt, board: str | None = None) -> Item | None:  # noqa: A002  its name in the schema
        """One work item, by its id."""
        found = await _one(info, board, "list_items", "Item", {"ids": [id]})
        if found is None:
            raise UnknownName(f"there is no work item {id}", remedy="see `items`", item=id)
        return found

    @strawberry.field
    async def decisions(
        self,
        info: Ask,
        board: str | None = None,
        first: int = DEFAULT_PAGE,
        after: str | None = None,
        subject: str | None = None,
        status: str | None = None,
        task: str | None = None,
        agent: str | None = None,
    ) -> Connection[Decision] | None:
        """The decisions of the board, the newest first."""
        return await _page(
            info,
            board,
            "list_decisions",
            "Decision",
            first=first,
            after=after,
            subject=subject,
            status=status,
            task=task,
            agent=agent,
        )

    @strawberry.field
    async def dead_letters(
        self,
        info: Ask,
        board: str | None = None,
        first: int = DEFAULT_PAGE,
        after: str | None = None,
        agent: str | None = None,
        failure_class: str | None = None,
        subject: str | None = None,
        search: str | None = None,
        older_than_seconds: float | None = None,
        newer_than_seconds: float | None = None,
    ) -> Connection[DeadLetter] | None:
        """What will not be tried again by itself, the newest first; `search` looks into error and reference.

        `subject` is a pattern of what was delivered.
        """
        return await _page(
            info,
            board,
            "list_dead_letters",
            "DeadLetter",
            key=death_key,
            first=first,
            after=after,
            agent=agent,
            failure_class=failure_class,
            subject=subject,
            search=search,
            older_than_seconds=older_than_seconds,
            newer_than_seconds=newer_than_seconds,
        )

    @strawberry.field
    async def escalations(
        self,
        info: Ask,
        board: str | None = None,
        first: int = DEFAULT_PAGE,
        after: str | None = None,
        agent: str | None = None,
    ) -> Connection[Escalation] | None:
        """What waits for an answer, of one owner or of all, the nearest deadline first."""
        return await _page(
            info, board, "list_escalations", "Escalation", key=deadline_key, first=first, after=after, agent=agent
        )

    @strawberry.field
    async def events(
        self,
        info: Ask,
        board: str | None = None,
        first: int = DEFAULT_PAGE,
        after: str | None = None,
        subject: str | None = None,
    ) -> Connection[Event] | None:
        """The log after a position (as a cursor or in digits), oldest first; `subject` is a pattern: `board.item.*`."""
        return await _events(info, board, first, after, subject)

    @strawberry.field
    async def log_head(self, info: Ask, board: str | None = None) -> BigInt | None:
        """The newest position of the board's log; 0 when it is empty."""
        return await info.context.perform("log_head", board, {})

    @strawberry.field
    async def tree(
        self, info: Ask, board: str | None = None, task: str | None = None, depth: int = DEFAULT_TREE
    ) -> Tree | None:
        """The task tree with its roll-up: the one below a task, or all of the board's."""
        return await info.context.perform("tree", board, {"task": task, "depth": depth})

    @strawberry.field
    async def status(self, info: Ask, board: str | None = None) -> Status | None:
        """The board at a glance."""
        return await info.context.perform("status", board, {})

    @strawberry.field
    async def show(self, info: Ask, name: str, board: str | None = None) -> JSON | None:
        """Everything about a task, an artifact or a work item, as the `slate show` command has it."""
        return plain_json(await info.context.perform("show", board, {"name": name}))

    @strawberry.field
    async def explain(self, info: Ask, item: BigInt, board: str | None = None) -> Explanation | None:
        """Why an item stands where it stands."""
        return await info.context.perform("explain", board, {"item": item})

    @strawberry.field
    async def has_work(self, info: Ask, agent: str | None = None, board: str | None = None) -> bool | None:
        """Whether a claim would find anything now. `agent` is the one that asks, where it is left out."""
        number = await info.context.agent(board, agent)
        return await info.context.perform("has_work", board, {"agent": number})

    @strawberry.field
    async def mine(self, info: Ask, agent: str | None = None, board: str | None = None) -> list[Held] | None:
        """What an agent holds now, with the checkpoints and notes that it left."""
        number = await info.context.agent(board, agent)
        rows: list[dict[str, Any]] = await info.context.perform("mine", board, {"agent": number})
        for row in rows:
            row["checkpoint"] = None if row["checkpoint"] is None else json.loads(row["checkpoint"])
        return cast("list[Held]", rows)

    @strawberry.field
    async def briefing(self, info: Ask, item: BigInt, board: str | None = None) -> JSON | None:
        """What a worker is told about its item."""
        return await info.context.perform("briefing", board, {"item": item})


async def _events(info: Ask, board: str | None, first: int, after: str | None, subject: str | None) -> Any:
    check_first(first)
    request = info.context
    where = await request.board(board)
    position = 0 if after is None else position_of(where, after)
    arguments = {"after": position, "limit": min(first + 1, MAX_PAGE + 1), "subject": subject}
    found: list[Any] = await request.perform("read_log", where, arguments)
    rows: list[dict[str, Any]] = [
        {**row, "erased": row["payload"] is None, "cursor": cursor_of(where, row["position"])} for row in found
    ]
    selected = request.selected(info)
    if any(one.name == "payload" for one in prefetch.nodes_below(selected)):
        for row in rows:
            row["payload"] = None if row["payload"] is None else json.loads(row["payload"])
    return prefetch.joined(
        rows[:first], selected, key=lambda row: [where, row["position"]], more=len(rows) > first, after=after
    )
