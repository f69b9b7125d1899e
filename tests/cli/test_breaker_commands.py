"""Circuit breakers by hand: each command, and what a refused claim says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.breakers import opened

if TYPE_CHECKING:
    from tests.cli.conftest import Slate
    from tests.support.boards import BoardUnderTest


async def test_breaker_is_listed_shown_and_closed(slate: Slate, board: BoardUnderTest) -> None:
    assert (await slate("breaker", "list")).out == "every breaker is closed\n"
    await opened(board)
    (listed,) = await slate.ok("breaker", "list")
    assert (listed["agent"], listed["state"]) == ("backend", "open")
    error = await slate.wrong(5, "work", "claim", "--as", "backend")
    assert (error["code"], error["details"]["agent"]) == ("breaker_open", "backend")
    assert (await slate("has-work", "--agent", "backend")).code == 3
    await board.seal()
    shown = (await slate("breaker", "show", "backend")).out
    assert "backend: open, 3 failed in a row" in shown
    assert "board.breaker.opened" in shown
    assert (
        "the breaker of backend is open: 3 items failed in a row" in (await slate("status", "--board", board.name)).out
    )
    assert (await slate.ok("breaker", "close", "backend", "--reason", "mended"))["state"] == "closed"
    assert (await slate.wrong(5, "breaker", "close", "backend"))["code"] == "wrong_state"


async def test_breaker_is_opened_and_reset(slate: Slate, board: BoardUnderTest) -> None:
    assert (await slate("breaker", "open", "backend", "--reason", "x", "--for", "soon")).code == 2
    made = await slate.ok("breaker", "open", "backend", "--reason", "it deletes files", "--for", "1h")
    assert made["state"] == "open"
    assert (await slate.ok("breaker", "reset", "backend"))["state"] == "closed"
    assert await board.perform("list_breakers") == []
