"""Wake-ups over NOTIFY: who hears what, and that nobody hears itself."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
import pytest_asyncio

from slateboard import NewArtifact, NewTask, Work, Worker
from slateboard.store import notifications
from slateboard.store.notifications import (
    INBOXES_PER_MESSAGE,
    LOG_CHANNEL,
    WORK_CHANNEL,
    Listener,
    Notifier,
    Watch,
    listener_of,
)

SOON_SECONDS = 20
BOARD = 4711


@pytest_asyncio.fixture
async def listener(app_url):
    opened = Listener(app_url, WORK_CHANNEL)
    yield opened
    for watch in list(opened._watches):
        await watch.close()


@pytest_asyncio.fixture
async def log_listener(app_url):
    opened = Listener(app_url, LOG_CHANNEL)
    yield opened
    for watch in list(opened._watches):
        await watch.close()


@pytest_asyncio.fixture
async def notifier(app_url):
    opened = Notifier(app_url)
    yield opened
    await opened.close()


async def heard_first(watch) -> None:
    """The first hint is that the connection listens."""
    assert await watch.wait(SOON_SECONDS)


async def test_a_hint_reaches_those_it_concerns(listener, notifier) -> None:
    mine, other_board = listener.watch(BOARD, [7, 8]), listener.watch(BOARD + 1, [7, 8])
    other_inbox, own = listener.watch(BOARD, [9]), listener.watch(BOARD, [7], ignoring=notifier.sender)
    for watch in (mine, other_board, other_inbox, own):
        await heard_first(watch)
    notifier.wake(BOARD, [7])
    assert await mine.wait(SOON_SECONDS)
    notifier.wake(BOARD, [9])
    assert await other_inbox.wait(SOON_SECONDS)
    assert not await own.wait(0)
    assert not await other_board.wait(0)


async def test_a_log_that_grew_is_told_at_once_with_what_was_gathered(
    listener, log_listener, notifier, monkeypatch
) -> None:
    monkeypatch.setattr(notifications, "GATHER_SECONDS", 10 * SOON_SECONDS)
    work, log = listener.watch(BOARD, [7]), log_listener.watch(BOARD)
    for watch in (work, log):
        await heard_first(watch)
    notifier.wake(BOARD, [7])
    assert await work.wait(SOON_SECONDS)
    notifier.wake(BOARD, [7])
    for _ in range(2):
        notifier.sealed(BOARD)
        assert await log.wait(SOON_SECONDS)
    assert await work.wait(SOON_SECONDS)  # another connection's: it need not have heard of it first


async def test_hints_of_a_moment_share_messages_below_the_limit(app_url, notifier) -> None:
    connection = await asyncpg.connect(app_url)
    payloads: list[str] = []
    enough = asyncio.Event()

    def heard(_connection, _pid, _channel, payload: str) -> None:
        payloads.append(payload)
        if sum(len(one.split()[2].split(",")) for one in payloads) == 1000:
            enough.set()

    await connection.add_listener("slateboard_work", heard)
    for inbox in range(1000):
        notifier.wake(BOARD, [2**62 + inbox])
    async with asyncio.timeout(SOON_SECONDS):
        await enough.wait()
    await connection.close()
    assert len(payloads) <= 1000 / INBOXES_PER_MESSAGE + 2
    assert max(map(len, payloads)) < 8000


async def test_a_lost_listener_comes_back_and_wakes_everybody(listener, database_url, notifier) -> None:
    watch = listener.watch(BOARD, [7])
    await heard_first(watch)
    connection = await asyncpg.connect(database_url)
    ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND"
    assert await connection.fetchval(f"{ended} application_name = 'slateboard-listener'")
    await connection.close()
    assert await watch.wait(SOON_SECONDS)
    notifier.wake(BOARD, [7])
    assert await watch.wait(SOON_SECONDS)


async def test_a_lost_notifier_comes_back(listener, database_url, notifier) -> None:
    watch = listener.watch(BOARD, [7])
    await heard_first(watch)
    notifier.wake(BOARD, [7])
    assert await watch.wait(SOON_SECONDS)
    connection = await asyncpg.connect(database_url)
    ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND"
    assert await connection.fetchval(f"{ended} application_name = 'slateboard-notifier'")
    await connection.close()
    heard = False
    for _ in range(10):  # the hint that meets the lost connection may be lost with it
        notifier.wake(BOARD, [7])
        heard = heard or await watch.wait(1)
    assert heard


async def test_the_log_has_a_channel_of_its_own(listener, log_listener, notifier) -> None:
    follower, other, worker = log_listener.watch(BOARD), log_listener.watch(BOARD + 1), listener.watch(BOARD, [7])
    for watch in (follower, other, worker):
        await heard_first(watch)
    notifier.sealed(BOARD)
    assert await follower.wait(SOON_SECONDS)
    notifier.wake(BOARD + 1, [7])
    notifier.sealed(BOARD)
    assert await follower.wait(SOON_SECONDS)
    assert not await other.wait(0)
    assert not await worker.wait(0)


async def test_what_is_no_message_of_ours_is_passed_over(listener, app_url, notifier) -> None:
    watch = listener.watch(BOARD, [7])
    await heard_first(watch)
    connection = await asyncpg.connect(app_url)
    for payload in ("", "x", "a b c", f"s {BOARD} 7,x"):
        await connection.execute("SELECT pg_notify('slateboard_work', $1)", payload)
    await connection.close()
    notifier.wake(BOARD, [7])
    assert await watch.wait(SOON_SECONDS)


async def test_a_process_has_one_listening_connection_for_a_channel(app_url) -> None:
    assert listener_of(app_url, WORK_CHANNEL) is listener_of(app_url, WORK_CHANNEL)


async def test_an_idle_worker_is_woken_by_what_others_post(board, workers, reached, until, client) -> None:
    worker, done = Worker("cto", poll_seconds=3600), asyncio.Event()

    @worker.handler()
    async def handle(work: Work) -> None:
        done.set()

    task = workers.start(worker)
    listener = listener_of(client.transport._database.url, WORK_CHANNEL)
    async with asyncio.timeout(SOON_SECONDS):
        await until(lambda: listener._watches)
        await listener.listening.wait()
    await client.post(tasks=[NewTask(name="t", title="t")], artifacts=[NewArtifact(task="t", name="a", owner="cto")])
    await reached(done)
    assert not task.done()


@pytest.mark.parametrize("count", [1, 3])
async def test_closing_the_last_watch_ends_the_connection(listener, count) -> None:
    watches = [listener.watch(BOARD, [number]) for number in range(count)]
    for watch in watches:
        await heard_first(watch)
    for watch in watches:
        assert listener.listening.is_set()
        await watch.close()
    assert not listener.listening.is_set()
    assert listener._task is None


async def test_a_wait_that_is_cancelled_while_a_hint_comes_ends_all_the_same() -> None:
    watch = Watch(None, set(), None)
    waiting = asyncio.create_task(watch.wait(3600))
    await asyncio.sleep(0)
    watch.set()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
