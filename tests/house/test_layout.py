"""The shape of the code: lengths, names, and what may stand where."""

from __future__ import annotations

import ast
import re
import tomllib

import pytest

from tests.house.source import APP, PACKAGE, ROOT, module_name, nodes, python_files, shown, text, tree, uses

FUNCTION_LINES = 70
MODULE_LINES = 400
EMPTY_WORDS = {"utils", "util", "helpers", "helper", "manager", "managers", "service", "services", "misc", "common"}
UNFINISHED = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX"]) + r")\b")
# Modules that only users' own code imports.
PUBLIC_MODULES = {"slateboard.sdk.testing"}

WRITTEN = python_files("app", "tests", "scripts", "examples")


def test_functions_fit_on_a_screen() -> None:
    """From `def` to the last line, docstring included, decorators not."""
    long = [
        f"{shown(path)}:{node.lineno} {node.name} has {length} lines"
        for path in WRITTEN
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES
    ]
    assert not long, "\n".join(long)


def test_a_long_module_says_why() -> None:
    """A line of its docstring begins with `Long because`."""
    long = [
        f"{shown(path)} has {length} lines"
        for path in WRITTEN
        if (length := len(text(path).splitlines())) > MODULE_LINES
        and not re.search(r"^Long because", ast.get_docstring(tree(path)) or "", re.MULTILINE)
    ]
    assert not long, "\n".join(long)


def test_only_the_transaction_commits() -> None:
    commits = [
        f"{shown(path)}:{node.lineno}"
        for path in python_files("app")
        if path != PACKAGE / "transaction.py"
        for node in nodes(path)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "commit"
    ]
    assert not commits, f"an action never commits; leaving its transaction does: {commits}"


def test_a_module_is_a_noun_that_means_something() -> None:
    empty = [shown(path) for path in WRITTEN if EMPTY_WORDS & {path.stem, path.parent.name}]
    assert not empty, f"a name says what is inside: {empty}"


def test_nothing_is_left_to_do() -> None:
    folders = ["app", "docs", "examples", "migrations", "scripts", "tests"]
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    left = [
        f"{shown(path)}:{number}"
        for path in [*files, *ROOT.glob("*.md"), *ROOT.glob("*.toml")]
        if path.suffix in {".py", ".sql", ".md", ".toml", ".html", ".js", ".css", ".yaml", ".graphql", ".mako", ""}
        for number, line in enumerate(text(path).splitlines(), 1)
        if UNFINISHED.search(line)
    ]
    assert not left, f"do it, or open an issue: {left}"


def test_no_module_is_dead() -> None:
    """Every module is imported by another one of `app/`, by Alembic's environment, or is an entry point."""
    project = tomllib.loads(text(ROOT / "pyproject.toml"))["project"]
    targets = [*project["scripts"].values()]
    targets += [target for group in project["entry-points"].values() for target in group.values()]
    used = PUBLIC_MODULES | {target.partition(":")[0] for target in targets}
    readers = python_files("app", "migrations")
    for path in readers:
        own = module_name(path) if path.is_relative_to(APP) else ""
        used |= {name for name in uses(path) if name != own}
    below = tuple(name for name in used if name.endswith("."))
    dead = [
        shown(path)
        for path in python_files("app")
        if path.name not in {"__init__.py", "__main__.py"}
        and module_name(path) not in used
        and not (below and module_name(path).startswith(below))
    ]
    assert not dead, f"nothing imports {dead}"


@pytest.mark.parametrize("library", ["time", "asyncio", "anyio"])
def test_tests_never_sleep(library: str) -> None:
    """They wait for a signal or move the clock; `asyncio.sleep(0)`, which only yields, is allowed."""
    sleeps: list[str] = []
    for path in python_files("tests"):
        for node in nodes(path):
            if isinstance(node, ast.ImportFrom) and node.module == library:
                sleeps += [f"{shown(path)}:{node.lineno}" for alias in node.names if alias.name == "sleep"]
            if (
                isinstance(node, ast.Call)
                and ast.unparse(node.func) == f"{library}.sleep"
                and not (node.args and ast.unparse(node.args[0]) == "0")
            ):
                sleeps.append(f"{shown(path)}:{node.lineno}")
    assert not sleeps, f"wait for a signal instead: {sleeps}"
