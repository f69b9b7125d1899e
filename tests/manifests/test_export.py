"""A board that programs made, not manifests: what of it is exported, that it applies back, and what the notes say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from slateboard.manifests import export as exports
from slateboard.manifests import files
from slateboard.protocol.errors import BadManifest, Invalid, UnknownName
from slateboard.protocol.work import NewArtifact, NewTask
from tests.manifests.exporting import exported, fixed_point, fresh, pages
from tests.manifests.test_apply_properties import shape
from tests.support.boards import BoardUnderTest
from tests.support.manifests import do, feature, item_of, tree

BY_HAND = {"name": "mine", "patterns": ["genbrain.events.a"], "agent": "backend", "filter": '$.payload.x == "a #b"'}


async def alike(board: BoardUnderTest, texts: str) -> BoardUnderTest:
    """An empty board to which an export was applied, and which then gives the same export."""
    other = await fresh(board.database)
    await other.perform("apply", documents=[{"source": "export.yaml", "text": texts}])
    assert await exported(other) == texts
    return other


async def notes(board: BoardUnderTest, **chosen: Any) -> list[str]:
    return [note for page in await pages(board, **chosen) for note in page["notes"]]


async def test_tasks_that_programs_posted_keep_their_structure(board: BoardUnderTest) -> None:
    tasks = [
        NewTask(name="top", title="The top", agent="cto", brief="Line one.\n\n  Line two: #no comment\n"),
        NewTask(name="given", title="no", parent="top", agent="backend", delegator="cto", on_no_ack="escalate"),
        NewTask(name="own", title="8", parent="top", agent="cto"),
        NewTask(name="nobodys", title="Anybody", parent="top"),
        NewTask(name="deep", title="Deep", parent="nobodys", agent="frontend"),
    ]
    made = [
        NewArtifact(task="given", name="api", owner="backend", capability=None, path="src/a.py"),
        NewArtifact(task="nobodys", name="k6", capability="k6", blocked_by=("given/api", "deep/result")),
        NewArtifact(task="own", name="review", rules={"verify": "frontend", "criteria": "yes", "keys": ["b", "a"]}),
    ]
    await board.post(*made, tasks=tasks)
    texts = await fixed_point(board)
    assert "kind: TaskTree\nmetadata: {name: top}\n" in texts
    assert "metadata: {name: own}\nspec:\n  parent: top\n" in texts
    other = await alike(board, texts)
    assert await shape(other) == await shape(board)
    delegated = "SELECT t.name, d.on_no_ack FROM delegations d JOIN tasks t ON t.id = d.task WHERE d.board = $1"
    assert [tuple(row) for row in await other.fetch(delegated)] == [("given", "escalate")]


async def test_what_is_complete_is_taken_over_and_what_was_cancelled_is_left_out(board: BoardUnderTest) -> None:
    await do(board, feature("a: {owner: backend}\nb: {owner: backend, blocked_by: [a, c]}\nc: {owner: backend}"))
    claim = await board.claim_item((await item_of(board, "feature/a"))["id"])
    await board.finish(claim, content="Hello,\n\tworld\u2028\n", summary="done")
    await board.perform("cancel", reference="feature/c", reason="not wanted", waive=True)
    texts = await fixed_point(board)
    assert await notes(board) == ["cancelled, and left out: feature/c"]
    other = await alike(board, texts)
    assert (await item_of(other, "feature/a"))["place"] == "done"
    assert (await item_of(other, "feature/b"))["place"] == "ready"
    content = await other.fetchval("SELECT content FROM artifact_versions WHERE board = $1")
    assert content == "Hello,\n\tworld\u2028\n"


async def test_what_was_made_by_hand_stays_by_hand(board: BoardUnderTest) -> None:
    await board.perform("subscribe", **BY_HAND, priority="high")
    await board.perform("subscribe", name="made-up", patterns=["a.>"], agent="cto", source="a program")
    await board.perform("subscribe", name="any", patterns=["a.b", "a.c"], agent="cto")
    texts = await fixed_point(board)
    assert "metadata: {name: by-hand}" in texts
    assert await notes(board) == [f"{exports.export_rules.UNFIT}: any"]
    sources = {row["source"] for row in await board.fetch("SELECT source FROM subscriptions WHERE board = $1")}
    assert sources == {None, "a program"}
    await alike(board, texts)
    with pytest.raises(BadManifest, match="was made by somebody"):
        await do(board, texts.replace("priority: high", "priority: low"))


async def test_meetings_that_somebody_scheduled_are_the_same_meetings(board: BoardUnderTest) -> None:
    async with board.writing() as tx:
        later = tx.now + timedelta(days=3)
    for _ in range(2):
        await board.perform(
            "schedule_meeting", title="The review", participants=["backend", "cto"], agenda=["a: b", "no"],
            starts_at=later, chair="cto",
        )  # fmt: skip
    texts = await fixed_point(board)
    assert "metadata: {name: the-review}" in texts
    assert "metadata: {name: the-review-2}" in texts
    other = await alike(board, texts)
    assert await other.fetchval("SELECT count(*) FROM meetings WHERE board = $1 AND state = 'scheduled'") == 2


async def test_what_no_manifest_holds_is_said(board: BoardUnderTest) -> None:
    await board.perform("schedule", name="nightly", cron="0 2 * * *", subject="genbrain.events.night")
    await board.perform("set_limit", scope="key", name="api", concurrency=1)
    await board.perform("set_budget", tokens=100)
    await board.perform("decide", decision="Use it")
    assert await notes(board) == [
        "no manifest holds schedules: nightly",
        "no manifest holds limits of capabilities and keys: key api",
        "no manifest holds budgets of tasks and of the board: the board",
        "no manifest holds decisions without a task: use-it",
    ]
    assert await notes(board, kinds=["TaskBoard"]) == []


async def test_an_agent_that_accepts_no_more_has_a_manifest_of_its_own_for_its_task(board: BoardUnderTest) -> None:
    await do(board, tree("agent: cto\ntask: t\nchildren: [{agent: backend, task: u}]"))
    await board.perform("change_agent", name="backend", accepts_from=[])
    texts = await fixed_point(board)
    assert await notes(board) == [f"{exports.export_tasks.LOST_DELEGATION}: tree-backend"]
    await alike(board, texts)


async def test_open_work_and_work_without_a_time_stay_so(board: BoardUnderTest) -> None:
    await do(board, feature("a: {}\nb: {owner: backend}"))
    await do(board, feature("b: {}", head="agent: cto\n  due: 2099-01-01T00:00:00Z"))
    texts = await fixed_point(board)
    other = await alike(board, texts)
    assert await shape(other) == await shape(board)
    assert len(await notes(board)) == 2


async def test_removed_agents_and_their_pipelines_are_no_hindrance(board: BoardUnderTest) -> None:
    config = "apiVersion: agent.ceo/v1\nkind: AgentConfig\nmetadata: {name: old}\nspec: {event_subscriptions: [a.b]}"
    await do(board, config)
    await board.perform("remove_agent", name="old", to="backend")
    await alike(board, await fixed_point(board))


async def test_pages_are_each_one_apply_and_none_is_lost(
    board: BoardUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    await do(board, *(feature("a: {}\nb: {blocked_by: a}").replace("feature", f"f{n}") for n in range(7)))
    whole = await exported(board)
    monkeypatch.setattr(exports, "MAX_POST", 7)
    parts = await pages(board)
    assert len(parts) == 4
    assert "---\n".join(one["text"] for page in parts for one in page["manifests"]) == whole
    other = await fresh(board.database)
    for page in parts:
        await do(other, *(one["text"] for one in page["manifests"]))
    assert await exported(other) == whole


async def test_one_manifest_that_no_apply_takes_is_left_out_and_said(
    board: BoardUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    await do(board, feature("a: {}\nb: {}\nc: {}"), feature("a: {}").replace("feature", "small"))
    monkeypatch.setattr(exports, "MAX_POST", 3)
    assert [one["name"] for page in await pages(board, kinds=["TaskBoard"]) for one in page["manifests"]] == ["small"]
    assert (await notes(board, kinds=["TaskBoard"]))[0].endswith(": TaskBoard feature")


async def test_what_is_asked_for_wrongly_is_said(board: BoardUnderTest) -> None:
    with pytest.raises(Invalid) as caught:
        await board.perform("export", kinds=["AgentConfg"])
    assert caught.value.remedy == "did you mean 'AgentConfig'?"
    with pytest.raises(UnknownName):
        await board.perform("export", name="nothing")
    for place in ("here", "TaskBoard:x", "Nothing:1", "Meeting:"):
        with pytest.raises(Invalid):
            await board.perform("export", after=place)


async def test_a_subtask_is_found_by_its_name(board: BoardUnderTest) -> None:
    await board.post(tasks=[NewTask(name="top", title="t"), NewTask(name="below", title="b", parent="top")])
    (page,) = await pages(board, name="below")
    assert [(one["kind"], one["name"]) for one in page["manifests"]] == [("TaskBoard", "below")]


async def test_ten_thousand_artifacts_are_one_or_two_pages(board: BoardUnderTest) -> None:
    for part in range(2):
        made = [NewArtifact(task=f"part-{part}", name=f"a{n}", owner="backend", brief="x" * 50) for n in range(4_990)]
        await board.post(*made, tasks=[NewTask(name=f"part-{part}", title="Part")])
    found = await pages(board)
    assert len(found) == 1
    assert sum(len(one["text"]) for one in found[0]["manifests"]) < files.MAX_BYTES
    answer = await do(board, *(one["text"] for one in found[0]["manifests"]))
    assert (answer["created"], answer["changed"]) == ([], [])
