"""A program of somebody else's is run within bounds, and nothing that it started outlives the run."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from slateboard.sdk import program
from slateboard.sdk.program import Cut, Ending, Guardian
from tests.cli.conftest import is_running, until

MIB = 1_048_576


@pytest_asyncio.fixture
async def guardian() -> AsyncIterator[Guardian]:
    started = Guardian()
    await started.start()
    yield started
    await started.stop()


async def shell(
    guardian: Guardian, script: str, *, given: bytes = b"", seconds: float = 20, limit: int = MIB
) -> Ending:
    """Run a shell script."""
    return await program.run(
        ["/bin/sh", "-c", script], given=given, environment=os.environ, seconds=seconds, output_bytes=MIB,
        guardian=guardian,
    )  # fmt: skip


async def pid_in(file: Path) -> int:
    """The process id that a script wrote into a file."""
    return int(await until(lambda: file.exists() and file.read_text().strip(), f"a process id in {file.name}"))


async def test_output_errors_and_exit_code_come_back(guardian: Guardian) -> None:
    ending = await shell(guardian, "cat; echo trouble >&2; exit 65", given=b"hello")
    assert ending == Ending(exit_code=65, output=b"hello", errors="trouble", cut=None)


async def test_program_need_not_read_what_it_is_given(guardian: Guardian) -> None:
    ending = await shell(guardian, "echo done", given=b"x" * 10 * MIB)
    assert (ending.exit_code, ending.output) == (0, b"done\n")


async def test_only_the_end_of_the_errors_is_kept(guardian: Guardian) -> None:
    ending = await shell(guardian, "yes complaint | head -c 300000 >&2; echo last >&2")
    assert len(ending.errors) <= program.TAIL_BYTES
    assert ending.errors.endswith("last")


async def test_too_much_output_ends_the_program(guardian: Guardian) -> None:
    started = time.monotonic()
    ending = await shell(guardian, "yes | head -c 100000000; read never < /dev/zero")
    assert ending.cut is Cut.OUTPUT
    assert len(ending.output) < 2 * MIB
    assert time.monotonic() - started < 10


async def test_time_is_bounded(guardian: Guardian) -> None:
    ending = await shell(guardian, "exec sleep 600", seconds=0.2)
    assert (ending.cut, ending.exit_code) == (Cut.TIME, -signal.SIGTERM)


async def test_program_that_ignores_sigterm_is_killed(guardian: Guardian, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "GRACE_SECONDS", 0.3)
    ending = await shell(guardian, "trap '' TERM; while :; do sleep 600; done", seconds=0.2)
    assert (ending.cut, ending.exit_code) == (Cut.TIME, -signal.SIGKILL)


async def test_children_die_with_the_program(guardian: Guardian, tmp_path: Path) -> None:
    child = tmp_path / "child"
    await shell(guardian, f"sleep 600 & echo $! > {child}; sleep 600", seconds=0.5)
    assert not is_running(await pid_in(child))


async def test_children_left_behind_hold_nothing_up(guardian: Guardian, tmp_path: Path) -> None:
    child = tmp_path / "child"
    started = time.monotonic()
    ending = await shell(guardian, f"sleep 600 & echo $! > {child}; echo done")
    assert (ending.output, ending.cut) == (b"done\n", None)
    assert time.monotonic() - started < 10
    assert not is_running(await pid_in(child))


async def test_cancelling_the_task_ends_the_whole_group(guardian: Guardian, tmp_path: Path) -> None:
    child = tmp_path / "child"
    task = asyncio.create_task(shell(guardian, f"sleep 600 & echo $! > {child}; wait"))
    pid = await pid_in(child)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not is_running(pid)


async def test_program_that_is_not_there_is_an_os_error(guardian: Guardian) -> None:
    with pytest.raises(FileNotFoundError):
        await program.run(["/nowhere/at/all"], given=b"", environment={}, seconds=1, output_bytes=1, guardian=guardian)


async def test_no_program_begins_when_this_process_dies_before_it_is_watched(tmp_path: Path) -> None:
    began = tmp_path / "began"
    source = (
        "import asyncio, os, signal\n"
        "from slateboard.sdk import program\n"
        "class Dies(program.Guardian):\n"
        "    def watch(self, group):\n"
        "        print(group, flush=True)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        f"command = ['/bin/sh', '-c', 'touch {began}; exec sleep 600']\n"
        "asyncio.run(program.run(command, given=b'', environment=os.environ, seconds=600, output_bytes=1,"
        " guardian=Dies()))\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", source, stdout=asyncio.subprocess.PIPE)
    printed, _ = await parent.communicate()
    assert parent.returncode == -signal.SIGKILL
    await until(lambda: not is_running(int(printed)), "the end of what was held back")
    assert not began.exists()


async def test_guardian_ends_the_group_when_this_process_is_killed(tmp_path: Path) -> None:
    child = tmp_path / "child"
    source = (
        "import asyncio, os\n"
        "from slateboard.sdk import program\n"
        "async def main():\n"
        "    guardian = program.Guardian()\n"
        "    await guardian.start()\n"
        f"    command = ['/bin/sh', '-c', 'echo $$ > {child}; exec sleep 600']\n"
        "    await program.run(command, given=b'', environment=os.environ, seconds=600, output_bytes=1,"
        " guardian=guardian)\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", source)
    pid = await pid_in(child)
    assert is_running(pid)
    parent.kill()
    await parent.wait()
    await until(lambda: not is_running(pid), "the end of the orphan")
