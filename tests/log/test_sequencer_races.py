"""Whoever seals, wherever a sealer dies: positions are dense, the chain is whole, no event is lost or doubled."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import asyncpg
import pytest

from slateboard.log import feed, sequence
from slateboard.protocol.events import Subject
from slateboard.server import sealing
from slateboard.server.duty import Duty
from slateboard.store import database as databases
from tests.support.boards import BoardUnderTest
from tests.support.invariants import check_log

STEPS = ("before it", "after the seal", "after two seals", "after a rotation")


async def write(board: BoardUnderTest, numbers: range) -> None:
    for number in numbers:
        async with board.writing() as tx:
            tx.record(Subject.TASK_CHANGED, {"number": number})


async def numbers(board: BoardUnderTest) -> list[int]:
    return [event.payload["number"] for event in await board.log(subject="board.task.changed")]


async def die(connection: Any, step: str) -> None:
    """A sealer's transaction, which ends after that step without a commit."""
    if step != "before it":
        await connection.fetch("SELECT * FROM seal_events($1)", 7)
    if step == "after two seals":
        await connection.fetch("SELECT * FROM seal_events($1)", 7)
    if step == "after a rotation":
        await connection.fetchval("SELECT rotate_outbox()")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("killed", [False, True])
async def test_a_sealer_that_dies_leaves_no_trace(
    board: BoardUnderTest, database_url: str, step: str, *, killed: bool
) -> None:
    await write(board, range(10))
    for _ in range(3):
        sealer = await asyncpg.connect(database_url)
        transaction = sealer.transaction()
        await transaction.start()
        await die(sealer, step)
        # Another would-be sequencer waits for it, and goes on where the log really ends.
        other = asyncio.ensure_future(board.seal())
        if killed:
            async with board.database.acquire():
                killer = await asyncpg.connect(database_url)
                await killer.fetchval("SELECT pg_terminate_backend($1)", sealer.get_server_pid())
                await killer.close()
            sealer.terminate()
        else:
            await transaction.rollback()
            await sealer.close()
        await other
    await write(board, range(10, 15))
    await check_log(board)
    assert await numbers(board) == list(range(15))
    assert (await board.perform("verify_log"))["fault"] is None


KILL = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND state = 'active'
AND pid <> pg_backend_pid() AND query ~ $1
"""
WRITERS, EACH = 8, 30


class Race:
    """Writers, would-be sequencers, a killer and readers on one board, until the readers have everything."""

    def __init__(self, board: BoardUnderTest, url: str, seed: int) -> None:
        self.board = board
        self.url = url
        self.chance = random.Random(seed)
        self.written = asyncio.Event()
        self.ended = asyncio.Event()
        self.committed: set[int] = set()
        self.kills = 0

    async def write(self, writer: int) -> None:
        """Events with random delays between insert and commit; each fifth is rolled back."""
        for one in range(EACH):
            number = writer * EACH + one
            try:
                async with self.board.writing() as tx:
                    tx.record(Subject.TASK_CHANGED, {"number": number})
                    await tx.flush()
                    for _ in range(self.chance.choice((0, 0, 1, 5, 40))):
                        await tx.fetchval("SELECT 1")
                    if number % 5 == 4:
                        raise _TakenBackError
            except _TakenBackError:
                continue
            self.committed.add(number)

    async def lead(self) -> None:
        """A leader that is stopped in the midst of whatever it does, or loses its connection, and comes again."""
        own = await databases.connect(self.board.database.url, size=2)
        duty = Duty(database=own, owner_url=self.url, wake=lambda _board, _inboxes: None, sealed=lambda _board: None)
        while not self.ended.is_set():
            task = asyncio.ensure_future(sealing.seal_for_ever(duty))
            over = asyncio.ensure_future(self.ended.wait())
            await asyncio.wait([task, over], timeout=self.chance.uniform(0.005, 0.06), return_when="FIRST_COMPLETED")
            task.cancel()
            over.cancel()
            await asyncio.gather(task, over, return_exceptions=True)
        await own.close()

    async def kill(self) -> None:
        """Terminate backends that seal or rotate, at whatever statement they are."""
        connection = await asyncpg.connect(self.url)
        while not (self.written.is_set() and self.kills):
            self.kills += await connection.fetchval(KILL, "seal_events|rotate_outbox")
            for _ in range(self.chance.randrange(60) if self.kills else 0):
                await connection.fetchval("SELECT 1")
        await connection.close()

    async def read(self, limit: int) -> list[Any]:
        """A reader that dies now and then before it has kept what it read, and goes on from its cursor."""
        kept: list[Any] = []
        while True:
            over = self.written.is_set()
            async with self.board.hot() as tx:
                waits = await sequence.backlog(tx)  # before the page: what is sealed in between is in it
                page = await feed.read(tx, after=len(kept), limit=limit)
            assert [row["position"] for row in page] == list(range(len(kept) + 1, len(kept) + 1 + len(page)))
            if self.chance.random() < 0.3:
                continue
            kept += page
            if over and not page and not waits:
                return kept


class _TakenBackError(Exception):
    """A writer takes its change back."""


@pytest.mark.parametrize("seed", range(2))
async def test_no_reader_skips_or_repeats_whoever_leads_and_whoever_dies(
    board: BoardUnderTest, database_url: str, seed: int
) -> None:
    race = Race(board, database_url, seed)

    async def write_all() -> None:
        await asyncio.gather(*(race.write(writer) for writer in range(WRITERS)))
        race.written.set()

    bystander = await asyncpg.connect(database_url)
    async with bystander.transaction(isolation="repeatable_read"):
        # A long transaction that has written something, too, which the others never see.
        await bystander.execute("CREATE TABLE held_open (id int)")
        leaders = [asyncio.ensure_future(race.lead()) for _ in range(2)]
        async with asyncio.timeout(60):
            _, _, *read = await asyncio.gather(write_all(), race.kill(), *(race.read(limit) for limit in (1, 7, 1_000)))
        race.ended.set()
        await asyncio.gather(*leaders)
        await bystander.execute("DROP TABLE held_open")
    await bystander.close()
    ids = [[row["id"] for row in rows] for rows in read]
    assert ids[0] == ids[1] == ids[2]
    assert len(set(ids[0])) == len(ids[0])
    assert sorted(await numbers(board)) == sorted(race.committed) == [
        number for number in range(WRITERS * EACH) if number % 5 != 4
    ]  # fmt: skip
    await check_log(board)
    assert (await board.perform("verify_log"))["fault"] is None
