"""The kind AgentConfig: as the guide writes it, with everything else that it takes, and with one thing wrong."""

from __future__ import annotations

from typing import Any

import pytest

from slateboard.manifests import files
from slateboard.protocol.errors import BadManifest, BadSubject, SlateError
from tests.manifests.test_kinds import GUIDE
from tests.support.boards import BoardUnderTest
from tests.support.live import check_fold

HEAD = "apiVersion: agent.ceo/v1\nkind: AgentConfig\nmetadata: {name: backend-agent}\nspec:\n"
ALL = (
    HEAD
    + """\
  role: builds
  capabilities: [sql, python]
  manager: cto
  right: agent
  accepts_delegation_from: []
  event_subscriptions: [genbrain.events.ci.failure]
  meeting_availability: never
  limits: {concurrency: 2, rate: 10, per: 1m}
  budget: {tokens: 1000, cost: 2.5}
  circuit_breaker: {failure_threshold: 5}
"""
)


def config(text: str) -> list[dict[str, str]]:
    """One manifest."""
    return [{"source": "agent.yaml", "text": text}]


async def apply(board: BoardUnderTest, text: str, **more: Any) -> dict[str, Any]:
    """Apply one manifest."""
    return await board.perform("apply", documents=config(text), **more)


async def test_the_config_of_the_guide_loads_as_it_stands_and_again_without_a_change(board: BoardUnderTest) -> None:
    documents = files.read([str(GUIDE / "agent-config.yaml")])
    first = await board.perform("apply", documents=documents)
    assert {"kind": "subscription", "reference": "backend-ci-failure-handle"} in first["created"]
    assert first["agents_created"] == ["devops"]
    again = await board.perform("apply", documents=documents)
    assert (again["created"], again["changed"], again["removed"]) == ([], [], [])
    (found,) = [one for one in await board.perform("find_agents") if one["name"] == "backend"]
    assert (found["accepts_from"], found["availability"]) == (["cto"], "always")
    subscribed = {one["name"]: one for one in await board.perform("list_subscriptions")}
    assert subscribed["backend-ci-failure-handle"]["action"] == "handle"
    assert subscribed["backend-ci-failure-handle"]["source"] == "AgentConfig/backend"
    await check_fold(board)


async def test_everything_that_is_said_is_done_and_what_is_said_no_more_is_taken_back(board: BoardUnderTest) -> None:
    await apply(board, ALL)
    again = await apply(board, ALL)
    assert (again["created"], again["changed"], again["removed"]) == ([], [], [])
    (limit,) = await board.perform("list_limits")
    (budget,) = await board.perform("list_budgets")
    assert (limit["concurrency"], limit["rate"], limit["per_seconds"]) == (2, 10, 60)
    assert (budget["tokens"], budget["cost"]) == (1000, 2.5)
    assert (await board.perform("show_breaker", agent="backend"))["failure_threshold"] == 5
    less = await apply(board, HEAD + "  role: builds\n")
    assert {one["kind"] for one in less["removed"]} == {"subscription", "circuit breaker"}
    assert {one["field"] for one in less["changed"]} == {"accepts_from", "availability"}
    (found,) = [one for one in await board.perform("find_agents") if one["name"] == "backend"]
    assert (found["accepts_from"], found["manager"], found["capabilities"]) == (None, "cto", ["python", "sql"])
    await check_fold(board)


async def test_an_agent_that_a_config_defines_is_made_also_with_strict(board: BoardUnderTest) -> None:
    text = HEAD.replace("backend", "ops") + "  role: runs it\n"
    found = await apply(board, text, strict=True)
    assert (found["created"], found["agents_created"]) == ([{"kind": "agent", "reference": "ops"}], [])
    with pytest.raises(SlateError, match="ctoo") as error:
        await apply(board, text + "  accepts_delegation_from: [ctoo]\n", strict=True)
    assert error.value.details["nearest"] == "cto"


async def test_a_circle_of_managers_across_configs_applies_nothing(board: BoardUnderTest) -> None:
    text = ALL + "---\n" + HEAD.replace("backend-agent", "cto") + "  manager: backend\n"
    with pytest.raises(SlateError, match=r"agent.yaml:\d+:\d+: .*cto → backend → cto"):
        await apply(board, text)
    assert await board.fetchval("SELECT role FROM agents WHERE board = $1 AND name = 'backend'") == ""


async def test_a_dry_run_says_what_would_change(board: BoardUnderTest) -> None:
    found = await apply(board, HEAD + "  role: new\n", dry_run=True)
    assert found["changed"] == [{"kind": "agent", "reference": "backend", "field": "role", "from": "", "to": "new"}]
    assert await board.fetchval("SELECT role FROM agents WHERE board = $1 AND name = 'backend'") == ""


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("  acceptz_delegation_from: [cto]\n", "accepts_delegation_from"),
        ("  accepts_delegation_from: cto\n", "a list of agents"),
        ("  event_subscriptions: [a..b]\n", "a..b"),
        ("  peer_channels: [frontend]\n", "inbox"),
        ("  peer_channels: [genbrain.agents.backend.inbox]\n", "another agent"),
        ("  meeting_availability: mondays\n", "always"),
        ("  limits: {rate: 3}\n", "per"),
        ("  limits: {rate: 3, per: soon}\n", "length of time"),
        ("  budget: {}\n", "tokens"),
        ("  budget: {cost: much}\n", "number"),
        ("  circuit_breaker: {failure_threshold: 0}\n", "1 to"),
        ("  kind: robot\n", "agent"),
        ("  right: god\n", "reader"),
        ("  agent: Back End\n", "name"),
    ],
)
async def test_one_thing_wrong_is_named_with_its_place(board: BoardUnderTest, spec: str, said: str) -> None:
    with pytest.raises((BadManifest, BadSubject), match=r"agent.yaml:\d+:\d+: .*") as error:
        await apply(board, HEAD + spec)
    assert said in f"{error.value} {error.value.remedy} {error.value.details}"
