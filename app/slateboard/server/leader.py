"""Which of the servers on one database runs the chores: the one that holds the leader's lease.

The lease is a row (`leaders`, name `leader`), on the database's clock: taken when it is free or has run out, renewed
every second, valid for three. A holder counts its three seconds from before it asked, so it stops before another may
start. All chores are safe beside each other even so (they skip or lock what they touch); the lease only keeps them
from being done twice. `holder` is new for each start of a process, so a server never takes up the lease of one that
died.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import socket
import time
from typing import TYPE_CHECKING, Any

from slateboard.store.driver_errors import translate

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from slateboard.store.database import Database

log = logging.getLogger(__name__)

LEASE_SECONDS = 3.0
RENEW_SECONDS = 1.0
STAND_SECONDS = 0.5
"""How often one that does not lead asks whether it may."""

TAKE = """
INSERT INTO leaders AS l (name, holder, expires_at)
VALUES ('leader', $1, coalesce($2, clock_timestamp()) + make_interval(secs => $3))
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
WHERE l.holder = $1 OR l.expires_at <= coalesce($2, clock_timestamp())
RETURNING true
"""

RESIGN = "DELETE FROM leaders WHERE name = 'leader' AND holder = $1 RETURNING true"


def new_holder() -> str:
    """A word for this start of this process: host, pid, and something that never comes again."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


async def take(connection: Any, *, holder: str, now: datetime | None = None) -> bool:
    """Take or renew the lease; whether this holder has it now."""
    return bool(await connection.fetchval(TAKE, holder, now, LEASE_SECONDS))


async def resign(connection: Any, *, holder: str) -> bool:
    """Give the lease up, so that another need not wait for its end; whether this holder had it."""
    return bool(await connection.fetchval(RESIGN, holder))


class Leadership:
    """Stands for leader for as long as it runs; while it leads, `lead` runs."""

    def __init__(self, database: Database, lead: Callable[[], Awaitable[None]], *, holder: str | None = None) -> None:
        self.holder = holder or new_holder()
        self._database = database
        self._lead = lead
        self._until = 0.0
        self._told = False

    @property
    def leads(self) -> bool:
        """Whether the lease is held, by this process's own clock."""
        return time.monotonic() < self._until

    async def run(self) -> None:
        """Stand for ever; ends by being cancelled, and then stops leading and resigns."""
        try:
            while True:
                await self._ask()
                if self.leads:
                    log.info("this server leads (%s)", self.holder)
                    await self._reign()
                    log.warning("this server leads no more (%s)", self.holder)
                await asyncio.sleep(STAND_SECONDS)
        finally:
            if self.leads:
                self._until = 0.0
                await self._resign()

    async def _reign(self) -> None:
        """Lead until the lease is lost: renew it every second, and stop at once when it has run out."""
        task = asyncio.ensure_future(self._lead())
        try:
            while self.leads and not task.done():
                await asyncio.wait([task], timeout=min(RENEW_SECONDS, max(0.0, self._until - time.monotonic())))
                if not task.done():
                    await self._ask()
        finally:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("the chores ended by themselves", exc_info=error)

    async def _ask(self) -> None:
        """Take or renew; no answer leaves the lease as it is, to run out."""
        asked_at = time.monotonic()
        patience = self._until - asked_at if self.leads else LEASE_SECONDS
        try:
            async with asyncio.timeout(patience), self._database.acquire() as connection:
                held = await take(connection, holder=self.holder)
        except Exception as error:  # noqa: BLE001  whatever it is: ask again
            if not self._told:
                log.warning("the leader's lease cannot be asked for: %s", translate(error) or type(error).__name__)
            self._told = True
            return
        self._told = False
        self._until = asked_at + LEASE_SECONDS if held else 0.0

    async def _resign(self) -> None:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(LEASE_SECONDS), self._database.acquire() as connection:
                await resign(connection, holder=self.holder)
