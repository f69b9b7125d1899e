"""The leader signs only what goes on from what it signed; what keeps it from that is told, and stops nothing else."""

from __future__ import annotations

import asyncio
import errno
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slateboard.interfaces.http.health import Watch
from slateboard.log import checkpoints, signing
from slateboard.protocol.errors import DatabaseFull, ServerProblem
from slateboard.server import checkpointing, chores
from slateboard.server.chores import Chore
from slateboard.server.duty import Duty
from tests.log.test_proof import Forger, fault, forger, grow
from tests.support.boards import BoardUnderTest, new_board

__all__ = ["forger"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def duty(board: BoardUnderTest, database_url: str, home: Path) -> Duty:
    return Duty(
        database=board.database,
        owner_url=database_url,
        wake=lambda _board, _inboxes: None,
        sealed=lambda _board: None,
        home=home,
    )


def signed(board: BoardUnderTest, home: Path) -> list[checkpoints.Checkpoint]:
    (file,) = checkpoints.files(home, board.name)
    log = file.name.split(".")[1]
    return list(checkpoints.read([file], signing.public_keys(home), log=log))


async def health(board: BoardUnderTest, duty: Duty) -> dict[str, str]:
    return (await Watch(board.database, lambda: True, duty.troubles).look()).reasons


async def test_a_start_of_the_server_signs_nothing_twice(board: BoardUnderTest, duty: Duty, home: Path) -> None:
    head = await grow(board)
    await checkpointing.sign_checkpoints(duty)
    await checkpointing.sign_checkpoints(replace(duty, signed={}))
    assert [one.position for one in signed(board, home)] == [head]


@pytest.mark.parametrize("longer", [False, True])
async def test_what_was_rewritten_is_not_signed_and_told_at_once(
    board: BoardUnderTest, duty: Duty, home: Path, forger: Forger, *, longer: bool
) -> None:
    head = await grow(board)
    await checkpointing.sign_checkpoints(duty)
    other = await new_board(board.database, f"{board.name}-other")
    await other.seal()
    if longer:
        await forger.run("UPDATE events SET actor = 'nobody' WHERE board = $1 AND position = 9")
    else:
        await forger.run("DELETE FROM events WHERE board = $1 AND position > 20")
    await forger.rewrite()
    assert await fault(board) is None, "the chain by itself does not tell"
    if longer:
        await grow(board)
    for _ in range(2):
        await checkpointing.sign_checkpoints(duty)
    (kept,) = signed(board, home)
    assert kept.position == head
    assert f"signed at position {head}" in (await health(board, duty))["chores"]
    assert signed(other, home), "other boards are signed as before"
    found = await fault(board, checkpoints=[{"position": head, "hash": kept.hash}])
    assert found == (("rewritten", head) if longer else ("cut_off", 21))
    # Who knows why (a restore) moves the checkpoints elsewhere, and it goes on.
    checkpoints.files(home, board.name)[0].rename(home / "moved")
    await checkpointing.sign_checkpoints(duty)
    assert [one.position for one in signed(board, home)] == [await board.perform("log_head")]
    assert "chores" not in await health(board, duty)


async def test_a_log_goes_on_from_what_is_archived(board: BoardUnderTest, duty: Duty, forger: Forger) -> None:
    head = await grow(board)
    await checkpointing.sign_checkpoints(duty)
    for last in (head, head + 1):
        keep = (
            "INSERT INTO archives (board, first_position, last_position, hash, last_happened_at, file, base_file, base,"
            f" base_hash, archived_at) SELECT $1, 1, {last}, hash, happened_at, 'f', 'b', '', '', now()"
            f" FROM events WHERE board = $1 AND position = {last}"
        )
        await grow(board, 2)
        await forger.run(f"{keep}; DELETE FROM events WHERE board = $1 AND position <= {last}")
        await checkpointing.sign_checkpoints(replace(duty, signed={}))
        assert not duty.troubles
    assert await fault(board) is None
    await forger.run("DELETE FROM archives WHERE board = $1")


@pytest.mark.parametrize("problem", [errno.ENOSPC, errno.EACCES, errno.EROFS])
async def test_a_home_that_cannot_be_written_stops_nothing_and_is_told(
    board: BoardUnderTest, duty: Duty, home: Path, problem: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    await grow(board)
    await checkpointing.sign_checkpoints(duty)
    again, well, loop = asyncio.Event(), asyncio.Event(), asyncio.get_running_loop()
    real, calls = checkpoints.append_lines, 0

    def fails(path: Path, lines: Any) -> int:
        nonlocal calls
        calls += 1
        if calls > 1:
            loop.call_soon_threadsafe(again.set)
        if calls <= 2:
            # What a full disk leaves of a line.
            path.write_text(path.read_text() + '{"log": "half')
            raise OSError(problem, "no more of that")
        return real(path, lines)

    async def signs(duty: Duty) -> float:
        pause = await checkpointing.sign_checkpoints(duty)
        loop.call_soon(well.set)
        return pause

    monkeypatch.setattr(checkpoints, "append_lines", fails)
    await grow(board, 1)
    running = asyncio.create_task(chores.run(duty, (Chore("sign checkpoints of the log", signs),)))
    async with asyncio.timeout(20):
        await again.wait()
        assert "signed checkpoints cannot be written" in (await health(board, duty))["chores"]
        await well.wait()
    running.cancel()
    await asyncio.wait([running])
    assert len(signed(board, home)) == 2
    assert "chores" not in await health(board, duty)


@pytest.mark.parametrize(("problem", "kind"), [(errno.ENOSPC, DatabaseFull), (errno.EACCES, ServerProblem)])
async def test_the_error_names_the_home_and_the_remedy(
    board: BoardUnderTest, duty: Duty, home: Path, problem: int, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_path: Path, _lines: Any) -> int:
        raise OSError(problem, "no more of that")

    await grow(board, 1)
    monkeypatch.setattr(checkpoints, "append_lines", fails)
    with pytest.raises(kind, match=str(home)):
        await checkpointing.sign_checkpoints(duty)


async def test_lost_files_begin_anew(board: BoardUnderTest, duty: Duty, home: Path) -> None:
    await grow(board)
    await checkpointing.sign_checkpoints(duty)
    checkpoints.files(home, board.name)[0].unlink()
    head = await grow(board, 1)
    await checkpointing.sign_checkpoints(duty)
    assert [one.position for one in signed(board, home)] == [head]
