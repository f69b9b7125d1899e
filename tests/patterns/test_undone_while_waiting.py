"""A task that is undone takes with it what its work waited for: nobody is asked about what is cancelled."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from slateboard.patterns import escalations, verification
from slateboard.protocol.errors import WrongState
from slateboard.protocol.states import FailureClass
from slateboard.protocol.work import NewArtifact, NewTask
from tests.support.boards import BoardUnderTest
from tests.support.live import check_fold


async def waiting(board: BoardUnderTest, *, asks: bool) -> tuple[int, int]:
    """Work that waits for a verdict or an answer, behind a step that can be undone; and the duty that it waits for."""
    rules = None if asks else {"verify": "cto"}
    items = await board.post(
        NewArtifact(task="release", name="schema", owner="backend"),
        NewArtifact(task="release", name="deploy", owner="backend", rules=rules),
        tasks=[NewTask(name="release", title="release")],
    )
    await board.finish(await board.claim_item(items["release/schema"]), content="x", undo="down")
    one = await board.claim_item(items["release/deploy"])
    if asks:
        await board.perform("ask", item=one.item, fence=one.fence, question="which port?", of="cto")
    else:
        await board.finish(one, content="x")
    duty: int = await board.fetchval("SELECT on_item FROM waiting WHERE board = $1 AND item = $2", one.item)
    return one.item, duty


@pytest.mark.parametrize("asks", [True, False])
async def test_what_undone_work_waited_for_is_withdrawn(board: BoardUnderTest, *, asks: bool) -> None:
    item, duty = await waiting(board, asks=asks)
    await board.perform("compensate", task="release", reason="it failed")
    assert (await board.place(item), await board.place(duty)) == ("cancelled", "cancelled")
    assert [one.kind for one in await board.claim("cto")] == []
    late = {"escalation": duty, "answer": "80"} if asks else {"item": duty, "verdict": "approve", "version": 1}
    with pytest.raises(WrongState):
        await board.perform("answer" if asks else "judge", **late)
    for days in range(1, 5):
        async with board.chores(now=datetime.now(UTC) + timedelta(days=days)) as tx:
            await escalations.time_out(tx)
            await verification.time_out(tx)
    assert (await board.place(item), await board.place(duty)) == ("cancelled", "cancelled")
    await check_fold(board)


@pytest.mark.parametrize("end", ["cancel", "compensate"])
@pytest.mark.parametrize("asks", [True, False])
async def test_dead_duty_of_work_that_is_cancelled_ends_with_it(board: BoardUnderTest, *, asks: bool, end: str) -> None:
    item, duty = await waiting(board, asks=asks)
    await board.bury(duty, "cto")
    if end == "cancel":
        await board.perform("cancel", reference="release/deploy", reason="not needed")
    else:
        await board.perform("compensate", task="release", reason="it failed")
    for days in range(1, 5):
        async with board.chores(now=datetime.now(UTC) + timedelta(days=days)) as tx:
            await escalations.time_out(tx)
            await verification.time_out(tx)
    assert (await board.place(item), await board.place(duty)) == ("cancelled", "cancelled")
    asked = await board.perform("list_escalations")
    assert [row["item"] for row in asked.rows if row["item"] == duty] == []
    assert await board.perform("list_verifications") == []
    await check_fold(board)


async def ask(board: BoardUnderTest, item: int, by: str, of: str) -> int:
    """Claim an item, and ask somebody about it; the duty of who is asked."""
    one = await board.claim_item(item, by)
    asked = await board.perform("ask", by=by, item=one.item, fence=one.fence, question="why?", of=of)
    return asked["escalation"]


@pytest.mark.parametrize("end", ["answered", "late", "cancelled", "one level up"])
async def test_question_about_a_question_ends_with_it(board: BoardUnderTest, end: str) -> None:
    (item,) = (await board.post_graph({"a": []})).values()
    first = await ask(board, item, "backend", "cto")
    second = await ask(board, first, "cto", "frontend")
    third = await ask(board, second, "frontend", "backend")
    if end == "answered":
        await board.perform("answer", escalation=first, answer="because")
    elif end == "cancelled":
        await board.perform("cancel", reference="work/a")
    elif end == "one level up":
        await board.perform("add_agent", name="olivia", kind="human")
        async with board.chores(now=datetime.now(UTC) + timedelta(hours=4, minutes=1)) as tx:
            await escalations.time_out(tx)
    else:
        for days in range(1, 5):
            async with board.chores(now=datetime.now(UTC) + timedelta(days=days)) as tx:
                await escalations.time_out(tx)
    places = {"answered": "ready", "cancelled": "cancelled", "late": "dead", "one level up": "waiting"}
    assert await board.place(item) == places[end]
    assert [await board.place(one) for one in (second, third)] == ["cancelled", "cancelled"]
    open_ = [row["item"] for row in (await board.perform("list_escalations")).rows if row["kind"] == "question"]
    assert open_ == ([first] if end == "one level up" else [])
    await check_fold(board)


async def test_result_with_an_undo_after_a_failure_is_in_the_fold_as_it_is(board: BoardUnderTest) -> None:
    (item,) = (await board.post_graph({"deploy": []})).values()
    await board.fail(await board.claim_item(item), FailureClass.TRANSIENT, delay_seconds=60)
    await board.promote(now=datetime.now(UTC) + timedelta(hours=1))
    await board.finish(await board.claim_item(item), content="x", undo="roll_back")
    assert await board.place(item) == "done"
    await check_fold(board)
