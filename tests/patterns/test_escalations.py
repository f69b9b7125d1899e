"""Waiting on people: whoever asks waits, somebody named answers in time, or it goes up and comes to an end."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from slateboard.patterns import escalations
from slateboard.protocol.errors import (
    FinishConflict,
    HasDependents,
    Invalid,
    LeaseLost,
    NotYours,
    SlateError,
    UnknownName,
    WrongState,
)
from slateboard.protocol.names import BoardId
from slateboard.protocol.rights import SYSTEM
from slateboard.protocol.states import FailureClass
from slateboard.protocol.work import Claim, NewArtifact, NewTask
from slateboard.transaction import writing
from tests.support.boards import BoardUnderTest
from tests.support.live import check_fold

MOVES = "SELECT coalesce(sum(level), 0) + count(answered_at) FROM escalations WHERE board = $1"


async def claimed(board: BoardUnderTest) -> Claim:
    await board.post_graph({"spec": []})
    (claim,) = await board.claim()
    return claim


async def ask(board: BoardUnderTest, claim: Claim, **arguments: Any) -> dict[str, Any]:
    asked = {"question": "Which port?", "of": "cto", "by": "backend", **arguments}
    return await board.perform("ask", item=claim.item, fence=claim.fence, **asked)


async def late(board: BoardUnderTest, hours: float) -> int:
    """Let the leader look at what is overdue so many hours from now; how much it moved or ended on this board."""
    before = await board.fetchval(MOVES)
    now = await board.fetchval("SELECT now() + make_interval(mins => $2) WHERE $1 > 0", round(hours * 60))
    async with writing(board.database, SYSTEM, BoardId(0), now=now) as tx:
        await escalations.time_out(tx, limit=10_000)
    return await board.fetchval(MOVES) - before


async def test_work_that_asks_waits_for_the_answer_and_goes_on_with_it(board: BoardUnderTest) -> None:
    claim = await claimed(board)
    asked = await ask(board, claim, options=["80", "8080"], note="half done")
    assert (asked["place"], await board.place(claim.item)) == ("waiting", "waiting")
    (shown,) = (await board.perform("list_escalations", agent="cto")).rows
    assert (shown["question"], shown["owner"], shown["options"]) == ("Which port?", "cto", ["80", "8080"])
    (duty,) = await board.claim("cto")
    assert (duty.kind, duty.item) == ("answer", asked["escalation"])
    briefing = await board.perform("briefing", item=duty.item)
    assert briefing["question"]["question"] == "Which port?"
    await board.perform("answer", by="cto", escalation=duty.item, answer="8080")
    (again,) = await board.claim()
    assert again.item == claim.item
    briefing = await board.perform("briefing", item=again.item)
    assert [(one["answer"], one["answered_by"]) for one in briefing["answers"]] == [("8080", "cto")]
    assert (await board.perform("list_escalations")).rows == []


async def test_agent_answers_by_finishing_its_claim(board: BoardUnderTest) -> None:
    claim = await claimed(board)
    asked = await ask(board, claim)
    (duty,) = await board.claim("cto")
    (answer,) = await board.finish(duty, by="cto", content="8080")
    assert answer.error is None
    assert await board.place(claim.item) == "ready"
    assert await board.place(asked["escalation"]) == "done"
    (repeated,) = await board.finish(duty, by="cto", content="8080")
    assert repeated.error is None
    (other,) = await board.finish(duty, by="cto", content="80")
    assert isinstance(other.error, FinishConflict)
    await check_fold(board)


async def test_answer_that_is_none_of_the_options_leaves_the_claim_of_the_question(board: BoardUnderTest) -> None:
    claim = await claimed(board)
    asked = await ask(board, claim, options=["80", "8080"])
    (duty,) = await board.claim("cto")
    (answer,) = await board.finish(duty, by="cto", content="81")
    assert isinstance(answer.error, Invalid)
    assert await board.place(asked["escalation"]) == "claimed"
    assert await board.place(claim.item) == "waiting"


async def test_question_whose_duty_dies_is_answered_all_the_same_or_discarded(board: BoardUnderTest) -> None:
    claim = await claimed(board)
    asked = await ask(board, claim)
    (duty,) = await board.claim("cto")
    await board.fail(duty, FailureClass.LOGIC, by="cto")
    assert len((await board.perform("list_escalations")).rows) == 1
    with pytest.raises(HasDependents):
        await board.perform("discard", items=[duty.item], reason="no")
    await board.perform("answer", by="cto", escalation=duty.item, answer="80")
    assert (await board.place(claim.item), await board.place(duty.item)) == ("ready", "done")
    (claim,) = await board.claim()
    asked = await ask(board, claim)
    await board.bury(asked["escalation"], "cto")
    await board.perform("discard", items=[asked["escalation"]], reason="no", waive=True)
    assert await board.place(claim.item) == "ready"
    assert await board.fetchval("SELECT count(*) FROM waiting WHERE board = $1") == 0
    with pytest.raises(WrongState):
        await board.perform("answer", by="cto", escalation=asked["escalation"], answer="80")
    (claim,) = await board.claim()
    await ask(board, claim)
    assert await late(board, 100) == 1
    await check_fold(board)


async def test_failure_that_nobody_answers_comes_to_an_end_too(board: BoardUnderTest) -> None:
    items = await board.post(
        NewArtifact(task="work", name="a", owner="backend"),
        tasks=[NewTask(name="work", title="work", delegator="cto")],
    )
    await board.bury(items["work/a"])
    assert await late(board, 5) == 1
    assert (await board.perform("list_escalations")).rows == []
    assert await board.place(items["work/a"]) == "dead"
    await check_fold(board)


@pytest.mark.parametrize("deadline", [60, 3600])
async def test_answer_deadline_and_cancel_at_once_leave_one_end(board: BoardUnderTest, deadline: float) -> None:
    for number in range(6):
        (item,) = (await board.post_graph({"spec": []}, task=f"t{number}")).values()
        claim = await board.claim_item(item)
        asked = await ask(board, claim, default="80", deadline_seconds=deadline)

        async def answer(escalation: int) -> None:
            with suppress(WrongState):
                await board.perform("answer", by="cto", escalation=escalation, answer="8080")

        async def cancel(reference: str) -> None:
            with suppress(WrongState):
                await board.perform("cancel", reference=reference)

        races = [answer(asked["escalation"]), cancel(claim.reference), late(board, 0.5)]
        await asyncio.gather(*races[number % 3 :], *races[: number % 3])
        assert await board.place(item) == "cancelled"
        assert await board.place(asked["escalation"]) in {"done", "cancelled"}
    assert (await board.perform("list_escalations")).rows == []
    assert await board.fetchval("SELECT count(*) FROM waiting WHERE board = $1") == 0
    await check_fold(board)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"question": " "}, Invalid),
        ({"of": "nobody"}, UnknownName),
        ({"of": "backend"}, Invalid),
        ({"deadline_seconds": 0}, Invalid),
        ({"options": ["a", "a"]}, Invalid),
        ({"options": ["a", "b"], "default": "c"}, Invalid),
        ({"severity": "awful"}, Invalid),
        ({"fence": 1}, LeaseLost),
    ],
)
async def test_question_that_cannot_be_asked_changes_nothing(
    board: BoardUnderTest, arguments: dict[str, Any], error: type[SlateError]
) -> None:
    claim = await claimed(board)
    given = {"item": claim.item, "fence": claim.fence, "question": "Why?", "of": "cto", **arguments}
    with pytest.raises(error):
        await board.perform("ask", by="backend", **given)
    assert await board.place(claim.item) == "claimed"


async def test_only_its_owner_or_an_operator_answers_and_only_once(board: BoardUnderTest) -> None:
    claim = await claimed(board)
    escalation = (await ask(board, claim, options=["a", "b"]))["escalation"]
    with pytest.raises(NotYours):
        await board.perform("answer", by="frontend", escalation=escalation, answer="a")
    with pytest.raises(Invalid, match="none of the options"):
        await board.perform("answer", by="cto", escalation=escalation, answer="c")
    with pytest.raises(UnknownName):
        await board.perform("answer", by="cto", escalation=claim.item, answer="a")
    await board.perform("answer", escalation=escalation, answer="a")
    with pytest.raises(WrongState, match="done already"):
        await board.perform("answer", by="cto", escalation=escalation, answer="b")


async def test_what_nobody_answers_goes_up_twice_and_then_its_default_stands(board: BoardUnderTest) -> None:
    await board.perform("add_agent", name="ceo", kind="human")
    await board.fetch(
        "UPDATE agents SET manager = $2 WHERE board = $1 AND name = 'cto' RETURNING 1", board.agents["frontend"]
    )
    claim = await claimed(board)
    asked = await ask(board, claim, default="80", deadline_seconds=3600)
    (held,) = await board.claim("cto")
    owners: list[str] = []
    for hours in (1.1, 2.2):
        assert await late(board, hours) == 1
        (shown,) = (await board.perform("list_escalations")).rows
        owners.append(shown["owner"])
    assert owners == ["frontend", "ceo"]
    assert await late(board, 2.3) == 0
    assert (await board.finish(held, by="cto"))[0].error is not None
    assert await late(board, 3.3) == 1
    assert await board.place(claim.item) == "ready"
    (answer,) = (await board.perform("briefing", item=claim.item))["answers"]
    assert (answer["answer"], answer["answered_by"]) == ("80", "default")
    assert await board.place(asked["escalation"]) == "done"


async def test_without_a_default_what_waits_becomes_a_dead_letter(board: BoardUnderTest) -> None:
    claim = await claimed(board)
    await ask(board, claim, deadline_seconds=60)
    assert await late(board, 1) == 1
    assert await board.place(claim.item) == "dead"
    (letter,) = await board.fetch("SELECT class, error FROM dead_letters WHERE board = $1")
    assert (letter["class"], letter["error"]) == ("unanswered", "nobody answered: Which port?")
    (told,) = await board.log(subject="genbrain.dlq.backend")
    assert told.payload["item"] == claim.item
    await board.perform("redrive", items=[claim.item])
    assert [one.item for one in await board.claim()] == [claim.item]


async def test_question_about_an_agent_that_dies_of_its_own_question_is_logged_as_it_is(board: BoardUnderTest) -> None:
    await board.perform("change_agent", name="backend", manager="cto")
    three = [NewArtifact(task="work", name=name, owner="backend", max_attempts=1) for name in "abc"]
    for item in (await board.post(*three, tasks=[NewTask(name="work", title="work")])).values():
        await board.fail(await board.claim_item(item), FailureClass.VALIDATION)
    (duty,) = await board.claim("cto")
    await ask(board, duty, by="cto", of="frontend", deadline_seconds=60)
    assert await late(board, 1) == 1
    assert await board.place(duty.item) == "dead"
    await check_fold(board)


async def test_cancelled_work_takes_its_question_with_it(board: BoardUnderTest) -> None:
    claim = await claimed(board)
    asked = await ask(board, claim)
    await board.perform("cancel", reference=claim.reference)
    assert await board.place(asked["escalation"]) == "cancelled"
    assert await board.claim("cto") == []
    assert (await board.perform("list_escalations")).rows == []
    await late(board, 100)
    assert await board.place(asked["escalation"]) == "cancelled"


async def test_answer_and_deadline_at_once_end_it_once(board: BoardUnderTest) -> None:
    claim = await claimed(board)
    asked = await ask(board, claim, default="80", deadline_seconds=60)

    async def answer() -> None:
        with suppress(WrongState):
            await board.perform("answer", by="cto", escalation=asked["escalation"], answer="8080")

    await asyncio.gather(answer(), late(board, 1), answer(), late(board, 1))
    assert await board.place(claim.item) == "ready"
    assert len(await board.log(subject="board.escalation.answered")) == 1


@pytest.mark.parametrize(("owner", "deadline"), [("NULL", "now()"), ("1", "NULL")])
async def test_database_refuses_to_wait_without_an_owner_or_a_deadline(
    board: BoardUnderTest, owner: str, deadline: str
) -> None:
    with pytest.raises(Invalid, match="null value"):
        await board.fetch(
            "INSERT INTO waiting (board, item, owner, deadline, on_item, reason, since)"
            f" VALUES ($1, 1, {owner}, {deadline}, 2, 'question', now()) RETURNING 1"
        )
