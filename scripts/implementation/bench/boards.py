"""Filling a board through the SDK, and running real worker processes on it."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from scripts.implementation import place as places
from slateboard import connect
from slateboard.protocol.work import NewArtifact, NewTask

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Sequence

    import asyncpg

    from scripts.implementation.place import Place
    from slateboard import Client

# Everything is finished, and the last event of it is in the log.
DRAINED = """
SELECT NOT EXISTS (SELECT FROM ready WHERE board = $1) AND NOT EXISTS (SELECT FROM leases WHERE board = $1)
   AND NOT EXISTS (SELECT FROM gates WHERE board = $1) AND NOT EXISTS (SELECT FROM event_outbox WHERE board = $1)
"""
# Nothing of high priority is ready or claimed any more; cheap, however much is ranked behind it.
FRONT_DONE = """
SELECT NOT EXISTS (SELECT FROM ready r WHERE r.board = $1 AND r.rank <= -100
                   AND r.inbox = (SELECT id FROM agents WHERE board = $1 AND name = 'w'))
   AND NOT EXISTS (SELECT FROM leases l JOIN work_items w ON w.board = l.board AND w.id = l.item
                   WHERE l.board = $1 AND w.base_rating >= 100)
"""


async def new(place: Place, name: str, agents: Iterable[str] = ("w",)) -> Client:
    """A fresh board with these agents; returns a client of it."""
    async with await connect(place.app_url, board="default") as admin:
        await admin.call("create_board", name=name)
    client = await connect(place.app_url, board=name)
    for agent in agents:
        await client.call("add_agent", name=agent)
    return client


async def post(client: Client, task: str, names: Sequence[str], **fields: Any) -> None:
    """Post ready artifacts of agent `w` into a new task, 1,000 a call."""
    await client.call(
        "post", tasks=[NewTask(name=task, title=task, agent="w")], artifacts=[NewArtifact(task=task, name="first")]
    )
    for first in range(0, len(names), 1000):
        batch = [NewArtifact(task=task, name=name, owner="w", **fields) for name in names[first : first + 1000]]
        await client.call("post", artifacts=batch)


async def settle(owner: asyncpg.Connection[Any]) -> None:
    """Vacuum and analyze what a real board would have had vacuumed by then."""
    for table in ("ready", "leases", "gates", "work_items", "artifacts", "dependencies"):
        await owner.execute(f"VACUUM (ANALYZE) {table}")


@asynccontextmanager
async def workers(place: Place, board: str, count: int, *, agent: str = "w") -> AsyncGenerator[list[int]]:
    """Worker processes with a no-op handler; they are told to stop, and given back what they held, at the end."""
    environment = {**place.environment, "SLATE_BOARD": board, "SLATE_DATABASE_URL": place.app_url}
    command = [sys.executable, "-P", "-m", "scripts.implementation.bench.worker", agent]
    started = [
        await asyncio.create_subprocess_exec(*command, env=environment, stdout=asyncio.subprocess.PIPE)
        for _ in range(count)
    ]
    try:
        for process in started:
            assert process.stdout is not None
            await process.stdout.readline()
        yield [process.pid for process in started]
    finally:
        for process in started:
            process.terminate()
        for process in started:
            try:
                await asyncio.wait_for(process.wait(), 40)
            except TimeoutError:
                process.kill()
                await process.wait()


async def drained(owner: asyncpg.Connection[Any], client: Client) -> None:
    """Wait until the board has nothing left to do and its log is complete."""
    board = await owner.fetchval("SELECT id FROM boards WHERE name = $1", client.board)
    await places.until(owner, DRAINED, board, every=0.02)


async def drained_log(owner: asyncpg.Connection[Any], client: Client) -> None:
    """Wait until every event of the board is in the log."""
    board = await owner.fetchval("SELECT id FROM boards WHERE name = $1", client.board)
    await places.until(owner, "SELECT NOT EXISTS (SELECT FROM event_outbox WHERE board = $1)", board)
