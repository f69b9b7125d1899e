"""Connections as the owner of the tables: for migrations, partitions and VACUUM, never for a request."""

from __future__ import annotations

from contextlib import asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from slateboard.store.driver_errors import translating

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

CONNECT_SECONDS = 10.0
LOCK_SECONDS = 2


@asynccontextmanager
async def owner_connection(url: str) -> AsyncGenerator[Any]:
    """One connection for one purpose; what the driver raises leaves it as a domain error."""
    asyncpg: Any = import_module("asyncpg")
    settings = {"application_name": "slateboard-owner", "lock_timeout": f"{LOCK_SECONDS}s", "timezone": "UTC"}
    with translating():
        connection = await asyncpg.connect(url, timeout=CONNECT_SECONDS, server_settings=settings)
        try:
            yield connection
        finally:
            await connection.close(timeout=CONNECT_SECONDS)
