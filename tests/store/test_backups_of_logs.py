"""A dump that is restored into a fresh cluster goes on from the same order, cursors and chain."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from slateboard.log import checkpoints, signing
from slateboard.server import checkpointing, maintenance, routing
from slateboard.server.duty import Duty
from slateboard.store import binaries
from slateboard.store import place as places
from slateboard.store.backups import backup, restore
from slateboard.store.database import Database, connect
from slateboard.store.embedded import Embedded
from tests.support import servers
from tests.support.boards import BoardUnderTest, new_board
from tests.support.invariants import check_board, check_log

DELIVERIES = "SELECT position, item FROM deliveries WHERE board = $1 ORDER BY item"


@pytest.fixture
def old_name(server: servers.Server) -> Iterator[str]:
    with servers.database(server, "dumped") as name:
        yield name


@pytest_asyncio.fixture
async def old(server: servers.Server, old_name: str) -> AsyncIterator[Database]:
    opened = await connect(server.app_of(old_name), size=4)
    yield opened
    await opened.close()


@pytest.fixture
def fresh_cluster(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The URLs of the owner and of the application in another cluster, whose database is empty."""
    folder = Path(tempfile.mkdtemp(prefix="slate-test-", dir="/tmp"))
    folder.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(places, "SYSTEM_FOLDER", folder)
        cluster = Embedded(tmp_path / "fresh")
        run = cluster.start(lambda _line: None)
        binaries.query(run.owner_url, "CREATE DATABASE restored", what="the test's query")
        yield binaries.with_database(run.owner_url, "restored"), binaries.with_database(run.app_url, "restored")
        cluster.stop("immediate")
    shutil.rmtree(folder)


def duty_of(database: Database, url: str, home: Path) -> Duty:
    return Duty(
        database=database, owner_url=url, wake=lambda _board, _inboxes: None, sealed=lambda _board: None, home=home
    )


async def publish(board: BoardUnderTest, *numbers: int) -> None:
    for number in numbers:
        await board.perform("publish", subject="genbrain.events.merged", data={"number": number}, id=f"n{number}")


async def routed(board: BoardUnderTest, duty: Duty) -> None:
    await board.seal()
    for _ in range(20):
        if not await routing.route_once(duty):
            break


async def test_a_dump_goes_on_in_a_fresh_cluster(
    server: servers.Server, old: Database, old_name: str, fresh_cluster: tuple[str, str], tmp_path: Path
) -> None:
    owner_url, app_url = fresh_cluster
    home = tmp_path / "home"
    home.mkdir()
    board = await new_board(old, "moved", agents=("backend",))
    items = await board.post_graph({"spec": [], "code": ["spec"]})
    await board.complete(items["spec"])
    await board.perform("subscribe", name="merges", patterns=["genbrain.>"], agent="backend")
    duty = duty_of(old, server.owner_of(old_name), home)
    await publish(board, 1, 2)
    await routed(board, duty)
    await checkpointing.sign_checkpoints(duty)
    # Sealed and not routed, and committed and not sealed: the dump has them in the midst of their way.
    await publish(board, 3)
    await board.seal()
    await publish(board, 4)
    head = await board.perform("log_head")
    log, deliveries = await board.perform("read_log"), await board.fetch(DELIVERIES)
    exported = await board.perform("export_log")
    waiting = await board.fetch("SELECT id FROM event_outbox WHERE board = $1")
    assert (len(deliveries), len(waiting)) == (2, 1)

    file = tmp_path / "board.backup"
    await asyncio.to_thread(backup, server.owner_of(old_name), file)
    await asyncio.to_thread(restore, file, owner_url, afterwards=maintenance.NEW_FENCES)
    database = await connect(app_url, size=4)
    try:
        moved = replace(board, database=database)
        assert await moved.fetch(DELIVERIES) == deliveries
        assert (await moved.perform("read_log", limit=head))[: len(log)] == log
        assert await moved.perform("export_log", limit=head) == exported
        duty = duty_of(database, owner_url, home)
        await publish(moved, 4, 5)
        await routed(moved, duty)
        events = await moved.log()
        ids = [row["id"] for row in await moved.fetch("SELECT id FROM events WHERE board = $1 ORDER BY position")]
        assert ids[head] == waiting[0]["id"], "the outbox goes on where it stood"
        assert ids[head:] == sorted(set(ids[head:]))
        assert ids[head - 1] < ids[head]
        published = [event for event in events if event.subject == "genbrain.events.merged"]
        assert [event.payload["number"] for event in published] == [1, 2, 3, 4, 5], "what was published is known"
        assert [row["position"] for row in await moved.fetch(DELIVERIES)] == [event.position for event in published]
        await checkpointing.sign_checkpoints(duty)
        assert not duty.troubles
        signed = checkpoints.read(
            checkpoints.files(home, "moved"), signing.public_keys(home), log=(await moved.perform("verify_log"))["log"]
        )
        known = [{"position": one.position, "hash": one.hash} for one in signed]
        assert len(known) == 2
        answer = await moved.perform("verify_log", checkpoints=known)
        assert (answer["fault"], answer["whole"]) == (None, True)
        await moved.complete(items["code"])
        await check_board(moved)
        await check_log(moved)
    finally:
        await database.close()
