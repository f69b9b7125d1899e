"""What a running server leaves in its home for others to find: its address, and the administrator's token.

`server.json` says where the server is and which process it is; like the run file of Postgres it is believed only
while that very process lives, for pids are used again. Both files are readable by their owner only and appear whole.
"""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from slateboard.protocol.errors import Conflict, ServerProblem
from slateboard.store import place
from slateboard.store.binaries import problem_from_os
from slateboard.store.run_file import start_of, write_private

if TYPE_CHECKING:
    from collections.abc import Callable

SERVER_FILE = "server.json"
TOKEN_FILE = "admin-token"  # noqa: S105  the name of a file
LOG_FILE = "server.log"
STOP_SECONDS = 330.0
"""A server waits 10 s for requests, then up to 300 s for Postgres to write out what is dirty."""

_POLL_SECONDS = 0.05
_PROGRESS_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class ServerFile:
    """A running server. `started` identifies the process among all that ever had its pid."""

    url: str
    pid: int
    started: str
    version: str
    holder: str
    """By which it holds, or stands for, the leader's lease."""
    embedded: bool
    """Whether its Postgres is the one in this home."""


def make(home: Path) -> None:
    """Make the home, private; `ServerProblem` if it cannot be used, `DatabaseFull` if its disk is full."""
    try:
        place.make_home(home)
    except OSError as error:
        raise problem_from_os(f"SLATE_HOME={home} cannot be used", error) from error


def read(home: Path) -> ServerFile | None:
    """The server that runs in this home, or None; `ServerProblem` if the file may not be read."""
    found = _parsed(home)
    return found if found is not None and _is_alive(found) else None


def read_dead(home: Path) -> ServerFile | None:
    """The server that was killed and could not remove its file, or None."""
    found = _parsed(home)
    return None if found is None or _is_alive(found) else found


def _is_alive(file: ServerFile) -> bool:
    return start_of(file.pid) == file.started


def _parsed(home: Path) -> ServerFile | None:
    path = home / SERVER_FILE
    try:
        value: object = json.loads(path.read_text())
        fields = cast("dict[str, Any]", value)
        return ServerFile(**fields)
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
        return None
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}"
        raise ServerProblem(message, remedy="run this as the user who ran `slate up`, or set SLATE_HOME") from error


def write(home: Path, *, url: str, version: str, holder: str, embedded: bool) -> ServerFile:
    """Say that this process is the server of the home."""
    pid = os.getpid()
    started = start_of(pid) or ""
    file = ServerFile(url=url, pid=pid, started=started, version=version, holder=holder, embedded=embedded)
    write_private(home / SERVER_FILE, json.dumps(asdict(file), indent=1) + "\n")
    return file


def remove(home: Path) -> None:
    """From now on nobody finds the server."""
    (home / SERVER_FILE).unlink(missing_ok=True)


def refuse_second(home: Path) -> None:
    """Raise `Conflict` with the address if a server runs in this home already."""
    running = read(home)
    if running is not None:
        raise Conflict(
            f"a server is running in {home} already: {running.url} (process {running.pid})",
            remedy="use that one, or stop it first with `slate down`",
            url=running.url,
            pid=running.pid,
        )


def stop(home: Path, progress: Callable[[str], None]) -> ServerFile | None:
    """Ask the server of this home to stop, and wait until it has; returns which it was, None if none ran.

    Raises `ServerProblem` if it belongs to another user, or still runs after 330 s.
    """
    running = read(home)
    if running is None:
        return None
    try:
        os.kill(running.pid, signal.SIGTERM)
    except ProcessLookupError:
        return running
    except PermissionError as error:
        message = f"the server (process {running.pid}) belongs to another user"
        raise ServerProblem(message, remedy="run this as the user who ran `slate up`") from error
    began = told = time.monotonic()
    while _is_alive(running):
        now = time.monotonic()
        if now - began > STOP_SECONDS:
            message = f"the server (process {running.pid}) has not stopped within {STOP_SECONDS:.0f} s"
            raise ServerProblem(message, remedy=f"see {home / LOG_FILE}; `kill -9 {running.pid}` loses nothing")
        if now - told > _PROGRESS_SECONDS:
            told = now
            progress(f"waiting for the server (process {running.pid}) to stop, {now - began:.0f} s so far")
        time.sleep(_POLL_SECONDS)
    return running


def read_token(home: Path) -> str | None:
    """The administrator's token of this home, if one was written."""
    try:
        return (home / TOKEN_FILE).read_text().strip() or None
    except OSError:
        return None


def write_token(home: Path, token: str) -> None:
    """Keep the administrator's token, readable by its owner only."""
    write_private(home / TOKEN_FILE, token + "\n")
