"""The hub: readers that share one read, each of which gets every position that it wants, once and in order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from slateboard.interfaces import feeds
from slateboard.interfaces.feeds import Hub, Reader
from slateboard.log import feed
from slateboard.protocol.errors import BadCursor, BadSubject, ServerProblem, SlowReader
from slateboard.protocol.events import Subject
from slateboard.protocol.rights import ADMINISTRATOR
from slateboard.store.database import Database
from tests.support.boards import BoardUnderTest
from tests.support.feeds import LIMIT_SECONDS, write


@pytest_asyncio.fixture
async def hub(database: Database) -> AsyncGenerator[Hub]:
    opened = Hub(database)
    yield opened
    await opened.close()


async def positions(reader: Reader, last: int) -> list[int]:
    """What a reader gets, up to a position."""
    found: list[int] = []
    async with asyncio.timeout(LIMIT_SECONDS):
        async for event in reader:
            found.append(event.position)
            if event.position >= last:
                break
    return found


@pytest.mark.parametrize("seed", range(3))
async def test_readers_get_every_position_once_while_writers_overlap(
    hub: Hub, board: BoardUnderTest, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Small buffers make readers fall behind and catch up all the time; some crash and go on with a new reader."""
    monkeypatch.setattr(feeds, "BUFFER_EVENTS", 4)
    monkeypatch.setattr(feeds, "PAGE_EVENTS", 3)
    chance = random.Random(seed)
    await board.seal()
    writes = 40
    written, done = asyncio.Event(), asyncio.Event()
    last = 0

    async def writer(number: int) -> None:
        for step in range(writes // 8):
            async with board.writing() as tx:
                tx.record(Subject.TASK_CHANGED if (number + step) % 2 else Subject.TASK_POSTED, {"number": number})
                for _ in range(chance.randrange(4)):
                    await asyncio.sleep(0)

    async def sealer() -> None:
        while not written.is_set():
            await write(board)

    async def reader() -> list[int]:
        found: list[int] = []
        while not done.is_set() or found[-1] < last:
            opened = await hub.open(ADMINISTRATOR, board.id, after=found[-1] if found else 0)
            try:
                async with asyncio.timeout(LIMIT_SECONDS):
                    for _ in range(chance.randrange(1, 9)):
                        found.append((await anext(opened)).position)
                        if done.is_set() and found[-1] >= last:
                            return found
                        for _ in range(chance.randrange(3)):
                            await asyncio.sleep(0)
            finally:
                await opened.close()
        return found

    readers = [asyncio.create_task(reader()) for _ in range(3)]
    sealing = asyncio.create_task(sealer())
    await asyncio.gather(*(writer(number) for number in range(8)))
    written.set()
    await sealing
    last = (await board.log())[-1].position
    done.set()
    await write(board, 0)  # who stands at the end looks up once more
    async with asyncio.timeout(LIMIT_SECONDS):
        for found in await asyncio.gather(*readers):
            assert found == list(range(1, len(found) + 1))
            assert found[-1] >= last
    tasks = [event.position for event in await board.log(subject="board.task.posted")]
    narrow = await hub.open(ADMINISTRATOR, board.id, after=0, subject="board.task.posted")
    assert await positions(narrow, tasks[-1]) == tasks


async def test_one_read_serves_all_who_stand_at_the_end(
    hub: Hub, board: BoardUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    await board.seal()
    head = (await board.log())[-1].position
    readers = [await hub.open(ADMINISTRATOR, board.id) for _ in range(50)]
    waiting = [asyncio.create_task(positions(reader, head + 3)) for reader in readers]
    while not all(reader in reader._tail.standing for reader in readers):  # noqa: ASYNC110  it only yields
        await asyncio.sleep(0)
    reads = 0
    between = feed.read_between

    async def counted(*arguments: object, **named: object) -> object:
        nonlocal reads
        rows = await between(*arguments, **named)
        reads += bool(rows)
        return rows

    monkeypatch.setattr(feed, "read_between", counted)
    await write(board, 1, 2, 3)
    assert await asyncio.gather(*waiting) == [[head + 1, head + 2, head + 3]] * 50
    assert reads == 1


async def test_a_reader_that_takes_nothing_is_told_where_it_stood(
    hub: Hub, board: BoardUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "BUFFER_EVENTS", 2)
    await write(board, *range(10))
    reader = await hub.open(ADMINISTRATOR, board.id, after=0)
    assert (await anext(reader)).position == 1
    assert (await anext(reader)).position == 2
    now = asyncio.get_running_loop().time()
    hub.end_slow(now)
    assert reader._error is None
    hub.end_slow(now + feeds.SLOW_SECONDS + 1)
    assert reader.buffered == 0
    with pytest.raises(SlowReader) as told:
        await anext(reader)
    assert told.value.details["position"] == 2
    await reader.close()
    head = (await board.log())[-1].position
    again = await hub.open(ADMINISTRATOR, board.id, after=2)
    assert await positions(again, head) == list(range(3, head + 1))


async def test_a_reader_who_waits_for_events_is_never_slow(hub: Hub, board: BoardUnderTest) -> None:
    await board.seal()
    reader = await hub.open(ADMINISTRATOR, board.id)
    waiting = asyncio.create_task(anext(reader))
    while reader not in reader._tail.standing:  # noqa: ASYNC110  it only yields
        await asyncio.sleep(0)
    hub.end_slow(asyncio.get_running_loop().time() + 1000)
    await write(board, 1)
    assert (await waiting).subject == "board.task.changed"


async def test_the_end_of_the_hub_is_told_and_leaves_nothing(hub: Hub, board: BoardUnderTest) -> None:
    reader = await hub.open(ADMINISTRATOR, board.id)
    waiting = asyncio.create_task(anext(reader))
    await asyncio.sleep(0)
    await hub.close()
    with pytest.raises(ServerProblem):
        await waiting
    assert not hub.readers


@pytest.mark.parametrize("after", [-1, 10**6])
async def test_a_position_that_the_log_has_not_is_refused(hub: Hub, board: BoardUnderTest, after: int) -> None:
    with pytest.raises(BadCursor):
        await hub.open(ADMINISTRATOR, board.id, after=after)
    async with board.hot() as tx:
        with pytest.raises(BadCursor):
            await feed.read(tx, after=after)


async def test_a_malformed_pattern_is_refused(hub: Hub, board: BoardUnderTest) -> None:
    with pytest.raises(BadSubject):
        await hub.open(ADMINISTRATOR, board.id, subject="a..b")
    assert not hub.readers
