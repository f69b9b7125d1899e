"""Attending: a worker says every twenty seconds that it is there, also while it has nothing to do.

By that the board knows that its agent has heard of what was delegated to it, and who can begin at once.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, NoReturn

from slateboard.protocol.errors import SlateError

if TYPE_CHECKING:
    from slateboard.sdk.transport import Transport

log = logging.getLogger(__name__)

ATTEND_SECONDS = 20.0


async def attend(transport: Transport, worker: str) -> NoReturn:
    """Say so for ever; what goes wrong with it is no trouble of the work, and is tried again with the next."""
    while True:
        try:
            await transport.call("attend", {"worker": worker})
        except SlateError as error:
            log.debug("cannot attend: %s", error)
        await asyncio.sleep(ATTEND_SECONDS)
