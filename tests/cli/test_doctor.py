"""`slate doctor`: by its exit code, in words, and where nothing runs at all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from slateboard.server import leader
from slateboard.server.owner import owner_connection
from slateboard.store import migrations
from slateboard.store.database import connect
from tests.cli.conftest import Slate
from tests.support import servers
from tests.support.boards import new_board

NOT_ASKED = {"SLATE_BOARD": "", "SLATE_AGENT": "", "SLATE_LOG_LEVEL": ""}


@pytest.fixture
def own_url(server: servers.Server) -> Iterator[str]:
    """A database for this test alone."""
    with servers.database(server, "clinic") as name:
        yield server.owner_of(name)


@pytest_asyncio.fixture
async def own(own_url: str, tmp_path: Path) -> AsyncIterator[Slate]:
    """`slate` on it, with two boards and a leader."""
    database = await connect(own_url)
    for name in ("default", "other"):
        await new_board(database, name, agents=("backend",))
    await database.close()
    async with owner_connection(own_url) as connection:
        await leader.take(connection, holder="here:1:0")
        await connection.execute("UPDATE leaders SET expires_at = now() + interval '1 h'")
    yield Slate({**NOT_ASKED, "SLATE_DATABASE_URL": own_url, "SLATE_HOME": str(tmp_path / "home")})


async def test_healthy_database_ends_with_0_and_every_board_is_looked_at(own: Slate) -> None:
    answer = await own.ok("doctor")
    assert answer["state"] == "warn"  # no server runs in this home, and the settings are those of tests
    assert {(one["name"], one["board"]) for one in answer["checks"] if one["board"]} == {
        (name, board) for name in ("sequencer", "places", "gates", "waiting") for board in ("default", "other")
    }
    done = await own("doctor", "--board", "other")
    assert done.code == 0
    assert "ok    schema:" in done.out
    assert "ok    gates of other:" in done.out
    assert "of default" not in done.out


async def test_fault_ends_with_5_and_says_what_to_do(own: Slate, own_url: str) -> None:
    servers.execute(own_url, "DROP FUNCTION rating_of CASCADE", "DELETE FROM leaders")
    done = await own("doctor")
    assert done.code == 5
    assert f"fail  schema: it says {migrations.head()}, but function rating_of is missing" in done.out
    assert "fail  leader: nobody leads" in done.out
    assert "do: start a server: `slate up`" in done.out
    assert "slate migrate" in done.out


async def test_home_of_an_earlier_form_of_the_schema_is_told_so(own: Slate, own_url: str) -> None:
    servers.execute(own_url, "DROP TABLE boards CASCADE")
    done = await own("doctor")
    assert done.code in {5, 7}
    assert "boards" in done.out
    assert "slate migrate" in done.out


@pytest.mark.parametrize("url", ["postgresql://nobody@127.0.0.1:1/none", ""])
async def test_where_nothing_runs_it_says_so_and_what_to_do(tmp_path: Path, url: str) -> None:
    slate = Slate({**NOT_ASKED, "SLATE_DATABASE_URL": url, "SLATE_HOME": str(tmp_path / "home")})
    done = await slate("doctor")
    assert done.code == 7
    assert "fail  database: it cannot be asked" in done.out
    assert "warn  server: none runs in" in done.out
    assert "do: start" in done.out
    assert "disk: " in done.out
    told = await slate("doctor", "--json")
    assert (told.code, told.data["state"]) == (7, "fail")


async def test_database_without_a_schema_is_told_so(server: servers.Server, tmp_path: Path) -> None:
    servers.execute(server.owner_url, "CREATE DATABASE slate_test_bare")
    try:
        slate = Slate({
            **NOT_ASKED, "SLATE_DATABASE_URL": server.owner_of("slate_test_bare"), "SLATE_HOME": str(tmp_path)
        })  # fmt: skip
        done = await slate("doctor")
        assert done.code == 7
        assert "run `slate migrate` or `slate up`" in done.out
    finally:
        servers.execute(server.owner_url, "DROP DATABASE slate_test_bare WITH (FORCE)")


async def test_database_without_boards_can_be_asked(own: Slate, own_url: str) -> None:
    servers.execute(own_url, "DELETE FROM agents", "DELETE FROM boards")
    assert (await own.ok("doctor"))["state"] == "warn"
