"""What a worker does when something breaks: lost leases, signals, a restarted database, results that are refused."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from slateboard import Result, Work, Worker
from slateboard.interfaces.direct import DirectTransport
from slateboard.protocol.errors import DatabaseUnreachable
from slateboard.sdk.transport import open_transport
from slateboard.store import notifications
from slateboard.work import leases
from tests.support.boards import BoardUnderTest

PROGRAM = Path(__file__).with_name("waiting_worker.py")


async def expire_all(board: BoardUnderTest, clock: Any) -> None:
    async with board.chores(now=clock.advance(seconds=100)) as tx:
        assert await leases.expire_due(tx, now=tx.now)


async def test_a_lost_lease_cancels_its_handler(board, workers, reached, clock) -> None:
    items = await board.post_graph({"report": []})
    worker = Worker("backend", lease_seconds=0.6)
    begun, cancelled, done = asyncio.Event(), asyncio.Event(), asyncio.Event()
    fences: list[int] = []

    @worker.handler()
    async def handle(work: Work) -> str:
        fences.append(work.fence)
        if len(fences) > 1:
            done.set()
            return "second"
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            assert work.cancelled.is_set()
            cancelled.set()
            return "too late"
        return "never"

    workers.start(worker)
    await reached(begun)
    await expire_all(board, clock)
    await reached(cancelled)
    await reached(done)
    await workers.stop()
    assert fences == sorted(set(fences))
    rows = await board.fetch(
        "SELECT content FROM artifact_versions WHERE board = $1 AND artifact = $2", items["report"]
    )
    assert [row["content"] for row in rows] == ["second"]


async def test_a_lost_lease_is_told_to_a_plain_function(board, workers, reached, clock) -> None:
    await board.post_graph({"report": []})
    worker = Worker("backend", lease_seconds=0.6)
    begun, told = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    @worker.handler()
    def handle(work: Work) -> str:
        if not begun.is_set():
            loop.call_soon_threadsafe(begun.set)
            assert work.cancelled.wait(20)
            loop.call_soon_threadsafe(told.set)
        return "dropped, or the second"

    workers.start(worker)
    await reached(begun)
    await expire_all(board, clock)
    await reached(told)


async def test_a_call_under_a_lost_claim_is_refused(board, workers, reached, clock) -> None:
    from slateboard.protocol.errors import LeaseLost

    await board.post_graph({"report": []})
    worker = Worker("backend")
    begun, expired, refused = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @worker.handler()
    async def handle(work: Work) -> None:
        if not begun.is_set():
            begun.set()
            await expired.wait()
            with pytest.raises(LeaseLost):
                await work.checkpoint({"n": 1})
            refused.set()

    workers.start(worker)
    await reached(begun)
    await expire_all(board, clock)
    expired.set()
    await reached(refused)


@asynccontextmanager
async def program(url: str, board: BoardUnderTest, grace_seconds: float) -> AsyncGenerator[Any]:
    """The waiting worker, as a process of its own."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(PROGRAM), url, board.name, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL,
        env={"GRACE_SECONDS": str(grace_seconds)},
    )  # fmt: skip
    try:
        async with asyncio.timeout(30):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_sigterm_finishes_what_runs_and_gives_back_the_rest(board, app_url) -> None:
    items = await board.post_graph({f"a{number}": [] for number in range(5)})
    async with program(app_url, board, 20) as process:
        assert await process.stdout.readline() == b"started a0\n"
        assert (await board.by_place())["claimed"] == 5
        process.send_signal(signal.SIGTERM)
        while (await board.by_place())["ready"] < 4:
            pass
        assert await board.place(items["a0"]) == "claimed"
        process.stdin.write(b"go on\n")
        assert await process.wait() == 0
    assert await board.by_place() == Counter(done=1, ready=4)
    outcomes = await board.fetch("SELECT item, outcome FROM attempts WHERE board = $1")
    assert [tuple(row) for row in outcomes] == [(items["a0"], "completed")]


@pytest.mark.parametrize("second", [True, False])
async def test_a_second_signal_or_the_end_of_the_grace_interrupts(board, app_url, second) -> None:
    items = await board.post_graph({"a0": []})
    async with program(app_url, board, 30 if second else 0.2) as process:
        assert await process.stdout.readline() == b"started a0\n"
        process.send_signal(signal.SIGTERM)
        if second:
            process.send_signal(signal.SIGINT)
        assert await process.stdout.readline() == b"cancelled\n"
        process.stdin.write(b"go on\n")
        assert await process.wait() == 0
    rows = await board.fetch("SELECT item, outcome FROM attempts WHERE board = $1")
    assert [tuple(row) for row in rows] == [(items["a0"], "interrupted")]
    assert await board.place(items["a0"]) == "ready"


async def cut(url: str, spared: Sequence[int]) -> int:
    """End all other connections to the database, as a restart does."""
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND backend_type = 'client backend'"
            " AND pid <> pg_backend_pid() AND pid <> ALL ($1::int[])",
            spared,
        )
    finally:
        await connection.close()


async def test_lost_connections_lose_no_work(board, workers, reached, database_url, own_connections) -> None:
    await board.post_graph({f"a{number}": [] for number in range(300)})
    worker, done = Worker("backend", concurrency=20, poll_seconds=0.2), asyncio.Event()
    finished: set[int] = set()
    middle = asyncio.Event()

    @worker.handler()
    async def handle(work: Work) -> str:
        finished.add(work.item)
        await asyncio.sleep(0)
        if len(finished) >= 100:
            middle.set()
        if len(finished) == 300:
            done.set()
        return "done"

    workers.start(worker)
    await reached(middle)
    spared = [holder._con.get_server_pid() for holder in board.database.pool._holders if holder._con is not None]
    for _ in range(3):
        await cut(database_url, spared + own_connections)
    await reached(done)
    await workers.stop()
    # A claim whose answer was lost waits for its lease to run out; nothing else may be left.
    left = {item for item, place in (await board.places()).items() if place != "done"}
    assert left.isdisjoint(finished)


class Flaky(DirectTransport):
    """A transport that counts its calls, and loses the answers of the first finishes."""

    finishes: list[int]
    lose = 0

    async def finish(self, finishes):
        answers = await super().finish(finishes)
        self.finishes.append(len(finishes))
        if self.lose:
            self.lose -= 1
            raise DatabaseUnreachable("the connection was lost")
        return answers


async def flaky(url: str, board: str, *, lose: int = 0) -> Flaky:
    transport: Any = await open_transport(url, board=board, agent="backend")
    transport.__class__ = Flaky
    transport.finishes = []
    transport.lose = lose
    return transport


async def test_a_finish_whose_answer_was_lost_is_repeated(board, workers, reached, app_url) -> None:
    items = await board.post_graph({"report": []})
    worker, done = Worker("backend"), asyncio.Event()

    @worker.handler()
    async def handle(work: Work) -> str:
        done.set()
        return "once"

    transport = await flaky(app_url, board.name, lose=2)
    workers.start(worker, transport=transport)
    await reached(done)
    await workers.stop()
    assert transport.finishes == [1, 1, 1]
    assert await board.place(items["report"]) == "done"
    assert await board.fetchval("SELECT count(*) FROM artifact_versions WHERE board = $1") == 1


async def test_finishes_share_calls(board, workers, reached, app_url) -> None:
    await board.post_graph({f"a{number}": [] for number in range(600)})
    worker, done, calls = Worker("backend", batch=500), asyncio.Event(), []

    @worker.handler()
    async def handle(work: Work) -> None:
        calls.append(work.item)
        if len(calls) == 600:
            done.set()

    transport = await flaky(app_url, board.name)
    workers.start(worker, transport=transport)
    await reached(done)
    await workers.stop()
    assert sum(transport.finishes) == 600
    assert len(transport.finishes) <= 30
    assert await board.by_place() == Counter(done=600)


@pytest.mark.parametrize(
    "bad", [Result(summary="no \0 in Postgres"), Result(size_bytes=2**70), Result(note="x" * 1_000_000)]
)
async def test_one_bad_result_does_not_fail_its_neighbours(board, workers, reached, app_url, bad) -> None:
    items = await board.post_graph({f"a{number:02}": [] for number in range(40)})
    worker, done, calls = Worker("backend", batch=40), asyncio.Event(), []

    @worker.handler()
    async def handle(work: Work) -> Result:
        calls.append(work.item)
        if len(calls) == 40:
            done.set()
        return bad if work.artifact == "a17" else Result(summary="fine")

    transport = await flaky(app_url, board.name)
    workers.start(worker, transport=transport)
    await reached(done)
    await workers.stop()
    assert await board.by_place() == Counter(done=39, scheduled=1)
    (attempt,) = await board.fetch("SELECT item, class, error FROM attempts WHERE board = $1 AND outcome = 'failed'")
    assert (attempt["item"], attempt["class"]) == (items["a17"], "validation")
    assert "refused the result" in attempt["error"]


@pytest.mark.parametrize("wake", ["poll", "listen"])
async def test_everything_works_when_notify_is_impossible(board, workers, reached, monkeypatch, wake) -> None:
    async def refuse(url: str, name: str) -> Any:
        raise ConnectionRefusedError(name)

    monkeypatch.setattr(notifications, "_connect", refuse)
    worker, idle, done = Worker("backend", wake=wake, poll_seconds=0.05), asyncio.Event(), asyncio.Event()

    @worker.handler()
    async def handle(work: Work) -> None:
        (idle if work.artifact == "first" else done).set()

    await board.post_graph({"first": []})
    workers.start(worker)
    await reached(idle)
    await board.post_graph({"second": []}, task="later")
    await reached(done)


async def test_a_stuck_handler_that_ignores_its_end_is_left_behind(board, workers, reached, monkeypatch) -> None:
    from slateboard.sdk import run

    monkeypatch.setattr(run, "INTERRUPT_SECONDS", 0.05)
    items = await board.post_graph({"report": []})
    worker, begun, release = Worker("backend", grace_seconds=0), asyncio.Event(), asyncio.Event()

    @worker.handler()
    async def handle(work: Work) -> str:
        begun.set()
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        return "too late"

    workers.start(worker)
    await reached(begun)
    await workers.stop()
    assert await board.place(items["report"]) == "ready"
    release.set()
    await asyncio.sleep(0)


async def test_a_worker_of_an_archived_board_ends_with_that_error(board, workers, reached) -> None:
    from slateboard.protocol.errors import BoardArchived

    await board.post_graph({"report": []})
    worker = Worker("backend")
    begun, archived = asyncio.Event(), asyncio.Event()

    @worker.handler()
    async def handle(_work: Work) -> str:
        begun.set()
        await archived.wait()
        return "too late"

    running = workers.start(worker)
    await reached(begun)
    await board.perform("archive_board", now=True)
    archived.set()
    with pytest.raises(BoardArchived):
        await running
    assert await board.by_place() == {"claimed": 1}
