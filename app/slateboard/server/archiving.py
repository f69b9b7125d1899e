"""Moving old events out of the database: whole days of them, as files from which the chain and the past go on.

For each board, in this order: the events as an export (JSON Lines, gzip) and the folded state at their end, written
beside their final names, flushed and renamed; then, in one transaction, the row in `archives` and the event
`board.log.archived`, which binds both hashes into the chain; and only when that is so for every board, the day's
partition is dropped. A crash at any point loses nothing: what has no row is written again. Events whose chain does not
hold are never moved, nor is a day that something has still to read of: a subscription, a wait, a delivery, or who looks
for failed tasks.
"""

from __future__ import annotations

import gzip
import json
import os
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from slateboard.log.proof import ENTRIES, PAGE_BYTES, log_id
from slateboard.protocol.chain import Chain
from slateboard.protocol.errors import Conflict, Invalid, ServerProblem
from slateboard.protocol.events import Subject
from slateboard.protocol.export import Header, end_line, entry_line, header_line
from slateboard.protocol.names import BoardId
from slateboard.protocol.rights import SYSTEM
from slateboard.reports.past.as_of import state_at
from slateboard.store.binaries import problem_from_os
from slateboard.store.run_file import sync_folder
from slateboard.transaction import APPEND, Statement

if TYPE_CHECKING:
    from collections.abc import Generator
    from datetime import date
    from pathlib import Path

PAGE = 2_000
DROP_LOCK = "SET LOCAL lock_timeout = '200ms'"
"""A partition that is in use is dropped at the next round."""

# What still has to be read of a board's log, and by whom. A dead delivery may be redriven, a subscription resumed.
NEEDED = """
SELECT n.position, n.reason FROM (
    SELECT s.cursor + 1 AS position, 'the subscription ' || s.name || ' stands there'
           || coalesce(', paused: ' || s.paused_because, '') AS reason
    FROM subscriptions s WHERE s.board = {board}
    UNION ALL
    SELECT g.position, 'the subscription ' || s.name || ' waits for what belongs to it (' || k.correlation || ')'
    FROM gatherings k JOIN subscriptions s ON s.board = k.board AND s.id = k.subscription,
         LATERAL (SELECT min(p) AS position FROM unnest(k.positions) AS p WHERE p > 0) AS g
    WHERE k.board = {board}
    UNION ALL
    SELECT coalesce(v.position, v.after_position + 1), 'the work item ' || v.item || ' waits for an event'
    FROM event_waits v JOIN work_items w ON w.board = v.board AND w.id = v.item AND w.outcome IS NULL
    WHERE v.board = {board} AND (v.position IS NOT NULL OR v.ended_at IS NULL AND v.pattern IS NOT NULL)
    UNION ALL
    SELECT least(d.position, d.positions[1]), 'the delivery ' || d.item || ' is not finished'
    FROM deliveries d JOIN work_items w ON w.board = d.board AND w.id = d.item
    WHERE d.board = {board} AND (w.outcome IS NULL OR w.outcome = 'dead')
    UNION ALL
    SELECT c.position + 1, 'it was not looked through for failed tasks, whose steps are undone'
    FROM compensation_cursors c WHERE c.board = {board}
) AS n ORDER BY n.position LIMIT 1
"""

# The last position of each board that was sealed before a day, before the day of what is still needed, and is in no
# archive; nothing after it is older. `held` is the position that is needed, if that is why it is no later one.
DUE = f"""
SELECT b.id AS board, b.name, (extract(epoch FROM b.created_at) * 1000000)::bigint AS created_at,
       coalesce(a.last_position, 0) AS after, coalesce(a.hash, '') AS hash, due.position AS last,
       CASE WHEN day.sealed_on < $1 THEN greatest(n.position, a.last_position + 1) END AS held, n.reason
FROM boards b
LEFT JOIN LATERAL (SELECT last_position, hash FROM archives WHERE board = b.id
                   ORDER BY last_position DESC LIMIT 1) AS a ON true
LEFT JOIN LATERAL ({NEEDED.format(board="b.id")}) AS n ON true
LEFT JOIN LATERAL (SELECT e.sealed_on FROM events e WHERE e.board = b.id
                   AND e.position = greatest(n.position, a.last_position + 1)) AS day ON n.position IS NOT NULL
CROSS JOIN LATERAL (SELECT max(e.position) AS position FROM events e
                    WHERE e.board = b.id AND e.sealed_on < least($1, day.sealed_on)
                      AND e.position > coalesce(a.last_position, 0)) AS due
WHERE due.position IS NOT NULL OR day.sealed_on < $1 ORDER BY b.id
"""

KEEP = """
INSERT INTO archives (board, last_position, first_position, hash, last_happened_at, file, base_file, base, base_hash,
                      archived_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, clock_timestamp())
"""

PARTITIONS = """
SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'events'::regclass AND c.relname ~ '^events_[0-9]{8}$'
  AND to_date(right(c.relname, 8), 'YYYYMMDD') < $1 ORDER BY c.relname
"""

LEFT = """
SELECT EXISTS (SELECT FROM {partition} e WHERE e.position > coalesce(
    (SELECT max(a.last_position) FROM archives a WHERE a.board = e.board), 0))
"""

# Against a subscription that begins, or is rewound, at a position which is being archived: see `patterns/positions.py`.
CUT = "SELECT pg_advisory_xact_lock(hashtextextended('slateboard.cut', $1))"
TODAY = "SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date"
LOCK = "SELECT pg_try_advisory_lock(hashtextextended('slateboard.archive', 0))"


@dataclass(frozen=True, kw_only=True)
class Archive:
    """What was moved out of one board: positions `first` to `last`, and the name of the file."""

    board: str
    first: int
    last: int
    file: str


@dataclass(frozen=True, kw_only=True)
class Held:
    """A board of which less was archived than was asked for: what still reads the event at `position`, in words."""

    board: str
    position: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Made:
    """What was archived of all boards, and what holds the rest in the database."""

    archives: list[Archive]
    held: list[Held]


async def archive(connection: Any, folder: Path, *, before: date) -> Made:
    """Archive what was sealed before a day (UTC) and drop its partitions; `connection` is the owner's.

    The day on which stands what a subscription, a wait or a delivery has still to read stays, with those after it.
    Raises `Invalid` for a day to come, `Conflict` while somebody else archives, `ServerProblem` for a chain that does
    not hold or a folder that cannot be written. Boards that were done before an error stay done.
    """
    today: date = await connection.fetchval(TODAY)
    if before > today:
        raise Invalid(
            f"the day {today} is not over: its events stay", remedy=f"archive before {today}, or an earlier day"
        )
    if not await connection.fetchval(LOCK):
        raise Conflict("events are being archived already", remedy="wait until that is done")
    try:
        rows = await connection.fetch(DUE, before)
        made = [await _archive_board(connection, folder, due) for due in rows if due["last"] is not None]
        await drop_partitions(connection, before=before)
    finally:
        await connection.fetchval("SELECT pg_advisory_unlock(hashtextextended('slateboard.archive', 0))")
    held = [Held(board=due["name"], position=due["held"], reason=due["reason"]) for due in rows if due["held"]]
    return Made(archives=[one for one in made if one is not None], held=held)


async def drop_partitions(connection: Any, *, before: date) -> list[str]:
    """Drop the partitions of days before that day of which every board's part is in an archive; returns their names."""
    dropped: list[str] = []
    for row in await connection.fetch(PARTITIONS, before):
        async with connection.transaction():
            await connection.execute(DROP_LOCK)
            await connection.execute(f"LOCK TABLE {row['name']} IN SHARE MODE")
            if await connection.fetchval(LEFT.format(partition=row["name"])):
                break  # what is left of a board must have no hole
            await connection.execute(f"DROP TABLE {row['name']}")
            dropped.append(row["name"])
    return dropped


async def _archive_board(connection: Any, folder: Path, due: Any) -> Archive | None:
    """Archive what is due of a board; None where something came meanwhile that has still to read it."""
    first, last = due["after"] + 1, due["last"]
    stem = f"{due['name']}-{due['board']}-{first}-{last}"
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        chain = await _write_events(connection, folder / f"{stem}.jsonl.gz", due)
        state = await state_at(Statement(connection, SYSTEM, BoardId(due["board"])), position=last)
    data = state.dump()
    base = gzip.compress(data, mtime=0)
    with _file(folder / f"{stem}.base.json.gz") as file:
        file.write(base)
    base_hash = sha256(data).digest()
    payload = {
        "first": first,
        "last": last,
        "hash": chain.hash.hex(),
        "file": f"{stem}.jsonl.gz",
        "base_file": f"{stem}.base.json.gz",
        "base_hash": base_hash.hex(),
    }
    async with connection.transaction():
        await connection.fetchval(CUT, due["board"])
        needed: int | None = await connection.fetchval(NEEDED.format(board="$1"), due["board"])
        if needed is not None and first <= needed <= last:
            (folder / payload["file"]).unlink()
            (folder / payload["base_file"]).unlink()
            return None
        await connection.execute(
            KEEP,
            due["board"],
            last,
            first,
            chain.hash,
            state.happened_at,
            payload["file"],
            payload["base_file"],
            base,
            base_hash,
        )
        now = await connection.fetchval("SELECT clock_timestamp()")
        events = ([Subject.LOG_ARCHIVED.value], [json.dumps(payload)], [None])
        by = (SYSTEM.name, SYSTEM.authenticated_by)
        await connection.execute(APPEND, due["board"], *by, now, None, 0, None, *events)
    return Archive(board=due["name"], first=first, last=last, file=payload["file"])


async def _write_events(connection: Any, path: Path, due: Any) -> Chain:
    """Write the events that are due as a whole export, their chain checked on the way."""
    board, after, last = due["board"], due["after"], due["last"]
    chain = Chain(board, position=after, hash=due["hash"])
    log = log_id(board, due["created_at"])
    with _file(path) as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as lines:
        header = Header(board=board, name=due["name"], log=log, after=after, hash=due["hash"])
        lines.write(f"{header_line(header)}\n".encode())
        while chain.position < last:
            page = min(last, chain.position + PAGE)
            rows = await connection.fetch(ENTRIES, board, chain.position, page, PAGE, PAGE_BYTES)
            if not rows or not chain.extend(rows):
                where = chain.fault.position if chain.fault else chain.position + 1
                message = f"the log of board {due['name']} does not hold at position {where}: it is not archived"
                raise ServerProblem(message, remedy=f"see `slate log verify --board {due['name']}`")
            lines.writelines(f"{entry_line(row)}\n".encode() for row in rows)
        lines.write(f"{end_line(position=last, count=chain.count, digest=chain.hash)}\n".encode())
    return chain


@contextmanager
def _file(path: Path) -> Generator[Any]:
    """A file that appears whole, and is on the disk when it does; readable by its owner only."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
        partial.touch(mode=0o600)
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
        sync_folder(path.parent)
    except OSError as error:
        raise problem_from_os(f"the archive {path} cannot be written", error) from error
