"""Wherever a router dies, each event is routed once to each subscription, gathered once, and waited for once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from slateboard.protocol.work import NewArtifact, NewTask
from slateboard.server import routing
from slateboard.server.duty import Duty
from slateboard.store.database import Database
from tests.patterns.conftest import Router
from tests.support.boards import BoardUnderTest
from tests.support.invariants import check_log

MOST_STATEMENTS = 200
SUBJECTS = ("genbrain.events.smoke.passed", "genbrain.events.scan.passed")
WANTED: dict[str, dict[str, Any]] = {
    "plain": {},
    "filtered": {"filter": "$.payload.number >= 0"},
    "keyed": {"ordered_by": "$.payload.key"},
    "both": {"patterns": list(SUBJECTS), "all_of": True},
    "idle": {"patterns": ["genbrain.events.other"]},
}


class Killed(Exception):
    """The end of a router between two statements."""


class Dying(Database):
    """Lends connections that die when so many statements have been run on all of them together."""

    def __init__(self, database: Database, statements: int, *, cut: bool) -> None:
        super().__init__(database.url, database.pool)
        self.left = statements
        self.cut = cut

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        async with super().acquire() as connection:
            yield DyingConnection(connection, self)


class DyingConnection:
    """A connection whose statements are counted; the last one's answer is never seen."""

    def __init__(self, connection: Any, database: Dying) -> None:
        self._connection = connection
        self._database = database

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._connection, name)
        if name not in {"fetch", "fetchrow", "fetchval", "execute"}:
            return found

        async def run(*arguments: Any) -> Any:
            answer = await found(*arguments)
            self._database.left -= 1
            if self._database.left == 0:
                if self._database.cut:
                    self._connection.terminate()
                raise Killed
            return answer

        return run


async def delivered(board: BoardUnderTest, name: str) -> list[list[int]]:
    rows = await board.fetch(
        "SELECT d.positions FROM deliveries d JOIN subscriptions s ON s.board = d.board AND s.id = d.subscription"
        " WHERE d.board = $1 AND s.name = $2 ORDER BY d.item",
        name,
    )
    return [list(row["positions"]) for row in rows]


async def wait_again(board: BoardUnderTest) -> int:
    """The one item of the board waits for the next event."""
    (claim,) = await board.claim("frontend")
    await board.perform("wait_for", item=claim.item, fence=claim.fence, pattern=SUBJECTS[1], timeout_seconds=60)
    return claim.item


@pytest.mark.parametrize("cut", [False, True], ids=["rolled back", "cut off"])
async def test_router_dies_between_any_two_statements(
    board: BoardUnderTest, router: Router, duty: Duty, *, cut: bool
) -> None:
    for name, fields in WANTED.items():
        wanted = {"patterns": ["genbrain.events.*.passed"], "agent": "backend", **fields}
        await board.perform("subscribe", name=name, **wanted)
    await board.post(
        NewArtifact(task="work", name="a", owner="frontend", rules={"max_idle_attempts": MOST_STATEMENTS}),
        tasks=[NewTask(name="work", title="work")],
    )
    await router.run()
    died = 0
    for statement in range(1, MOST_STATEMENTS):
        item = await wait_again(board)
        for subject in SUBJECTS:
            data = {"number": statement, "key": statement % 2}
            await board.perform("publish", subject=subject, data=data, correlation=f"c{statement}")
        await board.seal()
        head = await board.fetchval("SELECT position FROM event_heads WHERE board = $1")
        dying = Dying(board.database, statement, cut=cut)
        try:
            await routing._route_board(replace(duty, database=dying), board.id, head)
        except Exception:
            if dying.left > 0:
                raise
            died += 1
        await router.run()
        assert await board.place(item) == "ready"
        if dying.left > 0:
            break
    assert died > 20, "the router has more statements than that"
    events = [event.position for event in await board.log() if event.subject in SUBJECTS]
    for name in ("plain", "filtered", "keyed"):
        assert await delivered(board, name) == [[position] for position in events]
    assert await delivered(board, "both") == [list(pair) for pair in zip(events[::2], events[1::2], strict=True)]
    assert await delivered(board, "idle") == []
    assert len(await board.log(subject="board.item.opened")) == died + 1
    await check_log(board)
