"""Where benchmarks and chaos run: a Slateboard in a temporary home, started by `slate up` as a user would."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg

from slateboard.store.run_file import read_run_file

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_SECONDS = 120.0
SLATE = str(Path(sys.executable).with_name("slate"))


@dataclass(frozen=True, kw_only=True)
class Place:
    """A running server: its home, the URLs of its Postgres, and the address and token of its doors."""

    home: Path
    owner_url: str
    app_url: str
    address: str
    token: str

    @property
    def environment(self) -> dict[str, str]:
        """The environment that points a process at this server."""
        port = self.address.rpartition(":")[2]
        return {**os.environ, "SLATE_HOME": str(self.home), "SLATE_PORT": port}


@contextmanager
def running() -> Iterator[Place]:
    """Start a server in an empty home, on a free port, and remove both afterwards, also after SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped by SIGTERM"))
    port = free_port()
    home = Path(tempfile.mkdtemp(prefix="slate-"))
    environment = {**os.environ, "SLATE_HOME": str(home), "SLATE_PORT": str(port)}
    environment.pop("SLATE_DATABASE_URL", None)
    try:
        subprocess.run([SLATE, "up", "--detach"], env=environment, check=True, stdout=subprocess.DEVNULL)
        run = read_run_file(home)
        assert run is not None
        token = (home / "admin-token").read_text().strip()
        yield Place(
            home=home, owner_url=run.owner_url, app_url=run.app_url, address=f"http://127.0.0.1:{port}", token=token
        )
    finally:
        subprocess.run([SLATE, "down"], env=environment, check=False, stdout=subprocess.DEVNULL)
        data = (home / "postgres").resolve()
        shutil.rmtree(data.parent if data.parent != home else data, ignore_errors=True)
        shutil.rmtree(home, ignore_errors=True)


def free_port() -> int:
    """A port on loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def until(connection: asyncpg.Connection[Any], question: str, *arguments: Any, every: float = 0.01) -> None:
    """Ask until the answer is true; what hangs says at what."""
    import asyncio

    end = time.monotonic() + PATIENCE_SECONDS
    while not await connection.fetchval(question, *arguments):
        if time.monotonic() > end:
            raise TimeoutError(question)
        await asyncio.sleep(every)
