"""Schedules: events that are published when a cron expression says so, in its time zone, once for each due time.

The next time is moved in the transaction that publishes, under the row's lock, so that it does not matter who leads.
Times that passed while nobody led are made up for by one event. What the clock skips in spring happens right after,
what it repeats in autumn happens once (Debian's cron, by the library `cronsim`).
"""

from __future__ import annotations

import secrets
from datetime import UTC
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from slateboard.log import outbox
from slateboard.patterns import publishing
from slateboard.protocol.errors import DuplicateName, Invalid, UnknownName
from slateboard.protocol.events import Subject
from slateboard.protocol.names import BoardId, check_name
from slateboard.protocol.rights import Right
from slateboard.protocol.subjects import check_subject

if TYPE_CHECKING:
    from datetime import datetime

    from slateboard.transaction import ReadTransaction, Transaction

FIELDS = 5
MAX_CHARACTERS = 255
MAX_SCHEDULES = 1_000
"""Of one board."""

INSERT = """
INSERT INTO schedules (board, name, cron, timezone, subject, payload, next_at, source, created_by, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING *
"""

COUNT = "SELECT count(*), bool_or(name = $2) AS taken FROM schedules WHERE board = $1"

LIST = "SELECT * FROM schedules WHERE board = $1 ORDER BY name LIMIT $2"

DUE = """
SELECT s.* FROM schedules s
WHERE s.next_at <= $1 AND (SELECT b.archived_at IS NULL FROM boards b WHERE b.id = s.board)
ORDER BY s.next_at LIMIT $2 FOR UPDATE SKIP LOCKED
"""

MOVE = "UPDATE schedules SET next_at = $3 WHERE board = $1 AND name = $2"


async def schedule(
    tx: Transaction,
    *,
    name: str,
    cron: str,
    subject: str,
    timezone: str = "UTC",
    data: Any = None,
    source: str | None = None,
) -> dict[str, Any]:
    """Publish `data` under `subject` whenever `cron` (five fields) says so in `timezone` (e.g. Europe/Berlin).

    Raises `DuplicateName`, `BadName`, `BadSubject`, `Denied` (under `board.>`), `Invalid` (expression, zone, data).
    """
    tx.require(Right.OPERATOR)
    check_name(name, "schedule")
    check_subject(subject)
    await publishing.check_right(tx, subject)
    payload = publishing.encode(data)
    next_at = next_time(cron, timezone, tx.now)
    row = await tx.fetchrow(COUNT, tx.board, name)
    if row["taken"]:
        message = f"there is a schedule {name!r} already"
        raise DuplicateName(message, remedy="choose another name, or unschedule it first", name=name)
    if row["count"] >= MAX_SCHEDULES:
        raise Invalid(f"a board has at most {MAX_SCHEDULES:,} schedules", remedy="unschedule what is not needed")
    made = await tx.fetchrow(
        INSERT, tx.board, name, cron, timezone, subject, payload, next_at, source, tx.actor.name, tx.now
    )
    tx.record(Subject.SCHEDULE_ADDED, {"schedule": dict(made)})
    return dict(made)


async def unschedule(tx: Transaction, *, name: str) -> dict[str, Any]:
    """Take a schedule away. Raises `UnknownName`."""
    tx.require(Right.OPERATOR)
    row = await tx.fetchrow("DELETE FROM schedules WHERE board = $1 AND name = $2 RETURNING *", tx.board, name)
    if row is None:
        raise UnknownName(f"there is no schedule {name!r}", remedy="see `slate schedule list`", name=name)
    tx.record(Subject.SCHEDULE_REMOVED, {"schedule": dict(row)})
    return dict(row)


async def list_schedules(tx: ReadTransaction) -> list[dict[str, Any]]:
    """All schedules of the board (at most 1,000) by name, each with its `next_at`."""
    tx.require(Right.READER)
    return [dict(row) for row in await tx.fetch(LIST, tx.board, MAX_SCHEDULES)]


async def publish_due(tx: Transaction, *, limit: int = 100) -> int:
    """Publish what is due, at most `limit`, whatever the board; returns how many."""
    rows = await tx.fetch(DUE, tx.now, limit)
    for row in rows:
        tx.board = BoardId(row["board"])
        correlation = secrets.token_hex(8)
        await outbox.append(tx, subject=row["subject"], payload=row["payload"], correlation=correlation, cause=None)
        await tx.fetch(MOVE, tx.board, row["name"], next_time(row["cron"], row["timezone"], tx.now))
    return len(rows)


def next_time(cron: str, timezone: str, after: datetime) -> datetime:
    """The first time after another at which an expression is due; `Invalid` for an expression, a zone, or never."""
    if len(cron) > MAX_CHARACTERS or len(cron.split()) != FIELDS:
        remedy = "five fields: minute, hour, day of month, month, day of week, e.g. `0 9 * * MON-FRI`"
        raise Invalid(f"{cron[:80]!r} is no cron expression", remedy=remedy)
    try:
        zone = ZoneInfo(timezone)
    except (ValueError, OSError, KeyError) as error:
        message = f"there is no time zone {timezone[:80]!r}"
        raise Invalid(message, remedy="a name of the IANA data base, e.g. Europe/Berlin or UTC") from error
    try:
        return next(CronSim(cron, after.astimezone(zone))).astimezone(UTC)
    except CronSimError as error:
        raise Invalid(f"{cron!r} is no cron expression: {error}", remedy="e.g. `*/15 * * * *`") from error
    except StopIteration as error:
        raise Invalid(f"{cron!r} is never due", remedy="choose days that exist") from error
