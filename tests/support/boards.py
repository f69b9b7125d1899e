"""A board under test: the project's own operations on it, shorter to write, and what a test wants to look at."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from slateboard.interfaces.operations import perform
from slateboard.log import sequence
from slateboard.protocol.names import BoardId
from slateboard.protocol.rights import ADMINISTRATOR, SYSTEM, Actor, Right
from slateboard.protocol.states import FailureClass, Outcome
from slateboard.protocol.work import Claim, Finish, Finished, GiveBack, GivenBack, NewArtifact, NewTask, Posted, Result
from slateboard.store.database import Database
from slateboard.transaction import Statement, Transaction, hot, writing
from slateboard.work import breakers, leases, schedule

NO_BOARD = BoardId(0)
CONTROL = ("BEGIN", "COMMIT", "ROLLBACK", "SELECT PG_ADVISORY_UNLOCK", "RESET")


@dataclass
class BoardUnderTest:
    """One board. Operations run as the administrator, or `by` a named agent with the rights it was given."""

    database: Database
    id: BoardId
    name: str
    agents: dict[str, int] = field(default_factory=dict)
    rights: dict[str, Right] = field(default_factory=dict)

    def actor(self, agent: str | None = None) -> Actor:
        """The actor for an agent's name; the administrator without one."""
        if agent is None:
            return ADMINISTRATOR
        return Actor(
            name=agent, right=self.rights[agent], agent=self.agents[agent], board=self.id, authenticated_by="token:0"
        )

    async def perform(self, operation: str, *, by: str | None = None, **arguments: Any) -> Any:
        """One operation of the catalogue, as every door runs it."""
        return await perform(self.database, self.actor(by), self.id, operation, arguments)

    async def add_agent(self, name: str, *, right: str = "agent", **arguments: Any) -> int:
        """Add an agent, and remember it."""
        number: int = await self.perform("add_agent", name=name, right=right, **arguments)
        self.agents[name] = number
        self.rights[name] = Right[right.upper()]
        return number

    async def post(
        self, *artifacts: NewArtifact, tasks: Sequence[NewTask] = (), by: str | None = None
    ) -> dict[str, int]:
        """Post tasks and artifacts; gives the items by reference."""
        posted: Posted = await self.perform("post", by=by, tasks=list(tasks), artifacts=list(artifacts))
        return posted.items

    async def post_graph(
        self, edges: Mapping[str, Sequence[str]], *, task: str = "work", owner: str = "backend"
    ) -> dict[str, int]:
        """A task whose artifacts are the keys, each blocked by its values; gives the items by the artifacts' names."""
        artifacts = [NewArtifact(task=task, name=name, owner=owner, blocked_by=tuple(on)) for name, on in edges.items()]
        items = await self.post(*artifacts, tasks=[NewTask(name=task, title=task)])
        return {name: items[f"{task}/{name}"] for name in edges}

    async def claim(
        self,
        agent: str = "backend",
        *,
        limit: int = 1,
        lease_seconds: float = 60,
        item: int | None = None,
        worker: str = "w1",
    ) -> list[Claim]:
        """Claim as that agent."""
        return await self.perform(
            "claim",
            by=agent,
            agent=self.agents[agent],
            worker=worker,
            limit=limit,
            lease_seconds=lease_seconds,
            item=item,
        )

    async def claim_item(
        self, item: int, agent: str = "backend", *, lease_seconds: float = 60, worker: str = "w1"
    ) -> Claim:
        """Claim this very item, or raise why not."""
        return await self.perform(
            "claim_one", by=agent, agent=self.agents[agent], worker=worker, lease_seconds=lease_seconds, item=item
        )

    async def finish(self, *claims: Claim, by: str | None = None, **result: Any) -> list[Finished]:
        """Finish these claims, each with the same result."""
        finishes = [Finish(item=one.item, fence=one.fence, result=Result(**result)) for one in claims]
        answers, _woken = await self.perform("finish", by=by, finishes=finishes)
        return answers

    async def complete(self, *items: int, agent: str = "backend") -> None:
        """Claim and finish these items, one after the other."""
        for item in items:
            claim = await self.claim_item(item, agent)
            answers = await self.finish(claim, content=f"result of {item}")
            assert answers[0].error is None, answers[0].error

    async def give_back(self, claim: Claim, outcome: Outcome, *, by: str | None = None, **arguments: Any) -> GivenBack:
        """Give one claim back."""
        returns = [GiveBack(item=claim.item, fence=claim.fence, outcome=outcome, **arguments)]
        answers, _woken = await self.perform("give_back", by=by, returns=returns)
        return answers[0]

    async def fail(
        self,
        claim: Claim,
        failure_class: FailureClass = FailureClass.TRANSIENT,
        error: str = "it broke",
        **arguments: Any,
    ) -> GivenBack:
        """Give one claim back as failed."""
        return await self.give_back(claim, Outcome.FAILED, failure_class=failure_class, error=error, **arguments)

    async def tolerate_failures(self) -> None:
        """Let no breaker open before a thousand items in a row have failed."""
        async with self.writing() as tx:
            await breakers.set_rules(tx, agent=None, failure_threshold=breakers.MAX_THRESHOLD)

    async def bury(self, item: int, agent: str = "backend") -> None:
        """Make a dead letter of a ready item."""
        given = await self.fail(await self.claim_item(item, agent), FailureClass.LOGIC)
        assert given.place == "dead"

    @asynccontextmanager
    async def writing(self, *, by: str | None = None, now: datetime | None = None) -> AsyncGenerator[Transaction]:
        """A transaction on this board, committed at the end."""
        async with writing(self.database, self.actor(by), self.id, now=now) as tx:
            yield tx

    @asynccontextmanager
    async def chores(self, *, now: datetime | None = None) -> AsyncGenerator[Transaction]:
        """A transaction of the server's own chores, which know no board."""
        async with writing(self.database, SYSTEM, NO_BOARD, now=now) as tx:
            yield tx

    async def expire(self, *, now: datetime, limit: int = 100_000) -> list[Any]:
        """Take back leases as the leader does; the rows of this board, others' leftovers left out."""
        async with self.chores() as tx:
            return [row for row in await leases.expire_due(tx, limit=limit, now=now) if row["board"] == self.id]

    async def promote(self, *, now: datetime) -> None:
        """Make ready what only time held until then, as the leader does."""
        async with self.chores(now=now) as tx:
            await schedule.promote(tx, limit=100_000)

    @asynccontextmanager
    async def hot(self, *, by: str | None = None) -> AsyncGenerator[Statement]:
        """A connection for hot statements."""
        async with hot(self.database, self.actor(by), self.id) as tx:
            yield tx

    async def fetch(self, sql: str, *arguments: Any) -> list[Any]:
        """Rows of a question; `$1` is the board."""
        async with self.database.acquire() as connection:
            return await connection.fetch(sql, self.id, *arguments)

    async def fetchval(self, sql: str, *arguments: Any) -> Any:
        """One value of a question; `$1` is the board."""
        async with self.database.acquire() as connection:
            return await connection.fetchval(sql, self.id, *arguments)

    async def places(self) -> dict[int, str]:
        """Where every item of the board is."""
        rows = await self.fetch("SELECT item, place FROM item_places WHERE board = $1")
        return {row["item"]: row["place"] for row in rows}

    async def place(self, item: int) -> str:
        """Where one item is."""
        return await self.fetchval("SELECT place FROM item_places WHERE board = $1 AND item = $2", item)

    async def by_place(self) -> Counter[str]:
        """How many items are in each place."""
        return Counter((await self.places()).values())

    async def remaining(self, item: int) -> int | None:
        """What the item's gate counts; None without a gate."""
        return await self.fetchval("SELECT remaining FROM gates WHERE board = $1 AND item = $2", item)

    async def seal(self) -> None:
        """Move everything that is committed from the outbox to the log."""
        for _ in range(1000):
            async with hot(self.database, SYSTEM, NO_BOARD) as tx:
                if not await sequence.seal(tx):
                    return

    async def log(self, *, after: int = 0, subject: str | None = None) -> list[Event]:
        """The sealed events of the board, everything sealed first."""
        await self.seal()
        rows = await self.perform("read_log", after=after, limit=10_000, subject=subject)
        return [Event(row["position"], row["subject"], json.loads(row["payload"] or "null"), dict(row)) for row in rows]

    async def subjects(self, *, after: int = 0) -> list[str]:
        """The subjects of the log, in order."""
        return [event.subject for event in await self.log(after=after)]


@dataclass(frozen=True)
class Event:
    """A sealed event, its payload read."""

    position: int
    subject: str
    payload: dict[str, Any]
    row: dict[str, Any] = field(repr=False)


class Clock:
    """A literal `now`."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def advance(self, **length: float) -> datetime:
        """Move the clock, `seconds=30`, and give the new time."""
        self.now += timedelta(**length)
        return self.now


class QueryCount:
    """Counts the statements that go to the database through one pool, begin and commit left out."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.statements: list[str] = []

    @property
    def count(self) -> int:
        """How many statements were counted."""
        return len(self.statements)

    @asynccontextmanager
    async def counted(self) -> AsyncGenerator[QueryCount]:
        """Count what is sent inside, on any connection of the pool."""
        self.statements.clear()
        found = self.statements

        def note(record: Any) -> None:
            if not record.query.upper().startswith(CONTROL):
                found.append(record.query)

        pool: Any = self.database.pool
        connections = [holder._con for holder in pool._holders if holder._con is not None]
        # What the pool opens later is not counted: let it open all it has first, if that matters.
        for connection in connections:
            connection.add_query_logger(note)
        try:
            yield self
        finally:
            for connection in connections:
                connection.remove_query_logger(note)


async def new_board(database: Database, name: str, *, agents: Sequence[str] = ()) -> BoardUnderTest:
    """Make a board with these agents, through the project's own operations."""
    number = await perform(database, ADMINISTRATOR, NO_BOARD, "create_board", {"name": name})
    board = BoardUnderTest(database, BoardId(number), name)
    for agent in agents:
        await board.add_agent(agent)
    return board
