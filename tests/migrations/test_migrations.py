"""The migrations: up, down and up give the same schema; it is what the tables say; the frozen SQL is the living SQL."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from slateboard.store import migrations
from tests.support import servers

FOLDER = migrations.folder()
LIVING = Path(migrations.PACKAGE)
FROZEN = sorted(path for path in (FOLDER / "frozen").iterdir() if path.is_dir())
PRINTED = {"tables.sql", "rules.sql", "down.sql"}
"""Frozen files that are no copies: printed from the tables, or written for their migration alone."""

OBJECTS = """
SELECT 'column' AS kind, table_name || '.' || column_name AS name,
       concat_ws(' ', data_type, is_nullable, column_default) AS what
FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
          FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'function', oid::regprocedure::text, CASE WHEN prokind = 'a' THEN '' ELSE pg_get_functiondef(oid) END
          FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT 'trigger', tgrelid::regclass || '.' || tgname, pg_get_triggerdef(oid)
          FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'right', oid::regclass::text, array_to_string(relacl, ' ') FROM pg_class
          WHERE relnamespace = 'public'::regnamespace AND relname <> 'alembic_version'
ORDER BY 1, 2, 3
"""


@pytest.fixture
def empty_url(server: servers.Server) -> Iterator[str]:
    """A database without a schema."""
    import secrets

    name = f"slate_test_empty_{secrets.token_hex(4)}"
    servers.execute(server.owner_url, f"CREATE DATABASE {name}")
    yield server.owner_of(name)
    servers.execute(server.owner_url, f"DROP DATABASE {name} WITH (FORCE)")


def objects(url: str) -> list[tuple[str, str, str]]:
    async def ask(connection: Any) -> list[tuple[str, str, str]]:
        return [tuple(row) for row in await connection.fetch(OBJECTS)]

    return servers.with_connection(url, ask)


def upgrade(url: str) -> None:
    servers.in_thread(lambda: migrations.upgrade(url))


def test_up_down_up_gives_the_same_schema_and_down_leaves_nothing(empty_url: str) -> None:
    before = objects(empty_url)
    upgrade(empty_url)
    first = objects(empty_url)
    assert len(first) > 300
    servers.in_thread(lambda: migrations.downgrade(empty_url))
    left = [one for one in objects(empty_url) if "alembic_version" not in one[1]]
    assert left == before
    upgrade(empty_url)
    assert objects(empty_url) == first


def test_upgrade_of_an_upgraded_database_does_nothing(empty_url: str) -> None:
    upgrade(empty_url)
    first = objects(empty_url)
    upgrade(empty_url)
    assert objects(empty_url) == first


def test_schema_is_what_the_tables_say(empty_url: str) -> None:
    from alembic import command

    upgrade(empty_url)
    servers.in_thread(lambda: command.check(migrations.configuration(empty_url)))


def test_failed_migration_leaves_nothing(empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "migrations"
    shutil.copytree(FOLDER, broken)
    last = max((broken / "frozen").glob("*/rules.sql"))
    last.write_text(last.read_text() + "\nSELECT 1 / 0;\n")
    monkeypatch.setattr(migrations, "folder", lambda: broken)
    with pytest.raises(Exception, match="division by zero"):
        upgrade(empty_url)
    assert objects(empty_url) == []
    monkeypatch.undo()
    upgrade(empty_url)


def living() -> dict[str, Path]:
    return {path.name: path for path in LIVING.rglob("*.sql") if "migrations" not in path.parts}


def test_newest_frozen_copy_of_each_living_file_is_equal_to_it() -> None:
    newest: dict[str, Path] = {}
    for folder in FROZEN:
        for path in folder.glob("*.sql"):
            newest[path.name] = path
    for name, path in living().items():
        assert name in newest, f"{path} is in no migration"
        assert newest[name].read_text() == path.read_text(), f"{newest[name]} is not what {path} says now"
    assert set(newest) - set(living()) == PRINTED


@pytest.mark.parametrize("path", sorted((FOLDER / "versions").glob("*.py")), ids=lambda path: path.name)
def test_migration_imports_nothing_of_the_application(path: Path) -> None:
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not any(name.split(".")[0] == "slateboard" for name in names), ast.unparse(node)


@pytest.mark.parametrize("path", sorted((FOLDER / "versions").glob("*.py")), ids=lambda path: path.name)
def test_migration_is_named_by_its_date_and_bounds_its_locks(path: Path) -> None:
    import re

    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}-\d{4}_[a-z0-9_]+\.py", path.name)
    text = path.read_text()
    assert text.count("SET LOCAL lock_timeout") == 2
    assert "def downgrade" in text


async def test_printed_tables_are_the_tables(database_url: str) -> None:
    """Every table of the models is in the migrated database with its columns, in their order."""
    import asyncpg

    import slateboard.board.tables
    import slateboard.log.tables
    import slateboard.patterns.tables
    import slateboard.store.tables
    import slateboard.work.tables  # noqa: F401
    from slateboard.store.metadata import metadata

    connection = await asyncpg.connect(database_url)
    try:
        for table in metadata.tables.values():
            rows = await connection.fetch(
                "SELECT attname FROM pg_attribute"
                " WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
                table.name,
            )
            assert [row["attname"] for row in rows] == [column.name for column in table.columns], table.name
    finally:
        await connection.close()
