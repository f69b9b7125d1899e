"""The leader's checkpoints: every few seconds, of each log that has grown, signed and written outside the database.

A log that no longer has what was signed last is not signed again, so what somebody rewrote never gets a signature: that
is told at once, in the server's log and by `/health`, until the log fits again or its checkpoints are moved elsewhere.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from slateboard.log import checkpoints, proof, signing
from slateboard.protocol.names import BoardId
from slateboard.protocol.rights import SYSTEM
from slateboard.store.binaries import problem_from_os
from slateboard.transaction import hot

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from slateboard.log.checkpoints import Checkpoint
    from slateboard.server.duty import Duty

log = logging.getLogger(__name__)

CHECKPOINT_SECONDS = 5.0


async def sign_checkpoints(duty: Duty) -> float:
    """Sign the heads that were not signed yet, page by page; nothing where this server has no home.

    Raises `ServerProblem` if the home cannot be written.
    """
    if duty.home is not None:
        after, full = 0, True
        while full:
            async with hot(duty.database, SYSTEM, BoardId(0)) as tx:
                heads = await checkpoints.heads(tx, after=after)
            full = len(heads) == checkpoints.PAGE
            grown = [head for head in heads if duty.signed.get(head["board"]) != head["position"]]
            if grown:
                await _sign(duty, duty.home, grown)
            after = heads[-1]["board"] if heads else after
    return CHECKPOINT_SECONDS


async def _sign(duty: Duty, home: Path, heads: list[Any]) -> None:
    before = await asyncio.to_thread(_last, home, heads)
    async with hot(duty.database, SYSTEM, BoardId(0)) as tx:
        unfit = await checkpoints.unfit(tx, before.values())
    fit = [head for head in heads if head["board"] not in unfit]
    # What a start of the server finds signed is not signed again.
    fresh = [head for head in fit if head["board"] not in before or before[head["board"]].position != head["position"]]
    for head in heads:
        _tell(duty, head["name"], before[head["board"]].position if head["board"] in unfit else None)
    await asyncio.to_thread(_write, home, fresh)
    duty.signed.update((head["board"], head["position"]) for head in fit)


def _tell(duty: Duty, name: str, position: int | None) -> None:
    """Tell that the log of a board does not have what was signed at that position, once; None: it is well."""
    about = f"checkpoints of {name}"
    if position is None:
        duty.troubles.pop(about, None)
    elif about not in duty.troubles:
        duty.troubles[about] = (
            f"the log of {name} is not the one that was signed at position {position}, and is not signed any more: "
            f"see `slate log verify --board {name}`; after a restore, move its checkpoints elsewhere"
        )
        log.error("%s", duty.troubles[about])


def _last(home: Path, heads: list[Any]) -> dict[int, Checkpoint]:
    found = {head["board"]: checkpoints.last(home, head["name"], _log_of(head)) for head in heads}
    return {board: one for board, one in found.items() if one is not None}


def _write(home: Path, heads: list[Any]) -> None:
    try:
        key = signing.load_or_make(home)
        for head in heads:
            checkpoints.keep(home, checkpoints.of_head(head, key, log=_log_of(head)))
    except OSError as error:
        raise problem_from_os(f"signed checkpoints cannot be written in {home}", error) from error


def _log_of(head: Any) -> str:
    return proof.log_id(head["board"], head["created_at"])
