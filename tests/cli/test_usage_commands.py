"""Usage, budgets and limits from the shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slateboard.protocol.work import NewArtifact, NewTask

if TYPE_CHECKING:
    from tests.cli.conftest import Slate
    from tests.support.boards import BoardUnderTest


async def test_usage_is_reported_summed_and_limited(slate: Slate, board: BoardUnderTest) -> None:
    await board.post(NewArtifact(task="work", name="a", owner="backend"), tasks=[NewTask(name="work", title="work")])
    claim = (await slate.ok("work", "claim", "--as", "backend"))["claim"]
    under = ("work", "usage", claim["item"], "--fence", claim["fence"], "--as", "backend")
    await slate.ok(*under, "--input-tokens", 10, "--cost", 0.5, "--model", "m")
    assert (await slate.wrong(2, *under, "--output-tokens", -1))["code"] == "invalid"
    used = await slate.ok("usage", "--task", "work", "--per", "model")
    assert [(row["name"], row["cost"]) for row in used["rows"]] == [("m", 0.5)]
    assert used["total"]["input_tokens"] == 10
    made = await slate.ok("budget", "set", "--agent", "backend", "--cost", 0.5)
    assert (made["scope"], made["used_cost"], made["exhausted_at"] is None) == ("agent backend", 0.5, False)
    assert (await slate.wrong(5, "work", "claim", "--as", "backend"))["code"] == "paused"
    (shown,) = await slate.ok("budget", "list")
    assert (shown["name"], shown["cost"]) == ("backend", 0.5)
    await slate.ok("budget", "remove", "--agent", "backend")
    assert (await slate.wrong(4, "budget", "remove", "--agent", "backend"))["code"] == "unknown_name"


async def test_limits_are_set_shown_and_removed(slate: Slate, board: BoardUnderTest) -> None:
    assert board.agents
    made = await slate.ok("limit", "set", "key", "api", "--rate", 60, "--per", "1m")
    assert (made["rate"], made["per_seconds"]) == (60, 60.0)
    (shown,) = await slate.ok("limit", "list")
    assert (shown["scope"], shown["name"], shown["running"]) == ("key", "api", 0)
    await slate.ok("limit", "remove", "key", "api")
    assert (await slate.wrong(4, "limit", "remove", "key", "api"))["code"] == "unknown_name"
