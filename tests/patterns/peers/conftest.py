"""A board with routes between its agents; every test ends with the fold of its log, and with the invariants."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from slateboard.patterns.peers import routes
from slateboard.patterns.peers.routes import Route
from tests.support.boards import BoardUnderTest
from tests.support.live import check_fold

ROUTES = [
    Route("backend", "cto", "consult", "security review of API changes"),
    Route("backend", "frontend", "notify", "API contract changes"),
    Route("frontend", "backend", "consult", "API endpoint specifications"),
    Route("cto", "backend", "channel"),
]


@pytest.fixture
async def peers(board: BoardUnderTest) -> AsyncGenerator[BoardUnderTest]:
    """The board with these routes."""
    async with board.writing() as tx:
        await routes.add(tx, routes=ROUTES, source="RoutingTable/agents")
    yield board
    await check_fold(board)
