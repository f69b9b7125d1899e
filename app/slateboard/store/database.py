"""The connection to Postgres: one asyncpg pool for a process, with the planner settings of the hot statements.

Everything works as the role `slateboard_app`, which owns nothing. What the driver raises leaves this module as a
domain error (`driver_errors`). Loads asyncpg only when it connects.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from slateboard.protocol.errors import DatabaseBusy, DatabaseTooOld, Invalid, SchemaMismatch, SlateError
from slateboard.store.driver_errors import translate, translating

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

PROTOCOL = 2
"""The protocol of schema and code that this package speaks."""
OLDEST_SCHEMA = 2
OLDEST_POSTGRES = 150_000
ROLE = "slateboard_app"
ACQUIRE_SECONDS = 10.0
CONNECT_SECONDS = 10.0

SESSION = {
    "application_name": "slateboard",
    "jit": "off",
    # A plan is kept, also from when its tables were small: then it read them whole, once for each row.
    "enable_seqscan": "off",
    "timezone": "UTC",
    "role": ROLE,
}


class Database:
    """A pool of connections that work as `slateboard_app`; `acquire` lends one, bounded in time."""

    def __init__(self, url: str, pool: Any, home: Path | None = None) -> None:
        self.url = url
        self.home = home
        """Where the files beside the database are; None if they cannot be reached from here."""
        self.pool = pool  # of asyncpg, which has no types

    @asynccontextmanager
    async def acquire(self) -> AsyncGenerator[Any]:
        """Lend a connection; `DatabaseBusy` after 10 s without a free one."""
        try:
            connection = await self.pool.acquire(timeout=ACQUIRE_SECONDS)
        except TimeoutError as error:
            message = f"no database connection was free within {ACQUIRE_SECONDS:.0f} s"
            raise DatabaseBusy(message, remedy="raise SLATE_POOL_SIZE or ask again later") from error
        except BaseException as error:
            raise translate(error) from error
        try:
            with translating():
                yield connection
        except SlateError as error:
            # A value that cannot be encoded is found after its statement was prepared, which holds a transaction open.
            if isinstance(error, Invalid) and not connection.is_closed():
                await connection.execute("ROLLBACK")
            raise
        except BaseException:
            # Cut off between the two, a statement's time limit runs on, and would end what the next user asks for.
            connection.terminate()
            raise
        finally:
            await self.pool.release(connection)

    async def close(self) -> None:
        """Close the pool, waiting at most 5 s for connections in use."""
        try:
            async with asyncio.timeout(5):
                await self.pool.close()
        except TimeoutError:
            self.pool.terminate()


async def connect(
    url: str, *, size: int = 4, statement_timeout_seconds: float = 30.0, home: Path | None = None
) -> Database:
    """Open a pool on `url` and check that code, schema and server fit together.

    Raises `DatabaseUnreachable`, `DatabaseTooOld` or `SchemaMismatch`.
    """
    import asyncpg

    logging.getLogger("asyncpg.pool").setLevel(logging.CRITICAL)  # a lost database is told of by us, without tracebacks
    driver: Any = asyncpg
    session = {**SESSION, "statement_timeout": str(int(statement_timeout_seconds * 1000))}
    with translating():
        pool = await driver.create_pool(
            url,
            min_size=1,
            max_size=size,
            server_settings=session,
            timeout=CONNECT_SECONDS,
            max_inactive_connection_lifetime=300,
            reset=_end_transaction,
        )
        database = Database(url, pool, home)
        try:
            async with database.acquire() as connection:
                await check(connection)
        except BaseException:
            pool.terminate()
            raise
    return database


async def _end_transaction(connection: Any) -> None:
    """No round trip to reset a connection that goes back, since only transactions set anything, and for themselves.

    One that a cancelled call left open is rolled back.
    """
    if connection.is_in_transaction():
        await connection.execute("ROLLBACK")


async def check(connection: Any) -> None:
    """Refuse a Postgres or a schema that this code cannot work with."""
    version = int(await connection.fetchval("SELECT current_setting('server_version_num')"))
    if version < OLDEST_POSTGRES:
        message = f"Postgres {version // 10000} is too old: Slateboard needs 15 or newer"
        raise DatabaseTooOld(message, remedy="point SLATE_DATABASE_URL at a newer server")
    if await connection.fetchval("SELECT to_regclass('schema_protocol') IS NULL"):
        raise SchemaMismatch("the database has no Slateboard schema", remedy="run `slate migrate` or `slate up`")
    row = await connection.fetchrow("SELECT version, oldest_client FROM schema_protocol")
    if row["version"] < OLDEST_SCHEMA:
        message = f"the schema speaks protocol {row['version']}, this code needs {OLDEST_SCHEMA} or newer"
        raise SchemaMismatch(message, remedy="run `slate migrate`")
    if row["oldest_client"] > PROTOCOL:
        message = f"the schema needs code of protocol {row['oldest_client']} or newer; this is {PROTOCOL}"
        raise SchemaMismatch(message, remedy="upgrade the slateboard package here")
