"""Exclusive resources: items whose paths overlap never run at once, and none waits longer than it must."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from slateboard.patterns import spending
from slateboard.protocol.errors import Invalid
from slateboard.protocol.states import Outcome
from slateboard.protocol.work import NewArtifact, NewTask
from slateboard.work import resources
from tests.support.boards import BoardUnderTest
from tests.work.test_budgets import check_fold


async def post(board: BoardUnderTest, *globs: list[str], task: str = "work") -> list[int]:
    """Items, each with its globs; they have the order in which they are claimed."""
    artifacts = [
        NewArtifact(task=task, name=f"a{number:03}", owner="backend", rules={"touches": one} if one else None)
        for number, one in enumerate(globs)
    ]
    items = await board.post(*artifacts, tasks=[NewTask(name=task, title=task)])
    return [items[f"{task}/{artifact.name}"] for artifact in artifacts]


async def free(board: BoardUnderTest, **at: Any) -> None:
    """Let the leader look at what is held."""
    async with board.chores(**at) as tx:
        assert await resources.free_held(tx, limit=100_000) == (0, 0)


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        ("src/api/**", "src/api/v1/users.py", True),
        ("src/api/**", "src/**/*.py", True),
        ("src/api/*.py", "src/api2/*.py", False),
        ("src/api/a.py", "src/api/a.py", True),
        ("src/api/a.py", "src/api/a.pyi", False),
        ("docs/[a-m]*", "docs/n*", True),
        ("docs/{one,two}.md", "src/x.py", False),
        ("**", "anything", True),
    ],
)
async def test_what_overlaps_waits_behind_its_gate(board: BoardUnderTest, one: str, other: str, overlap: bool) -> None:
    first, second = await post(board, [one], ["elsewhere.txt", other])
    (claim,) = await board.claim()
    assert claim.item == first
    assert [late.item for late in await board.claim()] == ([] if overlap else [second])
    assert await board.place(second) == ("gated" if overlap else "claimed")


async def test_held_item_goes_on_when_the_claim_that_held_it_has_ended(board: BoardUnderTest) -> None:
    first, second, third = await post(board, ["src/**"], ["src/a.py"], ["src/a.py"])
    (claim,) = await board.claim(limit=3)
    assert (claim.item, await board.by_place()) == (first, {"claimed": 1, "gated": 2})
    await check_fold(board, "holds")
    await free(board)
    assert await board.by_place() == {"claimed": 1, "gated": 2}
    await board.finish(claim)
    await free(board)
    assert (await board.place(second), await board.place(third)) == ("ready", "gated")
    (again,) = await board.claim(limit=3)
    assert again.item == second
    await board.give_back(again, Outcome.RELEASED)
    await free(board)
    await check_fold(board, "holds", "work_items")
    assert len(await board.claim(limit=3)) == 1


async def test_claim_that_finds_only_what_is_held_goes_on_to_what_is_not(board: BoardUnderTest) -> None:
    *held, free_one = await post(board, ["src/**"], ["src/a"], ["src/b"], [])
    await board.claim()
    assert [claim.item for claim in await board.claim()] == [free_one]
    assert [await board.place(item) for item in held] == ["claimed", "gated", "gated"]


async def test_held_item_that_is_cancelled_leaves_nothing(board: BoardUnderTest) -> None:
    _, second = await post(board, ["src/**"], ["src/a"])
    await board.claim(limit=2)
    await board.perform("cancel", reference="work/a001")
    assert await board.place(second) == "cancelled"
    assert await board.fetch("SELECT FROM holds WHERE board = $1") == []
    await free(board)
    await check_fold(board, "holds")


async def test_held_item_that_gets_a_blocker_waits_for_both(board: BoardUnderTest) -> None:
    _, second, third = await post(board, ["src/**"], ["src/a"], [])
    first, _ = await board.claim(limit=3)
    await board.perform("depend", reference="work/a001", on=["a002"])
    assert await board.remaining(second) == 2
    await board.finish(first)
    await free(board)
    assert (await board.remaining(second), await board.place(third)) == (1, "claimed")
    await check_fold(board, "holds")


async def test_why_names_what_holds_an_item_now_and_not_what_held_it_when_it_was_picked(board: BoardUnderTest) -> None:
    first, second = await post(board, ["src/**"], ["src/a"])
    (claim,) = await board.claim(limit=2)
    await board.perform("set_budget", task="work", cost=1.0)
    await board.perform("report_usage", item=first, fence=claim.fence, cost=2.0)
    async with board.chores() as tx:
        await spending.watch(tx)
    await board.finish(claim)
    await free(board)
    why = await board.perform("why", item=second)
    assert (why["moves"], why["because"]) == (False, "the budget of the task work is used up")
    assert second in [one["item"] for one in (await board.perform("stuck"))["items"]]
    await check_fold(board, "holds")
    told = await board.subjects()
    await free(board)
    assert await board.subjects() == told
    await board.perform("set_budget", task="work", cost=9.0)
    await free(board)
    assert await board.place(second) == "ready"
    await check_fold(board, "holds")


@pytest.mark.parametrize(
    "glob", ["", "/etc/passwd", "../x", "src/**.py", "a[", "a]b", "{a", "a//b", "a\\*", "x" * 1001]
)
async def test_glob_that_does_not_parse_is_refused_at_the_post(board: BoardUnderTest, glob: str) -> None:
    with pytest.raises(Invalid, match="touches"):
        await post(board, [glob])
    assert await board.places() == {}


async def test_race_for_what_overlaps_never_has_two_winners(board: BoardUnderTest) -> None:
    await post(board, *([f"src/{number % 4}/**"] for number in range(64)))
    done = 0
    for _ in range(30):
        taken = await asyncio.gather(*(board.claim(limit=3, worker=f"w{number}") for number in range(16)))
        claims = [claim for batch in taken for claim in batch]
        folders = [int(claim.reference[-3:]) % 4 for claim in claims]
        assert len(folders) == len(set(folders)), "two items that overlap ran at once"
        await asyncio.gather(*(board.finish(claim) for claim in claims))
        done += len(claims)
        await free(board)
    assert done == 64
