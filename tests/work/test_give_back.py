"""Giving back: what each ending of an attempt does to the item, its counts and its next time."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

import pytest

from slateboard.protocol.errors import Invalid, LeaseLost
from slateboard.protocol.states import FailureClass, Outcome
from slateboard.protocol.work import GiveBack
from slateboard.work import finish
from tests.support.boards import BoardUnderTest, Clock

RETRIED = (FailureClass.TRANSIENT, FailureClass.INFRASTRUCTURE, FailureClass.VALIDATION)


async def _failed_at(board: BoardUnderTest, now: datetime) -> tuple[str, float | None]:
    """Claim, fail at a literal time, and say where the item is and after how many seconds it comes back."""
    (claim,) = await board.claim()
    back = GiveBack(
        item=claim.item, fence=claim.fence, outcome=Outcome.FAILED, failure_class=FailureClass.TRANSIENT, error="no"
    )
    async with board.hot() as tx:
        (given,), _ = await finish.give_back(tx, returns=[back], now=now)
    return given.place, (given.run_at - now).total_seconds() if given.run_at else None


async def test_failures_wait_longer_each_time_and_the_fourth_is_dead(board: BoardUnderTest, clock: Clock) -> None:
    items = await board.post_graph({"spec": []})
    for wait in (30, 120, 300):
        place, seconds = await _failed_at(board, clock.now)
        assert place == "scheduled"
        assert seconds is not None
        assert 0.8 * wait <= seconds <= 1.2 * wait
        assert await board.claim() == []
        await board.promote(now=clock.advance(seconds=2 * wait))
    assert await _failed_at(board, clock.now) == ("dead", None)
    (letter,) = await board.fetch("SELECT item, class, error FROM dead_letters WHERE board = $1")
    assert (letter["item"], letter["class"], letter["error"]) == (items["spec"], "transient", "no")


async def test_back_off_has_jitter(board: BoardUnderTest, clock: Clock) -> None:
    await board.tolerate_failures()
    await board.post_graph({f"n{number}": [] for number in range(12)})
    waits = {(await _failed_at(board, clock.now))[1] for _ in range(12)}
    assert len(waits) > 6


@pytest.mark.parametrize("failure_class", RETRIED)
async def test_failure_that_may_pass_is_tried_again(board: BoardUnderTest, failure_class: FailureClass) -> None:
    await board.post_graph({"spec": []})
    (claim,) = await board.claim()
    assert (await board.fail(claim, failure_class)).place == "scheduled"


async def test_logic_failure_is_dead_at_once(board: BoardUnderTest) -> None:
    await board.post_graph({"spec": []})
    (claim,) = await board.claim()
    assert (await board.fail(claim, FailureClass.LOGIC, "wrong assumption")).place == "dead"
    (event,) = await board.log(subject="board.item.died")
    assert event.payload["error"] == "wrong assumption"
    assert event.payload["class"] == "logic"


async def test_max_attempts_of_an_artifact_is_its_own(board: BoardUnderTest) -> None:
    from tests.factories import NewArtifactFactory, NewTaskFactory

    await board.post(NewArtifactFactory.build(max_attempts=1), tasks=[NewTaskFactory.build(name="work")])
    (claim,) = await board.claim()
    assert (await board.fail(claim)).place == "dead"


async def test_validation_error_is_in_the_next_briefing(board: BoardUnderTest) -> None:
    await board.post_graph({"spec": []})
    (claim,) = await board.claim()
    await board.fail(claim, FailureClass.VALIDATION, "the field `paths` is missing", delay_seconds=0)
    (again,) = await board.claim()
    briefing = await board.perform("briefing", item=again.item)
    assert briefing["last_error"] == "the field `paths` is missing"
    assert briefing["attempts"][0]["class"] == "validation"
    assert briefing["attempt"] == 2


async def test_delay_of_the_caller_stands_for_the_back_off(board: BoardUnderTest) -> None:
    await board.post_graph({"spec": []})
    (claim,) = await board.claim()
    assert (await board.fail(claim, delay_seconds=0)).place == "ready"
    (claim,) = await board.claim()
    given = await board.fail(claim, delay_seconds=7200)
    assert given.place == "scheduled"


async def test_interruption_is_no_failure_and_comes_back_at_once(board: BoardUnderTest) -> None:
    await board.post_graph({"spec": []})
    for _ in range(9):
        (claim,) = await board.claim()
        assert (await board.give_back(claim, Outcome.INTERRUPTED, error="shutdown")).place == "ready"
    row = (await board.fetch("SELECT failures, interruptions, attempts FROM work_items WHERE board = $1"))[0]
    assert (row["failures"], row["interruptions"], row["attempts"]) == (0, 9, 9)
    (claim,) = await board.claim()
    assert (await board.give_back(claim, Outcome.INTERRUPTED)).place == "dead"


async def test_returned_item_was_no_attempt(board: BoardUnderTest) -> None:
    await board.post_graph({"spec": []})
    (claim,) = await board.claim()
    assert (await board.give_back(claim, Outcome.RETURNED)).place == "ready"
    (again,) = await board.claim()
    assert again.attempt == 1
    assert again.fence > claim.fence
    assert await board.fetchval("SELECT count(*) FROM attempts WHERE board = $1") == 0


async def test_released_item_keeps_its_note_and_counts_as_an_attempt_but_not_as_a_failure(
    board: BoardUnderTest,
) -> None:
    await board.post_graph({"spec": []})
    (claim,) = await board.claim()
    await board.give_back(claim, Outcome.RELEASED, note="ask frontend first")
    (again,) = await board.claim()
    assert again.attempt == 2
    briefing = await board.perform("briefing", item=again.item)
    assert briefing["attempts"][0]["note"] == "ask frontend first"


async def test_fences_grow_from_attempt_to_attempt(board: BoardUnderTest) -> None:
    await board.post_graph({"spec": []})
    fences = []
    for _ in range(5):
        (claim,) = await board.claim()
        fences.append(claim.fence)
        await board.give_back(claim, Outcome.RELEASED)
    assert all(earlier < later for earlier, later in pairwise(fences))


async def test_giving_back_twice_is_refused_the_second_time(board: BoardUnderTest) -> None:
    await board.post_graph({"spec": []})
    (claim,) = await board.claim()
    await board.fail(claim)
    again = await board.fail(claim)
    assert isinstance(again.error, LeaseLost)
    assert await board.fetchval("SELECT failures FROM work_items WHERE board = $1") == 1


async def test_batch_of_mixed_endings_answers_for_each(board: BoardUnderTest) -> None:
    await board.post_graph({f"n{number}": [] for number in range(5)})
    claims = await board.claim(limit=5)
    kinds = [
        (Outcome.FAILED, FailureClass.TRANSIENT), (Outcome.FAILED, FailureClass.LOGIC), (Outcome.RELEASED, None),
        (Outcome.RETURNED, None),
    ]  # fmt: skip
    returns = [
        GiveBack(item=claim.item, fence=claim.fence, outcome=outcome, failure_class=failure_class)
        for claim, (outcome, failure_class) in zip(claims, kinds, strict=False)
    ] + [GiveBack(item=claims[4].item, fence=1, outcome=Outcome.RELEASED)]
    answers, woken = await board.perform("give_back", returns=list(reversed(returns)))
    places = {answer.item: answer.place for answer in answers}
    assert [places[claim.item] for claim in claims] == ["scheduled", "dead", "ready", "ready", None]
    assert isinstance(answers[0].error, LeaseLost)
    assert woken == [board.agents["backend"]]


@pytest.mark.parametrize(
    "arguments",
    [
        {"outcome": Outcome.COMPLETED},
        {"outcome": Outcome.CANCELLED},
        {"outcome": Outcome.FAILED},
        {"outcome": Outcome.FAILED, "failure_class": FailureClass.TRANSIENT, "delay_seconds": -1},
        {"outcome": Outcome.RELEASED, "delay_seconds": float("nan")},
        {"outcome": Outcome.RELEASED, "delay_seconds": float("inf")},
        {"outcome": Outcome.RELEASED, "note": "x" * 70_000},
    ],
)
async def test_ending_that_makes_no_sense_is_refused_and_the_claim_stays(
    board: BoardUnderTest, arguments: dict[str, object]
) -> None:
    await board.post_graph({"spec": []})
    (claim,) = await board.claim()
    with pytest.raises(Invalid) as refused:
        await board.perform("give_back", returns=[GiveBack(item=claim.item, fence=claim.fence, **arguments)])
    assert refused.value.remedy
    assert await board.place(claim.item) == "claimed"
