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

from slateboard.log.archives import FOLDER
from slateboard.protocol.errors import Archived, Conflict, ServerProblem, UnknownName
from slateboard.protocol.export import Export
from slateboard.reports.past.fold import State
from slateboard.server import archiving
from slateboard.server.owner import owner_connection
from slateboard.store.database import Database, connect
from tests.cli.conftest import Slate
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


async def archive(url: str, folder: Path, before: date = TODAY) -> list[archiving.Archive]:
    return (await archive_all(url, folder, before)).archives


async def archive_all(url: str, folder: Path, before: date = TODAY) -> archiving.Made:
    async with owner_connection(url) as connection:
        return await archiving.archive(connection, folder, before=before)


async def partitions(board: BoardUnderTest) -> list[str]:
    rows = await board.fetch("SELECT relname FROM pg_class WHERE $1 > 0 AND relname ~ '^events_[0-9]{8}$'")
    return [row["relname"] for row in rows]


async def test_archived_events_are_a_whole_export(old_board: BoardUnderTest, own_url: str, tmp_path: Path) -> None:
    before = await old_board.log()
    (made,) = await archive(own_url, tmp_path)
    assert (made.board, made.first, made.last) == ("old", 1, len(before))
    with gzip.open(tmp_path / made.file, "rt", encoding="utf-8", newline="\n") as file:
        export = Export(file)
        entries = [entry for page in export.pages() if export.chain.extend(page) for entry in page]
        assert export.finish() is None
    assert [(entry.position, entry.subject) for entry in entries] == [(one.position, one.subject) for one in before]
    assert f"events_{YESTERDAY:%Y%m%d}" not in await partitions(old_board)
    assert (tmp_path / made.file).stat().st_mode & 0o777 == 0o600
    (event,) = await old_board.log(after=made.last)
    assert event.subject == "board.log.archived"
    assert event.payload["hash"] == entries[-1].hash.hex()
    base = gzip.decompress((tmp_path / event.payload["base_file"]).read_bytes())
    assert sha256(base).hexdigest() == event.payload["base_hash"]


async def test_proof_and_past_go_on_across_the_cut(old_board: BoardUnderTest, own_url: str, tmp_path: Path) -> None:
    head = (await old_board.log())[-1].position
    before = await old_board.perform("as_of", position=head)
    await archive(own_url, tmp_path)
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
    (made,) = await archive(own_url, tmp_path)
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
    (first,) = await archive(own_url, tmp_path)
    assert await archive(own_url, tmp_path) == []
    await _live(old_board, "more")
    await old_board.seal()
    await _yesterday(own_url)
    (second,) = await archive(own_url, tmp_path)
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
                await archive(own_url, tmp_path)
        rows = await old_board.fetchval("SELECT count(*) FROM events WHERE board = $1 AND sealed_on < current_date")
        assert rows == count, where
    assert await archive(own_url, tmp_path) == []
    assert f"events_{YESTERDAY:%Y%m%d}" not in await partitions(old_board)
    assert (await old_board.perform("verify_log"))["fault"] is None


async def test_a_log_that_does_not_hold_is_not_moved(old_board: BoardUnderTest, own_url: str, tmp_path: Path) -> None:
    async with owner_connection(own_url) as connection:
        await connection.execute("ALTER TABLE events DISABLE TRIGGER append_only")
        await connection.execute("UPDATE events SET payload = '{}' WHERE position = 3")
    with pytest.raises(ServerProblem, match="position 3"):
        await archive(own_url, tmp_path)
    assert await old_board.fetchval("SELECT count(*) FROM archives WHERE board = $1") == 0
    assert f"events_{YESTERDAY:%Y%m%d}" in await partitions(old_board)


async def test_a_changed_snapshot_is_found(old_board: BoardUnderTest, own_url: str, tmp_path: Path) -> None:
    (made,) = await archive(own_url, tmp_path)
    async with owner_connection(own_url) as connection:
        await connection.execute("UPDATE archives SET base = $1", gzip.compress(b"{}"))
    with pytest.raises(ServerProblem, match="was changed"):
        await old_board.perform("as_of", position=made.last)


async def test_two_at_once_are_one(own_url: str, tmp_path: Path) -> None:
    async with owner_connection(own_url) as other:
        await other.fetchval(archiving.LOCK)
        with pytest.raises(Conflict, match="already"):
            await archive(own_url, tmp_path)


async def _at_each(board: BoardUnderTest, positions: range) -> list[Any]:
    return [await board.perform("as_of", position=position) for position in positions]


async def test_every_position_of_an_archive_can_be_seen(
    old_board: BoardUnderTest, own_url: str, tmp_path: Path
) -> None:
    old_board.database.home = tmp_path
    first = range(1, len(await old_board.log()) + 1)
    before = await _at_each(old_board, first)
    times = [(one["happened_at"], (await old_board.perform("as_of", time=one["happened_at"], of=[]))) for one in before]
    await archive(own_url, tmp_path / FOLDER)
    await _live(old_board, "more")
    await old_board.seal()
    await _yesterday(own_url)
    second = range(len(first) + 1, len(await old_board.log(after=len(first))) + len(first) + 1)
    before += await _at_each(old_board, second)
    await archive(own_url, tmp_path / FOLDER)
    assert await old_board.fetchval("SELECT count(*) FROM archives WHERE board = $1") == 2
    assert await _at_each(old_board, range(1, second.stop)) == before
    for at, found in times:
        assert await old_board.perform("as_of", time=at, of=[]) == found
    with pytest.raises(UnknownName, match="no event at or before"):
        await old_board.perform("as_of", time=datetime.now(UTC) - timedelta(days=9))
    with pytest.raises(UnknownName, match="none 999"):
        await old_board.perform("as_of", position=999)


async def test_an_archive_that_is_not_here_or_not_whole_is_named(
    old_board: BoardUnderTest, own_url: str, tmp_path: Path
) -> None:
    (made,) = await archive(own_url, tmp_path / FOLDER)
    file = tmp_path / FOLDER / made.file
    whole = gzip.decompress(file.read_bytes())
    with pytest.raises(Archived, match="no SLATE_HOME"):
        await old_board.perform("as_of", position=2)
    old_board.database.home = tmp_path / "elsewhere"
    with pytest.raises(Archived, match=made.file) as refused:
        await old_board.perform("as_of", position=2)
    assert f"ask for position {made.last}" in refused.value.remedy
    old_board.database.home = tmp_path
    for spoiled, where in (
        (file.read_bytes()[:200], "cannot be read"),
        (gzip.compress(whole.replace(b"board.task.posted", b"board.task.poster")), "damaged at position"),
        (gzip.compress(b"".join(whole.splitlines(keepends=True)[:3])), "damaged at position 3"),
        (gzip.compress(whole.replace(b'"after":0', b'"after":1', 1)), "does not begin where it should"),
        (b"no archive", "cannot be read"),
    ):
        file.write_bytes(spoiled)
        with pytest.raises(ServerProblem, match=where):
            await old_board.perform("as_of", position=made.last - 1)


async def test_the_commands_archive_and_look_back(
    old_board: BoardUnderTest, own_url: str, server: servers.Server, own_name: str, tmp_path: Path
) -> None:
    head = len(await old_board.log())
    home = {"SLATE_HOME": str(tmp_path), "SLATE_BOARD": "old", "SLATE_AGENT": "", "SLATE_LOG_LEVEL": ""}
    owner = Slate({**home, "SLATE_DATABASE_URL": own_url})
    slate = Slate({**home, "SLATE_DATABASE_URL": server.app_of(own_name)})
    looks = (
        ("get", "artifacts"), ("get", "items", "--place", "ready"), ("tree",), ("tree", "work", "--depth", 1),
        ("show", "work/a"), ("show", "work"),
    )  # fmt: skip
    before = {(look, at): await slate.ok(*look, "--as-of", at) for look in looks for at in range(6, head + 1)}
    assert (await owner.wrong(2, "log", "archive", "--before", "soon"))["code"]
    assert (await owner.wrong(2, "log", "archive"))["code"]
    tomorrow = await owner.wrong(2, "log", "archive", "--before", TODAY + timedelta(days=2))
    assert (tomorrow["code"], str(TODAY) in tomorrow["remedy"]) == ("invalid", True)
    assert (await owner.wrong(4, "log", "archive", "--before", 999))["code"] == "unknown_name"
    assert await owner.ok("log", "archive", "--before", YESTERDAY) == {"archives": [], "held": []}
    await slate.ok("subscription", "add", "slow", "board.task.*", "--agent", "backend", "--start", "beginning")
    held = await owner.ok("log", "archive", "--before", TODAY)
    assert (held["archives"], held["held"][0]["position"]) == ([], 1)
    assert "the subscription slow stands there" in (await owner("log", "archive", "--before", TODAY)).out
    await slate.ok("subscription", "rewind", "slow", "--to", "now")
    done = await owner.ok("log", "archive", "--before", TODAY)
    assert (done["archives"][0]["last"], done["held"]) == (head, [])
    assert (await owner("log", "archive", "--before", TODAY)).out == "nothing is older than that\n"
    error = await slate.wrong(4, "subscription", "rewind", "slow", "--to", "beginning")
    assert (error["code"], f"position {head + 1}" in error["remedy"]) == ("archived", True)
    for (look, at), was in before.items():
        assert await slate.ok(*look, "--as-of", at) == was
        assert (await slate(*look, "--as-of", at)).code == 0
    assert (await slate.wrong(4, "tree", "--as-of", 999))["code"] == "unknown_name"
    assert (await slate.wrong(4, "show", "work/a", "--as-of", 1))["code"] == "unknown_name"
    assert (await slate.wrong(2, "show", "work/a", "--as-of", "then"))["code"]
    assert (await slate.wrong(4, "get", "tasks", "--as-of", "2000-01-01"))["code"] == "unknown_name"
    assert (await slate.wrong(2, "get", "tasks", "--as-of", "other@3"))["code"] == "invalid"
    assert (await slate.wrong(4, "tree", "--as-of", 2, SLATE_HOME=str(tmp_path / "x")))["code"] == "archived"


async def test_the_log_of_an_archived_board_is_archived_too(
    old_board: BoardUnderTest, own_url: str, tmp_path: Path
) -> None:
    await old_board.perform("archive_board", now=True)
    await old_board.seal()
    head = await old_board.perform("log_head")
    before = await live_tables(old_board)
    await _yesterday(own_url)
    (made,) = await archive(own_url, tmp_path)
    assert (made.first, made.last) == (1, head)
    (event,) = await old_board.log()
    assert (event.position, event.subject) == (head + 1, "board.log.archived")
    proof = await old_board.perform("verify_log")
    assert (proof["fault"], proof["position"], proof["whole"]) == (None, head + 1, True)
    await old_board.perform("unarchive_board")
    assert (await live_tables(old_board))["places"] == before["places"]
    await old_board.perform("archive_board", now=True)
    await old_board.seal()
    gone = await old_board.perform("delete_board", confirm=old_board.name)
    assert gone["position"] == head + 3
    assert (tmp_path / made.file).exists()
