"""What the leader's chores work with: connections of their own, and whom to tell.

Chores have a pool apart from the requests', so that neither can starve the other. `grown` is set when this process
has written something, so that an idle sequencer need not find it by polling. `now` is None but in tests.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from slateboard.protocol.names import BoardId

if TYPE_CHECKING:
    from slateboard.store.database import Database

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Duty:
    """One leader's means."""

    database: Database
    owner_url: str = field(repr=False)
    wake: Callable[[BoardId, Iterable[int]], None]
    """Tell those who wait that these inboxes of a board hold new work."""
    sealed: Callable[[int], None]
    """Tell those who follow a board's log that it has grown."""
    grown: asyncio.Event = field(default_factory=asyncio.Event)
    fresh: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when something was sealed, so that the router need not find it by polling."""
    home: Path | None = None
    """Where signed checkpoints are kept; nowhere without one."""
    archive_after_days: int = 0
    """How long events stay in the database; 0 is for ever."""
    signed: dict[int, int] = field(default_factory=dict[int, int])
    """The position of each board's last checkpoint."""
    troubles: dict[str, str] = field(default_factory=dict[str, str])
    """What this leader cannot do now, by what it is about; told by `/health`."""
    now: datetime | None = None

    def works_again(self, chore: str) -> None:
        """A chore has done its work, so it is no trouble any more."""
        if self.troubles.pop(chore, None):
            log.info("can %s again", chore)
