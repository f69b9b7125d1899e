"""Limits: never more at once than they say, nor in a period, however many claim; and what a task's budget holds."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from slateboard.patterns import spending
from slateboard.protocol.errors import Invalid, SlateError, UnknownName
from slateboard.protocol.work import Claim, NewArtifact, NewTask
from tests.support.boards import BoardUnderTest
from tests.work.test_budgets import check_fold
from tests.work.test_resources import free


async def post(board: BoardUnderTest, number: int, **more: Any) -> None:
    where = {"owner": "backend"} | more
    artifacts = [NewArtifact(task="work", name=f"a{one:03}", **where) for one in range(number)]
    await board.post(*artifacts, tasks=[NewTask(name="work", title="work")])


async def race(board: BoardUnderTest, limit: int = 5) -> list[Claim]:
    """What sixteen workers get who claim at once."""
    taken = await asyncio.gather(*(board.claim(limit=limit, worker=f"w{number}") for number in range(16)))
    return [claim for batch in taken for claim in batch]


@pytest.mark.parametrize(
    ("scope", "name", "more"),
    [
        ("agent", "backend", {}),
        ("capability", "python", {"owner": None, "capability": "python"}),
        ("key", "api", {"rules": {"keys": ["api", "other"]}}),
    ],
)
async def test_race_never_passes_a_concurrency_limit(
    board: BoardUnderTest, scope: str, name: str, more: dict[str, Any]
) -> None:
    await board.fetch("UPDATE agents SET capabilities = '{python}' WHERE board = $1 RETURNING 1")
    await board.perform("set_limit", scope=scope, name=name, concurrency=7)
    await post(board, 40, **more)
    done = 0
    for _ in range(20):
        claims = await race(board)
        assert len(claims) <= 7
        (shown,) = await board.perform("list_limits")
        assert shown["running"] == len(claims)
        assert await race(board) == [] or len(claims) < 7
        running = await board.fetch("SELECT item, fence FROM leases WHERE board = $1")
        assert len(running) <= 7
        await asyncio.gather(*(board.finish(claim) for claim in claims))
        leftover = await board.fetch("SELECT item FROM leases WHERE board = $1")
        async with board.hot() as tx:
            for row in leftover:
                await tx.fetch("UPDATE leases SET expires_at = now() - interval '1 s' WHERE item = $1", row["item"])
        await board.expire(now=datetime.now(UTC))
        done += len(claims)
        await free(board)
        if done >= 40:
            break
    assert done >= 35
    await check_fold(board, "limits", "holds")


@pytest.mark.parametrize(
    ("scope", "name", "more"), [("agent", "backend", {}), ("key", "api", {"rules": {"keys": ["api"]}})]
)
async def test_race_never_passes_a_rate(board: BoardUnderTest, scope: str, name: str, more: dict[str, Any]) -> None:
    await board.perform("set_limit", scope=scope, name=name, rate=10, per_seconds=86_400.0)
    await post(board, 40, **more)
    claims = await race(board)
    assert len(claims) == 10
    await board.finish(*claims)
    await free(board)
    assert await race(board) == []
    await board.perform("set_limit", scope=scope, name=name, rate=10, per_seconds=0.001)
    await free(board, now=datetime.now(UTC) + timedelta(hours=1))
    assert len(await race(board, 1)) > 0


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"concurrency": 0}, Invalid),
        ({}, Invalid),
        ({"rate": 3}, Invalid),
        ({"rate": 3, "per_seconds": 0}, Invalid),
        ({"concurrency": 1, "scope": "board"}, Invalid),
        ({"concurrency": 1, "scope": "agent", "name": "nobody"}, UnknownName),
        ({"concurrency": 1, "name": "Not a name"}, Invalid),
    ],
)
async def test_limit_that_cannot_be_is_refused(
    board: BoardUnderTest, given: dict[str, Any], error: type[SlateError]
) -> None:
    with pytest.raises(error):
        await board.perform("set_limit", **{"scope": "key", "name": "api", **given})
    assert await board.perform("list_limits") == []
    with pytest.raises(UnknownName):
        await board.perform("remove_limit", scope="key", name="api")


async def test_budget_of_a_task_holds_what_is_below_it_and_nothing_else(board: BoardUnderTest) -> None:
    tasks = [
        NewTask(name="top", title="t"),
        NewTask(name="mid", title="m", parent="top"),
        NewTask(name="aside", title="a"),
    ]
    await board.post(*(NewArtifact(task=task.name, name="x", owner="backend") for task in tasks), tasks=tasks)
    (first,) = await board.claim()
    await board.perform("set_budget", task="top", cost=1.0)
    await board.post(NewArtifact(task="mid", name="late", owner="backend"))
    await board.perform("report_usage", by="backend", item=first.item, fence=first.fence, cost=1.5)
    async with board.chores() as tx:
        await spending.watch(tx)
    assert [claim.reference for claim in await board.claim(limit=10)] == ["aside/x"]
    held = await board.fetch("SELECT name FROM holds WHERE board = $1 AND reason = 'budget'")
    assert [row["name"] for row in held] == ["top", "top"]
    await free(board)
    assert len(await board.fetch("SELECT FROM holds WHERE board = $1")) == 2
    await board.perform("set_budget", task="top", cost=3.0)
    await free(board)
    rest = {claim.reference for claim in await board.claim(limit=10)}
    assert rest | {first.reference} == {"top/x", "mid/x", "mid/late"}
    await check_fold(board, "budgets", "holds")
