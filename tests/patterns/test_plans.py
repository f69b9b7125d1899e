"""The plans of the router's statements: by index, also on big tables with the statistics of small ones.

The rows are put straight into the tables: a plan depends on their number, not on their meaning.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from slateboard.patterns import fitting, forgetting, gathering, positions, publishing, routing, waits
from tests.support import servers
from tests.support.plans import HotStatement, explain, of_function, of_query, scans

SQL = Path(routing.__file__).with_name("route.sql")
SMALL, LARGE = 100, 100_000
TABLES = ("events", "deliveries", "gatherings", "chains", "event_waits", "published_ids", "work_items", "gates",
          "dependencies")  # fmt: skip
KEYS = ("position", "item", "correlation", "key", "id", "deadline", "published_at")
"""An index condition on the board alone would read all of it: one of these must stand beside it."""

BIGINTS = "ARRAY[7, 20007, 40007]::bigint[]"
TEXTS = "ARRAY['c7', 'c20007', 'c40007']"
LITERALS = {
    "bigint": "1",
    "int": "10",
    "text": "'x'",
    "timestamptz": "now()",
    "bigint[]": BIGINTS,
    "smallint[]": "ARRAY[1, 1, 1]::smallint[]",
    "text[]": TEXTS,
    "subscriptions": "NULL::subscriptions",
}
BY_NAME = {"v_edges": "'[[7, 8, true]]'", "v_numbers": "ARRAY[1, 2, 3]::bigint[]",
           "p_gathered": "ARRAY['{7}', NULL, NULL]"}  # fmt: skip
WANTED = "ARRAY[1, 2]::bigint[]", "ARRAY[0, 0]", "ARRAY['^bench', '^board']"

IN_FUNCTIONS = list(of_function(SQL))
IN_QUERIES: list[tuple[HotStatement, list[str]]] = [
    (of_query("behind", routing.BEHIND), ["0", "100"]),
    (of_query("skip", routing.SKIP), ["1", BIGINTS, BIGINTS, BIGINTS]),
    (of_query("fitting", fitting.FITTING), ["1", "50000", "55000", "'^never'", *WANTED]),
    (of_query("sift", fitting.SIFT), ["1", "7", "4007", "ARRAY[7, 2007, 4007]::bigint[]", "'$.payload'", "NULL"]),
    (of_query("hold", gathering.HOLD), ["1", "7", "7"]),
    (of_query("gathered", gathering.GATHERED), ["1", "1", TEXTS]),
    (of_query("keep", gathering.KEEP), ["1", "1", TEXTS, "ARRAY['{7}', '{8}', '{9}']", "now()"]),
    (of_query("forget-gathered", gathering.FORGET), ["1", "1", TEXTS]),
    (of_query("waiting", waits.WAITING), ["1", "50000", "1000"]),
    (of_query("looked-at", waits.LOOKED_AT), ["1", BIGINTS, "50000"]),
    (of_query("overdue", waits.OVERDUE), ["now()", "500"]),
    (of_query("claimed-at", waits.CLAIMED_AT), ["1", "70000"]),
    (of_query("forget-ids", publishing.FORGET), ["now()", "500"]),
    (of_query("at-time", positions.AT_TIME), ["1", "now()"]),
    (of_query("forget-chains", forgetting.CHAINS.sql), ["1000", "now()", "1", "'c7'"]),
    (of_query("forget-gatherings", forgetting.GATHERINGS.sql), ["1000", "now()", "1", "1", "'c7'"]),
    (of_query("forget-waits", forgetting.WAITS.sql), ["1000", "now()", "1", "7"]),
]

FILL = """
INSERT INTO event_heads (board, position, hash) VALUES (1, {to}, '') ON CONFLICT (board) DO UPDATE SET position = {to};
INSERT INTO subscriptions (board, id, name, patterns, agent, action, cursor, created_by, created_at)
    SELECT 1 + n / 50, n, 's' || n, '{{>}}', 1, 'handle', n, 'x', now() FROM generate_series({first}, {to} / 10) AS n;
INSERT INTO events (board, position, sealed_on, id, subject, payload, payload_hash, actor, authenticated_by,
                    correlation, happened_at, hash)
    SELECT 1, n, current_date, n, 'bench.events.ticked', '{{}}', '', 'x', 'x', 'c' || n, now(), ''
    FROM generate_series({first}, {to}) AS n;
INSERT INTO work_items (board, id, kind, reference, inbox, base_rating, created_at)
    SELECT 1, n, 'handle', 's/handle', 1 + n % 5, 10, now() FROM generate_series({first}, {to}) AS n;
INSERT INTO deliveries (board, item, subscription, round, position, positions, correlation, key)
    SELECT 1, n, 1, 0, n, ARRAY[n], 'c' || n, CASE WHEN n % 2 = 0 THEN 'c' || n END
    FROM generate_series({first}, {to}) AS n;
INSERT INTO gatherings (board, subscription, correlation, positions, gathered_at)
    SELECT 1, 1, 'c' || n, ARRAY[n, 0], now() FROM generate_series({first}, {to}) AS n;
INSERT INTO chains (board, correlation, deliveries, delivered_at)
    SELECT 1, 'c' || n, 1, now() FROM generate_series({first}, {to}) AS n;
INSERT INTO event_waits (board, item, pattern, after_position, deadline, ended_at)
    SELECT 1, n, '>', n, now() + n * interval '1 s', CASE WHEN n % 2 = 0 THEN now() END
    FROM generate_series({first}, {to}) AS n;
INSERT INTO published_ids (board, id, event, correlation, published_at)
    SELECT 1, 'c' || n, n, 'c', now() + n * interval '1 s' FROM generate_series({first}, {to}) AS n;
INSERT INTO gates (board, item, remaining) SELECT 1, n, 1 FROM generate_series({first}, {to}) AS n;
INSERT INTO dependencies (board, blocker, item, counted, created_by, created_at)
    SELECT 1, n, n + 1, true, 'x', now() FROM generate_series({first}, {to}) AS n;
"""


@pytest_asyncio.fixture(scope="module", params=["fresh", "old"])
async def filled(request: pytest.FixtureRequest, server: servers.Server) -> AsyncIterator[Any]:
    """Large tables with fresh statistics, or with those of the hundred rows that they had once."""
    name = f"routes_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    context = servers.database(server, name)
    own = await asyncio.to_thread(context.__enter__)
    try:
        connection = await asyncpg.connect(server.owner_of(own), server_settings={"jit": "off"})
        try:
            for table in TABLES:
                parts = await connection.fetch("SELECT relid::regclass::text AS name FROM pg_partition_tree($1)", table)
                for part in parts if len(parts) > 1 else ():
                    if part["name"] != table:
                        await connection.execute(f"ALTER TABLE {part['name']} SET (autovacuum_enabled = false)")
                if len(parts) <= 1:
                    await connection.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
            await connection.execute(FILL.format(first=1, to=SMALL))
            await connection.execute("ANALYZE")
            await connection.execute(FILL.format(first=SMALL + 1, to=LARGE))
            if request.param == "fresh":
                await connection.execute("ANALYZE")
            yield connection
        finally:
            await connection.close()
    finally:
        await asyncio.to_thread(context.__exit__, None, None, None)


async def check(connection: Any, plan: dict[str, Any]) -> None:
    """No large table is read whole, or for a board whole, unless in the order of a key and up to a limit."""
    for node in scans(plan):
        relation, kind = node["Relation Name"], node["Node Type"]
        if re.sub(r"_\d+$|_default$", "", relation) not in TABLES:
            continue
        if not await connection.fetchval("SELECT pg_relation_size($1::regclass)", relation):
            continue  # a partition of another day is empty, and reading all of it is right
        assert kind in {"Index Scan", "Index Only Scan", "Tid Scan", "Bitmap Heap Scan"}, f"{kind} on {relation}"
        condition = node.get("Index Cond", "") + node.get("Recheck Cond", "")
        known = kind == "Tid Scan" or any(key in condition for key in KEYS)
        assert known or plan["Node Type"] == "Limit", f"{relation} by {condition or 'nothing'}"


def test_statements_are_found_in_every_function() -> None:
    names = {statement.name.partition("-")[0] for statement in IN_FUNCTIONS}
    assert names == {"judge_deliveries", "deliver_events", "end_waits"}
    texts = [statement.text for statement in IN_FUNCTIONS]
    for written in ("INTO chains", "INTO deliveries", "INTO dependencies", "UPDATE event_waits", "UPDATE gates"):
        assert any(written in text for text in texts), written


@pytest.mark.parametrize("mode", ["custom", "generic"])
@pytest.mark.parametrize("statement", IN_FUNCTIONS, ids=lambda one: one.name)
async def test_statement_in_a_function_reads_by_index(filled: Any, statement: HotStatement, mode: str) -> None:
    arguments = [BY_NAME.get(name, LITERALS[kind]) for name, kind in statement.parameters]
    await check(filled, await explain(filled, statement, arguments, mode=mode))


@pytest.mark.parametrize("mode", ["custom", "generic"])
@pytest.mark.parametrize(("statement", "arguments"), IN_QUERIES, ids=lambda one: getattr(one, "name", ""))
async def test_query_reads_by_index(filled: Any, statement: HotStatement, arguments: list[str], mode: str) -> None:
    await check(filled, await explain(filled, statement, arguments, mode=mode))
