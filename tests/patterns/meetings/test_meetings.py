"""Meetings as they go when everybody does what is asked."""

from __future__ import annotations

from tests.patterns.meetings.conftest import SEATS
from tests.support.boards import BoardUnderTest
from tests.support.live import check_fold
from tests.support.meetings import MeetingUnderTest

AGENDA = ["API schema", "Deployment"]


async def test_meeting_decides_and_its_action_items_become_tasks(
    board: BoardUnderTest, meeting: MeetingUnderTest
) -> None:
    made = await meeting.schedule(SEATS, AGENDA, decision_required=True, max_duration_minutes=15)
    assert (made["state"], made["quorum"]) == ("waiting", 2)
    await meeting.gather()
    assert await meeting.state() == "open"
    await meeting.do("say", "cto", text="I would take REST")
    await meeting.speak("Take REST", by="backend", rationale="simple", actions=[
        {"title": "Write the spec", "owner": "backend", "due": "2d"}, {"title": "Call it", "owner": "frontend"},
    ])  # fmt: skip
    await meeting.vote(frontend='{"vote": "reject", "rationale": "I want GraphQL"}')
    assert await meeting.outcomes() == ["approved", None]
    await meeting.speak("Use containers", by="cto")
    await meeting.vote(backend="abstain", frontend="reject")
    assert await meeting.state() == "adjourned"
    assert await meeting.outcomes() == ["approved", "rejected"]
    tasks = await board.fetch("SELECT t.title, g.name, t.source FROM tasks t JOIN agents g ON g.id = t.agent"
                              " WHERE t.board = $1 ORDER BY t.id")  # fmt: skip
    source = f"meeting:{meeting.id}"
    assert [tuple(row) for row in tasks] == [("Write the spec", "backend", source), ("Call it", "frontend", source)]
    (decision,) = await board.fetch("SELECT * FROM decisions WHERE board = $1")
    assert (decision["subject"], decision["agent"], decision["status"]) == ("take-rest", source, "accepted")
    assert "frontend (reject): I want GraphQL" in decision["consequences"]
    assert len(await board.claim("backend", limit=10)) == 1
    await check_fold(board)


async def test_the_minutes_of_an_open_meeting_say_who_is_asked_now_and_who_comes_after(
    meeting: MeetingUnderTest,
) -> None:
    await meeting.schedule(SEATS, AGENDA)
    await meeting.gather()
    found = await meeting.minutes()
    first, *rest = found["turns"]
    assert (first["number"], first["round"], first["kind"]) == (1, 1, "turn")
    assert first["deadline"] is not None
    assert [one["deadline"] for one in rest] == [None] * (len(SEATS) - 1)
    lines = found["markdown"].splitlines()
    assert f"- Present: {', '.join(one['agent'] for one in found['seats'])}" in lines
    assert f"- Now: item 1, round 1, turn: {first['agent']}, until {first['deadline']:%H:%M:%S UTC}" in lines
    assert f"- Then: {', '.join(one['agent'] for one in rest)}" in lines
    await meeting.speak("Take REST", by="cto")
    assert {one["kind"] for one in (await meeting.minutes())["turns"]} == {"vote"}
    await meeting.do("adjourn_meeting", "cto", reason="enough")
    assert (await meeting.minutes())["turns"] == []
