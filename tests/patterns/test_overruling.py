"""What an operator overrules is shown where the work is shown: who, what and why; and the fold keeps it."""

from __future__ import annotations

import pytest

from slateboard.protocol.errors import Invalid
from tests.support.boards import BoardUnderTest
from tests.support.live import check_fold


@pytest.mark.parametrize("by_reference", [True, False])
async def test_show_says_who_overruled_what_and_why(board: BoardUnderTest, by_reference: bool) -> None:
    await board.add_agent("boss", right="operator")
    items = await board.post_graph({"a": [], "b": []})
    name = "work/a" if by_reference else str(items["a"])
    await board.seal()
    assert (await board.perform("show", name=name))["overruled"] == []
    await board.perform("override", by="boss", item=items["a"], agent="frontend", rating=7, reason=" it is away ")
    await board.perform("pin", by="boss", item=items["a"], rating=None)
    await board.perform("pin", by="boss", item=items["b"], rating=3, reason="another")
    await board.seal()
    found = (await board.perform("show", name=name))["overruled"]
    assert [(one["by"], one["agent"], one["pinned"], one["rating"], one["reason"]) for one in found] == [
        ("boss", None, True, None, None),
        ("boss", None, True, 7, "it is away"),
        ("boss", "frontend", False, None, "it is away"),
    ]
    await check_fold(board)


async def test_a_reason_says_something(board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": []})
    for reason in (" ", "x" * 1_001):
        with pytest.raises(Invalid, match="a reason has 1 to 1,000 characters"):
            await board.perform("pin", item=items["a"], rating=1, reason=reason)
        with pytest.raises(Invalid, match="a reason has 1 to 1,000 characters"):
            await board.perform("override", item=items["a"], rating=1, reason=reason)
