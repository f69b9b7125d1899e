"""Where the demo plays: a folder with a home and files of its own, which one demo at a time has to itself.

Every process that it starts carries the folder's name in its environment (`SLATE_DEMO`). So what a demo that was killed
left running is known for certain, also where it had no time to write anything down, and the next one ends it first.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shlex
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import psutil

from scripts.implementation.fleet import ROOT, SLATE

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator
    from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
MARK = "SLATE_DEMO"
PATIENCE_SECONDS = 10.0
ROUNDS = 3
"""A process that is being ended may have started another."""


class Stopped(SystemExit):
    """A signal asked the demo to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.name = signal.Signals(number).name


@dataclass(frozen=True, kw_only=True)
class Stage:
    """The folder of a demo, and the port of its server on loopback."""

    folder: Path
    port: int

    @property
    def home(self) -> Path:
        """SLATE_HOME of all that is run."""
        return self.folder / "home"

    @property
    def out(self) -> Path:
        """Where the agents put their files."""
        return self.folder / "out"

    @property
    def address(self) -> str:
        """Of the server's doors."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """For its processes: the caller's, without the settings of another Slateboard."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SLATE_")}
        return kept | {
            "SLATE_HOME": str(self.home),
            "SLATE_PORT": str(self.port),
            "SLATE_BOARD": "default",
            "SLATE_EXAMPLE_OUT": str(self.out),
            "SLATE_EXAMPLE_PAUSE_SECONDS": "1",
            MARK: str(self.folder),
        }

    def exports(self) -> str:
        """What makes the commands of the demo true in a shell of the reader's, in the clone's folder."""
        others = sorted(name for name in os.environ if name.startswith("SLATE_") and name != "SLATE_HOME")
        unset = f"unset {' '.join(others)}; " if others else ""
        home = f"$PWD/{self.home.relative_to(ROOT)}" if self.home.is_relative_to(ROOT) else shlex.quote(str(self.home))
        return f'{unset}export PATH="$PWD/.venv/bin:$PATH" SLATE_HOME="{home}" SLATE_PORT={self.port}'

    def shown(self, path: Path) -> str:
        """A path of it as the reader may type it in the clone's folder."""
        return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Have the folder to itself, empty; at the end, also at a signal's, nothing that was started still runs."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with self.folder.with_name(f"{self.folder.name}.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                sys.exit(f"a demo runs in {self.folder} already: stop it (Ctrl-C), or run this one in another clone")
            before = {number: signal.signal(number, _stop) for number in STOPPING}
            try:
                self.end()
                self._clear()
                yield
            finally:
                for number in STOPPING:  # to be asked once is enough: this is what they ask for
                    signal.signal(number, signal.SIG_IGN)
                self.end()
                for number, handler in before.items():
                    signal.signal(number, handler)

    def end(self) -> None:
        """End whatever of this folder runs: the workers, then the server, then its Postgres."""
        for servers in (False, True):
            for _ in range(ROUNDS):
                if not (found := self._running(servers=servers)):
                    break
                _end(found)
        if self.home.exists():
            subprocess.run([SLATE, "down"], env=self.environment, check=False, capture_output=True)

    def _running(self, *, servers: bool) -> list[psutil.Process]:
        """Its processes but Postgres's, which are ended by `slate down`: in the right order, and with care."""
        found: list[psutil.Process] = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):  # another user's, or it has just ended
                if process.pid == os.getpid() or process.environ().get(MARK) != str(self.folder):
                    continue
                if Path(process.exe()).name != "postgres" and (servers or "worker" in process.cmdline()):
                    found.append(process)
        return found

    def _clear(self) -> None:
        """Remove what an earlier demo left, with its data, which stand elsewhere where it ran as root."""
        data = self.home / "postgres"
        if data.is_symlink():
            shutil.rmtree(data.readlink().parent, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)


def _end(processes: list[psutil.Process]) -> None:
    """SIGTERM, and SIGKILL to whoever is still there after ten seconds."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE_SECONDS)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=PATIENCE_SECONDS)


async def until_stopped(play: Coroutine[Any, Any, None]) -> None:
    """Await it; a signal cancels it. Raised in the midst of the driver's callbacks, `Stopped` could be lost there."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    asked: list[int] = []

    def cancel(number: int) -> None:
        asked.append(number)
        if task is not None:
            task.cancel()

    for number in STOPPING:
        loop.add_signal_handler(number, cancel, number)
    try:
        await play
    except asyncio.CancelledError:
        if not asked:
            raise
        raise Stopped(asked[0]) from None
    finally:
        for number in STOPPING:
            loop.remove_signal_handler(number)
            signal.signal(number, _stop)


def _stop(number: int, _frame: FrameType | None) -> NoReturn:
    raise Stopped(number)
