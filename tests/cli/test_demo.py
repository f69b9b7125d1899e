"""`scripts/demo` as a process: however it ends, nothing that it started runs on, and the next one begins anew."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from scripts.implementation import demo
from scripts.implementation import stage as stages
from scripts.implementation.stage import Stage
from slateboard.store import place as places
from tests.cli.conftest import is_running
from tests.cli.test_up import until

COMMAND = [sys.executable, "-P", "-m", "scripts.implementation.demo"]
BEGUN = "Blackboard:"
SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)", "worker"]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(folder=tmp_path / "a demo", port=1)
    yield made
    made.end()


def begin(stage: Stage) -> subprocess.Popen[str]:
    """A demo whose workers are about to start."""
    environment = os.environ | {"PYTHONPATH": str(demo.ROOT), "PYTHONUNBUFFERED": "1"}
    command = [*COMMAND, "--folder", str(stage.folder)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, cwd=stage.folder.parent)
    assert process.stdout is not None
    said: list[str] = []
    for line in process.stdout:
        said.append(line)
        if line.startswith(BEGUN):
            return process
    raise AssertionError("".join(said))


def of(stage: Stage) -> list[int]:
    """What runs of a demo: its server and its workers."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(stages.MARK) == str(stage.folder):
                found.append(process.pid)
        except (psutil.Error, OSError):
            continue
    return found


def postgres(stage: Stage) -> int:
    """The process of its Postgres, also where that was not stopped."""
    return int((places.find(stage.home).data / "postmaster.pid").read_text().split()[0])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_the_middle_leaves_nothing_running(stage: Stage, number: signal.Signals) -> None:
    process = begin(stage)
    server = postgres(stage)
    until(lambda: len(of(stage)) > len(("server", "worker")), "workers have started")
    process.send_signal(number)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert f"stopped by {number.name}" in said
    assert of(stage) == []
    assert not is_running(server)


def test_what_a_killed_demo_left_is_ended_by_the_next(stage: Stage) -> None:
    process = begin(stage)
    server = postgres(stage)
    until(lambda: len(of(stage)) > len(("server", "worker")), "workers have started")
    process.kill()
    process.communicate()
    assert of(stage)
    assert is_running(server)
    with stage.taken():
        assert of(stage) == []
        assert not is_running(server)
        assert list(stage.folder.iterdir()) == []


def test_only_what_the_demo_of_this_folder_started_is_ended(stage: Stage, tmp_path: Path) -> None:
    mine = subprocess.Popen(SLEEPER, env=stage.environment)
    another = subprocess.Popen(SLEEPER, env=os.environ | {stages.MARK: str(tmp_path / "another")})
    try:
        stage.end()
        assert not is_running(mine.pid)
        assert another.poll() is None
    finally:
        another.kill()
        another.wait()
        mine.wait()  # reaped before; the object does not know that yet


def test_a_second_demo_of_a_folder_is_refused(stage: Stage) -> None:
    with stage.taken():
        (stage.folder / "mine").touch()
        with pytest.raises(SystemExit, match="already"), Stage(folder=stage.folder, port=2).taken():
            pass
        assert (stage.folder / "mine").exists()


def test_the_shown_exports_point_a_shell_at_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLATE_DATABASE_URL", "postgresql://elsewhere/production")
    stage = Stage(folder=demo.FOLDER, port=4711)
    shell = f"{stage.exports()}; echo $SLATE_HOME $SLATE_PORT; command -v slate; echo ${{SLATE_DATABASE_URL-none}}"
    done = subprocess.run(["sh", "-c", shell], cwd=demo.ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"{stage.home} 4711", f"{demo.ROOT}/.venv/bin/slate", "none"]
    assert "SLATE_DATABASE_URL" not in stage.environment
    assert stage.shown(stage.out / "report.html") == ".slate/demo/out/report.html"
