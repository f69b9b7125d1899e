"""Wherever a server dies while a task is undone, each step is undone once, in order, or nothing was done yet."""

from __future__ import annotations

from typing import Any

import pytest

from slateboard.interfaces.operations import perform
from slateboard.patterns import failures
from slateboard.protocol.rights import SYSTEM
from slateboard.protocol.work import Finish, Result
from slateboard.store.database import Database
from slateboard.transaction import writing
from tests.patterns.test_compensation import GUIDE
from tests.patterns.test_router_deaths import Dying
from tests.support.boards import BoardUnderTest
from tests.support.live import check_fold

MOST_STATEMENTS = 200
GONE = "SELECT position FROM compensation_cursors WHERE board = $1 FOR UPDATE"
"""Waits until the database has noticed that a connection is gone; until then others pass over what it held."""


async def look(board: BoardUnderTest, database: Database) -> None:
    """Let a server look at what failed, until nothing is left."""
    for _ in range(20):
        async with writing(database, SYSTEM, board.id) as tx:
            if not await failures.act(tx):
                return


async def states(board: BoardUnderTest, task: str) -> list[tuple[str, str]]:
    rows = await board.perform("list_compensations", task=task)
    return [(row["reference"].partition("/")[2], row["state"]) for row in rows]


@pytest.mark.parametrize("cut", [False, True], ids=["rolled back", "cut off"])
async def test_server_dies_between_any_two_statements_of_a_rollback(board: BoardUnderTest, *, cut: bool) -> None:
    await board.tolerate_failures()
    await board.perform("apply", documents=[{"source": "undo.yaml", "text": GUIDE}])
    died = 0
    for statement in range(1, MOST_STATEMENTS):
        edges = {"schema": [], "deploy": ["schema"], "smoke": ["deploy"], "left": ["smoke"]}
        items = await board.post_graph(edges, task=f"t{statement}", owner="frontend")
        for name in ("schema", "deploy"):
            await board.complete(items[name], agent="frontend")
        await board.bury(items["smoke"], "frontend")
        await board.seal()
        dying = Dying(board.database, statement, cut=cut)
        try:
            await look(board, dying)
        except Exception:
            if dying.left > 0:
                raise
            died += 1
        await board.seal()
        await board.fetch(GONE)
        await look(board, board.database)
        assert await states(board, f"t{statement}") == [("deploy", "ready"), ("schema", "gated")]
        assert await board.place(items["left"]) == "cancelled"
        if dying.left > 0:
            break
    assert died > 10, "a rollback has more statements than that"
    assert len(await board.log(subject="board.compensation.posted")) == 2 * (died + 1)
    await check_fold(board)


@pytest.mark.parametrize("cut", [False, True], ids=["rolled back", "cut off"])
async def test_server_dies_between_any_two_statements_of_a_finished_undo(board: BoardUnderTest, *, cut: bool) -> None:
    await board.tolerate_failures()
    await board.perform("apply", documents=[{"source": "undo.yaml", "text": GUIDE}])
    died = 0
    for statement in range(1, MOST_STATEMENTS):
        items = await board.post_graph({"schema": [], "deploy": ["schema"], "smoke": ["deploy"]}, task=f"t{statement}")
        await board.complete(items["schema"], items["deploy"])
        await board.perform("compensate", task=f"t{statement}", reason="it loses orders")
        (claim,) = await board.claim()
        finishes = [Finish(item=claim.item, fence=claim.fence, result=Result(note="undone"))]
        dying = Dying(board.database, statement, cut=cut)
        try:
            await perform(dying, board.actor(), board.id, "finish", {"finishes": finishes})
        except Exception:
            if dying.left > 0:
                raise
            died += 1
        answers: Any = (await board.perform("finish", finishes=finishes))[0]
        assert answers[0].error is None
        assert await states(board, f"t{statement}") == [("deploy", "undone"), ("schema", "ready")]
        (claim,) = await board.claim()
        await board.finish(claim, note="undone")
        if dying.left > 0:
            break
    assert died > 7, "the end of an undo has more statements than that"
    assert len(await board.log(subject="board.compensation.undone")) == 2 * (died + 1)
    await check_fold(board)
