"""Where the embedded Postgres of one home lives, as whom it runs, and who may start it.

An ordinary user's data is in `SLATE_HOME/postgres`. PostgreSQL refuses to run as root, so for root it runs as a
system user, with its data and a copy of the programs in `/var/lib/slateboard/<hash of the home>`; then
`SLATE_HOME/postgres` is a link to the data, which keeps a home that is moved together with its data. No folder that
was there before is ever opened to others. Whoever starts, adopts or stops the server holds the home's file lock.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from slateboard.protocol.errors import ServerProblem
from slateboard.store.binaries import SystemUser

SYSTEM_FOLDER = Path("/var/lib/slateboard")
SYSTEM_USER = "slateboard"
LOCK_FILE = "lock"
DATA_FOLDER = "postgres"
PORT = 5432
SOCKET_PATH_LIMIT_BYTES = 103 if sys.platform == "darwin" else 107

_LOCK_POLL_SECONDS = 0.05
_USERADD_TIMEOUT_SECONDS = 20
_ROOT = 0


@dataclass(frozen=True, kw_only=True)
class Place:
    """The folders of one server. `base` holds data, passwords and the log of starts; `name` marks its processes."""

    home: Path
    base: Path
    data: Path
    name: str
    user: SystemUser | None

    @property
    def uid(self) -> int:
        """The user id that the server runs with."""
        return self.user.uid if self.user else os.geteuid()


def find(home: Path) -> Place:
    """The place of this home's server, made or not; nothing is changed on disk."""
    link = home / DATA_FOLDER
    if os.geteuid() != _ROOT:
        data = home.resolve() / DATA_FOLDER
        return Place(home=home, base=home, data=data, name=f"slate-{_key(data)}", user=None)
    if link.is_dir() and not link.is_symlink():
        message = f"{home} belongs to a server of the user {link.owner()}, and this is root"
        raise ServerProblem(message, remedy=f"run this as {link.owner()}, or choose another SLATE_HOME")
    # The link's own words, not what they resolve to: the data may not be there yet.
    data = home / link.readlink() if link.is_symlink() else SYSTEM_FOLDER / _key(home.resolve()) / DATA_FOLDER
    return Place(home=home, base=data.parent, data=data, name=f"slate-{_key(data)}", user=_owner(data))


def _key(folder: Path) -> str:
    return hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]


def make(home: Path) -> Place:
    """Make what root needs outside the home: a folder for the server, and a user; the caller holds the home's lock."""
    place = find(home)
    if os.geteuid() != _ROOT:
        return place
    SYSTEM_FOLDER.mkdir(mode=0o755, exist_ok=True)
    if not place.base.exists():
        place.base.mkdir(mode=0o755)
        place.base.chmod(0o755)
    # Passwords are written here with root's rights, so nobody else may have put a link in its place.
    status = place.base.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != _ROOT:
        message = f"{place.base} is not a folder of root"
        raise ServerProblem(message, remedy="find out who made it, and move it away")
    link = home / DATA_FOLDER
    if not link.is_symlink():
        link.symlink_to(place.data)
    (place.base / "home").write_text(f"{home}\n")
    if place.user is not None:
        return place
    return Place(home=home, base=place.base, data=place.data, name=place.name, user=_choose_user())


def make_home(home: Path) -> None:
    """Make the home, with mode 0700; `ServerProblem` if it is a folder that others use."""
    home.parent.mkdir(parents=True, exist_ok=True)
    try:
        home.mkdir(mode=0o700)
    except FileExistsError:
        mode = stat.S_IMODE(home.stat().st_mode)
        # Shutting others out of a folder that holds anything else (SLATE_HOME=/tmp) would break it for them.
        if mode & 0o077 and any(home.iterdir()) and not (home / LOCK_FILE).exists():
            message = f"SLATE_HOME={home} is open to other users (mode {mode:o}) and holds other files"
            remedy = f"choose an empty folder, or run: chmod 700 {home}"
            raise ServerProblem(message, remedy=remedy) from None
    home.chmod(0o700)


def _owner(data: Path) -> SystemUser | None:
    if not data.is_dir():
        return None
    status = data.stat()
    if status.st_uid == _ROOT:
        return None
    try:
        name = pwd.getpwuid(status.st_uid).pw_name
    except KeyError:
        name = str(status.st_uid)
    return SystemUser(name=name, uid=status.st_uid, gid=status.st_gid)


def _choose_user() -> SystemUser:
    useradd = shutil.which("useradd") or shutil.which("useradd", path="/usr/sbin:/sbin")
    if _account(SYSTEM_USER) is None and useradd:
        options = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
        # A failure (a read-only /etc, say) leaves `nobody`.
        subprocess.run(
            [useradd, *options, "--shell", "/usr/sbin/nologin", SYSTEM_USER],
            capture_output=True,
            check=False,
            timeout=_USERADD_TIMEOUT_SECONDS,
        )
    user = _account(SYSTEM_USER) or _account("nobody")
    if user is None:
        message = "PostgreSQL refuses to run as root, and there is no user to run it as"
        raise ServerProblem(message, remedy=f"create a system user named {SYSTEM_USER}, or do not run as root")
    return user


def _account(name: str) -> SystemUser | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return SystemUser(name=name, uid=entry.pw_uid, gid=entry.pw_gid)


def make_socket_folder(place: Place) -> Path:
    """The folder of the server's socket: the data folder, or a short private one where that path is unfit."""
    socket = place.data / f".s.PGSQL.{PORT}"
    plain = not any(character in str(socket) for character in "\"',\\\n")
    if plain and len(os.fsencode(socket)) <= SOCKET_PATH_LIMIT_BYTES:
        return place.data
    folder = short_socket_folder(place)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        status = folder.lstat()
        private = stat.S_ISDIR(status.st_mode) and not stat.S_IMODE(status.st_mode) & 0o077
        if not private or status.st_uid != place.uid:
            # Somebody else took the name in the public folder; any other name will do.
            folder = Path(tempfile.mkdtemp(prefix="slate-", dir="/tmp"))
    if place.user:
        os.chown(folder, place.user.uid, place.user.gid)
    return folder


def short_socket_folder(place: Place) -> Path:
    """The short private folder that this place would use; it is below /tmp for that is short everywhere."""
    return Path("/tmp") / place.name  # noqa: S108 - made with mode 0700, and checked when it was there before


class HomeLock:
    """The lock of a home: held by the one process that may start and stop its server, given up when it dies."""

    def __init__(self, home: Path) -> None:
        self._path = home / LOCK_FILE
        self._handle: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._handle is not None

    def acquire(self, *, wait_seconds: float) -> None:
        """Take the lock; `ServerProblem`, naming the holder's pid, if it is not free within the time given."""
        if self.held:
            return
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + wait_seconds
        while not _try_lock(handle):
            if time.monotonic() >= deadline:
                os.close(handle)
                pid = _written_pid(self._path)
                message = f"another `slate up` (process {pid}) is in charge of {self._path.parent}"
                raise ServerProblem(message, remedy="use that one, or stop it first with `slate down`", pid=pid)
            time.sleep(_LOCK_POLL_SECONDS)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        self._handle = handle

    def release(self) -> None:
        """Give the lock up; the file stays, for another may be waiting on it."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def holder(home: Path) -> int | None:
    """The pid of the process that holds the home's lock, or None if it is free."""
    path = home / LOCK_FILE
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return None if _try_lock(handle, fcntl.LOCK_SH) else _written_pid(path)
    finally:
        os.close(handle)


def _try_lock(handle: int, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _written_pid(path: Path) -> int | None:
    text = path.read_text().strip()
    return int(text) if text.isdigit() else None
