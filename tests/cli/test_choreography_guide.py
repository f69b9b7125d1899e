"""The guide to the choreography holds: its files and every one of its commands, in their order, on a server."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.cli.test_up import SLATE, Environment, environment, external, slate, until, url
from tests.house.source import ROOT, text

__all__ = ["environment", "external", "url"]
"""Fixtures of the server's tests, used here."""

PAGE = ROOT / "docs/guides/choreography.md"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PREFIX = "genbrain.events."
WAITS = f'"waits_for": "{PREFIX}approved"'


def positions(given: Environment, subject: str) -> list[int]:
    """Where events of that subject stand in the log."""
    _, rows, _ = slate(given, "log", "tail", "--subject", subject)
    return [row["position"] for row in rows]


def blocks(folder: Path) -> Iterator[str]:
    """The page's shell blocks in order; the files before each are written."""
    for language, body in BLOCK.findall(text(PAGE)):
        if language == "sh":
            yield body
        elif language:
            (folder / body.splitlines()[0].removeprefix("# ")).write_text(body)


def run(script: str, given: Environment, folder: Path, output: Path) -> str:
    """Run a block; what it leaves in the background goes on."""
    with output.open("w") as file:
        done = subprocess.run(
            ["/bin/sh", "-e", "-c", script], cwd=folder, env=given, stdout=file, stderr=file, timeout=180, check=False
        )
    said = output.read_text()
    assert done.returncode == 0, (script, said)
    return said


def test_every_command_of_the_guide_does_what_it_says(external: Environment, tmp_path: Path) -> None:
    given = external | {"PATH": f"{SLATE.parent}{os.pathsep}{os.environ['PATH']}", "SLATE_BOARD": "default"}
    said: dict[str, str] = {}
    address = ""
    try:
        for number, block in enumerate(blocks(tmp_path)):
            script = block
            if "worker run" in block:
                script = block.replace("&\n", "& echo $! >> pids\n")
            if "log chain" in block:
                until(lambda: WAITS in json.dumps(slate(given, "log", "chain", "pr-17")[1]), "marketing waits")
            if "log show" in block:
                script = script.replace("14", str(positions(given, f"{PREFIX}pr.merged")[0]))
            if "curl" in block:
                address = slate(given, "status")[1]["server"]["url"]
            script = script.replace("http://127.0.0.1:8765", address).replace("~/.slateboard", given["SLATE_HOME"])
            said[block.split("\n", 1)[0]] = run(script, given, tmp_path, tmp_path / f"output-{number}")
        until(lambda: positions(given, f"{PREFIX}announced"), "it is announced")
        assert len(positions(given, f"{PREFIX}deployed")) == 1, "the filter leaves out the branch of the webhook"
    finally:
        file = tmp_path / "pids"
        pids = [int(pid) for pid in file.read_text().split()] if file.exists() else []
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
    chain = said["slate log chain pr-17"]
    assert "marketing announce" in chain
    assert f"waits for {PREFIX}approved" in chain
    assert "devops" in said["slate publish genbrain.events.approved --correlation pr-17"]
