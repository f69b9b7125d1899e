"""Posting: whose tasks one may post, and what a bulk post costs."""

from __future__ import annotations

from typing import Any

import pytest

from slateboard.protocol.errors import DuplicateName, NotYours, UnknownName
from slateboard.protocol.work import NewArtifact, NewTask
from slateboard.work import gates, intake
from tests.support.boards import BoardUnderTest


async def test_only_an_operator_delegates_for_another(board: BoardUnderTest) -> None:
    with pytest.raises(NotYours, match="backend cannot delegate forged for cto"):
        await board.post(tasks=[NewTask(name="forged", title="f", delegator="cto")], by="backend")
    await board.post(tasks=[NewTask(name="forged", title="f", delegator="cto")])


async def test_a_post_is_a_look_and_one_statement_whatever_its_size(board: BoardUnderTest, queries: Any) -> None:
    await board.post(NewArtifact(task="work", name="first"), tasks=[NewTask(name="work", title="w")])
    counts = []
    for size in (2, 1000):
        artifacts = [NewArtifact(task="work", name=f"s{size}-{n}", blocked_by=("first",)) for n in range(size)]
        async with queries.counted():
            await board.post(*artifacts)
        counts.append(queries.count)
    assert counts == [2, 2]


async def test_a_post_of_tasks_enters_all_of_it_or_nothing(board: BoardUnderTest, queries: Any) -> None:
    taken = NewArtifact(task="work", name="a")
    await board.post(taken, tasks=[NewTask(name="work", title="w")])
    before = await board.fetchval("SELECT count(*) FROM event_outbox WHERE board = $1")
    with pytest.raises(DuplicateName, match="'a'"):
        await board.post(taken, NewArtifact(task="more", name="b"), tasks=[NewTask(name="more", title="m")])
    assert await board.fetchval("SELECT count(*) FROM tasks WHERE board = $1 AND name = 'more'") == 0
    assert await board.fetchval("SELECT count(*) FROM event_outbox WHERE board = $1") == before


async def test_what_follows_a_post_in_one_change_sees_it(board: BoardUnderTest) -> None:
    async with board.writing() as tx:
        posted = await intake.post(
            tx, tasks=[NewTask(name="work", title="w")], artifacts=[NewArtifact(task="work", name="a")]
        )
        await intake.post(tx, artifacts=[NewArtifact(task="work", name="b", blocked_by=("a",))])
        await gates.depend(tx, reference="work/b", on=["a"])
    assert await board.place(posted.items["work/a"]) == "ready"
    assert (await board.subjects())[-4:] == [
        "board.task.posted",
        "board.artifact.posted",
        "board.artifact.posted",
        "board.dependency.added",
    ]


async def test_agent_whose_name_needs_an_escape_is_unknown(board: BoardUnderTest) -> None:
    await board.post(tasks=[NewTask(name="work", title="w")])
    with pytest.raises(UnknownName, match="there is no agent"):
        await board.post(NewArtifact(task="work", name="a", owner='no"body\\'))
    with pytest.raises(UnknownName, match="there is no task"):
        await board.post(NewArtifact(task='no"thing,', name="a"))


async def test_the_newest_circle_among_many_edges_is_shown(board: BoardUnderTest) -> None:
    """A post whose subtask would close a circle through its parent's result changes nothing."""
    from slateboard.protocol.errors import DependencyCycle

    await board.post(tasks=[NewTask(name="root", title="r")])
    artifact = NewArtifact(task="child", name="a", blocked_by=("root/result",))
    with pytest.raises(DependencyCycle, match="root/result → child/a → root/result"):
        await board.post(artifact, tasks=[NewTask(name="child", title="c", parent="root")])


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("depend", {"reference": "work/report", "on": ["work/facts"]}),
        ("revise", {"reference": "work/report"}),
        ("cancel", {"reference": "work/report"}),
    ],
)
async def test_an_agent_has_no_say_in_what_it_neither_owns_nor_delegated(
    board: BoardUnderTest, operation: str, arguments: dict[str, Any]
) -> None:
    await board.post_graph({"facts": [], "report": []})
    with pytest.raises(NotYours, match="cto neither owns nor delegated work/report"):
        await board.perform(operation, by="cto", **arguments)
