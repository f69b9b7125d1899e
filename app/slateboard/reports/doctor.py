"""The doctor: checks what the board runs on, and what must always hold; each says what was seen and what to do.

Checks read only, each within a few seconds and a stated number of rows, and one that cannot be made does not hinder the
others. `fail` means that something is lost or stands still, `warn` that it soon may. The invariants are those of one
board.
"""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from slateboard.protocol import durations
from slateboard.protocol.errors import DatabaseBusy, SchemaMismatch
from slateboard.protocol.rights import Right
from slateboard.reports import invariants, standing
from slateboard.store import migrations
from slateboard.store.driver_errors import translate

if TYPE_CHECKING:
    from datetime import datetime

    from slateboard.transaction import ReadTransaction

OK, WARN, FAIL = "ok", "warn", "fail"
CHECK_SECONDS = 5
"""How long one statement of a check may take."""
SHOWN = 10
LEADER_SECONDS = 3.0
"""A leader's lease is valid for so long after it was renewed; see `server/leader.py`."""
UNSEALED_SECONDS = (5.0, 60.0)
"""How long an event may wait for its position: beyond the first is a warning, beyond the second a failure."""
OVERDUE_SECONDS = 10.0
COUNTED = 100_000
USED_SHARE = (0.8, 0.95)
"""Of the connections: a warning, a failure."""
FREE_BYTES = (2 * 2**30, 200 * 2**20)
PARTITION_DAYS = 3
DURABLE = ("fsync", "full_page_writes", "synchronous_commit", "autovacuum")
REPORT = "this is a bug of ours: please report it"
START = "start a server: `slate up`"
SCHEMA_REMEDY = (
    "run `slate migrate`; if it says that there is nothing to migrate, the database was made by an earlier form of this"
    " unreleased schema: save it with `slate backup` (or `slate log export`) and begin a new one, in another home"
)

CONNECTIONS = """
SELECT current_setting('max_connections')::int AS most,
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS used
"""
SETTINGS = "SELECT name, setting FROM pg_settings WHERE name = ANY ($1::text[]) AND setting IN ('off', 'local')"
OUTBOX = "SELECT count(*) AS number, min(o.happened_at) AS oldest FROM (SELECT * FROM event_outbox LIMIT $1) AS o"
HEAD = """
SELECT h.position, (SELECT max(e.position) FROM events e WHERE e.board = $1) AS newest
FROM event_heads h WHERE h.board = $1
"""
LEADER = "SELECT holder, expires_at FROM leaders WHERE name = 'leader'"
OVERDUE = """
SELECT count(*) AS number, min(l.expires_at) AS oldest
FROM (SELECT l.expires_at FROM leases l
      WHERE l.expires_at < $1 AND (SELECT b.archived_at IS NULL FROM boards b WHERE b.id = l.board) LIMIT $2) AS l
"""
PARTITIONS = """
WITH days AS (SELECT generate_series($1::date, $1::date + $2::int, interval '1 day') AS day)
SELECT n.name
FROM (SELECT 'events_' || to_char(day, 'YYYYMMDD') AS name FROM days
      UNION SELECT 'attempts_' || to_char(day, 'YYYYMM') FROM days) AS n
WHERE to_regclass(n.name) IS NULL ORDER BY n.name
"""
STRAYED = "SELECT EXISTS (SELECT FROM events_default) OR EXISTS (SELECT FROM attempts_default)"


class Found(NamedTuple):
    """What a check saw, and what to do if it is not well."""

    state: str
    seen: str
    remedy: str | None = None


Look = Callable[["ReadTransaction"], Awaitable[Found]]


async def doctor(tx: ReadTransaction) -> dict[str, Any]:
    """`{state, checks: [{name, state, seen, remedy}]}`; `state` is the worst of them."""
    tx.require(Right.READER)
    checks = [{"name": name, **(await _made(tx, look))._asdict()} for name, look in CHECKS.items()]
    return {"state": worst(checks), "checks": checks}


def worst(checks: list[dict[str, Any]]) -> str:
    """The worst state of some checks."""
    states = {one["state"] for one in checks}
    return FAIL if FAIL in states else WARN if WARN in states else OK


async def _made(tx: ReadTransaction, look: Look) -> Found:
    """Make a check in a part of the transaction of its own, so that an error ends nothing else."""
    try:
        async with tx.connection.transaction():
            await tx.connection.execute(f"SET LOCAL statement_timeout = '{CHECK_SECONDS}s'")
            return await look(tx)
    except Exception as raised:  # noqa: BLE001  whatever is wrong with the database is what is looked for
        error = translate(raised)
        if isinstance(error, DatabaseBusy):
            return Found(WARN, f"not looked at: it took longer than {CHECK_SECONDS} s", "ask again when less is done")
        remedy = SCHEMA_REMEDY if isinstance(error, SchemaMismatch) else getattr(error, "remedy", "") or REPORT
        return Found(FAIL, f"cannot be looked at: {error or raised}", remedy)


async def database(tx: ReadTransaction) -> Found:
    """Its version, and whether it keeps what it says is kept."""
    version = await tx.fetchval("SELECT current_setting('server_version')")
    off = [f"{row['name']} = {row['setting']}" for row in await tx.fetch(SETTINGS, list(DURABLE))]
    if off:
        remedy = "switch it on in postgresql.conf, unless this is a database for tests"
        return Found(WARN, f"Postgres {version}, and a crash of the machine may lose work: {', '.join(off)}", remedy)
    return Found(OK, f"Postgres {version}")


async def connections(tx: ReadTransaction) -> Found:
    """Whether there is room for more connections."""
    row = await tx.fetchrow(CONNECTIONS)
    return _graded(
        row["used"] / row["most"], USED_SHARE, f"{row['used']:,} of {row['most']:,} connections are in use",
        "lower SLATE_POOL_SIZE, run fewer workers, or raise max_connections",
    )  # fmt: skip


async def schema(tx: ReadTransaction) -> Found:
    """Whether the schema is what this code was written for."""
    at, head = await standing.revision(tx), migrations.head()
    if at not in migrations.known_revisions():
        return Found(WARN, f"it is at {at}, which is newer than this code ({head})", "upgrade the slateboard package")
    if at != head:
        return Found(FAIL, f"it is at {at}, and this code needs {head}", "run `slate migrate`")
    found = await standing.differences(tx)
    if found:
        more = f", and {len(found) - SHOWN:,} more" if len(found) > SHOWN else ""
        return Found(FAIL, f"it says {at}, but {'; '.join(found[:SHOWN])}{more}", SCHEMA_REMEDY)
    return Found(OK, f"it is at {at}, with all tables, functions and triggers")


async def sequencer(tx: ReadTransaction) -> Found:
    """Whether events get their positions, and the board's head is its newest event."""
    head = await tx.fetchrow(HEAD, tx.board)
    if head is not None and head["newest"] is not None and head["newest"] != head["position"]:
        seen = f"the log's head is at {head['position']:,}, and its newest event at {head['newest']:,}"
        return Found(FAIL, seen, "stop the servers and see `slate log verify`; restore a backup if it does not prove")
    outbox = await tx.fetchrow(OUTBOX, COUNTED)
    waits = (tx.now - outbox["oldest"]).total_seconds() if outbox["oldest"] else 0.0
    seen = f"{outbox['number']:,} events wait for a position, the oldest for {durations.shown(max(0.0, waits))}"
    if waits <= UNSEALED_SECONDS[0]:
        return Found(OK, seen)
    return _graded(waits, UNSEALED_SECONDS, seen, f"see the check of the leader; {START}")


async def leader(tx: ReadTransaction) -> Found:
    """Whether a server does the chores."""
    row = await tx.fetchrow(LEADER)
    if row is None:
        seen = "nobody leads: leases are not taken back, delayed work does not start and the log does not grow"
        return Found(FAIL, seen, START)
    age = (tx.now - row["expires_at"]).total_seconds() + LEADER_SECONDS
    seen = f"{row['holder']} leads, and said so {durations.shown(max(0.0, age))} ago"
    if row["expires_at"] > tx.now:
        return Found(OK, seen)
    return Found(FAIL, f"{row['holder']} led, and has said nothing for {durations.shown(age)}", START)


async def leases(tx: ReadTransaction) -> Found:
    """Whether what ran out is taken back."""
    row = await tx.fetchrow(OVERDUE, tx.now - timedelta(seconds=OVERDUE_SECONDS), COUNTED)
    if not row["number"]:
        return Found(OK, "no lease is overdue")
    since = durations.shown((tx.now - row["oldest"]).total_seconds())
    seen = f"{row['number']:,} leases ran out and were not taken back, the first {since} ago"
    return Found(FAIL, seen, f"see the check of the leader, and the server's log; {START}")


async def partitions(tx: ReadTransaction) -> Found:
    """Whether there are partitions for the coming days."""
    day: datetime = tx.now
    missing = [row["name"] for row in await tx.fetch(PARTITIONS, day.date(), PARTITION_DAYS)]
    remedy = f"a server makes them within the hour; {START}, or run SELECT ensure_partitions(7) as the schema's owner"
    if missing:
        return Found(FAIL, f"missing: {', '.join(missing)}", remedy)
    if await tx.fetchval(STRAYED):
        seen = "rows stand in a default partition, since theirs was missing when they came"
        return Found(WARN, seen, "move them into a partition of their day, as the schema's owner")
    return Found(OK, f"there for the next {PARTITION_DAYS} days")


async def disk(tx: ReadTransaction) -> Found:
    """Whether there is room in the home, where its Postgres, archives and checkpoints are."""
    if tx.home is None or not tx.home.is_dir():
        return Found(OK, "there is no home here, so its disk is not looked at")
    data = tx.home / "postgres"
    usage = shutil.disk_usage(data if data.is_dir() else tx.home)
    seen = f"{usage.free / 2**30:,.1f} GiB of {usage.total / 2**30:,.1f} are free"
    warn, fail = FREE_BYTES
    state = FAIL if usage.free < fail else WARN if usage.free < warn else OK
    return Found(state, seen, None if state == OK else "make room: when the disk is full, nothing more is written")


def _invariant(name: str) -> Look:
    async def look(tx: ReadTransaction) -> Found:
        rows = await invariants.broken(tx, name)
        if not rows:
            return Found(OK, f"they hold, as far as {invariants.LIMIT:,} rows of each table say")
        first = "; ".join(f"item {row['item']} is {row['what']}" if row["what"].startswith(("in ", "un", "said"))
                          else f"item {row['item']}: {row['what']}" for row in rows[: invariants.SHOWN])  # fmt: skip
        more = f"; and {len(rows) - invariants.SHOWN:,} more" if len(rows) > invariants.SHOWN else ""
        remedy = f"{REPORT} with what `slate show` says of the item"
        return Found(FAIL, first + more, f"{remedy}; `slate cancel` takes the item off the board")

    return look


def _graded(value: float, bounds: tuple[float, float], seen: str, remedy: str) -> Found:
    warn, fail = bounds
    state = FAIL if value >= fail else WARN if value >= warn else OK
    return Found(state, seen, None if state == OK else remedy)


CHECKS: dict[str, Look] = {
    "database": database,
    "connections": connections,
    "schema": schema,
    "sequencer": sequencer,
    "leader": leader,
    "leases": leases,
    "partitions": partitions,
    **{name: _invariant(name) for name in invariants.INVARIANTS},
    "disk": disk,
}
