"""Claiming: asking the board for work whenever there is room for it, until told to stop.

After a claim that found less than it asked for it waits: for a hint, for the end of what it found (after which a limit
of the agent may let it have more), or for the next poll. That end is no hint: it looks a moment later, when whoever it
woke has claimed. Polls, and wake-ups that turned out to be in vain, are spread by jitter, so that many idle workers do
not race for the same first row. An outage is bridged, however long; what no repetition changes (a wrong agent, a
missing right) ends it with that error.
"""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING

from slateboard.protocol.errors import BreakerOpen, Conflict, Denied, Invalid, NotFound, Paused, Unavailable
from slateboard.sdk.backoff import Backoff, Outage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from slateboard.protocol.work import Claim
    from slateboard.sdk.transport import Transport, Watch

log = logging.getLogger("slateboard.worker")

HINT_SECONDS = 3_600.0
MISS_SECONDS, MOST_MISS_SECONDS = 0.005, 0.05
"""The jitter of a worker that was woken in vain: for each time in a row, and at most."""
ENDED_SECONDS = 0.005
"""From the end of all that was found to the next look, unless there is a hint."""


class Claiming:
    """The claims of one run. `room` says how many to claim now, `take` is given what was claimed."""

    def __init__(
        self,
        transport: Transport,
        *,
        worker: str,
        lease_seconds: float,
        poll_seconds: float,
        room: Callable[[], int],
        take: Callable[[Sequence[Claim]], None],
        outage: Outage,
    ) -> None:
        self._transport = transport
        self._worker = worker
        self._lease_seconds = lease_seconds
        self._poll_seconds = poll_seconds
        self._room = room
        self._take = take
        self._outage = outage
        self._look = asyncio.Event()
        self._stopped = False
        self._full = False
        self._found_last = False
        self._misses = 0
        self._later: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Claim whenever there is room, until told to stop."""
        backoff = Backoff()
        while not self._stopped:
            self._look.clear()
            if self._later:
                self._later.cancel()
            limit = self._room()
            if limit == 0:
                self._full = True
                await self._look.wait()
                self._full = False
                continue
            try:
                found = await self._claim(limit)
            except Unavailable as error:
                self._outage.failed(error)
                await self._nap(backoff.next_seconds())
                continue
            except (Conflict, Denied, Invalid, NotFound):
                raise
            except Exception:
                log.exception("a claim failed, trying on")
                await self._nap(backoff.next_seconds())
                continue
            self._outage.over()
            backoff.reset()
            if found:
                self._misses = 0
            if found < limit:
                await self._rest(found=bool(found))

    async def hear(self, watch: Watch) -> None:
        """Look again whenever there is a hint."""
        while True:
            if await watch.wait(HINT_SECONDS):
                self._look.set()

    def stop(self) -> None:
        """Claim nothing more; a claim that is on its way is still taken."""
        self._stopped = True
        self._look.set()

    def freed(self, *, idle: bool) -> None:
        """Something held has ended; `idle` if nothing is held any more."""
        if self._full and self._room():
            self._look.set()
        elif self._found_last and idle:
            self._found_last = False
            self._later = asyncio.get_running_loop().call_later(ENDED_SECONDS, self._look.set)

    async def _claim(self, limit: int) -> int:
        """Claim, and hand over what was claimed; while paused, or behind a breaker, there is nothing."""
        try:
            claims = await self._transport.claim(worker=self._worker, limit=limit, lease_seconds=self._lease_seconds)
        except (Paused, BreakerOpen) as error:
            log.info("nothing to claim: %s", error)
            return 0
        self._take(claims)
        return len(claims)

    async def _rest(self, *, found: bool) -> None:
        """Nothing more was ready: wait for a hint, for the end of what was found, or for the next poll."""
        self._found_last = found
        self.freed(idle=False)
        hinted = await self._nap(self._poll_seconds * random.uniform(0.8, 1.2))  # noqa: S311  jitter
        self._found_last = False
        if hinted and not found and not self._stopped:
            self._misses += 1
            most_seconds = min(MOST_MISS_SECONDS, MISS_SECONDS * (self._misses - 1))
            await asyncio.sleep(random.uniform(0, most_seconds))  # noqa: S311  jitter

    async def _nap(self, seconds: float) -> bool:
        """Wait so long, or until there is reason to look again; whether there is."""
        try:
            async with asyncio.timeout(seconds):
                await self._look.wait()
        except TimeoutError:
            return False
        return True
