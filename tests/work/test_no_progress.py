"""No progress: attempts in a row that end without a result and without a failure come to an end, as does revising."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from slateboard.protocol.errors import NoProgress
from slateboard.protocol.states import FailureClass, Outcome
from slateboard.protocol.work import Claim, NewArtifact, NewTask
from tests.support.boards import BoardUnderTest
from tests.work.test_budgets import check_fold

HASH = f"sha256:{'a' * 64}"


async def post(board: BoardUnderTest, **rules: Any) -> int:
    items = await board.post(
        NewArtifact(task="work", name="a", owner="backend", rules=rules or None),
        tasks=[NewTask(name="work", title="work", delegator="cto")],
    )
    return items["work/a"]


async def released(board: BoardUnderTest, times: int) -> str | None:
    place = None
    for _ in range(times):
        (claim,) = await board.claim()
        place = (await board.give_back(claim, Outcome.RELEASED)).place
    return place


@pytest.mark.parametrize(("rules", "limit"), [({}, 20), ({"max_idle_attempts": 3}, 3)])
async def test_work_that_is_given_back_again_and_again_becomes_a_dead_letter(
    board: BoardUnderTest, rules: dict[str, Any], limit: int
) -> None:
    item = await post(board, **rules)
    assert await released(board, limit - 1) == "ready"
    assert await released(board, 1) == "dead"
    (letter,) = await board.fetch("SELECT class, error FROM dead_letters WHERE board = $1")
    assert letter["class"] == "no_progress"
    assert f"{limit} attempts in a row" in letter["error"]
    (asked,) = (await board.perform("list_escalations", agent="cto")).rows
    assert "no_progress" in asked["question"]
    (told,) = await board.log(subject="genbrain.dlq.backend")
    assert told.payload["class"] == "no_progress"
    await check_fold(board, "dead_letters", "attempts", "work_items")
    report = await board.perform("report_audit")
    assert [one["class"] for one in report["dead_letters"]] == ["no_progress"]
    await board.perform("redrive", items=[item])
    assert await released(board, limit - 1) == "ready"
    assert await released(board, 1) == "dead"


async def test_any_other_end_begins_the_count_anew(board: BoardUnderTest) -> None:
    await post(board, max_idle_attempts=2)
    await released(board, 1)
    (claim,) = await board.claim()
    await board.fail(claim, FailureClass.TRANSIENT, delay_seconds=0)
    assert await released(board, 1) == "ready"
    assert await released(board, 1) == "dead"


async def test_prefetched_work_that_was_never_started_counts_as_nothing(board: BoardUnderTest) -> None:
    await post(board, max_idle_attempts=1)
    for _ in range(3):
        (claim,) = await board.claim()
        assert (await board.give_back(claim, Outcome.RETURNED)).place == "ready"


async def ask(board: BoardUnderTest, claim: Claim) -> None:
    asked = await board.perform("ask", by="backend", item=claim.item, fence=claim.fence, question="Why?", of="cto")
    await board.perform("answer", by="cto", escalation=asked["escalation"], answer="because")


async def block(board: BoardUnderTest, claim: Claim) -> None:
    await board.perform("block_on", by="backend", item=claim.item, fence=claim.fence, on=["work/b"])


async def wait(board: BoardUnderTest, claim: Claim) -> None:
    await board.perform("wait_for", by="backend", item=claim.item, fence=claim.fence, timeout_seconds=1)


@pytest.mark.parametrize("end", [ask, block, wait])
async def test_loop_of_questions_blockers_or_waits_is_refused_and_the_claim_kept(
    board: BoardUnderTest, end: Callable[[BoardUnderTest, Claim], Awaitable[None]]
) -> None:
    item = await post(board, max_idle_attempts=2)
    (done,) = (await board.post(NewArtifact(task="work", name="b", owner="frontend"))).values()
    await board.complete(done, agent="frontend")
    await released(board, 1)
    (claim,) = await board.claim()
    with pytest.raises(NoProgress, match="2 attempts in a row"):
        await end(board, claim)
    assert await board.place(item) == "claimed"
    assert (await board.perform("list_escalations")).rows == []
    assert (await board.give_back(claim, Outcome.RELEASED)).place == "dead"


async def test_question_below_the_limit_counts(board: BoardUnderTest) -> None:
    await post(board, max_idle_attempts=2)
    (claim,) = await board.claim()
    await ask(board, claim)
    assert await released(board, 1) == "dead"


async def test_revising_what_stays_the_same_is_refused_to_agents(board: BoardUnderTest) -> None:
    await post(board)
    for _ in range(3):
        (claim,) = await board.claim()
        await board.finish(claim, by="backend", content="same", hash=HASH)
        last = claim.item
        if (await board.perform("list_versions", references=["work/a"]))[0]["version"] < 3:
            await board.perform("revise", by="backend", reference="work/a")
    with pytest.raises(NoProgress, match="last 3 versions of work/a are the same"):
        await board.perform("revise", by="backend", reference="work/a")
    assert await board.place(last) == "done"
    await board.perform("revise", reference="work/a", reason="a person wants it")
    (claim,) = await board.claim()
    await board.finish(claim, by="backend", content="other", hash=f"sha256:{'b' * 64}")
    await board.perform("revise", by="backend", reference="work/a")
