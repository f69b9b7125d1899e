"""Commands as workers: what they print and how they exit decides what becomes of the item."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from slateboard import Worker
from slateboard.protocol.errors import BadHandler
from slateboard.sdk import executor
from slateboard.sdk.executor import Executor
from slateboard.server.duty import Duty
from slateboard.server.routing import route_once
from slateboard.store.notifications import Notifier
from tests.cli.conftest import is_running, until

if TYPE_CHECKING:
    from slateboard.store.database import Database
    from tests.cli.conftest import Slate
    from tests.support.boards import BoardUnderTest

Run = Callable[..., Awaitable[dict[str, Any]]]


@asynccontextmanager
async def at_work(
    board: BoardUnderTest, app_url: str, command: Path, *, timeout: float = 30, lease: float = 60, grace: float = 0
) -> AsyncIterator[Worker]:
    """A worker of backend that runs the command for each item."""
    runs = Executor.of(str(command), board=board.name, agent="backend", timeout_seconds=timeout)
    worker = Worker(
        "backend", url=app_url, board=board.name, lease_seconds=lease, grace_seconds=grace, poll_seconds=0.2
    )
    worker.handler()(runs)
    await runs.start()
    working = asyncio.create_task(worker.run(signals=False))
    try:
        yield worker
    finally:
        worker.stop()
        await working
        await runs.stop()


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a program of `sh`."""

    def write(text: str) -> Path:
        path = tmp_path / "command"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    return write


@pytest.fixture
def run(board: BoardUnderTest, app_url: str, script: Callable[[str], Path]) -> Run:
    """Lets a command do one item, and gives the attempt it made, with `place` and the `artifact` as it then is."""

    async def run(text: str, **options: Any) -> dict[str, Any]:
        items = await board.post_graph({"a": [], "other": []}, owner="backend")
        await board.claim_item(items["other"], lease_seconds=3600)
        async with at_work(board, app_url, script(text), **options):
            rows = await until(lambda: board.fetch("SELECT * FROM attempts WHERE board = $1"), "an attempt")
        (version,) = await board.fetch("SELECT * FROM artifact_versions WHERE board = $1") or [{}]
        return {**rows[0], "place": await board.place(items["a"]), "version": dict(version)}

    return run


async def test_result_of_a_command_is_accepted(run: Run) -> None:
    done = await run("""echo '{"content": "hello", "summary": "it says hello", "usage": {"cost": 0.5}, "note": "n"}'""")
    assert (done["outcome"], done["place"], done["note"]) == ("completed", "done", "n")
    assert json.loads(done["usage"]) == {"cost": 0.5}
    assert (done["version"]["content"], done["version"]["summary"]) == ("hello", "it says hello")
    assert done["version"]["hash"].startswith("sha256:")


async def test_command_is_given_the_briefing_and_knows_its_claim(run: Run, tmp_path: Path) -> None:
    given, said = tmp_path / "given", tmp_path / "said"
    done = await run(f"cat > {given}; env > {said}; echo '{{}}'")
    briefing = json.loads(given.read_text())
    known = dict(line.split("=", 1) for line in said.read_text().splitlines() if line.startswith("SLATE_"))
    assert briefing["reference"] == known["SLATE_REFERENCE"] == "work/a"
    assert (known["SLATE_ITEM"], known["SLATE_FENCE"]) == (str(done["item"]), str(done["fence"]))
    assert (known["SLATE_AGENT"], known["SLATE_ATTEMPT"]) == ("backend", "1")
    assert known["SLATE_BOARD"].startswith("test-")


async def test_end_of_standard_error_is_kept_with_the_attempt(run: Run) -> None:
    done = await run("yes noise | head -c 100000 >&2; echo 'last words' >&2; echo '{}'")
    assert done["note"].endswith("last words")
    assert len(done["note"]) <= 8_192


@pytest.mark.parametrize(
    ("exit_code", "failure_class"),
    [(1, "transient"), (65, "validation"), (69, "infrastructure"), (70, "transient"), (75, "transient"),
     (126, "infrastructure"), (127, "infrastructure")],
)  # fmt: skip
async def test_exit_code_says_what_kind_of_failure_it_was(run: Run, exit_code: int, failure_class: str) -> None:
    done = await run(f"echo broken >&2; exit {exit_code}")
    assert (done["outcome"], done["class"]) == ("failed", failure_class)
    assert f"exited with {exit_code}" in done["error"]
    assert done["error"].endswith("broken")


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        ("", "printed no JSON but nothing"),
        ("not json", "printed no JSON but 'not json'"),
        ("[1]", "no JSON object"),
        ('{"sumary": "x"}', "sumary"),
        ('{"content": 7}', "'content' of the result is a text"),
        ('{"content": "a", "uri": "b"}', "one of path, uri and content"),
        ('{"path": "/nowhere/at/all"}', "does not exist"),
        ('{"block_on": []}', "list of references"),
        ('{"block_on": [1]}', "list of references"),
        ('{"fail": {"class": "sad"}}', "no failure class 'sad'"),
    ],
)
async def test_what_is_no_result_is_a_validation_failure_that_says_why(run: Run, printed: str, said: str) -> None:
    done = await run(f"printf '%s' '{printed}'")
    assert (done["outcome"], done["class"]) == ("failed", "validation")
    assert said in done["error"]


async def test_command_can_fail_in_its_own_words(run: Run) -> None:
    done = await run("""echo '{"fail": {"class": "logic", "error": "cannot be done", "note": "ask cto"}}'""")
    assert (done["class"], done["place"], done["error"], done["note"]) == ("logic", "dead", "cannot be done", "ask cto")


async def test_command_can_block_on_other_work(run: Run) -> None:
    done = await run("""echo '{"block_on": ["work/other"], "note": "found a fault"}'""")
    assert (done["outcome"], done["place"], done["note"]) == ("blocked", "gated", "found a fault")


async def test_command_that_prints_100_mb_is_ended(run: Run) -> None:
    done = await run("yes | head -c 100000000; read never < /dev/zero")
    assert done["class"] == "validation"
    assert "printed more than" in done["error"]


async def test_command_that_never_ends_is_ended_with_its_children(run: Run, tmp_path: Path) -> None:
    child = tmp_path / "child"
    done = await run(f"sleep 600 & echo $! > {child}; wait", timeout=0.5)
    assert done["class"] == "transient"
    assert "did not end within 0.5 s" in done["error"]
    assert not is_running(int(child.read_text()))


async def test_command_killed_from_outside_is_an_infrastructure_failure(run: Run) -> None:
    done = await run("kill -9 $$")
    assert done["class"] == "infrastructure"
    assert "killed by SIGKILL" in done["error"]


async def test_command_that_vanishes_is_an_infrastructure_failure(
    board: BoardUnderTest, app_url: str, script: Callable[[str], Path]
) -> None:
    command = script("echo '{}'")
    async with at_work(board, app_url, command):
        command.unlink()
        await board.post_graph({"a": []})
        rows = await until(lambda: board.fetch("SELECT * FROM attempts WHERE board = $1"), "an attempt")
    assert rows[0]["class"] == "infrastructure"
    assert "cannot be started" in rows[0]["error"]


async def test_lost_claim_ends_the_command_with_its_children(
    slate: Slate, board: BoardUnderTest, app_url: str, script: Callable[[str], Path], tmp_path: Path
) -> None:
    child = tmp_path / "child"
    command = script(f"sleep 600 & echo $! > {child}; wait")
    items = await board.post_graph({"a": []})
    async with at_work(board, app_url, command, lease=1.5):
        pid = int(await until(lambda: child.exists() and child.read_text().strip(), "the command"))
        assert await board.place(items["a"]) == "claimed"
        await slate.ok("cancel", "work/a")
        await until(lambda: not is_running(pid), "the end of the command")
    assert await board.place(items["a"]) == "cancelled"


async def test_heartbeats_go_on_while_the_command_works(
    board: BoardUnderTest, app_url: str, script: Callable[[str], Path], tmp_path: Path
) -> None:
    go = tmp_path / "go"
    os.mkfifo(go)
    command = script(f"read word < {go}; echo '{{}}'")
    await board.post_graph({"a": []})
    async with at_work(board, app_url, command, lease=0.9):
        first = await until(lambda: board.fetchval("SELECT expires_at FROM leases WHERE board = $1"), "a claim")
        later = "SELECT expires_at FROM leases WHERE board = $1 AND expires_at > $2"
        await until(lambda: board.fetchval(later, first), "a renewed lease")
        await asyncio.to_thread(go.write_text, "on\n")
        rows = await until(lambda: board.fetch("SELECT * FROM attempts WHERE board = $1"), "an attempt")
    assert rows[0]["outcome"] == "completed"


@pytest.mark.parametrize(
    ("line", "said"),
    [("", "is empty"), ("'unclosed", "cannot be split"), ("no-such-program-here x", "is not there"),
     ("./not-executable", "cannot be executed")],
)  # fmt: skip
def test_command_that_cannot_be_run_is_refused_before_anything_is_claimed(
    line: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "not-executable").write_text("data")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadHandler, match=said):
        Executor.of(line, board="b", agent="backend")


def test_all_content_that_the_board_takes_fits_into_what_may_be_printed() -> None:
    worst = json.dumps({"content": "\x01" * executor.MAX_CONTENT_BYTES})
    assert len(worst) < executor.MAX_OUTPUT_BYTES


async def test_worker_run_exec_works_as_a_program(
    running: Any, slate: Slate, board: BoardUnderTest, script: Callable[[str], Path]
) -> None:
    script('slate work heartbeat --percent 50 --progress "in the command" >&2; echo \'{"content": "x"}\'')
    worker = await running("worker", "run", "--agent", "backend", "--exec", "./command", PATH="/usr/bin:/bin")
    items = await board.post_graph({"a": []})

    async def is_done() -> bool:
        return await board.place(items["a"]) == "done"

    await until(is_done, "the end of the work")
    shown = await slate.ok("show", "work/a")
    assert "is kept until" in shown["attempts_made"][0]["note"]
    worker.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(worker.wait(), 10) == 0


async def test_worker_run_exec_handles_deliveries(
    running: Any, board: BoardUnderTest, database: Database, database_url: str, script: Callable[[str], Path]
) -> None:
    await board.perform("subscribe", name="deploys", patterns=["genbrain.events.merged"], agent="backend")
    await board.perform("publish", subject="genbrain.events.merged", data={"pr": 7})
    await board.seal()
    notifier = Notifier(database.url)
    duty = Duty(database=database, owner_url=database_url, wake=notifier.wake, sealed=notifier.sealed)
    while await route_once(duty):
        pass
    await notifier.close()
    script("cat > given; echo '{}'")
    worker = await running("worker", "run", "--agent", "backend", "--exec", "./command")
    rows = await until(lambda: board.fetch("SELECT * FROM attempts WHERE board = $1"), "an attempt")
    assert [row["outcome"] for row in rows] == ["completed"]
    worker.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(worker.wait(), 10) == 0


async def test_worker_run_module_works_as_a_program(running: Any, board: BoardUnderTest, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from slateboard import Worker\n"
        "worker = Worker(agent='backend')\n"
        "@worker.artifact('*')\n"
        "async def make(work):\n"
        "    return {'made': work.reference}\n"
        "other = 7\n"
    )
    worker = await running("worker", "run", "mine:worker", "--concurrency", "4")
    items = await board.post_graph({"a": [], "b": ["a"]})

    async def is_done() -> bool:
        return await board.place(items["b"]) == "done"

    await until(is_done, "the end of the work")
    worker.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(worker.wait(), 10) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "which worker"),
        (("a:b", "--exec", "true"), "which worker"),
        (("nodot",), "names no worker"),
        (("no_such_module_here:worker",), "there is no module"),
        (("json:nothing",), "has no 'nothing'"),
        (("json:dumps",), "not a Worker"),
        (("json:dumps", "--agent", "x"), "go with --exec"),
        (("--exec", "true"), "which agent"),
        (("--exec", "no-such-program-here", "--agent", "backend"), "is not there"),
        (("--exec", "true", "--agent", "backend", "--timeout", "0"), "more than 0 s"),
        (("--exec", "true", "--agent", "backend", "--lease", "25h"), "lease_seconds"),
    ],
)
async def test_worker_that_cannot_be_run_is_refused(slate: Slate, arguments: tuple[str, ...], said: str) -> None:
    error = await slate.wrong(2, "worker", "run", *arguments)
    assert said in error["message"]
    assert error["remedy"]


async def test_worker_of_an_unknown_agent_is_refused(running: Any) -> None:
    worker = await running("worker", "run", "--exec", "true", "--agent", "backent")
    _, complaint = await asyncio.wait_for(worker.communicate(), 20)
    assert worker.returncode == 4
    assert b"did you mean 'backend'?" in complaint
