"""Who does not come, falls silent or dies never hangs a meeting: the clock is moved, and it goes on to a valid end."""

from __future__ import annotations

import pytest

from slateboard.protocol.errors import WrongState
from slateboard.protocol.states import FailureClass
from tests.patterns.meetings.conftest import SEATS
from tests.support.boards import BoardUnderTest
from tests.support.live import check_fold
from tests.support.meetings import MeetingUnderTest


async def test_meeting_without_a_quorum_is_moved_once_and_then_somebody_is_asked(
    board: BoardUnderTest, meeting: MeetingUnderTest
) -> None:
    await board.perform("add_agent", name="olivia", kind="human")
    await meeting.schedule(SEATS, ["a"])
    await meeting.answer((await meeting.asked("join"))[0])
    await meeting.after(seconds=61)
    assert await meeting.state() == "scheduled"
    assert await meeting.asked() == []
    await meeting.after(seconds=301)
    assert await meeting.state() == "waiting"
    assert len(await meeting.asked("join")) == 3
    await meeting.after(seconds=61)
    assert await meeting.state() == "escalated"
    with pytest.raises(WrongState):
        await meeting.do("join_meeting", "cto")
    (asked,) = (await board.perform("list_escalations")).rows
    assert (asked["kind"], asked["owner"], asked["options"]) == ("quorum", "olivia", ["retry", "cancel"])
    await board.perform("answer", escalation=asked["item"], answer="retry")
    await meeting.gather()
    assert await meeting.state() == "open"
    await check_fold(board)


async def test_meeting_that_nobody_wants_is_cancelled(board: BoardUnderTest, meeting: MeetingUnderTest) -> None:
    await meeting.schedule(SEATS, ["a"])
    for seconds in (61, 301, 61):
        await meeting.after(seconds=seconds)
    (asked,) = (await board.perform("list_escalations")).rows
    await board.perform("answer", escalation=asked["item"], answer="cancel")
    assert await meeting.state() == "cancelled"
    assert await board.by_place() == {"done": 7}
    await check_fold(board)


async def test_quorum_opens_it_and_an_absentee_keeps_its_seat(board: BoardUnderTest, meeting: MeetingUnderTest) -> None:
    await board.add_agent("devops")
    await meeting.schedule(SEATS, ["a"], optional=["devops"])
    for turn in (await meeting.asked("join"))[:2]:
        await meeting.answer(turn)
    assert await meeting.state() == "waiting"
    await meeting.after(seconds=6)
    assert await meeting.state() == "open"
    await meeting.speak("do it", by="cto")
    await meeting.vote(backend="reject")
    found = await meeting.minutes()
    assert [(one["agent"], one["seated"]) for one in found["seats"]] == [
        ("cto", True), ("backend", True), ("frontend", True), ("devops", False),
    ]  # fmt: skip
    assert await meeting.outcomes() == ["rejected"]
    assert "1 of 3 seats" in found["agenda"][0]["reason"]
    await check_fold(board)


async def test_who_falls_silent_is_waited_for_once_and_may_come_back(
    board: BoardUnderTest, meeting: MeetingUnderTest
) -> None:
    await meeting.schedule(SEATS, ["a", "b"], max_duration_minutes=60)
    await meeting.gather()
    first = (await meeting.asked("turn"))[0]
    assert first["name"] == "cto"
    await meeting.claim(first)
    await meeting.after(seconds=91)
    found = await meeting.minutes()
    assert found["chair"] == "backend"
    assert [one["name"] for one in await meeting.asked("join")] == ["cto"]
    await meeting.speak("do it", by="backend")
    assert [one["name"] for one in await meeting.asked("vote")] == ["backend", "frontend"]
    await meeting.answer((await meeting.asked("join"))[0])
    assert [one["name"] for one in await meeting.asked("vote")] == ["backend", "frontend", "cto"]
    await meeting.vote(cto="reject")
    assert await meeting.outcomes() == ["approved", None]
    assert [one["name"] for one in await meeting.asked("turn")] == ["cto"]
    await check_fold(board)


@pytest.mark.parametrize("dies_at", ["turn", "motion", "concerns", "vote"])
async def test_chair_that_dies_at_any_step_hands_the_chair_on(
    board: BoardUnderTest, meeting: MeetingUnderTest, dies_at: str
) -> None:
    await meeting.schedule(SEATS, ["a"], chair="cto", max_duration_minutes=60)
    await meeting.gather()
    for _ in range(100):
        if await meeting.state() == "adjourned":
            break
        asked = sorted(await meeting.asked(), key=lambda one: one["name"] == "cto")  # the others vote first
        turn = next((one for one in asked if one["kind"] != "join"), None)
        assert turn is not None, "nobody is asked anything, and it goes on"
        if (turn["name"], turn["kind"]) == ("cto", dies_at):
            await meeting.claim(turn)
            await meeting.after(seconds=91)
            continue
        if turn["kind"] == "turn":
            if turn["name"] == "backend" and dies_at in {"concerns", "vote"} and not await _concerned(board):
                await meeting.do("propose", "backend", motion="do it")
                await meeting.do("concern", "backend", text="is it safe?")
            await meeting.answer(turn)
        elif turn["kind"] == "motion":
            await meeting.answer(turn, "the chair's motion")
        elif turn["kind"] == "concerns":
            (one,) = (await meeting.minutes())["agenda"][0]["concerns"]
            given = {"concern": one["id"], "how": "overruled", "reason": "it is"}
            await board.perform("settle_concern", by=turn["name"], **given)
        else:
            await meeting.answer(turn, "approve")
    assert await meeting.state() == "adjourned"
    assert await meeting.outcomes() == ["approved"]
    assert (await meeting.minutes())["chair"] == "backend"
    await check_fold(board)


async def _concerned(board: BoardUnderTest) -> bool:
    return await board.fetchval("SELECT count(*) > 0 FROM statements WHERE board = $1 AND kind = 'concern'")


async def test_meeting_in_which_everybody_dies_defers_and_ends(
    board: BoardUnderTest, meeting: MeetingUnderTest
) -> None:
    await board.perform("add_agent", name="olivia", kind="human")
    await meeting.schedule(SEATS, ["a", "b"], decision_required=True, max_duration_minutes=60)
    await meeting.gather()
    for _ in range(3):
        await meeting.after(seconds=91)
    assert await meeting.state() == "adjourned"
    assert await meeting.outcomes() == ["deferred", "deferred"]
    asked = (await board.perform("list_escalations")).rows
    assert [(one["kind"], one["owner"]) for one in asked] == [("deferred", "olivia")] * 2
    await check_fold(board)


async def test_time_limit_ends_it_and_what_is_undecided_is_deferred(
    board: BoardUnderTest, meeting: MeetingUnderTest
) -> None:
    await meeting.schedule(SEATS, ["a", "b", "c"], max_duration_minutes=1)
    await meeting.gather()
    await meeting.speak("do it", by="cto")
    await meeting.vote()
    await meeting.speak("that too", by="cto")
    (held, *_) = await meeting.asked("vote")
    claim = await meeting.claim(held)
    await meeting.after(seconds=60)
    assert await meeting.state() == "adjourned"
    assert await meeting.outcomes() == ["approved", "deferred", "deferred"]
    (answer,) = await board.finish(claim, by=held["name"], content="approve")
    assert answer.error is not None
    with pytest.raises(WrongState):
        await meeting.do("vote", "cto", choice="approve")
    assert set(await board.by_place()) == {"done"}
    await check_fold(board)


async def test_turn_of_a_worker_that_died_comes_back_by_its_lease(
    board: BoardUnderTest, meeting: MeetingUnderTest
) -> None:
    await meeting.schedule(SEATS, ["a"])
    await meeting.gather()
    (turn,) = await meeting.asked("turn")
    await board.claim_item(turn["item"], turn["name"], lease_seconds=30)
    meeting.late = meeting.late.__class__(seconds=31)
    await board.expire(now=await meeting.now())
    again = await board.claim_item(turn["item"], turn["name"], worker="w2")
    (answer,) = await board.finish(again, by=turn["name"], content="here I am")
    assert answer.error is None
    assert (await meeting.minutes())["agenda"][0]["statements"][0]["text"] == "here I am"
    await check_fold(board)


async def test_turn_that_dies_or_is_discarded_is_missed_at_its_deadline(
    board: BoardUnderTest, meeting: MeetingUnderTest
) -> None:
    await meeting.schedule(SEATS, ["a"])
    await meeting.gather()
    (turn,) = await meeting.asked("turn")
    await board.fail(await meeting.claim(turn), FailureClass.LOGIC, by=turn["name"])
    await board.perform("discard", items=[turn["item"]], reason="no", waive=True)
    (second,) = await meeting.asked("turn")
    await board.fail(await meeting.claim(second), FailureClass.LOGIC, by=second["name"])
    await meeting.after(seconds=91)
    await meeting.after(seconds=91)
    assert [one["name"] for one in await meeting.asked("turn")] == ["frontend"]
    await meeting.speak("do it", by="frontend")
    await meeting.vote()
    assert await meeting.outcomes() == ["deferred"]
    await check_fold(board)
