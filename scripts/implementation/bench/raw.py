"""The floor: what plain asyncpg and a plain table of jobs reach on the same Postgres, in the same run.

The table keeps the least that a queue must: the state of a job, who took it, and when; one partial index.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import Any

import asyncpg

PACE_SECONDS = 0.02
"""The pause between two posts whose latency is measured."""

CLAIM = """
WITH picked AS MATERIALIZED (
    SELECT id FROM raw_jobs WHERE state = 0 ORDER BY id LIMIT 500 FOR UPDATE SKIP LOCKED)
UPDATE raw_jobs SET state = 1, worker = 'raw', claimed_at = now()
WHERE id = ANY (ARRAY(SELECT id FROM picked)) RETURNING id, payload
"""
COMPLETE = "UPDATE raw_jobs SET state = 2, finished_at = now() WHERE id = ANY ($1::bigint[])"


async def drain(url: str, jobs: int) -> float:
    """Jobs a second: one connection, a plain table with a partial index, claim 500 and complete 500."""
    connection = await asyncpg.connect(url)
    try:
        await _table(connection)
        await connection.execute(
            "INSERT INTO raw_jobs (id, payload) SELECT g, 'x' FROM generate_series(1, $1::int) AS g", jobs
        )
        await connection.execute("VACUUM ANALYZE raw_jobs")
        claim = await connection.prepare(CLAIM)
        complete = await connection.prepare(COMPLETE)
        start = time.perf_counter()
        while rows := await claim.fetch():
            await complete.fetch([row["id"] for row in rows])
        return jobs / (time.perf_counter() - start)
    finally:
        await connection.execute("DROP TABLE IF EXISTS raw_jobs")
        await connection.close()


async def latency(url: str, posts: int) -> tuple[float, float]:
    """Seconds from a post, with its NOTIFY in the transaction, to the claim of a waiting listener: p50 and p99.

    The pace is that of `workloads.latency`, since a machine that rests longer between posts wakes up more slowly.
    """
    poster, worker = await asyncpg.connect(url), await asyncpg.connect(url)
    seen: asyncio.Queue[None] = asyncio.Queue()
    try:
        await _table(poster)
        await worker.add_listener("raw_jobs", lambda *_: seen.put_nowait(None))
        claim = CLAIM.replace("500", "1")
        times: list[float] = []
        for number in range(posts):
            start = time.perf_counter()
            async with poster.transaction():
                await poster.execute("INSERT INTO raw_jobs (id, payload) VALUES ($1, 'x')", number)
                await poster.execute("NOTIFY raw_jobs")
            await seen.get()
            assert await worker.fetch(claim)
            times.append(time.perf_counter() - start)
            await asyncio.sleep(PACE_SECONDS)
        return percentiles(times)
    finally:
        await worker.close()
        await poster.execute("DROP TABLE IF EXISTS raw_jobs")
        await poster.close()


async def insert(url: str, rows: int) -> float:
    """Rows a second: `unnest` inserts of 1,000 rows into the plain table."""
    connection = await asyncpg.connect(url)
    try:
        await _table(connection)
        statement = await connection.prepare(
            "INSERT INTO raw_jobs (id, payload) SELECT * FROM unnest($1::bigint[], $2::text[])"
        )
        start = time.perf_counter()
        for first in range(0, rows, 1000):
            await statement.fetch(list(range(first, first + 1000)), ["x"] * 1000)
        return rows / (time.perf_counter() - start)
    finally:
        await connection.execute("DROP TABLE IF EXISTS raw_jobs")
        await connection.close()


def percentiles(seconds: list[float]) -> tuple[float, float]:
    """The median and the 99th percentile."""
    return statistics.median(seconds), statistics.quantiles(seconds, n=100)[98]


async def _table(connection: asyncpg.Connection[Any]) -> None:
    await connection.execute(
        "DROP TABLE IF EXISTS raw_jobs;"
        "CREATE TABLE raw_jobs (id bigint PRIMARY KEY, payload text NOT NULL,"
        " state smallint NOT NULL DEFAULT 0, worker text, claimed_at timestamptz, finished_at timestamptz);"
        "CREATE INDEX raw_jobs_ready ON raw_jobs (id) WHERE state = 0"
    )
