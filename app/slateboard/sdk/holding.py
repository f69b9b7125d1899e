"""What a worker holds: its claims, from the moment they were granted until the board has acknowledged their end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from slateboard.sdk.work import Work

if TYPE_CHECKING:
    import asyncio

    from slateboard.protocol.errors import SlateError
    from slateboard.protocol.work import Claim


class Stage(Enum):
    """How far a held claim is."""

    PREFETCHED = auto()
    RUNNING = auto()
    ENDING = auto()
    """Its finish or give-back is on its way."""
    GONE = auto()
    """The board has acknowledged its end, or said that the claim is lost."""


@dataclass(slots=True, eq=False)
class Held:
    """One held claim."""

    claim: Claim
    since: float
    stage: Stage = Stage.PREFETCHED
    task: asyncio.Task[None] | None = None
    work: Work | None = None
    in_thread: bool = False
    interrupted: bool = False
    lost: SlateError | None = None
    percent: int | None = None
    progress: str | None = None

    def stop(self) -> None:
        """Tell the handler to end: its task is cancelled; a thread can only be told."""
        if self.work:
            self.work.cancel()
        if self.task and not self.in_thread:
            self.task.cancel()
