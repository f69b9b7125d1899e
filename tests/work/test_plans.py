"""The plans of the hot statements: by index, bounded, whatever the tables hold and however the plan was made.

A plan that is made for an empty table is kept by a connection while the table fills, so each is looked at on empty,
small and large tables, in custom and in generic mode. The rows are put straight into the tables, which nothing else
in the tests does: a plan depends on their number, not on their meaning.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from slateboard.board import queries as board_queries
from slateboard.log import feed
from slateboard.work import briefing, queries
from tests.support import servers
from tests.support.plans import HotStatement, explain, nodes, of_function, of_query, scans, sorted_tables

APP = Path(queries.__file__).parents[1]
SIZES = {"empty": 0, "small": 100, "large": 100_000}
CHURN = {"ready", "leases", "gates", "scheduled"}
"""What is emptied again and again, so that its statistics may say that it is empty."""
LARGE = {"ready", "leases", "work_items", "dependencies", "gates", "scheduled", "artifacts", "artifact_versions",
         "checkpoints", "attempts", "events", "dead_letters", "escalations", "circuit_breakers",
         "failure_runs"}  # fmt: skip
BY_KEY = ("item", "id", "blocker", "rank", "artifact", "task", "run_at", "changes_at", "position", "inbox", "agent",
          "substitute", "reference")  # fmt: skip
"""An index condition on the board alone would read all of it: one of these must stand beside it."""

ITEMS = "ARRAY[7, 20007, 40007]::bigint[]"
LITERALS = {
    "bigint": "1",
    "smallint": "0",
    "int": "10",
    "text": "'x'",
    "boolean": "false",
    "double precision": "60",
    "timestamptz": "now()",
    "bigint[]": ITEMS,
    "int[]": "ARRAY[1, 1, 1]",
    "smallint[]": "ARRAY[1, 1, 1]::smallint[]",
    "text[]": "ARRAY['x', 'y', 'z']",
    "boolean[]": "ARRAY[true, false, false]",
    "bytea[]": "ARRAY[''::bytea, '', '']",
    "double precision[]": "ARRAY[1.0, 1, 1]",
    "timestamptz[]": "ARRAY[now(), now(), now()]",
    "leases[]": "ARRAY[]::leases[]",
    "tid[]": "ARRAY['(0,1)']::tid[]",
    "circuit_breakers": "ROW(1, 1, 'half_open', 3, 'x', 'reassign', 2, 300, now(), now(), 7, 7, 7)::circuit_breakers",
    "breaker_settings": "NULL::breaker_settings",
    "settled": "ROW(1, 1, true, 'x')::settled",
}
WANTED = {"p_after": "0", "p_blockers": ITEMS, "v_inboxes": "ARRAY[1, 2]::bigint[]", "p_item": "NULL",
          "v_first_rank": "-2147483648", "v_first_item": "0", "v_last_rank": "2147483647",
          "v_last_item": "9223372036854775807"}  # fmt: skip

FILES = ("work/claim.sql", "work/finish.sql", "work/give_back.sql", "work/place.sql", "work/enter.sql",
         "work/losses.sql", "work/breakers.sql", "work/dead_letters.sql", "board/stale.sql")  # fmt: skip
IN_FUNCTIONS = [
    replace(one, parameters=tuple((name, "settled" if kind == "record" else kind) for name, kind in one.parameters))
    for name in FILES
    for one in of_function(APP / name)
]
SETTLED = "CREATE TYPE settled AS (agent bigint, bad int, good boolean, error text)"
"""What `settle_breakers` goes through, which in the function is a record."""

ACROSS = ("expire", "lost_claims")
"""Not of one partition: taking back leases is about all boards; a lost claim's place is looked up in a view, whose
parts are chosen when it runs."""

IN_QUERIES: list[tuple[HotStatement, list[str]]] = [
    (
        of_query("renew", queries.RENEW),
        ["1", ITEMS, ITEMS, "ARRAY[1, 1, 1]::smallint[]", "ARRAY['', '', '']", "60", "NULL"],
    ),
    (of_query("checkpoint", queries.CHECKPOINT), ["1", "7", "7", "NULL", "'{}'", "NULL"]),
    (of_query("has-work", queries.HAS_WORK), ["1", "1"]),
    (of_query("standing", queries.STANDING), ["1", "7"]),
    (of_query("lock-items", queries.LOCK_ITEMS), ["1", ITEMS]),
    (of_query("leave-places", queries.LEAVE_PLACES), ["1", ITEMS]),
    (of_query("promote", queries.PROMOTE), ["500", "now()"]),
    (of_query("rerate", queries.RERATE), ["500", "now()"]),
    (of_query("waits-for-itself", board_queries.WAITS_FOR_ITSELF), ["1", "7"]),
    (of_query("briefing", briefing.BRIEFING), ["1", "7"]),
    (of_query("feed", feed.AFTER), ["1", "50000", "1000", "NULL"]),
]

FILL = """
INSERT INTO work_items (board, id, kind, artifact, reference, inbox, base_rating, created_at)
    SELECT 1, n, 'produce', n, 'work/a' || n, 1 + n % 5, 10, now() FROM generate_series(1, {rows}) AS n;
INSERT INTO artifacts (board, id, task, name, title, newest_item, created_by, created_at)
    SELECT 1, n, 1, 'a' || n, 'title', n, 'x', now() FROM generate_series(1, {rows}) AS n;
INSERT INTO artifact_versions (board, artifact, version, item, fence, author, created_at)
    SELECT 1, n, 1, n, n, 'x', now() FROM generate_series(1, {rows}) AS n;
INSERT INTO ready (board, inbox, rank, item) SELECT 1, 1 + n % 5, -10, n FROM generate_series(1, {rows}) AS n;
INSERT INTO leases (board, item, fence, agent, attempt, lease_seconds, claimed_at, expires_at, cause, worker)
    SELECT 1, n, n, 1, 1, 60, now(), now(), 1, 'w' FROM generate_series(1, {rows}) AS n;
INSERT INTO dependencies (board, blocker, item, counted, created_by, created_at)
    SELECT 1, n, n + 1, true, 'x', now() FROM generate_series(1, {rows}) AS n;
INSERT INTO gates (board, item, remaining) SELECT 1, n, 1 FROM generate_series(1, {rows}) AS n;
INSERT INTO scheduled (board, item, run_at)
    SELECT 1, n, now() + n * interval '1 s' FROM generate_series(1, {rows}) AS n;
INSERT INTO checkpoints (board, item, fence, kept_at) SELECT 1, n, n, now() FROM generate_series(1, {rows}) AS n;
INSERT INTO rating_changes (board, item, changes_at, unblocked)
    SELECT 1, n, now() + n * interval '1 s', false FROM generate_series(1, {rows}) AS n;
INSERT INTO attempts (board, item, fence, ended_at, attempt, agent, worker, outcome, started_at)
    SELECT 1, n, n, now(), 1, 1, 'w', 'completed', now() FROM generate_series(1, {rows}) AS n;
INSERT INTO dead_letters (board, item, agent, class, died_at)
    SELECT 1, n, 1 + n % 500, 'logic', now() - n * interval '1 s' FROM generate_series(1, {rows}) AS n;
INSERT INTO escalations (board, item, kind, reference, severity, owner, deadline, seconds, question, asked_by, asked_at)
    SELECT 1, n, 'failure', 't' || n, 'high', 1, now(), 60, '?', 'x', now() FROM generate_series(1, {rows}) AS n;
INSERT INTO failure_runs (board, agent, failed) SELECT 1, n, 3 FROM generate_series(1, {rows}) AS n;
INSERT INTO circuit_breakers (board, agent, state, failed, reason, fallback, substitute, recovery_seconds, since, until)
    SELECT 1, n, 'open', 3, 'x', 'reassign', 1 + n % 500, 300, now(), now() FROM generate_series(1, {rows}) AS n;
INSERT INTO events (board, position, sealed_on, id, subject, payload, payload_hash, actor, authenticated_by,
                    happened_at, hash)
    SELECT 1, n, current_date, n, 'board.item.claimed', '', '', 'x', 'x', now(), ''
    FROM generate_series(1, {rows}) AS n;
"""

PARTITIONED = ("work_items", "artifacts", "artifact_versions", "ready", "leases", "dependencies", "gates", "scheduled",
               "checkpoints", "dead_letters", "unlocks", "open_inboxes", "agents")  # fmt: skip
PARTS = 4


async def _database(server: servers.Server, name: str, rows: int, *, analyze: bool) -> AsyncIterator[Any]:
    import asyncio

    context = servers.database(server, name)
    own = await asyncio.to_thread(context.__enter__)
    try:
        connection = await asyncpg.connect(server.owner_of(own), server_settings={"jit": "off"})
        try:
            await connection.execute(SETTLED)
            if rows:
                await connection.execute(FILL.format(rows=rows))
            if analyze:
                await connection.execute("ANALYZE")
            yield connection
        finally:
            await connection.close()
    finally:
        await asyncio.to_thread(context.__exit__, None, None, None)


@pytest_asyncio.fixture(
    scope="module", params=["empty", "empty without statistics", "small", "large", "large without statistics"]
)
async def filled(request: pytest.FixtureRequest, server: servers.Server) -> AsyncIterator[Any]:
    """A database of the owner's with tables of one size."""
    size = request.param.split()[0]
    name = f"plans_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    async for connection in _database(server, name, SIZES[size], analyze="without" not in request.param):
        yield connection


@pytest_asyncio.fixture(scope="module")
async def split(server: servers.Server) -> AsyncIterator[Any]:
    """The same tables, hash-partitioned by board."""
    name = f"split_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    async for connection in _database(server, name, 0, analyze=False):
        await connection.execute("CREATE SCHEMA split")
        for table in PARTITIONED:
            await connection.execute(
                f"CREATE TABLE split.{table} (LIKE public.{table} INCLUDING DEFAULTS INCLUDING INDEXES)"
                " PARTITION BY HASH (board)"
            )
            for part in range(PARTS):
                await connection.execute(
                    f"CREATE TABLE split.{table}_{part} PARTITION OF split.{table}"
                    f" FOR VALUES WITH (MODULUS {PARTS}, REMAINDER {part})"
                )
        await connection.execute("SET search_path = split, public")
        yield connection


async def with_rows(connection: Any) -> set[str]:
    """The tables and partitions that hold anything."""
    rows = await connection.fetch("SELECT relname FROM pg_class WHERE relkind = 'r' AND pg_relation_size(oid) > 0")
    return {row["relname"] for row in rows}


def arguments_of(statement: HotStatement) -> list[str]:
    return [WANTED.get(name, LITERALS[kind]) for name, kind in statement.parameters]


def check(plan: dict[str, Any], tables: set[str], filled: set[str]) -> None:
    """No large table is read whole, or for a board whole; none is sorted before something limited it."""
    for node in scans(plan):
        relation, kind = node["Relation Name"], node["Node Type"]
        table = re.sub(r"_(\d+|default)$", "", relation)
        if table not in tables or (table != relation and relation not in filled):
            continue  # a partition of another month is empty, and reading all of it is right
        assert kind in {"Index Scan", "Index Only Scan", "Tid Scan", "Bitmap Heap Scan"}, f"{kind} on {table}"
        if kind.startswith("Index"):
            condition = node.get("Index Cond", "")
            assert any(key in condition for key in BY_KEY) or _limited(plan, node), (
                f"{table} by {condition or 'nothing'}"
            )
        if kind.startswith("Bitmap"):
            assert any(key in node.get("Recheck Cond", "") for key in BY_KEY), f"{table} by {node.get('Recheck Cond')}"
    assert "ready" not in sorted_tables(plan)


def _limited(plan: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether a LIMIT stands above the node, with nothing between that needs all its rows."""
    for node in nodes(plan):
        if node["Node Type"] == "Limit":
            below = node["Plans"][0]
            while below["Node Type"] in {"LockRows", "Result", "Subquery Scan", "Append", "Merge Append"}:
                if wanted in below["Plans"]:
                    return True
                below = below["Plans"][0]
            if below is wanted:
                return True
    return False


def test_statements_are_found_in_every_function() -> None:
    names = {statement.name.partition("-")[0] for statement in IN_FUNCTIONS}
    assert names >= {"claim_items", "finish_items", "give_back_items", "place_items", "open_items", "unlock_dependents"}
    texts = [statement.text for statement in IN_FUNCTIONS]
    assert any("SKIP LOCKED" in text and "nextval('fences')" in text for text in texts)
    assert any("INSERT INTO artifact_versions" in text for text in texts)


@pytest.mark.parametrize("mode", ["custom", "generic"])
@pytest.mark.parametrize(
    "statement", [one for one in IN_FUNCTIONS if not one.name.startswith("expire")], ids=lambda one: one.name
)
async def test_statement_in_a_function_reads_by_index(
    filled: Any, request: pytest.FixtureRequest, statement: HotStatement, mode: str
) -> None:
    tables = CHURN if request.node.callspec.params["filled"] == "empty" else LARGE
    plan = await explain(filled, statement, arguments_of(statement), mode=mode)
    check(plan, tables, await with_rows(filled))


@pytest.mark.parametrize("mode", ["custom", "generic"])
@pytest.mark.parametrize(("statement", "arguments"), IN_QUERIES, ids=lambda one: getattr(one, "name", ""))
async def test_query_reads_by_index(
    filled: Any, request: pytest.FixtureRequest, statement: HotStatement, arguments: list[str], mode: str
) -> None:
    plan = await explain(filled, statement, arguments, mode=mode)
    if request.node.callspec.params["filled"] == "large":
        check(
            plan, LARGE, await with_rows(filled)
        )  # of a small table, reading all is the right plan; and it is made again when the table has grown


@pytest.mark.parametrize("mode", ["custom", "generic"])
@pytest.mark.parametrize(
    "statement", [one for one in IN_FUNCTIONS if not one.name.startswith(ACROSS)], ids=lambda one: one.name
)
async def test_statement_touches_one_partition_of_tables_split_by_board(
    split: Any, statement: HotStatement, mode: str
) -> None:
    plan = await explain(split, statement, arguments_of(statement), mode=mode)
    for table in PARTITIONED:
        touched = {
            node["Relation Name"]
            for node in scans(plan)
            # A row's position says nothing of its partition: these are looked at, one block each, in every part.
            if node["Node Type"] != "Tid Scan" and node["Relation Name"].rsplit("_", 1)[0] == table
        }
        assert len(touched) <= 1, f"{table}: {sorted(touched)}"
