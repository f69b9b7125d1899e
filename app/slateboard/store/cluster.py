"""The data folder: how it is made, what its server is set to, and who may log in.

A data folder appears whole, with its roles and its database, or not at all: `initdb` and the first statements work on
a folder of another name, which is renamed at the end. No authentication but scram-sha-256 is ever configured, not
even in that moment, and nothing listens on the network. Durability is as PostgreSQL has it: fsync, full-page writes
and synchronous commit stay on. The configuration is written anew at every start; `custom.conf` beside it has the last
word.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import cast
from urllib.parse import quote

from slateboard.protocol.errors import DatabaseFull, DatabaseTooOld, ServerProblem
from slateboard.store.binaries import MAJOR_VERSION, run_server_program
from slateboard.store.place import PORT, Place
from slateboard.store.run_file import sync_folder, write_private

SUPERUSER = "postgres"
OWNER = "slateboard_owner"
APP = "slateboard_app"
DATABASE = "slateboard"
PASSWORD_FILE = "passwords.json"  # noqa: S105 - a file's name
MIN_FREE_BYTES = 256 * 1024 * 1024

_MEGABYTE = 1024 * 1024
_MAX_SHARED_BUFFERS = 512 * _MEGABYTE
_MIN_SHARED_BUFFERS = 32 * _MEGABYTE

_HBA = """\
# Written by `slate up` at every start.
local all all              scram-sha-256
host  all all 127.0.0.1/32 scram-sha-256
host  all all ::1/128      scram-sha-256
"""

_SETTINGS = """\
# Written by `slate up` at every start: put settings of your own into custom.conf beside this file.
listen_addresses = ''
port = {port}
unix_socket_directories = '{socket}'
unix_socket_permissions = 0600
password_encryption = 'scram-sha-256'
cluster_name = '{name}'
max_connections = 200
# The owner (migrations, backups) still gets in when the application has taken all connections.
reserved_connections = 5

shared_buffers = {shared_buffers}MB
effective_cache_size = {cache}MB
# Small segments come from the main block and large ones from files: a container's /dev/shm is often 64 MB, and
# systemd empties it when an ordinary user logs out.
min_dynamic_shared_memory = 16MB
dynamic_shared_memory_type = mmap
jit = off

max_wal_size = 4GB
checkpoint_timeout = 15min
wal_compression = on
# A new segment of the log is not filled with zeroes first: that wrote as much again as the log itself, and a commit
# waited for it. What is flushed at a commit stays the same.
wal_init_zero = off
autovacuum_naptime = 15s

timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
logging_collector = on
log_directory = 'log'
log_filename = 'postgres-%a.log'
log_rotation_age = 1d
log_rotation_size = 0
log_truncate_on_rotation = on
log_line_prefix = '%m [%p] %q%u@%d %a '
log_min_duration_statement = 2s
log_parameter_max_length = 200
log_lock_waits = on
log_startup_progress_interval = 2s

include_if_exists = 'custom.conf'
"""

# The owner may create databases and end sessions, which a restore that replaces the database needs, and works as the
# application's role where it tries what that role may do.
_BOOTSTRAP = """\
ALTER ROLE {superuser} PASSWORD '{superuser_password}';

CREATE ROLE {owner} LOGIN CREATEROLE CREATEDB PASSWORD '{owner_password}';

GRANT pg_signal_backend, pg_use_reserved_connections TO {owner};

CREATE ROLE {app} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD '{app_password}';

GRANT {app} TO {owner} WITH ADMIN OPTION;

CREATE DATABASE {database} OWNER {owner};

"""


@dataclass(frozen=True, kw_only=True)
class Passwords:
    """The passwords of the three roles, made at random once for each data folder."""

    superuser: str = field(repr=False)
    owner: str = field(repr=False)
    app: str = field(repr=False)


def exists(place: Place) -> bool:
    """Whether there is a data folder that this server can use; an error says why one that is there cannot be used."""
    if not place.data.exists() or not any(place.data.iterdir()):
        return False
    try:
        version = (place.data / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        message = f"{place.data} is not empty and not a PostgreSQL data folder"
        raise ServerProblem(message, remedy="move it away, or choose another SLATE_HOME") from None
    if version != str(MAJOR_VERSION):
        message = f"{place.data} was made by PostgreSQL {version}, and this Slateboard brings {MAJOR_VERSION}"
        remedy = "run `slate backup` with the Slateboard that made it, then `slate restore` into a new SLATE_HOME"
        raise DatabaseTooOld(message, remedy=remedy, found=version, expected=str(MAJOR_VERSION))
    return True


def create(place: Place, programs: Path, progress: Callable[[str], None]) -> None:
    """Make the data folder, its roles and its database; on any failure nothing is left but the password file."""
    free = shutil.disk_usage(place.base).free
    if free < MIN_FREE_BYTES:
        message = (
            f"{place.base} has {free // _MEGABYTE} MB free, and a new database needs {MIN_FREE_BYTES // _MEGABYTE}"
        )
        raise DatabaseFull(message, remedy="free some disk space, or choose another SLATE_HOME", free_bytes=free)
    progress(f"making a new database in {place.data}")
    passwords = _make_passwords(place)
    # What a start that was killed left behind; its initdb may even be at work still, hence a name of our own.
    for leftover in place.base.glob(f"{place.data.name}.new-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    fresh = place.base / f"{place.data.name}.new-{secrets.token_hex(4)}"
    try:
        fresh.mkdir(mode=0o700)
        if place.user:
            os.chown(fresh, place.user.uid, place.user.gid)
        _initialise(fresh, place, programs, passwords)
        fresh.rename(place.data)
        sync_folder(place.base)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def _initialise(folder: Path, place: Place, programs: Path, passwords: Passwords) -> None:
    # Nobody can log in before pg_hba.conf is replaced: initdb writes `reject`, and passwords are set without a server.
    options = ["--auth=reject", f"--username={SUPERUSER}", "--encoding=UTF8", "--data-checksums", "--locale=C"]
    options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"]
    run_server_program([str(programs / "initdb"), *options, f"--pgdata={folder}"], user=place.user, folder=folder)
    statements = _BOOTSTRAP.format(
        superuser=SUPERUSER,
        superuser_password=passwords.superuser,
        owner=OWNER,
        owner_password=passwords.owner,
        app=APP,
        app_password=passwords.app,
        database=DATABASE,
    )
    # An error must end the run, and must not quote the statement, which holds a password.
    options = ["-j", "-c", "exit_on_error=true", "-c", "log_min_error_statement=panic"]
    command = [str(programs / "postgres"), "--single", *options, "-D", str(folder), SUPERUSER]
    run_server_program(command, user=place.user, folder=folder, text=statements)


def configure(place: Place, socket_folder: Path) -> None:
    """Write the server's configuration and its rules of access."""
    memory = _memory_bytes()
    shared = max(_MIN_SHARED_BUFFERS, min(memory // 4, _MAX_SHARED_BUFFERS))
    settings = _SETTINGS.format(
        port=PORT,
        socket=socket_folder,
        name=place.name,
        shared_buffers=shared // _MEGABYTE,
        cache=max(shared, memory // 2) // _MEGABYTE,
    )
    uid, gid = (place.user.uid, place.user.gid) if place.user else (-1, -1)
    write_private(place.data / "postgresql.conf", settings, uid=uid, gid=gid)
    write_private(place.data / "pg_hba.conf", _HBA, uid=uid, gid=gid)


def _memory_bytes() -> int:
    """The memory of the machine, or of the control group where that has less."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
    except OSError:
        return memory
    return min(memory, int(limit)) if limit.isdigit() else memory


def read_passwords(place: Place) -> Passwords:
    """The passwords of this data folder; `ServerProblem` if their file is gone or damaged."""
    path = place.base / PASSWORD_FILE
    try:
        values = cast("dict[str, str]", json.loads(path.read_text()))
        return Passwords(superuser=values["superuser"], owner=values["owner"], app=values["app"])
    except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
        message = f"the passwords of {place.data} are lost: {path} is missing or damaged"
        remedy = f"put {path.name} back from a copy, or move the data folder away to begin with an empty database"
        raise ServerProblem(message, remedy=remedy) from error


def _make_passwords(place: Place) -> Passwords:
    path = place.base / PASSWORD_FILE
    if path.exists():
        return read_passwords(place)
    passwords = Passwords(superuser=secrets.token_hex(24), owner=secrets.token_hex(24), app=secrets.token_hex(24))
    write_private(path, json.dumps(asdict(passwords)) + "\n")
    return passwords


def url(role: str, password: str, socket_folder: Path) -> str:
    """The URL of the database for one role, over the socket in that folder."""
    return f"postgresql://{role}:{password}@/{DATABASE}?host={quote(str(socket_folder))}&port={PORT}"
