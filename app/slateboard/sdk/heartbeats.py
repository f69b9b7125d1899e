"""Heartbeats: every held claim, started or not, is renewed at a third of its lease, all in one call.

Progress travels with them: the first report goes at once, those within the next quarter of a second share one call.
A claim that the board no longer knows is reported to the worker, which cancels its handler.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from slateboard.protocol.errors import Unavailable
from slateboard.protocol.work import MAX_BATCH, Beat
from slateboard.sdk.backoff import Backoff, Outage
from slateboard.sdk.holding import Held, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from slateboard.protocol.errors import SlateError
    from slateboard.sdk.transport import Transport

log = logging.getLogger(__name__)

BEATS_PER_LEASE = 3
PROGRESS_SECONDS = 0.25
TEXT_CHARACTERS = 1_000
"""What is kept of a report of progress."""


class Heartbeats:
    """Renews what a worker holds."""

    def __init__(
        self,
        transport: Transport,
        held: Mapping[int, Held],
        *,
        lease_seconds: float,
        lost: Callable[[Held, SlateError], None],
        outage: Outage,
    ) -> None:
        self._transport = transport
        self._held = held
        self._every_seconds = lease_seconds / BEATS_PER_LEASE
        self._lost = lost
        self._outage = outage
        self._reported: set[int] = set()
        self._sent_at = float("-inf")
        self._sending: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Renew for ever; an outage is bridged by trying on."""
        while True:
            await asyncio.sleep(self._every_seconds)
            await self.beat(list(self._held))

    async def beat(self, fences: Iterable[int]) -> None:
        """Renew these claims now."""
        wanted = [fence for fence in fences if fence in self._held]
        backoff = Backoff()
        for start in range(0, len(wanted), MAX_BATCH):
            part = wanted[start : start + MAX_BATCH]
            while part := [fence for fence in part if fence in self._held]:
                try:
                    await self._renew(part)
                    self._outage.over()
                    break
                except Unavailable as error:
                    self._outage.failed(error)
                except Exception:
                    log.exception("a heartbeat of %d claims failed", len(part))
                await asyncio.sleep(min(backoff.next_seconds(), self._every_seconds))

    async def progress(self, held: Held, percent: int | None, text: str | None) -> None:
        """Note progress, and send it now or with what comes in the next quarter of a second."""
        held.percent = held.percent if percent is None else min(100, max(0, round(percent)))
        held.progress = held.progress if text is None else text[:TEXT_CHARACTERS].replace("\0", "")
        self._reported.add(held.claim.fence)
        wait_seconds = self._sent_at + PROGRESS_SECONDS - asyncio.get_running_loop().time()
        if self._sending and not self._sending.done():
            return
        if wait_seconds <= 0:
            await self._send_reported(0.0)
        else:
            self._sending = asyncio.create_task(self._send_reported(wait_seconds))

    async def close(self) -> None:
        """End what is still to be sent."""
        if self._sending:
            self._sending.cancel()
            await asyncio.wait([self._sending])

    async def _send_reported(self, wait_seconds: float) -> None:
        if wait_seconds:
            await asyncio.sleep(wait_seconds)
        fences = sorted(self._reported)
        self._reported.clear()
        self._sent_at = asyncio.get_running_loop().time()
        await self.beat(fences)

    async def _renew(self, fences: list[int]) -> None:
        renewed = [self._held[fence] for fence in fences]
        beats = [
            Beat(item=one.claim.item, fence=one.claim.fence, percent=one.percent, progress=one.progress)
            for one in renewed
        ]
        for held, answer in zip(renewed, await self._transport.heartbeat(beats), strict=True):
            # A claim that is ending may be gone already: the answer to its finish tells, not this one.
            if answer.error and held.stage is not Stage.ENDING:
                self._lost(held, answer.error)
