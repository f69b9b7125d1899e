"""What is refused of the organisation through SDK and command: the same code, its exit code, and nothing is done."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from slateboard import connect
from slateboard.protocol.errors import SlateError
from tests.cli.conftest import Slate
from tests.support.bad_input import WRONG, Wrong, counts, filled, organised
from tests.support.boards import BoardUnderTest


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
async def test_bad_input_is_refused_and_nothing_is_done(
    slate: Slate, board: BoardUnderTest, app_url: str, tmp_path: Path, wrong: Wrong
) -> None:
    file = tmp_path / "two.json"
    file.write_text(json.dumps([{"title": "x", "owner": ["cto", "backend"]}]))
    made = {**await organised(board), "two_owners": file}
    before = await counts(board)
    async with connect(app_url, board=board.name, agent=wrong.by) as client:
        with pytest.raises(SlateError) as raised:
            await client.call(wrong.operation, **filled(wrong.arguments, made))
    assert (raised.value.code, wrong.says in f"{raised.value.message}; {raised.value.remedy}") == (wrong.code, True)
    assert raised.value.remedy
    error = await slate.wrong(wrong.exits, *filled(wrong.command, made), SLATE_AGENT=wrong.by)
    assert error is None or error["code"] == wrong.code
    assert await counts(board) == before
