"""Gates: an item opens once, when all its blockers are complete; circles are refused with their path."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from slateboard.protocol.errors import AlreadyStarted, DependencyCycle, Invalid, LeaseLost, UnknownName, WrongState
from slateboard.protocol.work import NewArtifact, NewTask
from slateboard.work import gates
from tests.factories import ImportedArtifactFactory, NewTaskFactory
from tests.support.boards import BoardUnderTest


async def test_chain_opens_link_by_link(board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": [], "b": ["a"], "c": ["b"]})
    for here, following in (("a", "b"), ("b", "c")):
        assert await board.place(items[following]) == "gated"
        await board.complete(items[here])
        assert await board.place(items[following]) == "ready"
    await board.complete(items["c"])
    opened = [event.payload["items"] for event in await board.log(subject="board.item.opened")]
    assert opened == [[items["b"]], [items["c"]]]


async def test_diamond_opens_once_when_both_sides_are_done(board: BoardUnderTest) -> None:
    items = await board.post_graph({"top": [], "left": ["top"], "right": ["top"], "bottom": ["left", "right"]})
    await board.complete(items["top"], items["left"])
    assert await board.remaining(items["bottom"]) == 1
    await board.complete(items["right"])
    assert await board.place(items["bottom"]) == "ready"


async def test_both_sides_finished_in_one_batch_open_it_once(board: BoardUnderTest) -> None:
    items = await board.post_graph({"left": [], "right": [], "bottom": ["left", "right"]})
    claims = await board.claim(limit=2)
    await board.finish(*claims)
    assert await board.place(items["bottom"]) == "ready"
    assert len(await board.log(subject="board.item.opened")) == 1


async def test_fan_out_beyond_a_thousand_opens_in_parts_and_loses_none(board: BoardUnderTest) -> None:
    items = await board.post_graph({"hub": []} | {f"n{number}": ["hub"] for number in range(2500)})
    await board.complete(items["hub"])
    assert (await board.by_place())["ready"] == 1000
    # A dependent that comes between the parts does not wait for what is done.
    late = await board.post(NewArtifact(task="work", name="late", owner="cto", blocked_by=("hub",)))
    assert await board.place(late["work/late"]) == "ready"
    for ready in (2001, 2501):
        async with board.chores() as tx:
            assert await gates.unlock_more(tx) == 1
        assert (await board.by_place())["ready"] == ready
    async with board.chores() as tx:
        assert await gates.unlock_more(tx) == 0
    opened = [item for event in await board.log(subject="board.item.opened") for item in event.payload["items"]]
    assert len(opened) == len(set(opened)) == 2500


async def test_two_hubs_in_one_batch_open_what_waits_for_both(board: BoardUnderTest) -> None:
    graph = {"x": [], "y": []} | {f"n{number}": ["x", "y"] for number in range(1200)} | {"only": ["y"]}
    await board.post_graph(graph)
    await board.finish(*await board.claim(limit=2))
    for _ in range(3):
        async with board.chores() as tx:
            await gates.unlock_more(tx)
    assert await board.by_place() == {"done": 2, "ready": 1201}


async def test_fan_in_opens_with_the_last(board: BoardUnderTest) -> None:
    names = [f"n{number}" for number in range(1000)]
    items = await board.post_graph({name: [] for name in names} | {"end": names})
    assert await board.remaining(items["end"]) == 1000
    await board.finish(*await board.claim(limit=999))
    assert await board.remaining(items["end"]) == 1
    await board.finish(*await board.claim(limit=1))
    assert await board.place(items["end"]) == "ready"


async def test_result_of_a_task_waits_for_all_artifacts_of_its_subtasks(board: BoardUnderTest) -> None:
    items = await board.post(
        NewArtifact(task="api", name="spec", owner="backend"),
        tasks=[
            NewTask(name="feature", title="feature", agent="cto"),
            NewTask(name="api", title="api", parent="feature", agent="backend"),
            NewTask(name="page", title="page", parent="feature", agent="frontend"),
        ],
    )
    assert set(items) == {"api/spec", "page/result", "feature/result"}
    assert await board.remaining(items["feature/result"]) == 2
    # One that comes later is waited for as well.
    more = await board.post(NewArtifact(task="api", name="code", owner="backend"))
    assert await board.remaining(items["feature/result"]) == 3
    await board.complete(items["api/spec"], more["api/code"])
    await board.complete(items["page/result"], agent="frontend")
    assert await board.place(items["feature/result"]) == "ready"


async def test_subtask_below_a_task_whose_result_has_begun_is_refused_whole(board: BoardUnderTest) -> None:
    items = await board.post(tasks=[NewTask(name="feature", title="feature", agent="cto")])
    await board.claim_item(items["feature/result"], "cto")
    with pytest.raises(AlreadyStarted):
        await board.post(tasks=[NewTask(name="api", title="api", parent="feature")])
    assert await board.fetchval("SELECT count(*) FROM tasks WHERE board = $1") == 1


async def test_implied_edge_is_in_the_cycle_check(board: BoardUnderTest) -> None:
    with pytest.raises(DependencyCycle) as refused:
        await board.post(
            NewArtifact(task="api", name="spec", blocked_by=("feature/result",)),
            tasks=[NewTask(name="feature", title="f"), NewTask(name="api", title="a", parent="feature")],
        )
    assert set(refused.value.details["path"]) == {"api/spec", "feature/result"}
    await board.post(tasks=[NewTask(name="feature", title="f")])
    with pytest.raises(DependencyCycle):
        await board.post(
            NewArtifact(task="api", name="spec", blocked_by=("feature/result",)),
            tasks=[NewTask(name="api", title="a", parent="feature")],
        )
    assert await board.fetchval("SELECT count(*) FROM tasks WHERE board = $1") == 1


@pytest.mark.parametrize("place", ["ready", "scheduled", "gated"])
async def test_dependency_can_be_added_to_what_has_not_started(board: BoardUnderTest, place: str) -> None:
    later = datetime.now(UTC) + timedelta(hours=1) if place == "scheduled" else None
    items = await board.post_graph({"x": [], "y": []})
    own = await board.post(
        NewArtifact(task="work", name="own", run_at=later, blocked_by=("x",) if place == "gated" else ())
    )
    assert await board.place(own["work/own"]) == place
    await board.perform("depend", reference="work/own", on=["y", "work/y"])
    assert await board.remaining(own["work/own"]) == (2 if place == "gated" else 1)
    await board.complete(items["y"], items["x"])
    assert await board.place(own["work/own"]) == ("scheduled" if later else "ready")


async def test_dependency_on_what_is_complete_holds_nothing(board: BoardUnderTest) -> None:
    items = await board.post_graph({"x": [], "own": []})
    await board.complete(items["x"])
    await board.perform("depend", reference="work/own", on=["x"])
    assert await board.place(items["own"]) == "ready"
    briefing = await board.perform("briefing", item=items["own"])
    assert [one["reference"] for one in briefing["inputs"]] == ["work/x"]


@pytest.mark.parametrize("place", ["claimed", "done", "dead"])
async def test_dependency_added_to_what_has_started_is_refused(board: BoardUnderTest, place: str) -> None:
    items = await board.post_graph({"x": [], "y": [], "own": []})
    await board.complete(items["y"])
    if place == "claimed":
        await board.claim_item(items["own"])
    elif place == "done":
        await board.complete(items["own"])
    else:
        await board.bury(items["own"])
    for blocker in ("x", "y"):
        with pytest.raises(AlreadyStarted) as refused:
            await board.perform("depend", reference="work/own", on=[blocker])
        assert refused.value.remedy
    assert await board.fetchval("SELECT count(*) FROM dependencies WHERE board = $1") == 0


async def test_dependency_on_what_was_cancelled_is_refused(board: BoardUnderTest) -> None:
    await board.post_graph({"x": [], "own": []})
    await board.perform("cancel", reference="work/x")
    with pytest.raises(WrongState, match="cancelled"):
        await board.perform("depend", reference="work/own", on=["x"])
    with pytest.raises(WrongState, match="cancelled"):
        await board.post(NewArtifact(task="work", name="more", blocked_by=("x",)))


async def test_circle_is_refused_with_its_path(board: BoardUnderTest) -> None:
    await board.post_graph({"a": [], "b": ["a"], "c": ["b"], "aside": ["a"]})
    with pytest.raises(DependencyCycle, match="→") as refused:
        await board.perform("depend", reference="work/a", on=["c"])
    path = refused.value.details["path"]
    assert path[0] == path[-1]
    # Each is blocked by the one after it.
    assert set(pairwise(path)) == {("work/a", "work/c"), ("work/c", "work/b"), ("work/b", "work/a")}
    assert await board.fetchval("SELECT count(*) FROM dependencies WHERE board = $1") == 3
    with pytest.raises(DependencyCycle) as refused:
        await board.post_graph({"p": ["q"], "q": ["r"], "r": ["p"]}, task="other")
    assert sorted(set(refused.value.details["path"])) == ["other/p", "other/q", "other/r"]
    with pytest.raises((DependencyCycle, Invalid)):
        await board.perform("depend", reference="work/a", on=["a"])


async def test_nothing_to_wait_for_and_what_is_not_there_are_refused(board: BoardUnderTest) -> None:
    await board.post_graph({"a": []})
    with pytest.raises(Invalid):
        await board.perform("depend", reference="work/a", on=[])
    with pytest.raises(UnknownName, match="work/nowhere"):
        await board.perform("depend", reference="work/a", on=["nowhere"])
    with pytest.raises(UnknownName):
        await board.post(NewArtifact(task="work", name="b", blocked_by=("elsewhere/c",)))


async def test_claimant_blocks_its_own_item_and_gets_it_back_when_the_blocker_is_done(board: BoardUnderTest) -> None:
    items = await board.post_graph({"review": []})
    (claim,) = await board.claim()
    repair = await board.post(NewArtifact(task="work", name="repair", owner="frontend"))
    answer = await board.perform(
        "block_on", by="backend", item=claim.item, fence=claim.fence, on=["repair"], note="paths are wrong"
    )
    assert (answer["place"], answer["remaining"]) == ("gated", 1)
    (finished,) = await board.finish(claim, content="too late")
    assert isinstance(finished.error, LeaseLost)
    await board.complete(repair["work/repair"], agent="frontend")
    (again,) = await board.claim()
    assert (again.item, again.attempt) == (items["review"], 2)
    briefing = await board.perform("briefing", item=again.item)
    assert [one["reference"] for one in briefing["inputs"]] == ["work/repair"]
    assert [(one["outcome"], one["note"]) for one in briefing["attempts"]] == [("blocked", "paths are wrong")]
    # Blocking on what is done by now gives the item back at once.
    answer = await board.perform("block_on", item=again.item, fence=again.fence, on=["repair"])
    assert answer["place"] == "ready"


async def test_blocking_in_a_circle_or_under_a_lost_claim_leaves_the_claim_as_it_was(board: BoardUnderTest) -> None:
    await board.post_graph({"a": [], "b": ["a"]})
    (claim,) = await board.claim()
    with pytest.raises(DependencyCycle):
        await board.perform("block_on", item=claim.item, fence=claim.fence, on=["b"])
    with pytest.raises(LeaseLost):
        await board.perform("block_on", item=claim.item, fence=claim.fence - 1, on=["b"])
    with pytest.raises(Invalid):
        await board.perform("block_on", item=claim.item, fence=claim.fence, on=[])
    assert await board.place(claim.item) == "claimed"


async def test_imported_result_is_done_and_holds_nobody_up(board: BoardUnderTest) -> None:
    items = await board.post(
        ImportedArtifactFactory.build(name="spec"),
        NewArtifact(task="work", name="code", owner="backend", blocked_by=("spec",)),
        tasks=[NewTaskFactory.build(name="work")],
    )
    assert await board.place(items["work/spec"]) == "done"
    assert await board.place(items["work/code"]) == "ready"


async def test_sweep_opens_a_gate_that_is_shut_without_cause_and_says_so(
    board: BoardUnderTest, database_url: str
) -> None:
    from tests.support import servers

    items = await board.post_graph({"a": [], "b": ["a"], "c": ["a"]})
    await board.complete(items["a"])
    # No action can do this; the sweep is for what nobody thought of.
    servers.execute(
        database_url,
        f"DELETE FROM ready WHERE item = {items['b']}",
        f"INSERT INTO gates (board, item, remaining) VALUES ({board.id}, {items['b']}, 1)",
    )
    async with board.chores() as tx:
        repaired = await gates.repair(tx, after=(board.id, 0))
    assert repaired == [{"board": board.id, "items": [items["b"]]}]
    assert await board.place(items["b"]) == "ready"
    (event,) = await board.log(subject="board.item.repaired")
    assert event.payload["items"] == [items["b"]]


async def test_sweep_leaves_gates_with_a_cause_alone(board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": [], "b": ["a"], "dead": [], "c": ["dead"]})
    await board.bury(items["dead"])
    async with board.chores() as tx:
        assert await gates.repair(tx, after=(board.id, 0)) == []
    assert await board.place(items["b"]) == await board.place(items["c"]) == "gated"
