"""What a task takes with it when it is given away or cancelled: dead letters, what is below it, what was asked."""

from __future__ import annotations

import pytest

from slateboard.protocol.errors import DelegationLoop, TooDeep, WrongState
from slateboard.protocol.work import NewTask
from tests.support.boards import BoardUnderTest
from tests.support.live import check_fold


async def test_cancelling_discards_the_dead_letters_below_and_answers_what_was_asked_about_them(
    board: BoardUnderTest,
) -> None:
    items = await board.post(
        tasks=[
            NewTask(name="mid", title="mid", agent="frontend", delegator="cto"),
            NewTask(name="below", title="below", parent="mid", agent="backend", delegator="frontend"),
        ]
    )
    await board.bury(items["below/result"])
    asked = "SELECT kind, answer FROM escalations WHERE board = $1"
    assert [*map(tuple, await board.fetch(asked))] == [("failure", None)]
    answer = await board.perform("cancel_task", by="cto", task="mid", reason="not this year")
    assert sorted(answer["cancelled"]) == ["below/result", "mid/result"]
    assert {await board.place(item) for item in items.values()} == {"cancelled"}
    assert [*map(tuple, await board.fetch(asked))] == [("failure", "cancelled")]
    assert await board.fetch("SELECT item FROM dead_letters WHERE board = $1") == []
    assert (await board.by_place()).keys() <= {"cancelled", "done"}
    await check_fold(board)


async def test_what_is_over_is_neither_declined_nor_given_to_another_nor_cancelled(board: BoardUnderTest) -> None:
    items = await board.post(
        tasks=[NewTask(name="api", title="API", agent="backend", delegator="cto")],
    )
    await board.complete(items["api/result"])
    before = len(await board.log())
    for operation, more in (("decline", {}), ("reassign", {"agent": "frontend"}), ("cancel_task", {})):
        with pytest.raises(WrongState, match="api is over"):
            await board.perform(operation, task="api", reason="too late", **more)
    assert len(await board.log()) == before
    await board.perform("revise", reference="api/result", reason="once more")
    await board.perform("reassign", task="api", agent="frontend", reason="it is free")
    await check_fold(board)


async def test_a_dead_letter_goes_with_its_task_and_is_brought_back_for_its_new_agent(board: BoardUnderTest) -> None:
    items = await board.post(tasks=[NewTask(name="api", title="API", agent="backend", delegator="cto")])
    await board.bury(items["api/result"])
    await board.perform("reassign", task="api", agent="frontend", reason="backend could not")
    await check_fold(board)
    await board.perform("redrive", items=[items["api/result"]])
    assert await board.claim("backend") == []
    assert [one.item for one in await board.claim("frontend")] == [items["api/result"]]
    await check_fold(board)


async def test_a_task_is_not_given_to_whom_something_below_it_was_given(board: BoardUnderTest) -> None:
    await board.post(
        tasks=[
            NewTask(name="top", title="top", agent="cto"),
            NewTask(name="mid", title="mid", parent="top", agent="frontend", delegator="cto"),
            NewTask(name="below", title="below", parent="mid", agent="backend", delegator="frontend"),
        ]
    )
    with pytest.raises(DelegationLoop, match="cto → backend → frontend → backend"):
        await board.perform("reassign", task="mid", agent="backend", reason="it is free")
    await board.add_agent("devops")
    await board.perform("change_agent", name="backend", accepts_from=["devops"])
    await board.perform("reassign", task="mid", agent="devops", reason="what backend has it goes on with")
    with pytest.raises(DelegationLoop):
        await board.perform("reassign", task="below", agent="devops", reason="no")


async def test_a_task_of_ones_own_is_not_given_away_above_a_chain_of_five(board: BoardUnderTest) -> None:
    chain = ["cto", "frontend", "backend", *(f"deep{number}" for number in range(4))]
    for name in chain[3:]:
        await board.add_agent(name)
    tasks = [NewTask(name="t0", title="own", agent="cto")]
    await board.post(tasks=tasks)
    own = await board.fetchval("SELECT id FROM agents WHERE board = $1 AND name = 'cto'")
    await board.fetch("UPDATE tasks SET delegator = $2 WHERE board = $1 AND name = 't0'", own)
    for number in range(5):
        below = NewTask(
            name=f"t{number + 1}", title="given", parent=f"t{number}", agent=chain[number + 1], delegator=chain[number]
        )
        await board.post(tasks=[below])
    with pytest.raises(TooDeep, match="6 deep"):
        await board.perform("reassign", task="t0", agent="deep3", reason="no")
