"""Everything about one thing, the tree with its roll-up, and the board at a glance."""

from __future__ import annotations

import pytest

from slateboard.protocol.states import Outcome
from slateboard.protocol.work import Finish, NewArtifact, NewTask, Result
from slateboard.reports import overview, tree
from tests.support.boards import BoardUnderTest, QueryCount


async def three_levels(board: BoardUnderTest) -> dict[str, int]:
    """A task over a task over a task; items by reference."""
    return await board.post(
        NewArtifact(task="top", name="plan", owner="cto"),
        NewArtifact(task="middle", name="api", owner="backend"),
        NewArtifact(task="bottom", name="page", owner="frontend", blocked_by=("middle/api",)),
        tasks=[
            NewTask(name="top", title="Top", agent="cto"),
            NewTask(name="middle", title="Middle", parent="top", agent="backend"),
            NewTask(name="bottom", title="Bottom", parent="middle", agent="frontend"),
        ],
    )


async def test_an_artifact_is_shown_with_all_that_concerns_it(board: BoardUnderTest) -> None:
    items = await board.post_graph({"spec": [], "page": ["spec"], "site": ["page"]})
    await board.complete(items["spec"])
    claim = await board.claim_item(items["page"])
    await board.perform("checkpoint", item=claim.item, fence=claim.fence, data={"step": 2}, note="half done")
    await board.perform("decide", decision="Use plain HTML", task="work")
    shown = await board.perform("show", name="work/page")
    assert (shown["type"], shown["status"], shown["checkpoint"], shown["note"]) == (
        "artifact",
        "in_progress",
        {"step": 2},
        "half done",
    )
    assert [(one["reference"], one["status"]) for one in shown["blockers"]] == [("work/spec", "complete")]
    assert [(one["reference"], one["status"]) for one in shown["dependents"]] == [("work/site", "pending")]
    assert [one["decision"] for one in shown["decisions"]] == ["Use plain HTML"]
    spec = await board.perform("show", name="work/spec")
    assert spec["versions"][0]["content"] == f"result of {items['spec']}"
    assert [one["outcome"] for one in spec["attempts_made"]] == ["completed"]


async def test_the_rules_of_an_artifact_are_shown(board: BoardUnderTest) -> None:
    rules = {"verify": "cto", "evidence": ["link"], "touches": ["src/**"], "verdict_within_seconds": 60.0}
    task = NewTask(name="work", title="work")
    await board.post(NewArtifact(task="work", name="a", owner="backend", rules=rules), tasks=[task])
    await board.post(NewArtifact(task="work", name="b", owner="backend"))
    assert (await board.perform("show", name="work/a"))["rules"] == rules
    assert (await board.perform("show", name="work/b"))["rules"] is None


async def test_what_is_not_shown_is_said_to_be_there(board: BoardUnderTest) -> None:
    items = await board.post_graph({"spec": [], **{f"page{number}": ["spec"] for number in range(101)}})
    for number in range(21):
        await board.give_back(
            await board.claim_item(items["spec"]), Outcome.INTERRUPTED if number % 3 == 0 else Outcome.RELEASED
        )
    shown = await board.perform("show", name="work/spec")
    assert (len(shown["attempts_made"]), shown["more_attempts_made"]) == (20, True)
    assert (len(shown["dependents"]), shown["more_dependents"]) == (100, True)
    assert (shown["more_blockers"], shown["more_versions"], shown["more_decisions"]) == (False, False, False)


async def test_an_item_is_shown_by_its_number(board: BoardUnderTest) -> None:
    items = await board.post_graph({"spec": [], "page": ["spec"]})
    await board.bury(items["spec"])
    for name in (items["spec"], str(items["spec"])):
        shown = await board.perform("show", name=name)
        assert (shown["type"], shown["place"], shown["reference"]) == ("item", "dead", "work/spec")
        assert [one["error"] for one in shown["attempts_made"]] == ["it broke"]
        assert [one["reference"] for one in shown["dependents"]] == ["work/page"]
    assert (await board.perform("show", name="work/page"))["blockers"][0]["status"] == "failed"


async def test_a_task_is_shown_with_its_parts(board: BoardUnderTest) -> None:
    await three_levels(board)
    shown = await board.perform("show", name="top")
    assert shown["type"] == "task"
    assert [one["reference"] for one in shown["artifacts"]] == ["top/plan", "top/result"]
    assert [one["name"] for one in shown["tasks"]] == ["middle"]


async def test_a_task_whose_name_is_a_number_is_found_before_the_item(board: BoardUnderTest) -> None:
    await board.post(tasks=[NewTask(name="2026", title="The year")])
    assert (await board.perform("show", name="2026"))["type"] == "task"


async def test_the_roll_up_counts_everything_below(board: BoardUnderTest) -> None:
    items = await three_levels(board)
    claim = await board.claim_item(items["middle/api"])
    usage = {"cost": 0.25, "input_tokens": 10}
    await board.perform(
        "finish", finishes=[Finish(item=claim.item, fence=claim.fence, result=Result(content="x", usage=usage))]
    )
    top = (await board.perform("tree"))["tasks"][0]
    middle, bottom = top["tasks"][0], top["tasks"][0]["tasks"][0]
    assert (bottom["status"], bottom["progress"]["done"], bottom["progress"]["total"]) == ("not_started", 0, 1)
    assert (middle["status"], middle["progress"]["done"], middle["progress"]["total"]) == ("in_progress", 1, 3)
    assert top["progress"]["total"] == 5
    assert (top["cost"], middle["cost"], bottom["cost"]) == (0.25, 0.25, 0)
    assert top["attempts"] == 1
    assert top["seconds"] > 0
    listed = (await board.perform("list_tasks", names=["middle"])).rows[0]
    assert (listed["status"], listed["progress"]["done"]) == ("in_progress", 1)


async def test_the_tree_begins_at_any_node_and_stops_at_any_depth(board: BoardUnderTest) -> None:
    await three_levels(board)
    whole = await board.perform("tree", task="middle")
    assert [node["name"] for node in whole["tasks"]] == ["middle"]
    flat = await board.perform("tree", depth=1)
    assert flat["tasks"][0]["tasks"] == []
    assert flat["tasks"][0]["progress"]["total"] == 5, "what is not shown is summed up all the same"


async def test_siblings_stand_in_the_order_in_which_they_were_posted(board: BoardUnderTest) -> None:
    tasks = [NewTask(name="top", title="top"), *[NewTask(name=f"t{n}", title="t", parent="top") for n in range(5)]]
    await board.post(tasks=tasks)
    top = (await board.perform("tree"))["tasks"][0]
    assert [node["name"] for node in top["tasks"]] == ["t0", "t1", "t2", "t3", "t4"]


async def test_usage_without_a_cost_costs_nothing(board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": [], "b": []})
    for item, usage in ((items["a"], {"model": "small"}), (items["b"], {"cost": 1.5})):
        claim = await board.claim_item(item)
        result = Result(content="x", usage=usage)
        await board.perform("finish", finishes=[Finish(item=claim.item, fence=claim.fence, result=result)])
    assert (await board.perform("tree"))["tasks"][0]["cost"] == 1.5


async def test_the_tree_is_one_statement(board: BoardUnderTest, queries: QueryCount) -> None:
    await three_levels(board)
    async with queries.counted():
        await board.perform("tree")
    assert queries.count == 2, queries.statements  # the time of the snapshot, and the tree


async def test_a_tree_that_is_too_large_says_so(board: BoardUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    await board.post_graph({name: [] for name in "abc"})
    assert (await board.perform("tree"))["capped"] is False
    monkeypatch.setattr(tree, "MAX_LISTED", 2)
    capped = await board.perform("tree")
    assert capped["capped"] is True
    assert len(capped["tasks"][0]["artifacts"]) == 2
    assert capped["tasks"][0]["progress"]["total"] == 3


async def test_the_board_at_a_glance(board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": [], "b": [], "c": ["a"], "d": []})
    await board.post(NewArtifact(task="work", name="open", capability="paint"))
    await board.bury(items["d"])
    await board.claim_item(items["a"])
    await board.perform("pause", reason="release")
    found = await board.perform("status")
    assert found["board"] == board.name
    assert found["places"] == {
        "gated": 1, "waiting": 0, "scheduled": 0, "ready": 2, "claimed": 1, "done": 0, "dead": 1, "cancelled": 0,
    }  # fmt: skip
    assert found["items"] == 5
    assert (found["paused"], found["everything_paused"]) == (True, False)
    backend = next(one for one in found["agents"] if one["name"] == "backend")
    assert (backend["ready"], backend["claimed"]) == (1, 1)
    assert found["open"] == [{"capability": "paint", "ready": 1}]
    assert found["dead_letters"] == 1
    assert found["log"]["outbox"] > 0
    await board.seal()
    sealed = (await board.perform("status"))["log"]
    assert (sealed["head"], sealed["outbox"]) == (await board.perform("log_head"), 0)


async def test_counting_stops_at_a_limit_and_says_so(board: BoardUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    items = await board.post_graph({name: [] for name in "abcd"})
    await board.complete(items["a"])
    assert (await board.perform("status"))["at_least"] == []
    monkeypatch.setattr(overview, "COUNT_LIMIT", 3)
    found = await board.perform("status")
    assert found["places"]["ready"] == 3
    assert {"ready", "items", "done", "cancelled"} <= set(found["at_least"])
