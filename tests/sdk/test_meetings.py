"""Workers that meet: scheduled as the guide does it, held by their handlers, with what they said in the minutes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from slateboard import Work, Worker, connect, schedule_agent_meeting
from slateboard.protocol.errors import Invalid
from slateboard.sdk import testing

EXAMPLE = Path(__file__).parents[2].parent / "shared/examples/meeting.py"
AS_IN_THE_GUIDE = """
meeting = schedule_agent_meeting(
    title="Analytics Dashboard Architecture Review",
    participants=["cto", "backend", "frontend", "devops", "cso"],
    agenda=[
        "Review proposed API schema",
        "Discuss data pipeline architecture",
        "Agree on deployment strategy",
    ],
    decision_required=True,
    max_duration_minutes=15,
)
"""


def taking_part(agent: str, over: asyncio.Event) -> Worker:
    """A worker that proposes what the item says, has one concern, settles it, and approves."""
    worker = Worker(agent)

    @worker.meeting
    async def take_part(work: Work) -> None:
        meeting = (await work.briefing()).meeting
        assert meeting is not None
        assert meeting.seat == agent
        if work.step == "vote":
            await work.vote("reject" if agent == "cso" else "approve", f"{agent} thinks so")
            if meeting.number == len(meeting.agenda):
                over.set()
            return
        await work.say(f"{agent} on {meeting.item}")
        for one in meeting.concerns:
            if one["agent"] == agent and one["settled"] is None:
                await work.resolve(one["concern"], "it was explained")
        if agent == "cso" and meeting.round == 1 and meeting.number == 1:
            await work.concern("who may see it?")
        if agent == meeting.chair and meeting.motion is None:
            await work.propose(f"Do it: {meeting.item}", actions=[{"title": meeting.item, "owner": "devops"}])

    return worker


async def test_the_meeting_of_the_guide_is_held(board, workers, reached, app_url, monkeypatch) -> None:
    for name in ("devops", "cso"):
        await board.add_agent(name)
    monkeypatch.setenv("SLATE_DATABASE_URL", app_url)
    monkeypatch.setenv("SLATE_BOARD", board.name)
    over = asyncio.Event()
    for name in ("cto", "backend", "frontend", "devops", "cso"):
        workers.start(taking_part(name, over))
    source = EXAMPLE.read_text() if EXAMPLE.exists() else AS_IN_THE_GUIDE
    names: dict = {}
    exec("from slateboard import schedule_agent_meeting\n" + source, names)
    assert names["meeting"]["state"] == "waiting"
    await reached(over)
    await workers.stop()
    found = await board.perform("minutes", meeting=names["meeting"]["meeting"])
    assert (found["state"], found["max_seconds"], found["decision_required"]) == ("adjourned", 900.0, True)
    assert [one["outcome"] for one in found["agenda"]] == ["approved"] * 3
    first = found["agenda"][0]
    assert [(one["settled"], one["settled_by"]) for one in first["concerns"]] == [("resolved", "cso")]
    assert [(one["agent"], one["rationale"]) for one in first["dissent"]] == [("cso", "cso thinks so")]
    assert first["round"] == 2
    tasks = await board.fetch("SELECT title FROM tasks WHERE board = $1 ORDER BY id")
    assert [row["title"] for row in tasks] == [one["title"] for one in found["agenda"]]


async def test_plain_function_takes_part_and_passes(board, workers, until, app_url) -> None:
    ended: list[str] = []
    for name in ("cto", "backend"):
        worker = Worker(name)

        @worker.meeting
        def take_part(work: Work) -> None:
            ended.append(work.step)
            if work.step == "turn":
                work.sync.pass_turn()
            if work.step == "motion":
                work.sync.propose("Do it", "since it is there")
            if work.step == "vote":
                work.sync.vote("approve")

        workers.start(worker)
    async with connect(app_url, board=board.name, agent="cto") as client:
        made = await client.call("schedule_meeting", title="m", participants=["cto", "backend"], agenda=["a"])
        await until(lambda: ended.count("vote") == 2)
        await workers.stop()
        found = await client.call("minutes", meeting=made["meeting"])
    assert found["chair"] == "cto"
    assert [one["outcome"] for one in found["agenda"]] == ["approved"]
    assert sorted(ended) == ["motion", "turn", "turn", "vote", "vote"]


async def test_meeting_that_cannot_be_is_refused(board, app_url) -> None:
    with pytest.raises(Invalid, match="1 to 50 items"):
        schedule_agent_meeting("m", ["cto", "backend"], [], True, 15, url=app_url, board=board.name)


async def test_what_a_handler_does_in_a_meeting_is_seen_without_a_board() -> None:
    worker = Worker("cto")

    @worker.meeting
    async def take_part(work: Work) -> None:
        await work.vote("approve", "fine")

    trial = await testing.run(worker, task="meeting:7", artifact="vote", kind="meet")
    ((operation, given),) = trial.meeting
    assert (operation, given["meeting"], given["choice"]) == ("vote", 7, "approve")
