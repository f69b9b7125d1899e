"""What a meeting refuses, and that nothing is changed then."""

from __future__ import annotations

from typing import Any

import pytest

from slateboard.protocol.errors import Denied, Invalid, LeaseLost, NotYours, SlateError, UnknownName, WrongState
from tests.patterns.meetings.conftest import SEATS
from tests.support.boards import BoardUnderTest
from tests.support.live import check_fold
from tests.support.meetings import MeetingUnderTest

GIVEN: dict[str, Any] = {"title": "Review", "participants": SEATS, "agenda": ["a"]}


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"agenda": []}, Invalid, "1 to 50 items"),
        ({"agenda": "a"}, Invalid, "a list of texts"),
        ({"agenda": ["a", " "]}, Invalid, "item 2"),
        ({"title": " "}, Invalid, "title"),
        ({"participants": ["cto"]}, Invalid, "2 to 50 participants, not 1"),
        ({"participants": ["cto", "cto"]}, Invalid, "2 times"),
        ({"participants": []}, Invalid, "not 0"),
        ({"participants": ["cto", "bakend"]}, UnknownName, "bakend"),
        ({"quorum": 4}, Invalid, "3 seats"),
        ({"quorum": 0}, Invalid, "quorum of 0"),
        ({"max_duration_minutes": 0}, Invalid, "0 minutes"),
        ({"max_duration_minutes": 1000}, Invalid, "1000 minutes"),
        ({"decision_model": "lottery"}, Invalid, "no decision model"),
        ({"decision_model": "majority_with_veto"}, Invalid, "has veto roles"),
        ({"veto_roles": ["cto"]}, Invalid, "has no veto roles"),
        ({"decision_model": "majority_with_veto", "veto_roles": ["cso"]}, Invalid, "nobody"),
        ({"chair": "somebody"}, UnknownName, "somebody"),
        ({"chair": "devops"}, Invalid, "does not take part"),
        ({"turn_seconds": 0}, Invalid, "turn"),
        ({"turn_seconds": 4000}, Invalid, "turn"),
        ({"participants": ["cto", "hermit"]}, Invalid, "no meetings"),
    ],
)
async def test_meeting_that_cannot_be_is_not_scheduled(
    board: BoardUnderTest, wrong: dict[str, Any], error: type[SlateError], message: str
) -> None:
    await board.add_agent("devops")
    await board.add_agent("hermit")
    await board.perform("change_agent", name="hermit", availability="never")
    with pytest.raises(error, match=message) as raised:
        await board.perform("schedule_meeting", **{**GIVEN, **wrong})
    assert raised.value.remedy
    assert await board.fetchval("SELECT count(*) FROM meetings WHERE board = $1") == 0


@pytest.fixture
async def speaking(board: BoardUnderTest, meeting: MeetingUnderTest) -> MeetingUnderTest:
    """A meeting in which it is the turn of cto; only cto has a veto, and devops has no seat."""
    await board.add_agent("devops")
    model = {"decision_model": "majority_with_veto", "veto_roles": ["cto"]}
    await meeting.schedule(SEATS, ["a"], chair="cto", **model)
    await meeting.gather()
    return meeting


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ([{"title": "Do it"}], "no owner"),
        ([{"title": "Do it", "owner": ["cto", "backend"]}], "more than one owner"),
        ([{"title": "", "owner": "cto"}], "no title"),
        ([{"title": "Do it", "owner": "nobody"}], "nobody"),
        ([{"title": "Do it", "owner": "cto", "when": "now"}], "unknown key 'when'"),
        ([{"title": "Do it", "owner": "cto", "due": "soon"}], "soon"),
        (["Do it"], "no object"),
        ([{"title": "Do it", "owner": "cto"}] * 21, "at most 20"),
    ],
)
async def test_action_item_has_one_owner(speaking: MeetingUnderTest, actions: list[Any], message: str) -> None:
    with pytest.raises(SlateError, match=message):
        await speaking.do("propose", "cto", motion="do it", actions=actions)
    assert (await speaking.minutes())["agenda"][0]["motion"] is None


async def test_only_who_has_the_turn_speaks(speaking: MeetingUnderTest) -> None:
    for operation, given in (("say", {"text": "me"}), ("concern", {"text": "me"}), ("propose", {"motion": "me"})):
        with pytest.raises(WrongState, match="the turn of cto"):
            await speaking.do(operation, "backend", **given)
    with pytest.raises(WrongState, match="not the turn of backend"):
        await speaking.do("pass_turn", "backend")
    with pytest.raises(NotYours, match="not invited"):
        await speaking.do("say", "devops", text="me too")
    with pytest.raises(NotYours, match="cannot act as cto"):
        await speaking.do("say", "backend", agent="cto", text="me")
    with pytest.raises(WrongState, match="nothing is voted on"):
        await speaking.do("vote", "cto", choice="approve")
    with pytest.raises(NotYours, match="does not chair"):
        await speaking.do("adjourn_meeting", "backend", reason="enough")
    with pytest.raises(UnknownName):
        await speaking.board.perform("say", by="cto", meeting=1, text="me")
    with pytest.raises(Invalid, match="characters"):
        await speaking.do("say", "cto", text=" ")
    with pytest.raises(Invalid, match="an item and a fence"):
        await speaking.do("say", "cto", text="me", item=1)


async def test_vote_is_of_a_seat_with_the_right_to_it_and_before_the_close(
    board: BoardUnderTest, speaking: MeetingUnderTest
) -> None:
    await speaking.speak("do it", by="cto")
    with pytest.raises(Denied, match="no veto"):
        await speaking.do("vote", "backend", choice="veto")
    with pytest.raises(Invalid, match="no vote"):
        await speaking.do("vote", "backend", choice="maybe")
    with pytest.raises(NotYours, match="not invited"):
        await speaking.do("vote", "devops", choice="approve")
    turn = (await speaking.asked("vote"))[0]
    claim = await speaking.claim(turn)
    (answer,) = await board.finish(claim, by=turn["name"], content="perhaps")
    assert isinstance(answer.error, Invalid)
    assert await board.place(turn["item"]) == "claimed"
    for name in ("backend", "frontend"):
        await speaking.do("vote", name, choice="approve")
    await speaking.do("vote", "cto", choice="veto", rationale="unsafe")
    assert await speaking.outcomes() == ["vetoed"]
    with pytest.raises(WrongState, match="adjourned, not open"):
        await speaking.do("vote", "cto", choice="approve")
    (late,) = await board.finish(claim, by=turn["name"], content="approve")
    assert isinstance(late.error, SlateError)
    assert await board.fetchval("SELECT count(*) FROM decisions WHERE board = $1") == 0
    await check_fold(board)


async def test_stale_worker_says_and_votes_nothing(board: BoardUnderTest, speaking: MeetingUnderTest) -> None:
    (turn,) = await speaking.asked("turn")
    old = await speaking.claim(turn)
    speaking.late = speaking.late.__class__(seconds=61)
    await board.expire(now=await speaking.now())
    new = await board.claim_item(turn["item"], "cto", worker="w2")
    for operation, given in (("say", {"text": "old"}), ("propose", {"motion": "old"})):
        with pytest.raises(LeaseLost):
            await speaking.do(operation, "cto", item=old.item, fence=old.fence, **given)
    await speaking.do("say", "cto", item=new.item, fence=new.fence, text="new")
    assert [one["text"] for one in (await speaking.minutes())["agenda"][0]["statements"]] == ["new"]


async def test_concern_is_settled_by_name(board: BoardUnderTest, speaking: MeetingUnderTest) -> None:
    await speaking.speak("do it", by="cto")
    raised = await speaking.do("concern", "backend", text="is it safe?")
    for name in ("cto", "backend", "frontend"):
        await speaking.do("vote", name, choice="approve")
    assert await speaking.outcomes() == [None]
    assert [one["name"] for one in await speaking.asked("concerns")] == ["cto"]
    settle = {"concern": raised["concern"], "reason": "it is"}
    with pytest.raises(NotYours, match="only backend"):
        await board.perform("settle_concern", by="cto", how="resolved", **settle)
    with pytest.raises(NotYours, match="only cto"):
        await board.perform("settle_concern", by="backend", how="overruled", **settle)
    with pytest.raises(Invalid, match="not how a concern ends"):
        await board.perform("settle_concern", by="cto", how="ignored", **settle)
    await speaking.do("vote", "frontend", choice="reject", rationale="changed my mind")
    await board.perform("settle_concern", by="cto", how="overruled", **settle)
    assert await speaking.outcomes() == ["approved"]
    with pytest.raises(WrongState):
        await board.perform("settle_concern", by="cto", how="overruled", **settle)
    (decision,) = await board.fetch("SELECT consequences FROM decisions WHERE board = $1")
    assert "concern of backend: is it safe? (overruled by cto: it is)" in decision["consequences"]
    votes = (await speaking.minutes())["agenda"][0]["votes"]
    history = {one["agent"]: [cast["choice"] for cast in one["history"]] for one in votes}
    assert history["frontend"] == ["approve", "reject"]
    await check_fold(board)


async def test_approval_that_a_concern_holds_and_nobody_settles_is_deferred(
    board: BoardUnderTest, speaking: MeetingUnderTest
) -> None:
    await speaking.speak("do it", by="cto", actions=[{"title": "Do it", "owner": "cto"}])
    await speaking.do("concern", "backend", text="is it safe?")
    await speaking.vote()
    (turn,) = await speaking.asked("concerns")
    await speaking.answer(turn)
    assert await speaking.outcomes() == ["deferred"]
    assert await board.fetchval("SELECT count(*) FROM tasks WHERE board = $1") == 0
    await check_fold(board)


async def test_chair_or_operator_adjourns_it(board: BoardUnderTest, speaking: MeetingUnderTest) -> None:
    await speaking.do("adjourn_meeting", "cto", reason="lunch")
    assert await speaking.state() == "adjourned"
    assert await speaking.outcomes() == ["deferred"]
    with pytest.raises(WrongState, match="already"):
        await board.perform("adjourn_meeting", meeting=speaking.id, reason="again")
    assert set(await board.by_place()) == {"done"}
    await check_fold(board)
