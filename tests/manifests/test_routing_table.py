"""The kind RoutingTable: as the guide writes it, with everything else that it takes, and with one thing wrong."""

from __future__ import annotations

from typing import Any

import pytest

from slateboard.manifests import files
from slateboard.manifests.kinds import declared
from slateboard.protocol.errors import BadManifest, Denied, NoChannel, SlateError
from tests.manifests.test_agent_config import HEAD
from tests.manifests.test_kinds import GUIDE
from tests.support.boards import BoardUnderTest
from tests.support.live import check_fold

TABLE = "apiVersion: agent.ceo/v1\nkind: RoutingTable\nmetadata: {name: product}\nspec:\n"
ROUTES = """\
  agents:
    backend:
      consults:
        - {agent: cto, for: "hard questions"}
      notifies:
        - {agent: frontend, when: "API contract changes", on: genbrain.events.api.contract-changed}
"""


async def apply(board: BoardUnderTest, text: str, **more: Any) -> dict[str, Any]:
    """Apply one manifest."""
    return await board.perform("apply", documents=[{"source": "routes.yaml", "text": text}], **more)


async def routes(board: BoardUnderTest) -> list[tuple[str, str, str, str]]:
    """The routes of the board."""
    rows = await board.perform("list_routes")
    return [(one["agent"], one["kind"], one["other"], one["label"]) for one in rows]


async def test_the_table_of_the_guide_loads_as_it_stands_and_again_without_a_change(board: BoardUnderTest) -> None:
    documents = files.read([str(GUIDE / "routing-table.yaml")])
    first = await board.perform("apply", documents=documents)
    assert first["agents_created"] == ["cso", "devops", "marketing"]
    assert {"kind": "route", "reference": "backend → cso (consult: security review of API changes)"} in first["created"]
    assert await routes(board) == [
        ("backend", "consult", "cso", "security review of API changes"),
        ("backend", "consult", "devops", "infrastructure questions, deployment configs"),
        ("backend", "notify", "frontend", "API contract changes"),
        ("frontend", "consult", "backend", "API endpoint specifications"),
        ("frontend", "consult", "marketing", "brand guidelines, copy review"),
    ]
    again = await board.perform("apply", documents=documents)
    assert (again["created"], again["changed"], again["removed"]) == ([], [], [])
    asked = await board.perform("consult", by="backend", to="cso", question="Is it safe?")
    assert asked["to"] == "cso"
    with pytest.raises(NoChannel):
        await board.perform("consult", by="backend", to="marketing", question="Is it nice?")
    await check_fold(board)


async def test_table_says_all_of_itself_and_nothing_of_others(board: BoardUnderTest) -> None:
    await apply(board, TABLE + ROUTES)
    await apply(board, TABLE.replace("product", "other") + "  agents: {cto: {consults: [{agent: backend}]}}\n")
    (subscribed,) = await board.perform("list_subscriptions")
    assert (subscribed["agent"], subscribed["action"], subscribed["source"]) == (
        "frontend", "notified", "RoutingTable/product",
    )  # fmt: skip
    quiet = ROUTES.replace(", on: genbrain.events.api.contract-changed", "")
    changed = await apply(board, TABLE + quiet)
    assert [(one["kind"], one["field"], one["to"]) for one in changed["changed"]] == [("route", "on", None)]
    assert changed["removed"] == [
        {"kind": "subscription", "reference": "backend-api-contract-changed-frontend-notified"}
    ]
    less = await apply(board, TABLE + "  agents: {}\n")
    assert [one["reference"] for one in less["removed"]] == [
        "backend → cto (consult: hard questions)", "backend → frontend (notify: API contract changes)",
    ]  # fmt: skip
    assert await routes(board) == [("cto", "consult", "backend", "")]
    await check_fold(board)


async def test_event_of_the_subject_tells_by_itself(board: BoardUnderTest) -> None:
    from tests.patterns.conftest import Router

    await apply(board, TABLE + ROUTES)
    await board.perform("publish", by="backend", subject="genbrain.events.api.contract-changed", data={"v": 2})
    await Router(board, _duty(board)).run()
    (delivery,) = await board.claim("frontend")
    assert delivery.reference.endswith("/notified")
    briefing = await board.perform("briefing", item=delivery.item)
    assert briefing["event"]["payload"] == {"v": 2}


def _duty(board: BoardUnderTest) -> Any:
    from slateboard.server.duty import Duty

    return Duty(database=board.database, owner_url="", wake=lambda *_: None, sealed=lambda _: None)


async def test_channels_of_an_agent_config_are_routes(board: BoardUnderTest) -> None:
    both = "  peer_channels: [genbrain.agents.frontend.inbox, genbrain.agents.cto.inbox]\n"
    await apply(board, HEAD + both)
    assert await routes(board) == [("backend", "channel", "cto", ""), ("backend", "channel", "frontend", "")]
    await board.perform("consult", by="backend", to="frontend", question="Does it look good?")
    less = await apply(board, HEAD + "  role: builds\n")
    assert [one["reference"] for one in less["removed"]] == [
        "backend → frontend (channel)", "backend → cto (channel)",
    ]  # fmt: skip
    await check_fold(board)


@pytest.mark.parametrize(
    ("channel", "strict", "expected"),
    [("elsewhere.agents.cto.inbox", False, "genbrain.agents.cto.inbox"), ("genbrain.agents.ctoo.inbox", True, "cto")],
)
async def test_channel_that_does_not_exist_is_an_error_at_its_place(
    board: BoardUnderTest, channel: str, strict: bool, expected: str
) -> None:
    with pytest.raises(SlateError, match=r"routes.yaml:\d+:\d+: ") as error:
        await apply(board, HEAD + f"  peer_channels: [{channel}]\n", strict=strict)
    assert expected in f"{error.value} {error.value.remedy} {error.value.details}"
    assert await routes(board) == []


async def test_agents_give_themselves_no_routes(board: BoardUnderTest) -> None:
    with pytest.raises(Denied):
        await board.perform("apply", by="backend", documents=[{"source": "routes.yaml", "text": TABLE + ROUTES}])


async def test_route_that_another_table_says_is_refused(board: BoardUnderTest) -> None:
    await apply(board, TABLE + ROUTES)
    with pytest.raises(BadManifest, match=r"routes.yaml:\d+:\d+: .*on the board already, said by RoutingTable/product"):
        await apply(board, ROUTES.replace("\n  ", "\n").removeprefix("  "))


async def test_unknown_agent_is_an_error_with_strict_and_names_the_nearest(board: BoardUnderTest) -> None:
    text = TABLE + ROUTES.replace("agent: cto", "agent: ctoo")
    with pytest.raises(SlateError, match=r"routes.yaml:\d+:\d+: .*ctoo") as error:
        await apply(board, text, strict=True)
    assert error.value.details["nearest"] == "cto"
    assert await routes(board) == []


@pytest.mark.parametrize(
    ("old", "new", "line", "found"),
    [
        ("agent: cto", "agent: backend", 8, "the agent itself"),
        ("agent: cto, ", "", 8, "no 'agent'"),
        ("for:", "fro:", 8, "'fro'"),
        ('for: "hard questions"', "for: 7", 8, "whole number"),
        ('for: "hard questions"', 'for: " "', 8, "1 characters"),
        ("consults", "consult", 7, "'consult'"),
        (', when: "API contract changes"', "", 10, "no 'when'"),
        ("genbrain.events.api.contract-changed", "api..changed", 10, "api..changed"),
        ("backend:", "Back End:", 6, "not a name"),
        ("agents:", "agent:", 5, "'agent'"),
    ],
)
def test_one_thing_wrong_is_shown_at_its_place(old: str, new: str, line: int, found: str) -> None:
    with pytest.raises(SlateError) as error:
        declared([{"source": "routes.yaml", "text": TABLE + ROUTES.replace(old, new, 1)}])
    assert error.value.details["file"] == "routes.yaml"
    assert found in str(error.value)
    assert error.value.details["line"] == line


def test_route_stands_once() -> None:
    text = TABLE + ROUTES
    with pytest.raises(BadManifest, match="twice"):
        declared([{"source": "a.yaml", "text": text}, {"source": "b.yaml", "text": text}])
