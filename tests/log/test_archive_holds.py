"""What has still to be read is not archived: by subscriptions, waits and deliveries; and none begins in an archive."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from slateboard.patterns import failures
from slateboard.protocol.errors import Archived
from slateboard.protocol.rights import SYSTEM
from slateboard.reports.past.fold import State
from slateboard.server import archiving
from slateboard.server.owner import owner_connection
from slateboard.transaction import writing
from tests.log.test_archives import YESTERDAY, archive, archive_all, old_board, own, own_name, own_url, partitions
from tests.support.boards import BoardUnderTest

__all__ = ["old_board", "own", "own_name", "own_url"]
"""Fixtures of the archives, used here."""


async def test_what_has_still_to_be_read_stays(old_board: BoardUnderTest, own_url: str, tmp_path: Path) -> None:
    wanted = {"patterns": ["board.task.*"], "agent": "backend"}
    await old_board.perform("subscribe", name="slow", **wanted, start=3)
    await old_board.perform("pause_subscription", name="slow", reason="ill")
    await old_board.perform("subscribe", name="quick", **wanted)
    made = await archive_all(own_url, tmp_path)
    assert made.archives == []
    (held,) = made.held
    assert (held.board, held.position, held.reason) == ("old", 3, "the subscription slow stands there, paused: ill")
    assert f"events_{YESTERDAY:%Y%m%d}" in await partitions(old_board)
    await old_board.perform("rewind_subscription", name="slow", to="now")
    made = await archive_all(own_url, tmp_path)
    assert [one.board for one in made.archives] == ["old"]
    assert made.held == []
    assert f"events_{YESTERDAY:%Y%m%d}" not in await partitions(old_board)


@pytest.mark.parametrize("kind", ["delivery", "dead delivery", "wait", "ended wait", "gathering"])
async def test_unfinished_work_keeps_its_events(
    old_board: BoardUnderTest, own_url: str, tmp_path: Path, kind: str
) -> None:
    async with owner_connection(own_url) as connection:
        item = await connection.fetchval("SELECT id FROM work_items WHERE outcome IS NULL LIMIT 1")
        board = old_board.id
        if kind == "gathering":
            await old_board.perform("subscribe", name="all", patterns=["x.a", "x.b"], agent="backend", all_of=True)
            await connection.execute(
                "INSERT INTO gatherings (board, subscription, correlation, positions, gathered_at)"
                " SELECT board, id, 'c', '{0,5}', now() FROM subscriptions"
            )
        elif kind.endswith("wait"):
            position = 5 if kind == "ended wait" else None
            await connection.execute(
                "INSERT INTO event_waits (board, item, pattern, after_position, deadline, position, ended_at)"
                " VALUES ($1, $2, 'x.y', 4, now(), $3::bigint,"
                " CASE WHEN $3::bigint IS NOT NULL THEN now() END)", board, item, position
            )  # fmt: skip
        else:
            if kind == "dead delivery":
                item = await connection.fetchval("SELECT item FROM dead_letters LIMIT 1")
            await connection.execute(
                "INSERT INTO deliveries (board, item, subscription, round, position, positions, correlation)"
                " VALUES ($1, $2, 1, 0, 6, '{5,6}', 'c')", board, item
            )  # fmt: skip
    made = await archive_all(own_url, tmp_path)
    assert [(one.board, one.position) for one in made.held] == [("old", 5)]
    assert made.archives == []


async def test_what_was_not_looked_through_for_failures_stays(
    old_board: BoardUnderTest, own_url: str, tmp_path: Path
) -> None:
    async with owner_connection(own_url) as connection:
        await connection.execute("INSERT INTO compensation_cursors (board, position) VALUES ($1, 4)", old_board.id)
    made = await archive_all(own_url, tmp_path)
    assert made.archives == []
    assert [(one.position, "failed tasks" in one.reason) for one in made.held] == [(5, True)]
    async with writing(old_board.database, SYSTEM, old_board.id) as tx:
        assert await failures.act(tx) is False
    assert [one.board for one in (await archive_all(own_url, tmp_path)).archives] == ["old"]


async def test_a_subscription_cannot_begin_in_an_archive(
    old_board: BoardUnderTest, own_url: str, tmp_path: Path
) -> None:
    wanted = {"patterns": ["board.>"], "agent": "backend"}
    await old_board.perform("subscribe", name="there", **wanted)
    (made,) = await archive(own_url, tmp_path)
    await old_board.seal()
    for start in ("beginning", 2, made.last, f"old@{made.last}", datetime.now(UTC) - timedelta(days=1)):
        for operation, arguments in (
            ("subscribe", {"name": "new", **wanted, "start": start}),
            ("rewind_subscription", {"name": "there", "to": start}),
        ):
            with pytest.raises(Archived) as refused:
                await old_board.perform(operation, **arguments)
            assert f"begin with position {made.last + 1}," in refused.value.remedy
    added = await old_board.perform("subscribe", name="new", **wanted, start=made.last + 1)
    assert added["cursor"] == made.last


async def test_a_subscription_that_comes_meanwhile_is_not_passed_over(
    old_board: BoardUnderTest, own_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = archiving.state_at

    async def slow(*arguments: Any, **named: Any) -> State:
        await old_board.perform("subscribe", name="new", patterns=["board.>"], agent="backend", start="beginning")
        return await work(*arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(archiving, "state_at", slow)
        assert await archive(own_url, tmp_path) == []
    assert os.listdir(tmp_path) == []  # noqa: PTH208  nothing blocks for long
    assert f"events_{YESTERDAY:%Y%m%d}" in await partitions(old_board)
