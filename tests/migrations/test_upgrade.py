"""A home of the schema 2026_11_22_1600 upgrades, with a board in it: all that was there is there, and work goes on."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from slateboard.patterns import spending
from slateboard.protocol.errors import Paused, SchemaMismatch
from slateboard.protocol.names import BoardId
from slateboard.protocol.rights import Right
from slateboard.protocol.work import Finish, NewArtifact, Result
from slateboard.reports import standing
from slateboard.server import schema
from slateboard.store import migrations
from slateboard.store.database import connect
from slateboard.work import health
from tests.migrations.test_migrations import objects
from tests.support import servers
from tests.support.boards import BoardUnderTest
from tests.support.invariants import check_board
from tests.support.live import check_fold

BEFORE = "2026_11_22_1600"
DATA = Path(__file__).parent / f"board_of_{BEFORE}.sql"
STILL_RUNS = "UPDATE leases SET expires_at = now() + interval '1 h'"
BOARD = BoardId(1)
AGENTS = "SELECT id, name FROM agents WHERE board = 1"
LEDGER = """
SELECT a.name, t.name AS task, u.number, u.input_tokens, u.cached_tokens, u.output_tokens, u.cost, u.model
FROM usage_ledger u JOIN artifacts a ON a.board = u.board AND a.id = u.item JOIN tasks t ON t.id = u.task
ORDER BY u.fence
"""
MARKS = "SELECT a.name, m.mark FROM due_marks m JOIN artifacts a ON a.board = m.board AND a.id = m.item ORDER BY 1, 2"
ITEM = "SELECT w.id FROM work_items w WHERE w.board = $1 AND w.reference = $2"
POSITIONS = "SELECT attrelid::regclass::text, attname, attnum FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped"


@pytest.fixture
def name(server: servers.Server) -> Iterator[str]:
    """A database at the schema of before, with the board in it."""
    own = f"slate_test_upgrade_{secrets.token_hex(4)}"
    servers.execute(server.owner_url, f"CREATE DATABASE {own}")
    url = server.owner_of(own)
    servers.in_thread(lambda: migrations.upgrade(url, BEFORE))
    servers.execute(url, DATA.read_text(), STILL_RUNS)
    yield own
    servers.execute(server.owner_url, f"DROP DATABASE {own} WITH (FORCE)")


@pytest.fixture
def url(server: servers.Server, name: str) -> str:
    """Its owner's URL."""
    return server.owner_of(name)


@pytest_asyncio.fixture
async def upgraded(server: servers.Server, name: str, url: str) -> AsyncIterator[BoardUnderTest]:
    """The board after the upgrade."""
    await asyncio.to_thread(migrations.upgrade, url)
    database = await connect(server.app_of(name), size=4)
    agents = {row["name"]: row["id"] for row in fetch(url, AGENTS)}
    yield BoardUnderTest(database, BOARD, "old", agents, dict.fromkeys(agents, Right.AGENT))
    await database.close()


def fetch(url: str, statement: str) -> list[Any]:
    async def ask(connection: Any) -> list[Any]:
        return await connection.fetch(statement)

    return servers.with_connection(url, ask)


def rows(url: str, statement: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in fetch(url, statement)]


def test_one_step_down_is_exactly_what_was_there_before_and_up_again_is_the_same(url: str) -> None:
    before, places = objects(url), sorted(rows(url, POSITIONS))
    servers.in_thread(lambda: migrations.upgrade(url))
    after, used, marks = objects(url), rows(url, LEDGER), rows(url, MARKS)
    assert len(after) > len(before)
    servers.in_thread(lambda: migrations.downgrade(url, BEFORE))
    assert objects(url) == before
    assert sorted(rows(url, POSITIONS)) == places
    assert rows(url, "SELECT version, oldest_client FROM schema_protocol") == [(1, 1)]
    servers.in_thread(lambda: migrations.upgrade(url))
    assert objects(url) == after
    assert (rows(url, LEDGER), rows(url, MARKS)) == (used, marks)


def test_upgraded_schema_is_that_of_a_new_home(url: str, server: servers.Server) -> None:
    servers.in_thread(lambda: migrations.upgrade(url))
    assert objects(url) == objects(server.owner_of(server.template))


async def test_worker_is_refused_until_the_start_of_a_server_upgrades(
    url: str, server: servers.Server, name: str
) -> None:
    with pytest.raises(SchemaMismatch, match="speaks protocol 1") as refused:
        await connect(server.app_of(name))
    assert "slate migrate" in refused.value.remedy
    told: list[str] = []
    found = await asyncio.to_thread(schema.prepare, url, told.append)
    assert (found.revision, told) == (BEFORE, [f"migrating the schema from {BEFORE}"])
    await (await connect(server.app_of(name))).close()


async def test_what_the_doctor_asks_of_the_schema_is_there(upgraded: BoardUnderTest) -> None:
    async with upgraded.hot() as tx:
        assert await standing.revision(tx) == migrations.head()
        assert await standing.differences(tx) == []


async def test_board_is_whole_and_its_log_tells_it(upgraded: BoardUnderTest) -> None:
    await check_board(upgraded)
    await check_fold(upgraded)


def test_what_attempts_used_is_booked_and_nonsense_counts_as_nothing(url: str) -> None:
    servers.in_thread(lambda: migrations.upgrade(url))
    assert rows(url, LEDGER) == [
        ("paid", "work", 0, 100, 40, 10, 0.25, "m1"),
        ("odd", "work", 0, 0, 0, 10**15, 0.0, None),
        ("doomed", "work", 0, 7, 0, 0, 0.0, None),
        ("retried", "work", 0, 0, 0, 0, 2.0, None),
    ]


async def test_budget_sees_what_was_used_before(upgraded: BoardUnderTest) -> None:
    used = await upgraded.perform("usage", agent="backend")
    assert (used["total"]["cost"], used["total"]["reports"]) == (2.25, 4)
    await upgraded.perform("set_budget", agent="backend", cost=2)
    async with upgraded.chores() as tx:
        await spending.watch(tx)
    with pytest.raises(Paused, match="budget"):
        await upgraded.claim()


async def test_what_is_due_is_told_of(upgraded: BoardUnderTest, url: str) -> None:
    assert rows(url, MARKS) == [("due-before", "overdue"), ("due-later", "due_soon"), ("due-later", "overdue")]
    async with upgraded.chores() as tx:
        await health.tell_due(tx)
    await upgraded.seal()
    assert rows(url, MARKS) == [("due-later", "due_soon"), ("due-later", "overdue")]
    await check_fold(upgraded)


async def test_work_goes_on(upgraded: BoardUnderTest) -> None:
    """What ran is finished by its fence, what waited for it is claimed, and `why` says what is left."""
    item = await upgraded.fetchval(ITEM, "below/running")
    blocked = await upgraded.fetchval(ITEM, "work/blocked")
    why = await upgraded.perform("why", item=blocked)
    assert "below/running" in str(why)
    given = [Finish(item=item, fence=7, result=Result(content="ran", usage={"input_tokens": 3}))]
    answers, _woken = await upgraded.perform("finish", by="backend", finishes=given)
    assert [one.error for one in answers] == [None]
    await upgraded.finish(await upgraded.claim_item(blocked), by="backend", content="went on")
    rest = await upgraded.claim(limit=10)
    await upgraded.finish(*rest, by="backend", content="done")
    await upgraded.post(
        NewArtifact(task="work", name="new", owner="backend", due=datetime.now(UTC) + timedelta(days=1))
    )
    assert [one.reference for one in await upgraded.claim(limit=10)] == ["work/new"]
    letters = await upgraded.perform("list_dead_letters")
    assert "work/doomed" in str(letters)
    await check_board(upgraded)
    await check_fold(upgraded)
