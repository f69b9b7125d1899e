"""The page that helps to choose a pattern, and the guide to meetings, hold: files, commands and links."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from slateboard.reports.audit.sections import SECTIONS
from tests.cli.test_choreography_guide import BLOCK, run
from tests.cli.test_up import SLATE, Environment, external, slate, until, url
from tests.examples.test_readmes import resolved
from tests.house.source import ROOT, text

__all__ = ["external", "url"]
"""Fixtures of a server on a database of its own, used here."""

PAGE = ROOT / "docs/patterns.md"
MEETINGS = ROOT / "docs/guides/meetings.md"
STARTED_LATER = "slate task chain api"
"""The cto's worker has delegated it by then."""


def blocks(page: Path, folder: Path) -> Iterator[str]:
    """The page's shell blocks in order; the files before each are written, and programs can be imported."""
    for language, body in BLOCK.findall(text(page)):
        if language == "sh":
            yield body
            continue
        name = body.splitlines()[0].removeprefix("# ")
        (folder / name).write_text(body)
        if language == "python" and "schedule_agent_meeting" not in body:
            subprocess.run([sys.executable, "-c", f"import {Path(name).stem}"], cwd=folder, check=True)


def test_every_file_and_command_of_the_page_does_what_it_says(external: Environment, tmp_path: Path) -> None:
    given = external | {"PATH": f"{SLATE.parent}{os.pathsep}{os.environ['PATH']}", "SLATE_BOARD": "default"}
    said: dict[str, str] = {}
    try:
        for number, block in enumerate(blocks(PAGE, tmp_path)):
            if STARTED_LATER in block:
                until(lambda: slate(given, "task", "chain", "api")[0] == 0, "the cto has delegated")
            script = block.replace("&\n", "& echo $! >> pids\n") if "worker run" in block else block
            said[block.split("\n", 1)[0]] = run(script, given, tmp_path, tmp_path / f"output-{number}")
    finally:
        file = tmp_path / "pids"
        for pid in file.read_text().split() if file.exists() else []:
            os.kill(int(pid), signal.SIGTERM)
    (chain,) = (output for first, output in said.items() if first.startswith(STARTED_LATER))
    assert re.search(r"api +cto +backend", chain)
    assert "security review of API changes" in said["slate apply -f routing.yaml"]
    assert "backend deploy" in said["slate apply -f pipeline.yaml"]
    assert "Architecture review" in said["python review.py"]
    report = (tmp_path / "report.md").read_text()
    assert "Who delegated what to whom" in report


def test_the_guide_to_meetings_does_what_it_says(external: Environment, tmp_path: Path) -> None:
    given = external | {"PATH": f"{SLATE.parent}{os.pathsep}{os.environ['PATH']}", "SLATE_BOARD": "default"}
    (script,) = blocks(MEETINGS, tmp_path)
    for number, typed in enumerate((script, "python review.py\nslate meeting list"), 1):
        said = run(typed, given, tmp_path, tmp_path / f"output-{number}")
        waiting = re.findall(r"waiting .*Analytics Dashboard Architecture Review$", said, re.MULTILINE)
        assert len(waiting) == number


def test_every_section_of_the_report_that_the_page_names_is_one() -> None:
    named = set(re.findall(r"(?<!\*)\*([A-Z][a-z ]+)\*(?!\*)", text(PAGE)))
    assert len(named) > 10
    assert named <= {section.title for section in SECTIONS}


def test_every_command_in_the_page_s_tables_exists_and_every_link_leads_somewhere() -> None:
    pages = {file: text(file) for file in (PAGE, MEETINGS)}
    page = pages[PAGE]
    for words in [one for content in pages.values() for one in re.findall(r"(?<!`)`slate ([^`\n]+)`", content)]:
        resolved(shlex.split(words))
    anchors = {re.sub(r"[^\w -]", "", line.lstrip("# ")).lower().replace(" ", "-") for line in page.splitlines()
               if line.startswith("#")}  # fmt: skip
    for one, content in pages.items():
        for target in re.findall(r"\]\(([^)]+)\)", content):
            file, _, anchor = target.partition("#")
            assert (one.parent / file).exists(), target
            assert file or anchor in anchors, target
