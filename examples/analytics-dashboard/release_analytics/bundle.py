"""The API as it is handed over: one folder with the server, the description and the data, and a list of their hashes.

The data in it has the described fields only. What a review took out of the description is not in the bundle at all, so
that a fault of the server could not give it away.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from release_analytics import api_server, resources
from release_analytics.files import read_json, sha256, write_json, write_text

if TYPE_CHECKING:
    from collections.abc import Mapping

LIST = "bundle.json"


def write(folder: Path, description_file: Path, everything: resources.Tables) -> Path:
    """Write the bundle for a description into `folder`; returns the path of its list."""
    description: Mapping[str, Any] = read_json(description_file)
    files = [
        write_text(folder / "api_server.py", Path(api_server.__file__).read_text(encoding="utf-8")),
        write_text(folder / "openapi.json", description_file.read_text(encoding="utf-8")),
        write_json(folder / "data.json", resources.exposed(everything, description)),
    ]
    listed = {file.name: sha256(file) for file in files}
    return write_json(folder / LIST, {"version": description["info"]["version"], "files": listed})


def faults(folder: Path) -> list[str]:
    """The listed files that are missing or differ from their hash; empty when the bundle is whole."""
    listed: Mapping[str, str] = read_json(folder / LIST)["files"]
    return [
        f"{name} is not the file that was bundled"
        for name, expected in listed.items()
        if not (folder / name).is_file() or sha256(folder / name) != expected
    ]
