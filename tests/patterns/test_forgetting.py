"""What is kept only for a time: forgotten when it is over, never while it is in use, a page at a time."""

from __future__ import annotations

import datetime as dt

import pytest

from slateboard.patterns import forgetting
from slateboard.patterns.forgetting import Kept
from slateboard.server import chores
from slateboard.server.duty import Duty
from tests.patterns.conftest import Router
from tests.support.boards import BoardUnderTest

SMOKE, SCAN = "genbrain.events.smoke.passed", "genbrain.events.scan.passed"
COUNTS = {
    "chains": "SELECT count(*) FROM chains WHERE board = $1",
    "gatherings": "SELECT count(*) FROM gatherings WHERE board = $1",
    "event_waits": "SELECT count(*) FROM event_waits WHERE board = $1",
}


async def rows(board: BoardUnderTest) -> dict[str, int]:
    return {table: await board.fetchval(count) for table, count in COUNTS.items()}


def after(days: float) -> dt.datetime:
    return dt.datetime.now(dt.UTC) + dt.timedelta(days=days)


async def make_some(board: BoardUnderTest, router: Router) -> None:
    """A chain that is delivered, a gathering that waits, and a wait that is over."""
    await board.perform("subscribe", name="each", patterns=[SMOKE], agent="backend")
    await board.perform("subscribe", name="both", patterns=[SMOKE, SCAN], agent="backend", all_of=True)
    await board.post_graph({"a": []}, owner="frontend")
    (claim,) = await board.claim("frontend")
    await board.perform("wait_for", item=claim.item, fence=claim.fence, pattern=SMOKE, timeout_seconds=60)
    await board.perform("publish", subject=SMOKE, correlation="c1")
    await router.run()


@pytest.mark.parametrize(
    ("kept", "table"),
    [(forgetting.CHAINS, "chains"), (forgetting.GATHERINGS, "gatherings"), (forgetting.WAITS, "event_waits")],
)
async def test_row_is_forgotten_when_its_time_is_over(
    board: BoardUnderTest, router: Router, duty: Duty, kept: Kept, table: str
) -> None:
    await make_some(board, router)
    for claim in await board.claim("frontend"):
        await board.finish(claim)
    assert (await rows(board))[table] == 1
    for days, left in ((kept.days - 0.1, 1), (kept.days + 0.1, 0)):
        duty.now = after(days)
        assert await chores.forget_old(duty) == chores.FORGET_OLD_SECONDS
        assert (await rows(board))[table] == left


async def test_wait_of_unfinished_work_is_kept_for_its_briefing(
    board: BoardUnderTest, router: Router, duty: Duty
) -> None:
    await make_some(board, router)
    duty.now = after(10 * forgetting.WAIT_DAYS)
    await chores.forget_old(duty)
    (claim,) = await board.claim("frontend")
    assert (await board.perform("briefing", item=claim.item))["awaited"]["subject"] == SMOKE


async def test_chain_that_goes_on_is_kept_and_one_in_use_is_left_alone(
    board: BoardUnderTest, router: Router, duty: Duty
) -> None:
    await make_some(board, router)
    duty.now = after(forgetting.CHAIN_DAYS)
    await board.perform("publish", subject=SMOKE, correlation="c1")
    await router.run()
    duty.now = after(forgetting.CHAIN_DAYS + 1)
    await chores.forget_old(duty)
    assert await board.fetchval("SELECT deliveries FROM chains WHERE board = $1") == 2
    duty.now = after(3 * forgetting.CHAIN_DAYS)
    async with board.writing() as tx:
        await tx.fetch("UPDATE chains SET deliveries = 3 WHERE board = $1", board.id)
        await chores.forget_old(duty)
    assert await board.fetchval("SELECT deliveries FROM chains WHERE board = $1") == 3
    await chores.forget_old(duty)
    assert (await rows(board))["chains"] == 0


async def test_pages_follow_each_other(board: BoardUnderTest, router: Router) -> None:
    await board.perform("subscribe", name="each", patterns=[SMOKE], agent="backend")
    for number in range(5):
        await board.perform("publish", subject=SMOKE, correlation=f"c{number}")
    await router.run()
    async with board.chores(now=after(8)) as tx:
        place = await forgetting.forget(tx, forgetting.CHAINS, after=(board.id, ""), limit=2)
        assert place == (board.id, "c1")
    assert (await rows(board))["chains"] == 3


async def test_long_run_leaves_no_rows_behind_but_its_history(
    board: BoardUnderTest, router: Router, duty: Duty
) -> None:
    """Ten rounds, each days after the one before: what grows with the events does not grow with the rounds."""
    await board.perform("subscribe", name="each", patterns=[SMOKE], agent="backend")
    await board.perform("subscribe", name="both", patterns=[SMOKE, SCAN], agent="backend", all_of=True)
    seen: list[dict[str, int]] = []
    for number in range(10):
        duty.now = after(number * (forgetting.GATHERING_DAYS + 1))
        for one in range(3):
            await board.perform("publish", subject=SMOKE, correlation=f"c{number}-{one}")
        await router.run()
        await chores.forget_old(duty)
        seen.append(await rows(board))
    assert seen == [{"chains": 3, "gatherings": 3, "event_waits": 0}] * 10
