"""Whoever seals, wherever a sealer dies: positions are dense, the chain is whole, no event is lost or doubled."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from slateboard.log import feed, sequence
from slateboard.protocol.events import Subject
from slateboard.protocol.rights import SYSTEM
from slateboard.server import sealing
from slateboard.server.duty import Duty
from slateboard.transaction import hot
from tests.support.boards import NO_BOARD, BoardUnderTest
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


async def test_two_would_be_sequencers_and_readers_agree_on_one_log(board: BoardUnderTest, database_url: str) -> None:
    """Two loops, as two servers that both think they lead, beside writers, a killer and a reader that never skips."""
    total = 120
    ended = asyncio.Event()
    told: list[int] = []

    async def lead() -> None:
        duty = Duty(
            database=board.database, owner_url=database_url, wake=lambda _board, _inboxes: None, sealed=told.append
        )
        while not ended.is_set():
            task = asyncio.ensure_future(sealing.seal_for_ever(duty))
            done, _ = await asyncio.wait([task, asyncio.ensure_future(ended.wait())], timeout=0.02)
            if task not in done:
                task.cancel()  # a leader that is stopped in the midst of whatever it does
            await asyncio.gather(task, return_exceptions=True)

    async def read() -> list[int]:
        cursor, seen = 0, []
        while len(seen) < total:
            async with board.hot() as tx:
                page = await feed.read(tx, after=cursor, limit=7)
            for row in page:
                assert row["position"] == cursor + 1
                cursor += 1
                if row["subject"] == "board.task.changed":
                    seen.append(row["id"])
        return seen

    leaders = [asyncio.ensure_future(lead()) for _ in range(2)]
    reader = asyncio.ensure_future(read())
    await asyncio.gather(*(write(board, range(start, start + total // 4)) for start in range(0, total, total // 4)))
    async with asyncio.timeout(30):
        seen = await reader
    ended.set()
    await asyncio.gather(*leaders)
    assert len(set(seen)) == total
    async with hot(board.database, SYSTEM, NO_BOARD) as tx:
        assert not [row for row in await sequence.seal(tx) if row["board"] == board.id]
    await check_log(board)
    assert (await board.perform("verify_log"))["fault"] is None
