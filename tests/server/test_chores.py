"""Each chore by its own step; and the loops around them, which outlive what goes wrong."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from typing import Any

import pytest

from slateboard.protocol.errors import DatabaseBusy
from slateboard.protocol.states import FailureClass, Outcome
from slateboard.protocol.work import NewArtifact, NewTask
from slateboard.server import chores, routing, sealing, upkeep
from slateboard.server.chores import Chore
from slateboard.server.duty import Duty
from slateboard.server.owner import owner_connection
from slateboard.work import gates
from tests.server.conftest import Told
from tests.support.boards import BoardUnderTest

LATER = dt.timedelta(hours=1)


async def place_of(board: BoardUnderTest, item: int) -> str:
    async with board.database.acquire() as connection:
        return await connection.fetchval("SELECT place FROM item_places WHERE board = $1 AND item = $2", board.id, item)


def later() -> dt.datetime:
    return dt.datetime.now(dt.UTC) + LATER


async def test_expired_lease_is_taken_back_and_its_inbox_woken(board: BoardUnderTest, duty: Duty, told: Told) -> None:
    items = await board.post_graph({"a": []})
    await board.claim()
    assert await chores.expire_leases(duty) == chores.EXPIRE_SECONDS
    assert await place_of(board, items["a"]) == "claimed"
    duty.now = later()
    assert await chores.expire_leases(duty) == chores.EXPIRE_SECONDS
    assert await place_of(board, items["a"]) == "ready"
    assert told.woken[board.id] == {board.agents["backend"]}


async def test_full_batch_is_followed_by_another_at_once(
    board: BoardUnderTest, duty: Duty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chores, "BATCH", 2)
    await board.post_graph({"a": [], "b": [], "c": []})
    await board.claim(limit=3)
    duty.now = later()
    pauses = [await chores.expire_leases(duty)]
    while pauses[-1] == 0:
        pauses.append(await chores.expire_leases(duty))
    assert pauses[0] == 0
    assert pauses[-1] == chores.EXPIRE_SECONDS


async def test_item_whose_time_has_come_is_ready_and_its_board_woken(
    board: BoardUnderTest, duty: Duty, told: Told
) -> None:
    run_at = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=5)
    items = await board.post(
        NewArtifact(task="t", name="a", owner="cto", run_at=run_at), tasks=[NewTask(name="t", title="t")]
    )
    await chores.promote_scheduled(duty)
    assert await place_of(board, items["t/a"]) == "scheduled"
    duty.now = later()
    assert await chores.promote_scheduled(duty) == chores.PROMOTE_SECONDS
    assert await place_of(board, items["t/a"]) == "ready"
    assert told.woken[board.id] == {board.agents["cto"]}


async def test_rest_of_a_wide_fan_out_is_opened(board: BoardUnderTest, duty: Duty, told: Told) -> None:
    waiting = {f"w{number}": ["first"] for number in range(1_001)}
    items = await board.post_graph({"first": [], **waiting})
    await board.complete(items["first"])
    last = max(items[name] for name in waiting)
    assert await place_of(board, last) == "gated"
    while await chores.unlock_more(duty) == 0:
        pass
    assert await place_of(board, last) == "ready"
    assert told.woken[board.id] == {board.agents["backend"]}


async def test_time_makes_an_item_more_urgent(board: BoardUnderTest, duty: Duty) -> None:
    due = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=30)
    artifact = NewArtifact(task="t", name="a", due=due, owner="backend")
    items = await board.post(artifact, tasks=[NewTask(name="t", title="t")])
    before = (await board.perform("explain", item=items["t/a"]))["rating"]
    duty.now = later()
    assert await chores.rate_again(duty) == chores.RATE_SECONDS
    assert (await board.perform("explain", item=items["t/a"]))["rating"] > before


async def test_sweep_goes_through_all_gates_page_by_page(board: BoardUnderTest, duty: Duty) -> None:
    items = await board.post_graph({"a": [], "b": ["a"], "c": ["a"], "d": ["a"]})
    after = (board.id, 0)
    async with chores._writing(duty) as tx:
        after = await gates.sweep(tx, after=after, limit=2)
        assert after == (board.id, sorted(items[name] for name in "bcd")[1])
        assert await gates.sweep(tx, after=after, limit=1_000) == (0, 0)
    assert await chores.sweep_gates(duty) == chores.SWEEP_SECONDS
    assert await place_of(board, items["d"]) == "gated"


async def test_failed_item_comes_back_when_its_wait_is_over(board: BoardUnderTest, duty: Duty) -> None:
    items = await board.post_graph({"a": []})
    (claim,) = await board.claim()
    await board.give_back(claim, outcome=Outcome.FAILED, failure_class=FailureClass.TRANSIENT, error="once")
    assert await place_of(board, items["a"]) == "scheduled"
    duty.now = later()
    await chores.promote_scheduled(duty)
    assert await place_of(board, items["a"]) == "ready"


async def test_partitions_of_the_coming_days_are_there(duty: Duty) -> None:
    assert await upkeep.make_partitions(duty) == upkeep.PARTITION_SECONDS
    async with owner_connection(duty.owner_url) as connection:
        day = await connection.fetchval("SELECT to_char(current_date + $1::int, 'YYYYMMDD')", upkeep.PARTITION_DAYS)
        assert await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", f"events_{day}")
        assert await connection.fetchval("SELECT ensure_partitions($1)", upkeep.PARTITION_DAYS) == 0


async def test_churned_tables_are_vacuumed_as_the_owner(board: BoardUnderTest, duty: Duty) -> None:
    vacuumed = "SELECT vacuum_count FROM pg_stat_user_tables WHERE relname = 'ready'"
    items = await board.post_graph({"a": []})
    await board.complete(items["a"])
    async with owner_connection(duty.owner_url) as connection:
        before = await connection.fetchval(vacuumed)
        assert await upkeep.vacuum(duty, dead_rows=-1) == upkeep.VACUUM_SECONDS
        await connection.execute("SELECT pg_stat_clear_snapshot()")
        assert await connection.fetchval(vacuumed) > before


async def test_failing_chore_is_told_once_and_stops_no_other(duty: Duty, caplog: pytest.LogCaptureFixture) -> None:
    calls: list[str] = []
    enough = asyncio.Event()

    async def fails(_duty: Duty) -> float:
        calls.append("fails")
        if calls.count("fails") < 3:
            raise DatabaseBusy("all connections are in use")
        if calls.count("fails") == 3:
            raise ZeroDivisionError("by nought")
        enough.set()
        return 60.0

    async def works(_duty: Duty) -> float:
        calls.append("works")
        return 60.0

    caplog.set_level(logging.INFO, logger="slateboard.server")
    running = asyncio.create_task(chores.run(duty, (Chore("fail", fails), Chore("work", works))))
    await asyncio.wait_for(enough.wait(), 5)
    running.cancel()
    await asyncio.wait([running])
    assert "works" in calls
    told = [record.getMessage() for record in caplog.records]
    assert told[0] == "cannot fail: all connections are in use"
    assert told[1:] == ["cannot fail: by nought", "can fail again"]
    assert caplog.records[0].exc_info is None
    assert caplog.records[1].exc_info is not None


@pytest.mark.parametrize(
    ("module", "part", "name", "loop"),
    [
        (sealing, "seal_once", sealing.NAME, sealing.seal_for_ever),
        (routing, "route_once", routing.NAME, routing.route_for_ever),
    ],
)
async def test_loop_that_never_ends_is_no_trouble_any_more_once_it_works_again(
    duty: Duty, monkeypatch: pytest.MonkeyPatch, module: Any, part: str, name: str, loop: Any
) -> None:
    called = asyncio.Queue[bool]()
    fails = [False, True, True, False, False, True]

    async def once(*_: object) -> int:
        failing = fails.pop(0) if fails else False
        called.put_nowait(name in duty.troubles)
        if failing:
            raise DatabaseBusy("all connections are in use")
        return 0

    monkeypatch.setattr(module, part, once)
    running = asyncio.create_task(chores.repeat(Chore(name, loop), duty))
    seen = [await called.get() for _ in range(8)]
    running.cancel()
    await asyncio.wait([running])
    assert seen == [False, False, True, True, False, False, True, False]


async def test_ending_the_chores_ends_all_of_them(duty: Duty) -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def waits(_duty: Duty) -> float:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return 0.0

    running = asyncio.create_task(chores.run(duty, (*chores.CHORES, Chore("wait", waits))))
    await started.wait()
    running.cancel()
    await asyncio.wait([running])
    assert ended.is_set()
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("chore")]


async def test_overlong_claim_ends_and_its_agent_is_woken_and_what_stands_still_or_is_late_is_told(
    board: BoardUnderTest, duty: Duty, told: Told
) -> None:
    due = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1)
    rules = {"time_limit_seconds": 7_200}
    items = await board.post(
        NewArtifact(task="t", name="a", owner="backend"),
        NewArtifact(task="t", name="b", owner="cto", due=due, rules=rules),
        tasks=[NewTask(name="t", title="t")],
    )
    await board.claim(lease_seconds=86_400)
    await board.claim("cto", lease_seconds=86_400)
    duty.now = later()
    assert await chores.tell_stalled(duty) == chores.STALL_SECONDS
    while await chores.tell_due(duty) == 0:  # what other tests left may be more than it tells of at once
        pass
    assert await chores.end_overlong(duty) == chores.TIME_LIMIT_SECONDS
    assert (await place_of(board, items["t/a"]), await place_of(board, items["t/b"])) == ("scheduled", "claimed")
    assert told.woken[board.id] <= {board.agents["backend"]}
    assert len(await board.log(subject="board.item.stalled")) == 2
    assert [event.payload["reference"] for event in await board.log(subject="board.item.overdue")] == ["t/b"]
