"""The sequencer's loop: seal what was appended, soon but in large steps, and keep the outbox small.

A full batch is followed by another at once. Otherwise the pause is twice as long as the seal took, within 2 and 40 ms,
so that under load sealing takes a third of one connection and its batches grow with the load; after a few events it is
as long as the seal took, since then readers wait for it and nobody else needs the time. With nothing to seal the
pause grows to 25 ms, which bounds how long an event waits that comes after a silence; a write of this process ends
that pause. The outbox's lanes are rotated after 100,000 events, and once more when silence follows work.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from slateboard.log import sequence
from slateboard.protocol.names import BoardId
from slateboard.protocol.rights import SYSTEM
from slateboard.transaction import Statement, hot

if TYPE_CHECKING:
    from slateboard.server.duty import Duty

NAME = "seal the log"
LEAST_PAUSE_SECONDS = 0.002
MOST_PAUSE_SECONDS = 0.040
IDLE_PAUSE_SECONDS = 0.025
GROWTH = 1.3
FEW_EVENTS = 100
"""A seal of fewer is no load: a drain seals a thousand at once."""
ROTATE_EVENTS = 100_000
ROTATE_LEFT_OVER = 1_000
"""Events since the last rotation that are worth one in a silence."""
SILENCE_SECONDS = 1.0
LANES = 2


class Pace:
    """How long to wait after each seal."""

    def __init__(self) -> None:
        self._idle_seconds = LEAST_PAUSE_SECONDS

    def after(self, sealed: int, took_seconds: float) -> float:
        """The pause after a seal of so many events that took so long."""
        if sealed == 0:
            self._idle_seconds = min(self._idle_seconds * GROWTH, IDLE_PAUSE_SECONDS)
            return self._idle_seconds
        self._idle_seconds = LEAST_PAUSE_SECONDS
        if sealed >= sequence.BATCH:
            return 0.0
        rest_seconds = took_seconds if sealed < FEW_EVENTS else 2 * took_seconds
        return min(max(rest_seconds, LEAST_PAUSE_SECONDS), MOST_PAUSE_SECONDS)


class Rotation:
    """When the outbox's lanes are due to be rotated."""

    def __init__(self) -> None:
        self._sealed = 0
        self._lanes_left = 0
        self._silent_since = time.monotonic()

    def note(self, sealed: int) -> None:
        """So many events were sealed."""
        if sealed:
            self._sealed += sealed
            self._silent_since = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether to rotate now."""
        if self._sealed >= ROTATE_EVENTS:
            return True
        silent = time.monotonic() - self._silent_since > SILENCE_SECONDS
        return silent and (self._sealed >= ROTATE_LEFT_OVER or self._lanes_left > 0)

    def done(self, emptied: bool) -> None:  # noqa: FBT001  the answer of `rotate`
        """It was tried. After the first lane the other one holds what is dead; it is emptied in the next silence."""
        # A lane in use by somebody is left; a second of silence, or so many events, and it is tried again.
        self._silent_since = time.monotonic()
        if emptied:
            self._lanes_left = LANES - 1 if self._sealed else max(0, self._lanes_left - 1)
            self._sealed = 0


async def seal_once(tx: Statement, duty: Duty) -> int:
    """Seal one batch and tell who follows; returns how many events it were."""
    heads = await sequence.seal(tx)
    for head in heads:
        duty.sealed(head["board"])
    if heads:
        duty.fresh.set()
    return sum(head["sealed"] for head in heads)


async def seal_for_ever(duty: Duty) -> float:
    """Seal on one connection until it fails or the leader's lease is lost."""
    pace, rotation = Pace(), Rotation()
    async with hot(duty.database, SYSTEM, BoardId(0)) as tx:
        while True:
            duty.grown.clear()
            began = time.monotonic()
            sealed = await seal_once(tx, duty)
            took_seconds = time.monotonic() - began
            duty.works_again(NAME)
            rotation.note(sealed)
            if rotation.due:
                rotation.done(await sequence.rotate(tx))
            pause = pace.after(sealed, took_seconds)
            if sealed:
                await asyncio.sleep(pause)
            else:
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await duty.grown.wait()
