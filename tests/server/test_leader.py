"""One leader, on the database's clock; tried with literal times, and with two that really stand."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio

from slateboard.protocol.errors import DatabaseUnreachable
from slateboard.server import leader
from slateboard.server.leader import Leadership
from slateboard.store.database import Database


@pytest_asyncio.fixture(autouse=True)
async def _free(database: Database) -> AsyncIterator[None]:
    """Nobody leads before or after a test."""
    yield
    async with database.acquire() as connection:
        for row in await connection.fetch("SELECT holder FROM leaders"):
            await leader.resign(connection, holder=row["holder"])


def at(seconds: float) -> dt.datetime:
    return dt.datetime(2027, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds)


async def test_exactly_one_leads_until_its_lease_runs_out(database: Database) -> None:
    async with database.acquire() as connection:

        async def takes(holder: str, second: float) -> bool:
            return await leader.take(connection, holder=holder, now=at(second))

        assert await takes("one", 0)
        assert not await takes("two", 2.9)
        assert await takes("one", 2.9)  # renewed: it holds until 5.9
        assert not await takes("two", 5.8)
        assert await takes("two", 5.9)
        assert not await takes("one", 6.0)


async def test_resigning_lets_another_lead_at_once_and_is_fenced_by_the_holder(database: Database) -> None:
    async with database.acquire() as connection:
        assert await leader.take(connection, holder="one", now=at(0))
        assert not await leader.resign(connection, holder="two")
        assert await leader.resign(connection, holder="one")
        assert await leader.take(connection, holder="two", now=at(0))


def test_no_start_of_a_process_takes_up_the_lease_of_an_earlier_one() -> None:
    assert leader.new_holder() != leader.new_holder()


class Reign:
    """A `lead` that says when it begins and ends."""

    def __init__(self) -> None:
        self.begun, self.ended = asyncio.Event(), asyncio.Event()

    async def __call__(self) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()


async def end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


async def test_second_server_leads_when_the_first_ends(database: Database) -> None:
    first, second = Reign(), Reign()
    one, two = Leadership(database, first), Leadership(database, second)
    leading = asyncio.create_task(one.run())
    await asyncio.wait_for(first.begun.wait(), 5)
    standing = asyncio.create_task(two.run())
    assert (one.leads, two.leads) == (True, False)
    await end(leading)
    assert first.ended.is_set()
    assert not one.leads
    await asyncio.wait_for(second.begun.wait(), 5)
    assert two.leads
    await end(standing)


async def test_leader_whose_lease_was_taken_stops_its_chores_at_the_next_renewal(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leader, "RENEW_SECONDS", 0.01)
    reign = Reign()
    standing = asyncio.create_task(Leadership(database, reign, holder="slow").run())
    await asyncio.wait_for(reign.begun.wait(), 5)
    async with database.acquire() as connection:
        assert await leader.take(connection, holder="other", now=at(86_400))
    await asyncio.wait_for(reign.ended.wait(), 5)
    await end(standing)


async def test_leader_that_cannot_reach_the_database_stops_when_its_lease_has_run_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(leader, "LEASE_SECONDS", 0.2)
    monkeypatch.setattr(leader, "RENEW_SECONDS", 0.02)
    asked: list[str] = []

    class Lost:
        @asynccontextmanager
        async def acquire(self) -> AsyncIterator[Any]:
            asked.append("connection")
            if len(asked) > 1:
                raise DatabaseUnreachable("Postgres does not answer")
            yield self

        async def fetchval(self, *_: Any) -> bool:
            return True

    reign = Reign()
    database: Any = Lost()
    standing = asyncio.create_task(Leadership(database, reign).run())
    await asyncio.wait_for(reign.ended.wait(), 5)
    assert len(asked) > 2
    await end(standing)


async def test_leader_whose_chores_end_by_themselves_stands_again(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    again = asyncio.Event()
    reigns: list[int] = []

    async def lead() -> None:
        reigns.append(1)
        if len(reigns) == 1:
            raise ZeroDivisionError("by nought")
        again.set()
        await asyncio.Event().wait()

    standing = asyncio.create_task(Leadership(database, lead).run())
    await asyncio.wait_for(again.wait(), 5)
    await end(standing)
    assert "the chores ended by themselves" in caplog.text
