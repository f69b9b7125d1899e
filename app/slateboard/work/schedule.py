"""Scheduled items: only time holds them. The leader moves them to `ready` when their time has come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slateboard.protocol.events import Subject
from slateboard.protocol.names import BoardId
from slateboard.work import queries

if TYPE_CHECKING:
    from slateboard.transaction import Transaction


async def promote(tx: Transaction, *, limit: int = 500) -> int:
    """Make items ready whose time has come, at most `limit`, whatever the board; returns how many."""
    promoted = 0
    for row in await tx.fetch(queries.PROMOTE, limit, tx.now):
        tx.board = BoardId(row["board"])
        tx.wake(await tx.fetchval(queries.PLACE, row["board"], row["items"], row["unblocked"], tx.now))
        tx.record(Subject.ITEM_PROMOTED, {"items": row["items"]})
        await tx.flush()
        promoted += len(row["items"])
    return promoted
