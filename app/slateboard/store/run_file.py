"""The run file: how everybody finds the embedded Postgres without starting or stopping it.

`slate up` writes it, atomically and with mode 0600, when the server accepts connections, and removes it before it
stops the server. A reader believes it only while three things agree: the process of that pid lives, it is the very
process that was started (pids are used again), and the data folder's own `postmaster.pid` names it. So a file left
behind by a crash reads as "not running", whatever became of the pid.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import cast

from slateboard.protocol.errors import ServerProblem

RUN_FILE = "run.json"

_PROC = Path("/proc")


@dataclass(frozen=True, kw_only=True)
class RunFile:
    """A running embedded Postgres. `started` identifies the process among all that ever had its pid."""

    owner_url: str = field(repr=False)
    app_url: str = field(repr=False)
    pid: int
    started: str
    data: Path
    version: str


@dataclass(frozen=True, kw_only=True)
class PostmasterFile:
    """What `postmaster.pid` says; `state` is starting, ready, standby, stopping or (very early) empty."""

    pid: int
    data: Path
    socket_folder: Path
    state: str
    text: str = field(repr=False)


def read_run_file(home: Path) -> RunFile | None:
    """The running server of this home, or None if none runs; `ServerProblem` if the file may not be read."""
    path = home / RUN_FILE
    try:
        run = _parsed(path.read_text())
    except FileNotFoundError:
        return None
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}"
        raise ServerProblem(message, remedy="run this as the user who ran `slate up`, or set SLATE_HOME") from error
    return run if run is not None and _is_alive(run) else None


def write_run_file(home: Path, run: RunFile) -> None:
    """Replace the run file, whole or not at all, readable by its owner only."""
    write_private(home / RUN_FILE, json.dumps(asdict(run) | {"data": str(run.data)}, indent=1) + "\n")


def remove_run_file(home: Path) -> None:
    """From now on nobody finds the server."""
    (home / RUN_FILE).unlink(missing_ok=True)


def write_private(path: Path, text: str, *, uid: int = -1, gid: int = -1) -> None:
    """Write a file of mode 0600 that appears whole, and durably, or not at all; it never follows a link."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "w") as file:
            file.write(text)
            file.flush()
            if uid >= 0:
                os.fchown(file.fileno(), uid, gid)
            os.fsync(file.fileno())
        fresh.replace(path)
        sync_folder(path.parent)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def start_of(pid: int) -> str | None:
    """A word that no other process with this pid ever had or will have; None if the process is gone or a zombie.

    On Linux it is made of ticks since the boot, not of wall-clock time, which a correction of the clock would move.
    """
    if not _PROC.joinpath("self", "stat").exists():
        return _start_by_clock(pid)
    try:
        fields = _PROC.joinpath(str(pid), "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    if fields[0] in {"Z", "X", "x"}:
        return None
    boot = _PROC.joinpath("sys", "kernel", "random", "boot_id").read_text().strip()
    return f"{boot}:{fields[19]}"


def _start_by_clock(pid: int) -> str | None:
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"clock:{process.create_time():.2f}"
    except psutil.Error:
        return None


def read_postmaster_file(data: Path) -> PostmasterFile | None:
    """The server's own lock file in its data folder, or None if there is none (or none that makes sense)."""
    try:
        text = (data / "postmaster.pid").read_text(errors="replace")
    except OSError:
        return None
    lines = text.splitlines()
    if len(lines) < 2 or not lines[0].strip().isdigit():
        return None
    # Not yet written whole: pid, folder, start, port, folder of the socket, address, memory key, state.
    lines += [""] * (8 - len(lines))
    folder = Path(lines[4] or lines[1])
    return PostmasterFile(
        pid=int(lines[0]), data=Path(lines[1]), socket_folder=folder, state=lines[7].strip(), text=text
    )


def _is_alive(run: RunFile) -> bool:
    if start_of(run.pid) != run.started:
        return False
    postmaster = read_postmaster_file(run.data)
    return postmaster is not None and postmaster.pid == run.pid and postmaster.data == run.data


def _parsed(text: str) -> RunFile | None:
    try:
        value: object = json.loads(text)
    except ValueError:
        return None
    if not isinstance(value, dict):
        return None
    fields = cast("dict[str, object]", value)
    pid = fields.get("pid")
    texts = {name: fields.get(name) for name in ("owner_url", "app_url", "started", "data", "version")}
    if not isinstance(pid, int) or not all(isinstance(text, str) for text in texts.values()):
        return None
    words = {name: str(text) for name, text in texts.items()}
    return RunFile(
        owner_url=words["owner_url"],
        app_url=words["app_url"],
        pid=pid,
        started=words["started"],
        data=Path(words["data"]),
        version=words["version"],
    )
