"""Decisions: append-only, at most one accepted for a subject, each with who decided and what it replaced."""

from __future__ import annotations

import asyncio

import pytest

from slateboard.protocol.errors import Denied, Invalid, SlateError, SubjectDecided, UnknownName, WrongState
from slateboard.protocol.work import NewArtifact, NewTask
from tests.factories import DecisionFactory
from tests.support.boards import BoardUnderTest


async def test_decision_keeps_its_fields(board: BoardUnderTest) -> None:
    row = await board.perform(
        "decide", by="cto", decision="Use ClickHouse", subject="analytics storage", rationale="fast scans",
        context="dashboards", drivers=["cost"], options=["Postgres", {"name": "ClickHouse", "pros": ["fast"]}],
        consequences="one more server", confirmation="load test",
    )  # fmt: skip
    assert (row["subject"], row["status"], row["agent"]) == ("analytics-storage", "accepted", "cto")
    assert row["options"] == ["Postgres", {"name": "ClickHouse", "pros": ["fast"]}]
    (event,) = await board.log(subject="board.decision.made")
    assert event.payload["decision"]["rationale"] == "fast scans"


async def test_second_accepted_decision_of_a_subject_is_refused_until_it_supersedes(board: BoardUnderTest) -> None:
    first = await board.perform("decide", decision="Use Postgres", subject="storage")
    with pytest.raises(SubjectDecided) as refused:
        await board.perform("decide", decision="Use ClickHouse", subject="storage")
    assert "supersede" in refused.value.remedy
    second = await board.perform("decide", decision="Use ClickHouse", subject="storage", supersedes="storage")
    assert second["supersedes"] == first["id"]
    rows = await board.fetch("SELECT id, status FROM decisions WHERE board = $1 ORDER BY id")
    assert [row["status"] for row in rows] == ["superseded", "accepted"]
    with pytest.raises(WrongState):
        await board.perform("decide", decision="Use both", subject="storage", supersedes=str(first["id"]))
    with pytest.raises(UnknownName):
        await board.perform("decide", decision="Use both", supersedes="nothing")


async def test_one_of_many_that_decide_at_once_is_accepted(board: BoardUnderTest) -> None:
    async def decide(number: int) -> object:
        try:
            return await board.perform("decide", decision=f"Option {number}", subject="storage")
        except SlateError as error:
            return error

    answers = await asyncio.gather(*(decide(number) for number in range(8)))
    assert sum(isinstance(answer, SubjectDecided) for answer in answers) == 7


async def test_only_what_is_accepted_can_replace_what_is_accepted(board: BoardUnderTest) -> None:
    await board.perform("decide", decision="Use Postgres", subject="storage")
    with pytest.raises(Invalid):
        await board.perform("decide", decision="Maybe not", subject="storage", status="proposed", supersedes="storage")
    assert await board.fetchval("SELECT count(*) FROM decisions WHERE board = $1 AND status = 'accepted'") == 1
    await board.perform("decide", decision="Maybe not", subject="storage", status="proposed")


async def test_texts_without_a_sign_of_a_name_have_subjects_of_their_own(board: BoardUnderTest) -> None:
    first = await board.perform("decide", decision="使用数据库")
    second = await board.perform("decide", decision="発表は金曜日")
    third = await board.perform("decide", decision="発表は月曜日")
    assert len({one["subject"] for one in (first, second, third)}) == 3
    with pytest.raises(SubjectDecided):
        await board.perform("decide", decision="発表は月曜日")


async def test_superseded_decision_marks_the_work_done_under_it_as_stale(board: BoardUnderTest) -> None:
    before = await board.post_graph({"early": []}, task="storage")
    await board.complete(before["early"])
    await board.perform("decide", decision="Use Postgres", subject="storage", task="storage")
    items = await board.post(
        NewArtifact(task="storage", name="schema", owner="backend"),
        NewArtifact(task="below", name="index", owner="backend"),
        NewArtifact(task="other", name="page", owner="backend"),
        NewArtifact(task="storage", name="later", owner="backend"),
        tasks=[NewTask(name="below", title="b", parent="storage"), NewTask(name="other", title="o")],
    )
    await board.complete(*(items[name] for name in ("storage/schema", "below/index", "other/page")))
    await board.perform("decide", decision="Use ClickHouse", subject="storage", task="storage", supersedes="storage")
    rows = await board.fetch("SELECT name, stale_because FROM artifacts WHERE board = $1 AND stale_at IS NOT NULL")
    assert {row["name"] for row in rows} == {"schema", "index"}
    (event,) = await board.log(subject="board.artifact.staled")
    assert {one["owner"] for one in event.payload["artifacts"]} == {board.agents["backend"]}


async def test_briefing_holds_the_decisions_in_force_for_its_task(board: BoardUnderTest) -> None:
    items = await board.post_graph({"spec": []}, task="api")
    await board.post(tasks=[NewTask(name="other", title="o")])
    await board.perform("decide", decision="For all")
    await board.perform("decide", decision="For the api", task="api")
    await board.perform("decide", decision="For another", task="other")
    await board.perform("decide", decision="Not yet", status="proposed")
    briefing = await board.perform("briefing", item=items["spec"])
    assert [one["decision"] for one in briefing["decisions"]] == ["For all", "For the api"]


async def test_decision_in_the_name_of_another_is_an_administrators(board: BoardUnderTest) -> None:
    with pytest.raises(Denied):
        await board.perform("decide", by="backend", agent="cto", **DecisionFactory.build())
    assert (await board.perform("decide", agent="cto", **DecisionFactory.build()))["agent"] == "cto"


@pytest.mark.parametrize(
    "arguments",
    [{"decision": "  "}, {"decision": "x", "status": "superseded"}, {"decision": "x", "status": "great"},
     {"decision": "nul \x00"}, {"decision": "x", "options": [float("nan")]}],
)  # fmt: skip
async def test_decision_that_makes_no_sense_is_invalid(board: BoardUnderTest, arguments: dict[str, object]) -> None:
    with pytest.raises(Invalid) as refused:
        await board.perform("decide", **arguments)
    assert refused.value.remedy


async def test_decision_about_an_unknown_task_is_refused(board: BoardUnderTest) -> None:
    with pytest.raises(UnknownName):
        await board.perform("decide", decision="x", task="nothing")
