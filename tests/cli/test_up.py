"""The server verbs as real programs: up, down, status, backup, restore, migrate."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from slateboard.server import home as homes
from slateboard.store import place as places
from slateboard.store.run_file import read_run_file, start_of
from tests.cli.conftest import SLATE, is_running
from tests.support import servers

PATIENCE_SECONDS = 60.0
TICK = threading.Event()

Environment = dict[str, str]


def environment(home: Path, **more: str) -> Environment:
    """A clean one: nothing of the caller's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SLATE_")}
    return kept | {"SLATE_HOME": str(home), "SLATE_PORT": "0"} | more


def slate(given: Environment, *arguments: str) -> tuple[int, Any, str]:
    """Run a command to its end: exit code, the envelope's data or error, and what it said."""
    command = [str(SLATE), "--json", *arguments]
    done = subprocess.run(command, env=given, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS)
    assert done.stdout, done
    envelope = json.loads(done.stdout)
    assert envelope["ok"] is (done.returncode == 0), done
    return done.returncode, envelope["data"] if envelope["ok"] else envelope["error"], done.stderr


def until(check: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := check()):
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE_SECONDS:g} s"
        TICK.wait(0.02)
    return found


def health(url: str) -> Any:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return json.load(error)


def status_of(url: str, path: str, token: str | None = None) -> int:
    request = urllib.request.Request(f"{url}{path}", headers={"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    until(lambda: not is_running(pid), "the process is gone")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Environment]:
    """A home of its own with an embedded Postgres; all of it is gone after the test."""
    home = tmp_path / "home"
    given = environment(home)
    yield given
    slate(given, "down")
    data = (home / places.DATA_FOLDER).resolve()
    if data.is_relative_to(places.SYSTEM_FOLDER):
        shutil.rmtree(data.parent)


@pytest.fixture
def url(server: servers.Server) -> Iterator[str]:
    """The owner's URL of a database of its own, migrated."""
    with servers.database(server, "up") as name:
        yield server.owner_of(name)


@pytest.fixture
def external(tmp_path: Path, url: str) -> Iterator[Environment]:
    """A home whose server works on a Postgres that runs already."""
    given = environment(tmp_path / "home", SLATE_DATABASE_URL=url)
    yield given
    slate(given, "down")


def test_two_ups_at_once_start_one_server(embedded: Environment) -> None:
    home = Path(embedded["SLATE_HOME"])
    command = [str(SLATE), "--json", "up", "--detach"]
    both = [
        subprocess.Popen(command, env=embedded, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    ends = [(*process.communicate(timeout=PATIENCE_SECONDS), process.returncode) for process in both]
    assert sorted(code for _, _, code in ends) == [0, 5], ends
    winner, loser = (json.loads(out) for out, _, _ in sorted(ends, key=lambda end: end[2]))
    assert "already" in loser["error"]["message"] or "in charge" in loser["error"]["message"]
    url = winner["data"]["url"]
    assert health(url)["status"] == "ok"
    assert {mode(home / name) for name in ("server.json", "admin-token", "server.log")} == {0o600}
    token = (home / "admin-token").read_text().strip()
    assert (status_of(url, "/openapi.json"), status_of(url, "/openapi.json", token)) == (401, 200)
    code, error, _ = slate(embedded, "up")
    assert (code, error["details"]["url"]) == (5, url)
    code, found, _ = slate(embedded, "status")
    assert (code, found["server"]["url"], found["boards"][0]["board"]) == (0, url, "default")
    pid, postgres = found["server"]["pid"], found["postgres"]["pid"]
    code, stopped, _ = slate(embedded, "down")
    assert (code, stopped) == (0, {"server": {"url": url, "pid": pid}, "postgres": {"pid": postgres}})
    assert not is_running(pid)
    assert not is_running(postgres)
    assert not (home / "server.json").exists()
    assert slate(embedded, "down")[:2] == (0, {"server": None, "postgres": None})


def test_killed_servers_postgres_is_adopted_and_a_backup_comes_back(embedded: Environment, tmp_path: Path) -> None:
    home, file = Path(embedded["SLATE_HOME"]), tmp_path / "board.dump"
    first = slate(embedded, "up", "--detach")[1]
    token = (home / "admin-token").read_text()
    assert slate(embedded, "agent", "add", "kept")[0] == 0
    assert slate(embedded, "post", "task", "--owner", "kept")[0] == 0
    assert slate(embedded, "backup", str(file))[1]["size_bytes"] == file.stat().st_size
    assert slate(embedded, "restore", str(file), "--replace")[0] == 5  # a server runs
    run = read_run_file(home)
    assert run is not None
    kill(first["pid"])
    second = slate(embedded, "up", "--detach")[1]
    until(lambda: health(second["url"])["leads"], "the next server leads")
    assert read_run_file(home) == run
    assert (home / "admin-token").read_text() == token
    assert slate(embedded, "agent", "add", "lost")[0] == 0
    before = slate(embedded, "work", "claim", "--as", "kept")[1]["claim"]
    slate(embedded, "down")
    assert slate(embedded, "restore", str(file))[0] == 5  # the database is not empty
    assert slate(embedded, "restore", str(file), "--replace")[0] == 0
    assert read_run_file(home) is None
    assert slate(embedded, "migrate", "--check")[0] == 0
    slate(embedded, "up", "--detach")
    rows = slate(embedded, "get", "agents")[1]["rows"]
    assert [row["name"] for row in rows] == ["kept"]
    again = slate(embedded, "work", "claim", "--as", "kept")[1]["claim"]
    assert again["item"] == before["item"]
    assert again["fence"] > before["fence"]


def test_postgres_that_ends_under_the_server_is_started_again(embedded: Environment) -> None:
    home = Path(embedded["SLATE_HOME"])
    started = slate(embedded, "up", "--detach")[1]
    before = read_run_file(home)
    assert before is not None
    os.kill(before.pid, signal.SIGQUIT)  # what `stop -m immediate` sends
    after = until(lambda: (run := read_run_file(home)) and run != before and run, "Postgres is back")
    assert (after.app_url, after.owner_url) == (before.app_url, before.owner_url)
    until(lambda: health(started["url"])["status"] == "ok", "the server is healthy")
    assert slate(embedded, "status")[1]["server"]["pid"] == started["pid"]
    assert slate(embedded, "down")[0] == 0
    assert not is_running(after.pid)


def test_two_servers_on_one_database_have_one_leader(external: Environment, tmp_path: Path) -> None:
    other = external | {"SLATE_HOME": str(tmp_path / "other")}
    try:
        urls = [slate(given, "up", "--detach")[1] for given in (external, other)]
        assert [health(one["url"])["leads"] for one in urls] == [True, False]
        kill(urls[0]["pid"])
        # The lease lasts 3 s, the other asks twice a second; the rest is for a busy machine.
        until(lambda: health(urls[1]["url"])["leads"], "the other leads")
        assert health(urls[1]["url"])["status"] == "ok"
    finally:
        slate(other, "down")


def test_server_file_whose_pid_was_used_again_is_not_taken_for_the_server(external: Environment) -> None:
    home = Path(external["SLATE_HOME"])
    home.mkdir(mode=0o700)
    stale = {"url": "http://127.0.0.1:1", "pid": os.getpid(), "started": "another boot", "version": "0", "holder": "x"}
    (home / "server.json").write_text(json.dumps(stale | {"embedded": False}))
    assert slate(external, "status")[1]["server"] is None
    assert slate(external, "down")[1]["server"] is None
    started = slate(external, "up", "--detach")[1]
    found = homes.read(home)
    assert found is not None
    assert (found.pid, found.started) == (started["pid"], start_of(started["pid"]))


@pytest.mark.parametrize("text", ["", "[]", "{", '{"pid": 1}', "null"])
def test_damaged_server_file_means_that_none_runs(tmp_path: Path, text: str) -> None:
    (tmp_path / "server.json").write_text(text)
    assert homes.read(tmp_path) is None


def test_foreground_server_ends_with_its_signal(external: Environment) -> None:
    command = [str(SLATE), "--json", "up", "--host", "127.0.0.1"]
    for number in (signal.SIGINT, signal.SIGTERM):
        with subprocess.Popen(command, env=external, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None
            url = json.loads(process.stdout.readline())["data"]["url"]
            assert health(url)["version"]
            process.send_signal(number)
            process.communicate(timeout=PATIENCE_SECONDS)
            assert process.returncode == 0
        assert not Path(external["SLATE_HOME"], "server.json").exists()


def test_address_on_the_network_is_warned_about(external: Environment) -> None:
    _, started, said = slate(external | {"SLATE_HOST": "0.0.0.0"}, "up", "--detach")
    assert "warning: 0.0.0.0 is reachable from the network" in said
    assert started["url"].startswith("http://127.0.0.1:")


def test_token_that_is_no_longer_good_is_replaced(external: Environment, url: str) -> None:
    token = Path(external["SLATE_HOME"], "admin-token")
    started = slate(external, "up", "--detach")[1]
    first = token.read_text().strip()
    slate(external, "down")
    servers.execute(url, "UPDATE tokens SET revoked_at = now()")
    started = slate(external, "up", "--detach")[1]
    second = token.read_text().strip()
    assert [status_of(started["url"], "/openapi.json", one) for one in (first, second)] == [401, 200]


@pytest.mark.parametrize(
    ("wrong", "code", "named"),
    [
        ({"SLATE_PORT": "many"}, 2, "SLATE_PORT"),
        ({"SLATE_POOL_SIZE": "1"}, 2, "SLATE_POOL_SIZE"),
        ({"SLATE_DATABASE_URL": "mysql://x"}, 2, "SLATE_DATABASE_URL"),
        ({"SLATE_HOST": "no.such.host.invalid"}, 7, "SLATE_HOST"),
        ({"SLATE_DATABASE_URL": "postgresql://x@127.0.0.1:1/x"}, 7, "SLATE_DATABASE_URL"),
    ],
)
@pytest.mark.parametrize("detach", [[], ["--detach"]])
def test_wrong_setting_stops_the_start_and_is_named(
    tmp_path: Path, wrong: Environment, code: int, named: str, detach: list[str]
) -> None:
    given = environment(tmp_path / "home", **wrong)
    ended, error, _ = slate(given, "up", *detach)
    assert ended == code
    assert named in error["message"] + error["remedy"]
    assert slate(environment(tmp_path / "home"), "down")[1]["server"] is None


@pytest.mark.parametrize("detach", [[], ["--detach"]])
def test_home_that_cannot_be_made_is_named(tmp_path: Path, detach: list[str]) -> None:
    (tmp_path / "file").write_text("")
    code, error, _ = slate(environment(tmp_path / "file" / "home"), "up", *detach)
    assert (code, error["code"]) == (7, "server_problem")
    assert "SLATE_HOME" in error["message"]


def test_port_in_use_is_named_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        given = environment(tmp_path / "home", SLATE_PORT=str(taken.getsockname()[1]))
        code, error, _ = slate(given, "up")
    assert (code, error["code"]) == (7, "server_problem")
    assert "SLATE_PORT" in error["remedy"]
    assert not (tmp_path / "home" / "postgres").exists()


def test_schema_of_a_newer_release_is_refused(external: Environment, url: str) -> None:
    servers.execute(
        url,
        "UPDATE alembic_version SET version_num = '2099_01_01_0000'",
        "UPDATE schema_protocol SET version = 9, oldest_client = 9",
    )
    for verb in (["up"], ["up", "--detach"], ["migrate"], ["migrate", "--check"]):
        code, error, _ = slate(external, *verb)
        assert (code, error["code"]) == (7, "schema_mismatch")
        assert "upgrade the slateboard package" in error["remedy"]


def test_status_says_what_cannot_be_asked(tmp_path: Path) -> None:
    given = environment(tmp_path / "home", SLATE_DATABASE_URL="postgresql://x@127.0.0.1:1/x")
    code, found, _ = slate(given, "status")
    assert code == 0
    assert found["database"]["error"]["code"] == "database_unreachable"
    done = subprocess.run([str(SLATE), "status"], env=given, capture_output=True, text=True, check=True)
    assert "server    not running here" in done.stdout
    assert "database  " in done.stdout


async def test_application_role_is_enough_for_the_server(external: Environment, server: servers.Server) -> None:
    """What the pool does it does as a role that owns nothing; the token and the board of the start included."""
    started = (await asyncio.to_thread(slate, external, "up", "--detach"))[1]
    assert started["database"] == "external"
    roles = servers.with_connection(
        external["SLATE_DATABASE_URL"],
        lambda connection: connection.fetch(
            "SELECT DISTINCT usename, rolname FROM pg_stat_activity JOIN pg_roles ON rolname = 'slateboard_app'"
            " WHERE application_name = 'slateboard' AND datname = current_database()"
        ),
    )
    assert roles
