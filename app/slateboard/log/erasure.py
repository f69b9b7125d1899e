"""Erasing a secret that got into the log: the payload goes, its hash stays, and the chain stays whole.

Erasing is itself an event, which says who did it and why. What the same secret left elsewhere (an artifact's versions,
attempts, an outbox not yet sealed, exports and backups) is not touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.protocol.errors import Invalid, UnknownName, WrongState
from slateboard.protocol.events import Subject
from slateboard.protocol.rights import Right

if TYPE_CHECKING:
    from slateboard.transaction import Transaction

MAX_REASON = 1_000
"""Characters."""

ERASE = "SELECT subject, erased FROM erase_payload($1, $2)"


async def erase(tx: Transaction, *, position: int, reason: str) -> dict[str, Any]:
    """Take the payload of one event away, for good; `UnknownName` where there is none, `WrongState` done twice."""
    tx.require(Right.ADMIN)
    reason = reason.strip()
    if not 0 < len(reason) <= MAX_REASON:
        raise Invalid(f"a reason has 1 to {MAX_REASON:,} characters", remedy="say why, without the secret itself")
    row = await tx.fetchrow(ERASE, tx.board, position)
    if row is None:
        message = f"the log has no event at position {position}"
        raise UnknownName(message, remedy="see `slate log list`; it may be archived", position=position)
    if not row["erased"]:
        raise WrongState(f"the payload of position {position} is erased already", remedy="nothing is left to do")
    tx.record(Subject.EVENT_ERASED, {"position": position, "subject": row["subject"], "reason": reason})
    return {"position": position, "subject": row["subject"], "reason": reason}
