"""Dead letters through the SDK: searched, and redriven or discarded by the many, with a preview first."""

from __future__ import annotations

import pytest

from slateboard import Client
from slateboard.protocol.errors import HasDependents, Invalid, WrongState
from slateboard.protocol.states import FailureClass
from tests.patterns.conftest import Router, duty, router
from tests.support.boards import BoardUnderTest

__all__ = ["duty", "router"]
"""Fixtures of the choreography's tests, used here."""

MERGED = "genbrain.events.pr.merged"


async def test_many_are_searched_redriven_and_discarded_with_a_preview(board: BoardUnderTest, client: Client) -> None:
    await board.tolerate_failures()
    items = await board.post_graph({"a": [], "b": [], "c": [], "behind": ["a"], "after": ["b"]})
    for name in "abc":
        await board.bury(items[name])
    shown = await client.call("redrive", failure_class="logic", search="work/a", dry_run=True)
    assert (shown["redriven"], shown["dry_run"]) == (["work/a"], True)
    assert await board.place(items["a"]) == "dead"
    shown = await client.call("redrive", everything=True, agent="backend", newer_than_seconds=60, limit=2)
    assert (len(shown["redriven"]), shown["more"]) == (2, True)
    left = (await client.call("list_dead_letters"))["rows"]
    assert [row["reference"] for row in left] == ["work/c"]
    for name in "ab":
        await board.bury(items[name])
    with pytest.raises(HasDependents):
        await client.call("discard", everything=True, reason="no")
    shown = await client.call("discard", search="work/a", reason="no", cascade=True, dry_run=True)
    assert shown["discarded"] == ["work/a", "work/behind"]
    await client.call("discard", search="work/a", reason="no", cascade=True)
    assert [await board.place(items[name]) for name in ("a", "behind")] == ["cancelled", "cancelled"]
    await client.call("discard", items=[items["b"]], reason="no", waive=True)
    assert [await board.place(items[name]) for name in ("b", "after")] == ["cancelled", "ready"]
    for wrong in ({"items": [items["c"]], "reason": ""}, {"reason": "no"}):
        with pytest.raises(Invalid):
            await client.call("discard", **wrong)
    with pytest.raises(WrongState, match="no dead letter"):
        await client.call("redrive", items=[items["after"]])
    assert (await client.call("redrive", everything=True))["redriven"] == ["work/c"]


async def test_delivery_keeps_its_subject_and_payload_and_is_found_by_it(
    board: BoardUnderTest, client: Client, router: Router
) -> None:
    await board.perform("subscribe", name="deploy", patterns=["genbrain.events.>"], agent="backend")
    await board.post_graph({"a": []})
    await board.perform("publish", subject=MERGED, data={"pr": 7})
    await router.run()
    for claim in await board.claim(limit=2):
        await board.fail(claim, FailureClass.LOGIC)
    found = await client.call("list_dead_letters", subject="genbrain.events.pr.*")
    (row,) = found["rows"]
    assert (row["reference"], row["subject"]) == ("deploy/handle", MERGED)
    shown = await client.call("show_event", position=row["position"])
    assert shown["payload"] == {"pr": 7}
    assert {one["subject"] for one in (await client.call("list_dead_letters"))["rows"]} == {MERGED, None}
    assert (await client.call("redrive", subject="genbrain.events.ci.*"))["redriven"] == []
    assert (await client.call("redrive", subject=MERGED))["redriven"] == ["deploy/handle"]
    (again,) = await board.claim()
    assert (await board.perform("briefing", item=again.item))["event"]["payload"] == {"pr": 7}
