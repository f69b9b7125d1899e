"""What the house tests read: the project's files, as text and as syntax trees."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "app"
PACKAGE = APP / "slateboard"


def python_files(*folders: str) -> list[Path]:
    """Every Python file below the given folders of the project, in a stable order."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def shown(path: Path) -> str:
    """The path as it stands in the project."""
    return path.relative_to(ROOT).as_posix()


@cache
def text(path: Path) -> str:
    """The file's text."""
    return path.read_text(encoding="utf-8")


@cache
def tree(path: Path) -> ast.Module:
    """The file's syntax tree."""
    return ast.parse(text(path), filename=str(path))


def nodes(path: Path) -> Iterator[ast.AST]:
    """Every node of the file's syntax tree."""
    return ast.walk(tree(path))


def module_name(path: Path) -> str:
    """The dotted name of a file below `app/`; a package's `__init__` is the package."""
    parts = path.relative_to(APP).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def uses(path: Path) -> set[str]:
    """The dotted names of ours that a file imports, or names in a string (an entry point, a lazy import).

    A string that ends in a dot (the start of an f-string) stands for every module below it.
    """
    names: set[str] = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.update(re.findall(r"\bslateboard(?:\.\w+)+\.?", node.value))
    return names
