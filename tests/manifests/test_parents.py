"""A manifest whose task stands below another one: on the board, or in the same apply."""

from __future__ import annotations

import pytest

from slateboard.protocol.errors import BadManifest
from tests.support.boards import BoardUnderTest
from tests.support.manifests import do, feature, tree

HEAD = "apiVersion: agent.ceo/v1\nkind: TaskBoard\nmetadata: {name: part}\n"
PARENTS = (
    "SELECT t.name, p.name AS parent FROM tasks t LEFT JOIN tasks p ON p.board = t.board AND p.id = t.parent"
    " WHERE t.board = $1"
)


async def parents(board: BoardUnderTest) -> dict[str, str | None]:
    return {row["name"]: row["parent"] for row in await board.fetch(PARENTS)}


@pytest.mark.parametrize("whole", [True, False])
async def test_a_task_board_stands_below_its_parent(board: BoardUnderTest, whole: bool) -> None:
    above, part = feature("a: {owner: backend}"), f"{HEAD}spec: {{parent: feature, artifacts: {{b: {{}}}}}}"
    texts = [above, part]
    if not whole:
        await do(board, above)
    await do(board, *texts)
    assert await parents(board) == {"feature": None, "part": "feature"}
    again = await do(board, *texts)
    assert (again["created"], again["changed"], again["notes"]) == ([], [], [])
    blockers = await board.fetch(
        "SELECT b.reference FROM dependencies d JOIN work_items i ON i.board = d.board AND i.id = d.item"
        " JOIN work_items b ON b.board = d.board AND b.id = d.blocker"
        " WHERE d.board = $1 AND i.reference = 'feature/result'"
    )
    assert [row["reference"] for row in blockers] == ["part/b"]


async def test_a_tree_stands_below_a_parent_and_its_nodes_have_decisions(board: BoardUnderTest) -> None:
    below = tree("agent: backend\ntask: t\ndecisions: [{decision: Use it}]").replace(
        "spec:", "spec:\n  parent: feature"
    )
    await do(board, feature("a: {owner: backend}"), below)
    assert await parents(board) == {"feature": None, "tree": "feature"}
    assert (
        await board.fetchval(
            "SELECT t.name FROM decisions d JOIN tasks t ON t.board = d.board AND t.id = d.task WHERE d.board = $1"
        )
        == "tree"
    )


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("{parent: featur}", "there is no task 'featur', neither in the manifests nor on the board"),
        ("{parent: part}", "found a task below itself: part → part"),
    ],
)
async def test_a_parent_that_cannot_be_is_shown_where_it_stands(board: BoardUnderTest, spec: str, message: str) -> None:
    with pytest.raises(BadManifest) as caught:
        await do(board, feature("a: {owner: backend}"), f"{HEAD}spec: {spec}")
    assert message in caught.value.message
    assert (caught.value.details["file"], caught.value.details["line"]) == ("2.yaml", 4)
    assert await parents(board) == {}


async def test_tasks_that_stand_below_each_other_are_shown(board: BoardUnderTest) -> None:
    other = HEAD.replace("part", "other") + "spec: {parent: part}"
    with pytest.raises(BadManifest) as caught:
        await do(board, f"{HEAD}spec: {{parent: other}}", other)
    assert caught.value.details["circle"] == ["part", "other", "part"]
