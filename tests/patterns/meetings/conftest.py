"""A meeting on the board of the test; every test ends with the invariants, and with the fold of its log."""

from __future__ import annotations

import pytest

from tests.support.boards import BoardUnderTest
from tests.support.meetings import MeetingUnderTest

SEATS = ["cto", "backend", "frontend"]


@pytest.fixture
def meeting(board: BoardUnderTest) -> MeetingUnderTest:
    """A meeting that is not scheduled yet."""
    return MeetingUnderTest(board)
