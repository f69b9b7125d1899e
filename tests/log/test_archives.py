"""Archiving: nothing is lost, and the proof and the past go on across the cut."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from slateboard.protocol.errors import Archived, Conflict, ServerProblem
from slateboard.protocol.export import Export
from slateboard.reports.fold import State
from slateboard.server import archiving
from slateboard.server.owner import owner_connection
from slateboard.store.database import Database, connect
from tests.support import servers
from tests.support.boards import BoardUnderTest, new_board
from tests.support.live import folded, live_tables

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)
TODAY = datetime.now(UTC).date()


@pytest.fixture
def own_name(server: servers.Server, request: pytest.FixtureRequest) -> Iterator[str]:
    """A database that this test alone uses."""
    worker = getattr(request.config, "workerinput", {}).get("workerid", "main")
    with servers.database(server, f"archive_{worker}") as name:
        yield name


@pytest.fixture
def own_url(server: servers.Server, own_name: str) -> str:
    """Its owner's URL."""
    return server.owner_of(own_name)


@pytest_asyncio.fixture
async def own(server: servers.Server, own_name: str) -> AsyncIterator[Database]:
    """A pool on that database, as the application's role."""
    opened = await connect(server.app_of(own_name), size=4)
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def old_board(own: Database, own_url: str) -> BoardUnderTest:
    """A board with some life, all of which was sealed yesterday."""
    board = await new_board(own, "old", agents=("backend", "frontend"))
    await _live(board)
    await board.seal()
    await _yesterday(own_url)
    return board


async def _live(board: BoardUnderTest, task: str = "work") -> None:
    items = await board.post_graph({"a": [], "b": ["a"], "c": []}, task=task)
    await board.complete(items["a"])
    await board.bury(items["c"])
    await board.claim_item(items["b"])
    await board.perform("decide", decision=f"Use {task}")


async def _yesterday(url: str) -> None:
    """Let everything that is sealed have been sealed yesterday."""
    async with owner_connection(url) as connection, connection.transaction():
        await connection.execute("CREATE TEMP TABLE kept ON COMMIT DROP AS SELECT * FROM events")
        await connection.execute(f"UPDATE kept SET sealed_on = '{YESTERDAY}'")
        await connection.execute("TRUNCATE events")
        await connection.execute(
            f"CREATE TABLE IF NOT EXISTS events_{YESTERDAY:%Y%m%d} PARTITION OF events"
            f" FOR VALUES FROM ('{YESTERDAY}') TO ('{TODAY}')"
        )
        await connection.execute("INSERT INTO events SELECT * FROM kept")


async def _archive(url: str, folder: Path, before: date = TODAY) -> list[archiving.Archive]:
    async with owner_connection(url) as connection:
        return (await archiving.archive(connection, folder, before=before)).archives


async def _partitions(board: BoardUnderTest) -> list[str]:
    rows = await board.fetch("SELECT relname FROM pg_class WHERE $1 > 0 AND relname ~ '^events_[0-9]{8}$'")
    return [row["relname"] for row in rows]


async def test_archived_events_are_a_whole_export(old_board: BoardUnderTest, own_url: str, tmp_path: Path) -> None:
    before = await old_board.log()
    (made,) = await _archive(own_url, tmp_path)
    assert (made.board, made.first, made.last) == ("old", 1, len(before))
    with gzip.open(tmp_path / made.file, "rt", encoding="utf-8", newline="\n") as file:
        export = Export(file)
        entries = [entry for page in export.pages() if export.chain.extend(page) for entry in page]
        assert export.finish() is None
    assert [(entry.position, entry.subject) for entry in entries] == [(one.position, one.subject) for one in before]
    assert f"events_{YESTERDAY:%Y%m%d}" not in await _partitions(old_board)
    assert (tmp_path / made.file).stat().st_mode & 0o777 == 0o600
    (event,) = await old_board.log(after=made.last)
    assert event.subject == "board.log.archived"
    assert event.payload["hash"] == entries[-1].hash.hex()
    base = gzip.decompress((tmp_path / event.payload["base_file"]).read_bytes())
    assert sha256(base).hexdigest() == event.payload["base_hash"]


async def test_proof_and_past_go_on_across_the_cut(old_board: BoardUnderTest, own_url: str, tmp_path: Path) -> None:
    head = (await old_board.log())[-1].position
    before = await old_board.perform("as_of", position=head)
    await _archive(own_url, tmp_path)
    await _live(old_board, "more")
    await old_board.seal()
    proof = await old_board.perform("verify_log")
    assert (proof["fault"], proof["whole"], proof["after"]) == (None, True, head)
    assert await old_board.perform("as_of", position=head) == before
    data = await old_board.fetchval("SELECT base FROM archives WHERE board = $1")
    state = await folded(old_board, State.load(gzip.decompress(data)))
    assert state.tables == await live_tables(old_board)
    assert (await old_board.perform("as_of", position=state.position))["position"] == state.position


async def test_what_is_archived_is_refused_by_its_name(old_board: BoardUnderTest, own_url: str, tmp_path: Path) -> None:
    (made,) = await _archive(own_url, tmp_path)
    await old_board.seal()
    for operation, arguments in (
        ("read_log", {"after": 2}),
        ("as_of", {"position": 2}),
        ("as_of", {"time": datetime.now(UTC) - timedelta(days=9)}),
    ):
        with pytest.raises(Archived) as refused:
            await old_board.perform(operation, **arguments)
        assert str(made.last) in refused.value.message + refused.value.remedy or operation == "as_of"
    rows = await old_board.perform("read_log", after=made.last)
    assert [row["position"] for row in rows] == [made.last + 1]
    assert await old_board.perform("read_log", after=0) == rows


async def test_a_second_archive_goes_on_after_the_first(
    old_board: BoardUnderTest, own_url: str, tmp_path: Path
) -> None:
    (first,) = await _archive(own_url, tmp_path)
    assert await _archive(own_url, tmp_path) == []
    await _live(old_board, "more")
    await old_board.seal()
    await _yesterday(own_url)
    (second,) = await _archive(own_url, tmp_path)
    assert second.first == first.last + 1
    state = await folded(old_board)
    assert state.position == 0 or state.tables  # what is left is the second archive's own event
    assert (await old_board.perform("verify_log"))["fault"] is None


async def test_a_crash_before_the_row_loses_nothing(
    old_board: BoardUnderTest, own_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = len(await old_board.log())

    async def crash(*_arguments: Any, **_named: Any) -> None:
        raise RuntimeError("the machine stopped")

    for where, name in (("state_at", "state_at"), ("drop_partitions", "drop_partitions")):
        with monkeypatch.context() as patched:
            patched.setattr(archiving, name, crash)
            with pytest.raises(RuntimeError, match="the machine stopped"):
                await _archive(own_url, tmp_path)
        rows = await old_board.fetchval("SELECT count(*) FROM events WHERE board = $1 AND sealed_on < current_date")
        assert rows == count, where
    assert await _archive(own_url, tmp_path) == []
    assert f"events_{YESTERDAY:%Y%m%d}" not in await _partitions(old_board)
    assert (await old_board.perform("verify_log"))["fault"] is None


async def test_a_log_that_does_not_hold_is_not_moved(old_board: BoardUnderTest, own_url: str, tmp_path: Path) -> None:
    async with owner_connection(own_url) as connection:
        await connection.execute("ALTER TABLE events DISABLE TRIGGER append_only")
        await connection.execute("UPDATE events SET payload = '{}' WHERE position = 3")
    with pytest.raises(ServerProblem, match="position 3"):
        await _archive(own_url, tmp_path)
    assert await old_board.fetchval("SELECT count(*) FROM archives WHERE board = $1") == 0
    assert f"events_{YESTERDAY:%Y%m%d}" in await _partitions(old_board)


async def test_a_changed_snapshot_is_found(old_board: BoardUnderTest, own_url: str, tmp_path: Path) -> None:
    (made,) = await _archive(own_url, tmp_path)
    async with owner_connection(own_url) as connection:
        await connection.execute("UPDATE archives SET base = $1", gzip.compress(b"{}"))
    with pytest.raises(ServerProblem, match="was changed"):
        await old_board.perform("as_of", position=made.last)


async def test_two_at_once_are_one(own_url: str, tmp_path: Path) -> None:
    async with owner_connection(own_url) as other:
        await other.fetchval(archiving.LOCK)
        with pytest.raises(Conflict, match="already"):
            await _archive(own_url, tmp_path)
