"""Endings without a result: cancel, discard and what waits; and the way back from the dead letters."""

from __future__ import annotations

from typing import Any

import pytest

from slateboard.protocol.errors import Denied, HasDependents, Invalid, LeaseLost, UnknownName, WrongState
from slateboard.protocol.work import NewArtifact, NewTask
from tests.support.boards import BoardUnderTest


async def test_cancelled_item_ends_its_lease_and_keeps_its_attempt(board: BoardUnderTest) -> None:
    await board.post_graph({"spec": []})
    (claim,) = await board.claim()
    answer = await board.perform("cancel", reference="work/spec", reason="out of scope")
    assert answer == {"cancelled": ["work/spec"], "waived": False}
    assert await board.place(claim.item) == "cancelled"
    (attempt,) = await board.fetch("SELECT outcome, fence FROM attempts WHERE board = $1")
    assert (attempt["outcome"], attempt["fence"]) == ("cancelled", claim.fence)
    (finished,) = await board.finish(claim)
    assert isinstance(finished.error, LeaseLost)
    (event,) = await board.log(subject="board.item.cancelled")
    assert event.payload["reason"] == "out of scope"


@pytest.mark.parametrize("place", ["done", "dead", "cancelled"])
async def test_what_is_over_cannot_be_cancelled(board: BoardUnderTest, place: str) -> None:
    items = await board.post_graph({"spec": []})
    if place == "done":
        await board.complete(items["spec"])
    elif place == "dead":
        await board.bury(items["spec"])
    else:
        await board.perform("cancel", reference="work/spec")
    with pytest.raises(WrongState) as refused:
        await board.perform("cancel", reference="work/spec")
    assert refused.value.remedy


@pytest.mark.parametrize("ending", ["cancel", "discard"])
@pytest.mark.parametrize("mode", ["", "cascade", "waive"])
async def test_dependents_are_asked_about(board: BoardUnderTest, ending: str, mode: str) -> None:
    items = await board.post_graph({"a": [], "b": ["a"], "c": ["b"], "x": [], "d": ["a", "x"]})
    if ending == "discard":
        await board.bury(items["a"])
    arguments: dict[str, Any] = {"reference": "work/a"} if ending == "cancel" else {"items": [items["a"]]}
    arguments |= {"reason": "no"} | ({mode: True} if mode else {})
    if not mode:
        with pytest.raises(HasDependents) as refused:
            await board.perform(ending, **arguments)
        assert set(refused.value.details["dependents"]) == {"work/b", "work/c", "work/d"}
        assert "--cascade" in refused.value.remedy
        assert "--waive" in refused.value.remedy
        assert await board.place(items["a"]) == ("dead" if ending == "discard" else "ready")
        return
    await board.perform(ending, **arguments)
    places = {name: await board.place(item) for name, item in items.items()}
    if mode == "cascade":
        assert places == {"a": "cancelled", "b": "cancelled", "c": "cancelled", "x": "ready", "d": "cancelled"}
    else:
        assert places == {"a": "cancelled", "b": "ready", "c": "gated", "x": "ready", "d": "gated"}
        assert await board.remaining(items["d"]) == 1
        await board.complete(items["x"])
        assert await board.place(items["d"]) == "ready"


async def test_cascade_and_waive_together_make_no_sense(board: BoardUnderTest) -> None:
    await board.post_graph({"a": []})
    with pytest.raises(Invalid):
        await board.perform("cancel", reference="work/a", cascade=True, waive=True)


async def test_waive_of_a_wide_fan_out_opens_the_rest_in_parts(board: BoardUnderTest) -> None:
    from slateboard.work import gates

    await board.post_graph({"hub": []} | {f"n{number}": ["hub"] for number in range(1500)})
    await board.perform("cancel", reference="work/hub", waive=True)
    assert (await board.by_place())["ready"] == 1000
    async with board.chores() as tx:
        await gates.unlock_more(tx)
    assert await board.by_place() == {"cancelled": 1, "ready": 1500}


async def test_agent_cancels_its_own_and_what_it_delegated_and_an_operator_all(board: BoardUnderTest) -> None:
    await board.add_agent("ops", right="operator")
    for number, canceller in enumerate(("backend", "cto", "ops")):
        task = f"t{number}"
        await board.post(
            NewArtifact(task=task, name="spec", owner="backend"),
            tasks=[NewTask(name=task, title=task, delegator="cto")],
        )
        with pytest.raises(Denied):
            await board.perform("cancel", by="frontend", reference=f"{task}/spec")
        await board.perform("cancel", by=canceller, reference=f"{task}/spec")


async def test_redriven_letter_is_ready_with_a_fresh_count_a_new_fence_and_its_history(board: BoardUnderTest) -> None:
    items = await board.post_graph({"spec": [], "code": ["spec"]})
    await board.bury(items["spec"])
    answer = await board.perform("redrive", items=[items["spec"]])
    assert answer == {"redriven": ["work/spec"], "refused": 0, "more": False, "dry_run": False}
    (claim,) = await board.claim()
    assert claim.attempt == 2
    briefing = await board.perform("briefing", item=claim.item)
    assert [one["outcome"] for one in briefing["attempts"]] == ["failed"]
    for _ in range(3):
        assert (await board.fail(claim, delay_seconds=0)).place == "ready"
        (claim,) = await board.claim()
    assert (await board.fail(claim, delay_seconds=0)).place == "dead"
    await board.perform("redrive", items=[items["spec"]])
    await board.complete(items["spec"])
    assert await board.place(items["code"]) == "ready"


async def test_redrive_is_all_or_nothing(board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": [], "b": []})
    await board.bury(items["a"])
    with pytest.raises(WrongState, match=str(items["b"])):
        await board.perform("redrive", items=[items["a"], items["b"]])
    assert await board.place(items["a"]) == "dead"


async def test_discard_needs_a_reason_and_a_dead_letter(board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": []})
    with pytest.raises(Invalid):
        await board.perform("discard", items=[items["a"]], reason=" ")
    with pytest.raises(WrongState):
        await board.perform("discard", items=[items["a"]], reason="no")
    with pytest.raises(UnknownName):
        await board.perform("discard", items=[1], reason="no")
    with pytest.raises(Invalid):
        await board.perform("discard", items=[], reason="no")
    with pytest.raises(Invalid):
        await board.perform("redrive", items=list(range(1001)))


async def test_only_operators_touch_dead_letters(board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": []})
    await board.bury(items["a"])
    for operation, arguments in (("redrive", {}), ("discard", {"reason": "no"})):
        with pytest.raises(Denied):
            await board.perform(operation, by="backend", items=[items["a"]], **arguments)
