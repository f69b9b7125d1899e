"""The audit over a log whose beginning was moved to files, and what signed checkpoints say of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from slateboard.log import archives, checkpoints, signing
from slateboard.log.proof import log_id
from slateboard.protocol.errors import Archived
from slateboard.protocol.rights import SYSTEM
from slateboard.transaction import Statement
from tests.log.test_archives import archive, old_board, own, own_name, own_url
from tests.support.boards import BoardUnderTest

__all__ = ["old_board", "own", "own_name", "own_url"]
"""Fixtures of the archives, used here."""


async def test_an_audit_goes_on_over_archived_events_and_says_what_was_signed(
    old_board: BoardUnderTest, own_url: str, tmp_path: Path
) -> None:
    before = await old_board.perform("report_audit")
    old_board.database.home = tmp_path
    await archive(own_url, tmp_path / archives.FOLDER)
    await old_board.seal()
    last = await old_board.fetchval("SELECT max(last_position) FROM archives WHERE board = $1")
    told = await old_board.perform("report_audit")
    assert told["events"] == before["events"] + 1
    for part in ("tasks", "decisions", "incidents", "published", "critical_path", "hand_overs"):
        assert told[part] == before[part]
    assert [one["attempts"] for one in told["artifacts"]] == [one["attempts"] for one in before["artifacts"]]
    assert (told["proof"]["first_position"], told["proof"]["verified"], told["proof"]["signed"]) == (1, True, None)
    key = signing.load_or_make(tmp_path)
    async with old_board.database.acquire() as connection:
        (head,) = await checkpoints.heads(Statement(connection, SYSTEM, old_board.id))
    checkpoints.keep(tmp_path, checkpoints.of_head(head, key, log=log_id(head["board"], head["created_at"])))
    told = await old_board.perform("report_audit")
    assert told["proof"]["signed"] == {"position": last + 1, "key": key.id}
    cut = await old_board.perform("report_audit", since=told["ends_at"])
    assert (cut["events"], cut["proof"]["first_position"]) == (1, last + 1)
    next((tmp_path / archives.FOLDER).glob("*.jsonl.gz")).unlink()
    with pytest.raises(Archived, match="are in the archive"):
        await old_board.perform("report_audit")
