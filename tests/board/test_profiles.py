"""What an agent is and accepts, who is there, and the directory."""

from __future__ import annotations

import asyncio

import pytest

from slateboard.board.presence import Noted
from slateboard.protocol.errors import Denied, Invalid, ManagerCircle, SlateError, UnknownName
from slateboard.store.database import Database
from tests.support.boards import BoardUnderTest
from tests.support.live import check_fold


async def test_what_is_given_changes_and_the_rest_stays(board: BoardUnderTest) -> None:
    await board.perform("change_agent", name="backend", role="builds", capabilities=["sql", "python"], manager="cto")
    await board.perform("change_agent", name="backend", accepts_from=["cto"], availability="never")
    answer = await board.perform("change_agent", name="backend", role="builds")
    assert answer == {"name": "backend", "changed": []}
    (row,) = await board.fetch("SELECT * FROM agents WHERE board = $1 AND name = 'backend'")
    assert (row["role"], row["capabilities"], row["manager"]) == ("builds", ["python", "sql"], board.agents["cto"])
    assert (row["accepts_from"], row["availability"]) == ([board.agents["cto"]], "never")
    await board.perform("change_agent", name="backend", accepts_anyone=True, manager="")
    (row,) = await board.fetch("SELECT * FROM agents WHERE board = $1 AND name = 'backend'")
    assert (row["accepts_from"], row["manager"]) == (None, None)
    await check_fold(board)


async def test_a_circle_of_managers_is_refused_and_shown(board: BoardUnderTest) -> None:
    await board.perform("change_agent", name="backend", manager="cto")
    await board.perform("change_agent", name="cto", manager="frontend")
    with pytest.raises(ManagerCircle, match="frontend → backend → cto → frontend"):
        await board.perform("change_agent", name="frontend", manager="backend")
    with pytest.raises(ManagerCircle, match="cto → cto"):
        await board.perform("change_agent", name="cto", manager="cto")


async def test_of_two_changes_at_once_that_close_a_circle_one_is_refused(board: BoardUnderTest) -> None:
    answers = await asyncio.gather(
        board.perform("change_agent", name="backend", manager="cto"),
        board.perform("change_agent", name="cto", manager="backend"),
        return_exceptions=True,
    )
    assert sum(isinstance(one, ManagerCircle) for one in answers) == 1


async def test_an_agent_does_not_change_itself(board: BoardUnderTest) -> None:
    with pytest.raises(Denied):
        await board.perform("change_agent", by="backend", name="backend", right="admin")


@pytest.mark.parametrize(
    "given",
    [{"kind": "robot"}, {"right": "god"}, {"availability": "monday"}, {"accepts_from": [], "accepts_anyone": True}],
)
async def test_what_cannot_be_meant_is_refused(board: BoardUnderTest, given: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        await board.perform("change_agent", name="backend", **given)
    with pytest.raises(UnknownName):
        await board.perform("change_agent", name="backend", manager="nobody")


async def test_a_call_of_an_agent_is_noted_and_a_second_one_at_once_is_not(
    database: Database, board: BoardUnderTest
) -> None:
    seen = "SELECT seen_at FROM presence WHERE board = $1 AND agent = $2"
    noted = Noted()
    await noted.call_of(database, board.actor("backend"), board.id)
    first = await board.fetchval(seen, board.agents["backend"])
    await noted.call_of(database, board.actor("backend"), board.id)
    assert first is not None
    assert await board.fetchval(seen, board.agents["backend"]) == first
    await noted.call_of(database, board.actor(), board.id)
    assert await board.fetchval("SELECT count(*) FROM presence WHERE board = $1") == 1


async def test_every_call_of_the_catalogue_is_noted(board: BoardUnderTest) -> None:
    await board.perform("list_agents", by="backend")
    assert await board.fetchval("SELECT agent FROM presence WHERE board = $1") == board.agents["backend"]


async def test_the_directory_shows_first_who_can_begin_at_once(board: BoardUnderTest) -> None:
    for name in ("backend", "frontend"):
        await board.perform("change_agent", name=name, capabilities=["python"], accepts_from=["cto"])
    await board.perform("attend", by="frontend", worker="w1")
    await board.post_graph({"a": []}, owner="backend")
    found = await board.perform("find_agents", capability="python")
    assert [(one["name"], one["available"], one["ready"]) for one in found] == [
        ("frontend", True, 0), ("backend", False, 1),
    ]  # fmt: skip
    assert (found[0]["worker"], found[0]["accepts_from"]) == ("w1", ["cto"])
    (alone,) = await board.perform("find_agents", available=True)
    assert alone["name"] == "frontend"
    await board.perform("pause", agent="frontend", reason="a rest")
    assert await board.perform("find_agents", available=True) == []
    assert [one["accepts_from"] for one in await board.perform("find_agents") if one["name"] == "cto"] == [None]


async def test_only_agents_attend_and_with_a_name(board: BoardUnderTest) -> None:
    with pytest.raises(Invalid):
        await board.perform("attend", worker="w1")
    with pytest.raises(SlateError):
        await board.perform("attend", by="backend", worker="")
