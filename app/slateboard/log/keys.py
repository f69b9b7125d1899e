"""A new signing key, told in the log: which one it is, and that the one before it has signed it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.protocol.errors import Invalid
from slateboard.protocol.events import Subject
from slateboard.protocol.rights import Right

if TYPE_CHECKING:
    from slateboard.transaction import Transaction

PUBLIC_DIGITS = 64
SIGNATURE_DIGITS = 128


async def record_key(
    tx: Transaction, *, key: str, public: str, at: int, previous: str, signature: str
) -> dict[str, Any]:
    """Tell in the board's log that its checkpoints are signed by another key from now on.

    `public` and `signature` are in hexadecimal digits, `at` in µs since 1970; `previous` is the key that signed it.
    """
    from slateboard.log import signing

    tx.require(Right.ADMIN)
    try:
        good = len(bytes.fromhex(signature)) * 2 == SIGNATURE_DIGITS and signing.key_id(public) == key
        good = good and len(public) == PUBLIC_DIGITS and 0 < len(previous) <= signing.ID_DIGITS
    except (TypeError, ValueError):
        good = False
    if not good:
        raise Invalid("this is no key with its signature", remedy="run `slate log rotate-key`")
    payload = {"key": key, "public": public, "at": at, "previous": previous, "signature": signature}
    tx.record(Subject.KEY_CHANGED, payload)
    return payload
