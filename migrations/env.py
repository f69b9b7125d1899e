"""Alembic's environment: runs on the URL given by `slateboard.store.migrations`, over asyncpg, in one transaction."""

from __future__ import annotations

import asyncio
from importlib import import_module

from alembic import context
from sqlalchemy import Connection, pool
from sqlalchemy.ext.asyncio import create_async_engine

from slateboard.store.metadata import metadata

for module in (
    "slateboard.store.tables",
    "slateboard.log.tables",
    "slateboard.board.tables",
    "slateboard.work.tables",
    "slateboard.patterns.tables",
):
    import_module(module)  # fills the metadata


def include(name: str | None, kind: str, _parent: object) -> bool:
    """Leave out what the tables' modules do not name: the partitions."""
    return kind != "table" or name in metadata.tables


def run(connection: Connection) -> None:
    """Run what was asked for, one at a time, with a limit on waiting for locks."""
    connection.exec_driver_sql("SET lock_timeout = '10s'")
    connection.exec_driver_sql("SELECT pg_advisory_lock(hashtextextended('slateboard.migrate', 0))")
    connection.commit()
    context.configure(connection=connection, target_metadata=metadata, include_name=include)
    with context.begin_transaction():
        context.run_migrations()


async def main() -> None:
    """Open one connection as the schema's owner."""
    url = context.config.attributes["url"]
    engine = create_async_engine(url[0], connect_args=url[1], poolclass=pool.NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(run)
    finally:
        await engine.dispose()


asyncio.run(main())
