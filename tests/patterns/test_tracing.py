"""Who has handled an event, and what followed from what."""

from __future__ import annotations

from typing import Any

import pytest

from slateboard.interfaces.operations import perform
from slateboard.protocol.errors import Invalid, UnknownName
from slateboard.protocol.states import FailureClass, Outcome
from tests.patterns.conftest import Router
from tests.support.boards import BoardUnderTest
from tests.support.live import check_fold

MERGED, DEPLOYED = "genbrain.events.pr.merged", "genbrain.events.deployed"
SMOKE, SCAN = "genbrain.events.smoke.passed", "genbrain.events.scan.passed"


async def handle(board: BoardUnderTest, agent: str, *subjects: str) -> None:
    """Claim one delivery, publish under it, and finish it."""
    (claim,) = await board.claim(agent)
    for subject in subjects:
        under, actor = (claim.item, claim.fence), board.actor(agent)
        await perform(board.database, actor, board.id, "publish", {"subject": subject}, under=under)
    await board.finish(claim, by=agent)


async def pipeline(board: BoardUnderTest, router: Router) -> None:
    await board.perform("subscribe", name="deploy", patterns=[MERGED], agent="backend")
    await board.perform("subscribe", name="smoke", patterns=[DEPLOYED], agent="frontend")
    await board.perform("subscribe", name="scan", patterns=[DEPLOYED], agent="backend")
    await board.perform("subscribe", name="verify", patterns=[SMOKE, SCAN], all_of=True, agent="cto")
    await board.perform("publish", subject=MERGED, correlation="pr-7")
    await router.run()
    await handle(board, "backend", DEPLOYED)
    await router.run()


def outline(nodes: list[dict[str, Any]]) -> list[Any]:
    return [(node.get("subject") or node["reference"], outline(node["children"])) for node in nodes]


async def test_chain_is_a_tree_of_events_and_deliveries(board: BoardUnderTest, router: Router) -> None:
    await pipeline(board, router)
    await handle(board, "frontend", SMOKE)
    await handle(board, "backend", SCAN)
    await router.run()
    await handle(board, "cto")
    found = await board.perform("chain", correlation="pr-7")
    assert outline(found["roots"]) == [
        (MERGED, [("deploy/handle", [(DEPLOYED, [
            ("smoke/handle", [(SMOKE, [])]),
            ("scan/handle", [(SCAN, [("verify/handle", [])])]),
        ])])]),
    ]  # fmt: skip
    (deploy,) = found["roots"][0]["children"]
    assert deploy["place"] == "done"
    assert deploy["delivered_at"] <= deploy["started_at"] <= deploy["finished_at"]
    (event,) = await board.log(subject=DEPLOYED)
    assert await board.perform("chain", position=event.position) == found


async def test_event_shows_who_has_handled_it_and_who_not_yet(board: BoardUnderTest, router: Router) -> None:
    await pipeline(board, router)
    await board.perform("subscribe", name="late", patterns=["genbrain.>"], agent="cto", start="beginning")
    await board.perform("pause_subscription", name="late", reason="for now")
    await board.perform("subscribe", name="picky", patterns=[">"], agent="cto", filter="$.payload.no")
    (deployed,) = await board.log(subject=DEPLOYED)
    shown = await board.perform("show_event", position=deployed.position)
    assert {row["name"]: (row["state"], row.get("place")) for row in shown["handled"]} == {
        "smoke": ("delivered", "ready"), "scan": ("delivered", "ready"), "late": ("not routed", None),
        "picky": ("not wanted", None),
    }  # fmt: skip
    await handle(board, "frontend", SMOKE)
    await router.run()
    (smoke,) = await board.log(subject=SMOKE)
    shown = await board.perform("show_event", position=smoke.position)
    verify = next(row for row in shown["handled"] if row["name"] == "verify")
    assert (verify["state"], verify["lacks"]) == ("gathering", [SCAN])
    found = await board.perform("chain", correlation="pr-7")
    assert found["gatherings"] == [{"name": "verify", "agent": "cto", "lacks": [SCAN]}]


async def test_event_shows_what_each_delivery_waits_for(board: BoardUnderTest, router: Router) -> None:
    for name in ("waiting", "tried", "dead", "ready", "claimed"):
        await board.perform("subscribe", name=name, patterns=[MERGED], agent="backend")
    await board.perform("publish", subject=MERGED, correlation="pr-7")
    await router.run()
    claims = {claim.reference.partition("/")[0]: claim for claim in await board.claim(limit=10)}
    waiting = {"item": claims["waiting"].item, "fence": claims["waiting"].fence}
    await board.perform("wait_for", **waiting, pattern="genbrain.events.go", timeout_seconds=600)
    await board.fail(claims["tried"])
    await board.fail(claims["dead"], FailureClass.LOGIC, "no such branch")
    await board.give_back(claims["ready"], Outcome.RETURNED)
    (merged,) = await board.log(subject=MERGED)
    shown = await board.perform("show_event", position=merged.position)
    rows = {row["name"]: row for row in shown["handled"]}
    assert {name: row["place"] for name, row in rows.items()} == {
        "waiting": "gated", "tried": "scheduled", "dead": "dead", "ready": "ready", "claimed": "claimed",
    }  # fmt: skip
    assert rows["waiting"]["waits_for"] == "genbrain.events.go"
    assert rows["waiting"]["deadline"] > rows["waiting"]["delivered_at"]
    assert (rows["tried"]["attempts"], rows["tried"]["last_error"]) == (1, "it broke")
    assert rows["tried"]["run_at"] > rows["tried"]["delivered_at"]
    assert rows["dead"]["last_error"] == "no such branch"


async def test_what_is_done_about_a_delivery_is_told_of_a_delivery_and_never_routed(
    board: BoardUnderTest, router: Router
) -> None:
    await board.perform("subscribe", name="deploy", patterns=[MERGED], agent="backend")
    await board.perform("subscribe", name="all", patterns=["board.>"], agent="cto")
    await board.perform("publish", subject=MERGED, correlation="pr-7")
    await router.run()
    (claim,) = await board.claim()
    item = claim.item
    await board.claim("cto", limit=10)
    await board.fail(claim, FailureClass.LOGIC)
    await board.perform("redrive", items=[item])
    await board.perform("pin", item=item, rating=5000)
    await board.bury(item)
    await board.perform("discard", items=[item], reason="no such branch")
    await router.run()
    assert await board.claim("cto") == []
    said = [event for event in await board.log() if event.payload and event.payload.get("item") == item]
    assert {event.subject.rpartition(".")[2] for event in said} >= {"redriven", "discarded", "pinned"}
    assert {event.row["correlation"] for event in said} == {"pr-7"}
    assert {event.subject.rpartition(".")[0] for event in said} == {"board.delivery", "genbrain.dlq"}
    await check_fold(board)


async def test_unknown_position_or_chain_is_refused(board: BoardUnderTest) -> None:
    with pytest.raises(UnknownName):
        await board.perform("show_event", position=10_000)
    with pytest.raises(UnknownName):
        await board.perform("chain", correlation="nothing")
    with pytest.raises(Invalid):
        await board.perform("chain")


async def test_what_is_made_under_one_of_many_claims_hangs_below_its_own_delivery(
    board: BoardUnderTest, router: Router
) -> None:
    for name in ("smoke", "scan", "watch"):
        await board.perform("subscribe", name=name, patterns=[DEPLOYED], agent="backend")
    await board.post_graph({"a": [], "b": []})
    await board.perform("publish", subject=DEPLOYED, correlation="pr-7")
    await board.perform("publish", subject=DEPLOYED, correlation="pr-8")
    await router.run()
    claims = await board.claim(limit=10)
    assert len(claims) == 8
    for claim in reversed(claims):
        if claim.kind != "handle":
            continue
        name, under = claim.reference.partition("/")[0], (claim.item, claim.fence)
        given = {"subject": f"genbrain.events.{name}"}
        await perform(board.database, board.actor("backend"), board.id, "publish", given, under=under)
        given = {"decision": f"keep {name} {claim.correlation}"}
        await perform(board.database, board.actor("backend"), board.id, "decide", given, under=under)
    await board.seal()
    for correlation in ("pr-7", "pr-8"):
        found = await board.perform("chain", correlation=correlation)
        ((deployed, deliveries),) = outline(found["roots"])
        assert deployed == DEPLOYED
        assert {(of, *(subject for subject, _ in made)) for of, made in deliveries} == {
            (f"{name}/handle", f"genbrain.events.{name}", "board.decision.made") for name in ("smoke", "scan", "watch")
        }
    assert len(await board.log(subject="board.item.claimed")) == 7, "one for each delivery, and one for the rest"
