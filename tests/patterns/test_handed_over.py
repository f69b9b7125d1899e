"""A duty that goes one level up begins anew: nothing of what its last owner did holds it back, or counts against it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from slateboard.patterns import escalations, verification
from slateboard.protocol.states import FailureClass
from slateboard.protocol.work import NewArtifact, NewTask
from tests.support.boards import BoardUnderTest
from tests.support.live import check_fold


async def waited_for(board: BoardUnderTest, *, asks: bool) -> int:
    """A question, or a verdict, that `lead` has not long for, and then `boss`; its item."""
    await board.add_agent("boss", kind="human")
    await board.add_agent("lead", manager="boss")
    rules = None if asks else {"verify": "lead"}
    await board.post(
        NewArtifact(task="release", name="deploy", owner="backend", rules=rules),
        tasks=[NewTask(name="release", title="release")],
    )
    (one,) = await board.claim()
    if asks:
        await board.perform("ask", item=one.item, fence=one.fence, question="?", of="lead", deadline_seconds=3600)
    else:
        await board.finish(one, content="x")
    return await board.fetchval("SELECT on_item FROM waiting WHERE board = $1 AND item = $2", one.item)


async def hand_over(board: BoardUnderTest) -> None:
    """The leader looks at what is overdue in a day and an hour."""
    async with board.chores(now=datetime.now(UTC) + timedelta(hours=25)) as tx:
        await escalations.time_out(tx)
        await verification.time_out(tx)


@pytest.mark.parametrize("asks", [True, False])
async def test_duty_is_ready_for_its_new_owner_whatever_the_last_one_waited_for(
    board: BoardUnderTest, *, asks: bool
) -> None:
    duty = await waited_for(board, asks=asks)
    (claim,) = await board.claim("lead")
    await board.fail(claim, delay_seconds=48 * 3600.0)
    assert await board.place(duty) == "scheduled"
    await hand_over(board)
    assert await board.place(duty) == "ready"
    await check_fold(board)


@pytest.mark.parametrize("asks", [True, False])
async def test_dead_duty_that_goes_up_has_all_its_attempts_again(board: BoardUnderTest, *, asks: bool) -> None:
    duty = await waited_for(board, asks=asks)
    await board.tolerate_failures()
    for _ in range(4):
        await board.fail(await board.claim_item(duty, "lead"), FailureClass.TRANSIENT, delay_seconds=0)
    assert await board.place(duty) == "dead"
    await hand_over(board)
    await board.fail(await board.claim_item(duty, "boss"), FailureClass.TRANSIENT, delay_seconds=0)
    assert await board.place(duty) == "ready"
    await check_fold(board)
