"""The audit trail: what it tells of a known life, and that it tells the same twice."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from slateboard.protocol.errors import Invalid, UnknownName
from slateboard.protocol.states import FailureClass
from slateboard.protocol.work import NewArtifact, NewTask
from slateboard.reports.audit.fold import Fold
from tests.support.boards import BoardUnderTest


async def audit(board: BoardUnderTest, **arguments: Any) -> dict[str, Any]:
    """The report of everything that is committed."""
    await board.seal()
    return await board.perform("report_audit", **arguments)


async def test_an_audit_tells_who_asked_whom_and_how_it_went(board: BoardUnderTest) -> None:
    await board.post(
        NewArtifact(task="site", name="page", owner="frontend"),
        tasks=[
            NewTask(name="release", title="Release", agent="cto"),
            NewTask(name="site", title="Site", parent="release", agent="frontend"),
        ],
    )
    items = await board.post(NewArtifact(task="site", name="api", owner="backend"))
    claim = await board.claim_item(items["site/api"])
    await board.fail(claim, FailureClass.TRANSIENT, "the network <broke>", delay_seconds=0)
    await board.promote(now=board_now() + timedelta(hours=1))
    await board.complete(items["site/api"])
    told = await audit(board)
    assert told["proof"]["verified"] is True
    api = next(one for one in told["artifacts"] if one["reference"] == "site/api")
    assert [one["outcome"] for one in api["attempts"]] == ["failed", "completed"]
    assert [step["task"] for step in api["chain"]] == ["site", "release"]
    assert [(one["version"], one["item"]) for one in api["versions"]] == [(1, items["site/api"])]
    assert [(one["what"], one["then"]) for one in told["incidents"]] == [
        ("failed", "tried again by backend (attempt 2)")
    ]


def board_now() -> Any:
    from datetime import UTC, datetime

    return datetime.now(UTC)


async def test_an_empty_board_has_an_empty_report(board: BoardUnderTest) -> None:
    told = await audit(board)
    assert (told["artifacts"], told["critical_path"]["steps"], told["decisions"]) == ([], [], [])


@pytest.mark.parametrize("asked", [{"task": "nothing"}, {"agent": "nobody"}, {"correlation": "none"}])
async def test_what_is_not_there_is_named(board: BoardUnderTest, asked: dict[str, str]) -> None:
    with pytest.raises(UnknownName, match=next(iter(asked.values()))):
        await audit(board, **asked)


async def test_a_range_that_ends_before_it_begins_is_refused(board: BoardUnderTest) -> None:
    with pytest.raises(Invalid, match="before it begins"):
        await audit(board, since=board_now(), until=board_now() - timedelta(hours=1))


async def telling_board(board: BoardUnderTest) -> None:
    """A board on which most things happened, under names that try to break out."""
    await board.post(
        NewArtifact(task="site", name="spec", owner="backend", title="<script>alert(1)</script>"),
        NewArtifact(task="site", name="left", owner="backend", blocked_by=("site/spec",)),
        NewArtifact(task="site", name="right", owner="frontend", blocked_by=("site/spec",)),
        NewArtifact(task="site", name="whole", owner="cto", blocked_by=("site/left", "site/right")),
        tasks=[NewTask(name="site", title="The ]]> site | of <b>all</b>", agent="cto")],
    )
    rows = await board.perform("list_artifacts", task="site")
    items = {row["name"]: row["item"] for row in rows.rows}
    claim = await board.claim_item(items["spec"])
    await board.fail(claim, FailureClass.TRANSIENT, "</title><script>alert(2)</script>\x07", delay_seconds=0)
    await board.promote(now=board_now() + timedelta(hours=1))
    for name, agent in (("spec", "backend"), ("left", "backend"), ("right", "frontend"), ("whole", "cto")):
        await board.complete(items[name], agent=agent)
    await board.perform("decide", decision="Use <em>plain</em> HTML", rationale="`it` | works", subject="page")
    await board.perform("decide", decision="Use Markdown", rationale="shorter", supersedes="page", options=["A", "B"])


@pytest.mark.parametrize("form", ["html", "md", "json", "csv"])
async def test_the_same_log_gives_the_same_bytes(board: BoardUnderTest, form: str) -> None:
    await telling_board(board)
    first = (await audit(board, format=form))["text"]
    assert first == (await audit(board, format=form))["text"]
    assert "site/whole" in first


async def test_nothing_on_the_board_breaks_out_of_the_page(board: BoardUnderTest) -> None:
    await telling_board(board)
    page = (await audit(board, format="html"))["text"]
    assert "<script" not in page
    assert "]]>" not in page
    assert "&lt;/title&gt;&lt;script&gt;alert(2)" in page
    assert page.count("<title>") >= 2
    assert 'src="' not in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    document = (await audit(board, format="md"))["text"]
    assert "<script" not in document
    assert "The \\]\\]\\> site \\| of" in document


async def test_the_critical_path_of_a_diamond_goes_through_its_slower_side(board: BoardUnderTest) -> None:
    await telling_board(board)
    told = await audit(board)
    assert [one["reference"] for one in told["critical_path"]["steps"]] == [
        "site/spec",
        "site/right",
        "site/whole",
        "site/result",
    ][: len(told["critical_path"]["steps"])]
    assert {(one["from"], one["to"]) for one in told["hand_overs"]} >= {
        ("site/spec", "site/left"),
        ("site/spec", "site/right"),
        ("site/right", "site/whole"),
    }


async def test_a_decision_names_what_replaced_it(board: BoardUnderTest) -> None:
    await telling_board(board)
    first, second = (await audit(board))["decisions"]
    assert (first["status"], first["superseded_by"]["decision"]) == ("superseded", "Use Markdown")
    assert second["supersedes"]["decision"] == "Use <em>plain</em> HTML"


async def test_the_time_in_each_place_is_that_of_the_events(board: BoardUnderTest) -> None:
    begin = board_now() - timedelta(hours=3)
    fold = Fold(begin)
    events: list[tuple[int, str, dict[str, Any]]] = [
        (0, "board.artifact.posted", {"reference": "t/a", "artifact": 1, "blocked_by": []}),
        (0, "board.artifact.posted", {"reference": "t/b", "artifact": 2, "blocked_by": [1]}),
        (10, "board.item.claimed", {"worker": "w", "items": [[1, 1, 1]]}),
        (
            30,
            "board.item.failed",
            {"item": 1, "fence": 1, "run_at": (begin + timedelta(seconds=60)).isoformat(), "outcome": "failed"},
        ),
        (60, "board.item.promoted", {"items": [1]}),
        (65, "board.item.claimed", {"worker": "w", "items": [[1, 2, 2]]}),
        (100, "board.artifact.completed", {"reference": "t/a", "artifact": 1, "item": 1, "fence": 2, "version": 1}),
        (100, "board.item.opened", {"items": [2]}),
        (104, "board.item.claimed", {"worker": "w", "items": [[2, 3, 1]]}),
        (105, "board.item.died", {"item": 2, "fence": 3, "class": "logic", "error": "no", "outcome": "failed"}),
        (125, "board.item.redriven", {"item": 2, "reference": "t/b"}),
    ]
    for position, (second, subject, payload) in enumerate(events, 1):
        at = begin + timedelta(seconds=second)
        told = {
            "id": position,
            "position": position,
            "subject": subject,
            "actor": "backend",
            "cause": None,
            "correlation": None,
            "happened_at": at,
        }
        fold.add(told, payload)
    fold.end(begin + timedelta(seconds=130))
    assert fold.items[1].seconds == {"ready": 15.0, "claimed": 55.0, "scheduled": 30.0}
    assert fold.items[2].seconds == {"gated": 100.0, "ready": 9.0, "claimed": 1.0, "dead": 20.0}
    assert [one.then for one in fold.incidents] == ["tried again by backend (attempt 2)", "brought back by backend"]


async def test_an_item_that_was_there_before_the_range_is_counted_from_its_begin(board: BoardUnderTest) -> None:
    items = await board.post_graph({"spec": []})
    await board.seal()
    since = await board.fetchval("SELECT max(happened_at) + interval '1 microsecond' FROM events WHERE board = $1")
    await board.complete(items["spec"])
    told = await audit(board, since=since)
    spec = next(one for one in told["artifacts"] if one["reference"] == "work/spec")
    assert (spec["posted_at"], spec["owner"], spec["place"]) == (None, "backend", "done")
    assert set(spec["seconds"]) <= {"ready", "claimed"}
    assert told["proof"]["verified"] is True


async def test_the_report_can_be_narrowed(board: BoardUnderTest) -> None:
    await telling_board(board)
    mine = await audit(board, agent="frontend")
    assert [one["reference"] for one in mine["artifacts"]] == ["site/right"]
    assert (await audit(board, task="site"))["artifacts"] == (await audit(board))["artifacts"]
    correlation = next(one["correlation"] for one in mine["artifacts"])
    assert (await audit(board, correlation=correlation))["summary"]["artifacts"] >= 4


async def test_agents_are_told_by_what_they_did(board: BoardUnderTest) -> None:
    await telling_board(board)
    told = {one["agent"]: one for one in (await board.perform("report_agents"))["agents"]}
    assert {one["attempts"] for one in told.values()} == {0}
    await board.seal()
    told = {one["agent"]: one for one in (await board.perform("report_agents"))["agents"]}
    assert (told["backend"]["completed"], told["backend"]["failed"], told["backend"]["failure_rate"]) == (2, 1, 0.3333)
    assert told["frontend"]["attempts"] == 1


async def test_decisions_are_numbered_records_that_link_to_each_other(board: BoardUnderTest) -> None:
    await telling_board(board)
    first, second = await board.perform("report_decisions")
    assert (first["file"], second["number"]) == ("0001-page.md", 2)
    assert f"]({second['file']})" in first["text"]
    assert f"]({first['file']})" in second["text"]
    assert "<em>" not in first["text"]


PARTS = ("task", "agent", "correlation", "since", "until")


@pytest.mark.parametrize("pair", [f"{one} {two}" for place, one in enumerate(PARTS) for two in PARTS[place + 1 :]])
async def test_two_ways_of_narrowing_keep_what_both_keep(board: BoardUnderTest, pair: str) -> None:
    await telling_board(board)
    whole = await audit(board)
    asked = {
        "task": "site",
        "agent": "frontend",
        "correlation": whole["artifacts"][0]["correlation"],
        "since": whole["begins_at"],
        "until": whole["ends_at"],
    }
    one, two = pair.split()
    kept = [
        {row["reference"] for row in (await audit(board, **{name: asked[name] for name in names}))["artifacts"]}
        for names in ((one,), (two,), (one, two))
    ]
    assert kept[2] == kept[0] & kept[1]
    assert kept[2]


@pytest.mark.parametrize("form", ["html", "md", "json", "csv"])
async def test_another_process_gives_the_same_bytes(board: BoardUnderTest, app_url: str, form: str) -> None:
    await telling_board(board)
    here = (await audit(board, format=form))["text"]
    command = [str(Path(sys.executable).with_name("slate")), "report", "audit", "--format", form, "--board", board.name]
    for seed, zone in (("1", "UTC"), ("77", "Asia/Kathmandu")):
        given = {**os.environ, "SLATE_DATABASE_URL": app_url, "PYTHONHASHSEED": seed, "TZ": zone, "PGTZ": zone}
        done = await asyncio.create_subprocess_exec(*command, env=given, stdout=asyncio.subprocess.PIPE)
        out, _ = await done.communicate()
        assert out.decode() == here


async def test_a_page_refers_to_nothing_outside_itself(board: BoardUnderTest) -> None:
    await telling_board(board)
    page = (await audit(board, format="html"))["text"]
    assert not re.findall(r"(?i)\b(?:src|href|action|data|poster)\s*=(?!\s*[\"']?#)", page)
    assert not re.findall(r"(?i)<(?:script|link|iframe|object|embed|img|base)\b|@import|url\((?!#)|\bon\w+\s*=", page)
    assert "default-src 'none'" in page


async def test_a_page_begins_with_the_story(board: BoardUnderTest) -> None:
    await telling_board(board)
    page = (await audit(board, format="md"))["text"]
    story, _, tables = page.partition("## Who asked whom for what")
    headings = ["What was asked", "What happened", "What went wrong", "Who decided", "Can it be trusted?"]
    found = [story.index(heading) for heading in headings]
    assert found == sorted(found)
    assert "1 attempt failed" in story
    assert "## Every attempt" in tables
