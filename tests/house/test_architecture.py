"""The direction of imports, as ARCHITECTURE.md draws it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

from tests.house.source import PACKAGE, ROOT, python_files, shown, text, uses


def test_imports_point_downwards() -> None:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_package_stands_in_the_layers() -> None:
    """The contract is exhaustive; this says that nobody made it less so."""
    contracts = tomllib.loads(text(ROOT / "pyproject.toml"))["tool"]["importlinter"]["contracts"]
    layers = next(contract for contract in contracts if contract["id"] == "layers")
    assert layers["exhaustive"] is True
    named = {name.strip(" ()") for layer in layers["layers"] for name in layer.split("|")}
    modules = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert modules | packages <= named


def test_migrations_import_nothing_of_the_application() -> None:
    """A migration is frozen; the code that it would import is not."""
    imports = {
        shown(path): names
        for path in python_files("migrations/versions")
        if (names := {name for name in uses(path) if name.partition(".")[0] == "slateboard"})
    }
    assert not imports
