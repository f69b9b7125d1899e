"""Simulated time: a database whose own clock is as far ahead as the test says, for every door and every chore.

A schema that is looked into before Postgres's own has a `clock_timestamp()` and a `now()` that add what a table says.
Whatever asks the database for the time is told so: hours pass in one statement, and nothing sleeps.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta

from slateboard.store.database import Database
from tests.support import servers

DAYS = 60
"""How far the clock may go ahead: there are partitions until then."""

SCHEMA = (
    "CREATE SCHEMA simulated",
    "CREATE TABLE simulated.clock AS SELECT interval '0' AS ahead",
    *(
        f"CREATE FUNCTION simulated.{name}() RETURNS timestamptz LANGUAGE sql STABLE"
        f" AS 'SELECT pg_catalog.{name}() + ahead FROM simulated.clock'"
        for name in ("clock_timestamp", "now")
    ),
    "GRANT USAGE ON SCHEMA simulated TO slateboard_app",
    "GRANT SELECT, UPDATE ON simulated.clock TO slateboard_app",
    f"SELECT ensure_partitions({DAYS})",
)


@contextmanager
def simulated(server: servers.Server, name: str) -> Generator[str]:
    """A database of one's own with such a clock; gives the URL of the application's role."""
    with servers.database(server, name) as own:
        servers.execute(server.owner_of(own), *SCHEMA)
        url = server.app_of(own)
        yield f"{url}{'&' if '?' in url else '?'}search_path=simulated,pg_catalog,public"


async def move(database: Database, ahead: timedelta) -> None:
    """Set the clock so far ahead of the real one."""
    async with database.acquire() as connection:
        await connection.execute("UPDATE simulated.clock SET ahead = $1", ahead)
