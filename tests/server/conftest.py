"""A leader's means on the database of the tests, with its messages kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest

from slateboard.protocol.names import BoardId
from slateboard.server.duty import Duty
from slateboard.store.database import Database


@dataclass
class Told:
    """Who was told what."""

    woken: dict[int, set[int]] = field(default_factory=dict)
    sealed: list[int] = field(default_factory=list)

    def wake(self, board: BoardId, inboxes: Iterable[int]) -> None:
        self.woken.setdefault(board, set()).update(inboxes)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def duty(database: Database, database_url: str, told: Told) -> Duty:
    """What a chore gets."""
    return Duty(database=database, owner_url=database_url, wake=told.wake, sealed=told.sealed.append)
