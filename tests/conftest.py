"""Fixtures for every test folder: one Postgres for the run, a database for each process, a board for each test.

Boards are isolated from each other, so a test that commits needs no clean-up: `board` is new for each test. Rows are
made through the project's own actions, from the inputs that `tests/factories.py` builds.
"""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings

from slateboard.protocol.rights import ADMINISTRATOR, Actor
from slateboard.store.database import Database, connect
from slateboard.transaction import Statement, hot, writing
from tests.support import servers
from tests.support.boards import BoardUnderTest, Clock, QueryCount, new_board
from tests.support.invariants import check_board

POOL_SIZE = 16
NUMBERS = count(1)

# No test asserts how long something takes, on whatever machine; examples that need a board make one each.
settings.register_profile(
    "slateboard", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
settings.load_profile("slateboard")


def pytest_configure() -> None:
    """A shell makes what it starts in the background ignore SIGINT, and all that this would start in turn."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _shared_folder(factory: pytest.TempPathFactory, config: pytest.Config) -> Path:
    """The folder that all processes of this run share."""
    base = factory.getbasetemp()
    return base.parent if hasattr(config, "workerinput") else base


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """The first process stops the server when all others are done."""
    config: Any = session.config
    factory = getattr(config, "_tmp_path_factory", None)
    if factory is not None and not hasattr(config, "workerinput") and not config.option.collectonly:
        servers.end(factory.getbasetemp())


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> servers.Server:
    """The Postgres of this run."""
    return servers.shared(_shared_folder(tmp_path_factory, request.config))


@pytest.fixture(scope="session")
def database_name(server: servers.Server) -> Iterator[str]:
    """This process's own database, copied from the migrated template."""
    with servers.database(server, os.environ.get("PYTEST_XDIST_WORKER", "main")) as name:
        yield name


@pytest.fixture(scope="session")
def database_url(server: servers.Server, database_name: str) -> str:
    """The owner's URL of this process's database."""
    return server.owner_of(database_name)


@pytest.fixture(scope="session")
def app_url(server: servers.Server, database_name: str) -> str:
    """The URL of this process's database for the application's role."""
    return server.app_of(database_name)


@pytest_asyncio.fixture(scope="session")
async def database(app_url: str) -> AsyncIterator[Database]:
    """The pool of this process, as the application's role."""
    opened = await connect(app_url, size=POOL_SIZE)
    yield opened
    await opened.close()


@pytest.fixture
def admin() -> Actor:
    """An administrator who is no agent, as a database URL makes one."""
    return ADMINISTRATOR


@pytest_asyncio.fixture
async def board(database: Database) -> BoardUnderTest:
    """A new board of its own for this test, with the agents backend, frontend and cto."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    return await new_board(database, f"test-{worker}-{next(NUMBERS)}", agents=("backend", "frontend", "cto"))


@pytest.fixture
def agents(board: BoardUnderTest) -> dict[str, int]:
    """The ids of the board's agents, by name."""
    return board.agents


@pytest_asyncio.fixture
async def tx(database: Database, board: BoardUnderTest) -> AsyncIterator[Any]:
    """A transaction of the administrator's on `board`, committed when the test ends."""
    async with writing(database, ADMINISTRATOR, board.id) as opened:
        yield opened


@pytest_asyncio.fixture(name="hot")
async def hot_statement(database: Database, board: BoardUnderTest) -> AsyncIterator[Statement]:
    """A connection for hot statements, as the administrator on `board`."""
    async with hot(database, ADMINISTRATOR, board.id) as opened:
        yield opened


@pytest.fixture
def queries(database: Database) -> QueryCount:
    """Counts the SQL statements inside `async with queries.counted(connection)`, or of a whole `perform`."""
    return QueryCount(database)


@pytest.fixture
def clock() -> Clock:
    """A literal `now` that the test moves, for actions that take one."""
    return Clock()


@pytest_asyncio.fixture
async def invariants(board: BoardUnderTest) -> AsyncIterator[None]:
    """After the test: the board's queue and log hold what they always hold."""
    yield
    await check_board(board)
