"""The doctor finds what is really broken: each check with its fault made, on a database of its own."""

from __future__ import annotations

import shutil
from collections import namedtuple
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from slateboard.protocol.rights import ADMINISTRATOR
from slateboard.reports import doctor
from slateboard.server import leader
from slateboard.store.database import Database, connect
from slateboard.transaction import reading
from tests.support import servers
from tests.support.boards import BoardUnderTest, new_board

Usage = namedtuple("Usage", "total used free")  # noqa: PYI024  as the standard library's
GIB = 2**30

ANOTHER = """
CREATE OR REPLACE FUNCTION unlock_dependents(
    p_board bigint, p_blockers bigint[], p_after bigint, p_actor text, p_authenticated_by text, p_now timestamptz
) RETURNS bigint[] LANGUAGE sql AS $$ SELECT '{}'::bigint[] $$
"""


@pytest.fixture
def own_url(server: servers.Server) -> Iterator[str]:
    """The owner's URL of a database for this test alone."""
    with servers.database(server, "doctor") as name:
        yield server.owner_of(name)


@pytest_asyncio.fixture
async def own(own_url: str, server: servers.Server, tmp_path: Path) -> AsyncIterator[BoardUnderTest]:
    """A board on it, with two items: `b` waits for `a`."""
    database: Database = await connect(f"{own_url}{'&' if '?' in own_url else '?'}role=slateboard_app", home=tmp_path)
    board = await new_board(database, "sick", agents=("backend", "cto"))
    async with database.acquire() as connection:
        await leader.take(connection, holder="here:1:0")
    yield board
    await database.close()


async def found(board: BoardUnderTest) -> dict[str, dict[str, Any]]:
    """What the doctor says, by check."""
    report = await board.perform("doctor")
    assert report["state"] == doctor.worst(report["checks"])
    return {one["name"]: one for one in report["checks"]}


async def check(board: BoardUnderTest, name: str, state: str, *words: str) -> None:
    """That check says this, and all others but the settings are well."""
    checks = await found(board)
    assert checks[name]["state"] == state, checks[name]
    assert all(word in checks[name]["seen"] for word in words), checks[name]
    assert state == "ok" or checks[name]["remedy"]
    others = {other: one for other, one in checks.items() if other not in {name, "database"} and one["state"] != "ok"}
    assert not others


async def test_all_is_well_where_nothing_is_broken(own: BoardUnderTest) -> None:
    items = await own.post_graph({"a": [], "b": ["a"], "c": ["b"]})
    claim = await own.claim_item(items["a"])
    await own.perform("ask", by="backend", item=claim.item, fence=claim.fence, question="Why?", of="cto")
    await own.seal()
    checks = await found(own)
    assert set(checks) == set(doctor.CHECKS)
    assert {name: one for name, one in checks.items() if one["state"] == "fail" or (name != "database" != one["state"]
            and one["state"] != "ok")} == {}  # fmt: skip


async def test_database_that_does_not_keep_what_it_says(own: BoardUnderTest) -> None:
    async with reading(own.database, ADMINISTRATOR, own.id) as tx:
        await tx.fetch("SET LOCAL synchronous_commit = off")
        seen = await doctor.database(tx)
    assert (seen.state, "synchronous_commit = off" in seen.seen) == ("warn", True)


async def test_connections_that_run_out(own: BoardUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "CONNECTIONS", "SELECT 100 AS most, 96 AS used")
    await check(own, "connections", "fail", "96 of 100")
    monkeypatch.setattr(doctor, "CONNECTIONS", "SELECT 100 AS most, 85 AS used")
    await check(own, "connections", "warn")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("DROP FUNCTION rating_of CASCADE", "function rating_of is missing"),
        ("DROP TABLE due_marks", "table due_marks is missing"),
        ("ALTER TABLE leases DROP COLUMN stalled_at", "column leases.stalled_at is missing"),
        ("DROP INDEX due_marks_at_idx", "index due_marks_at_idx is missing"),
        ("DROP TRIGGER append_only ON events", "trigger append_only on events is missing"),
        ("ALTER TABLE attempts DISABLE TRIGGER append_only", "trigger append_only on attempts is missing or disabled"),
        ("DROP VIEW item_places", "view item_places is missing"),
        (
            ANOTHER,
            "function unlock_dependents is another",
        ),
        ("UPDATE alembic_version SET version_num = '2020_01_01_0000'", "newer than this code"),
    ],
)
async def test_schema_of_another_form(own: BoardUnderTest, own_url: str, fault: str, said: str) -> None:
    servers.execute(own_url, fault)
    checks = await found(own)
    assert checks["schema"]["state"] in {"fail", "warn"}
    assert said in checks["schema"]["seen"]
    assert "slate migrate" in checks["schema"]["remedy"] or "upgrade" in checks["schema"]["remedy"]


async def test_check_whose_table_is_gone_hinders_no_other(own: BoardUnderTest, own_url: str) -> None:
    servers.execute(own_url, "DROP TABLE gates CASCADE", "DROP TABLE leaders")
    checks = await found(own)
    assert {name for name, one in checks.items() if one["state"] == "fail"} == {
        "schema", "leader", "places", "gates", "waiting",
    }  # fmt: skip
    assert "cannot be looked at" in checks["gates"]["seen"]
    assert checks["partitions"]["state"] == "ok"


async def test_events_that_nobody_seals(own: BoardUnderTest, own_url: str) -> None:
    await own.post_graph({"a": []})
    servers.execute(own_url, "UPDATE event_outbox SET happened_at = happened_at - interval '8 s'")
    await check(own, "sequencer", "warn", "wait for a position")
    servers.execute(own_url, "UPDATE event_outbox SET happened_at = happened_at - interval '2 h'")
    await check(own, "sequencer", "fail", "the oldest for 2h")
    await own.seal()
    await check(own, "sequencer", "ok")


async def test_head_of_the_log_that_is_not_its_newest_event(own: BoardUnderTest, own_url: str) -> None:
    await own.post_graph({"a": []})
    await own.seal()
    servers.execute(own_url, "UPDATE event_heads SET position = position + 1")
    await check(own, "sequencer", "fail", "head")


async def test_leader_that_died_or_never_was(own: BoardUnderTest, own_url: str) -> None:
    servers.execute(own_url, "UPDATE leaders SET expires_at = now() - interval '1 h'")
    await check(own, "leader", "fail", "here:1:0 led, and has said nothing for 1h")
    servers.execute(own_url, "DELETE FROM leaders")
    await check(own, "leader", "fail", "nobody leads")


async def test_lease_that_nobody_takes_back(own: BoardUnderTest, own_url: str) -> None:
    await own.post_graph({"a": []})
    await own.claim()
    await own.seal()
    servers.execute(own_url, "UPDATE leases SET expires_at = now() - interval '1 min'")
    await check(own, "leases", "fail", "1 leases ran out")


async def test_partition_that_is_missing_and_rows_that_strayed(own: BoardUnderTest, own_url: str) -> None:
    day = await own.fetchval("SELECT to_char(now() + interval '2 days', 'YYYYMMDD') WHERE $1 > 0")
    servers.execute(own_url, f"DROP TABLE events_{day}")
    await check(own, "partitions", "fail", f"missing: events_{day}")
    servers.execute(own_url, "SELECT ensure_partitions(7)")
    await check(own, "partitions", "ok")
    servers.execute(
        own_url,
        "INSERT INTO attempts (board, item, fence, ended_at, attempt, agent, worker, outcome, started_at)"
        " VALUES (1, 1, 1, '2001-01-01', 1, 1, 'w', 'failed', '2001-01-01')",
    )
    await check(own, "partitions", "warn", "default partition")


@pytest.mark.parametrize(
    ("fault", "name", "said"),
    [
        ("DELETE FROM ready", "places", "unfinished, and in no place"),
        ("INSERT INTO scheduled (board, item, run_at) SELECT board, item, now() FROM ready", "places", "more than one"),
        ("UPDATE work_items SET outcome = 'done', finished_at = now() WHERE reference = 'work/a'", "places",
         "in ready, and done"),
        ("UPDATE gates SET remaining = 2", "gates", "its gate counts 2, and 1 hold it"),
        ("UPDATE dependencies SET counted = false", "gates", "its gate counts 1, and 0 hold it"),
    ],
)  # fmt: skip
async def test_broken_invariant_is_named(own: BoardUnderTest, own_url: str, fault: str, name: str, said: str) -> None:
    await own.post_graph({"a": [], "b": ["a"]})
    await own.seal()
    servers.execute(own_url, fault)
    checks = await found(own)
    assert checks[name]["state"] == "fail"
    assert said in checks[name]["seen"]
    assert "report it" in checks[name]["remedy"]


async def test_orphan_lease_is_named(own: BoardUnderTest, own_url: str) -> None:
    items = await own.post_graph({"a": []})
    await own.claim()
    await own.seal()
    servers.execute(own_url, "DELETE FROM work_items")
    await check(own, "places", "fail", f"item {items['a']} is in leases, and there is no such item")


async def test_waiting_for_nobody_is_named(own: BoardUnderTest, own_url: str) -> None:
    await own.post_graph({"a": []})
    (claim,) = await own.claim()
    asked = await own.perform("ask", by="backend", item=claim.item, fence=claim.fence, question="Why?", of="cto")
    await own.seal()
    await check(own, "waiting", "ok")
    servers.execute(own_url, "UPDATE work_items SET outcome = 'cancelled', finished_at = now() WHERE kind = 'answer'")
    checks = await found(own)
    assert f"waits for item {asked['escalation']}, which is cancelled" in checks["waiting"]["seen"]
    servers.execute(own_url, "DELETE FROM gates")
    assert "behind no gate" in (await found(own))["waiting"]["seen"]


async def test_disk_that_is_nearly_full(own: BoardUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    for free, state in ((50 * GIB, "ok"), (GIB, "warn"), (GIB // 100, "fail")):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: Usage(100 * GIB, 0, free))
        await check(own, "disk", state)


async def test_check_that_takes_too_long_is_a_warning(own: BoardUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "CHECK_SECONDS", 0.05)
    monkeypatch.setattr(
        doctor, "CONNECTIONS", "SELECT 100 AS most, count(*) AS used FROM generate_series(1, 1000000000)"
    )
    await check(own, "connections", "warn", "took longer")


async def test_dead_and_waived_blockers_break_no_invariant(own: BoardUnderTest) -> None:
    items = await own.post_graph({"a": [], "b": ["a"], "c": [], "d": ["c"], "e": ["a", "c"]})
    await own.bury(items["a"])
    await own.bury(items["c"])
    await own.perform("discard", items=[items["c"]], reason="no", waive=True)
    await own.seal()
    await check(own, "gates", "ok")
