"""Applying a manifest that has changed: what follows it, and what stays as the board has it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from slateboard.manifests.apply import apply
from slateboard.protocol.errors import AlreadyStarted, BadManifest, WrongState
from tests.support.boards import BoardUnderTest
from tests.support.manifests import do, document, feature, item_of, tree


async def test_applying_again_takes_no_status_back(board: BoardUnderTest) -> None:
    text = feature("a: {owner: backend, status: not_started}\nb: {owner: backend, blocked_by: a, status: pending}")
    await do(board, text)
    await board.complete((await item_of(board, "feature/a"))["id"])
    answer = await do(board, text)
    assert (answer["created"], answer["changed"]) == ([], [])
    assert [note.partition(" ")[2] for note in answer["notes"]] == [
        "feature/a: the file says not_started; the board works out complete",
        "feature/b: the file says pending; the board works out not_started",
    ]
    assert (await item_of(board, "feature/a"))["place"] == "done"


async def test_a_priority_moves_a_ready_item(board: BoardUnderTest) -> None:
    await do(board, feature("a: {owner: backend}\nb: {owner: backend}"))
    assert (await item_of(board, "feature/b"))["rating"] == 10
    answer = await do(board, feature("a: {owner: backend}\nb: {owner: backend, priority: urgent}"))
    assert answer["unchanged"] == 2
    assert (await item_of(board, "feature/b"))["rating"] == 1000
    assert [claim.reference for claim in await board.claim(limit=1)] == ["feature/b"]
    assert (await board.log())[-2].subject == "board.artifact.changed"
    assert (await board.log())[-2].payload["changed"] == ["priority"]


async def test_an_item_that_was_unblocked_keeps_what_that_is_worth(board: BoardUnderTest) -> None:
    await do(board, feature("a: {owner: backend}\nb: {owner: backend, blocked_by: a}"))
    await board.complete((await item_of(board, "feature/a"))["id"])
    assert (await item_of(board, "feature/b"))["rating"] == 210
    await do(board, feature("b: {owner: backend, priority: high}"))
    assert (await item_of(board, "feature/b"))["rating"] == 300


async def test_what_an_artifact_takes_from_its_task_follows_the_task(board: BoardUnderTest) -> None:
    await do(board, tree("agent: cto\ntask: t\nartifacts: {a: {}, b: {owner: backend, priority: low}}"))
    answer = await do(
        board,
        tree(
            "agent: frontend\ntask: t\npriority: high\ndue: 4h\nartifacts: {a: {}, b: {owner: backend, priority: low}}"
        ),
    )
    assert {(one["reference"], one["field"]) for one in answer["changed"]} == {
        ("tree", "agent"), ("tree", "priority"), ("tree", "due"),
        ("tree/a", "owner"), ("tree/a", "priority"), ("tree/a", "due"), ("tree/b", "due"),
    }  # fmt: skip
    assert (await item_of(board, "tree/a"))["inbox"] == board.agents["frontend"]


async def test_an_owner_change_moves_the_item_to_the_other_inbox(board: BoardUnderTest) -> None:
    await do(board, feature("a: {owner: backend}\nb: {owner: backend, run_at: 1h}\nc: {owner: backend, blocked_by: a}"))
    await do(board, feature("a: {owner: frontend}\nb: {owner: frontend}\nc: {capability: python}"))
    assert await board.claim("backend", limit=10) == []
    assert [claim.reference for claim in await board.claim("frontend", limit=10)] == ["feature/a"]
    assert (await item_of(board, "feature/b"))["place"] == "scheduled"
    owners = await board.fetch("SELECT name, owner, capability FROM artifacts WHERE board = $1 ORDER BY name")
    frontend = board.agents["frontend"]
    assert [tuple(row) for row in owners] == [("a", frontend, None), ("b", frontend, None), ("c", None, "python")]


async def test_what_is_being_worked_on_keeps_its_owner_and_takes_the_rest(board: BoardUnderTest) -> None:
    await do(board, feature("a: {owner: backend}"))
    await board.claim()
    answer = await do(board, feature("a: {owner: frontend, title: Better, status: complete}"))
    assert [one["field"] for one in answer["changed"]] == ["title"]
    assert "is being worked on, so its owner stays backend" in answer["notes"][0]
    assert "the file says complete; the board works out in_progress" in answer["notes"][1]
    item = await item_of(board, "feature/a")
    assert (item["place"], item["inbox"]) == ("claimed", board.agents["backend"])


async def test_what_was_finished_stays_as_it_is(board: BoardUnderTest) -> None:
    await do(board, feature("a: {owner: backend}"))
    await board.complete((await item_of(board, "feature/a"))["id"])
    answer = await do(board, feature("a: {owner: frontend, title: Better, due: 4h, priority: high}"))
    assert answer["changed"] == []
    assert "feature/a was finished; on the board stays its title, owner" in answer["notes"][0]


async def test_what_is_no_longer_said_stays(board: BoardUnderTest) -> None:
    await do(
        board, feature("a: {owner: backend, priority: high, due: 4h, brief: How}\nb: {owner: backend, blocked_by: a}")
    )
    answer = await do(board, feature("b: {}"))
    assert (answer["changed"], answer["unchanged"]) == ([], 2)
    answer = await do(board, feature("a: {}"))
    assert (answer["changed"], answer["unchanged"]) == ([], 2)
    assert (await item_of(board, "feature/b"))["place"] == "gated"


async def test_a_relative_time_stays_the_same_when_applied_later(board: BoardUnderTest) -> None:
    text = document(feature("a: {owner: backend, due: 4h, run_at: 1h}\nb: {owner: backend}", head="due: 2d"))
    start = datetime(2026, 11, 22, 12, tzinfo=UTC)
    async with board.writing(now=start) as tx:
        await apply(tx, documents=[text])
    async with board.writing(now=start + timedelta(minutes=30)) as tx:
        answer = await apply(tx, documents=[text])
    assert (answer["changed"], answer["unchanged"]) == ([], 3)
    item = await item_of(board, "feature/a")
    assert (item["due"], item["run_at"]) == (start + timedelta(hours=4), start + timedelta(hours=1))
    assert (await item_of(board, "feature/b"))["due"] == start + timedelta(days=2)


async def test_a_new_dependency_gates_what_has_not_started(board: BoardUnderTest) -> None:
    await do(board, feature("a: {owner: backend}\nb: {owner: backend}"))
    answer = await do(board, feature("a: {}\nb: {blocked_by: [a, c]}\nc: {owner: backend}"))
    assert answer["changed"] == [
        {
            "kind": "artifact",
            "reference": "feature/b",
            "field": "blocked_by",
            "from": [],
            "to": ["feature/a", "feature/c"],
        }
    ]
    assert await board.remaining((await item_of(board, "feature/b"))["id"]) == 2
    assert (await do(board, feature("a: {}\nb: {blocked_by: [c, a]}\nc: {owner: backend}")))["changed"] == []


@pytest.mark.parametrize("finished", [False, True])
async def test_a_dependency_is_not_added_to_work_that_has_begun(board: BoardUnderTest, finished: bool) -> None:
    await do(board, feature("a: {owner: backend}\nb: {owner: frontend}"))
    (claim,) = await board.claim()
    if finished:
        await board.finish(claim, content="x")
    with pytest.raises(AlreadyStarted, match=r"^1.yaml:7:21: spec.artifacts.a.blocked_by: feature/a is (done|claimed)"):
        await do(board, feature("a: {blocked_by: b}\nb: {}"))


async def test_a_subtask_below_a_result_that_has_begun_is_refused_with_its_place(board: BoardUnderTest) -> None:
    await do(board, tree("agent: backend\ntask: t"))
    await board.claim()
    with pytest.raises(AlreadyStarted, match=r"^1.yaml:6:5: spec.root: tree/result"):
        await do(board, tree("agent: backend\ntask: t\nchildren: [{agent: cto, task: u}]"))


async def test_a_new_subtask_gates_its_parents_result(board: BoardUnderTest) -> None:
    await do(board, tree("agent: cto\ntask: t\nchildren: [{agent: backend, task: u}]"))
    await do(board, tree("agent: cto\ntask: t\nchildren: [{agent: backend, task: u}, {agent: frontend, task: v}]"))
    assert await board.remaining((await item_of(board, "tree/result"))["id"]) == 2


async def test_a_task_that_would_move_in_the_tree_is_refused(board: BoardUnderTest) -> None:
    await do(
        board, tree("agent: cto\ntask: t\nchildren: [{name: one, agent: a, task: u}, {name: two, agent: b, task: v}]")
    )
    text = (
        "agent: cto\ntask: t\nchildren:\n- {name: one, agent: a, task: u, children: [{name: two, agent: b, task: v}]}"
    )
    with pytest.raises(BadManifest, match=r"^1.yaml:9:49: .*the task 'two' is below 'tree' on the board"):
        await do(board, tree(text))


async def test_a_cancelled_blocker_is_refused_with_its_place(board: BoardUnderTest) -> None:
    await do(board, feature("a: {owner: backend}"))
    await board.perform("cancel", reference="feature/a")
    with pytest.raises(WrongState, match="was cancelled"):
        await do(board, feature("b: {blocked_by: a}"))


async def test_a_result_that_exists_already_is_taken_over_and_opens_what_waits(board: BoardUnderTest) -> None:
    await do(board, feature("a: {owner: backend}\nb: {owner: backend, blocked_by: a}\nc: {blocked_by: b}"))
    answer = await do(board, feature("a: {status: complete, content: here}"))
    assert answer["changed"] == [
        {"kind": "artifact", "reference": "feature/a", "field": "status", "from": "not_started", "to": "complete"}
    ]
    assert (await item_of(board, "feature/a"))["place"] == "done"
    assert (await item_of(board, "feature/b"))["place"] == "ready"
    assert (await board.subjects())[-2:] == ["board.artifact.imported", "board.item.opened"]
    again = await do(board, feature("a: {status: complete, content: here}"))
    assert (again["changed"], again["notes"]) == ([], [])


async def test_a_gated_result_is_taken_over_too(board: BoardUnderTest) -> None:
    await do(board, feature("a: {owner: backend}\nb: {owner: backend, blocked_by: a}"))
    await do(board, feature("b: {status: complete, path: /b}"))
    assert (await item_of(board, "feature/b"))["place"] == "done"
    await board.complete((await item_of(board, "feature/a"))["id"])


async def test_decisions_are_recorded_once_and_superseded_by_another_text(board: BoardUnderTest) -> None:
    def text(decision: str, rationale: str = "r") -> str:
        return feature("a: {}", head=f"decisions: [{{subject: store, decision: {decision}, rationale: {rationale}}}]")

    await do(board, text("Postgres"))
    assert (await do(board, text("Postgres")))["changed"] == []
    told = await do(board, text("Postgres", "better reason"))
    assert told["changed"] == []
    assert "the decision store keeps its rationale" in told["notes"][0]
    changed = await do(board, text("ClickHouse"))
    assert changed["changed"] == [
        {"kind": "decision", "reference": "store", "field": "decision", "from": "Postgres", "to": "ClickHouse"}
    ]
    back = await do(board, text("Postgres"))
    assert back["changed"] == []
    assert "the decision store was superseded by 'ClickHouse'; it stays so" in back["notes"][0]
    found = await board.fetch("SELECT decision, status FROM decisions WHERE board = $1 ORDER BY id")
    assert [tuple(row) for row in found] == [("Postgres", "superseded"), ("ClickHouse", "accepted")]


async def test_a_decision_in_signs_that_no_name_has_is_recorded_once(board: BoardUnderTest) -> None:
    text = feature("a: {}", head="decisions: [{decision: 使用 ClickHouse 吧, subject: 🚀}, {decision: 名前}]")
    assert len((await do(board, text))["created"]) == 4
    again = await do(board, text)
    assert (again["created"], again["changed"]) == ([], [])


async def test_an_empty_title_is_no_title(board: BoardUnderTest) -> None:
    text = feature("a: {title: ''}", head="title: ''")
    await do(board, text)
    assert (await do(board, text))["changed"] == []
    assert await board.fetchval("SELECT title FROM tasks WHERE board = $1") == "feature"
