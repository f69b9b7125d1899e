"""Exclusive resources: paths that the work on an artifact touches, so that nobody else works on them meanwhile.

A glob is reduced to the part before its first wildcard, and stands for all that begins so; without a wildcard it is
that path alone. Two items whose paths overlap are never claimed at once (`work/guard.sql`): the one that is picked
second goes behind its gate, and is opened when the other's claim has ended.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from slateboard.protocol.names import BoardId

if TYPE_CHECKING:
    from slateboard.transaction import Transaction

MAX_GLOB_CHARACTERS = 1_000
BATCH = 500

HELD = """
SELECT board, array_agg(item ORDER BY item) AS items
FROM (SELECT board, item FROM holds WHERE (board, item) > ($1, $2) ORDER BY board, item LIMIT $3) AS h
WHERE (SELECT o.archived_at IS NULL FROM boards o WHERE o.id = h.board)
GROUP BY board ORDER BY board
"""

LAST = "SELECT board, item FROM holds WHERE (board, item) > ($1, $2) ORDER BY board, item OFFSET $3 - 1 LIMIT 1"

FREE = "SELECT free_held($1, $2, $3)"

_CLASS = re.compile(r"\[[^\]/]+\]")
_CHOICE = re.compile(r"\{[^{}/]+\}")


def is_glob(text: str) -> bool:
    """Whether a text is a glob over paths: `*`, `**`, `?`, `[a-z]`, `{a,b}`; relative, without `..`."""
    if not 0 < len(text) <= MAX_GLOB_CHARACTERS or text.startswith("/") or "\\" in text or "\0" in text:
        return False
    parts = text.split("/")
    if any(part in {".", ".."} or ("**" in part and part != "**") for part in parts) or "" in parts[:-1]:
        return False
    return not set("[]{}") & set(_CHOICE.sub("", _CLASS.sub("", text)))


async def free_held(tx: Transaction, *, after: tuple[int, int] = (0, 0), limit: int = BATCH) -> tuple[int, int]:
    """Let go on what nothing holds any more, of one page of the held items, whatever the board.

    Returns where the next page begins, (0, 0) after the last.
    """
    last = await tx.fetchrow(LAST, *after, limit)
    for row in await tx.fetch(HELD, *after, limit):
        tx.wake(await tx.fetchval(FREE, row["board"], row["items"], tx.now), board=BoardId(row["board"]))
    return (0, 0) if last is None else (last["board"], last["item"])
