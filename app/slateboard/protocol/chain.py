"""The hash chain of the log, as anybody can work it out: the form of a link, and a check of one link after the other.

hash = sha256(previous hash || payload_hash || head); `docs/proof.md` says it in full, and `log/seal.sql` makes it. A
`Chain` needs no database and keeps nothing but its last link, so that a log of any length is checked in little memory.
It stops for good at the first entry that does not fit, and names it. An erased payload is absent; its hash stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from itertools import islice
from typing import Any, NamedTuple

SHIFTS = 1_000
"""By how many positions a fault is explained, at most."""


class Entry(NamedTuple):
    """A sealed event: what its link is made of, in the order in which rows and checks have it."""

    position: int
    id: int
    subject: str
    payload: str | None
    payload_hash: bytes
    actor: str
    authenticated_by: str
    cause: int | None
    correlation: str | None
    depth: int
    traceparent: str | None
    happened_at: int
    """µs since 1970."""
    hash: bytes


class FaultKind(StrEnum):
    """In which way a log does not fit; `changed` also where nothing more exact can be told."""

    CHANGED = "changed"
    MISSING = "missing"
    INSERTED = "inserted"
    SWAPPED = "swapped"
    CUT_OFF = "cut_off"
    REWRITTEN = "rewritten"


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """The first position that does not fit, and why."""

    position: int
    kind: FaultKind
    reason: str


def head_of(board: int, position: int, entry: Sequence[Any]) -> str:
    """The text of an entry's head, as at that position of that board."""
    (_, id_, subject, _, _, actor, authenticated_by, cause, correlation, depth, traceparent, happened_at, _) = entry
    return (
        f"{board}\n{position}\n{id_}\n{subject}\n{actor}\n{authenticated_by}\n"
        f"{'' if cause is None else cause}\n{'' if correlation is None else correlation}\n"
        f"{depth}\n{'' if traceparent is None else traceparent}\n{happened_at}"
    )


def link(previous: bytes, board: int, position: int, entry: Sequence[Any]) -> bytes:
    """The hash that an entry has at that position, after an entry with the hash `previous`."""
    return sha256(previous + entry[4] + head_of(board, position, entry).encode()).digest()


class Chain:
    """Checks entries of one board, oldest first, after `position` (0: from the beginning), whose hash is `hash`.

    What it has checked: `count` entries up to `position`, the last of which has the hash `hash`. `fault` is the first
    that does not fit, or None. `signed` are hashes that were signed, by position: another hash there does not fit.
    """

    def __init__(
        self,
        board: int,
        *,
        position: int = 0,
        hash: bytes = b"",  # noqa: A002  its name everywhere
        signed: Mapping[int, bytes] | None = None,
    ) -> None:
        self.board = board
        self.signed = signed or {}
        self.position = position
        self.hash = hash
        self.count = 0
        self.fault: Fault | None = None
        if self.signed.get(position, hash) != hash:
            self.fault = _rewritten(position)

    def extend(self, entries: Sequence[Sequence[Any]]) -> bool:
        """Check the entries that follow; False if one does not fit. Entries are `Entry`, or rows in its order."""
        board, position, last, signed = self.board, self.position, self.hash, self.signed
        for index, entry in enumerate(entries):
            position += 1
            payload = entry[3]
            if (
                self.fault is not None
                or entry[0] != position
                or (payload is not None and sha256(payload.encode()).digest() != entry[4])
                or link(last, board, position, entry) != entry[12]
            ):
                self.fault = self.fault or explain(self, entries, index)
                return False
            if position in signed and signed[position] != entry[12]:
                self.fault = _rewritten(position)
                return False
            last = self.hash = entry[12]
            self.position = position
            self.count += 1
        return self.fault is None

    def end(self, position: int, hash: bytes | None) -> bool:  # noqa: A002  see __init__
        """Check that the log ends here: its head is at `position`, with that hash."""
        if self.fault is None and self.position < position:
            reason = f"the log ends at position {self.position}, and its head is at {position}"
            self.fault = Fault(position=self.position + 1, kind=FaultKind.CUT_OFF, reason=reason)
        elif self.fault is None and (self.position > position or (hash is not None and hash != self.hash)):
            reason = f"the log ends at position {self.position}, and its head says otherwise (position {position})"
            self.fault = Fault(position=self.position, kind=FaultKind.CHANGED, reason=reason)
        return self.fault is None


def _rewritten(position: int) -> Fault:
    reason = "a signed checkpoint has another hash here: the log was written anew, here or before"
    return Fault(position=position, kind=FaultKind.REWRITTEN, reason=reason)


def explain(chain: Chain, entries: Sequence[Sequence[Any]], index: int) -> Fault:
    """Why the entry at `index` does not follow what was checked, as far as those beside it tell."""
    board, last = chain.board, chain.hash
    expected = chain.position + 1
    entry = entries[index]
    position: int = entry[0]
    if position < expected:
        return Fault(
            position=position, kind=FaultKind.INSERTED, reason=f"position {position} occurs twice, or out of order"
        )
    if position > expected:
        upto = f"{expected} to {position - 1} are" if position - 1 > expected else f"{expected} is"
        return Fault(position=expected, kind=FaultKind.MISSING, reason=f"position {upto} not there")
    if entry[3] is not None and sha256(entry[3].encode()).digest() != entry[4]:
        return Fault(position=position, kind=FaultKind.CHANGED, reason="its payload is not the one that was hashed")
    after: Iterable[Sequence[Any]] = islice(entries, index + 1, index + 1 + SHIFTS)
    for distance, other in enumerate(after, start=1):
        if link(last, board, expected, other) == other[12]:
            back = link(entries[index + distance - 1][12] if distance > 1 else other[12], board, other[0], entry)
            if back == entry[12] or distance > 1:
                reason = f"the entry that belongs here stands at position {other[0]}"
                return Fault(position=position, kind=FaultKind.SWAPPED, reason=reason)
            reason = "what follows fits what stands before it: this entry was put between them"
            return Fault(position=position, kind=FaultKind.INSERTED, reason=reason)
    for distance, other in enumerate(islice(entries, index + 1, index + 2), start=1):
        for shift in range(1, SHIFTS + 1):
            if link(entry[12], board, position + distance + shift, other) == other[12]:
                reason = f"{shift} before it {'is' if shift == 1 else 'are'} not there, and the rest was moved up"
                return Fault(position=position, kind=FaultKind.MISSING, reason=reason)
    return Fault(position=position, kind=FaultKind.CHANGED, reason="its hash is not that of what it says")
