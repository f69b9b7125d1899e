"""The events of an audit: read once, in pages, folded and proved on the way.

The range is given by time and becomes one of positions, from the first event that happened in it to the last; whatever
lies between is proved, and folded where its own time is in the range. No more than a page of events is held at once.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from slateboard.protocol.chain import Chain
from slateboard.protocol.errors import Invalid, TooLarge
from slateboard.reports.audit_fold import Fold

if TYPE_CHECKING:
    from slateboard.transaction import Statement

PAGE = 2_000
MAX_EVENTS = 5_000_000
"""Events of one report; a longer log is told in parts."""

BOUNDS = """
SELECT min(position) AS first, max(position) AS last, min(happened_at) AS begins_at, max(happened_at) AS ends_at
FROM events
WHERE board = $1 AND ($2::timestamptz IS NULL OR happened_at >= $2)
  AND ($3::timestamptz IS NULL OR happened_at < $3)
"""

GOES_ON = "SELECT coalesce(bool_or(happened_at >= $2), false) FROM events WHERE board = $1 AND position >= $3"

# Columns as in `chain.Entry`.
PAGE_AFTER = """
SELECT position, id, subject, payload, payload_hash, actor, authenticated_by, cause, correlation, depth, traceparent,
       (extract(epoch FROM happened_at) * 1000000)::bigint AS happened_at, hash
FROM events WHERE board = $1 AND position > $2 AND position <= $3 ORDER BY position LIMIT $4
"""

HEAD = "SELECT coalesce((SELECT position FROM event_heads WHERE board = $1), 0)"

BEFORE = """
SELECT coalesce((SELECT hash FROM events WHERE board = $1 AND position = $2),
                (SELECT hash FROM archives WHERE board = $1 AND last_position = $2))
"""

NOTHING: dict[str, Any] = {
    "first_position": None,
    "last_position": None,
    "head_hash": None,
    "verified": True,
    "problem": None,
    "signed": None,
}

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@dataclass(slots=True, kw_only=True)
class Read:
    """What reading the range gave: the fold, its bounds and the proof."""

    fold: Fold
    begins_at: datetime | None
    ends_at: datetime | None
    events: int
    proof: dict[str, Any]


def _told(chain: Chain, first: int, last: int) -> dict[str, Any]:
    """The range of positions, the hash of its last entry, and whether all of it fits."""
    fault = chain.fault
    problem = None if fault is None else f"{fault.kind.value} at position {fault.position}: {fault.reason}"
    if fault is None and chain.position < last:
        problem = f"positions {chain.position + 1} to {last} are missing"
    return {
        "first_position": first,
        "last_position": last,
        "head_hash": chain.hash.hex(),
        "verified": problem is None,
        "problem": problem,
        "signed": None,
    }


async def read(tx: Statement, *, since: datetime | None, until: datetime | None) -> Read:
    """Fold and prove the events from `since` up to, but without, `until`."""
    bounds = await tx.fetchrow(BOUNDS, tx.board, since, until)
    if bounds["first"] is None:
        return Read(fold=Fold(EPOCH), begins_at=since, ends_at=until, events=0, proof=NOTHING)
    first, last = bounds["first"], bounds["last"]
    ends_at: datetime = bounds["ends_at"]
    if until is not None and await tx.fetchval(GOES_ON, tx.board, until, last):
        ends_at = until
    fold = Fold(since or bounds["begins_at"])
    previous = await tx.fetchval(BEFORE, tx.board, first - 1) if first > 1 else b""
    chain = Chain(tx.board, position=first - 1, hash=previous or b"")
    after, events = first - 1, 0
    while after < last:
        page = await tx.fetch(PAGE_AFTER, tx.board, after, last, PAGE)
        if not page:
            break
        if previous is None:  # what came before is neither here nor known, so the proof begins after the first entry
            chain = Chain(tx.board, position=first, hash=page[0]["hash"])
        if chain.fault is None:
            chain.extend(page if previous is not None else page[1:])
        previous = chain.hash
        for event in page:
            at = EPOCH + event["happened_at"] * MICROSECOND
            if (since is None or at >= since) and (until is None or at < until):
                events += 1
                payload = event["payload"]
                fold.add({**event, "happened_at": at}, None if payload is None else json.loads(payload))
        after = page[-1]["position"]
    fold.end(ends_at)
    proof = _told(chain, first, last)
    return Read(fold=fold, begins_at=fold.begins_at, ends_at=ends_at, events=events, proof=proof)


def check_range(since: datetime | None, until: datetime | None) -> None:
    """Refuse times without a zone, and a range that ends before it begins."""
    for name, moment in (("since", since), ("until", until)):
        if moment is not None and moment.tzinfo is None:
            raise Invalid(f"`{name}` says no time zone", remedy="add an offset, such as Z")
    if since is not None and until is not None and since >= until:
        message = f"the range ends ({until.isoformat()}) before it begins ({since.isoformat()})"
        raise Invalid(message, remedy="let `until` be later than `since`")


async def check_size(tx: Statement) -> None:
    """Refuse a log that is too long for one report."""
    head: int = await tx.fetchval(HEAD, tx.board)
    if head > MAX_EVENTS:
        message = f"a report reads at most {MAX_EVENTS:,} events, and the log has {head:,}"
        raise TooLarge(message, remedy="archive the older part: `slate log archive --before TIME`")
