"""Exporting a board in tests: all of its pages, and that they change nothing where they came from."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from itertools import count
from typing import Any

from hypothesis import reject

from slateboard.protocol.errors import SlateError
from slateboard.store.database import Database
from tests.support.boards import BoardUnderTest, new_board

NUMBERS = count(1)
STATES = ("agents", "tasks", "artifacts", "work_items", "dependencies", "decisions", "subscriptions", "routes",
          "events", "compensation_rules", "breaker_settings", "meetings", "limits", "budgets",
          "delegations")  # fmt: skip


@contextmanager
def names_may_clash() -> Generator[None]:
    """Drawn manifests may give two things one name, which is refused at its line; another error is a fault."""
    try:
        yield
    except SlateError as error:
        if "line" not in error.details:
            raise
        reject()


async def fresh(database: Database) -> BoardUnderTest:
    """An empty board, beside the one of the test."""
    return await new_board(database, f"export-{next(NUMBERS)}", agents=())


async def pages(board: BoardUnderTest, **chosen: Any) -> list[dict[str, Any]]:
    """All pages of an export."""
    found = [await board.perform("export", **chosen)]
    while found[-1]["next"] is not None:
        found.append(await board.perform("export", after=found[-1]["next"], **chosen))
    return found


async def exported(board: BoardUnderTest, **chosen: Any) -> str:
    """The whole export as one text."""
    return "---\n".join(one["text"] for page in await pages(board, **chosen) for one in page["manifests"])


async def state(board: BoardUnderTest) -> dict[str, Any]:
    """Every row of the board's tables, and how long its log is."""
    return {
        table: [str(row) for row in await board.fetch(f"SELECT t::text FROM {table} t WHERE t.board = $1 ORDER BY 1")]
        for table in STATES
    }


async def fixed_point(board: BoardUnderTest) -> str:
    """The export of a board, after it was applied back and changed nothing: not even with `strict`."""
    texts = await exported(board)
    before = await state(board)
    for strict in (False, True):
        answer = await board.perform("apply", documents=[{"source": "export.yaml", "text": texts}], strict=strict)
        found = {key: answer[key] for key in ("created", "changed", "removed", "agents_created")}
        assert found == {"created": [], "changed": [], "removed": [], "agents_created": []}, texts
    assert await state(board) == before
    return texts
