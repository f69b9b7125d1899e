"""Names are subject tokens; references are two of them; everything else is refused before it reaches a table."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slateboard.protocol.errors import BadName, DuplicateName, SlateError
from slateboard.protocol.names import check_name, slug, split_reference
from slateboard.protocol.work import NewArtifact, NewTask
from tests.support.boards import BoardUnderTest

BAD = [
    "",
    "a/b",
    "a.b",
    "a\nb",
    "name\n",
    "Über",
    "ÄPI",
    "日本",
    "a b",
    "-a",
    "_a",
    "UPPER",
    "x" * 64,
    "a\x00",
    "a;b",
    ">",
    "*",
]
GOOD = ["a", "0", "x" * 63, "a-b_c", "9lives"]


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("what", ["board", "agent", "task", "artifact", "capability", "reference"])
async def test_name_that_is_none_is_refused_with_one_that_would_do(board: BoardUnderTest, what: str, name: str) -> None:
    calls: dict[str, tuple[str, dict[str, Any]]] = {
        "board": ("create_board", {"name": name}),
        "agent": ("add_agent", {"name": name}),
        "task": ("post", {"tasks": [NewTask(name=name, title="t")]}),
        "artifact": (
            "post",
            {"tasks": [NewTask(name="t", title="t")], "artifacts": [NewArtifact(task="t", name=name)]},
        ),
        "capability": ("add_agent", {"name": "somebody", "capabilities": [name]}),
        "reference": ("revise", {"reference": f"work/{name}"}),
    }
    operation, arguments = calls[what]
    with pytest.raises(BadName) as refused:
        await board.perform(operation, **arguments)
    assert "e.g." in refused.value.remedy
    assert await board.fetchval("SELECT count(*) FROM tasks WHERE board = $1") == 0


@pytest.mark.parametrize("name", GOOD)
async def test_name_is_taken_once(board: BoardUnderTest, name: str) -> None:
    await board.post(NewArtifact(task=name, name=name), tasks=[NewTask(name=name, title="t")])
    with pytest.raises(DuplicateName, match=f": '{name}'$"):
        await board.post(tasks=[NewTask(name=name, title="t")])
    with pytest.raises(DuplicateName, match=f": '{name}'$"):
        await board.post(NewArtifact(task=name, name=name))
    await board.add_agent(name)
    with pytest.raises(DuplicateName, match=f": '{name}'$"):
        await board.perform("add_agent", name=name)


async def test_name_twice_in_one_call_is_refused_whole(board: BoardUnderTest) -> None:
    task = NewTask(name="t", title="t")
    for arguments in (
        {"tasks": [task, task]},
        {"tasks": [task], "artifacts": [NewArtifact(task="t", name="a"), NewArtifact(task="t", name="a")]},
    ):
        with pytest.raises(DuplicateName, match="twice"):
            await board.perform("post", **arguments)
    assert await board.fetchval("SELECT count(*) FROM tasks WHERE board = $1") == 0


async def test_board_name_is_taken_once(board: BoardUnderTest) -> None:
    with pytest.raises(DuplicateName, match=f": '{board.name}'$"):
        await board.perform("create_board", name=board.name)


async def test_titles_are_free_text(board: BoardUnderTest) -> None:
    title = "Über/die.Zukunft\n„日本“ 🚀"
    items = await board.post(
        NewArtifact(task="t", name="a", owner="backend", title=title), tasks=[NewTask(name="t", title=title)]
    )
    assert (await board.claim())[0].title == title
    assert (await board.perform("briefing", item=items["t/a"]))["chain"][0]["title"] == title


@given(st.text(max_size=80))
def test_slug_of_any_text_is_a_name(text: str) -> None:
    assert check_name(slug(text))


@given(st.text(max_size=80))
def test_reference_is_two_names_or_an_error_of_ours(text: str) -> None:
    try:
        names = split_reference(text)
    except SlateError:
        return
    assert all(check_name(name) for name in names)
