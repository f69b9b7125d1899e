"""Inboxes: where claimants look. An agent's inbox has the agent's id; an open one is shared by all who have a
capability (`''`: by everybody on the board).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from slateboard.transaction import Transaction


async def open_to(tx: Transaction, capabilities: Iterable[str]) -> dict[str, int]:
    """The open inboxes for these capabilities, made where they are missing."""
    wanted = sorted(set(capabilities))
    if not wanted:
        return {}
    await tx.fetch(
        "INSERT INTO open_inboxes (board, capability) SELECT $1, c FROM unnest($2::text[]) AS c ON CONFLICT DO NOTHING",
        tx.board,
        wanted,
    )
    rows = await tx.fetch(
        "SELECT capability, id FROM open_inboxes WHERE board = $1 AND capability = ANY ($2::text[])", tx.board, wanted
    )
    return {row["capability"]: row["id"] for row in rows}
