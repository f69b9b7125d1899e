"""Following the log through the SDK: each event once, in order, also across a lost database."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from slateboard import Client
from slateboard.protocol.errors import BadCursor, BadSubject, Unavailable
from slateboard.protocol.events import Subject
from tests.support.boards import BoardUnderTest
from tests.support.feeds import LIMIT_SECONDS, write


async def test_a_lost_database_makes_no_gap_and_no_repetition(
    client: Client, board: BoardUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(board, 1, 2)
    numbers: list[int] = []
    lost: list[Unavailable] = []
    call, failures = client.transport.call, iter([True, True])

    async def failing(operation: str, arguments: Any) -> Any:
        if numbers and operation == "read_log" and next(failures, False):
            raise Unavailable("the database is away", remedy="wait")
        return await call(operation, arguments)

    monkeypatch.setattr(client.transport, "call", failing)
    feed = client.follow(subject=Subject.TASK_CHANGED, lost=lost.append)
    async with asyncio.timeout(LIMIT_SECONDS), aclosing(feed):
        async for event in feed:
            numbers.append(event["payload"]["number"])
            if len(numbers) == 2:
                await write(board, 3, 4)
            if len(numbers) == 4:
                break
    assert numbers == [1, 2, 3, 4]
    assert len(lost) == 1


async def test_who_begins_after_the_last_position_misses_nothing(client: Client, board: BoardUnderTest) -> None:
    await write(board, *range(6))
    numbers: list[int] = []
    after = 0
    while len(numbers) < 6:
        feed = client.follow(after=after, subject="*.task.changed")
        async with asyncio.timeout(LIMIT_SECONDS), aclosing(feed):
            event = await anext(feed)
            numbers.append(event["payload"]["number"])
            after = event["position"]
    assert numbers == list(range(6))


@pytest.mark.parametrize(
    ("how", "error"), [({"after": 10**6}, BadCursor), ({"after": -1}, BadCursor), ({"subject": "a..b"}, BadSubject)]
)
async def test_what_cannot_be_followed_is_refused(
    client: Client, board: BoardUnderTest, how: dict[str, Any], error: type[Exception]
) -> None:
    async with aclosing(client.follow(**how)) as feed:
        with pytest.raises(error):
            await anext(feed)
