"""Ratings: each part of the sum, when it changes by itself, and the pin that stands alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from slateboard.protocol.errors import Denied, Invalid, UnknownName
from slateboard.protocol.work import NewArtifact
from slateboard.work import intake, ratings
from tests.factories import NewArtifactFactory, NewTaskFactory
from tests.support.boards import BoardUnderTest, Clock

TASK = NewTaskFactory.build(name="work")


async def _rating(board: BoardUnderTest, item: int) -> int:
    return -await board.fetchval("SELECT rank FROM ready WHERE board = $1 AND item = $2", item)


async def _refresh(board: BoardUnderTest, now: datetime) -> None:
    async with board.chores() as tx:
        await ratings.refresh(tx, limit=100_000, now=now)


@pytest.mark.parametrize(("priority", "rating"), [("urgent", 1000), ("high", 100), ("medium", 10), ("low", 1)])
async def test_priority_is_the_base(board: BoardUnderTest, priority: str, rating: int) -> None:
    items = await board.post(NewArtifactFactory.build(name="a", priority=priority), tasks=[TASK])
    assert await _rating(board, items["work/a"]) == rating
    explained = await board.perform("explain", item=items["work/a"])
    assert explained["rating"] == rating
    assert explained["parts"] == {"priority": rating}


async def test_artifact_without_a_priority_has_its_tasks(board: BoardUnderTest) -> None:
    task = NewTaskFactory.build(name="work", priority="urgent")
    items = await board.post(NewArtifactFactory.build(name="a"), tasks=[task])
    assert await _rating(board, items["work/a"]) == 1000


async def test_each_direct_dependent_adds_fifty_up_to_ten_of_them(board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": [], "b": ["a"], "c": ["a"], "d": ["c"]})
    assert await _rating(board, items["a"]) == 110
    many = await board.post_graph({"hub": []} | {f"n{number}": ["hub"] for number in range(15)}, task="many")
    assert await _rating(board, many["hub"]) == 510
    assert (await board.perform("explain", item=many["hub"]))["parts"] == {"priority": 10, "dependents": 500}


@pytest.mark.parametrize("how", ["post", "depend"])
async def test_dependent_that_comes_later_counts_at_the_next_refresh(board: BoardUnderTest, how: str) -> None:
    items = await board.post_graph({"a": [], "b": []})
    if how == "post":
        await board.post(NewArtifact(task="work", name="c", owner="cto", blocked_by=("a",)))
    else:
        await board.perform("depend", reference="work/b", on=["a"])
    await _refresh(board, datetime.now(UTC) + timedelta(seconds=5))
    assert await _rating(board, items["a"]) == 60


async def test_dependent_that_comes_later_takes_nothing_from_what_was_just_unblocked(board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": [], "b": ["a"]})
    await board.complete(items["a"])
    await board.post(NewArtifact(task="work", name="c", owner="cto", blocked_by=("b",)))
    await _refresh(board, datetime.now(UTC) + timedelta(seconds=5))
    assert await _rating(board, items["b"]) == 260


async def test_what_was_just_unblocked_comes_two_hundred_higher(board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": [], "b": ["a"]})
    await board.complete(items["a"])
    assert await _rating(board, items["b"]) == 210
    assert (await board.perform("explain", item=items["b"]))["parts"] == {"priority": 10, "just_unblocked": 200}


async def test_rating_grows_when_half_and_four_fifths_of_the_time_are_used(board: BoardUnderTest, clock: Clock) -> None:
    artifact = NewArtifactFactory.build(name="a", due=clock.now + timedelta(hours=10))
    async with board.writing(now=clock.now) as tx:
        item = (await intake.post(tx, tasks=[TASK], artifacts=[artifact])).items["work/a"]
    for hours, rating in ((4.9, 10), (5.1, 110), (7.9, 110), (8.1, 510), (20, 510)):
        await _refresh(board, clock.now + timedelta(hours=hours))
        assert await _rating(board, item) == rating, hours
    # The marks are used up: rating again costs nothing when nothing changes.
    assert await board.fetchval("SELECT count(*) FROM rating_changes WHERE board = $1") == 0


@pytest.mark.parametrize("hours", [-1, 0])
async def test_what_is_overdue_when_it_is_posted_is_rated_and_explained_so(
    board: BoardUnderTest, clock: Clock, hours: float
) -> None:
    artifact = NewArtifactFactory.build(name="a", due=clock.now + timedelta(hours=hours))
    async with board.writing(now=clock.now) as tx:
        item = (await intake.post(tx, tasks=[TASK], artifacts=[artifact])).items["work/a"]
    assert await _rating(board, item) == 510
    explained = await board.perform("explain", item=item)
    assert sum(explained["parts"].values()) == explained["rating"] == 510


async def test_pin_stands_alone_until_it_is_taken_back(board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": [], "b": ["a"], "first": []})
    await board.perform("pin", item=items["first"], rating=5000)
    assert (await board.perform("explain", item=items["first"]))["parts"] == {"pinned": 5000}
    assert (await board.claim())[0].item == items["first"]
    await board.perform("pin", item=items["a"], rating=-5)
    assert await _rating(board, items["a"]) == -5
    await board.perform("pin", item=items["a"], rating=None)
    assert await _rating(board, items["a"]) == 60


async def test_pin_of_what_waits_holds_when_it_becomes_ready(board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": [], "b": ["a"]})
    await board.perform("pin", item=items["b"], rating=77)
    await board.complete(items["a"])
    assert await _rating(board, items["b"]) == 77


async def test_pin_is_bounded_and_an_operators(board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": []})
    with pytest.raises(Invalid):
        await board.perform("pin", item=items["a"], rating=1_000_001)
    with pytest.raises(Denied):
        await board.perform("pin", by="backend", item=items["a"], rating=1)
    with pytest.raises(UnknownName):
        await board.perform("pin", item=1, rating=1)


async def test_explain_says_what_holds_an_item_and_how_many_are_ahead(board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": [], "b": ["a"], "c": []})
    explained = await board.perform("explain", item=items["b"])
    assert explained["place"] == "gated"
    assert [one["reference"] for one in explained["blocked_by"]] == ["work/a"]
    assert (await board.perform("explain", item=items["c"]))["ahead"] == 1
    await board.perform("pause", reason="lunch")
    assert (await board.perform("explain", item=items["c"]))["paused"] == [{"what": "the board", "reason": "lunch"}]
    with pytest.raises(UnknownName):
        await board.perform("explain", item=1)


async def test_scheduled_item_is_ready_when_its_time_has_come(board: BoardUnderTest, clock: Clock) -> None:
    later = clock.now + timedelta(hours=1)
    items = await board.post(NewArtifactFactory.build(name="a", run_at=later), tasks=[TASK])
    assert await board.place(items["work/a"]) == "scheduled"
    assert await board.claim() == []
    await board.promote(now=later - timedelta(seconds=1))
    assert await board.place(items["work/a"]) == "scheduled"
    await board.promote(now=later)
    assert await board.place(items["work/a"]) == "ready"
    (event,) = await board.log(subject="board.item.promoted")
    assert event.payload["items"] == [items["work/a"]]


async def test_gate_that_opens_before_the_time_has_come_leads_to_the_schedule(
    board: BoardUnderTest, clock: Clock
) -> None:
    later = clock.now + timedelta(hours=1)
    items = await board.post(
        NewArtifactFactory.build(name="a"),
        NewArtifactFactory.build(name="b", run_at=later, blocked_by=("a",)),
        tasks=[TASK],
    )
    await board.complete(items["work/a"])
    assert await board.place(items["work/b"]) == "scheduled"
    await board.promote(now=later)
    assert await _rating(board, items["work/b"]) == 210
