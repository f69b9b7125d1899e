"""Each root cause and what would release it, in the same words by the operation, the SDK, the command and GraphQL."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from slateboard import connect
from slateboard.patterns import spending
from slateboard.protocol.work import NewArtifact, NewTask
from tests.cli.conftest import Slate
from tests.graphql.conftest import Asker
from tests.support.boards import BoardUnderTest

Scene = Callable[[BoardUnderTest, dict[str, int]], Awaitable[Any]]
QUERY = "query ($item: String!) { why(item: $item) { because release moves path { reference because } } }"


async def held(board: BoardUnderTest, **rules: Any) -> None:
    """`work/first` runs and has what `work/a` would take, which a claim has just put behind its gate."""
    made = await board.post(NewArtifact(task="work", name="first", owner="backend", rules=rules))
    await board.claim_item(made["work/first"])
    await board.claim()


async def spent(board: BoardUnderTest, **of: Any) -> None:
    await board.perform("set_budget", tokens=10, **of)
    made = await board.post(NewArtifact(task="work", name="first", owner="backend"))
    claim = await board.claim_item(made["work/first"])
    await board.perform("report_usage", by="backend", item=claim.item, fence=claim.fence, output_tokens=11)
    async with board.chores() as tx:
        await spending.watch(tx)
    if "task" in of:
        assert await board.claim() == []


async def agent_paused(board: BoardUnderTest, _items: dict[str, int]) -> None:
    await board.perform("pause", agent="backend", reason="audit")


async def board_paused(board: BoardUnderTest, _items: dict[str, int]) -> None:
    await board.perform("pause")


async def breaker_open(board: BoardUnderTest, _items: dict[str, int]) -> None:
    await board.perform("open_breaker", agent="backend", reason="it lies")


async def agent_spent(board: BoardUnderTest, _items: dict[str, int]) -> None:
    await spent(board, agent="backend")


async def board_spent(board: BoardUnderTest, _items: dict[str, int]) -> None:
    await spent(board)


async def task_spent(board: BoardUnderTest, _items: dict[str, int]) -> None:
    await spent(board, task="work")


async def agent_limited(board: BoardUnderTest, _items: dict[str, int]) -> None:
    await board.perform("set_limit", scope="agent", name="backend", concurrency=1)
    await held(board)


async def rate_limited(board: BoardUnderTest, _items: dict[str, int]) -> None:
    await board.perform("set_limit", scope="agent", name="backend", rate=1, per_seconds=86_400.0)
    await held(board)


async def key_limited(board: BoardUnderTest, _items: dict[str, int]) -> None:
    await board.perform("set_limit", scope="key", name="api", concurrency=1)
    await held(board, keys=["api"])


async def resource_taken(board: BoardUnderTest, _items: dict[str, int]) -> None:
    await held(board, touches=["src/**"])


async def question_asked(board: BoardUnderTest, items: dict[str, int]) -> None:
    claim = await board.claim_item(items["a"])
    await board.perform("ask", by="backend", item=claim.item, fence=claim.fence, question="Why?", of="cto")


async def event_awaited(board: BoardUnderTest, items: dict[str, int]) -> None:
    claim = await board.claim_item(items["a"])
    given = {"pattern": "genbrain.events.pr.*", "timeout_seconds": 60}
    await board.perform("wait_for", by="backend", item=claim.item, fence=claim.fence, **given)


async def died(board: BoardUnderTest, items: dict[str, int]) -> None:
    await board.bury(items["a"])


SCENES: list[tuple[Scene, str, str, bool]] = [
    (agent_paused, "backend is paused: audit", "slate resume --agent backend", False),
    (board_paused, "the board is paused", "slate resume", False),
    (breaker_open, "the circuit breaker of backend is open: it lies", "slate breaker close backend", True),
    (agent_spent, "the budget of backend is used up", "slate budget set --agent backend, with more", False),
    (board_spent, "the budget of the board is used up", "slate budget set, with more", False),
    (task_spent, "the budget of the task work is used up", "slate budget set --task work, with more", False),
    (agent_limited, "the limit of agent backend is reached",
     "the end of what runs, or slate limit set agent backend, with more", True),
    (rate_limited, "the limit of agent backend is reached",
     "the end of what runs, or slate limit set agent backend, with more", True),
    (key_limited, "the limit of key api is reached", "the end of what runs, or slate limit set key api, with more",
     True),
    (resource_taken, "work/first has the resource src/*", "the end of work/first", True),
    (question_asked, "cto must answer", "slate answer {duty} TEXT", False),
    (event_awaited, "waits for the event genbrain.events.pr.*", "an event genbrain.events.pr.*", True),
    (died, "is a dead letter: logic: it broke", "slate dead-letters redrive {a}", False),
]  # fmt: skip


@pytest.mark.parametrize(("scene", "because", "release", "moves"), SCENES, ids=lambda one: getattr(one, "__name__", ""))
async def test_root_cause_and_what_releases_it_by_every_door(
    board: BoardUnderTest, asker: Asker, app_url: str, scene: Scene, because: str, release: str, moves: bool
) -> None:
    rules = {"keys": ["api"], "touches": ["src/api/a.py"]}
    made = await board.post(
        NewArtifact(task="work", name="a", owner="backend", rules=rules),
        NewArtifact(task="work", name="b", owner="backend", blocked_by=("a",)),
        tasks=[NewTask(name="work", title="work")],
    )
    items = {name: made[f"work/{name}"] for name in "ab"}
    await scene(board, items)
    found = await board.perform("why", item="work/b")
    duty = found["path"][-1]["item"]
    assert (found["because"], found["release"], found["moves"]) == (because, release.format(duty=duty, **items), moves)
    assert [step["reference"] for step in found["path"]][:2] == ["work/b", "work/a"]
    told = (await asker.ask(QUERY, item="work/b"))["why"]
    assert (told["because"], told["release"], told["moves"]) == (found["because"], found["release"], moves)
    assert [step["because"] for step in told["path"]] == [step["because"] for step in found["path"]]
    async with connect(app_url, board=board.name) as client:
        assert (await client.call("why", item="work/b"))["release"] == found["release"]
    slate = Slate({"SLATE_DATABASE_URL": app_url, "SLATE_BOARD": board.name, "SLATE_AGENT": "", "SLATE_LOG_LEVEL": ""})
    assert (await slate.ok("why", "work/b"))["because"] == because
    text = (await slate("why", "work/b")).out
    assert because in text
    assert f"to release it: {found['release']}" in text
    listed = [one["item"] for one in (await board.perform("stuck"))["items"]]
    assert (items["a"] in listed) is not moves
