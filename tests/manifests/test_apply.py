"""Applying: idempotent, all or nothing, and what changes when a manifest does."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from slateboard.manifests import files
from slateboard.manifests.apply import apply
from slateboard.protocol.errors import (
    BadManifest,
    Denied,
    DependencyCycle,
    DuplicateName,
    NotYours,
    SlateError,
    UnknownName,
)
from slateboard.protocol.work import NewArtifact, NewTask
from tests.support.boards import BoardUnderTest
from tests.support.manifests import do, document, feature, item_of, rows, tree
from tests.support.races import collide

GUIDE = Path(__file__).parent / "guide"
EXAMPLE = Path(__file__).parents[2] / "examples/analytics-dashboard"


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
    assert again["unchanged"] == len(answer["created"]) + len({one["reference"] for one in answer["changed"]})
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
        await tx.flush()
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
    child = "- agent: backend\n  task: u\n  artifacts: {x: {blocked_by: tree/result}}"
    with pytest.raises(DependencyCycle, match=r"^1.yaml:11:35: .*tree/result"):
        await do(board, tree(f"agent: cto\ntask: t\nchildren:\n{child}"))


async def test_a_circle_that_the_board_closes_is_found(board: BoardUnderTest) -> None:
    """The edge b → a stands on the board only; the file adds a → b."""
    await do(board, feature("a: {}\nb: {blocked_by: a}"))
    with pytest.raises(DependencyCycle, match=r"^1.yaml:7:21: .*feature/a → feature/b → feature/a"):
        await do(board, feature("a: {blocked_by: b}\nb: {}"))
    assert (await item_of(board, "feature/a"))["place"] == "ready"


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
    assert len(first["created"]) + len({one["reference"] for one in first["changed"]}) == second["unchanged"]
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
