"""Database and code fit together before a server starts, or the start is refused by name."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from slateboard.protocol.errors import DatabaseFull, DatabaseTooOld, DatabaseUnreachable, SchemaMismatch
from slateboard.server import maintenance, schema
from slateboard.settings import load
from slateboard.store import migrations
from slateboard.store.database import PROTOCOL, connect
from tests.support import servers

NEEDS_NEWER = f"UPDATE schema_protocol SET version = {PROTOCOL + 1}, oldest_client = {PROTOCOL + 1}"


@pytest.fixture(scope="module")
def url(server: servers.Server) -> Iterator[str]:
    """The owner's URL of a database that these tests change."""
    with servers.database(server, "schema") as name:
        yield server.owner_of(name)


def run(url: str, *statements: str) -> None:
    servers.execute(url, *statements)


@pytest.fixture
def newer(url: str) -> Iterator[str]:
    """A database where a newer release has been."""
    run(url, "UPDATE alembic_version SET version_num = '2099_01_01_0000'")
    yield url
    run(
        url,
        f"UPDATE alembic_version SET version_num = '{migrations.head()}'",
        f"UPDATE schema_protocol SET version = {PROTOCOL}, oldest_client = {PROTOCOL}",
    )


def prepare(url: str) -> tuple[schema.Standing, list[str]]:
    told: list[str] = []
    return servers.in_thread(lambda: schema.prepare(url, told.append)), told


def test_schema_that_is_current_is_left_alone(url: str) -> None:
    found, told = prepare(url)
    assert (found.current, found.settled, found.ahead, told) == (True, True, False, [])


def test_newer_schema_that_can_be_worked_with_is_accepted(newer: str) -> None:
    run(newer, f"UPDATE schema_protocol SET version = {PROTOCOL + 1}, oldest_client = {PROTOCOL}")
    found, told = prepare(newer)
    assert found.ahead
    assert "can be worked with" in told[0]


def test_newer_schema_that_needs_newer_code_is_refused(newer: str) -> None:
    run(newer, NEEDS_NEWER)
    with pytest.raises(SchemaMismatch, match=f"needs code of protocol {PROTOCOL + 1}") as refused:
        prepare(newer)
    assert "upgrade" in refused.value.remedy


async def test_worker_is_refused_by_a_schema_that_needs_newer_code(newer: str) -> None:
    await asyncio.to_thread(run, newer, NEEDS_NEWER)
    with pytest.raises(SchemaMismatch):
        await connect(newer)


async def test_worker_is_refused_by_a_schema_that_is_too_old(newer: str) -> None:
    await asyncio.to_thread(run, newer, "UPDATE schema_protocol SET version = 0, oldest_client = 0")
    with pytest.raises(SchemaMismatch, match="speaks protocol 0"):
        await connect(newer)


def test_somebody_elses_database_is_refused(server: servers.Server) -> None:
    with servers.database(server, "foreign") as name:
        url = server.owner_of(name)
        servers.in_thread(lambda: migrations.downgrade(url))
        run(url, "DROP TABLE IF EXISTS alembic_version", "CREATE TABLE alembic_version (version_num text)")
        run(url, "INSERT INTO alembic_version VALUES ('abc123')")
        with pytest.raises(SchemaMismatch, match="unknown migration abc123"):
            prepare(url)


def test_empty_database_gets_the_schema_and_check_says_so_before(server: servers.Server) -> None:
    with servers.database(server, "empty") as name:
        url = server.owner_of(name)
        servers.in_thread(lambda: migrations.downgrade(url))
        settings = load({"SLATE_DATABASE_URL": url})
        with pytest.raises(SchemaMismatch, match="this version brings it to"):
            servers.in_thread(lambda: maintenance.migrate(settings, check=True, progress=str))
        found, told = prepare(url)
        assert (found.revision, told) == (None, ["making the schema"])
        assert servers.in_thread(lambda: maintenance.migrate(settings, check=True, progress=str)).current


def test_head_is_what_alembic_says() -> None:
    from alembic.script import ScriptDirectory

    directory = ScriptDirectory.from_config(migrations.configuration("postgresql://x"))
    assert migrations.head() == directory.get_current_head()
    assert set(migrations.known_revisions()) == {script.revision for script in directory.walk_revisions()}


async def test_postgres_older_than_15_is_refused() -> None:
    class Old:
        async def fetchval(self, _sql: str) -> str:
            return "140012"

    with pytest.raises(DatabaseTooOld, match="Postgres 14 is too old"):
        await schema.standing(Old())


def test_database_that_cannot_be_reached_is_named() -> None:
    with pytest.raises(DatabaseUnreachable) as refused:
        prepare("postgresql://nobody@127.0.0.1:1/nothing")
    assert "SLATE_DATABASE_URL" in refused.value.remedy


def test_full_disk_during_a_migration_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy.exc import DBAPIError

    full = asyncpg.DiskFullError("could not extend file: No space left on device")

    def upgrade(_url: str) -> None:
        raise DBAPIError("CREATE TABLE …", None, full)

    monkeypatch.setattr(migrations, "upgrade", upgrade)
    with pytest.raises(DatabaseFull):
        schema.upgrade("postgresql://x")


def test_error_that_is_none_of_the_drivers_stays_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def upgrade(_url: str) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(migrations, "upgrade", upgrade)
    with pytest.raises(ZeroDivisionError):
        schema.upgrade("postgresql://x")


def test_restore_is_refused_while_a_server_leads_anywhere(url: str, tmp_path: Any) -> None:
    from slateboard.protocol.errors import Conflict

    run(url, "INSERT INTO leaders VALUES ('leader', 'elsewhere:1:abc', now() + interval '1 hour')")
    settings = load({"SLATE_DATABASE_URL": url, "SLATE_HOME": str(tmp_path)})
    with pytest.raises(Conflict, match="elsewhere:1:abc"):
        servers.in_thread(lambda: maintenance.restore(settings, tmp_path / "x", replace=True, progress=str))
    run(url, "DELETE FROM leaders")
