"""How boards end, from the shell: archived, opened again, deleted, and known as deleted by the proof."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from slateboard.log import checkpoints
from slateboard.protocol.names import BoardId
from slateboard.server import checkpointing
from slateboard.server.duty import Duty
from tests.cli.conftest import Slate
from tests.support.boards import BoardUnderTest, new_board


@pytest_asyncio.fixture
async def archived(slate: Slate, board: BoardUnderTest) -> BoardUnderTest:
    """The board of the command, archived."""
    await slate.ok("board", "archive", board.name, "--reason", "it is over")
    await board.seal()
    return board


@pytest.fixture
def duty(slate: Slate, board: BoardUnderTest, database_url: str, tmp_path: Path) -> Duty:
    """The leader's means in a home of its own, which the command uses too."""
    slate.environment["SLATE_HOME"] = str(tmp_path)

    def nobody(_board: BoardId | int, _inboxes: Any = None) -> None:
        """There is nobody to tell."""

    return Duty(database=board.database, owner_url=database_url, wake=nobody, sealed=nobody, home=tmp_path)


async def test_archived_board_is_read_and_not_changed(slate: Slate, archived: BoardUnderTest) -> None:
    error = await slate.wrong(5, "post", "api", "--owner", "backend")
    assert (error["code"], archived.name in error["message"]) == ("board_archived", True)
    assert (await slate("post", "api", "--owner", "backend")).code == 5
    assert (await slate.ok("log", "verify", "--no-checkpoints"))["last"] > 0
    assert "it is over" in (await slate("log", "show", await archived.perform("log_head"), "--json")).out
    assert "(archived)" in (await slate("status", "--board", archived.name)).out
    assert archived.name in (await slate("get", "boards", "--limit", 1000)).out
    assert "is archived since" in (await slate("board", "archive", archived.name)).out
    await slate.ok("board", "unarchive", archived.name)
    await slate.ok("post", "api", "--owner", "backend")
    assert (await slate.wrong(5, "board", "unarchive", archived.name))["code"] == "wrong_state"


async def test_claimed_work_is_counted(slate: Slate, board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": []})
    await board.claim_item(items["a"])
    error = await slate.wrong(5, "board", "archive", board.name)
    assert error["details"] == {"claimed": 1}
    await slate.ok("board", "archive", board.name, "--now")


async def test_deleting_takes_the_name_twice(slate: Slate, archived: BoardUnderTest) -> None:
    assert "--yes" in (await slate.wrong(2, "board", "delete", archived.name))["remedy"]
    await slate.wrong(2, "board", "delete", archived.name, "--yes", "another")
    gone = await slate.ok("board", "delete", archived.name, "--yes", archived.name)
    assert gone["name"] == archived.name
    known = await slate.ok("board", "deleted")
    assert known[0] | {"emptied_at": None} == gone | {"emptied_at": None}
    assert gone["hash"] in (await slate("board", "deleted")).out
    error = await slate.wrong(4, "get", "agents")
    assert (error["code"], error["details"]["hash"]) == ("unknown_name", gone["hash"])


@pytest.mark.parametrize(
    ("code", "kind", "arguments"),
    [
        (4, "unknown_name", ("archive", "nowhere")),
        (4, "unknown_name", ("unarchive", "nowhere")),
        (4, "unknown_name", ("delete", "nowhere", "--yes", "nowhere")),
    ],
)
async def test_unknown_board(slate: Slate, code: int, kind: str, arguments: tuple[str, ...]) -> None:
    assert (await slate.wrong(code, "board", *arguments))["code"] == kind


async def test_open_board_is_not_deleted(slate: Slate, board: BoardUnderTest) -> None:
    error = await slate.wrong(5, "board", "delete", board.name, "--yes", board.name)
    assert (error["code"], "not archived" in error["message"]) == ("wrong_state", True)


async def test_proof_knows_a_deleted_board_from_tampering(
    slate: Slate, archived: BoardUnderTest, duty: Duty, tmp_path: Path
) -> None:
    await checkpointing.sign_checkpoints(duty)
    gone = await slate.ok("board", "delete", archived.name, "--yes", archived.name)
    assert (await slate.wrong(4, "log", "verify"))["details"]["position"] == gone["position"]
    last = checkpoints.last(tmp_path, archived.name, gone["log"])
    assert last is not None
    assert (last.position, last.hash) == (gone["position"], gone["hash"])
    again = await new_board(archived.database, archived.name, agents=("backend",))
    await again.seal()
    assert (await slate.ok("log", "verify"))["checkpoints"] == 0
    await checkpointing.sign_checkpoints(duty)
    assert (await slate.ok("log", "verify"))["checkpoints"] == 1
    assert not duty.troubles


async def test_key_is_told_in_archived_boards_too(slate: Slate, archived: BoardUnderTest, duty: Duty) -> None:
    await checkpointing.sign_checkpoints(duty)
    assert archived.name in (await slate.ok("log", "rotate-key"))["boards"]
    assert (await archived.log())[-1].subject == "board.key.changed"
