"""Work that waits: for an event, which ends it once, or until its time is over."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any

import pytest

from slateboard.patterns import filters, waits
from slateboard.protocol.errors import BadSubject, Invalid, LeaseLost, SlateError
from slateboard.protocol.work import Claim
from slateboard.server.duty import Duty
from slateboard.server.routing import route_once
from slateboard.work import gates
from tests.patterns.conftest import Router
from tests.patterns.test_routing import slow_over
from tests.support.boards import BoardUnderTest

APPROVED = "genbrain.events.pr.approved"


async def wait(board: BoardUnderTest, claim: Claim, **arguments: Any) -> dict[str, Any]:
    wanted = {"pattern": "genbrain.events.pr.*", "timeout_seconds": 60, **arguments}
    return await board.perform("wait_for", by="backend", item=claim.item, fence=claim.fence, **wanted)


async def claimed(board: BoardUnderTest) -> Claim:
    items = await board.post_graph({"a": []})
    return await board.claim_item(items["a"])


async def test_event_ends_the_wait_and_is_in_the_next_briefing(board: BoardUnderTest, router: Router) -> None:
    claim = await claimed(board)
    answer = await wait(board, claim, filter="$.payload.pr == 7", note="asked for a review")
    assert (answer["place"], await board.place(claim.item)) == ("gated", "gated")
    await board.perform("publish", subject=APPROVED, data={"pr": 6})
    await router.run()
    assert await board.place(claim.item) == "gated"
    await board.perform("publish", subject=APPROVED, data={"pr": 7})
    await board.perform("publish", subject=APPROVED, data={"pr": 7, "again": True})
    await router.run()
    again = await board.claim_item(claim.item)
    briefing = await board.perform("briefing", item=claim.item)
    assert (briefing["awaited"]["subject"], briefing["awaited"]["payload"]) == (APPROVED, {"pr": 7})
    assert briefing["attempts"][0]["note"] == "asked for a review"
    assert (again.attempt, briefing["attempts"][0]["outcome"]) == (2, "blocked")
    (told,) = await board.log(subject="board.item.waiting")
    assert told.row["correlation"] == claim.correlation


async def test_answer_that_came_before_the_wait_is_not_missed(board: BoardUnderTest, router: Router) -> None:
    await board.perform("publish", subject=APPROVED, data="before the claim")
    claim = await claimed(board)
    await board.perform("publish", subject=APPROVED, data="during the claim")
    await board.seal()
    await wait(board, claim)
    await router.run()
    assert (await board.perform("briefing", item=claim.item))["awaited"]["payload"] == "during the claim"
    assert await board.place(claim.item) == "ready"


@pytest.mark.parametrize("pattern", ["genbrain.events.pr.*", None])
async def test_time_ends_the_wait(board: BoardUnderTest, router: Router, pattern: str | None) -> None:
    claim = await claimed(board)
    await wait(board, claim, pattern=pattern)
    async with board.chores(now=dt.datetime.now(dt.UTC) + dt.timedelta(seconds=30)) as tx:
        await waits.time_out(tx)
    assert await board.place(claim.item) == "gated"
    async with board.chores(now=dt.datetime.now(dt.UTC) + dt.timedelta(seconds=61)) as tx:
        assert await waits.time_out(tx) >= 1
    assert await board.place(claim.item) == "ready"
    assert (await board.perform("briefing", item=claim.item))["awaited"] == {"timed_out": True}
    await board.perform("publish", subject=APPROVED)
    await router.run()
    assert (await board.perform("briefing", item=claim.item))["awaited"] == {"timed_out": True}


async def test_routers_and_the_clock_at_once_end_a_wait_once(board: BoardUnderTest, duty: Duty) -> None:
    claim = await claimed(board)
    await wait(board, claim)
    await board.perform("publish", subject=APPROVED)
    await board.seal()

    async def time_out() -> None:
        async with board.chores(now=dt.datetime.now(dt.UTC) + dt.timedelta(seconds=61)) as tx:
            await waits.time_out(tx)

    await asyncio.gather(*(route_once(duty) for _ in range(3)), time_out(), return_exceptions=True)
    assert await board.place(claim.item) == "ready"
    assert len(await board.log(subject="board.item.opened")) == 1


async def test_cancelled_work_waits_no_more(board: BoardUnderTest, router: Router) -> None:
    claim = await claimed(board)
    await wait(board, claim)
    await board.perform("cancel", reference="work/a")
    await board.perform("publish", subject=APPROVED)
    await router.run()
    assert await board.place(claim.item) == "cancelled"


async def test_sweep_leaves_a_gate_shut_that_waits_for_an_event(board: BoardUnderTest) -> None:
    claim = await claimed(board)
    await wait(board, claim)
    async with board.chores() as tx:
        await gates.repair(tx, after=(board.id, 0))
    assert await board.place(claim.item) == "gated"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"pattern": "a..b"}, BadSubject),
        ({"filter": "$."}, Invalid),
        ({"pattern": None, "filter": "$.payload"}, Invalid),
        ({"timeout_seconds": 0}, Invalid),
        ({"timeout_seconds": 31 * 86_400}, Invalid),
    ],
)
async def test_bad_wait_is_refused_and_keeps_the_claim(
    board: BoardUnderTest, arguments: dict[str, Any], error: type[SlateError]
) -> None:
    claim = await claimed(board)
    with pytest.raises(error):
        await wait(board, claim, **arguments)
    assert await board.place(claim.item) == "claimed"


async def test_lost_claim_cannot_wait(board: BoardUnderTest) -> None:
    claim = await claimed(board)
    await board.finish(claim)
    with pytest.raises(LeaseLost):
        await wait(board, claim)


async def test_waits_whose_filters_are_slow_are_left_to_the_next_step(
    board: BoardUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filters, "MOST_SECONDS", 0)
    items = await board.post_graph({"a": [], "b": [], "c": []})
    for item in items.values():
        await wait(board, await board.claim_item(item), filter="$.payload.pr == 7")
    await board.perform("publish", subject=APPROVED, data={"pr": 7})
    await board.seal()
    head = await board.fetchval("SELECT position FROM event_heads WHERE board = $1")
    seen: list[tuple[int, int]] = []
    for _ in items:
        async with board.writing() as tx:
            looked_at = await waits.match(tx, head=head)
        seen.append((looked_at, (await board.by_place()).get("ready", 0)))
    assert seen == [(waits.BATCH, 1), (waits.BATCH, 2), (1, 3)]


async def test_wait_whose_filter_is_slow_over_many_events_looks_at_fewer(
    board: BoardUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = slow_over(10, monkeypatch)
    (item,) = (await board.post_graph({"a": []})).values()
    await wait(board, await board.claim_item(item), filter="$.payload.pr == 24")
    for number in range(25):
        await board.perform("publish", subject=APPROVED, data={"pr": number})
    await board.seal()
    head = await board.fetchval("SELECT position FROM event_heads WHERE board = $1")
    while await board.place(item) != "ready":
        async with board.writing() as tx:
            await waits.match(tx, head=head)
    assert tried == [25, 10, 15, 10, 5]
    assert (await board.perform("briefing", item=item))["awaited"]["payload"] == {"pr": 24}
