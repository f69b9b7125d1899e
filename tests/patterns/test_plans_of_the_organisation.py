"""The plans of what delegation, peers and meetings ask for again and again: by index, whatever the statistics say.

As in `test_plans`: rows are put straight into the tables, whose statistics are fresh, or those of a hundred rows.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from slateboard import patterns
from slateboard.board import delegations, mandates
from slateboard.board import queries as queries_of_board
from slateboard.manifests import state
from slateboard.patterns import delegation, escalations
from slateboard.patterns.meetings import queries
from slateboard.patterns.peers import requests, routes, threads
from slateboard.reports import tree
from slateboard.work import duties, leases
from tests.support import servers
from tests.support.plans import HotStatement, explain, of_function, of_query, scans

SMALL, LARGE = 100, 100_000
TABLES = ("tasks", "artifacts", "work_items", "leases", "gates", "dependencies", "waiting", "escalations", "attempts",
          "delegations", "presence", "routes", "threads", "thread_members", "messages", "consults", "requests",
          "meetings", "meeting_seats", "agenda_items", "meeting_turns", "statements", "votes", "checkpoints",
          "agents")  # fmt: skip
KEYS = ("id", "item", "name", "parent", "task", "agent", "thread", "correlation", "request", "meeting", "deadline",
        "starts_at", "waits_until", "ends_at", "state", "owner", "on_item", "blocker")  # fmt: skip
"""An index condition on the board alone would read all of it: one of these must stand beside it."""
PENDING = "delegations_pending_idx"
"""What is pending is few, whatever there was before: all of it is read, once a look."""

NUMBERS = "ARRAY[7, 20007, 40007]::bigint[]"
TEXTS = "'{7,20007,40007}'"
LITERALS = {
    "bigint": "7", "int": "10", "smallint": "0", "text": "'7'", "boolean": "false", "timestamptz": "now()",
    "jsonb": "'{}'", "bigint[]": NUMBERS, "text[]": "ARRAY['x', 'y', 'z']",
}  # fmt: skip
FILES = Path(duties.__file__).with_name("duties.sql"), Path(patterns.__file__).with_name("peers.sql")
IN_FUNCTIONS = [statement for path in FILES for statement in of_function(path)]
IN_QUERIES: list[tuple[HotStatement, list[str]]] = [
    (of_query("look-up", delegations.LOOK_UP), ["1", TEXTS, TEXTS]),
    (of_query("parts-that-are-given", queries_of_board.GIVEN_PARTS), ["1", TEXTS, TEXTS]),
    (of_query("mandates", mandates.LOOK_UP), ["1", TEXTS, TEXTS]),
    (of_query("parts-in-tasks", mandates.PARTS), ["1", TEXTS, "7"]),
    (of_query("renew", delegations.RENEW), ["1", TEXTS, "now()"]),
    (of_query("due-delegations", delegation.DUE), ["now()", "60", "60", "14400", "500"]),
    (of_query("settle", delegation.SETTLE), ["1", NUMBERS, "'acknowledged'", "now()"]),
    (of_query("items-of-a-task", delegation.ITEMS), ["1", "7", "7"]),
    (of_query("subtree", delegation.SUBTREE), ["1", "7"]),
    (of_query("open", delegation.OPEN), ["1", NUMBERS]),
    (of_query("asked", delegation.ASKED), ["1", NUMBERS]),
    (of_query("routes", routes.OF), ["1", "7", "10000"]),
    (of_query("threads-of-an-agent", threads.OF_AGENT), ["1", "7", "NULL", "true", "50"]),
    (of_query("members", threads.MEMBERS), ["1", "7", "1000"]),
    (of_query("messages", threads.MESSAGES), ["1", "7", "0", "100"]),
    (of_query("read", threads.READ), ["1", "7", "7", "NULL"]),
    (of_query("hold-request", requests.HOLD), ["1", "7"]),
    (of_query("answers", requests.COUNT), ["1", "7"]),
    (of_query("left", requests.LEFT), ["1", "7"]),
    (of_query("overdue", escalations.OVERDUE), ["now()", "100"]),
    (of_query("hold-claims", duties.LOCK_CLAIMS), ["1", NUMBERS]),
    (
        of_query("give-up", leases.GIVE_UP),
        ["1", "7", "7", "NULL", "'blocked'", "NULL", "NULL", "NULL", "now()"],
    ),
    (of_query("due-meetings", queries.DUE), ["now()", "100"]),
    (of_query("hold-of-turn", queries.HOLD_OF_TURN), ["1", "7"]),
    (of_query("parts", queries.PARTS), ["1", "7"]),
    (of_query("end-turns", queries.END_TURNS), ["1", NUMBERS, "'spoke'", "now()", "8", "now()"]),
    (of_query("said", queries.SAID_IN_ROUND), ["1", "7", "1::smallint", "1::smallint", "7"]),
    (of_query("declared-tasks", state.TASKS), ["1", TEXTS]),
    (of_query("declared-artifacts", state.ARTIFACTS), ["1", TEXTS, TEXTS]),
    (of_query("tree", tree.TREE), ["1", "'t7'", "100000", "10001", "1", "false"]),
    (of_query("roll-up", tree.COUNTS), ["1", NUMBERS, "100000"]),
]

# Of 100,000 meetings, delegations and questions the last few are open, as on a board that has lived.
FILL = """
INSERT INTO boards (id, name, prefix) VALUES (1, 'b', 'b') ON CONFLICT DO NOTHING;
INSERT INTO agents (board, id, name) SELECT 1, n, 'a' || n FROM generate_series({first}, {to}) AS n;
INSERT INTO presence (board, agent, seen_at) SELECT 1, n, now() FROM generate_series({first}, {to}) AS n;
INSERT INTO tasks (board, id, name, parent, title, agent, delegator, created_by, created_at)
    SELECT 1, n, 't' || n, CASE WHEN n % 1000 > 1 THEN n - 1 - n % 1000 / 2 END, 't', n, n + 1, 'x', now()
    FROM generate_series({first}, {to}) AS n;
INSERT INTO delegations (board, task, delegator, agent, state, delegated_at)
    SELECT 1, n, n + 1, n, CASE WHEN n % 5000 = 7 THEN 'pending' ELSE 'acknowledged' END, now()
    FROM generate_series({first}, {to}) AS n;
INSERT INTO artifacts (board, id, task, name, title, newest_item, created_by, created_at)
    SELECT 1, n, n, 'result', 'title', n, 'x', now() FROM generate_series({first}, {to}) AS n;
INSERT INTO work_items (board, id, kind, artifact, reference, inbox, base_rating, created_at)
    SELECT 1, n, 'answer', n, 't/result', n, 10, now() FROM generate_series({first}, {to}) AS n;
INSERT INTO leases (board, item, fence, agent, attempt, lease_seconds, claimed_at, expires_at, cause, worker)
    SELECT 1, n, n, n, 1, 60, now(), now(), 1, 'w' FROM generate_series({first}, {to}) AS n;
INSERT INTO attempts (board, item, fence, ended_at, attempt, agent, worker, outcome, started_at)
    SELECT 1, n, n, now(), 1, n, 'w', 'completed', now() FROM generate_series({first}, {to}) AS n;
INSERT INTO gates (board, item, remaining) SELECT 1, n, 1 FROM generate_series({first}, {to}) AS n;
INSERT INTO checkpoints (board, item, fence, kept_at) SELECT 1, n, n, now() FROM generate_series({first}, {to}) AS n;
INSERT INTO dependencies (board, blocker, item, counted, created_by, created_at)
    SELECT 1, n, n + 1, true, 'x', now() FROM generate_series({first}, {to}) AS n;
INSERT INTO waiting (board, item, owner, deadline, on_item, reason, since)
    SELECT 1, n, n, now(), n + 1, 'question', now() FROM generate_series({first}, {to}) AS n;
INSERT INTO escalations (board, item, kind, reference, severity, owner, deadline, seconds, question, asked_by, asked_at,
                         answered_at, answered_by)
    SELECT 1, n, 'consult', 't' || n, 'high', n, now() + n * interval '1 s', 60, '?', 'x', now(),
           CASE WHEN n % 5000 <> 7 THEN now() END, CASE WHEN n % 5000 <> 7 THEN 'x' END
    FROM generate_series({first}, {to}) AS n;
INSERT INTO routes (board, id, agent, other, kind, label, created_by, created_at)
    SELECT 1, n, n, n + 1, 'consult', 'x', 'x', now() FROM generate_series({first}, {to}) AS n;
INSERT INTO threads (board, id, topic, correlation, opened_by, opened_at)
    SELECT 1, n, 'x', 'c' || n, 'x', now() FROM generate_series({first}, {to}) AS n;
INSERT INTO thread_members (board, thread, agent, joined_at)
    SELECT 1, n, n % 1000, now() FROM generate_series({first}, {to}) AS n;
INSERT INTO messages (board, thread, id, kind, author, said_by, text, said_at)
    SELECT 1, n, n, 'reply', n % 1000, 'x', 'x', now() FROM generate_series({first}, {to}) AS n;
INSERT INTO consults (board, item, asker, other, thread, request, correlation)
    SELECT 1, n, n, n + 1, n, n, 'c' || n FROM generate_series({first}, {to}) AS n;
INSERT INTO requests (board, id, capability, asker, thread, answers, deadline, asked_at)
    SELECT 1, n, 'x', n, n, 1, now(), now() FROM generate_series({first}, {to}) AS n;
INSERT INTO meetings (board, id, title, state, scheduled_by, decision_required, max_seconds, quorum, decision_model,
                      turn_seconds, vote_seconds, starts_at, opened_at, ends_at, adjourned_at, scheduled_at)
    SELECT 1, n, 'x', CASE WHEN n % 5000 = 7 THEN 'open' ELSE 'adjourned' END, 'x', false, 60, 2, 'majority', 60, 60,
           now(), now(), now() + n * interval '1 s', CASE WHEN n % 5000 <> 7 THEN now() END, now()
    FROM generate_series({first}, {to}) AS n;
INSERT INTO meeting_seats (board, meeting, agent, position, required, seated)
    SELECT 1, n, n, 1, true, true FROM generate_series({first}, {to}) AS n;
INSERT INTO agenda_items (board, meeting, number, title) SELECT 1, n, 1, 'x' FROM generate_series({first}, {to}) AS n;
INSERT INTO meeting_turns (board, item, meeting, number, round, agent, kind, deadline, outcome, ended_at)
    SELECT 1, n, n, 1, 1, n, 'turn', now() + n * interval '1 s', CASE WHEN n % 5000 <> 7 THEN 'spoke' END,
           CASE WHEN n % 5000 <> 7 THEN now() END
    FROM generate_series({first}, {to}) AS n;
INSERT INTO statements (board, id, meeting, number, round, agent, kind, text, said_at)
    SELECT 1, n, n, 1, 1, n, 'concern', 'x', now() FROM generate_series({first}, {to}) AS n;
INSERT INTO votes (board, meeting, number, agent, choice, rationale, voted_at)
    SELECT 1, n, 1, n, 'approve', '', now() FROM generate_series({first}, {to}) AS n;
"""


@pytest_asyncio.fixture(scope="module", params=["fresh", "old"])
async def filled(request: pytest.FixtureRequest, server: servers.Server) -> AsyncIterator[Any]:
    """Large tables with fresh statistics, or with those of the hundred rows that they had once."""
    context = servers.database(server, f"organisation_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}")
    own = await asyncio.to_thread(context.__enter__)
    try:
        connection = await asyncpg.connect(server.owner_of(own), server_settings={"jit": "off"})
        try:
            for row in await connection.fetch(
                "SELECT p.relid::regclass::text AS name FROM unnest($1::text[]) AS t (name),"
                " LATERAL pg_partition_tree(t.name::regclass) AS p WHERE p.isleaf",
                list(TABLES),
            ):
                await connection.execute(f"ALTER TABLE {row['name']} SET (autovacuum_enabled = false)")
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
    """No large table is read whole, or for a board whole."""
    for node in scans(plan):
        relation, kind = node["Relation Name"], node["Node Type"]
        if not await connection.fetchval("SELECT pg_relation_size($1::regclass)", relation):
            continue  # a partition of another month is empty, and reading all of it is right
        if relation in {"boards", "event_lane"}:
            continue  # a row or two
        assert kind in {"Index Scan", "Index Only Scan", "Bitmap Heap Scan"}, f"{kind} on {relation}"
        condition = node.get("Index Cond", "") + node.get("Recheck Cond", "")
        known = any(key in condition for key in KEYS) or node.get("Index Name") == PENDING
        assert known, f"{relation} by {condition or 'nothing'}"


def test_statements_are_found_in_every_function() -> None:
    assert {statement.name.partition("-")[0] for statement in IN_FUNCTIONS} == {
        "post_duties",
        "end_duties",
        "say_on_thread",
        "find_peer",
    }
    texts = [statement.text for statement in IN_FUNCTIONS]
    for written in (
        "INTO work_items",
        "INTO dependencies",
        "INTO waiting",
        "UPDATE work_items",
        "DELETE FROM waiting",
        "INTO thread_members",
        "INTO messages",
        "FROM routes",
        "WITH RECURSIVE way",
    ):
        assert any(written in text for text in texts), written


@pytest.mark.parametrize("mode", ["custom", "generic"])
@pytest.mark.parametrize("statement", IN_FUNCTIONS, ids=lambda one: one.name)
async def test_statement_in_a_function_reads_by_index(filled: Any, statement: HotStatement, mode: str) -> None:
    arguments = ["1" if name == "p_board" else LITERALS[kind] for name, kind in statement.parameters]
    await check(filled, await explain(filled, statement, arguments, mode=mode))


@pytest.mark.parametrize("mode", ["custom", "generic"])
@pytest.mark.parametrize(("statement", "arguments"), IN_QUERIES, ids=lambda one: getattr(one, "name", ""))
async def test_query_reads_by_index(filled: Any, statement: HotStatement, arguments: list[str], mode: str) -> None:
    await check(filled, await explain(filled, statement, arguments, mode=mode))
