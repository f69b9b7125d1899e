"""The embedded Postgres: one server for each home, started, adopted and stopped by `slate up` alone.

The server is a process in a session of its own, so it survives whoever started it, and the next `slate up` adopts
it. Whoever acts on it holds the home's lock from `start` to `stop`; everybody else only reads the run file. A server
that is recovering is waited for without limit, and one that exits is an error at once. All functions block.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from slateboard.store import binaries, cluster, processes
from slateboard.store import place as places
from slateboard.store.place import HomeLock, Place
from slateboard.store.run_file import (
    PostmasterFile,
    RunFile,
    read_postmaster_file,
    read_run_file,
    remove_run_file,
    start_of,
    write_run_file,
)

__all__ = ["Embedded", "RunFile", "Status", "read_run_file"]

START_LOG = "postgres-start.log"
STOP_LIMIT_SECONDS = 300.0

_POLL_SECONDS = 0.02
_PROGRESS_SECONDS = 2.0
_STOP_SIGNALS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}


@dataclass(frozen=True, kw_only=True)
class Status:
    """What is known without the lock: the running server, and the process that is in charge of it."""

    run: RunFile | None
    holder_pid: int | None
    data: Path


class Embedded:
    """The server of one home. `start` takes the home's lock; `stop`, `detach` or the death of the process frees it."""

    def __init__(self, home: Path) -> None:
        self.home = home.expanduser().absolute()
        self._lock = HomeLock(self.home)

    def start(self, progress: Callable[[str], None], *, wait_seconds: float = 5.0) -> RunFile:
        """Return the running server: adopted if it runs, else started, on a new data folder if there is none.

        Waits `wait_seconds` for another `slate up` to give up the lock, and as long as it takes for recovery.
        Raises `ServerProblem`, `DatabaseFull` or `DatabaseTooOld`; then the lock is free again.
        """
        try:
            places.make_home(self.home)
            self._lock.acquire(wait_seconds=wait_seconds)
            return _start(places.make(self.home), progress)
        except OSError as error:
            self._lock.release()
            raise binaries.problem_from_os("the embedded Postgres cannot be started", error) from error
        except BaseException:
            self._lock.release()
            raise

    def stop(
        self,
        mode: Literal["fast", "immediate"] = "fast",
        *,
        wait_seconds: float = 5.0,
        limit_seconds: float = STOP_LIMIT_SECONDS,
    ) -> None:
        """Stop the server if it runs, and give up the lock; `immediate` leaves recovery to the next start.

        `ServerProblem` if another process holds the lock after `wait_seconds`, or the server has not ended within
        `limit_seconds` (a fast stop writes out all that is dirty).
        """
        if not self.home.is_dir():
            return
        try:
            self._lock.acquire(wait_seconds=wait_seconds)
            place = places.find(self.home)
            remove_run_file(self.home)
            postmaster = processes.running(place)
            if postmaster is not None:
                _end(postmaster, mode, limit_seconds)
                _remove_private_folder(postmaster.socket_folder, place)
        except OSError as error:
            raise binaries.problem_from_os("the embedded Postgres cannot be stopped", error) from error
        finally:
            self._lock.release()

    def detach(self) -> None:
        """Give up the lock and leave the server running, for another `start` to adopt."""
        self._lock.release()

    def status(self) -> Status:
        """What runs, and who is in charge of it; needs no lock and changes nothing."""
        data = places.find(self.home).data
        return Status(run=read_run_file(self.home), holder_pid=places.holder(self.home), data=data)


def _start(place: Place, progress: Callable[[str], None]) -> RunFile:
    postmaster = processes.running(place)
    if postmaster is not None and postmaster.state == "stopping":
        progress(f"waiting for the Postgres that is stopping (process {postmaster.pid})")
        processes.wait_for_end(postmaster.pid, STOP_LIMIT_SECONDS)
        postmaster = None
    if postmaster is not None:
        progress(f"adopting the Postgres that runs already (process {postmaster.pid})")
        run = _ready(place, postmaster.pid, "", progress)
    else:
        run = _start_cold(place, progress)
    write_run_file(place.home, run)
    return run


def _start_cold(place: Place, progress: Callable[[str], None]) -> RunFile:
    remove_run_file(place.home)
    programs = binaries.copy_server(place.base) if place.user else binaries.find()
    if not cluster.exists(place):
        cluster.create(place, programs, progress)
    cluster.read_passwords(place)
    stale = processes.clear_leftovers(place, progress)
    cluster.configure(place, places.make_socket_folder(place))
    progress("starting Postgres")
    pid = _launch(place, programs)
    return _ready(place, pid, stale, progress)


def _launch(place: Place, programs: Path) -> int:
    user = place.user
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    log = os.open(place.base / START_LOG, flags, 0o600)
    try:
        process = subprocess.Popen(
            [str(programs / "postgres"), "-D", str(place.data)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=place.data if user is None else "/",
            env=binaries.server_environment(),
            start_new_session=True,
            user=user.uid if user else None,
            group=user.gid if user else None,
            extra_groups=[] if user else None,
            umask=0o077,
        )
    finally:
        os.close(log)
    processes.keep(process)
    return process.pid


def _ready(place: Place, pid: int, stale: str, progress: Callable[[str], None]) -> RunFile:
    """Wait until the server accepts connections, without limit while it lives; `stale` is not yet its own file."""
    started = start_of(pid)
    began = told = time.monotonic()
    while True:
        alive = processes.is_alive(pid)
        postmaster = read_postmaster_file(place.data)
        if not alive or started is None:
            raise binaries.problem("the embedded Postgres exited while starting", _last_words(place))
        if postmaster and postmaster.pid == pid and postmaster.text != stale and postmaster.state == "ready":
            return _described(place, postmaster, started)
        now = time.monotonic()
        if now - told >= _PROGRESS_SECONDS:
            told = now
            progress(f"the server is recovering, {now - began:.0f} s so far{_recovery(place)}")
        time.sleep(_POLL_SECONDS)


def _described(place: Place, postmaster: PostmasterFile, started: str) -> RunFile:
    """The run file of a server that is ready, once its password has been tried."""
    passwords = cluster.read_passwords(place)
    owner_url = cluster.url(cluster.OWNER, passwords.owner, postmaster.socket_folder)
    rows = binaries.query(owner_url, "SHOW server_version;", what="connecting to the embedded Postgres")
    return RunFile(
        owner_url=owner_url,
        app_url=cluster.url(cluster.APP, passwords.app, postmaster.socket_folder),
        pid=postmaster.pid,
        started=started,
        data=place.data,
        version=rows[0],
    )


def _last_words(place: Place) -> str:
    """What the server said since it was last started: its first output, and its log from there on."""
    words = _read(place.base / START_LOG)
    log = _newest_log(place)
    # A server that fails before its log is open says so in its first output only.
    if log and "redirecting log output" in words:
        begin = log.rfind("starting PostgreSQL")
        words = log[log.rfind("\n", 0, begin) + 1 :] if begin >= 0 else log
    return words


def _recovery(place: Place) -> str:
    signs = ("in progress", "syncing", "resetting", "redo", "recovery")
    told = [line for line in _newest_log(place).splitlines() if any(sign in line for sign in signs)]
    said = told[-1].partition("LOG:")[2].strip() if told else ""
    return f": {said}" if said else ""


def _newest_log(place: Place) -> str:
    logs = sorted((place.data / "log").glob("postgres-*.log"), key=lambda path: path.stat().st_mtime)
    return _read(logs[-1]) if logs else ""


def _read(path: Path, limit_bytes: int = 65536) -> str:
    """The end of a file, or nothing; it never follows a link."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return ""
    with os.fdopen(handle, "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - limit_bytes))
        return file.read().decode(errors="replace")


def _end(postmaster: PostmasterFile, mode: Literal["fast", "immediate"], limit_seconds: float) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(postmaster.pid, _STOP_SIGNALS[mode])
        processes.wait_for_end(postmaster.pid, limit_seconds)


def _remove_private_folder(folder: Path, place: Place) -> None:
    if folder != place.data:
        with contextlib.suppress(OSError):  # it is not empty, or somebody was faster: then it is left alone
            folder.rmdir()
