"""Fixtures of the SDK's tests: workers that run against the board under test, and end with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from slateboard import Client, Worker, connect
from slateboard.store.database import Database
from tests.support.boards import BoardUnderTest

LIMIT_SECONDS = 30


class Workers:
    """Starts workers on a board; what still runs at the end of the test is interrupted."""

    def __init__(self, url: str, board: str) -> None:
        self._url = url
        self._board = board
        self._running: list[tuple[Worker, asyncio.Task[None]]] = []

    def start(self, worker: Worker, **how: Any) -> asyncio.Task[None]:
        """Run a worker in the background."""
        how = {"url": self._url, "board": self._board, "signals": False, **how}
        task = asyncio.create_task(worker.run(**how))
        self._running.append((worker, task))
        return task

    async def stop(self) -> None:
        """Let all of them end what they do, and hand it in."""
        for worker, _ in self._running:
            worker.stop()
        await self._ended()

    async def interrupt(self) -> None:
        """End at once all that still run."""
        self._running = [(worker, task) for worker, task in self._running if not task.done()]
        for worker, task in self._running:
            worker.interrupt()
            if not task.done() and worker._run is None:
                task.cancel()
        await self._ended()

    async def _ended(self) -> None:
        tasks = [task for _, task in self._running]
        self._running.clear()
        async with asyncio.timeout(LIMIT_SECONDS):
            for outcome in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(outcome, Exception):
                    raise outcome


@pytest_asyncio.fixture
async def workers(board: BoardUnderTest, app_url: str) -> AsyncIterator[Workers]:
    """Starts workers on this test's board."""
    running = Workers(app_url, board.name)
    yield running
    await running.interrupt()


@pytest_asyncio.fixture
async def client(board: BoardUnderTest, app_url: str) -> AsyncIterator[Client]:
    """A client of backend's on this test's board."""
    async with connect(app_url, board=board.name, agent="backend") as opened:
        yield opened


@pytest.fixture
def reached() -> Callable[[asyncio.Event], Any]:
    """Waits for an event, within a bound."""

    async def wait(event: asyncio.Event) -> None:
        async with asyncio.timeout(LIMIT_SECONDS):
            await event.wait()

    return wait


@pytest.fixture
def until() -> Callable[[Callable[[], Any]], Any]:
    """Waits until a condition of this process holds, for which nobody gives a signal."""

    async def wait(condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(LIMIT_SECONDS):
            while not condition():  # noqa: ASYNC110  it only yields
                await asyncio.sleep(0)

    return wait


@pytest_asyncio.fixture
async def own_connections(database: Database) -> list[int]:
    """The server processes of the fixtures' own connections, which a test must not end."""
    return [holder._con.get_server_pid() for holder in database.pool._holders if holder._con is not None]
