"""What only the tables' owner may do, over a connection of its own and outside any action: partitions and VACUUM.

`autovacuum_naptime` is a floor of a minute whatever a table's own settings say; the tables of the queue can churn
through a million rows in that time. So the leader vacuums those whose dead rows are many, at most every 10 s. It
never truncates them, which would need a lock that stops everybody.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from slateboard.log.archives import FOLDER
from slateboard.server import archiving
from slateboard.server.owner import owner_connection

if TYPE_CHECKING:
    from slateboard.server.duty import Duty

log = logging.getLogger(__name__)

CHURNING = ("ready", "leases", "gates", "scheduled", "event_outbox_0", "event_outbox_1")
DEAD_ROWS = 20_000
DEAD_SHARE = 0.5
"""And of the live rows: a vacuum reads all of them, so a long queue is not read again for each thousand claims."""
VACUUM_SECONDS = 10.0
PARTITION_SECONDS = 3600.0
PARTITION_DAYS = 7
ARCHIVE_SECONDS = 3600.0

DEAD = """
SELECT relname FROM pg_stat_user_tables
WHERE schemaname = 'public' AND relname = ANY ($1::text[]) AND n_dead_tup > $2 + $3 * n_live_tup ORDER BY relname
"""


async def make_partitions(duty: Duty) -> float:
    """Make the partitions of the coming days, so that no row ever waits for one."""
    async with owner_connection(duty.owner_url) as connection:
        await connection.fetchval("SELECT ensure_partitions($1)", PARTITION_DAYS)
    return PARTITION_SECONDS


async def archive_events(duty: Duty) -> float:
    """Move the events that are older than the setting says out of the database."""
    if duty.home is not None and duty.archive_after_days:
        today = (duty.now or datetime.now(UTC)).date()
        before = today - timedelta(days=duty.archive_after_days)
        async with owner_connection(duty.owner_url) as connection:
            made = await archiving.archive(connection, duty.home / FOLDER, before=before)
        for one in made.held:
            log.warning("board %s is archived up to position %s only: %s", one.board, one.position - 1, one.reason)
    return ARCHIVE_SECONDS


async def vacuum(duty: Duty, *, dead_rows: int = DEAD_ROWS) -> float:
    """Vacuum the churning tables that hold more dead rows than that, and half as many as live ones."""
    async with owner_connection(duty.owner_url) as connection:
        for row in await connection.fetch(DEAD, list(CHURNING), dead_rows, DEAD_SHARE):
            await connection.execute(f"VACUUM (SKIP_LOCKED, TRUNCATE false) {row['relname']}")
    return VACUUM_SECONDS
