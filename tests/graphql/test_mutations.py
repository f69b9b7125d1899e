"""Changes in GraphQL: a whole life of work, and every other operation, with its answers and refusals."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from slateboard.protocol.states import FailureClass
from tests.graphql.conftest import Asker
from tests.support.boards import BoardUnderTest

AskerOf = Callable[[str], Awaitable[Asker]]

POST = """mutation ($tasks: [TaskInput!], $artifacts: [ArtifactInput!]) {
  post(tasks: $tasks, artifacts: $artifacts) { tasks artifacts { reference item } } }"""
CLAIM = 'mutation ($limit: Int!) { claim(worker: "w1", limit: $limit) { item fence reference attempt expiresAt } }'
FINISH = """mutation ($finishes: [FinishInput!]!) {
  finish(finishes: $finishes) { item version error { code kind message remedy } } }"""


async def test_work_is_posted_claimed_renewed_and_finished(
    board: BoardUnderTest, asker: Asker, asker_of: AskerOf, woken: list[Any]
) -> None:
    posted = await asker.ask(
        POST,
        tasks=[{"name": "site", "title": "The site"}],
        artifacts=[
            {"task": "site", "name": "api", "owner": "backend", "priority": "high"},
            {"task": "site", "name": "page", "owner": "frontend", "blockedBy": ["api"]},
        ],
    )
    assert [one["reference"] for one in posted["post"]["artifacts"]] == ["site/api", "site/page"]
    assert woken == [(board.id, [board.agents["backend"]])]

    backend = await asker_of("backend")
    claim = (await backend.ask(CLAIM, limit=5))["claim"][0]
    assert (claim["reference"], claim["attempt"]) == ("site/api", 1)
    beat = {"item": claim["item"], "fence": claim["fence"], "percent": 40, "progress": "half of it"}
    renewed = await backend.ask(
        "mutation ($beats: [BeatInput!]!) { heartbeat(beats: $beats) { expiresAt error { code } } }", beats=[beat]
    )
    assert renewed["heartbeat"][0]["error"] is None
    kept = """mutation ($item: BigInt!, $fence: BigInt!, $data: JSON) {
      checkpoint(item: $item, fence: $fence, data: $data) }"""
    assert await backend.ask(kept, item=claim["item"], fence=claim["fence"], data={"n": [1]}) == {"checkpoint": True}

    finish = {"item": claim["item"], "fence": claim["fence"], "result": {"content": "openapi", "usage": {"cost": 0.1}}}
    assert (await backend.ask(FINISH, finishes=[finish]))["finish"][0]["version"] == 1
    assert woken[-1] == (board.id, [board.agents["frontend"]])
    assert (await backend.ask(FINISH, finishes=[finish]))["finish"][0]["version"] == 1, "repeated, it answers the same"
    other = {**finish, "result": {"content": "something else"}}
    assert (await backend.ask(FINISH, finishes=[other]))["finish"][0]["error"]["code"] == "finish_conflict"


async def test_a_stale_fence_changes_nothing(board: BoardUnderTest, asker_of: AskerOf) -> None:
    await board.post_graph({"a": []})
    backend = await asker_of("backend")
    claim = (await backend.ask(CLAIM, limit=1))["claim"][0]
    wrong = {"item": claim["item"], "fence": str(claim["fence"] + 1000)}
    error = (await backend.ask(FINISH, finishes=[wrong]))["finish"][0]["error"]
    assert (error["code"], error["kind"]) == ("lease_lost", "conflict")
    assert error["remedy"]
    assert await board.place(claim["item"]) == "claimed"


async def test_claims_are_given_back_and_blocked(board: BoardUnderTest, asker: Asker, asker_of: AskerOf) -> None:
    await board.post_graph({"a": [], "b": []})
    await asker.ask(POST, artifacts=[{"task": "work", "name": "repair", "owner": "cto"}])
    backend = await asker_of("backend")
    first, second = (await backend.ask(CLAIM, limit=2))["claim"]
    back = """mutation ($returns: [GiveBackInput!]!) { giveBack(returns: $returns) { place runAt error { code } } }"""
    returned = await backend.ask(
        back,
        returns=[
            {"item": first["item"], "fence": first["fence"], "outcome": "failed",
             "failureClass": FailureClass.TRANSIENT.value, "error": "no network"}
        ],
    )  # fmt: skip
    assert returned["giveBack"][0]["place"] == "scheduled"
    blocked = await backend.ask(
        """mutation ($item: BigInt!, $fence: BigInt!) {
             blockOn(item: $item, fence: $fence, on: ["repair"]) { place remaining } }""",
        item=second["item"],
        fence=second["fence"],
    )
    assert blocked["blockOn"] == {"place": "gated", "remaining": 1}
    for wrong in ({"outcome": "exploded"}, {"outcome": "failed", "failureClass": "odd"}, {"outcome": "failed"}):
        refused = await backend.refused(back, returns=[{"item": first["item"], "fence": first["fence"], **wrong}])
        assert refused["code"] == "invalid"


async def test_the_claim_of_one_item_says_who_holds_it(board: BoardUnderTest, asker: Asker) -> None:
    items = await board.post_graph({"a": []})
    query = """mutation ($item: BigInt!) { claimOne(item: $item, worker: "w2", agent: "backend") { reference } }"""
    assert (await asker.ask(query, item=items["a"]))["claimOne"] == {"reference": "work/a"}
    refused = await asker.refused(query, item=items["a"])
    assert (refused["code"], refused["details"]["holder"]) == ("wrong_state", "w2")


async def test_artifacts_are_revised_cancelled_and_depended_on(board: BoardUnderTest, asker: Asker) -> None:
    items = await board.post_graph({"a": [], "b": [], "c": []})
    depended = await asker.ask('mutation { depend(reference: "work/b", on: ["a"]) { item blockedBy } }')
    assert depended["depend"] == {"item": items["b"], "blockedBy": [items["a"]]}
    circle = await asker.refused('mutation { depend(reference: "work/a", on: ["b"]) { item } }')
    assert (circle["code"], circle["details"]["path"][0]) == ("dependency_cycle", "work/a")
    waiting = await asker.refused('mutation { cancel(reference: "work/a") { references } }')
    assert waiting["code"] == "has_dependents"
    ended = await asker.ask('mutation { cancel(reference: "work/a", cascade: true) { references waived } }')
    assert ended["cancel"] == {"references": ["work/a", "work/b"], "waived": False}
    await board.complete(items["c"])
    revised = await asker.ask('mutation { revise(reference: "work/c", expectVersion: 1) { reference version } }')
    assert revised["revise"] == {"reference": "work/c", "version": 1}


async def test_dead_letters_are_redriven_and_discarded(board: BoardUnderTest, asker: Asker) -> None:
    items = await board.post_graph({"a": [], "b": []})
    for item in items.values():
        await board.bury(item)
    redriven = await asker.ask("mutation ($i: [BigInt!]!) { redrive(items: $i) }", i=[items["a"]])
    assert redriven == {"redrive": ["work/a"]}
    discarded = await asker.ask(
        'mutation ($i: [BigInt!]!) { discard(items: $i, reason: "no use") { references } }', i=[items["b"]]
    )
    assert discarded["discard"]["references"] == ["work/b"]
    pinned = await asker.ask("mutation ($i: BigInt!) { pin(item: $i, rating: 7) { rating } }", i=items["a"])
    assert pinned["pin"] == {"rating": 7}


async def test_a_decision_replaces_another(board: BoardUnderTest, asker: Asker) -> None:
    await board.post_graph({"a": []})
    first = await asker.ask(
        """mutation { decide(decision: "Use ClickHouse", subject: "storage", task: "work", drivers: ["speed"],
             options: ["ClickHouse", "Postgres"]) { id subject status drivers options task { name } supersededBy } }"""
    )
    assert first["decide"]["task"] == {"name": "work"}
    again = await asker.refused('mutation { decide(decision: "Use Postgres", subject: "storage") { id } }')
    assert again["code"] == "subject_decided"
    second = await asker.ask(
        'mutation { decide(decision: "Use Postgres", subject: "storage", supersedes: "storage") { supersedes } }'
    )
    assert second["decide"]["supersedes"] == first["decide"]["id"]


async def test_the_administrator_keeps_boards_agents_tokens_and_pauses(board: BoardUnderTest, asker: Asker) -> None:
    name = f"{board.name}-more"
    await asker.ask("mutation ($n: String!) { createBoard(name: $n) }", n=name)
    made = 'mutation ($b: String!) { addAgent(name: "painter", board: $b, capabilities: ["paint"]) }'
    await asker.ask(made, b=name)
    assert (await asker.refused(made, b=name))["code"] == "duplicate_name"
    issued = await asker.ask(
        'mutation ($b: String!) { issueToken(agent: "painter", board: $b) { tokenId token } }', b=name
    )
    old = issued["issueToken"]
    rotated = await asker.ask(
        "mutation ($b: String!, $t: BigInt!) { rotateToken(tokenId: $t, board: $b, overlapSeconds: 0) { token } }",
        b=name,
        t=old["tokenId"],
    )
    painter = Asker(asker.http, rotated["rotateToken"]["token"])
    assert await painter.ask("{ board { name } }") == {"board": {"name": name}}
    assert await asker.ask(
        'mutation ($b: String!) { pause(board: $b, agent: "painter", reason: "lunch") }', b=name
    ) == {"pause": "agent painter"}
    assert (await painter.refused(CLAIM, limit=1))["code"] == "paused"
    await asker.ask('mutation ($b: String!) { resume(board: $b, agent: "painter") }', b=name)
    assert (await painter.ask(CLAIM, limit=1)) == {"claim": []}


@pytest.mark.parametrize(
    ("mutation", "code"),
    [
        ('post(tasks: [{name: "A/B", title: "x"}]) { tasks }', "bad_name"),
        ('post(tasks: [{name: "a.b", title: "x"}]) { tasks }', "bad_name"),
        ('post(tasks: [{name: "a\\nb", title: "x"}]) { tasks }', "bad_name"),
        ('post(tasks: [{name: "a", title: "x", agent: "nobody"}]) { tasks }', "unknown_name"),
        ('post(tasks: [{name: "a", title: "x"}, {name: "a", title: "y"}]) { tasks }', "duplicate_name"),
        ('claim(worker: "w", agent: "backend", leaseSeconds: -1) { item }', "invalid"),
        ('claim(worker: "w", agent: "nobody") { item }', "unknown_name"),
        ('claim(worker: "w") { item }', "invalid"),
        ("heartbeat(beats: [{item: 1, fence: 1, percent: 200}]) { item }", "invalid"),
        ('revise(reference: "no/thing") { item }', "unknown_name"),
        ("redrive(items: [1])", "wrong_state"),
        ("redrive(items: [])", "invalid"),
    ],
)
async def test_bad_input_is_refused_with_a_remedy(
    board: BoardUnderTest, asker: Asker, mutation: str, code: str
) -> None:
    refused = await asker.refused(f"mutation {{ {mutation} }}")
    assert refused["code"] == code, refused
    assert refused["remedy"]


async def test_an_agent_acts_for_itself_alone(board: BoardUnderTest, asker_of: AskerOf) -> None:
    await board.post_graph({"a": []})
    frontend = await asker_of("frontend")
    assert (await frontend.refused('mutation { claim(worker: "w", agent: "backend") { item } }'))["code"] == "not_yours"
    claim = (await board.claim())[0]
    theirs = {"item": claim.item, "fence": claim.fence, "result": {"content": "stolen"}}
    assert (await frontend.ask(FINISH, finishes=[theirs]))["finish"][0]["error"]["code"] == "not_yours"
    assert await board.place(claim.item) == "claimed"
