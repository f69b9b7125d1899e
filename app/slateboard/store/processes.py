"""The processes of the embedded Postgres: which one is the server, and what a server that was killed leaves behind.

A pid alone proves nothing, for pids are used again. A process is the server of a data folder only if that folder's
lock file names it, it runs as the server's user, is a Postgres, and works in that very folder. Nothing here signals a
process on less evidence than that, and no lock file is removed while its process might be a server.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from slateboard.protocol.errors import ServerProblem
from slateboard.store.place import PORT, Place
from slateboard.store.run_file import PostmasterFile, read_postmaster_file, start_of

_POLL_SECONDS = 0.02
_ORPHAN_PATIENCE_SECONDS = 5.0
_ORPHAN_POLL_SECONDS = 0.5

# Servers that this process started: kept, so that one which dies is reaped and reads as dead, not as a zombie.
_children: dict[int, subprocess.Popen[bytes]] = {}


def keep(process: subprocess.Popen[bytes]) -> None:
    """Remember a server that this process started."""
    _children[process.pid] = process


def running(place: Place) -> PostmasterFile | None:
    """The server of this data folder, if its lock file names a process that is really it."""
    postmaster = read_postmaster_file(place.data)
    if postmaster is None or not is_alive(postmaster.pid):
        return None
    try:
        return postmaster if _belongs(psutil.Process(postmaster.pid), place) else None
    except psutil.NoSuchProcess:
        return None


def _belongs(process: psutil.Process, place: Place) -> bool:
    """Whether a process is a Postgres at work in this data folder; in doubt it is, for two on one folder destroy it."""
    if process.uids().effective != place.uid:
        return False
    command = process.cmdline()
    title = command[0] if command else ""
    if not (title.startswith("postgres:") or Path(title).name == "postgres"):
        return False
    try:
        return Path(process.cwd()) == place.data.resolve()
    except psutil.AccessDenied:
        # Root in a container may not see the folder of another user's process, but everybody sees its arguments.
        if title.startswith("postgres:"):
            return title.startswith(f"postgres: {place.name}: ")
        return command[1:2] != ["-D"] or command[2:3] == [str(place.data)]


def is_alive(pid: int) -> bool:
    """Whether the process lives; one of ours that has died is reaped first."""
    child = _children.get(pid)
    if child is not None and child.poll() is not None:
        del _children[pid]
    return start_of(pid) is not None


def clear_leftovers(place: Place, progress: Callable[[str], None]) -> str:
    """Make way for a start after a crash; return the text of the lock file that the dead server left.

    Sessions of a server that was killed may live on for a while, attached to its memory, and PostgreSQL rightly
    refuses to start beside them: they are ended first. PostgreSQL also refuses when the dead server's pid was given to
    any other process of the same user, or is still that of its unreaped body (as where a container's first process
    reaps late), so that lock file is removed; in all other cases PostgreSQL judges it itself.
    """
    stale = read_postmaster_file(place.data)
    if stale is None:
        return ""
    began = time.monotonic()
    told = False
    while orphans := list(_orphans(place)):
        if not told:
            progress(f"ending {len(orphans)} processes that a killed server left")
            told = True
        patient = time.monotonic() - began < _ORPHAN_PATIENCE_SECONDS
        for orphan in orphans:
            with contextlib.suppress(psutil.NoSuchProcess):
                orphan.send_signal(signal.SIGQUIT if patient else signal.SIGKILL)
        psutil.wait_procs(orphans, timeout=_ORPHAN_POLL_SECONDS)
    if psutil.pid_exists(stale.pid):
        (stale.socket_folder / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)
        (place.data / "postmaster.pid").unlink(missing_ok=True)
    return stale.text


def _orphans(place: Place) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            # Children only, by their titles: what is in doubt is spared here.
            is_child = "".join(process.cmdline()[:1]).startswith("postgres:")  # one that ends has no title
            if is_child and process.status() != psutil.STATUS_ZOMBIE and _belongs(process, place):
                yield process


def wait_for_end(pid: int, limit_seconds: float) -> None:
    """Wait until the server's process is gone; `ServerProblem` after the seconds given."""
    started = start_of(pid)
    began = time.monotonic()
    while is_alive(pid) and start_of(pid) == started:
        if time.monotonic() - began > limit_seconds:
            message = f"the server (process {pid}) has not stopped within {limit_seconds:.0f} s"
            raise ServerProblem(message, remedy="wait, or stop it with mode `immediate`", pid=pid)
        time.sleep(_POLL_SECONDS)
