"""The embedded Postgres with real servers: each test has a home, and for root a system folder, of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from slateboard.protocol.errors import DatabaseFull, DatabaseTooOld, ServerProblem
from slateboard.store import binaries, cluster, embedded, processes
from slateboard.store import place as places
from slateboard.store.embedded import Embedded, RunFile, read_run_file
from slateboard.store.run_file import start_of, write_run_file

CLIENT = """
import sys
from pathlib import Path
from slateboard.store import place
from slateboard.store.embedded import Embedded
place.SYSTEM_FOLDER = Path(sys.argv[2])
server = Embedded(Path(sys.argv[1]))
print(server.start(lambda line: None).pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def system_folder() -> Iterator[Path]:
    """Where a server of root's lives: outside pytest's folders, which the system user cannot reach."""
    folder = Path(tempfile.mkdtemp(prefix="slate-test-", dir="/tmp"))
    folder.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(places, "SYSTEM_FOLDER", folder)
        yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, system_folder: Path) -> Path:
    """A home that the tests share; its server is started by each and stopped after it."""
    assert system_folder
    return tmp_path_factory.mktemp("embedded") / "home"


@pytest.fixture
def server(home: Path) -> Iterator[Embedded]:
    server = Embedded(home)
    yield server
    server.stop("immediate")


@pytest.fixture
def new_home(tmp_path: Path, system_folder: Path) -> Path:
    """A home of the test's own, for what is made or refused at the very beginning."""
    assert system_folder
    return tmp_path / "home"


def quiet(line: str) -> None:
    assert line


def sql(url: str, statements: str) -> list[str]:
    return binaries.query(url, statements, what="the test's query")


def kill(pid: int) -> None:
    """Kill a server of ours, and return when it is dead."""
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while processes.is_alive(pid):
        assert time.monotonic() < deadline


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_started_server_lets_both_roles_in_and_the_application_owns_nothing(server: Embedded, home: Path) -> None:
    run = server.start(quiet)
    owner = await asyncpg.connect(run.owner_url)
    app = await asyncpg.connect(run.app_url)
    try:
        assert await owner.fetchval("SELECT current_user || '@' || current_database()") == "slateboard_owner@slateboard"
        rights = await app.fetchrow(
            "SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = $1", cluster.APP
        )
        assert tuple(rights) == (False, False, False)
        owned = "SELECT count(*) FROM pg_shdepend WHERE deptype = 'o' AND refobjid = $1::regrole"
        assert await app.fetchval(owned, cluster.APP) == 0
        for name, value in {"fsync": "on", "synchronous_commit": "on", "data_checksums": "on"}.items():
            assert await owner.fetchval("SELECT current_setting($1)", name) == value
        assert await owner.fetchval("SELECT lower('ÄÖ')") == "äö"
    finally:
        await owner.close()
        await app.close()
    assert server.status().run == run == read_run_file(home)
    assert run.version.startswith(f"{binaries.MAJOR_VERSION}.")


def test_everything_is_private_and_nothing_is_trusted(server: Embedded, home: Path) -> None:
    run = server.start(quiet)
    assert (mode(home), mode(home / "run.json"), mode(run.data)) == (0o700, 0o600, 0o700)
    base = places.find(home).base
    assert mode(base / cluster.PASSWORD_FILE) == 0o600
    assert sql(run.owner_url, "SHOW listen_addresses") == []
    assert {row.split()[-1] for row in (run.data / "pg_hba.conf").read_text().splitlines()[1:]} == {"scram-sha-256"}
    wrong = run.owner_url.replace("slateboard_owner:", "slateboard_owner:no")
    with pytest.raises(ServerProblem, match="password authentication failed"):
        sql(wrong, "SELECT 1")
    assert "slateboard_owner:" not in repr(run)


def test_variables_of_another_postgres_do_not_lead_astray(server: Embedded, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PGHOSTADDR": "127.0.0.1", "PGPORT": "1", "PGDATA": "/nowhere", "PGOPTIONS": "-c x=y"}.items():
        monkeypatch.setenv(name, value)
    assert sql(server.start(quiet).app_url, "SELECT current_user") == [cluster.APP]


def test_root_without_an_account_for_it_runs_the_server_as_nobody(
    new_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root needs another user")
    monkeypatch.setattr(places, "SYSTEM_USER", "no-such-user")
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    server = Embedded(new_home)
    run = server.start(quiet)
    assert psutil.Process(run.pid).username() == "nobody"
    assert (new_home / "postgres").readlink() == run.data
    assert sql(run.app_url, "SELECT 1") == ["1"]
    server.stop("immediate")


def test_killed_client_leaves_the_server_for_the_next_one_to_adopt(home: Path, system_folder: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(home), str(system_folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as client:
        assert client.stdout
        pid = int(client.stdout.readline())
        with pytest.raises(ServerProblem, match=f"process {client.pid}") as refused:
            Embedded(home).start(quiet, wait_seconds=0.1)
        assert refused.value.details["pid"] == client.pid
        with pytest.raises(ServerProblem, match=f"process {client.pid}"):
            Embedded(home).stop(wait_seconds=0.1)
        assert Embedded(home).status().holder_pid == client.pid
        run = read_run_file(home)
        assert run
        sql(run.owner_url, "CREATE TABLE kept AS SELECT 7 AS value")
        client.kill()
    assert Embedded(home).status().holder_pid is None
    said: list[str] = []
    server = Embedded(home)
    assert server.start(said.append) == run
    assert run.pid == pid
    assert any("adopting" in line for line in said)
    assert sql(run.owner_url, "SELECT value FROM kept") == ["7"]
    server.stop()
    assert read_run_file(home) is None


def test_server_without_a_run_file_is_adopted(server: Embedded, home: Path) -> None:
    run = server.start(quiet)
    (home / "run.json").unlink()
    assert server.start(quiet) == run


def test_stopped_server_is_found_by_nobody_and_stopping_again_is_nothing(server: Embedded, home: Path) -> None:
    run = server.start(quiet)
    server.stop()
    server.stop()
    status = server.status()
    assert (status.run, status.holder_pid, status.data) == (None, None, run.data)
    assert not (home / "run.json").exists()
    Embedded(home.with_name("never")).stop()
    assert not home.with_name("never").exists()


def test_killed_server_recovers_what_was_committed(
    server: Embedded, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = server.start(quiet)
    sql(run.owner_url, "CREATE TABLE many AS SELECT generate_series(1, 5000) AS value")
    kill(run.pid)
    assert read_run_file(home) is None
    said: list[str] = []
    monkeypatch.setattr(embedded, "_PROGRESS_SECONDS", 0.0)
    again = server.start(said.append)
    assert sql(again.owner_url, "SELECT sum(value) FROM many") == ["12502500"]
    assert any("recovering" in line for line in said)


def test_session_that_outlives_a_killed_server_does_not_block_the_start(
    server: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = server.start(quiet)
    writer = next(child for child in psutil.Process(run.pid).children() if "background writer" in child.cmdline()[0])
    writer.suspend()
    kill(run.pid)
    monkeypatch.setattr(processes, "_ORPHAN_PATIENCE_SECONDS", 0.0)
    said: list[str] = []
    again = server.start(said.append)
    assert any("a killed server left" in line for line in said)
    assert again.pid != run.pid
    assert start_of(writer.pid) is None


def test_reused_pid_neither_reads_as_running_nor_blocks_the_start(server: Embedded, home: Path) -> None:
    run = server.start(quiet)
    lock_file = (run.data / "postmaster.pid").read_text()
    kill(run.pid)
    user = places.find(home).user
    uid, gid = (user.uid, user.gid) if user else (None, None)
    with subprocess.Popen(["sleep", "60"], user=uid, group=gid, extra_groups=[] if user else None) as other:
        reused = {"postmaster.pid": lock_file, ".s.PGSQL.5432.lock": lock_file}
        for name, text in reused.items():
            (run.data / name).write_text(text.replace(str(run.pid), str(other.pid), 1))
        fields = json.loads((home / "run.json").read_text()) | {"pid": other.pid}
        (home / "run.json").write_text(json.dumps(fields))
        assert read_run_file(home) is None
        again = server.start(quiet)
        assert again.pid not in {run.pid, other.pid}
        assert other.poll() is None
        other.kill()


def test_killed_postgres_that_nobody_has_reaped_does_not_block_the_start(server: Embedded, home: Path) -> None:
    run = server.start(quiet)
    lock_file = (run.data / "postmaster.pid").read_text()
    kill(run.pid)
    with subprocess.Popen(["true"]) as unreaped:
        os.waitid(os.P_PID, unreaped.pid, os.WEXITED | os.WNOWAIT)
        (run.data / "postmaster.pid").write_text(lock_file.replace(str(run.pid), str(unreaped.pid), 1))
        assert server.start(quiet).pid != run.pid


def test_run_file_of_a_live_process_that_is_not_the_server_is_not_believed(server: Embedded, home: Path) -> None:
    run = server.start(quiet)
    fields = {name: getattr(run, name) for name in ("owner_url", "app_url", "data", "version")}
    me = os.getpid()
    write_run_file(home, RunFile(pid=me, started=start_of(me) or "", **fields))
    assert read_run_file(home) is None
    (home / "run.json").write_text("{}")
    assert read_run_file(home) is None


def test_long_path_gets_a_short_private_socket_folder(
    tmp_path: Path, system_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = "a very, long 'name' of 100% " * 3
    monkeypatch.setattr(places, "SYSTEM_FOLDER", system_folder / long)
    home = tmp_path / long / "home"
    server = Embedded(home)
    run = server.start(quiet)
    folder = places.short_socket_folder(places.find(home))
    assert len(str(run.data)) + len("/.s.PGSQL.5432") > places.SOCKET_PATH_LIMIT_BYTES
    assert (folder / ".s.PGSQL.5432").is_socket()
    assert mode(folder) == 0o700
    assert sql(run.app_url, "SELECT 1") == ["1"]
    kill(run.pid)
    again = server.start(quiet)
    assert sql(again.app_url, "SELECT 1") == ["1"]
    server.stop()
    assert not folder.exists()


def test_taken_name_of_the_short_folder_is_not_used(new_home: Path, tmp_path: Path) -> None:
    places.make_home(new_home)
    place = places.find(new_home)
    long = places.Place(home=new_home, base=tmp_path, data=tmp_path / ("d" * 120), name=place.name, user=None)
    taken = places.short_socket_folder(long)
    taken.symlink_to(tmp_path)
    try:
        folder = places.make_socket_folder(long)
        assert folder != taken
        assert mode(folder) == 0o700
        folder.rmdir()
    finally:
        taken.unlink()


def test_data_folder_of_another_major_version_is_refused_untouched(new_home: Path) -> None:
    places.make_home(new_home)
    data = places.make(new_home).data
    data.mkdir()
    (data / "PG_VERSION").write_text("16\n")
    with pytest.raises(DatabaseTooOld, match="made by PostgreSQL 16") as refused:
        Embedded(new_home).start(quiet)
    assert "slate backup" in refused.value.remedy
    assert [path.name for path in data.iterdir()] == ["PG_VERSION"]
    assert places.holder(new_home) is None


def test_folder_that_is_no_data_folder_is_refused(new_home: Path) -> None:
    places.make_home(new_home)
    data = places.make(new_home).data
    data.mkdir()
    (data / "letter.txt").write_text("dear")
    with pytest.raises(ServerProblem, match="not a PostgreSQL data folder"):
        Embedded(new_home).start(quiet)


def test_failure_in_the_middle_of_the_making_leaves_nothing_and_tells_no_password(
    new_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places.make_home(new_home)
    base = places.make(new_home).base
    killed = base / "postgres.new-killed"
    killed.mkdir()
    (killed / "PG_VERSION").write_text("18\n")
    with monkeypatch.context() as patch:
        patch.setattr(
            cluster, "_BOOTSTRAP", cluster._BOOTSTRAP + "CREATE ROLE {owner} PASSWORD '{owner_password}';\n\n"
        )
        with pytest.raises(ServerProblem, match="already exists") as failed:
            Embedded(new_home).start(quiet)
    assert cluster.read_passwords(places.find(new_home)).owner not in str(failed.value)
    assert not list(base.glob("postgres*/"))
    server = Embedded(new_home)
    assert sql(server.start(quiet).owner_url, "SELECT 1") == ["1"]
    server.stop("immediate")


def test_full_disk_is_named_before_anything_is_made(new_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")._replace(free=1024)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DatabaseFull, match="0 MB free"):
        Embedded(new_home).start(quiet)
    assert not places.find(new_home).data.exists()
    full = binaries.problem("initdb failed", "could not write: No space left on device")
    assert isinstance(full, DatabaseFull)


def test_server_that_exits_fails_the_start_with_its_own_words(server: Embedded) -> None:
    run = server.start(quiet)
    server.stop()
    settings = run.data / "custom.conf"
    settings.write_text("shared_buffers = 'nonsense'\n")
    settings.chmod(0o644)
    with pytest.raises(ServerProblem, match=r'invalid value for parameter "shared_buffers"'):
        server.start(quiet)
    settings.unlink()
    log = run.data / "pg_wal"
    log.rename(run.data / "hidden")
    with pytest.raises(ServerProblem, match="pg_wal"):
        server.start(quiet)
    (run.data / "hidden").rename(log)
    assert sql(server.start(quiet).owner_url, "SELECT 1") == ["1"]


def test_lost_passwords_are_named(server: Embedded, home: Path) -> None:
    server.start(quiet)
    server.stop()
    passwords = places.find(home).base / cluster.PASSWORD_FILE
    hidden = passwords.rename(passwords.with_name("hidden"))
    with pytest.raises(ServerProblem, match="passwords"):
        server.start(quiet)
    hidden.rename(passwords)


def test_folder_that_others_use_is_not_shut_for_them(new_home: Path) -> None:
    new_home.mkdir()
    new_home.chmod(0o755)
    (new_home / "theirs").write_text("")
    with pytest.raises(ServerProblem, match="open to other users"):
        Embedded(new_home).start(quiet)
    assert mode(new_home) == 0o755


def test_missing_programs_are_named(server: Embedded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "PACKAGE", "no_such_package")
    with pytest.raises(ServerProblem, match="not installed"):
        server.start(quiet)
