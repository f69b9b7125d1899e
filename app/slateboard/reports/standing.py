"""How the database's schema differs from what this code was written for: what is missing, and what is another.

Tables, columns and indexes are those of the models; functions, triggers and views are read from the migrations' frozen
SQL, of which the newest copy counts. More than that may be there: a newer release adds before it removes.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from slateboard.store import migrations

if TYPE_CHECKING:
    from slateboard.transaction import Statement

_OBJECT = re.compile(r"^CREATE (?:OR REPLACE )?(FUNCTION|TRIGGER|VIEW) (\w+)", re.MULTILINE)
_BODY = re.compile(r"\bAS \$\$(.*?)\$\$", re.DOTALL)
_OF_TABLE = re.compile(r"\bON (\w+)")
_MODELS = ("board.tables", "work.tables", "log.tables", "patterns.tables", "store.tables")

COLUMNS = """
SELECT c.relname AS table, a.attname AS name FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
"""
FUNCTIONS = "SELECT proname AS name, prosrc AS body FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
TRIGGERS = """
SELECT t.tgname || ' on ' || c.relname AS name FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = 'public'::regnamespace AND NOT t.tgisinternal AND t.tgenabled <> 'D'
"""
RELATIONS = """
SELECT relname AS name FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind::text = ANY ($1::text[])
"""
REVISION = "SELECT version_num FROM alembic_version"


async def revision(tx: Statement) -> str | None:
    """The migration that the database says it is at."""
    return await tx.fetchval(REVISION)


async def differences(tx: Statement) -> list[str]:
    """What is missing (`table x is missing`) or is another than this code's (`function x is another`)."""
    found: list[str] = []
    tables: dict[str, set[str]] = {}
    for row in await tx.fetch(COLUMNS):
        tables.setdefault(row["table"], set()).add(row["name"])
    columns, indexes = _models()
    for table, names in columns.items():
        if table not in tables:
            found.append(f"table {table} is missing")
        else:
            found += [f"column {table}.{name} is missing" for name in names if name not in tables[table]]
    there = {row["name"] for row in await tx.fetch(RELATIONS, ["i", "I"])}
    found += [f"index {name} is missing" for name, table in indexes if table in tables and name not in there]
    functions, triggers, views = _frozen()
    bodies: dict[str, str] = {row["name"]: row["body"] for row in await tx.fetch(FUNCTIONS)}
    for name, body in functions.items():
        if name not in bodies:
            found.append(f"function {name} is missing")
        elif body is not None and body != bodies[name]:
            found.append(f"function {name} is another")
    there = {row["name"] for row in await tx.fetch(TRIGGERS)}
    found += [f"trigger {name} is missing or disabled" for name in triggers if name not in there]
    there = {row["name"] for row in await tx.fetch(RELATIONS, ["v"])}
    return found + [f"view {name} is missing" for name in views if name not in there]


@cache
def _models() -> tuple[dict[str, list[str]], list[tuple[str, str]]]:
    """The columns of each table, and the indexes with their tables."""
    for name in _MODELS:
        import_module(f"slateboard.{name}")
    metadata: Any = import_module("slateboard.store.metadata").metadata
    tables: list[Any] = list(metadata.tables.values())
    columns = {str(table.name): [str(column.name) for column in table.columns] for table in tables}
    indexes = [(str(index.name), str(table.name)) for table in tables for index in table.indexes]
    return columns, sorted(indexes)


@cache
def _frozen() -> tuple[dict[str, str | None], list[str], list[str]]:
    """Functions with their bodies (None where it is an expression), triggers with their tables, and views."""
    functions: dict[str, str | None] = {}
    triggers: set[str] = set()
    views: set[str] = set()
    for path in sorted((migrations.folder() / "frozen").glob("*/*.sql")):
        if path.name == "down.sql":
            continue
        text = path.read_text(encoding="utf-8")
        starts = list(_OBJECT.finditer(text))
        for start, after in zip(starts, [*(one.start() for one in starts[1:]), len(text)], strict=False):
            kind, name, rest = start[1], start[2], text[start.start() : after]
            if kind == "FUNCTION":
                body = _BODY.search(rest)
                functions[name] = body and body[1]
            elif kind == "VIEW":
                views.add(name)
            elif table := _OF_TABLE.search(rest):
                triggers.add(f"{name} on {table[1]}")
    return functions, sorted(triggers), sorted(views)
