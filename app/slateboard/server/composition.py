"""The composition root: opens what one server process needs, and closes it in reverse order.

One pool answers requests, a small one of its own serves the leader and the chores. Both work as the application's
role; only partitions and VACUUM use the owner's URL.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from slateboard.interfaces.feeds import Hub
from slateboard.server import chores
from slateboard.server.duty import Duty
from slateboard.server.leader import Leadership
from slateboard.store import database as databases
from slateboard.store.notifications import Notifier

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from slateboard.protocol.names import BoardId
    from slateboard.settings import Settings

CHORE_CONNECTIONS = 4
CHORE_STATEMENT_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Server:
    """What the doors need."""

    settings: Settings
    database: databases.Database
    notifier: Notifier
    leadership: Leadership
    duty: Duty
    hub: Hub

    def wake(self, board: BoardId, inboxes: Iterable[int]) -> None:
        """After a commit of this process: tell those who wait, and the sequencer."""
        self.notifier.wake(board, inboxes)
        self.duty.grown.set()


@asynccontextmanager
async def composed(settings: Settings, *, app_url: str, owner_url: str) -> AsyncGenerator[Server]:
    """A server on a database whose schema is ready. Raises `Unavailable` if it cannot be reached or does not fit."""
    async with AsyncExitStack() as stack:
        database = await databases.connect(
            app_url,
            size=settings.pool_size,
            statement_timeout_seconds=settings.statement_timeout_seconds,
            home=settings.home,
        )
        stack.push_async_callback(database.close)
        own = await databases.connect(
            app_url, size=CHORE_CONNECTIONS, statement_timeout_seconds=CHORE_STATEMENT_SECONDS
        )
        stack.push_async_callback(own.close)
        hub = Hub(database)
        stack.push_async_callback(hub.close)
        notifier = Notifier(app_url)
        stack.push_async_callback(notifier.close)
        duty = Duty(
            database=own,
            owner_url=owner_url,
            wake=notifier.wake,
            sealed=notifier.sealed,
            home=settings.home,
            archive_after_days=settings.archive_after_days,
        )
        leadership = Leadership(own, lambda: chores.run(duty))
        standing = asyncio.create_task(leadership.run(), name="leadership")
        stack.push_async_callback(_ended, standing)
        yield Server(settings=settings, database=database, notifier=notifier, leadership=leadership, duty=duty, hub=hub)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
