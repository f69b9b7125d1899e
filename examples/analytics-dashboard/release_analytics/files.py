"""Files that are there whole or not at all, and the hash by which one agent can check what another one wrote.

A write goes to a neighbour file first and is renamed into place, so that a process killed in the middle of a write
leaves the old file or the new one, never a part of either.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any


def write_text(path: Path, text: str) -> Path:
    """Put `text` at `path` in one step, creating its folder; returns `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    neighbour = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        neighbour.chmod(0o644)
        neighbour.replace(path)
    except BaseException:
        neighbour.unlink(missing_ok=True)
        raise
    return path


def to_json(value: object) -> str:
    """The one spelling of `value` that every agent writes: two spaces, keys as given, a newline at the end."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def write_json(path: Path, value: object) -> Path:
    """Put `value` at `path` as JSON in one step; returns `path`."""
    return write_text(path, to_json(value))


def read_json(path: Path) -> Any:
    """The JSON value in `path`."""
    return json.loads(path.read_text(encoding="utf-8"))


def sha256(path: Path) -> str:
    """The SHA-256 of the file's bytes, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
