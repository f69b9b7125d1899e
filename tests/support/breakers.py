"""What tests of circuit breakers do again and again: let items fail, open a breaker, let its recovery time be over."""

from __future__ import annotations

from typing import Any

import pytest

from slateboard.protocol.errors import BreakerOpen
from slateboard.protocol.work import NewArtifact, NewTask
from tests.support.boards import BoardUnderTest


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


async def apply(board: BoardUnderTest, text: str, **more: Any) -> dict[str, Any]:
    return await board.perform("apply", documents=[{"source": "breaker.yaml", "text": text}], **more)


def rules(body: str, agents: str = "backend", name: str = "builders") -> str:
    return (
        f"apiVersion: agent.ceo/v1\nkind: CircuitBreaker\nmetadata: {{name: {name}}}\n"
        f"spec: {{agents: [{agents}], circuit_breaker: {{{body}}}}}\n"
    )
