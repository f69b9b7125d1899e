"""Circuit breakers: they open after items in a row that failed, one probe goes through, and its outcome decides."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from slateboard.protocol.errors import BreakerOpen, Denied, Invalid, SlateError, WrongState
from slateboard.protocol.states import FailureClass, Outcome
from slateboard.protocol.work import NewArtifact
from slateboard.store.database import connect
from slateboard.work import breakers
from tests.support.boards import BoardUnderTest
from tests.support.breakers import fail_items, has_work, opened, posted, recovered, refused, state
from tests.support.live import check_fold

CALLERS = 32


async def test_three_failed_items_in_a_row_open_the_breaker_and_claims_say_so(board: BoardUnderTest) -> None:
    await posted(board, 4)
    await fail_items(board, 2)
    assert await has_work(board)
    await fail_items(board, 1)
    error = await refused(board)
    assert error.message.endswith("is open: 3 items failed in a row, the last: no route to the registry")
    assert error.details["until"] > error.details["since"]
    assert error.details["fallback"] == "escalate_to_human"
    assert "slate breaker close" in error.remedy
    assert not await has_work(board)
    (shown,) = await board.perform("list_breakers")
    assert (shown["agent"], shown["state"], shown["failed"]) == ("backend", "open", 3)
    await board.seal()
    history = (await board.perform("show_breaker", agent="backend"))["history"]
    assert [one["subject"] for one in history] == ["board.breaker.opened"]
    await check_fold(board)


async def test_probe_that_succeeds_closes_it_and_that_fails_opens_it_again(board: BoardUnderTest) -> None:
    await opened(board)
    await recovered(board)
    assert await has_work(board)
    assert await state(board) == "half_open"
    (probe,) = await board.claim(limit=10)
    assert not await has_work(board)
    assert (await refused(board)).details["probe"] == probe.item
    await check_fold(board)
    await board.fail(probe, FailureClass.TRANSIENT)
    assert await state(board) == "open"
    assert "the probe failed: it broke" in (await refused(board)).message
    await recovered(board)
    (probe,) = await board.claim(limit=10)
    assert (await board.finish(probe))[0].error is None
    assert await state(board) == "closed"
    assert len(await board.claim(limit=10)) == 1
    subjects = [one for one in await board.subjects() if one.startswith("board.breaker.")]
    verbs = ["opened", "probed", "reopened", "probed", "closed"]
    assert subjects == [f"board.breaker.{verb}" for verb in verbs]


async def test_item_counts_once_and_validation_interruption_and_success_do_not_add_up(board: BoardUnderTest) -> None:
    (first, *_) = await posted(board, 9)
    await board.fail(await board.claim_item(first))
    for _ in range(2):
        await board.promote(now=datetime.now(UTC) + timedelta(hours=1))
        await board.fail(await board.claim_item(first))
    assert (await board.perform("show_breaker", agent="backend"))["failed"] == 1
    await fail_items(board, 2, failure_class=FailureClass.VALIDATION)
    for claim in await board.claim(limit=2):
        await board.give_back(claim, Outcome.INTERRUPTED, error="shutdown")
    assert (await board.perform("show_breaker", agent="backend"))["failed"] == 1
    await fail_items(board, 1)
    (claim,) = await board.claim()
    await board.finish(claim)
    await fail_items(board, 2)
    assert await state(board) == "closed"
    assert len(await board.claim()) == 1


async def test_other_agents_and_what_runs_are_not_touched(board: BoardUnderTest) -> None:
    await posted(board, 6)
    held = await board.claim(limit=5)
    for claim in held[:3]:
        await board.fail(claim)
    assert await state(board) == "open"
    assert (await board.finish(held[3]))[0].error is None
    await recovered(board)
    await board.fail(held[4])
    assert await state(board) == "half_open"
    assert await board.claim("frontend") == []
    assert await board.place((await board.claim())[0].item) == "claimed"


@pytest.mark.parametrize("end", ["released", "returned", "interrupted", "expired", "cancelled", "blocked", "asked"])
async def test_probe_without_an_outcome_goes_back_and_the_next_claim_is_the_probe(
    board: BoardUnderTest, end: str
) -> None:
    await opened(board)
    await recovered(board)
    (probe,) = await board.claim()
    held = {"item": probe.item, "fence": probe.fence}
    if end == "expired":
        await board.expire(now=datetime.now(UTC) + timedelta(minutes=10))
    elif end == "cancelled":
        await board.perform("cancel", reference=probe.reference)
    elif end == "blocked":
        await board.perform("block_on", by="backend", **held, on=["work/a5"])
    elif end == "asked":
        await board.perform("ask", by="backend", **held, question="why?", of="cto")
    else:
        await board.give_back(probe, Outcome(end))
    shown = await board.perform("show_breaker", agent="backend")
    assert (shown["state"], shown["probe"]) == ("half_open", None)
    assert await has_work(board)
    (again,) = await board.claim(limit=5)
    assert again.fence > probe.fence
    assert (await refused(board)).details["probe"] == again.item
    subjects = await board.subjects()
    assert subjects.count("board.breaker.returned") == 1
    assert subjects.count("board.breaker.probed") == 2
    await check_fold(board)


@pytest_asyncio.fixture
async def wide(app_url: str, board: BoardUnderTest) -> AsyncIterator[BoardUnderTest]:
    """The board over a pool that has 32 connections open."""
    database = await connect(app_url, size=CALLERS)
    together = asyncio.Barrier(CALLERS)

    async def hold() -> None:
        async with database.acquire():
            await together.wait()

    await asyncio.gather(*(hold() for _ in range(CALLERS)))
    found = BoardUnderTest(database, board.id, board.name)
    found.agents, found.rights = board.agents, board.rights
    yield found
    await database.close()


async def test_of_32_callers_on_connections_of_their_own_one_gets_the_probe(wide: BoardUnderTest) -> None:
    await opened(wide, ready=CALLERS * 2)
    await recovered(wide)

    async def call() -> Sequence[Any]:
        try:
            return await wide.claim(limit=10)
        except BreakerOpen:
            return ()

    for number in range(5):
        found = await asyncio.gather(*(call() for _ in range(CALLERS)))
        (probe,) = [claim for one in found for claim in one]
        if number % 2:
            await wide.give_back(probe, Outcome.RELEASED)
        else:
            await wide.fail(probe)
            await recovered(wide)
    assert (await wide.subjects()).count("board.breaker.probed") == 5


async def test_probe_whose_finish_meets_claims_closes_it_once(board: BoardUnderTest) -> None:
    await opened(board, ready=20)
    await recovered(board)
    (probe,) = await board.claim()

    async def claim() -> Sequence[Any]:
        try:
            return await board.claim()
        except BreakerOpen:
            return ()

    await asyncio.gather(board.finish(probe), *(claim() for _ in range(8)))
    assert await state(board) == "closed"
    assert (await board.subjects()).count("board.breaker.closed") == 1


async def test_concurrent_failures_open_it_once(board: BoardUnderTest) -> None:
    await posted(board, 12)
    await asyncio.gather(*(board.fail(claim) for claim in await board.claim(limit=12)))
    assert (await board.subjects()).count("board.breaker.opened") == 1
    assert await state(board) == "open"


async def test_opened_closed_and_reset_by_hand(board: BoardUnderTest) -> None:
    await posted(board, 6)
    with pytest.raises(Invalid, match="for a reason"):
        await board.perform("open_breaker", agent="backend", reason=" ")
    with pytest.raises(Invalid):
        await board.perform("open_breaker", agent="backend", reason="x" * 1_001)
    shown = await board.perform("open_breaker", agent="backend", reason="it deletes files", recovery_seconds=60)
    assert (shown["state"], shown["until"] - shown["since"]) == ("open", timedelta(seconds=60))
    assert "it deletes files" in (await refused(board)).message
    with pytest.raises(WrongState):
        await board.perform("open_breaker", agent="backend", reason="again")
    await check_fold(board)
    await recovered(board)
    (probe,) = await board.claim()
    await board.finish(probe)
    assert await state(board) == "closed"
    with pytest.raises(WrongState):
        await board.perform("close_breaker", agent="backend")
    await fail_items(board, 2)
    await board.perform("reset_breaker", agent="backend")
    await fail_items(board, 2)
    assert await state(board) == "closed"
    for operation in ("close_breaker", "reset_breaker"):
        with pytest.raises(Denied):
            await board.perform(operation, by="backend", agent="backend")
    await check_fold(board)


async def test_probe_that_a_person_closed_or_that_is_late_decides_nothing(board: BoardUnderTest) -> None:
    await opened(board)
    await recovered(board)
    (probe,) = await board.claim()
    await board.perform("close_breaker", agent="backend")
    await board.perform("open_breaker", agent="backend", reason="after all")
    await board.finish(probe)
    assert await state(board) == "open"


async def test_hooked_result_of_the_probe_closes_it(board: BoardUnderTest) -> None:
    await opened(board, ready=0)
    await board.post(NewArtifact(task="work", name="judged", owner="backend", rules={"evidence": ["note"]}))
    await recovered(board)
    (probe,) = await board.claim()
    answers = await board.finish(probe, content="x", evidence=[{"note": "seen"}])
    assert answers[0].error is None
    assert await state(board) == "closed"


async def test_success_during_an_opening_leaves_its_count(board: BoardUnderTest) -> None:
    await posted(board, 5)
    held = await board.claim(limit=4)
    for claim in held[:3]:
        await board.fail(claim)
    await board.finish(held[3])
    assert await board.fetchval("SELECT failed FROM failure_runs WHERE board = $1") == 3


async def test_claim_of_one_item_and_an_empty_queue_are_probed_like_any(board: BoardUnderTest) -> None:
    await opened(board, ready=2)
    await recovered(board)
    await board.perform("pause", agent="backend")
    with pytest.raises(SlateError, match="paused"):
        await board.claim()
    await board.perform("resume", agent="backend")
    items = [row["item"] for row in await board.fetch("SELECT item FROM ready WHERE board = $1 ORDER BY item")]
    probe = await board.claim_item(items[1])
    assert probe.item == items[1]
    await board.finish(probe)
    await board.complete(items[0])
    await board.perform("open_breaker", agent="backend", reason="empty")
    await recovered(board)
    assert await board.claim() == []
    assert (await board.perform("show_breaker", agent="backend"))["probe"] is None


async def test_half_open_details_travel_as_plain_values(board: BoardUnderTest) -> None:
    await opened(board)
    assert json.loads(json.dumps((await refused(board)).as_dict()))["code"] == "breaker_open"


async def test_list_is_bounded(board: BoardUnderTest) -> None:
    with pytest.raises(Invalid):
        await board.perform("list_breakers", limit=0)
    assert breakers.MAX_SHOWN == 1_000
