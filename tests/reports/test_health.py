"""What is not as it should be on a board, in the same words by the operation, the SDK, the command and GraphQL."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from slateboard import connect
from slateboard.protocol.errors import Invalid
from slateboard.protocol.rights import ADMINISTRATOR
from slateboard.protocol.states import FailureClass
from slateboard.protocol.work import NewArtifact, NewTask
from slateboard.reports.health import health
from slateboard.transaction import reading
from tests.cli.conftest import Slate
from tests.support.boards import BoardUnderTest

LISTS = ("stalled", "overdue", "due_soon", "stale", "degraded")


async def seen(board: BoardUnderTest, **later: float) -> dict[str, Any]:
    """The health of the board so much later."""
    async with reading(board.database, ADMINISTRATOR, board.id) as tx:
        tx.now += timedelta(**later)
        return await health(tx)


def reasons(found: dict[str, Any]) -> dict[str, list[str]]:
    return {one["agent"]: [reason["reason"] for reason in one["reasons"]] for one in found["degraded"]}


async def test_healthy_board_has_nothing_to_tell(board: BoardUnderTest) -> None:
    await board.post_graph({"a": [], "b": ["a"]})
    await board.claim()
    found = await board.perform("health")
    assert found == {**{name: [] for name in LISTS}, "more": []}


async def test_claim_without_progress_is_listed_with_its_agent(board: BoardUnderTest) -> None:
    await board.post_graph({"a": []})
    (claim,) = await board.claim()
    found = await seen(board, minutes=6)
    (row,) = found["stalled"]
    assert (row["reference"], row["agent"], row["worker"], row["since"]) == (
        "work/a", "backend", "w1", claim.claimed_at,
    )  # fmt: skip
    assert reasons(found) == {"backend": ["stalled"]}
    await board.perform("checkpoint", item=claim.item, fence=claim.fence, data=1)
    assert (await seen(board, minutes=4))["stalled"] == []


async def test_late_work_is_listed_with_its_owner_wherever_it_stands(board: BoardUnderTest) -> None:
    now = await board.fetchval("SELECT now() WHERE $1 > 0")
    due = {"a": now + timedelta(hours=4), "b": now + timedelta(hours=8), "c": now + timedelta(hours=2)}
    await board.post(
        NewArtifact(task="work", name="a", owner="backend", due=due["a"]),
        NewArtifact(task="work", name="b", owner="cto", due=due["b"], blocked_by=("a",)),
        NewArtifact(task="work", name="c", owner="frontend", due=due["c"]),
        tasks=[NewTask(name="work", title="work")],
    )
    (done,) = await board.claim("frontend")
    await board.finish(done, content="c")
    found = await seen(board, hours=3.5)
    assert [(row["reference"], row["place"], row["owner"]) for row in found["due_soon"]] == [
        ("work/a", "ready", "backend")
    ]
    found = await seen(board, hours=7)
    assert [row["reference"] for row in found["overdue"]] == ["work/a"]
    assert [(row["reference"], row["place"], row["owner"]) for row in found["due_soon"]] == [("work/b", "gated", "cto")]


async def test_stale_work_is_listed_with_its_owner_and_whether_it_is_revised(board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": [], "b": ["a"], "c": ["b"]})
    await board.complete(items["a"], items["b"])
    revision = await board.perform("revise", reference="work/a", reason="better")
    assert (await seen(board))["stale"] == []
    await board.complete(revision["item"])
    (row,) = (await seen(board))["stale"]
    assert (row["reference"], row["owner"], row["because"], row["revised"]) == (
        "work/b", "backend", "a newer version of work/a", False,
    )  # fmt: skip
    again = await board.perform("revise", reference="work/b")
    assert [one["revised"] for one in (await seen(board))["stale"]] == [True]
    await board.complete(again["item"])
    assert (await seen(board))["stale"] == []


async def test_work_that_used_a_superseded_decision_is_listed_with_its_owner(board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": []})
    await board.perform("decide", subject="port", decision="80", task="work")
    await board.complete(items["a"])
    await board.perform("decide", subject="port", decision="8080", task="work", supersedes="port")
    (row,) = (await seen(board))["stale"]
    assert (row["reference"], row["owner"]) == ("work/a", "backend")
    assert "superseded" in row["because"]


async def test_agents_are_degraded_for_what_they_do(board: BoardUnderTest) -> None:
    await board.tolerate_failures()
    for number in range(6):
        items = await board.post_graph({"a": []}, task=f"t{number}")
        claim = await board.claim_item(items["a"])
        if number % 2:
            await board.fail(claim, FailureClass.LOGIC)
        else:
            await board.finish(claim, content="a")
    await board.perform("open_breaker", agent="cto", reason="it lies")
    await board.post_graph({"b": []}, task="other", owner="frontend")
    found = await seen(board, minutes=6)
    assert reasons(found) == {"backend": ["failing"], "cto": ["breaker"], "frontend": ["silent"]}
    because = {one["agent"]: one["reasons"][0]["because"] for one in found["degraded"]}
    assert because["backend"] == "3 of its last 6 attempts failed"
    assert because["cto"] == "its circuit breaker is not closed: it lies"
    assert because["frontend"].startswith("it holds nothing, and other/b has been ready for 6m")


async def test_agent_that_is_paused_or_just_got_its_work_is_not_silent(board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": []})
    await board.post(NewArtifact(task="work", name="b", owner="frontend", blocked_by=("a",)))
    await board.complete(items["a"])
    assert reasons(await seen(board, minutes=4)) == {}
    assert reasons(await seen(board, minutes=6)) == {"frontend": ["silent"]}
    await board.perform("pause", agent="frontend")
    assert reasons(await seen(board, minutes=6)) == {}


async def test_lists_are_cut_and_it_is_said(board: BoardUnderTest) -> None:
    now = await board.fetchval("SELECT now() WHERE $1 > 0")
    artifacts = [
        NewArtifact(task="work", name=f"a{number}", owner="backend", due=now - timedelta(hours=1))
        for number in range(3)
    ]
    await board.post(*artifacts, tasks=[NewTask(name="work", title="work")])
    found = await board.perform("health", limit=2)
    assert (len(found["overdue"]), found["more"]) == (2, ["overdue"])
    for wrong in (0, 1001):
        with pytest.raises(Invalid, match="limit"):
            await board.perform("health", limit=wrong)


async def test_command_and_sdk_say_it_in_the_same_words(board: BoardUnderTest, app_url: str) -> None:
    slate = Slate({"SLATE_DATABASE_URL": app_url, "SLATE_BOARD": board.name, "SLATE_AGENT": "", "SLATE_LOG_LEVEL": ""})
    assert "all is well" in (await slate("health")).out
    await board.perform("open_breaker", agent="cto", reason="it lies")
    async with connect(app_url, board=board.name) as client:
        told = await client.call("health")
    assert reasons(told) == {"cto": ["breaker"]}
    assert reasons(await slate.ok("health")) == {"cto": ["breaker"]}
    shown = (await slate("health")).out
    assert "degraded agents (1)" in shown
    assert "its circuit breaker is not closed: it lies" in shown
