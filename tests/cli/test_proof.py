"""`slate log verify`, `export`, `erase` and `rotate-key`: the proof as people ask for it."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from slateboard.cli import proof
from slateboard.log import checkpoints, signing
from slateboard.protocol.names import BoardId
from slateboard.server import checkpointing
from slateboard.server.duty import Duty
from tests.cli.conftest import Slate
from tests.support.boards import BoardUnderTest


@pytest.fixture
def home(slate: Slate, tmp_path: Path) -> Path:
    """A home of its own, which the command uses too."""
    slate.environment["SLATE_HOME"] = str(tmp_path)
    return tmp_path


@pytest.fixture
def duty(board: BoardUnderTest, database_url: str, home: Path) -> Duty:
    """The leader's means, in that home."""

    def nobody(_board: BoardId | int, _inboxes: Any = None) -> None:
        """There is nobody to tell."""

    return Duty(database=board.database, owner_url=database_url, wake=nobody, sealed=nobody, home=home)


async def forge(database_url: str, sql: str, *arguments: Any) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction():
            await connection.execute("ALTER TABLE events DISABLE TRIGGER append_only")
            await connection.execute(sql, *arguments)
            await connection.execute("ALTER TABLE events ENABLE TRIGGER append_only")
    finally:
        await connection.close()


async def grow(board: BoardUnderTest) -> int:
    await board.post_graph({"spec": [], "code": ["spec"]}, task=f"t{await board.perform('log_head')}")
    await board.seal()
    return await board.perform("log_head")


async def test_a_log_is_proved_with_every_checkpoint_of_its_home(
    slate: Slate, board: BoardUnderTest, duty: Duty, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof, "VERIFY_EVENTS", 3)
    for _ in range(3):
        head = await grow(board)
        await checkpointing.sign_checkpoints(duty)
    answer = await slate.ok("log", "verify")
    assert (answer["last"], answer["count"], answer["checkpoints"], answer["signed_up_to"]) == (head, head, 3, head)
    monkeypatch.setattr(proof, "VERIFY_CHECKPOINTS", 2)
    assert (await slate.ok("log", "verify"))["checkpoints"] == 3
    since = await slate.ok("log", "verify", "--since-checkpoint", "last")
    assert (since["count"], since["checkpoints"]) == (0, 1)
    told = await slate("log", "verify")
    assert "is whole" in told.out
    assert "3 signed checkpoints fit" in told.out


async def test_only_what_has_grown_is_signed_again(board: BoardUnderTest, duty: Duty, home: Path) -> None:
    await grow(board)
    for _ in range(2):
        await checkpointing.sign_checkpoints(duty)
    (path,) = checkpoints.files(home, board.name)
    assert len(path.read_text().splitlines()) == 1


async def test_a_changed_log_is_a_conflict_that_names_the_position(
    slate: Slate, board: BoardUnderTest, database_url: str, home: Path
) -> None:
    await grow(board)
    await forge(database_url, "UPDATE events SET actor = 'nobody' WHERE board = $1 AND position = 3", board.id)
    error = await slate.wrong(5, "log", "verify")
    assert error["code"] == "broken_log"
    assert (error["details"]["position"], error["details"]["kind"]) == (3, "changed")


async def test_a_log_that_is_shorter_than_what_was_signed_is_cut_off(
    slate: Slate, board: BoardUnderTest, duty: Duty, database_url: str
) -> None:
    head = await grow(board)
    await checkpointing.sign_checkpoints(duty)
    await forge(database_url, "DELETE FROM events WHERE board = $1 AND position = $2", board.id, head)
    await forge(
        database_url,
        "UPDATE event_heads SET (position, hash) = (SELECT position, hash FROM events WHERE board = $1"
        " AND position = $2 - 1) WHERE board = $1",
        board.id,
        head,
    )
    for options in ((), ("--since-checkpoint", "last")):
        error = await slate.wrong(5, "log", "verify", *options)
        assert (error["details"]["kind"], error["details"]["position"]) == ("cut_off", head)
    await slate.ok("log", "verify", "--no-checkpoints")


async def test_checkpoints_of_another_log_are_refused(
    slate: Slate, board: BoardUnderTest, duty: Duty, home: Path
) -> None:
    await grow(board)
    await checkpointing.sign_checkpoints(duty)
    (path,) = checkpoints.files(home, board.name)
    name, _, _ = path.name.partition(".")
    path.rename(path.with_name(f"{name}.{'0' * 32}.jsonl"))
    assert (await slate.wrong(5, "log", "verify"))["code"] == "wrong_log"
    other = await slate.ok("board", "add", f"{board.name}-other")
    assert other
    await board.seal()
    copied = path.with_name(f"{name}.{'0' * 32}.jsonl")
    error = await slate.wrong(5, "log", "verify", "--board", f"{board.name}-other", "--checkpoints", copied)
    assert error["code"] == "wrong_log"


async def test_an_export_proves_itself_without_a_database(
    slate: Slate, board: BoardUnderTest, duty: Duty, home: Path
) -> None:
    head = await grow(board)
    await checkpointing.sign_checkpoints(duty)
    nowhere = {"SLATE_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"}
    for name in ("log.jsonl", "log.jsonl.gz"):
        file = home / name
        written = await slate.ok("log", "export", "-o", file)
        assert (written["count"], written["position"]) == (head, head)
        answer = await slate.ok("log", "verify", "--file", file, **nowhere)
        assert (answer["count"], answer["hash"], answer["checkpoints"]) == (head, written["hash"], 1)
        data = file.read_bytes()
        file.write_bytes(data[: len(data) * 2 // 3])
        error = await slate.wrong(5, "log", "verify", "--file", file, **nowhere)
        assert "cut off" in error["message"]
    file.write_bytes(gzip.compress(b"nonsense\n"))
    assert (await slate.wrong(2, "log", "verify", "--file", file, **nowhere))["code"] == "bad_export"


async def test_an_export_is_proved_from_standard_input(slate: Slate, board: BoardUnderTest, home: Path) -> None:
    head = await grow(board)
    text = (await slate("log", "export")).out
    answer = await slate.ok("log", "verify", "--file", "-", given=text)
    assert answer["count"] == head
    assert (await slate.wrong(5, "log", "verify", "--file", "-", given=text[:-9]))["details"]["kind"] == "cut_off"
    changed = text.replace('"actor":"', '"actor":"x', 1)
    error = await slate.wrong(5, "log", "verify", "--file", "-", given=changed)
    assert (error["details"]["kind"], error["details"]["position"]) == ("changed", 1)
    lost = text.splitlines(keepends=True)
    error = await slate.wrong(5, "log", "verify", "--file", "-", given="".join(lost[:3] + lost[4:]))
    assert (error["details"]["kind"], error["details"]["position"]) == ("missing", 3)


async def test_an_export_is_proved_across_a_new_key_and_what_was_erased(
    slate: Slate, board: BoardUnderTest, duty: Duty, home: Path
) -> None:
    await grow(board)
    await checkpointing.sign_checkpoints(duty)
    await slate.ok("log", "rotate-key")
    await slate.ok("log", "erase", 3, "--reason", "an API key")
    await board.seal()
    await checkpointing.sign_checkpoints(duty)
    await slate.ok("log", "export", "-o", home / "log.jsonl")
    assert (await slate.ok("log", "verify", "--file", home / "log.jsonl"))["checkpoints"] == 2


async def test_checkpoints_that_a_key_of_another_home_signed_are_refused(
    slate: Slate, board: BoardUnderTest, duty: Duty, home: Path
) -> None:
    await grow(board)
    await checkpointing.sign_checkpoints(duty)
    await slate.ok("log", "export", "-o", home / "log.jsonl")
    (home / signing.KEYS_FILE).unlink()
    (home / signing.KEY_FILE).unlink()
    signing.load_or_make(home)
    for options in ((), ("--file", home / "log.jsonl")):
        error = await slate.wrong(5, "log", "verify", *options)
        assert error["code"] == "wrong_log"
        assert "not signed by a key of this home" in error["message"]


async def test_lost_checkpoints_are_said(slate: Slate, board: BoardUnderTest, duty: Duty, home: Path) -> None:
    await grow(board)
    await checkpointing.sign_checkpoints(duty)
    checkpoints.files(home, board.name)[0].unlink()
    told = await slate("log", "verify")
    assert told.code == 0
    assert "it was compared with no signed checkpoint" in told.out


async def test_a_part_is_exported(slate: Slate, board: BoardUnderTest, home: Path) -> None:
    head = await grow(board)
    done = await slate("log", "export", "--from", 3, "--to", 5)
    assert len(done.out.splitlines()) == 5
    (home / "part.jsonl").write_text(done.out)
    answer = await slate.ok("log", "verify", "--file", home / "part.jsonl")
    assert (answer["first"], answer["last"], answer["count"]) == (3, 5, 3)
    await slate.wrong(2, "log", "export", "--to", head + 1, "-o", home / "more.jsonl")
    assert not (home / "more.jsonl").exists()
    await slate.wrong(2, "log", "export")


async def test_a_secret_is_erased(slate: Slate, board: BoardUnderTest) -> None:
    await grow(board)
    answer = await slate.ok("log", "erase", 3, "--reason", "an API key")
    assert answer["position"] == 3
    await board.seal()
    await slate.ok("log", "verify", "--no-checkpoints")
    assert "null" in (await slate("log", "tail", "--json")).out
    assert (await slate("log", "tail")).code == 0
    assert (await slate("log", "list")).code == 0
    await slate.wrong(5, "log", "erase", 3, "--reason", "again")


async def test_a_new_key_is_told_in_the_log_and_old_checkpoints_stay_good(
    slate: Slate, board: BoardUnderTest, duty: Duty, home: Path
) -> None:
    await grow(board)
    await checkpointing.sign_checkpoints(duty)
    before = signing.load(home)
    assert before is not None
    rotated = await slate.ok("log", "rotate-key")
    assert rotated["previous"] == before.id
    assert board.name in rotated["boards"]
    await board.seal()
    await checkpointing.sign_checkpoints(duty)
    (event,) = await board.log(subject="board.key.changed")
    assert event.payload["key"] == rotated["key"]
    assert (await slate.ok("log", "verify"))["checkpoints"] == 2


async def test_options_that_exclude_each_other_are_refused(slate: Slate, home: Path, board: BoardUnderTest) -> None:
    await board.seal()
    (home / "file").write_text("")
    await slate.wrong(2, "log", "verify", "--no-checkpoints", "--since-checkpoint", "last")
    await slate.wrong(2, "log", "verify", "--file", home / "file", "--since-checkpoint", "last")
    await slate.wrong(4, "log", "verify", "--since-checkpoint", "last")


async def test_the_archives_before_a_log_are_proved_with_it(
    slate: Slate, board: BoardUnderTest, database_url: str, home: Path
) -> None:
    await grow(board)
    folder = home / "archive"
    folder.mkdir()
    for first, last in ((1, 2), (3, 5)):
        file = folder / f"{board.name}-{board.id}-{first}-{last}.jsonl.gz"
        await slate.ok("log", "export", "--from", first, "--to", last, "-o", file)
    keep = (
        "INSERT INTO archives (board, first_position, last_position, hash, last_happened_at, file, base_file, base,"
        " base_hash, archived_at) SELECT $1, 3, 5, hash, happened_at, 'f', 'b', '', '', now()"
        " FROM events WHERE board = $1 AND position = 5"
    )
    await forge(database_url, keep, board.id)
    await forge(database_url, "DELETE FROM events WHERE board = $1 AND position <= 5", board.id)
    answer = await slate.ok("log", "verify")
    assert (answer["first"], answer["archives"]) == (6, {"files": 2, "count": 5})
    assert "in the archives before them (2) are whole too" in (await slate("log", "verify")).out
    rest = await slate("log", "export", "-o", home / "rest.jsonl")
    assert "positions 1 to 5 are in archives" in rest.err
    assert (await slate.wrong(4, "log", "export", "--from", 3, "-o", home / "no.jsonl"))["code"] == "archived"
    assert not (home / "no.jsonl").exists()
    whole = file.read_bytes()
    for damaged, kind, position in (
        (whole[: len(whole) // 2], "cut_off", None),
        (gzip.compress(gzip.decompress(whole).replace(b'"actor":"', b'"actor":"x', 1)), "changed", 3),
        (gzip.compress(b"".join(gzip.decompress(whole).splitlines(keepends=True)[:2])), "cut_off", 4),
        (None, "missing", 3),
    ):
        file.write_bytes(damaged) if damaged is not None else file.unlink()
        details = (await slate.wrong(5, "log", "verify"))["details"]
        assert details["kind"] == kind
        assert details["position"] == position or position is None
    file.write_bytes(whole)
    await forge(database_url, "UPDATE archives SET hash = sha256('') WHERE board = $1", board.id)
    assert (await slate.wrong(5, "log", "verify"))["details"]["position"] == 6
    for one in folder.iterdir():
        one.unlink()
    await forge(database_url, "UPDATE archives SET hash = $2 WHERE board = $1", board.id, bytes.fromhex("00"))
    await slate.wrong(5, "log", "verify")
