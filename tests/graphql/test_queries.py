"""Questions in GraphQL: the same words as everywhere, Relay pages, and nothing of another board."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from slateboard.protocol.states import Outcome
from slateboard.protocol.work import NewArtifact, NewTask
from tests.graphql.conftest import Asker
from tests.support.boards import BoardUnderTest

ALL_PAGES = """
query ($after: String) {
  artifacts(first: 3, after: $after) {
    totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node { reference } }
  }
}
"""


async def test_connections_are_read_page_by_page(board: BoardUnderTest, asker: Asker) -> None:
    await board.post_graph({f"a{n}": [] for n in range(7)})
    found: list[str] = []
    after = None
    for _ in range(3):
        page = (await asker.ask(ALL_PAGES, after=after))["artifacts"]
        assert page["totalCount"] == 7
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        assert page["edges"][0]["cursor"] == page["pageInfo"]["startCursor"]
        found += [edge["node"]["reference"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
    assert page["pageInfo"]["hasNextPage"] is False
    assert found == [f"work/a{n}" for n in range(7)]
    second = (await asker.ask(ALL_PAGES, after=page["edges"][0]["cursor"]))["artifacts"]
    assert second["edges"] == []


async def test_an_artifact_leads_to_all_that_concerns_it(board: BoardUnderTest, asker: Asker) -> None:
    items = await board.post_graph({"spec": [], "page": ["spec"], "site": ["page"]})
    await board.complete(items["spec"])
    data = await asker.ask(
        """{ artifact(reference: "work/page") {
          status owner blockedBy item task { name status progress { done total byStatus } }
          ownerAgent { name ready }
          dependencies { nodes { reference status lastAttempt { outcome agent seconds } versions { version content } } }
          dependents { edges { node { reference status dependencies { nodes { reference } } } } }
          lastAttempt { outcome } attempts { outcome }
        } }"""
    )
    page = data["artifact"]
    assert (page["status"], page["owner"], page["blockedBy"]) == ("not_started", "backend", ["work/spec"])
    assert page["task"]["progress"] == {
        "done": 1, "total": 3, "byStatus": {"complete": 1, "not_started": 1, "pending": 1},
    }  # fmt: skip
    assert page["ownerAgent"] == {"name": "backend", "ready": 1}
    spec = page["dependencies"]["nodes"][0]
    assert (spec["reference"], spec["lastAttempt"]["outcome"]) == ("work/spec", "completed")
    assert spec["versions"] == [{"version": 1, "content": f"result of {items['spec']}"}]
    site = page["dependents"]["edges"][0]["node"]
    assert site["dependencies"]["nodes"] == [{"reference": "work/page"}]
    assert (page["lastAttempt"], page["attempts"]) == (None, [])


async def test_neighbours_are_paged_too(board: BoardUnderTest, asker: Asker) -> None:
    names = [f"a{n}" for n in range(5)]
    await board.post_graph({**{name: [] for name in names}, "all": names})
    query = """query ($after: String) { artifact(reference: "work/all") { dependencies(first: 2, after: $after) {
      pageInfo { hasNextPage endCursor } nodes { name } } } }"""
    found: list[str] = []
    after = None
    for _ in range(3):
        page = (await asker.ask(query, after=after))["artifact"]["dependencies"]
        found += [node["name"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
    assert found == names
    assert page["pageInfo"]["hasNextPage"] is False


async def test_the_same_field_can_be_asked_twice_with_other_arguments(board: BoardUnderTest, asker: Asker) -> None:
    items = await board.post_graph({"a": []})
    for _ in range(3):
        await board.give_back(await board.claim_item(items["a"]), Outcome.RELEASED)
    data = await asker.ask(
        """{ artifacts { nodes { one: attempts(last: 1) { attempt } two: attempts(last: 2) { attempt }
             attempts { n: attempt } ...More } } }
           fragment More on Artifact { one: attempts(last: 1) { outcome } }"""
    )
    node = data["artifacts"]["nodes"][0]
    assert node["one"] == [{"attempt": 3, "outcome": "released"}]
    assert node["two"] == [{"attempt": 3}, {"attempt": 2}]
    assert node["attempts"] == [{"n": 3}, {"n": 2}, {"n": 1}]


@pytest.mark.parametrize("shown", [True, False])
async def test_skip_and_include_are_heeded(board: BoardUnderTest, asker: Asker, *, shown: bool) -> None:
    await board.post_graph({"a": []})
    data = await asker.ask(
        """query ($shown: Boolean!) { artifacts { nodes { name
             task @include(if: $shown) { name } ... @skip(if: $shown) { owner } } } }""",
        shown=shown,
    )
    assert set(data["artifacts"]["nodes"][0]) == {"name", "task" if shown else "owner"}


async def test_everything_else_can_be_asked(board: BoardUnderTest, asker: Asker) -> None:
    await board.post(
        NewArtifact(task="a", name="one", owner="backend"),
        NewArtifact(task="b", name="two", capability="paint", blocked_by=("a/one",)),
        tasks=[NewTask(name="a", title="A", agent="cto"), NewTask(name="b", title="B", parent="a")],
    )
    await board.bury((await board.perform("list_items")).rows[0]["id"])
    claim_of_nothing = await board.claim()
    await board.perform("decide", decision="Use x", options=["x", {"title": "y"}], task="a")
    await board.perform("issue_token", agent="cto")
    await board.perform("subscribe", name="deploys", patterns=["a.>"], agent="cto")
    await board.perform("pause_subscription", name="deploys", reason="the freeze")
    await board.seal()
    assert not claim_of_nothing
    data = await asker.ask(
        """{
          boards { nodes { name prefix paused } } board { name } agents { nodes { name kind right } }
          tokens(agent: "cto") { nodes { agent live } }
          tasks(roots: true) { nodes { name status artifacts { nodes { name } } } }
          task(name: "b") { parent status } items { nodes { id place stuck artifact { reference } } }
          decisions { nodes { subject options task { name } } }
          deadLetters { nodes { id failureClass error artifact { status } } }
          events(first: 2) { nodes { position subject payload } pageInfo { endCursor } } logHead
          tree { capped tasks { name status tasks { name artifacts { reference status } } } }
          status { places { dead gated } deadLetters stuck { number artifacts { reference } } agents { name }
                   pausedSubscriptions { name pausedBecause behind } }
          show(name: "a/one") hasWork(agent: "backend") mine(agent: "backend") { item }
        }"""
    )
    assert data["boards"]["nodes"][-1]["name"]
    assert data["board"] == {"name": board.name}
    assert [node["name"] for node in data["agents"]["nodes"]] == ["backend", "frontend", "cto"]
    assert data["tokens"]["nodes"] == [{"agent": "cto", "live": True}]
    assert data["tasks"]["nodes"] == [
        {"name": "a", "status": "failed", "artifacts": {"nodes": [{"name": "one"}, {"name": "result"}]}}
    ]
    assert data["task"] == {"parent": "a", "status": "pending"}
    assert [(node["place"], node["stuck"]) for node in data["items"]["nodes"]] == [
        ("dead", False), ("gated", True), ("gated", False),
    ]  # fmt: skip
    assert data["decisions"]["nodes"][0]["options"] == ["x", {"title": "y"}]
    assert data["deadLetters"]["nodes"][0]["failureClass"] == "logic"
    assert [node["position"] for node in data["events"]["nodes"]] == [1, 2]
    assert data["events"]["nodes"][0]["payload"]["board"]["name"] == board.name
    assert data["logHead"] > 2
    assert data["tree"]["tasks"][0]["tasks"][0]["artifacts"] == [{"reference": "b/two", "status": "pending"}]
    assert data["status"]["stuck"]["artifacts"] == [{"reference": "b/two"}]
    (paused,) = data["status"]["pausedSubscriptions"]
    assert (paused["name"], paused["pausedBecause"]) == ("deploys", "the freeze")
    assert data["show"]["status"] == "failed"
    assert (data["hasWork"], data["mine"]) == (False, [])


async def test_the_log_goes_on_after_a_position_or_a_cursor(board: BoardUnderTest, asker: Asker) -> None:
    await board.post_graph({"a": []})
    await board.seal()
    query = "query ($after: String) { events(first: 2, after: $after) { nodes { position } pageInfo { endCursor } } }"
    first = (await asker.ask(query))["events"]
    by_cursor = (await asker.ask(query, after=first["pageInfo"]["endCursor"]))["events"]
    by_position = (await asker.ask(query, after="2"))["events"]
    assert by_cursor == by_position
    assert [node["position"] for node in by_cursor["nodes"]] == [3, 4]
    only = await asker.ask('{ events(subject: "board.task.*") { nodes { subject } } }')
    assert [node["subject"] for node in only["events"]["nodes"]] == ["board.task.posted"]


async def test_what_one_holds_comes_with_its_checkpoint(
    board: BoardUnderTest, asker_of: Callable[[str], Awaitable[Asker]]
) -> None:
    await board.post_graph({"a": []})
    backend = await asker_of("backend")
    assert await backend.ask("{ hasWork }") == {"hasWork": True}
    claim = (await board.claim())[0]
    await board.perform("checkpoint", item=claim.item, fence=claim.fence, data={"page": 3})
    held = await backend.ask("{ mine { reference fence checkpoint } hasWork }")
    assert held == {
        "mine": [{"reference": "work/a", "fence": claim.fence, "checkpoint": {"page": 3}}], "hasWork": False,
    }  # fmt: skip
    told = await backend.ask("query ($item: BigInt!) { briefing(item: $item) explain(item: $item) { place parts } }",
                             item=str(claim.item))  # fmt: skip
    assert told["briefing"]["reference"] == "work/a"
    assert told["explain"]["place"] == "claimed"


async def test_a_token_sees_its_own_board_only(
    board: BoardUnderTest, asker: Asker, asker_of: Callable[[str], Awaitable[Asker]]
) -> None:
    other = f"{board.name}-other"
    await board.perform("create_board", name=other)
    backend = await asker_of("backend")
    query = "query ($board: String) { status(board: $board) { board } }"
    assert await backend.ask(query) == {"status": {"board": board.name}}
    assert await backend.ask(query, board=board.name) == {"status": {"board": board.name}}
    for name in (other, "there-is-no-such-board"):
        refused = await backend.refused(query, board=name)
        assert (refused["code"], refused["kind"]) == ("denied", "denied"), "nothing is learnt of other boards"
    assert [node["name"] for node in (await backend.ask("{ boards { nodes { name } } }"))["boards"]["nodes"]] == [
        board.name
    ]
    assert await asker.ask(query, board=other) == {"status": {"board": other}}
    assert (await asker.refused(query, board="there-is-no-such-board"))["code"] == "unknown_name"


async def test_introspection_is_open_to_everybody_with_a_token(asker_of: Callable[[str], Awaitable[Asker]]) -> None:
    from graphql import build_client_schema, get_introspection_query

    backend = await asker_of("backend")
    data: Any = await backend.ask(get_introspection_query())
    assert build_client_schema(data).query_type is not None
