"""What is done to a whole database while no server, or any, runs: migrations by hand, and restoring a backup.

An embedded Postgres that does not run is started for it and stopped after it; one that runs is left as it is.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Any

from slateboard.log.archives import FOLDER
from slateboard.protocol.errors import Conflict, SchemaMismatch, UnknownName
from slateboard.server import archiving, home, schema
from slateboard.server.owner import owner_connection
from slateboard.store import backups
from slateboard.store.embedded import Embedded, read_run_file
from slateboard.transaction import board_named

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from slateboard.server.archiving import Made
    from slateboard.server.schema import Standing
    from slateboard.settings import Settings

NEW_FENCES = """
SELECT setval(oid::regclass, nextval(oid::regclass) + 1000000000) FROM pg_class
WHERE relname = 'fences' AND relkind = 'S';
"""
"""Fences go on far above what was given out since the backup: a worker that outlived the restore holds none of them."""
DAY_OF = "SELECT sealed_on FROM events WHERE board = $1 AND position = $2"
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


def archive(settings: Settings, *, before: date | int, progress: Callable[[str], None]) -> Made:
    """Move the events of whole days before a day, or before the day of a position of the board that is meant, to files.

    Raises what `archiving.archive` raises, and `UnknownName` for a position that the board's log has not.
    """
    with _owner_url(settings, progress) as url:
        return asyncio.run(_archive(url, settings, before))


async def _archive(url: str, settings: Settings, before: date | int) -> Made:
    async with owner_connection(url) as connection:
        day = before if isinstance(before, date) else await _day_of(connection, settings.board, before)
        return await archiving.archive(connection, settings.home / FOLDER, before=day)


async def _day_of(connection: Any, board: str, position: int) -> date:
    day = await connection.fetchval(DAY_OF, await board_named(connection, board), position)
    if day is None:
        message = f"the database has no event at position {position} of the board {board}"
        raise UnknownName(message, remedy="see `slate log tail`", position=position)
    return day


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
