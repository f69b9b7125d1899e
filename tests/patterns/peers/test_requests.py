"""Open requests: who has the capability answers, the first N answers count, and never one more."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from slateboard.protocol.errors import BadName, Invalid, NotYours, SlateError, WrongState
from tests.patterns.peers.test_consults import claimed, late, said, unread
from tests.support.boards import BoardUnderTest


async def experts(board: BoardUnderTest, count: int) -> list[str]:
    """So many agents that know SQL."""
    names = [f"expert{number}" for number in range(count)]
    for name in names:
        await board.add_agent(name, capabilities=["sql"])
    return names


async def test_request_for_one_answer_is_taken_by_one_who_has_the_capability(peers: BoardUnderTest) -> None:
    await experts(peers, 2)
    asked = await peers.perform("request", by="backend", capability="sql", question="Which index?")
    (shown,) = (await peers.perform("list_escalations")).rows
    assert (shown["kind"], shown["owner"]) == ("request", "sql")
    assert await peers.claim("cto") == []
    (duty,) = await peers.claim("expert1")
    assert await peers.claim("expert0") == []
    assert duty.reference == "request/sql"
    (answer,) = await peers.finish(duty, by="expert1", content="GIN")
    assert answer.error is None
    assert await said(peers, asked["thread"]) == [("question", "backend", "Which index?"), ("answer", "expert1", "GIN")]
    assert await unread(peers, "backend") == [1]
    assert await peers.fetchval("SELECT closed_at IS NOT NULL FROM requests WHERE board = $1")


async def test_request_may_gate_the_item_of_who_asks(peers: BoardUnderTest) -> None:
    await experts(peers, 1)
    claim = await claimed(peers)
    asked = await peers.perform(
        "request", by="backend", capability="sql", question="Which index?", item=claim.item, fence=claim.fence
    )
    assert asked["place"] == await peers.place(claim.item) == "waiting"
    await peers.perform("why", item=claim.item)
    with pytest.raises(NotYours):
        await peers.perform("answer", by="frontend", escalation=asked["consults"][0], answer="None")
    await peers.perform("answer", by="expert0", escalation=asked["consults"][0], answer="GIN")
    assert await peers.place(claim.item) == "ready"
    briefing = await peers.perform("briefing", item=claim.item)
    assert [(one["answer"], one["answered_by"]) for one in briefing["answers"]] == [("GIN", "expert0")]


async def test_first_answers_of_many_at_once_count_and_no_more(peers: BoardUnderTest) -> None:
    names = await experts(peers, 12)
    asked = await peers.perform("request", by="backend", capability="sql", question="Which index?", answers=5)
    assert len(asked["consults"]) == 12
    claims = {name: (await peers.claim(name))[0] for name in names}

    async def answer(name: str) -> SlateError | None:
        (answer,) = await peers.finish(claims[name], by=name, content=f"says {name}")
        return answer.error

    errors = await asyncio.gather(*(answer(name) for name in names))
    assert errors.count(None) == 5
    answers = [by for kind, by, _ in await said(peers, asked["thread"]) if kind == "answer"]
    assert sorted(answers) == sorted(name for name, error in zip(names, errors, strict=True) if error is None)
    assert (await peers.perform("list_escalations")).rows == []
    assert await peers.fetchval("SELECT count(*) FROM leases WHERE board = $1") == 0
    with pytest.raises(WrongState):
        await peers.perform("answer", escalation=asked["consults"][-1], answer="me too")


async def test_last_answer_and_deadline_at_once_close_it_once(peers: BoardUnderTest) -> None:
    names = await experts(peers, 3)
    for number in range(6):
        asked = await peers.perform(
            "request", by="backend", capability="sql", question="?", answers=2, deadline_seconds=60
        )
        claims = {name: (await peers.claim(name))[0] for name in names}
        races = [peers.finish(claims[name], by=name, content=name) for name in names]
        races.insert(number % 4, late(peers, 1))  # pyright: ignore[reportArgumentType]
        await asyncio.gather(*races)
        kinds = [kind for kind, _, _ in await said(peers, asked["thread"])][1:]
        assert kinds.count("answer") <= 2
        assert kinds.count("overdue") <= 1
        assert kinds.count("overdue") == (kinds.count("answer") < 2)
        assert len(await peers.log(subject="board.request.closed")) == number + 1
    assert (await peers.perform("list_escalations")).rows == []


async def test_request_past_its_deadline_is_closed_with_what_there_is(peers: BoardUnderTest) -> None:
    await peers.perform("change_agent", name="frontend", manager="cto")
    await experts(peers, 3)
    asked = await peers.perform("request", by="backend", capability="sql", question="?", answers=2, deadline_seconds=60)
    (duty,) = await peers.claim("expert2")
    await peers.finish(duty, by="expert2", content="GIN")
    await late(peers, 1)
    assert (await said(peers, asked["thread"]))[-1] == (
        "overdue", "board", "the deadline has passed with 1 of 2 answers",
    )  # fmt: skip
    assert await unread(peers, "backend") == [2]
    assert (await peers.perform("list_escalations")).rows == []


async def test_request_that_nobody_took_in_time_leaves_dead_work_that_waited(peers: BoardUnderTest) -> None:
    await experts(peers, 1)
    claim = await claimed(peers)
    await peers.perform(
        "request", by="backend", capability="sql", question="?", item=claim.item, fence=claim.fence,
        deadline_seconds=60,
    )  # fmt: skip
    await late(peers, 1)
    assert await peers.place(claim.item) == "dead"


async def test_who_asks_does_not_take_its_own_request(peers: BoardUnderTest) -> None:
    await experts(peers, 2)
    asked = await peers.perform("request", by="expert0", capability="sql", question="Which index?")
    assert await peers.claim("expert0") == []
    (duty,) = await peers.claim("expert1")
    await peers.finish(duty, by="expert1", content="GIN")
    assert (await said(peers, asked["thread"]))[-1] == ("answer", "expert1", "GIN")


async def test_answer_whose_duty_died_does_not_keep_the_request_open(peers: BoardUnderTest) -> None:
    await peers.tolerate_failures()
    await experts(peers, 3)
    asked = await peers.perform("request", by="backend", capability="sql", question="?", answers=2)
    await peers.bury(asked["consults"][0], "expert0")
    for name in ("expert1", "expert2"):
        (duty,) = await peers.claim(name)
        await peers.finish(duty, by=name, content="GIN")
    assert (await peers.perform("list_dead_letters")).rows == []
    assert await peers.fetchval("SELECT closed_at IS NOT NULL FROM requests WHERE board = $1")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"capability": "no such"}, BadName),
        ({"capability": "cobol"}, Invalid),
        ({"answers": 0}, Invalid),
        ({"answers": 3}, Invalid),
        ({"answers": 101}, Invalid),
        ({"answers": 2, "item": 1, "fence": 1}, Invalid),
        ({"question": ""}, Invalid),
    ],
)
async def test_request_that_cannot_be_asked_changes_nothing(
    peers: BoardUnderTest, arguments: dict[str, Any], error: type[SlateError]
) -> None:
    await experts(peers, 2)
    with pytest.raises(error):
        await peers.perform("request", by="backend", **{"capability": "sql", "question": "Why?", **arguments})
    assert await peers.fetchval("SELECT count(*) FROM threads WHERE board = $1") == 0
