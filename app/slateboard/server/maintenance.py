"""What is done to a whole database while no server, or any, runs: migrations by hand, and restoring a backup.

An embedded Postgres that does not run is started for it and stopped after it; one that runs is left as it is.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from slateboard.protocol.errors import Conflict, SchemaMismatch
from slateboard.server import home, schema
from slateboard.server.owner import owner_connection
from slateboard.store import backups
from slateboard.store.embedded import Embedded, read_run_file

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from slateboard.server.schema import Standing
    from slateboard.settings import Settings

NEW_FENCES = """
SELECT setval(oid::regclass, nextval(oid::regclass) + 1000000000) FROM pg_class
WHERE relname = 'fences' AND relkind = 'S';
"""
"""Fences go on far above what was given out since the backup: a worker that outlived the restore holds none of them."""
LEADER = "SELECT holder FROM leaders WHERE name = 'leader' AND expires_at > clock_timestamp()"


def migrate(settings: Settings, *, check: bool, progress: Callable[[str], None]) -> Standing:
    """Run the migrations that are missing; returns where the schema stood before.

    With `check`, `SchemaMismatch` if any is missing, and nothing is changed.
    """
    with _owner_url(settings, progress) as url:
        if not check:
            return schema.prepare(url, progress)
        found = schema.look(url)
        schema.refuse_misfit(found)
        if not found.settled:
            message = f"the schema is at {found.revision or 'nothing'}, this version brings it to {found.head}"
            raise SchemaMismatch(message, remedy="run `slate migrate`, or `slate up`", revision=found.revision)
        return found


def restore(settings: Settings, file: Path, *, replace: bool, progress: Callable[[str], None]) -> None:
    """Load a backup and migrate it; `Conflict` while a server runs on the database, in this home or elsewhere."""
    home.refuse_second(settings.home)
    with _owner_url(settings, progress) as url:
        leader = asyncio.run(_leader(url))
        if leader is not None:
            raise Conflict(
                f"a server runs on this database: {leader}",
                remedy="stop all servers first (`slate down` where they run), and wait 3 s",
                leader=leader,
            )
        progress(f"restoring {file}")
        backups.restore(file, url, replace=replace, afterwards=NEW_FENCES)
        schema.prepare(url, progress)


@contextmanager
def _owner_url(settings: Settings, progress: Callable[[str], None]) -> Generator[str]:
    if settings.database_url is not None:
        yield settings.database_url
        return
    run = read_run_file(settings.home)
    if run is not None:
        yield run.owner_url
        return
    embedded = Embedded(settings.home)
    run = embedded.start(progress)
    try:
        yield run.owner_url
    finally:
        embedded.stop()


async def _leader(url: str) -> str | None:
    async with owner_connection(url) as connection:
        if not await connection.fetchval("SELECT to_regclass('leaders') IS NOT NULL"):
            return None
        return await connection.fetchval(LEADER)
