"""Applying: idempotent, all or nothing, and what changes when a manifest does."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from slateboard.manifests import files
from slateboard.manifests.apply import apply
from slateboard.protocol.errors import (
    AlreadyStarted,
    BadManifest,
    Denied,
    DependencyCycle,
    DuplicateName,
    NotYours,
    SlateError,
    UnknownName,
    WrongState,
)
from slateboard.protocol.work import NewArtifact, NewTask
from tests.support.boards import BoardUnderTest
from tests.support.races import collide

GUIDE = Path(__file__).parent / "guide"
EXAMPLE = Path(__file__).parents[2] / "examples/analytics-dashboard"

TABLES = ("tasks", "artifacts", "work_items", "dependencies", "decisions", "agents", "event_outbox", "ready", "gates")


def document(text: str, source: str = "board.yaml") -> dict[str, str]:
    return {"source": source, "text": text}


def feature(artifacts: str, *, head: str = "") -> str:
    """A TaskBoard `feature` whose artifacts begin on line 7."""
    body = "\n".join(f"    {line}" for line in artifacts.splitlines())
    return (
        f"apiVersion: agent.ceo/v1\nkind: TaskBoard\nmetadata: {{name: feature}}\nspec:\n  {head}\n  artifacts:\n{body}"
    )


def tree(root: str) -> str:
    body = "\n".join(f"    {line}" for line in root.splitlines())
    return f"apiVersion: agent.ceo/v1\nkind: TaskTree\nmetadata: {{name: tree}}\nspec:\n  root:\n{body}"


async def do(board: BoardUnderTest, *texts: str, by: str | None = None, **options: Any) -> dict[str, Any]:
    documents = [document(text, f"{number}.yaml") for number, text in enumerate(texts, 1)]
    return await board.perform("apply", by=by, documents=documents, **options)


async def rows(board: BoardUnderTest) -> dict[str, int]:
    counts = {}
    for table in TABLES:
        counts[table] = await board.fetchval(f"SELECT count(*) FROM {table} WHERE board = $1")
    return counts


async def item_of(board: BoardUnderTest, reference: str) -> dict[str, Any]:
    sql = "SELECT w.*, p.place, -r.rank AS rating FROM work_items w JOIN item_places p ON p.board = w.board AND p.item = w.id"
    found = await board.fetch(
        f"{sql} LEFT JOIN ready r ON r.board = w.board AND r.item = w.id WHERE w.board = $1 AND w.reference = $2",
        reference,
    )
    return dict(found[-1])


async def test_the_task_board_of_the_guide_is_applied_as_it_stands(board: BoardUnderTest) -> None:
    documents = files.read([str(GUIDE / "task-board.json")])
    answer = await board.perform("apply", documents=documents)
    assert answer["created"] == [
        {"kind": "task", "reference": "feat-analytics-dashboard"},
        *(
            {"kind": "artifact", "reference": f"feat-analytics-dashboard/{name}"}
            for name in ("api_spec", "ui_mockup", "security_review", "deployment_config")
        ),
        {"kind": "decision", "reference": "use-clickhouse-for-analytics-storage"},
    ]
    assert answer["agents_created"] == ["cso", "devops"]
    notes = [note.partition(": ")[2] for note in answer["notes"]]
    assert notes == [
        "feat-analytics-dashboard/ui_mockup: the file says in_progress; the board works out not_started",
        "feat-analytics-dashboard/security_review: the file says pending; the board works out not_started",
    ]
    version = await board.fetch("SELECT version, path, hash, fence FROM artifact_versions WHERE board = $1")
    assert [tuple(row) for row in version] == [(1, "/specs/analytics.yaml", None, None)]
    assert (await item_of(board, "feat-analytics-dashboard/security_review"))["place"] == "ready"
    assert "board.artifact.imported" in await board.subjects()


async def test_the_task_tree_of_the_guide_is_applied_as_it_stands(board: BoardUnderTest) -> None:
    documents = files.read([str(GUIDE / "task-tree.yaml")])
    answer = await board.perform("apply", documents=documents)
    assert len(answer["created"]) == 14
    assert answer["agents_created"] == ["ceo", "cso", "devops", "marketing"]
    chain = await board.fetch(
        "SELECT t.name, d.name AS delegator FROM tasks t LEFT JOIN agents d ON d.board = t.board AND d.id = t.delegator"
        " WHERE t.board = $1 ORDER BY t.id"
    )
    assert chain[0]["delegator"] is None
    assert {row["name"]: row["delegator"] for row in chain}["feature-implementation-cto-backend"] == "cto"
    places = {
        reference: (await item_of(board, f"{reference}/result"))["place"]
        for reference in ("feature-implementation", "feature-implementation-cto", "feature-implementation-cto-backend")
    }
    assert list(places.values()) == ["gated", "gated", "ready"]


async def test_the_example_is_applied_and_applying_again_changes_nothing(board: BoardUnderTest) -> None:
    documents = files.read([str(EXAMPLE)])
    rehearsed = await board.perform("apply", documents=documents, dry_run=True)
    answer = await board.perform("apply", documents=documents)
    assert {**answer, "dry_run": True} == rehearsed
    before, position = await rows(board), len(await board.log())
    again = await board.perform("apply", documents=documents)
    assert (again["created"], again["changed"], again["agents_created"]) == ([], [], [])
    assert again["unchanged"] == len(answer["created"])
    assert await rows(board) | {"event_outbox": 0} == before | {"event_outbox": 0}
    assert len(await board.log()) == position


async def test_a_dry_run_changes_nothing(board: BoardUnderTest) -> None:
    await do(board, feature("a: {owner: backend, priority: low}\nb: {owner: backend, blocked_by: a}"))
    before, item = await rows(board), await item_of(board, "feature/a")
    text = feature(
        "a: {owner: newcomer, priority: high, due: 4h, title: New}\nb: {blocked_by: c}\nc: {status: complete}",
        head="decisions: [{agent: cto, decision: Do it}]",
    )
    answer = await do(board, text, dry_run=True)
    assert answer["dry_run"] is True
    assert answer["agents_created"] == ["newcomer"]
    assert [one["reference"] for one in answer["created"]] == ["feature/c", "do-it"]
    due = (item["created_at"] + timedelta(hours=4)).isoformat()
    assert answer["changed"] == [
        {"kind": "artifact", "reference": "feature/a", "field": "title", "from": "a", "to": "New"},
        {"kind": "artifact", "reference": "feature/a", "field": "owner", "from": "backend", "to": "newcomer"},
        {"kind": "artifact", "reference": "feature/a", "field": "priority", "from": "low", "to": "high"},
        {"kind": "artifact", "reference": "feature/a", "field": "due", "from": None, "to": due},
        {"kind": "artifact", "reference": "feature/b", "field": "blocked_by", "from": [], "to": ["feature/c"]},
    ]
    assert await rows(board) == before
    assert await item_of(board, "feature/a") == item
    json.dumps(answer)


async def test_a_dry_run_wakes_nobody(board: BoardUnderTest) -> None:
    async with board.writing() as tx:
        await apply(tx, documents=[document(feature("a: {owner: backend}"))], dry_run=True)
        assert tx.woken == {}
        await apply(tx, documents=[document(feature("a: {owner: backend}"))])
        assert tx.woken == {board.id: {board.agents["backend"]}}


async def test_one_wrong_document_leaves_the_others_out_too(board: BoardUnderTest) -> None:
    before = await rows(board)
    with pytest.raises(
        BadManifest, match=r"^2.yaml:7:21: spec.artifacts.b.blocked_by: there is no artifact 'nowhere/x'"
    ):
        await do(board, "{task_id: good}", feature("b: {blocked_by: nowhere/x}"))
    assert await rows(board) == before


async def test_an_error_of_the_database_leaves_everything_out(board: BoardUnderTest) -> None:
    await board.perform("decide", decision="Taken", subject="taken")
    before = await rows(board)
    text = feature("a: {owner: newcomer}", head="decisions: [{decision: Other, subject: other, supersedes: nothing}]")
    with pytest.raises(UnknownName, match=r"^1.yaml:5:15: spec.decisions\[0\]: there is no decision 'nothing'"):
        await do(board, text)
    assert await rows(board) == before


@pytest.mark.parametrize(
    ("blocker", "nearest"), [("api_spek", "api_spec"), ("other/thin", "other/thing"), ("feature/api_spek", "api_spec")]
)
async def test_a_reference_to_nothing_names_the_nearest(board: BoardUnderTest, blocker: str, nearest: str) -> None:
    await board.post(NewArtifact(task="other", name="thing"), tasks=[NewTask(name="other", title="o")])
    with pytest.raises(BadManifest) as refused:
        await do(board, feature(f"api_spec: {{owner: backend}}\nreview:\n  owner: cto\n  blocked_by: [{blocker}]"))
    details = refused.value.details
    assert (details["line"], details["column"]) == (10, 20)
    assert details["path"] == "spec.artifacts.review.blocked_by[0]"
    assert refused.value.remedy == f"did you mean {nearest!r}?"


async def test_a_circle_is_shown_at_the_dependency_that_closes_it(board: BoardUnderTest) -> None:
    text = feature("a: {blocked_by: c}\nb: {blocked_by: a}\nc:\n  blocked_by: [b]")
    with pytest.raises(DependencyCycle) as refused:
        await do(board, text)
    error = refused.value
    assert error.message.startswith("1.yaml:10:20: spec.artifacts.c.blocked_by[0]: the dependencies form a circle: ")
    assert sorted(set(error.details["circle"])) == ["feature/a", "feature/b", "feature/c"]
    assert await board.fetchval("SELECT count(*) FROM tasks WHERE board = $1") == 0


async def test_an_artifact_blocked_by_itself_is_a_circle(board: BoardUnderTest) -> None:
    with pytest.raises(DependencyCycle, match=r"^1.yaml:7:21: .*feature/a → feature/a"):
        await do(board, feature("a: {blocked_by: a}"))


async def test_a_circle_through_a_parents_result_is_found(board: BoardUnderTest) -> None:
    with pytest.raises(DependencyCycle, match=r"^1.yaml:11:35: .*tree/result"):
        await do(
            board,
            tree(
                "agent: cto\ntask: t\nchildren:\n- agent: backend\n  task: u\n  artifacts: {x: {blocked_by: tree/result}}"
            ),
        )


async def test_a_circle_that_the_board_closes_is_found(board: BoardUnderTest) -> None:
    """The edge b → a stands on the board only; the file adds a → b."""
    await do(board, feature("a: {}\nb: {blocked_by: a}"))
    with pytest.raises(DependencyCycle, match=r"^1.yaml:7:21: .*feature/a → feature/b → feature/a"):
        await do(board, feature("a: {blocked_by: b}\nb: {}"))
    assert (await item_of(board, "feature/a"))["place"] == "ready"


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


async def test_strict_refuses_agents_that_are_not_there_and_names_the_nearest(board: BoardUnderTest) -> None:
    with pytest.raises(UnknownName) as refused:
        await do(board, feature("a: {owner: backend}\nb: {owner: frontent}"), strict=True)
    error = refused.value
    assert error.message == "1.yaml:8:16: spec.artifacts.b.owner: there is no agent 'frontent' on this board"
    assert "did you mean 'frontend'?" in error.remedy
    assert (error.details["line"], error.details["nearest"]) == (8, "frontend")


async def test_only_an_administrator_creates_the_agents_that_are_missing(board: BoardUnderTest) -> None:
    with pytest.raises(UnknownName, match=r"^1.yaml:7:16: .*'newcomer'"):
        await do(board, feature("a: {owner: newcomer}"), by="backend")
    await do(board, feature("a: {owner: frontend}"), by="backend")


async def test_an_agent_delegates_down_a_tree_and_changes_only_what_is_its_own(board: BoardUnderTest) -> None:
    text = tree("agent: cto\ntask: t\nchildren: [{agent: backend, task: u}]")
    await do(board, text, by="cto")
    assert (await do(board, text, by="frontend"))["changed"] == []
    with pytest.raises(NotYours, match=r"^1.yaml:6:5: spec.root: frontend neither does nor delegated tree"):
        await do(board, text.replace("task: t", "task: other"), by="frontend")
    assert (await do(board, text.replace("task: t", "task: other"), by="cto"))["changed"]


async def test_an_agent_decides_for_itself_only(board: BoardUnderTest) -> None:
    with pytest.raises(Denied, match=r"^1.yaml:5:15: spec.decisions\[0\]: "):
        await do(board, feature("a: {}", head="decisions: [{agent: cto, decision: x}]"), by="backend")


async def test_a_reader_applies_nothing(board: BoardUnderTest) -> None:
    await board.add_agent("watcher", right="reader")
    with pytest.raises(Denied):
        await do(board, feature("a: {}"), by="watcher")


async def test_a_board_without_artifacts_keeps_what_its_task_has(board: BoardUnderTest) -> None:
    await do(board, "{task_id: feature}")
    assert (await item_of(board, "feature/result"))["place"] == "ready"
    await board.post(NewArtifact(task="other", name="a"), tasks=[NewTask(name="other", title="o")])
    answer = await do(board, "{task_id: other, decisions: [{decision: Go}]}")
    assert [one["kind"] for one in answer["created"]] == ["decision"]


async def test_titles_and_names_of_every_kind_arrive_as_they_are(board: BoardUnderTest) -> None:
    title = "quotes \" and ' and \\ and {braces}, NULL, näme 😀\nnew line"
    text = json.dumps({"task_id": "null", "title": title, "artifacts": {"null": {"title": title, "brief": "NULL"}}})
    await do(board, text)
    found = await board.fetch("SELECT name, title, brief FROM artifacts WHERE board = $1")
    assert [tuple(row) for row in found] == [("null", title, "NULL")]
    assert (await do(board, text))["changed"] == []


async def test_two_applies_at_once_give_one_result(board: BoardUnderTest) -> None:
    documents = files.read([str(EXAMPLE)])
    first, second = await collide(
        board, lambda tx: apply(tx, documents=documents), lambda tx: apply(tx, documents=documents)
    )
    assert len(first["created"]) == second["unchanged"]
    assert (second["created"], second["changed"], second["agents_created"]) == ([], [], [])


async def test_many_applies_at_once_give_one_result(board: BoardUnderTest) -> None:
    text = feature("\n".join(f"a{n}: {{owner: newcomer, blocked_by: [{f'a{n - 1}' if n else ''}]}}" for n in range(30)))
    answers = await asyncio.gather(*(do(board, text) for _ in range(8)))
    assert sorted(len(answer["created"]) for answer in answers) == [0] * 7 + [31]
    assert [answer["agents_created"] for answer in answers].count(["newcomer"]) == 1


async def test_an_apply_beside_a_post_of_the_same_name_is_refused_whole(board: BoardUnderTest) -> None:
    from slateboard.work import intake

    _, second = await collide(
        board,
        lambda tx: intake.post(tx, tasks=[NewTask(name="feature", title="mine")]),
        lambda tx: apply(tx, documents=[document(feature("a: {owner: newcomer}"))]),
    )
    assert isinstance(second, DuplicateName)
    assert await board.fetchval("SELECT count(*) FROM agents WHERE board = $1 AND name = 'newcomer'") == 0


async def test_an_apply_beside_a_finish_counts_right(board: BoardUnderTest) -> None:
    """The invariants after the test see a gate that would wait for what is finished."""
    await do(board, feature("a: {owner: backend}\nb: {owner: frontend}"))
    (claim,) = await board.claim()
    applied, _ = await asyncio.gather(
        do(board, feature("a: {}\nb: {blocked_by: a}\nc: {blocked_by: [a, b]}")), board.finish(claim, content="x")
    )
    assert [one["field"] for one in applied["changed"]] == ["blocked_by"]


async def test_five_thousand_artifacts_are_applied_changed_and_applied_again(board: BoardUnderTest) -> None:
    def text(extra: str) -> str:
        lines = []
        for number in range(5000):
            blockers = ", ".join(f"a{number - step}" for step in (1, 7, 49, 343) if number >= step)
            lines.append(f"a{number}: {{owner: backend, blocked_by: [{blockers}]{extra}}}")
        return feature("\n".join(lines))

    answer = await do(board, text(""))
    assert len(answer["created"]) == 5001
    assert await board.fetchval("SELECT count(*) FROM dependencies WHERE board = $1") == 4999 + 4993 + 4951 + 4657
    again = await do(board, text(""))
    assert (again["created"], again["changed"], again["unchanged"]) == ([], [], 5001)
    urgent = await do(board, text(", priority: urgent"))
    assert len(urgent["changed"]) == 5000


async def test_the_number_of_statements_does_not_grow_with_the_board(board: BoardUnderTest, queries: Any) -> None:
    counts = []
    for size in (3, 300):
        text = feature("\n".join(f"s{size}-{n}: {{owner: backend, blocked_by: x}}" for n in range(size)) + "\nx: {}")
        async with queries.counted():
            await do(board, text)
        counts.append(queries.count)
    assert counts[1] <= counts[0] + 4, counts


async def test_more_than_the_limit_says_so(board: BoardUnderTest) -> None:
    with pytest.raises(SlateError, match="smaller than 10 MB"):
        await do(board, "#" * 10_000_000)
