"""Making sure, before a server starts, that database and code fit together: the server's version, then the schema's.

A schema that is behind is upgraded under a lock; two servers that start at once upgrade it once. One that is ahead is
accepted if it says that this code can still work with it (`schema_protocol`), for the next release's migration runs
while this release's servers do. All functions block, and run their own event loop.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slateboard.protocol.errors import DatabaseTooOld, SchemaMismatch, SlateError
from slateboard.server.owner import owner_connection
from slateboard.store import migrations
from slateboard.store.database import OLDEST_POSTGRES, OLDEST_SCHEMA, PROTOCOL
from slateboard.store.driver_errors import translate

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where a database's schema stands. `revision` is None for an empty database."""

    revision: str | None
    head: str
    protocol: int | None
    oldest_client: int | None

    @property
    def current(self) -> bool:
        """Whether it is what this code brings it to."""
        return self.revision == self.head

    @property
    def settled(self) -> bool:
        """Whether there is nothing to migrate."""
        return self.current or self.ahead

    @property
    def ahead(self) -> bool:
        """Whether a newer release has been here."""
        return self.revision is not None and self.revision not in migrations.known_revisions()


def look(owner_url: str) -> Standing:
    """Where the schema stands. Raises `DatabaseUnreachable`, `DatabaseTooOld`."""
    return asyncio.run(_look(owner_url))


async def _look(owner_url: str) -> Standing:
    async with owner_connection(owner_url) as connection:
        return await standing(connection)


async def standing(connection: Any) -> Standing:
    """Where the schema stands, over a connection as its owner."""
    version = int(await connection.fetchval("SELECT current_setting('server_version_num')"))
    if version < OLDEST_POSTGRES:
        message = f"Postgres {version // 10000} is too old: Slateboard needs 15 or newer"
        raise DatabaseTooOld(message, remedy="point SLATE_DATABASE_URL at a newer server")
    revision, protocol = None, None
    if await connection.fetchval("SELECT to_regclass('alembic_version') IS NOT NULL"):
        revision = await connection.fetchval("SELECT version_num FROM alembic_version")
    if await connection.fetchval("SELECT to_regclass('schema_protocol') IS NOT NULL"):
        protocol = await connection.fetchrow("SELECT version, oldest_client FROM schema_protocol")
    return Standing(
        revision=revision,
        head=migrations.head(),
        protocol=protocol and protocol["version"],
        oldest_client=protocol and protocol["oldest_client"],
    )


def prepare(owner_url: str, progress: Callable[[str], None]) -> Standing:
    """Bring the schema to what this code speaks, if it is not there; returns where it stood before.

    Raises `SchemaMismatch` for one that a newer release left, if this code cannot work with it, and everything that
    `look` raises.
    """
    found = look(owner_url)
    refuse_misfit(found)
    if found.ahead:
        progress(f"the schema is newer than this release ({found.revision}), and can be worked with")
    elif not found.current:
        progress("making the schema" if found.revision is None else f"migrating the schema from {found.revision}")
        upgrade(owner_url)
    return found


def upgrade(owner_url: str) -> None:
    """Run the migrations that are missing; what goes wrong is a domain error, and nothing was changed."""
    try:
        migrations.upgrade(owner_url)
    except Exception as raised:
        error = _first_of_ours(raised)
        if error is None:
            raise
        raise error from raised


def refuse_misfit(found: Standing) -> None:
    """Raise `SchemaMismatch` for a schema that a newer release left, if this code cannot work with it."""
    if not found.ahead:
        return
    if found.protocol is None or found.oldest_client is None:
        message = f"the database is at the unknown migration {found.revision}, and says nothing of what works with it"
        raise SchemaMismatch(message, remedy="point SLATE_DATABASE_URL at a database of Slateboard's own")
    if found.oldest_client > PROTOCOL or found.protocol < OLDEST_SCHEMA:
        message = f"the schema needs code of protocol {found.oldest_client} or newer; this is {PROTOCOL}"
        raise SchemaMismatch(message, remedy="upgrade the slateboard package here", revision=found.revision)


def _first_of_ours(raised: BaseException) -> SlateError | None:
    """What the driver raised, below what Alembic and SQLAlchemy made of it."""
    below: BaseException | None = raised
    for _ in range(10):
        if below is None:
            return None
        error = translate(below)
        if isinstance(error, SlateError):
            return error
        below = below.__cause__ or getattr(below, "orig", None)
    return None
