"""Keeping the embedded Postgres alive: if it ends under a running server, it is started again.

The server holds the home's lock, so nobody else may start it. A restart keeps URLs and passwords, so pools, listeners
and workers reconnect by themselves. One that fails (a full disk) is logged and tried again, later and later.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from slateboard.protocol.errors import SlateError
from slateboard.sdk.backoff import Backoff
from slateboard.store.run_file import start_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from slateboard.store.embedded import RunFile

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.2
MOST_WAIT_SECONDS = 30.0


async def keep_running(run: RunFile, start: Callable[[], RunFile]) -> None:
    """Look five times a second whether Postgres runs, and call `start`, in a thread, if it does not."""
    backoff = Backoff(most_seconds=MOST_WAIT_SECONDS)
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        if start_of(run.pid) == run.started:
            continue
        log.error("Postgres (process %d) has ended; starting it again", run.pid)
        try:
            run = await _whole(start)
        except SlateError as error:
            log.error("Postgres cannot be started: %s", error)  # noqa: TRY400  its message says it all
            await asyncio.sleep(backoff.next_seconds())
        else:
            log.info("Postgres runs again (process %d)", run.pid)
            backoff.reset()


async def _whole(start: Callable[[], RunFile]) -> RunFile:
    """Run it in a thread, and never leave it half done: who is cancelled meanwhile waits for its end."""
    started = asyncio.ensure_future(asyncio.to_thread(start))
    try:
        return await asyncio.shield(started)
    except asyncio.CancelledError:
        await asyncio.wait([started])
        raise
