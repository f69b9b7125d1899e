"""The plans of the hot statements, asked for by their own text.

EXPLAIN does not see inside a function, so `of_function` takes the statements out of the `.sql` file: it reads the
arguments, variables and settings of each function, and gives every statement of its body with these as parameters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FUNCTION = re.compile(
    r"CREATE OR REPLACE FUNCTION (?P<name>\w+)\((?P<arguments>[^;]*?)\)\s*RETURNS "
    r"(?P<header>[^;]*?)AS \$\$(?P<body>.*?)\$\$;",
    re.DOTALL,
)
CONTROL = re.compile(
    r"^\s*(IF\b.*?\bTHEN\b|ELSIF\b.*?\bTHEN\b|ELSE\b|BEGIN\b|LOOP\b|FOR \w+ IN\b|END IF|END LOOP)", re.DOTALL
)
TARGETS = re.compile(r"\bINTO\s+((?:[pv]_\w+)(?:\s*,\s*[pv]_\w+)*)(?=\s|$)")
NAME = re.compile(r"\b([pv]_\w+)\b")


@dataclass(frozen=True)
class HotStatement:
    """One statement: its text with `$1`… for the names, the names with their types, and its planner settings."""

    name: str
    text: str
    parameters: tuple[tuple[str, str], ...]
    settings: dict[str, str] = field(default_factory=dict)


def of_function(path: Path) -> Iterator[HotStatement]:
    """Every statement of the functions in a file."""
    text = re.sub(r"--[^\n]*", "", path.read_text())
    for found in FUNCTION.finditer(text):
        types = dict(_typed(found["arguments"]))
        declared, _, body = found["body"].partition("BEGIN")
        types |= dict(re.findall(r"(v_\w+) ([\w\[\]]+)", declared))
        settings = dict(re.findall(r"SET (\w+) = (\w+)", found["header"]))
        for number, statement in enumerate(_statements(body)):
            yield _with_parameters(f"{found['name']}-{number}", statement, types, settings)


def of_query(name: str, text: str) -> HotStatement:
    """A statement that is written with `$1`… already."""
    return HotStatement(name, text, ())


def _typed(arguments: str) -> Iterator[tuple[str, str]]:
    for argument in arguments.split(","):
        words = argument.split(" DEFAULT ")[0].split()
        yield words[0], " ".join(words[1:])


def _statements(body: str) -> Iterator[str]:
    for part in body.split(";"):
        statement = part.strip()
        while found := CONTROL.match(statement):
            statement = statement[found.end() :].strip()
        statement = re.sub(r"^RETURN QUERY\s+", "", statement)
        statement = re.sub(r"^PERFORM\b", "SELECT", statement)
        statement = re.sub(r"^v_\w+ := ARRAY\(", "SELECT ARRAY(", statement)
        statement = TARGETS.sub("", statement)
        if statement.startswith("("):  # FOR … IN, and the like
            continue
        if re.match(r"(WITH|SELECT|INSERT|UPDATE|DELETE)\b", statement) and re.search(
            r"\b(FROM|INTO|UPDATE)\b", statement
        ):
            yield re.sub(r"\s+LOOP\b.*$", "", statement, flags=re.DOTALL)


def _with_parameters(name: str, statement: str, types: dict[str, str], settings: dict[str, str]) -> HotStatement:
    order: list[str] = []

    def numbered(found: re.Match[str]) -> str:
        if found[1] not in types:
            return found[0]
        if found[1] not in order:
            order.append(found[1])
        number = f"${order.index(found[1]) + 1}"
        return f"({number})" if found.string[found.end() : found.end() + 1] == "." else number  # a column of a row

    text = NAME.sub(numbered, statement)
    return HotStatement(name, text, tuple((one, types[one]) for one in order), settings)


async def explain(connection: Any, statement: HotStatement, arguments: list[str], *, mode: str) -> dict[str, Any]:
    """The plan of a statement with these literals, in custom or generic mode, under its own settings."""
    async with connection.transaction():
        for name, value in {**statement.settings, "plan_cache_mode": f"force_{mode}_plan"}.items():
            await connection.execute(f"SET LOCAL {name} = {value}")
        types = ", ".join(kind for _, kind in statement.parameters)
        await connection.execute(f"PREPARE asked{f' ({types})' if types else ''} AS {statement.text}")
        try:
            given = f"({', '.join(arguments)})" if arguments else ""
            text = await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE asked {given}")
        finally:
            await connection.execute("DEALLOCATE asked")
    return json.loads(text)[0]["Plan"]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every node of a plan."""
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def scans(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The nodes that read a table."""
    return (node for node in nodes(plan) if "Relation Name" in node and node["Node Type"] != "ModifyTable")


def sorted_tables(plan: dict[str, Any]) -> set[str]:
    """Tables whose rows go into a sort before anything limited them."""
    found: set[str] = set()
    for node in nodes(plan):
        if node["Node Type"] in {"Sort", "Incremental Sort"}:
            queue = list(node["Plans"])
            while queue:
                below = queue.pop()
                if below["Node Type"] == "Limit":
                    continue
                if "Relation Name" in below:
                    found.add(below["Relation Name"])
                queue += below.get("Plans", [])
    return found
