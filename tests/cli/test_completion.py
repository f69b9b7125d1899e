"""What the shell offers at the tab key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Slate
    from tests.support.boards import BoardUnderTest


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("slate has", {"has-work"}),
        ("slate work cl", {"claim"}),
        ("slate get dead", {"dead-letters"}),
        ("slate get artifacts --status in_p", {"in_progress"}),
        ("slate has-work --agent b", {"backend"}),
        ("slate show w", {"work"}),
        ("slate show work/", {"work/a", "work/b"}),
        ("slate cancel work/b", {"work/b"}),
        ("slate tree nothing-like-it", set()),
    ],
)
async def test_names_of_the_board_are_offered(
    slate: Slate, board: BoardUnderTest, line: str, offered: set[str]
) -> None:
    await board.post_graph({"a": [], "b": []})
    words = len(line.split()) - 1
    done = await slate(COMP_WORDS=line, COMP_CWORD=str(words), _SLATE_COMPLETE="bash_complete")
    assert {one.partition(",")[2] for one in done.out.split()} == offered


async def test_completion_offers_nothing_where_nothing_answers(slate: Slate) -> None:
    line = {"COMP_WORDS": "slate show w", "COMP_CWORD": "2", "_SLATE_COMPLETE": "bash_complete"}
    done = await slate(SLATE_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none", **line)
    assert (done.out.strip(), done.err) == ("", "")
