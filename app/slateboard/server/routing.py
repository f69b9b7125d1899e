"""The router's loop: right after a seal, bring the log to the subscriptions that are behind it, board by board.

Each step is a transaction of its own, so a broken subscription stops no other. Under load the loop rests as long as it
worked, so that routing takes half of one connection at most beside the sequencer; with nothing sealed it looks again
after 250 ms.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from slateboard.patterns import routing, waits
from slateboard.protocol.names import BoardId
from slateboard.protocol.rights import SYSTEM
from slateboard.transaction import hot, writing

if TYPE_CHECKING:
    from slateboard.server.duty import Duty

NAME = "route the log"
LEAST_PAUSE_SECONDS = 0.005
MOST_PAUSE_SECONDS = 0.050
IDLE_PAUSE_SECONDS = 0.250
NO_BOARD = BoardId(0)


async def route_for_ever(duty: Duty) -> float:
    """Route until it fails or the leader's lease is lost."""
    while True:
        duty.fresh.clear()
        began = time.monotonic()
        more = await route_once(duty)
        took_seconds = time.monotonic() - began
        duty.works_again(NAME)
        await asyncio.sleep(min(max(took_seconds, LEAST_PAUSE_SECONDS), MOST_PAUSE_SECONDS))
        if not more:
            with suppress(TimeoutError):
                async with asyncio.timeout(IDLE_PAUSE_SECONDS):
                    await duty.fresh.wait()


async def route_once(duty: Duty) -> bool:
    """One step for every subscription that is behind; whether there is more to do at once."""
    more = False
    failed: list[Exception] = []
    after = 0
    while True:
        async with hot(duty.database, SYSTEM, NO_BOARD) as tx:
            boards = await routing.boards_behind(tx, after=after)
        for row in boards:
            try:
                more |= await _route_board(duty, BoardId(row["board"]), row["head"])
            except Exception as error:  # noqa: BLE001  told below, when the other boards have had their turn
                failed.append(error)
        if len(boards) < routing.BOARDS:
            break
        after = boards[-1]["board"]
    if failed:
        raise failed[0]
    return more


async def _route_board(duty: Duty, board: BoardId, head: int) -> bool:
    async with hot(duty.database, SYSTEM, board) as tx:
        made = await routing.plan(tx, head=head)
        await routing.skip(tx, made.idle)
    failed: list[Exception] = []
    for step in made.steps:
        try:
            async with writing(duty.database, SYSTEM, board, now=duty.now, wake=duty.wake) as tx:
                await routing.route(tx, step)
        except Exception as error:  # noqa: BLE001  told below, when the other subscriptions have had their turn
            failed.append(error)
    if failed:
        raise failed[0]
    async with writing(duty.database, SYSTEM, board, now=duty.now, wake=duty.wake) as tx:
        looked_at = await waits.match(tx, head=head)
    if made.steps:
        duty.grown.set()
    return made.more or looked_at >= waits.BATCH
