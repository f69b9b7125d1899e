"""What the database refuses, whoever asks: to change the log, the versions and the attempts; and what the application's
role may not do at all.
"""

from __future__ import annotations

import asyncpg
import pytest

from slateboard.protocol.errors import Conflict, ServerProblem
from tests.support.boards import BoardUnderTest

KEPT = ("events", "artifact_versions", "attempts")
CHANGES = {
    "events": "UPDATE events SET payload = 'x'",
    "artifact_versions": "UPDATE artifact_versions SET content = 'x'",
    "attempts": "UPDATE attempts SET error = 'x'",
}


async def _history(board: BoardUnderTest) -> None:
    items = await board.post_graph({"spec": []})
    await board.complete(items["spec"])
    await board.seal()


@pytest.mark.parametrize("table", KEPT)
async def test_owner_cannot_change_what_is_kept(board: BoardUnderTest, database_url: str, table: str) -> None:
    await _history(board)
    connection = await asyncpg.connect(database_url)
    try:
        for statement in (CHANGES[table], f"DELETE FROM {table}"):
            with pytest.raises(asyncpg.PostgresError, match="append-only") as refused:
                await connection.execute(statement)
            assert refused.value.sqlstate == "SB002"
    finally:
        await connection.close()


@pytest.mark.parametrize("table", KEPT)
async def test_application_has_no_right_to_change_what_is_kept(board: BoardUnderTest, table: str) -> None:
    await _history(board)
    for statement in (CHANGES[table], f"DELETE FROM {table}", f"TRUNCATE {table}"):
        with pytest.raises(ServerProblem):
            async with board.database.acquire() as connection:
                await connection.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE events",
        "ALTER TABLE events DISABLE TRIGGER append_only",
        "CREATE TABLE mine (id int)",
        "UPDATE schema_protocol SET version = 99",
        "ALTER TABLE work_items ADD COLUMN mine int",
        "DROP FUNCTION refuse_change() CASCADE",
        "CREATE ROLE intruder",
    ],
)
async def test_application_cannot_touch_the_schema(board: BoardUnderTest, statement: str) -> None:
    with pytest.raises(ServerProblem):
        async with board.database.acquire() as connection:
            await connection.execute(statement)


async def test_refusal_of_the_database_is_an_error_of_ours(board: BoardUnderTest, database_url: str) -> None:
    from slateboard.store.driver_errors import translating

    await _history(board)
    connection = await asyncpg.connect(database_url)
    try:
        with pytest.raises(Conflict, match="append-only") as refused, translating():
            await connection.execute("DELETE FROM events")
        assert refused.value.remedy
    finally:
        await connection.close()
