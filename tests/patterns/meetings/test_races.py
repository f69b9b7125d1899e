"""What happens in a meeting at the same moment, with real commits: it comes one after the other, and counts once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from datetime import timedelta
from typing import Any

from slateboard.patterns.meetings import timing
from slateboard.protocol.errors import SlateError
from slateboard.protocol.rights import SYSTEM
from slateboard.protocol.work import NewTask
from slateboard.transaction import writing
from slateboard.work import intake
from tests.patterns.meetings.conftest import SEATS
from tests.support.boards import BoardUnderTest
from tests.support.live import check_fold
from tests.support.meetings import MeetingUnderTest

ROUNDS = 6


async def at_once(*attempts: Coroutine[Any, Any, Any]) -> list[Any]:
    """All of them at the same time: the answers, or the errors of the project's own."""

    async def tried(one: Coroutine[Any, Any, Any]) -> Any:
        try:
            return await one
        except SlateError as error:
            return error

    return await asyncio.gather(*map(tried, attempts))


async def timed_out(meeting: MeetingUnderTest, **length: float) -> None:
    """The leader looks at the meeting once, so much later."""
    now = await meeting.now() + timedelta(**length)
    async with writing(meeting.board.database, SYSTEM, meeting.board.id, now=now) as tx:
        await timing.time_out(tx, meeting.id)


async def voting(board: BoardUnderTest) -> MeetingUnderTest:
    """A meeting of three that votes."""
    meeting = MeetingUnderTest(board)
    await meeting.schedule(SEATS, ["a"], max_duration_minutes=60)
    await meeting.gather()
    await meeting.speak("do it", by="cto", actions=[{"title": "Do it", "owner": "cto"}])
    return meeting


async def test_two_votes_from_one_seat_are_one_vote_that_was_changed(board: BoardUnderTest) -> None:
    meeting = await voting(board)
    await at_once(*(meeting.do("vote", "cto", choice=choice) for choice in ("approve", "reject", "abstain") * 2))
    rows = await board.fetch("SELECT agent, changes FROM votes WHERE board = $1")
    assert [(row["agent"], row["changes"]) for row in rows] == [(board.agents["cto"], 5)]
    changes = await board.fetchval("SELECT count(*) FROM vote_changes WHERE board = $1")
    assert changes == 6
    await check_fold(board)


async def test_last_vote_and_the_deadline_close_it_once(board: BoardUnderTest) -> None:
    for number in range(ROUNDS):
        meeting = await voting(board)
        for name in ("backend", "frontend"):
            await meeting.do("vote", name, choice="approve")
        attempts = [meeting.do("vote", "cto", choice="approve"), timed_out(meeting, seconds=91)]
        await at_once(*attempts[:: 1 if number % 2 else -1])
        assert await meeting.outcomes() == ["approved"]
        assert await meeting.state() == "adjourned"
        source = f"meeting:{meeting.id}"
        assert await board.fetchval("SELECT count(*) FROM tasks WHERE board = $1 AND source = $2", source) == 1
    await check_fold(board)


async def test_last_vote_and_the_end_of_the_meeting_leave_one_outcome(board: BoardUnderTest) -> None:
    for number in range(ROUNDS):
        meeting = await voting(board)
        for name in ("backend", "frontend"):
            await meeting.do("vote", name, choice="approve")
        attempts = [meeting.do("vote", "cto", choice="reject"), timed_out(meeting, hours=2)]
        await at_once(*attempts[:: 1 if number % 2 else -1])
        assert await meeting.outcomes() in (["approved"], ["deferred"])
        source = f"meeting:{meeting.id}"
        tasks = await board.fetchval("SELECT count(*) FROM tasks WHERE board = $1 AND source = $2", source)
        assert tasks == (1 if await meeting.outcomes() == ["approved"] else 0)
    assert await board.fetchval("SELECT count(*) FROM meeting_turns WHERE board = $1 AND ended_at IS NULL") == 0
    await check_fold(board)


async def test_claim_and_vote_and_deadline_of_one_seat(board: BoardUnderTest) -> None:
    for _ in range(ROUNDS):
        meeting = await voting(board)
        (turn,) = [one for one in await meeting.asked("vote") if one["name"] == "cto"]
        claim = await meeting.claim(turn)
        await at_once(
            board.finish(claim, by="cto", content="approve"),
            meeting.do("vote", "cto", choice="reject"),
            timed_out(meeting, seconds=91),
            meeting.do("join_meeting", "cto"),
        )
        for name in ("backend", "frontend", "cto"):
            with suppress(SlateError):
                await meeting.do("vote", name, choice="approve")
        await meeting.after(hours=2)
        assert await meeting.state() == "adjourned"
    await check_fold(board)


async def test_all_come_at_once_and_it_opens_once(board: BoardUnderTest) -> None:
    for _ in range(ROUNDS):
        meeting = MeetingUnderTest(board)
        await meeting.schedule(SEATS, ["a"])
        await at_once(*(meeting.do("join_meeting", name) for name in SEATS), timed_out(meeting, seconds=61))
        assert await meeting.state() in {"open", "scheduled"}
        mine = await board.fetchval(
            "SELECT count(*) FROM meeting_turns WHERE board = $1 AND meeting = $2 AND kind = 'turn'", meeting.id
        )
        there = [one for one in (await meeting.minutes())["seats"] if one["present"]]
        assert mine in {0, len(there), 2, 3}
    opened = [event.payload["meeting"] for event in await board.log(subject="board.meeting.opened")]
    assert len(opened) == len(set(opened))
    await check_fold(board)


async def test_two_speakers_and_the_deadline_end_a_turn_once(board: BoardUnderTest) -> None:
    for _ in range(ROUNDS):
        meeting = MeetingUnderTest(board)
        await meeting.schedule(SEATS, ["a"], chair="cto")
        await meeting.gather()
        await at_once(
            meeting.do("pass_turn", "cto"), meeting.do("pass_turn", "cto"), timed_out(meeting, seconds=91),
            meeting.do("propose", "cto", motion="do it"), meeting.do("adjourn_meeting", "cto", reason="enough"),
        )  # fmt: skip
        if await meeting.state() == "open":  # the deadline came first, and took the chair with the turn
            assert (await meeting.minutes())["chair"] != "cto"
            await board.perform("adjourn_meeting", meeting=meeting.id, reason="enough")
        assert await meeting.state() == "adjourned"
        assert await meeting.outcomes() == ["deferred"]
    await check_fold(board)


async def test_nobody_blocks_an_approval_by_the_name_of_a_task(board: BoardUnderTest) -> None:
    meeting = await voting(board)
    for name in ("backend", "frontend"):
        await meeting.do("vote", name, choice="approve")
    (action,) = await board.fetch("SELECT id FROM action_items WHERE board = $1")
    taken = NewTask(name=f"action-{action['id']}", title="in the way")
    async with board.writing(by="frontend") as tx:
        await intake.post(tx, tasks=[taken])
        await tx.flush()
        await meeting.do("vote", "cto", choice="approve")  # it waits for nobody
    assert await meeting.outcomes() == ["approved"]
    source = f"meeting:{meeting.id}"
    (task,) = await board.fetch("SELECT name FROM tasks WHERE board = $1 AND source = $2", source)
    assert task["name"].startswith(f"{taken.name}-")
    await check_fold(board)
