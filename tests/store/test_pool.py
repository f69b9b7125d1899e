"""The pool: what a connection may not carry from one who used it to the next."""

from __future__ import annotations

import asyncio

import pytest

from slateboard.protocol.errors import Invalid
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


async def test_value_that_cannot_be_encoded_leaves_no_transaction_open(app_url: str) -> None:
    pool = await databases.connect(app_url, size=1)
    try:
        with pytest.raises(Invalid, match="out of int64 range"):
            async with pool.acquire() as connection:
                await connection.fetch("SELECT name FROM boards WHERE id = $1::bigint", 2**64)
        async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            assert await connection.fetchval("SELECT 1") == 1
    finally:
        await pool.close()


async def cut_off_after_preparing(pool: databases.Database, server_processes: list[int]) -> None:
    async with pool.acquire() as connection:
        server_processes.append(await connection.fetchval("SELECT pg_backend_pid()"))
        await connection.prepare("SELECT 1")
        raise asyncio.CancelledError


async def test_call_that_was_cut_off_half_way_takes_its_connection_with_it(app_url: str) -> None:
    """Prepared and not yet executed, its time limit would run on, and end what the next one asks for."""
    pool = await databases.connect(app_url, size=1)
    cut_off: list[int] = []
    try:
        with pytest.raises(asyncio.CancelledError):
            await cut_off_after_preparing(pool, cut_off)
        async with pool.acquire() as connection:
            assert await connection.fetchval("SELECT pg_backend_pid()") not in cut_off
        assert len(cut_off) == 1
    finally:
        await pool.close()


async def test_cancellation_that_ends_the_rollback_is_a_cancellation_all_the_same(app_url: str) -> None:
    """The database is told to cancel the statement, and may be so late that it cancels what follows: an error."""
    pool = await databases.connect(app_url, size=1)
    began = asyncio.Event()

    async def ask() -> None:
        async with pool.acquire() as connection:
            try:
                began.set()
                await asyncio.Event().wait()
            finally:
                await connection.execute("DO $$ BEGIN RAISE EXCEPTION 'late' USING ERRCODE = 'query_canceled'; END $$")

    try:
        asking = asyncio.create_task(ask())
        await began.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        async with pool.acquire() as connection:
            assert await connection.fetchval("SELECT 1") == 1
    finally:
        await pool.close()
