"""Undoing from the shell: the task is rolled back, and whoever claims an undo reads what to undo, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import Slate
    from tests.support.boards import BoardUnderTest


async def test_undo_is_claimed_with_what_it_undoes(slate: Slate, board: BoardUnderTest) -> None:
    await board.post_graph({"deploy": [], "smoke": ["deploy"]})
    claim = (await slate.ok("work", "claim", "--as", "backend"))["claim"]
    end = ("work", "finish", claim["item"], "--fence", claim["fence"], "--content", "v1", "--undo", "roll_back")
    await slate.ok(*end, "--as", "backend")
    assert (await slate.ok("compensate", "work", "--reason", "it burns"))["posted"] == ["work/deploy"]
    shown = (await slate("work", "claim", "--as", "backend")).out
    assert "To undo\n  work/deploy version 1 by backend, by roll_back: inline (sha256:" in shown
    assert "because it burns" in shown
    (undo,) = await slate.ok("mine", "--as", "backend")
    done = await slate("work", "finish", undo["item"], "--fence", undo["fence"], "--as", "backend")
    assert done.out == f"item {undo['item']} is done\n"
    (told,) = (await slate.ok("show", "work"))["compensations"]
    assert (told["state"], told["action"]) == ("undone", "roll_back")
