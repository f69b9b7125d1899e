"""Readers whose next event is in an archive: told so, with the first position that is left, and never led past it."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing

import pytest
import pytest_asyncio

from slateboard import Client, connect
from slateboard.cli import log as log_commands
from slateboard.interfaces import feeds
from slateboard.interfaces.feeds import Hub
from slateboard.log import feed
from slateboard.protocol.errors import Archived
from slateboard.protocol.rights import ADMINISTRATOR
from slateboard.server.owner import owner_connection
from slateboard.store.database import Database
from tests.support.boards import BoardUnderTest
from tests.support.feeds import LIMIT_SECONDS, doors, live, write

KEEP = """
INSERT INTO archives (board, last_position, first_position, hash, last_happened_at, file, base_file, base, base_hash,
                      archived_at)
VALUES ($1, $2, 1, '', now(), 'f', 'b', '', '', now())
"""
TASKS = "board.task.changed"


async def archive(url: str, board: BoardUnderTest, upto: int) -> None:
    """Take the events up to a position out of the database, as archiving leaves it."""
    async with owner_connection(url) as connection, connection.transaction():
        await connection.execute("ALTER TABLE events DISABLE TRIGGER append_only")
        await connection.execute("DELETE FROM events WHERE board = $1 AND position <= $2", board.id, upto)
        await connection.execute("ALTER TABLE events ENABLE TRIGGER append_only")
        await connection.execute(KEEP, board.id, upto)


@pytest_asyncio.fixture
async def cut(board: BoardUnderTest, database_url: str) -> int:
    """The last archived position of the board; five events come after it, and some before."""
    await write(board, 1, 2)
    upto = (await board.log())[-1].position
    await write(board, *range(5))
    await archive(database_url, board, upto)
    return upto


def refuses(error: Archived, cut: int) -> None:
    """It names the first position that is left, and what to do."""
    assert error.details["archived"] == cut
    assert f"in the database is {cut + 1}" in error.message
    assert f"go on after {cut}" in error.remedy


@pytest.mark.parametrize("subject", [None, TASKS, "board.nothing"])
async def test_reads_and_live_readers_are_refused(
    board: BoardUnderTest, database: Database, cut: int, subject: str | None
) -> None:
    hub = Hub(database)
    async with board.hot() as tx:
        with pytest.raises(Archived) as refused:
            await feed.read(tx, after=cut - 1, subject=subject)
    refuses(refused.value, cut)
    reader = await hub.open(ADMINISTRATOR, board.id, after=cut - 1, subject=subject)
    async with asyncio.timeout(LIMIT_SECONDS):
        with pytest.raises(Archived) as refused:
            await anext(reader)
    refuses(refused.value, cut)
    await reader.close()
    for after in (0, cut):
        again = await hub.open(ADMINISTRATOR, board.id, after=after)
        async with asyncio.timeout(LIMIT_SECONDS):
            assert (await anext(again)).position == cut + 1
        await again.close()
    await hub.close()


async def test_a_reader_that_falls_behind_the_cut_is_told(
    board: BoardUnderTest, database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "BUFFER_EVENTS", 2)
    await write(board, *range(8))
    head = (await board.log())[-1].position
    hub = Hub(database)
    reader = await hub.open(ADMINISTRATOR, board.id, after=head - 8)
    async with asyncio.timeout(LIMIT_SECONDS):
        assert (await anext(reader)).position == head - 7
        await archive(database_url, board, head - 3)
        assert (await anext(reader)).position == head - 6
        with pytest.raises(Archived) as refused:
            await anext(reader)
    refuses(refused.value, head - 3)
    assert reader.position == head - 6
    await hub.close()


async def test_a_tail_that_falls_behind_the_cut_ends_and_the_next_reader_gets_another(
    board: BoardUnderTest, database: Database, database_url: str
) -> None:
    """As after a long time without the database."""
    await write(board, 1)
    head = (await board.log())[-1].position
    hub = Hub(database)
    reader = await hub.open(ADMINISTRATOR, board.id)
    await archive(database_url, board, head)
    reader._tail.position = head - 1
    async with asyncio.timeout(LIMIT_SECONDS):
        with pytest.raises(Archived):
            await anext(reader)
        other = await hub.open(ADMINISTRATOR, board.id, after=head)
        await write(board, 2)
        assert (await anext(other)).position == head + 1
    assert other._tail is not reader._tail
    await hub.close()


@pytest.mark.parametrize("subject", [None, TASKS])
async def test_the_sdk_and_its_followers_are_refused(
    board: BoardUnderTest, app_url: str, cut: int, subject: str | None
) -> None:
    async with connect(url=app_url, board=board.name) as client:
        async with aclosing(client.follow(after=cut - 1, subject=subject)) as following, asyncio.timeout(LIMIT_SECONDS):
            with pytest.raises(Archived) as refused:
                await anext(following)
        refuses(refused.value, cut)
        async with aclosing(client.follow(after=0, subject=subject)) as following, asyncio.timeout(LIMIT_SECONDS):
            assert (await anext(following))["position"] == cut + 1
        await shows_what_is_left(client, cut)


async def shows_what_is_left(client: Client, cut: int) -> None:
    """`slate log tail` reaches back no further than the first event that is left."""
    for lines, count in ((20, 5), (3, 3)):
        found = await log_commands._newest(client, None, lines, None)
        assert [event["position"] for event in found] == list(range(cut + 6 - count, cut + 6))
    with pytest.raises(Archived):
        await log_commands._newest(client, cut - 1, 20, None)


async def test_a_feed_over_websockets_is_refused_in_words(board: BoardUnderTest, database: Database, cut: int) -> None:
    await board.add_agent("watcher", right="reader")
    token = (await board.perform("issue_token", agent="watcher"))["token"]
    async with doors(database, board) as served, live(served.url, token) as reader:
        await reader.subscribe(after=str(cut - 1))
        error = await reader.error()
        assert (error["code"], error["details"]["archived"]) == ("archived", cut)
        assert str(cut + 1) in error["message"]
        assert json.dumps(cut) in error["remedy"]
        await reader.subscribe(after=str(cut))
        assert (await reader.event())["position"] == cut + 1
