"""What `slate why` says of what is over, and of what has more than one cause."""

from __future__ import annotations

from typing import Any

import pytest

from slateboard.cli import why


def found(place: str, *, roots: int = 1, more: bool = False) -> dict[str, Any]:
    path = [{"reference": "release/notes", "place": place, "because": "for a reason", "deadline": None}]
    return {"path": path, "release": None, "moves": True, "roots": ["root"] * roots, "more_roots": more}


@pytest.mark.parametrize(
    ("place", "moves"), [("scheduled", True), ("ready", True), ("done", False), ("cancelled", False)]
)
def test_what_is_over_does_not_move(place: str, moves: bool) -> None:
    assert ("it moves by itself" in why._lines(found(place))) is moves


@pytest.mark.parametrize(
    ("roots", "more", "said"),
    [(2, False, "1 other cause:"), (3, False, "2 other causes:"), (2, True, "1 or more other causes:")],
)
def test_other_causes_are_counted(roots: int, more: bool, said: str) -> None:
    assert said in why._lines(found("gated", roots=roots, more=more))[-1]
