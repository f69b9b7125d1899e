"""Usage and budgets: what attempts used is booked once and for ever, and what is used up stops claims, not work."""

from __future__ import annotations

from typing import Any

import pytest

from slateboard.patterns import spending
from slateboard.protocol.errors import Invalid, LeaseLost, Paused, SlateError, UnknownName
from slateboard.protocol.states import Outcome
from slateboard.protocol.work import Claim, NewArtifact, NewTask
from slateboard.reports.past import fold
from tests.support.boards import BoardUnderTest


async def running(board: BoardUnderTest, *names: str) -> list[Claim]:
    await board.post_graph({name: [] for name in names or ("a",)})
    return await board.claim(limit=10)


async def report(board: BoardUnderTest, claim: Claim, **used: Any) -> Any:
    return await board.perform("report_usage", by="backend", item=claim.item, fence=claim.fence, **used)


async def watch(board: BoardUnderTest) -> None:
    """Let the leader look at the budgets."""
    async with board.chores() as tx:
        await spending.watch(tx)


async def check_fold(board: BoardUnderTest, *tables: str) -> None:
    """The log tells these tables as they are."""
    await board.seal()
    rows = await board.fetch(
        "SELECT position, id, subject, payload, actor, correlation, depth, happened_at FROM events"
        " WHERE board = $1 ORDER BY position"
    )
    state = fold.fold(fold.State(board.id), [tuple(row) for row in rows])
    for table in tables:
        columns = ", ".join(fold.COLUMNS[table])
        live = [dict(row) for row in await board.fetch(f"SELECT {columns} FROM {table} WHERE board = $1")]
        assert sorted(map(str, state.tables[table].values())) == sorted(map(str, live)), table


async def test_what_is_reported_and_what_the_end_says_is_summed_once(board: BoardUnderTest) -> None:
    first, second = await running(board, "a", "b")
    await report(board, first, input_tokens=100, cached_tokens=40, output_tokens=10, cost=0.1, model="m1")
    await report(board, first, output_tokens=5, cost=0.2)
    await board.finish(first, by="backend", usage={"output_tokens": 1, "cost": 0.3, "model": "m1", "seed": 7})
    await board.give_back(second, Outcome.RELEASED, by="backend", usage={"input_tokens": 2})
    used = await board.perform("usage", agent="backend", per="item")
    assert used["total"] == {
        "input_tokens": 102, "cached_tokens": 40, "output_tokens": 16, "cost": 0.6, "reports": 4
    }  # fmt: skip
    assert [row["name"] for row in used["rows"]] == ["work/a", "work/b"]
    by_model = {row["name"]: row["cost"] for row in (await board.perform("usage", per="model"))["rows"]}
    assert by_model == {"m1": 0.4, None: 0.2}
    assert (await board.perform("usage", agent="cto"))["total"]["reports"] == 0
    await check_fold(board, "usage_ledger")


async def test_task_is_summed_with_all_below_it(board: BoardUnderTest) -> None:
    tasks = [
        NewTask(name="top", title="t"),
        NewTask(name="mid", title="m", parent="top"),
        NewTask(name="aside", title="a"),
    ]
    await board.post(*(NewArtifact(task=task.name, name="x", owner="backend") for task in tasks), tasks=tasks)
    for claim in await board.claim(limit=3):
        await report(board, claim, cost=1.0)
    assert (await board.perform("usage", task="top"))["total"]["cost"] == 2.0
    assert {row["name"] for row in (await board.perform("usage", task="top", per="task"))["rows"]} == {"top", "mid"}
    with pytest.raises(UnknownName):
        await board.perform("usage", task="nothing")


@pytest.mark.parametrize(
    "used",
    [{"input_tokens": -1}, {"cost": -0.01}, {"cost": float("nan")}, {"output_tokens": 1.5}, {"model": "m" * 201}],
)
async def test_usage_that_cannot_be_is_refused_and_nothing_is_booked(
    board: BoardUnderTest, used: dict[str, Any]
) -> None:
    (claim,) = await running(board)
    with pytest.raises(Invalid):
        await report(board, claim, **used)
    with pytest.raises(Invalid):
        await board.finish(claim, usage=used)
    assert await board.place(claim.item) == "claimed"
    assert (await board.perform("usage"))["total"]["reports"] == 0


async def test_ledger_is_append_only_and_takes_nothing_without_the_claim(board: BoardUnderTest) -> None:
    (claim,) = await running(board)
    await report(board, claim, cost=1.0)
    for change in ("UPDATE usage_ledger SET cost = 0", "DELETE FROM usage_ledger"):
        with pytest.raises(Exception, match=r"append-only|permission denied"):
            await board.fetch(f"{change} WHERE board = $1 RETURNING 1")
    await board.finish(claim)
    with pytest.raises(LeaseLost):
        await report(board, claim, cost=1.0)
    assert (await board.perform("usage"))["total"]["cost"] == 1.0


@pytest.mark.parametrize("of", [{"agent": "backend"}, {}])
async def test_budget_warns_stops_claims_and_asks_and_lets_go_on_when_it_is_raised(
    board: BoardUnderTest, of: dict[str, Any]
) -> None:
    await board.perform("add_agent", name="ceo", kind="human")
    first, second = await running(board, "a", "b")
    await board.post(NewArtifact(task="work", name="c", owner="backend"))
    await board.perform("set_budget", tokens=100, **of)
    await report(board, first, input_tokens=79)
    await watch(board)
    assert await board.log(subject="board.budget.warned") == []
    await report(board, first, output_tokens=1)
    await watch(board)
    await watch(board)
    assert len(await board.log(subject="board.budget.warned")) == 1
    assert await board.perform("has_work", agent=board.agents["backend"])
    await report(board, second, output_tokens=20)
    await watch(board)
    await watch(board)
    with pytest.raises(Paused, match="is used up"):
        await board.claim()
    assert not await board.perform("has_work", agent=board.agents["backend"])
    assert [answer.error for answer in await board.finish(first, second)] == [None, None]
    (asked,) = (await board.perform("list_escalations")).rows
    assert (asked["kind"], asked["owner"]) == ("budget", "ceo")
    (shown,) = await board.perform("list_budgets")
    assert (shown["used_tokens"], shown["tokens"], shown["exhausted_at"] is None) == (100, 100, False)
    await check_fold(board, "budgets", "escalations")
    await board.perform("set_budget", tokens=200, **of)
    assert len(await board.claim()) == 1
    await check_fold(board, "budgets")
    await watch(board)
    assert (await board.perform("list_escalations")).rows == []
    assert await board.place(asked["item"]) == "done"
    await check_fold(board, "budgets", "escalations", "work_items")
    await board.perform("remove_budget", **of)
    assert await board.perform("list_budgets") == []
    await check_fold(board, "budgets")


@pytest.mark.parametrize("of", [{"agent": "backend"}, {"task": "work"}, {}])
async def test_budget_that_is_set_below_what_is_used_asks_at_once_and_says_so(
    board: BoardUnderTest, of: dict[str, Any]
) -> None:
    await board.perform("add_agent", name="ceo", kind="human")
    (claim, _) = await running(board, "a", "b")
    await report(board, claim, input_tokens=90)
    made = await board.perform("set_budget", tokens=100, **of)
    assert (made["warned_at"] is None, made["exhausted_at"]) == (False, None)
    assert len(await board.log(subject="board.budget.warned")) == 1
    made = await board.perform("set_budget", tokens=50, **of)
    assert (made["used_tokens"], made["exhausted_at"] is None) == (90, False)
    await watch(board)
    assert len(await board.log(subject="board.budget.exhausted")) == 1
    (asked,) = (await board.perform("list_escalations")).rows
    assert (asked["kind"], "90 of 50 tokens" in asked["question"]) == ("budget", True)
    await board.perform("set_budget", tokens=60, **of)  # still used up: the question stands
    await watch(board)
    assert [row["item"] for row in (await board.perform("list_escalations")).rows] == [asked["item"]]
    await board.perform("set_budget", tokens=500, **of)
    await watch(board)
    assert (await board.perform("list_escalations")).rows == []
    await check_fold(board, "budgets", "escalations", "work_items")


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({}, Invalid),
        ({"tokens": 0}, Invalid),
        ({"tokens": 1.5}, Invalid),
        ({"tokens": "many"}, Invalid),
        ({"cost": float("nan")}, Invalid),
        ({"cost": -1.0}, Invalid),
        ({"cost": 1.0, "agent": "a", "task": "b"}, Invalid),
        ({"cost": 1.0, "agent": "nobody"}, UnknownName),
        ({"cost": 1.0, "task": "nothing"}, UnknownName),
    ],
)
async def test_budget_that_cannot_be_is_refused(
    board: BoardUnderTest, given: dict[str, Any], error: type[SlateError]
) -> None:
    with pytest.raises(error):
        await board.perform("set_budget", **given)
    with pytest.raises(UnknownName):
        await board.perform("remove_budget")


async def test_post_into_a_task_without_a_budget_beside_one_that_has_one(board: BoardUnderTest) -> None:
    tasks = [NewTask(name="paid", title="p"), NewTask(name="free", title="f")]
    await board.post(NewArtifact(task="paid", name="x", owner="backend"), tasks=tasks[:1])
    await board.perform("set_budget", task="paid", tokens=10)
    await board.post(NewArtifact(task="free", name="x", owner="backend"), tasks=tasks[1:])
    assert await board.fetch("SELECT reference, guarded FROM work_items WHERE board = $1 ORDER BY id") == [
        ("paid/x", True), ("free/x", False)
    ]  # fmt: skip
