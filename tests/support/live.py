"""The live tables of a board in the columns that the fold has, to be compared with it."""

from __future__ import annotations

import json
from typing import Any

from slateboard.reports.past.fold import COLUMNS, Entry, State, fold, key_of
from tests.support.boards import BoardUnderTest

SOURCES = {"boards": "boards WHERE id = $1", "places": "item_places WHERE board = $1"}
JSON_COLUMNS = {"evidence", "options", "rules", "usage"}

LOG = """
SELECT position, id, subject, payload, actor, correlation, depth, happened_at
FROM events WHERE board = $1 AND position > $2 ORDER BY position
"""


async def live_tables(board: BoardUnderTest) -> dict[str, dict[Any, dict[str, Any]]]:
    """Every folded table as it is in the database."""
    tables: dict[str, dict[Any, dict[str, Any]]] = {}
    for table, columns in COLUMNS.items():
        names = ", ".join(f'"{name}"' for name in columns)
        rows = await board.fetch(f"SELECT {names} FROM {SOURCES.get(table, f'{table} WHERE board = $1')}")
        plain = [
            {
                name: json.loads(row[name]) if name in JSON_COLUMNS and isinstance(row[name], str) else row[name]
                for name in columns
            }
            for row in rows
        ]
        tables[table] = {key_of(table, row): row for row in plain}
    return tables


async def folded(board: BoardUnderTest, state: State | None = None) -> State:
    """The fold of the board's log, or of what is in it after a state."""
    await board.seal()
    state = state or State(board.id)
    return fold(state, [Entry(*row.values()) for row in await board.fetch(LOG, state.position)])


async def check_fold(board: BoardUnderTest) -> State:
    """The fold of the whole log is exactly the live tables; the message names the first row that differs."""
    state = await folded(board)
    for table, rows in (await live_tables(board)).items():
        found = state.tables[table]
        assert found.keys() == rows.keys(), f"{table}: {found.keys() ^ rows.keys()}"
        for key, row in rows.items():
            assert found[key] == row, f"{table} {key}"
    remaining = await board.fetch("SELECT item, remaining FROM gates WHERE board = $1")
    assert {row["item"]: state.remaining(row["item"]) for row in remaining} == {
        row["item"]: row["remaining"] for row in remaining
    }
    return state
