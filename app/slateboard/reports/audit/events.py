"""The events of an audit: read once, in pages, folded and proved on the way.

The range is given by time and becomes one of positions, from the first event that happened in it to the last; whatever
lies between is proved, and folded where its own time is in the range. An archive is read from its file, whole. No more
than a page of events is held at once.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from slateboard.log import archives
from slateboard.log.proof import log_id
from slateboard.protocol.chain import Chain
from slateboard.protocol.errors import BadExport, Invalid, TooLarge, WrongLog
from slateboard.reports.audit.fold import Fold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slateboard.transaction import ReadTransaction, Statement

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

HASH_AT = "SELECT hash FROM events WHERE board = $1 AND position = $2"

# Those that may hold events of the range. Times are those of transactions, which may be told of a little later: an
# archive is only passed over when the one before it ended a day after the range.
ARCHIVES = f"""
SELECT * FROM (
    SELECT {archives.COLUMNS}, a.last_happened_at, lag(a.last_happened_at) OVER (ORDER BY a.last_position) AS previous
    FROM archives a WHERE a.board = $1
) AS known
WHERE ($2::timestamptz IS NULL OR last_happened_at >= $2)
  AND ($3::timestamptz IS NULL OR previous IS NULL OR previous < $3 + interval '1 day')
ORDER BY last_position
"""

LOG = "SELECT name, (extract(epoch FROM created_at) * 1000000)::bigint AS created_at FROM boards WHERE id = $1"

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


class _Reading:
    """What was read so far of the events from `since` up to `until`: pages come in the order of the log."""

    def __init__(
        self, chain: Chain, since: datetime | None, until: datetime | None, begins_at: datetime | None
    ) -> None:
        self.chain = chain
        self.first = chain.position + 1
        self.since, self.until = since, until
        self.begins_at = since or begins_at
        self.ends_at: datetime | None = None
        self.fold = Fold(self.begins_at or EPOCH)
        self.events = 0

    def take(self, page: Sequence[Sequence[Any]]) -> bool:
        """Prove a page (rows of `chain.Entry`), and fold what happened in the range."""
        if self.chain.fault is None:
            self.chain.extend(page)
        for row in page:
            at = EPOCH + row[11] * MICROSECOND
            if (self.since is not None and at < self.since) or (self.until is not None and at >= self.until):
                continue
            if self.begins_at is None:
                self.begins_at = self.fold.begins_at = at
            if self.ends_at is None or at > self.ends_at:
                self.ends_at = at
            self.events += 1
            event = {
                "position": row[0],
                "id": row[1],
                "subject": row[2],
                "actor": row[5],
                "cause": row[7],
                "correlation": row[8],
                "happened_at": at,
            }
            self.fold.erased += row[3] is None  # not what said nothing, whose text is `null`
            self.fold.add(event, None if row[3] is None else json.loads(row[3]))
        return True


def _told(chain: Chain, first: int, last: int, signers: dict[int, str], problem: str | None) -> dict[str, Any]:
    """The range of positions, the hash of its last entry, whether all of it fits, and up to where that was signed."""
    fault = chain.fault
    if fault is not None:
        problem = f"{fault.kind.value} at position {fault.position}: {fault.reason}"
    elif chain.position < last:
        problem = f"positions {chain.position + 1} to {last} are missing"
    within = [position for position in signers if first - 1 <= position <= chain.position]
    return {
        "first_position": first,
        "last_position": last,
        "head_hash": chain.hash.hex(),
        "verified": problem is None,
        "problem": problem,
        "signed": {"position": max(within), "key": signers[max(within)]} if within and problem is None else None,
    }


async def read(tx: ReadTransaction, *, since: datetime | None, until: datetime | None) -> Read:
    """Fold and prove the events from `since` up to, but without, `until`; those in archives from their files.

    Raises `Archived` where the file of an archive is not here, `ServerProblem` for one that was changed.
    """
    bounds = await tx.fetchrow(BOUNDS, tx.board, since, until)
    older = await tx.fetch(ARCHIVES, tx.board, since, until)
    if bounds["first"] is None and not older:
        return Read(fold=Fold(EPOCH), begins_at=since, ends_at=until, events=0, proof=NOTHING)
    first = older[0]["first_position"] if older else bounds["first"]
    last: int = bounds["last"] or older[-1]["last_position"]
    hashes, signers, problem = await _signed(tx)
    before = older[0]["before"] if older else await _hash_before(tx, first)
    chain = Chain(tx.board, position=first - 1, hash=before, signed=hashes)
    reading = _Reading(chain, since, until, None if older else bounds["begins_at"])
    for archive in older:
        await archives.read(tx, archive, tx.home, reading.take)
    after: int = older[-1]["last_position"] if older else first - 1
    while after < last and (page := await tx.fetch(PAGE_AFTER, tx.board, after, last, PAGE)):
        reading.take(page)
        after = page[-1]["position"]
    ends_at = reading.ends_at or until or reading.fold.begins_at
    if until is not None and await tx.fetchval(GOES_ON, tx.board, until, last):
        ends_at = until
    reading.fold.end(ends_at)
    proof = _told(chain, first, last, signers, problem)
    return Read(
        fold=reading.fold, begins_at=reading.fold.begins_at, ends_at=ends_at, events=reading.events, proof=proof
    )


async def _hash_before(tx: ReadTransaction, position: int) -> bytes:
    """The hash of the entry before a position; empty before the first."""
    if position == 1:
        return b""
    found = await tx.fetchval(HASH_AT, tx.board, position - 1)
    if found is not None:
        return found
    archive = await archives.holding(tx, position - 1)
    return archive["hash"] if archive is not None and archive["last_position"] == position - 1 else b""


async def _signed(tx: ReadTransaction) -> tuple[dict[int, bytes], dict[int, str], str | None]:
    """What was signed of this log by position, as hashes and as keys; and what is wrong with that, if anything is."""
    if tx.home is None:
        return {}, {}, None
    from slateboard.log import checkpoints, signing

    home = tx.home
    board = await tx.fetchrow(LOG, tx.board)
    log = log_id(tx.board, board["created_at"])

    def found() -> list[checkpoints.Checkpoint]:
        files = checkpoints.files(home, board["name"], log)
        return list(checkpoints.read(files, signing.public_keys(home), log=log)) if files else []

    try:
        known = await asyncio.to_thread(found)
        return checkpoints.hashes(known), {one.position: one.key for one in known}, None
    except (BadExport, WrongLog) as error:
        return {}, {}, f"its checkpoints cannot be trusted: {error}"


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
