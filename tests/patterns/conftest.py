"""Every test of the choreography that has a board ends with the invariants; and what routes without a server."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from slateboard.protocol.names import BoardId
from slateboard.server.duty import Duty
from slateboard.store.database import Database
from tests.support.boards import BoardUnderTest


@pytest.fixture(autouse=True)
def _invariants(request: pytest.FixtureRequest) -> None:
    if "board" in request.fixturenames:
        request.getfixturevalue("invariants")


class Router:
    """The leader's router on one board, a step at a time."""

    def __init__(self, board: BoardUnderTest, duty: Duty) -> None:
        self.board = board
        self.duty = duty

    async def run(self) -> None:
        """Seal and route until every subscription of the board has seen all of its log."""
        from slateboard.server import routing

        for _ in range(100):
            await self.board.seal()
            head = await self.board.fetchval("SELECT position FROM event_heads WHERE board = $1")
            await routing._route_board(self.duty, self.board.id, head)
            if not await self.board.fetchval(BEHIND):
                return
        message = "the router does not come to an end"
        raise AssertionError(message)


BEHIND = """
SELECT EXISTS (SELECT FROM subscriptions s JOIN event_heads h USING (board)
               WHERE board = $1 AND s.cursor < h.position AND s.paused_at IS NULL)
    OR EXISTS (SELECT FROM event_outbox WHERE board = $1)
"""


@pytest.fixture
def duty(database: Database, database_url: str) -> Duty:
    """A leader's means, of which nobody is told."""

    def wake(_board: BoardId, _inboxes: Iterable[int]) -> None:
        return None

    return Duty(database=database, owner_url=database_url, wake=wake, sealed=lambda _board: None)


@pytest.fixture
def router(board: BoardUnderTest, duty: Duty) -> Router:
    """The router, by hand."""
    return Router(board, duty)
