"""The deployment into a local folder, and the test that it answers as its description says.

`install` puts the bundle and the page in place; `smoke_test` starts the installed server on a free loopback port, calls
every operation of the description, holds the answers against their schemas, tries what must be refused, and stops it.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from release_analytics import bundle
from release_analytics.api_description import operations
from release_analytics.api_server import TOKEN_VARIABLE
from release_analytics.files import read_json
from release_analytics.schema_check import violations

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping
    from pathlib import Path

START_SECONDS = 10
REQUEST_SECONDS = 5
ANSWER_BYTES = 1_000_000
WAY_BACK = """\
# How to go back

Each version stands in a folder of its own, `deployment/pr-<number>`; `deployment/current` is the first.
Stop `api_server.py`, start the one in the folder of the version before, and serve the `site` beside it.
"""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One request of the smoke test, what was expected of it, and what was wrong with the answer."""

    request: str
    expected: str
    faults: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Running:
    """A server that is up: its address and the token it asks for."""

    address: str
    token: str

    def get(self, target: str, *, token: str | None = None) -> tuple[int, Any]:
        """Status and JSON value of one request; an empty `token` sends none."""
        token = self.token if token is None else token
        request = Request(self.address + target, headers={"Authorization": f"Bearer {token}"} if token else {})
        try:
            # No proxy: what is tested listens on this machine.
            with build_opener(ProxyHandler({})).open(request, timeout=REQUEST_SECONDS) as answer:
                return answer.status, json.loads(answer.read(ANSWER_BYTES))
        except HTTPError as refusal:
            with refusal:
                return refusal.code, json.loads(refusal.read(ANSWER_BYTES))


def host_faults(folder: Path) -> list[str]:
    """Why nothing could be deployed into this folder, which is made, or served from this machine; empty if it can."""
    folder.mkdir(parents=True, exist_ok=True)
    found = [] if os.access(folder, os.W_OK) else ["its folder cannot be written to"]
    try:
        with socket.create_server(("127.0.0.1", 0)):
            pass
    except OSError as error:
        found.append(f"no port is free on the loopback ({error.strerror})")
    return found


def install(bundle_folder: Path, page: Path, target: Path) -> Path:
    """Put the API and the page into `target`, replacing what an earlier attempt left; refuses a damaged bundle."""
    if damaged := bundle.faults(bundle_folder):
        raise ValueError(f"the bundle is not deployed: {'; '.join(damaged)}")
    fresh = target.with_name(f".{target.name}.fresh")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(bundle_folder, fresh / "api")
    (fresh / "site").mkdir()
    shutil.copyfile(page, fresh / "site" / "index.html")
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)
    return target


@contextmanager
def running(folder: Path) -> Generator[Running]:
    """The installed server on a free port, with a token of its own; it is stopped at the end, whatever happens."""
    token = secrets.token_urlsafe(24)
    process = subprocess.Popen(
        [sys.executable, str(folder / "api_server.py"), "--port", "0", "--stop-with-parent"],
        env=os.environ | {TOKEN_VARIABLE: token},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    too_late = threading.Timer(START_SECONDS, process.kill)
    too_late.start()
    try:
        line = process.stdout.readline() if process.stdout else ""
        too_late.cancel()
        if not line.startswith("listening on "):
            raise RuntimeError(f"the server did not start within {START_SECONDS} s; it said {line!r}")
        yield Running(address=line.removeprefix("listening on ").strip(), token=token)
    finally:
        too_late.cancel()
        process.terminate()
        try:
            process.wait(timeout=START_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()


def smoke_test(folder: Path) -> list[Check]:
    """Every operation with a good, a bad and an unauthorised request; `folder` holds the installed API."""
    description: Mapping[str, Any] = read_json(folder / "openapi.json")
    tables: Mapping[str, list[dict[str, Any]]] = read_json(folder / "data.json")
    with running(folder) as server:
        return [
            check
            for path, _, operation in operations(description)
            for check in _checks(server, path, operation, description, tables[operation["x-table"]])
        ]


def report(checks: list[Check], *, description: Mapping[str, Any], files: Mapping[str, str]) -> dict[str, Any]:
    """The deployment report, without anything that differs from run to run."""
    return {
        "api_version": description["info"]["version"],
        "verdict": "passed" if not any(check.faults for check in checks) else "failed",
        "operations": len(operations(description)),
        "checks": [
            {"request": check.request, "expected": check.expected, "faults": list(check.faults)} for check in checks
        ],
        "files": dict(files),
    }


def _checks(
    server: Running, path: str, operation: Mapping[str, Any], description: Mapping[str, Any], rows: list[dict[str, Any]]
) -> Iterator[Check]:
    names = [parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"]
    target = path
    for name in names:
        target = target.replace(f"{{{name}}}", str(rows[-1][name]))
    yield _check(server, target, "200", operation, description, rows=rows)
    yield _check(server, target, "401", operation, description, token="")
    yield _check(server, f"{target}?unknown=1", "400", operation, description)
    if names:
        absent = path.replace(f"{{{names[0]}}}", "999.999")
        yield _check(server, absent, "404", operation, description)
    if operation["x-shape"] == "collection":
        limit = next(parameter["schema"] for parameter in operation["parameters"] if parameter["name"] == "limit")
        yield _check(server, f"{target}?limit={limit['maximum']}", "200", operation, description, rows=rows)
        yield _check(server, f"{target}?limit={limit['maximum'] + 1}", "400", operation, description)


def _check(
    server: Running,
    target: str,
    expected: str,
    operation: Mapping[str, Any],
    description: Mapping[str, Any],
    *,
    token: str | None = None,
    rows: list[dict[str, Any]] | None = None,
) -> Check:
    status, value = server.get(target, token=token)
    faults: list[str] = []
    if str(status) != expected:
        faults.append(f"answered {status}")
    schema = next(iter(operation["responses"][expected]["content"].values()))["schema"]
    faults += violations(value, schema, description)
    if rows is not None and operation["x-shape"] == "collection" and value.get("total") != len(rows):
        faults.append(f"tells of {value.get('total')} rows, the data has {len(rows)}")
    words = f"GET {target}" + (" without a token" if token == "" else "")
    return Check(request=words, expected=expected, faults=tuple(faults))
