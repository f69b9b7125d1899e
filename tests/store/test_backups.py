"""Backup and restore with a real server, shared by the module; every test begins with the same three rows."""

from __future__ import annotations

import contextlib
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from slateboard.protocol.errors import Conflict, DatabaseUnreachable, Invalid, ServerProblem
from slateboard.store import binaries
from slateboard.store import place as places
from slateboard.store.backups import backup, restore
from slateboard.store.embedded import Embedded, RunFile

ROWS = ["1|one", "2|zwei", "3|три"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="slate-test-", dir="/tmp"))
    folder.chmod(0o755)
    home = tmp_path_factory.mktemp("backups") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(places, "SYSTEM_FOLDER", folder)
        server = Embedded(home)
        server.start(lambda _: None)
        yield home
        server.stop("immediate")
    shutil.rmtree(folder)


@pytest.fixture
def run(home: Path) -> RunFile:
    run = Embedded(home).status().run
    assert run
    fresh = "DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC;"
    rows = "CREATE TABLE words AS VALUES (1, 'one'), (2, 'zwei'), (3, 'три'); GRANT SELECT ON words TO slateboard_app;"
    sql(run.owner_url, "SET client_min_messages = warning;" + fresh + rows)
    return run


def sql(url: str, statements: str) -> list[str]:
    return binaries.query(url, statements, what="the test's query")


def rows(url: str) -> list[str]:
    return sql(url, "SELECT * FROM words ORDER BY 1")


def databases(url: str) -> list[str]:
    return sql(url, "SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1")


def test_restored_backup_holds_the_same_rows_and_rights(home: Path, run: RunFile, tmp_path: Path) -> None:
    file = tmp_path / "board.backup"
    assert backup(home, file) == file.stat().st_size
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]
    sql(
        run.owner_url,
        "DELETE FROM words WHERE column1 > 1; CREATE TABLE later ()",
    )
    restore(file, home, replace=True)
    assert rows(run.owner_url) == ROWS
    assert sql(run.owner_url, "SELECT has_table_privilege('slateboard_app', 'words', 'SELECT')") == ["t"]
    assert sql(run.owner_url, "SELECT to_regclass('later') IS NULL") == ["t"]
    assert databases(run.owner_url) == ["postgres", "slateboard"]


def test_database_that_holds_something_is_not_restored_over(home: Path, run: RunFile, tmp_path: Path) -> None:
    backup(home, tmp_path / "board.backup")
    sql(run.owner_url, "INSERT INTO words VALUES (4, 'later')")
    with pytest.raises(Conflict, match="not empty: it holds 1 "):
        restore(tmp_path / "board.backup", home)
    assert len(rows(run.owner_url)) == 4


def test_empty_database_of_any_url_is_restored_into(run: RunFile, tmp_path: Path) -> None:
    backup(run.owner_url, tmp_path / "board.backup")
    sql(run.owner_url, 'CREATE DATABASE "other one"')
    other = binaries.with_database(run.owner_url, "other one")
    try:
        restore(tmp_path / "board.backup", other)
        assert rows(other) == ROWS
    finally:
        sql(run.owner_url, 'DROP DATABASE "other one"')


async def test_replacing_ends_the_sessions_of_the_old_database(home: Path, run: RunFile, tmp_path: Path) -> None:
    backup(home, tmp_path / "board.backup")
    session = await asyncpg.connect(run.app_url)
    restore(tmp_path / "board.backup", home, replace=True)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await session.fetchval("SELECT 1")
    with contextlib.suppress(Exception):
        await session.close()
    assert rows(run.app_url) == ROWS


def test_restore_that_fails_leaves_the_old_database_untouched(home: Path, run: RunFile, tmp_path: Path) -> None:
    file = tmp_path / "board.backup"
    sql(run.owner_url, "CREATE TABLE bulk AS SELECT sha512(n::text::bytea) FROM generate_series(1, 20000) n")
    backup(home, file)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(ServerProblem, match="nothing was changed"):
        restore(file, home, replace=True)
    assert rows(run.owner_url) == ROWS
    assert sql(run.owner_url, "SELECT count(*) FROM bulk") == ["20000"]
    assert databases(run.owner_url) == ["postgres", "slateboard"]
    sql(run.owner_url, "DROP TABLE bulk, words")
    with pytest.raises(ServerProblem, match="nothing was changed"):
        restore(file, home)
    assert sql(run.owner_url, "SELECT to_regclass('words') IS NULL") == ["t"]


def test_statement_that_the_server_refuses_fails_the_restore_with_its_words(
    home: Path, run: RunFile, tmp_path: Path
) -> None:
    sql(run.owner_url, "CREATE ROLE passing; GRANT SELECT ON words TO passing")
    backup(home, tmp_path / "board.backup")
    sql(run.owner_url, "REVOKE ALL ON words FROM passing; DROP ROLE passing")
    with pytest.raises(ServerProblem, match='role "passing" does not exist'):
        restore(tmp_path / "board.backup", home, replace=True)
    assert rows(run.owner_url) == ROWS


def test_leftover_of_a_killed_restore_is_replaced_but_nothing_else_is(home: Path, run: RunFile, tmp_path: Path) -> None:
    backup(home, tmp_path / "board.backup")
    sql(run.owner_url, "CREATE DATABASE slateboard_new")
    with pytest.raises(Conflict, match="slateboard_new is there already"):
        restore(tmp_path / "board.backup", home, replace=True)
    sql(run.owner_url, "COMMENT ON DATABASE slateboard_new IS 'made by `slate restore`'")
    restore(tmp_path / "board.backup", home, replace=True)
    assert databases(run.owner_url) == ["postgres", "slateboard"]


def test_what_is_no_backup_is_refused(home: Path, tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("dear")
    for name in ("letter", "missing"):
        with pytest.raises(Invalid, match="cannot be read as a backup"):
            restore(tmp_path / name, home, replace=True)


def test_failed_backup_says_why_and_leaves_no_file(run: RunFile, tmp_path: Path) -> None:
    wrong = run.owner_url.replace("slateboard_owner:", "slateboard_owner:no")
    with pytest.raises(ServerProblem, match="password authentication failed"):
        backup(wrong, tmp_path / "board.backup")
    with pytest.raises(ServerProblem, match="cannot be written"):
        backup(run.owner_url, tmp_path / "missing" / "board.backup")
    with pytest.raises(DatabaseUnreachable):
        backup(tmp_path, tmp_path / "board.backup")
    with pytest.raises(DatabaseUnreachable):
        backup("postgresql://me:secret@127.0.0.1:1/board", tmp_path / "board.backup")
    assert not list(tmp_path.iterdir())


def test_password_is_in_the_environment_and_not_in_the_arguments() -> None:
    for url in (
        "postgresql://me:s%20cret@host1:1,host2/board?sslmode=require",
        "postgres://me@host1:1,host2/board?password=s%20cret&sslmode=require",
    ):
        command, environment = binaries.client_command("pg_dump", url)
        assert command[-1] == "--dbname=postgresql://me@host1:1,host2/board?sslmode=require"
        assert environment["PGPASSWORD"] == "s cret"
