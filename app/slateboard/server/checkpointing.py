"""The leader's checkpoints: every few seconds, of each log that has grown, signed and written outside the database."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from slateboard.log import checkpoints, proof, signing
from slateboard.protocol.names import BoardId
from slateboard.protocol.rights import SYSTEM
from slateboard.transaction import hot

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from slateboard.server.duty import Duty

CHECKPOINT_SECONDS = 5.0


async def sign_checkpoints(duty: Duty) -> float:
    """Sign the heads that were not signed yet, page by page; nothing where this server has no home."""
    if duty.home is not None:
        after, full = 0, True
        while full:
            async with hot(duty.database, SYSTEM, BoardId(0)) as tx:
                heads = await checkpoints.heads(tx, after=after)
            full = len(heads) == checkpoints.PAGE
            grown = [head for head in heads if duty.signed.get(head["board"]) != head["position"]]
            if grown:
                await asyncio.to_thread(_write, duty.home, grown)
                duty.signed.update((head["board"], head["position"]) for head in grown)
            after = heads[-1]["board"] if heads else after
    return CHECKPOINT_SECONDS


def _write(home: Path, heads: list[Any]) -> None:
    key = signing.load_or_make(home)
    for head in heads:
        log = proof.log_id(head["board"], head["created_at"])
        checkpoints.keep(home, checkpoints.of_head(head, key, log=log))
