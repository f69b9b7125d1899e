"""Every manifest of the guide and of the examples comes back out of the board that it made, and says the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from slateboard.manifests import files
from tests.manifests.exporting import exported, fixed_point, fresh
from tests.support.boards import BoardUnderTest

TOP = Path(__file__).parents[2]
GUIDE = sorted(one for one in (TOP / "tests/manifests/guide").iterdir() if one.stem != "api-contract-changed")
EXAMPLES = sorted({one.parent for one in (TOP / "examples").rglob("*.yaml")})


@pytest.mark.parametrize("path", [*GUIDE, *EXAMPLES], ids=lambda one: one.name)
async def test_what_was_applied_is_exported_and_changes_nothing(board: BoardUnderTest, path: Path) -> None:
    await board.perform("apply", documents=files.read([str(path)]))
    texts = await fixed_point(board)
    assert texts == await exported(await again(board, texts))


async def test_all_of_them_on_one_board(board: BoardUnderTest) -> None:
    documents: list[dict[str, Any]] = []
    for path in GUIDE:
        documents += files.read([str(path)])
    await board.perform("apply", documents=documents)
    texts = await fixed_point(board)
    assert texts == await exported(await again(board, texts))


async def again(board: BoardUnderTest, texts: str) -> BoardUnderTest:
    """An empty board to which the export was applied."""
    other = await fresh(board.database)
    await other.perform("apply", documents=[{"source": "export.yaml", "text": texts}])
    return other
