"""`slate report`: files, formats, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Slate
from tests.support.boards import BoardUnderTest


async def test_an_audit_is_written_in_the_form_of_its_file(slate: Slate, board: BoardUnderTest, tmp_path: Path) -> None:
    items = await board.post_graph({"spec": []})
    await board.complete(items["spec"])
    await board.seal()
    for name, begin in (("a.html", "<!DOCTYPE html>"), ("a.md", "# Audit trail"), ("a.csv", "reference,kind")):
        done = await slate.ok("report", "audit", "-o", tmp_path / name)
        assert done["proof"]["verified"] is True
        assert (tmp_path / name).read_text(encoding="utf-8").startswith(begin)
    printed = await slate("report", "audit", "--format", "json")
    assert json.loads(printed.out)["board"] == board.name
    assert (await slate.ok("report", "audit"))["summary"]["versions"] == 1
    left = [path.name for path in tmp_path.iterdir()]  # noqa: ASYNC240  a folder of this test
    assert sorted(left) == ["a.csv", "a.html", "a.md"]


async def test_decisions_become_files(slate: Slate, board: BoardUnderTest, tmp_path: Path) -> None:
    await board.perform("decide", decision="Use HTML")
    told = await slate.ok("report", "decisions", "-o", tmp_path / "new" / "folder")
    assert told["files"] == ["0001-use-html.md"]
    assert "# 1. Use HTML" in (tmp_path / "new" / "folder" / "0001-use-html.md").read_text(encoding="utf-8")


async def test_agents_are_shown(slate: Slate, board: BoardUnderTest) -> None:
    items = await board.post_graph({"spec": []})
    await board.complete(items["spec"])
    await board.seal()
    assert "backend" in (await slate("report", "agents")).out
    assert {one["agent"] for one in (await slate.ok("report", "agents"))["agents"]} >= {"backend", "cto"}


async def test_what_cannot_be_reported_is_refused(slate: Slate, board: BoardUnderTest, tmp_path: Path) -> None:
    await slate.wrong(4, "report", "audit", "--task", "nothing")
    await slate.wrong(4, "report", "audit", "--agent", "nobody")
    await slate.wrong(4, "report", "audit", "--correlation", "none")
    await slate.wrong(2, "report", "audit", "--since", "1h", "--until", "2h")
    await slate.wrong(2, "report", "audit", "--since", "yesterday-ish")
    await slate.wrong(2, "report", "audit", "-o", tmp_path / "missing" / "report.html")
