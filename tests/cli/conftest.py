"""The command, called in this process on a board of its own, or as the real program."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from click.testing import CliRunner

from slateboard import cli
from tests.support.boards import BoardUnderTest

SLATE = Path(sys.executable).with_name("slate")
PATIENCE_SECONDS = 20.0
TICK_SECONDS = 0.02


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """The data of the envelope of a command that went well."""
        envelope = json.loads(self.out)
        assert envelope["ok"] is True, self
        return envelope["data"]

    @property
    def error(self) -> Any:
        """The error of the envelope of a command that did not."""
        envelope = json.loads(self.out)
        assert envelope["ok"] is False, self
        return envelope["error"]


class Slate:
    """`slate` on one board. Runs in a thread, since each command has an event loop of its own."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment

    async def __call__(self, *arguments: object, given: str | None = None, **environment: str) -> Done:
        def run() -> Done:
            runner = CliRunner(env=self.environment | environment)
            result = runner.invoke(cli.main, [str(one) for one in arguments], input=given)
            if result.exception is not None and not isinstance(result.exception, SystemExit):
                raise result.exception
            return Done(result.exit_code, result.stdout, result.stderr)

        return await asyncio.to_thread(run)

    async def ok(self, *arguments: object, given: str | None = None, **environment: str) -> Any:
        """The data of a command that must go well."""
        done = await self(*arguments, "--json", given=given, **environment)
        assert done.code == 0, done
        return done.data

    async def wrong(self, code: int, *arguments: object, given: str | None = None, **environment: str) -> Any:
        """The error of a command that must end with this exit code."""
        done = await self(*arguments, "--json", given=given, **environment)
        assert done.code == code, done
        return done.error

    async def start(self, *arguments: object, folder: Path, **environment: str) -> asyncio.subprocess.Process:
        """The real program, in the background."""
        return await asyncio.create_subprocess_exec(
            SLATE,
            *map(str, arguments),
            cwd=folder,
            env=os.environ | self.environment | environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )


@pytest.fixture
def slate(app_url: str, board: BoardUnderTest) -> Slate:
    """The command on a new board with the agents backend, frontend and cto."""
    return Slate({"SLATE_DATABASE_URL": app_url, "SLATE_BOARD": board.name, "SLATE_AGENT": "", "SLATE_LOG_LEVEL": ""})


@pytest_asyncio.fixture
async def running(slate: Slate, tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[asyncio.subprocess.Process]]]:
    """Starts real programs in `tmp_path`, and ends those that still run after the test."""
    started: list[asyncio.subprocess.Process] = []

    async def start(*arguments: object, **environment: str) -> asyncio.subprocess.Process:
        started.append(await slate.start(*arguments, folder=tmp_path, **environment))
        return started[-1]

    yield start
    for process in started:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def until(check: Callable[[], Any], what: str, seconds: float = PATIENCE_SECONDS) -> Any:
    """Ask again and again until the answer is true (an awaitable one is awaited); fails when the time is over."""
    deadline = time.monotonic() + seconds
    tick = threading.Event()
    while True:
        found = check()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s"
        await asyncio.to_thread(tick.wait, TICK_SECONDS)


def is_running(pid: int) -> bool:
    """Whether a process lives; a zombie does not."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] not in {"Z", "X"}
