"""The rules of circuit breakers, and what becomes of an agent's work while its own is open."""

from __future__ import annotations

import pytest

from slateboard.patterns import openings
from slateboard.protocol.errors import Denied, Invalid
from slateboard.protocol.states import FailureClass, Outcome
from slateboard.protocol.work import GiveBack, NewArtifact
from slateboard.work import breakers, intake
from tests.support.boards import BoardUnderTest
from tests.support.breakers import apply, fail_items, has_work, opened, posted, recovered, refused, rules, state
from tests.support.live import check_fold


async def test_rules_are_those_of_the_agent_else_the_board_s(board: BoardUnderTest) -> None:
    await apply(board, "circuit_breaker: {failure_threshold: 2, recovery_timeout: 5m, fallback: queue_for_retry}")
    done = await apply(board, rules("failure_threshold: 1, recovery_timeout: 90"))
    assert done["created"] == [{"kind": "circuit breaker", "reference": "backend"}]
    own = await board.perform("show_breaker", agent="backend")
    assert (own["failure_threshold"], own["recovery_seconds"], own["fallback"]) == (1, 90, "escalate_to_human")
    other = await board.perform("show_breaker", agent="frontend")
    assert (other["failure_threshold"], other["recovery_seconds"], other["fallback"]) == (2, 300, "queue_for_retry")
    again = await apply(board, rules("failure_threshold: 1, recovery_timeout: 90"))
    assert (again["created"], again["changed"], again["unchanged"]) == ([], [], 1)
    changed = await apply(board, rules("failure_threshold: 4", agents="frontend"))
    assert [one["reference"] for one in changed["created"]] == ["frontend"]
    assert [one["reference"] for one in changed["removed"]] == ["backend"]
    assert (await board.perform("show_breaker", agent="backend"))["failure_threshold"] == 2
    await posted(board, 3)
    await fail_items(board, 2)
    assert await state(board) == "open"
    await check_fold(board)


@pytest.mark.parametrize(
    "body",
    [
        "failure_threshold: 0",
        "failure_threshold: many",
        "recovery_timeout: soon",
        "recovery_timeout: 0s",
        "recovery_timeout: -5",
        "fallback: pray",
        "fallback: reassign",
        "fallback: reassign, substitute: backend",
        "substitute: frontend",
        "threshold: 3",
    ],
)
async def test_rules_that_cannot_be_meant_are_refused_with_their_place(board: BoardUnderTest, body: str) -> None:
    with pytest.raises(Invalid) as raised:
        await apply(board, rules(body))
    assert raised.value.details["line"] == 4
    assert await board.fetchval("SELECT count(*) FROM breaker_settings WHERE board = $1") == 0


async def test_only_an_operator_sets_rules_and_no_two_manifests_speak_of_one_agent(board: BoardUnderTest) -> None:
    with pytest.raises(Denied):
        await board.perform("apply", by="backend", documents=[{"source": "x", "text": rules("failure_threshold: 9")}])
    await apply(board, rules("failure_threshold: 9"))
    with pytest.raises(Invalid, match="said by CircuitBreaker/builders"):
        await apply(board, rules("failure_threshold: 9", name="others"))


async def test_substitute_takes_from_the_open_agent_s_queue_and_only_then(board: BoardUnderTest) -> None:
    await apply(board, rules("failure_threshold: 1, fallback: reassign, substitute: frontend"))
    await posted(board, 3)
    assert not await has_work(board, "frontend")
    assert await board.claim("frontend") == []
    await fail_items(board, 1)
    assert (await refused(board)).details["fallback"] == "reassign"
    assert await has_work(board, "frontend")
    (claim,) = await board.claim("frontend")
    assert (await board.finish(claim, by="frontend"))[0].error is None
    assert await state(board) == "open"
    await board.perform("close_breaker", agent="backend", reason="mended")
    assert await board.claim("frontend") == []
    assert len(await board.claim()) == 1
    await check_fold(board)


async def test_substitute_is_woken_by_the_opening_and_by_what_comes_meanwhile(board: BoardUnderTest) -> None:
    await apply(board, rules("failure_threshold: 1, fallback: reassign, substitute: frontend"))
    backend, frontend = board.agents["backend"], board.agents["frontend"]
    await posted(board, 3)
    (claim,) = await board.claim()
    failed = GiveBack(item=claim.item, fence=claim.fence, outcome=Outcome.FAILED, failure_class=FailureClass.TRANSIENT)
    _, woken = await board.perform("give_back", returns=[failed])
    assert frontend in woken
    async with board.writing() as tx:
        await intake.post(tx, tasks=[], artifacts=[NewArtifact(task="work", name="more", owner="backend")])
        await tx.flush()
        assert tx.woken == {board.id: {backend, frontend}}
    await board.perform("close_breaker", agent="backend")
    async with board.writing() as tx:
        await intake.post(tx, tasks=[], artifacts=[NewArtifact(task="work", name="own", owner="backend")])
        await tx.flush()
        assert tx.woken == {board.id: {backend}}
    async with board.writing() as tx:
        await breakers.open_breaker(tx, agent="backend", reason="it lies")
        assert tx.woken == {board.id: {frontend}}


async def test_claims_go_on_with_a_warning_until_a_probe_closes_it(board: BoardUnderTest) -> None:
    await apply(board, rules("failure_threshold: 1, fallback: proceed_with_warning"))
    await posted(board, 8)
    await fail_items(board, 1)
    assert await state(board) == "open"
    assert await has_work(board)
    before = await board.claim(limit=2)
    assert len(before) == 2
    await board.finish(before[0])
    assert await state(board) == "open"
    await recovered(board)
    (probe,) = await board.claim(limit=2)
    assert len(await board.claim(limit=2)) == 2
    await board.finish(before[1])
    assert await state(board) == "half_open"
    await board.finish(probe)
    assert await state(board) == "closed"
    await check_fold(board)


async def test_queued_work_waits_for_the_probe_and_nobody_is_asked(board: BoardUnderTest) -> None:
    await board.add_agent("boss", kind="human")
    await apply(board, rules("failure_threshold: 1, fallback: queue_for_retry"))
    await posted(board, 3)
    await fail_items(board, 1)
    assert await tell(board) == 0
    assert (await refused(board)).details["fallback"] == "queue_for_retry"
    assert (await board.by_place())["ready"] == 2
    assert await board.claim("frontend") == []
    await recovered(board)
    await board.complete((await board.perform("list_items", place="ready")).rows[0]["id"])
    assert await state(board) == "closed"


ASKED = "SELECT count(*) FROM escalations WHERE board = $1 AND kind = 'breaker'"


async def tell(board: BoardUnderTest) -> int:
    """How many questions about its breakers the chore raises on this board; other tests leave open ones on theirs."""
    before = await board.fetchval(ASKED)
    async with board.chores() as tx:
        await openings.tell(tx)
    return await board.fetchval(ASKED) - before


async def test_a_person_is_asked_once_for_an_opening_and_can_close_it(board: BoardUnderTest) -> None:
    await opened(board)
    assert await tell(board) == 0  # there is nobody to ask
    await board.add_agent("boss", kind="human")
    assert (await tell(board), await tell(board)) == (1, 0)
    (asked,) = (await board.perform("list_escalations", agent="boss")).rows
    assert (asked["kind"], asked["options"], asked["default"]) == ("breaker", ["close", "wait"], "wait")
    assert "3 items failed in a row" in asked["question"]
    assert (await board.perform("show_breaker", agent="backend"))["escalation"] == asked["item"]
    await check_fold(board)
    await board.perform("answer", by="boss", escalation=asked["item"], answer="close")
    assert await state(board) == "closed"
    assert len(await board.claim()) == 1
    await check_fold(board)


async def test_who_has_answered_is_asked_again_when_the_probe_fails(board: BoardUnderTest) -> None:
    await board.add_agent("boss", kind="human")
    await opened(board)
    await tell(board)
    for again in (0, 1):
        await recovered(board)
        await board.fail((await board.claim())[0])
        assert await tell(board) == again
        (asked,) = (await board.perform("list_escalations")).rows
        await board.perform("answer", escalation=asked["item"], answer="wait")
    await check_fold(board)
