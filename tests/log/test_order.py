"""The log's order: each committed event once, however writers overlap; two changes to one thing as they took effect."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from slateboard.log import feed, sequence
from slateboard.protocol.events import Subject
from slateboard.protocol.rights import ADMINISTRATOR, SYSTEM
from slateboard.protocol.states import Outcome
from slateboard.transaction import Statement, Transaction, hot
from tests.support.boards import NO_BOARD, BoardUnderTest
from tests.support.invariants import check_log

pytestmark = pytest.mark.usefixtures("invariants")


class Writer:
    """A transaction that a test holds open, and ends when it likes."""

    def __init__(self, board: BoardUnderTest, connection: Any) -> None:
        self.tx = Transaction(connection, ADMINISTRATOR, board.id)
        self.transaction = connection.transaction()

    async def write(self, number: int) -> None:
        await self.transaction.start()
        self.tx.now = await self.tx.connection.fetchval("SELECT clock_timestamp()")
        self.tx.record(Subject.TASK_CHANGED, {"number": number})
        await self.tx.flush()

    async def end(self, *, commit: bool = True) -> None:
        await (self.transaction.commit() if commit else self.transaction.rollback())


async def numbers_after(board: BoardUnderTest, position: int) -> list[tuple[int, int]]:
    events = await board.log(after=position, subject="board.task.changed")
    return [(event.position, event.payload["number"]) for event in events]


@pytest.mark.parametrize("seed", range(5))
async def test_reader_skips_no_late_committer(board: BoardUnderTest, seed: int) -> None:
    """Writers commit in an order of their own, with a seal and a read after each; the cursor never passes one."""
    chance = random.Random(seed)
    # A long transaction that has nothing to do with it stalls nothing.
    async with board.database.acquire() as bystander, bystander.transaction(isolation="repeatable_read"):
        await bystander.fetchval("SELECT count(*) FROM boards")
        writers: list[Writer] = []
        connections = []
        for number in range(8):
            connection = await board.database.pool.acquire()
            connections.append(connection)
            writer = Writer(board, connection)
            await writer.write(number)
            writers.append(writer)
        chance.shuffle(writers)
        cursor, seen, committed = 0, [], []
        for index, writer in enumerate(writers):
            keep = index % 4 != 3
            await writer.end(commit=keep)
            if keep:
                committed.append(writer)
            fresh = await numbers_after(board, cursor)
            assert len(fresh) == (1 if keep else 0), "what is committed is in the feed at once, without waiting"
            seen += [number for _, number in fresh]
            cursor = max([cursor, *(position for position, _ in fresh)])
        for connection in connections:
            await board.database.pool.release(connection)
    assert len(seen) == len(set(seen)) == len(committed) == 6


async def test_two_changes_to_one_thing_stand_in_the_order_in_which_they_took_effect(board: BoardUnderTest) -> None:
    items = await board.post_graph({"spec": [], "code": ["spec"]})
    (claim,) = await board.claim()
    await board.give_back(claim, Outcome.RELEASED)
    await board.complete(items["spec"], items["code"])
    subjects = [subject for subject in await board.subjects() if subject.startswith(("board.item", "board.artifact"))]
    assert subjects == [
        "board.artifact.posted", "board.artifact.posted",
        "board.item.claimed", "board.item.released",
        "board.item.claimed", "board.artifact.completed", "board.item.opened",
        "board.item.claimed", "board.artifact.completed",
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
async def test_changes_to_one_row_at_once_stand_in_the_order_in_which_the_row_had_them(
    board: BoardUnderTest, seed: int
) -> None:
    """Eight writers count one row up, each with a change of its own before it, while the log is sealed."""
    chance = random.Random(seed)
    item = (await board.post_graph({"spec": []}))["spec"]
    count = "UPDATE work_items SET pinned_rating = coalesce(pinned_rating, 0) + 1 WHERE id = $1 RETURNING pinned_rating"
    ended = asyncio.Event()

    async def write(times: int) -> None:
        for _ in range(times):
            async with board.writing() as tx:
                for _ in range(chance.randrange(3)):
                    await tx.fetchval("SELECT 1")
                number = await tx.fetchval(count, item)
                tx.record(Subject.TASK_CHANGED, {"number": int(number)})
                if chance.random() < 0.3:
                    await tx.flush()
                    await tx.fetchval("SELECT 1")

    async def keep_sealing() -> None:
        async with hot(board.database, SYSTEM, NO_BOARD) as tx:
            while not ended.is_set():
                await sequence.seal(tx, limit=chance.randrange(1, 5))

    sealing = asyncio.ensure_future(keep_sealing())
    await asyncio.gather(*(write(12) for _ in range(8)))
    ended.set()
    await sealing
    assert [number for _, number in await numbers_after(board, 0)] == list(range(1, 97))


async def test_the_last_event_of_a_row_that_many_change_says_what_the_row_has(board: BoardUnderTest) -> None:
    item = (await board.post_graph({"spec": []}))["spec"]
    for _ in range(5):
        await asyncio.gather(*(board.perform("pin", item=item, rating=rating) for rating in range(8)))
        pinned = await board.fetchval(f"SELECT pinned_rating FROM work_items WHERE board = $1 AND id = {item}")
        rated = [event for event in await board.log() if event.payload and event.payload.get("item") == item]
        assert rated[-1].payload["rating"] == pinned


async def test_sealers_at_once_seal_each_event_once(board: BoardUnderTest) -> None:
    await board.post_graph({f"n{number}": [] for number in range(200)})

    async def seal() -> int:
        async with hot(board.database, SYSTEM, NO_BOARD) as tx:
            return sum(row["sealed"] for row in await sequence.seal(tx, limit=17) if row["board"] == board.id)

    sealed = 0
    for _ in range(20):
        sealed += sum(await asyncio.gather(*(seal() for _ in range(4))))
    assert sealed == 200 + 1 + 4  # the artifacts, their task; the board and its agents
    await check_log(board)


async def test_rotation_under_load_loses_nothing(board: BoardUnderTest) -> None:
    total, writers_done = 60, asyncio.Event()

    async def write(number: int) -> None:
        async with board.writing() as tx:
            tx.record(Subject.TASK_CHANGED, {"number": number})

    async def rotate_and_seal() -> int:
        rotated = 0
        while not writers_done.is_set():
            async with hot(board.database, SYSTEM, NO_BOARD) as tx:
                rotated += await sequence.rotate(tx)
                await sequence.seal(tx, limit=7)
        return rotated

    async def write_all() -> None:
        try:
            for start in range(0, total, 6):
                await asyncio.gather(*(write(number) for number in range(start, start + 6)))
        finally:
            writers_done.set()

    _, rotated = await asyncio.gather(write_all(), rotate_and_seal())
    seen = [number for _, number in await numbers_after(board, 0)]
    assert sorted(seen) == list(range(total))
    assert rotated > 0


async def test_rotation_waits_for_nobody_and_keeps_what_a_writer_holds_open(board: BoardUnderTest) -> None:
    connection = await board.database.pool.acquire()
    writer = Writer(board, connection)
    await writer.write(1)
    await board.seal()
    async with hot(board.database, SYSTEM, NO_BOARD) as tx:
        answers = [await sequence.rotate(tx) for _ in range(3)]
    assert answers.count(True) <= 1  # the lane with the open writer is never emptied
    await writer.end()
    await board.database.pool.release(connection)
    assert [number for _, number in await numbers_after(board, 0)] == [1]


async def test_positions_of_each_board_are_dense_by_themselves(board: BoardUnderTest) -> None:
    from tests.support.boards import new_board

    other = await new_board(board.database, f"{board.name}-other")
    for number in range(5):
        for one in (board, other):
            async with one.writing() as tx:
                tx.record(Subject.TASK_CHANGED, {"number": number})
    await check_log(board)
    await check_log(other)


async def test_feed_pages_and_filters_by_subject(board: BoardUnderTest) -> None:
    items = await board.post_graph({"spec": [], "code": ["spec"]})
    await board.complete(items["spec"])
    everything = await board.log()
    async with board.hot() as tx:
        assert await feed.head(tx) == len(everything)
        cursor, paged = 0, []
        while page := await feed.read(tx, after=cursor, limit=3):
            paged += [row["position"] for row in page]
            cursor = page[-1]["position"]
        assert paged == [event.position for event in everything]
        assert {row["subject"] for row in await feed.read(tx, subject="board.item.>")} == {
            "board.item.claimed", "board.item.opened",
        }  # fmt: skip
        assert {row["subject"] for row in await feed.read(tx, subject="board.*.posted")} == {
            "board.task.posted", "board.artifact.posted",
        }  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "subject", "fits"),
    [
        ("board.item.claimed", "board.item.claimed", True),
        ("board.*.claimed", "board.item.claimed", True),
        ("board.*", "board.item.claimed", False),
        ("board.>", "board.item.claimed", True),
        (">", "genbrain.events.pr.merged", True),
        ("board.item.>", "board.item", False),
        ("*.item", "board.item", True),
        ("board.it*", "board.item", False),
        ("a+b", "aab", False),
    ],
)
def test_pattern_fits_as_in_nats(pattern: str, subject: str, *, fits: bool) -> None:
    import re

    assert (re.search(feed.expression(pattern), subject) is not None) == fits


@pytest.mark.parametrize("pattern", ["", ".", "a..b", "a.", ">.a"])
def test_pattern_that_is_none_is_refused(pattern: str) -> None:
    from slateboard.protocol.errors import Invalid

    with pytest.raises(Invalid):
        feed.expression(pattern)


async def test_page_is_bounded(hot: Statement) -> None:
    from slateboard.protocol.errors import Invalid

    for limit in (0, 10_001):
        with pytest.raises(Invalid):
            await feed.read(hot, limit=limit)
