"""The Postgres of a test run: started once, shared by all pytest processes, stopped by the first of them at the end.

The embedded one by default; with `SLATE_TEST_POSTGRES_BIN=/usr/lib/postgresql/15/bin` a cluster made with those
programs; with `SLATE_TEST_DATABASE_URL` a server of your own, as a role that may create databases and roles.
Durability is switched off in the test's own clusters: what is lost with the machine is made anew by the next run.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg
import pytest

from slateboard.store import embedded, migrations, place

TEMPLATE = "slate_test_template"
RELAXED = "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\nautovacuum_naptime = 5s\n"
START_LIMIT_SECONDS = 60

Value = TypeVar("Value")


@dataclass(frozen=True, kw_only=True)
class Server:
    """What the pytest processes share: how to reach the server, and what to take away at the end."""

    owner_url: str
    app_url: str | None
    template: str
    folder: str | None = None
    home: str | None = None
    programs: str | None = None

    def owner_of(self, database: str) -> str:
        """The owner's URL of a database on this server."""
        return with_database(self.owner_url, database)

    def app_of(self, database: str) -> str:
        """The URL of a database for the application's role, which owns nothing."""
        if self.app_url is not None:
            return with_database(self.app_url, database)
        url = with_database(self.owner_url, database)
        return f"{url}{'&' if '?' in url else '?'}role=slateboard_app"


def with_database(url: str, database: str) -> str:
    """The same URL for another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


def in_thread(work: Callable[[], Value]) -> Value:
    """Run blocking work that opens an event loop of its own, whether or not one runs here."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(work).result()


def with_connection(url: str, work: Callable[[Any], Awaitable[Value]]) -> Value:
    """Run `work` on a connection of its own, blocking."""

    async def main() -> Value:
        connection = await asyncpg.connect(url)
        try:
            return await work(connection)
        finally:
            await connection.close()

    return in_thread(lambda: asyncio.run(main()))


def execute(url: str, *statements: str) -> None:
    """Run statements one after the other, each its own transaction."""

    async def work(connection: Any) -> None:
        for statement in statements:
            await connection.execute(statement)

    with_connection(url, work)


def shared(folder: Path) -> Server:
    """The server of this run; the first process to ask starts it and migrates the template."""
    with _locked(folder / "postgres.lock"):
        record = folder / "postgres.json"
        if record.exists():
            return Server(**json.loads(record.read_text()))
        server = _start(folder)
        record.write_text(json.dumps(asdict(server)))
        try:
            execute(server.owner_url, f"CREATE DATABASE {server.template}")
            in_thread(lambda: migrations.upgrade(server.owner_of(server.template)))
        except BaseException:
            end(folder)
            raise
        return server


def end(folder: Path) -> None:
    """Stop what `shared` started in this folder, if it did."""
    record = folder / "postgres.json"
    if not record.exists():
        return
    server = Server(**json.loads(record.read_text()))
    record.unlink()
    if server.home:
        embedded.Embedded(Path(server.home)).stop("immediate")
    elif server.programs and server.folder:
        command = [f"{server.programs}/pg_ctl", "stop", "-D", f"{server.folder}/data", "-m", "immediate", "-w"]
        _run(command, _identity())
    else:
        execute(server.owner_url, f"DROP DATABASE IF EXISTS {server.template} WITH (FORCE)")
    if server.folder:
        shutil.rmtree(server.folder, ignore_errors=True)


@contextmanager
def database(server: Server, name: str) -> Generator[str]:
    """A database of one's own, copied from the migrated template; gives its name."""
    own = f"{server.template.replace('template', '')}{name}_{secrets.token_hex(3)}"
    execute(server.owner_url, f"CREATE DATABASE {own} TEMPLATE {server.template}")
    try:
        yield own
    finally:
        execute(server.owner_url, f"DROP DATABASE IF EXISTS {own} WITH (FORCE)")


def _start(folder: Path) -> Server:
    url = os.environ.get("SLATE_TEST_DATABASE_URL")
    if url:
        return Server(owner_url=url, app_url=None, template=f"slate_test_{secrets.token_hex(4)}_template")
    # A folder that the system user can reach, who runs the server for root.
    base = Path(tempfile.mkdtemp(prefix="slate-suite-", dir="/tmp"))
    base.chmod(0o755)
    programs = os.environ.get("SLATE_TEST_POSTGRES_BIN")
    return _start_programs(base, Path(programs)) if programs else _start_embedded(folder / "home", base)


def _start_embedded(home: Path, base: Path) -> Server:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place, "SYSTEM_FOLDER", base)
        server = embedded.Embedded(home)
        run = server.start(lambda line: None)
    custom = run.data / "custom.conf"
    custom.write_text(RELAXED)
    status = run.data.stat()
    os.chown(custom, status.st_uid, status.st_gid)
    os.kill(run.pid, signal.SIGHUP)  # it reads its configuration again
    server.detach()
    return Server(owner_url=run.owner_url, app_url=run.app_url, template=TEMPLATE, folder=str(base), home=str(home))


def _start_programs(base: Path, programs: Path) -> Server:
    password = secrets.token_hex(16)
    (base / "password").write_text(password)
    identity = _identity()
    if identity:
        for path in (base, base / "password"):
            os.chown(path, identity["user"], identity["group"])
    folder = f"{base}/data"
    options = ["-U", "slate_test", "--auth=scram-sha-256", f"--pwfile={base}/password", "--encoding=UTF8", "--locale=C"]
    _run([f"{programs}/initdb", "-D", folder, *options, "--no-sync"], identity)
    settings = f"listen_addresses = ''\nunix_socket_directories = '{base}'\nmax_connections = 200\n{RELAXED}"
    with (base / "data" / "postgresql.conf").open("a") as file:
        file.write(settings)
    _run([f"{programs}/pg_ctl", "start", "-D", folder, "-w", "-l", f"{folder}/server.log"], identity)
    url = f"postgresql://slate_test:{password}@/postgres?host={quote(str(base))}"
    return Server(owner_url=url, app_url=None, template=TEMPLATE, folder=str(base), programs=str(programs))


def _run(command: list[str], identity: dict[str, Any]) -> None:
    # Not captured: a server that is started keeps what it inherits open.
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(command, check=True, timeout=START_LIMIT_SECONDS, **quiet, **identity)


def _identity() -> dict[str, Any]:
    """Whom the server's programs run as: Postgres refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    user = place._choose_user()
    return {"user": user.uid, "group": user.gid, "extra_groups": [], "cwd": "/"}


@contextmanager
def _locked(path: Path) -> Generator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
