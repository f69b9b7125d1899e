"""Circuit breakers: they open after items in a row that failed, one probe goes through, and its outcome decides."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from slateboard.patterns import openings
from slateboard.protocol.errors import BreakerOpen, Denied, Invalid, SlateError, WrongState
from slateboard.protocol.states import FailureClass, Outcome
from slateboard.protocol.work import NewArtifact, NewTask
from slateboard.store.database import Database
from slateboard.work import breakers
from tests.support.boards import BoardUnderTest
from tests.support.live import check_fold

CALLERS = 32


async def posted(board: BoardUnderTest, number: int, *, owner: str = "backend", task: str = "work") -> list[int]:
    """So many items of an agent."""
    artifacts = [NewArtifact(task=task, name=f"a{one}", owner=owner) for one in range(number)]
    made = await board.post(*artifacts, tasks=[NewTask(name=task, title=task)])
    return [made[f"{task}/a{one}"] for one in range(number)]


async def fail_items(board: BoardUnderTest, number: int, **arguments: Any) -> None:
    """Let the next items fail, each once."""
    for claim in await board.claim(limit=number):
        await board.fail(claim, error="no route to the registry", **arguments)


async def opened(board: BoardUnderTest, *, ready: int = 3) -> None:
    """An open breaker, and so many more ready items."""
    await posted(board, 3 + ready)
    await fail_items(board, 3)


async def recovered(board: BoardUnderTest) -> None:
    """Let the recovery time be over."""
    await board.fetch(
        "UPDATE circuit_breakers SET until = clock_timestamp() - interval '1 s' WHERE board = $1 RETURNING 1"
    )


async def state(board: BoardUnderTest, agent: str = "backend") -> str:
    return (await board.perform("show_breaker", agent=agent))["state"]


async def has_work(board: BoardUnderTest, agent: str = "backend") -> bool:
    return await board.perform("has_work", agent=board.agents[agent])


async def refused(board: BoardUnderTest, agent: str = "backend") -> BreakerOpen:
    with pytest.raises(BreakerOpen) as raised:
        await board.claim(agent)
    return raised.value


async def test_three_failed_items_in_a_row_open_the_breaker_and_claims_say_so(board: BoardUnderTest) -> None:
    await posted(board, 4)
    await fail_items(board, 2)
    assert await has_work(board)
    await fail_items(board, 1)
    error = await refused(board)
    assert "the circuit breaker of backend is open: 3 items failed in a row, the last: no route" in error.message
    assert error.details["until"] > error.details["since"]
    assert error.details["fallback"] == "escalate_to_human"
    assert "slate breaker close" in error.remedy
    assert not await has_work(board)
    (shown,) = await board.perform("list_breakers")
    assert (shown["agent"], shown["state"], shown["failed"]) == ("backend", "open", 3)
    await board.seal()
    history = (await board.perform("show_breaker", agent="backend"))["history"]
    assert [one["subject"] for one in history] == ["board.breaker.opened"]
    await check_fold(board)


async def test_probe_that_succeeds_closes_it_and_that_fails_opens_it_again(board: BoardUnderTest) -> None:
    await opened(board)
    await recovered(board)
    assert await has_work(board)
    assert await state(board) == "half_open"
    (probe,) = await board.claim(limit=10)
    assert not await has_work(board)
    assert (await refused(board)).details["probe"] == probe.item
    await check_fold(board)
    await board.fail(probe, FailureClass.TRANSIENT)
    assert await state(board) == "open"
    assert "the probe failed: it broke" in (await refused(board)).message
    await recovered(board)
    (probe,) = await board.claim(limit=10)
    assert (await board.finish(probe))[0].error is None
    assert await state(board) == "closed"
    assert len(await board.claim(limit=10)) == 1
    subjects = [one for one in await board.subjects() if one.startswith("board.breaker.")]
    verbs = ["opened", "probed", "reopened", "probed", "closed"]
    assert subjects == [f"board.breaker.{verb}" for verb in verbs]
