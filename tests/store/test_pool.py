"""The pool: what a connection may not carry from one who used it to the next."""

from __future__ import annotations

from slateboard.store import database as databases


async def test_transaction_that_was_left_open_ends_when_its_connection_goes_back(app_url: str) -> None:
    pool = await databases.connect(app_url, size=1)
    try:
        async with pool.acquire() as connection:
            await connection.execute("BEGIN")
        async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            assert await connection.fetchval("SELECT 1") == 1
    finally:
        await pool.close()
