"""Erasing a secret that got into the log: the payload goes, its hash stays, and the chain stays whole.

Erasing is itself an event, which says who did it and why. What the same secret left elsewhere (an artifact's versions,
attempts, an outbox not yet sealed, archives, exports and backups) is not touched; see `docs/proof.md`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.protocol.errors import Archived, Invalid, UnknownName, WrongState
from slateboard.protocol.events import Subject
from slateboard.protocol.rights import Right

if TYPE_CHECKING:
    from slateboard.transaction import Transaction

MAX_REASON = 1_000
"""Characters."""

ERASE = "SELECT subject, erased FROM erase_payload($1, $2)"
ARCHIVED = "SELECT file FROM archives WHERE board = $1 AND $2 BETWEEN first_position AND last_position"


async def erase(tx: Transaction, *, position: int, reason: str) -> dict[str, Any]:
    """Take the payload of one event away, for good; `UnknownName` where there is none, `WrongState` done twice.

    Raises `Archived` with the file's name where it is in an archive: a file is not changed behind its owner's back.
    """
    tx.require(Right.ADMIN)
    reason = reason.strip()
    if not 0 < len(reason) <= MAX_REASON:
        raise Invalid(f"a reason has 1 to {MAX_REASON:,} characters", remedy="say why, without the secret itself")
    row = await tx.fetchrow(ERASE, tx.board, position)
    file = await tx.fetchval(ARCHIVED, tx.board, position) if row is None else None
    if file is not None:
        message = f"position {position} is in the archive {file}, and not in the database"
        raise Archived(message, remedy="take it out of the file, as docs/proof.md shows", file=file)
    if row is None:
        message = f"the log has no event at position {position}"
        raise UnknownName(
            message, remedy="see `slate log list`; what is new is in the log after a moment", position=position
        )
    if not row["erased"]:
        raise WrongState(
            f"the payload of position {position} is erased already",
            remedy="leave it: its hash stays, and nothing else of it",
        )
    tx.record(Subject.EVENT_ERASED, {"position": position, "subject": row["subject"], "reason": reason})
    return {"position": position, "subject": row["subject"], "reason": reason}
