"""How boards end: an archived board is read and never changed, a deleted one is gone and known as deleted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from slateboard.board import boards
from slateboard.log import proof
from slateboard.protocol.errors import (
    BoardArchived,
    Conflict,
    Denied,
    Invalid,
    SlateError,
    UnknownName,
    WrongState,
)
from slateboard.protocol.rights import ADMINISTRATOR
from slateboard.protocol.states import Outcome
from slateboard.protocol.work import Beat, Finish, GiveBack, NewArtifact, NewTask, Result
from slateboard.store.database import Database
from slateboard.transaction import board_named, hot
from tests.support.boards import BoardUnderTest, new_board
from tests.support.live import check_fold

LATER = timedelta(days=2)


@pytest_asyncio.fixture
async def lived(board: BoardUnderTest) -> BoardUnderTest:
    """A board on which something of every kind is there, and nothing is claimed."""
    items = await board.post_graph({"a": [], "b": ["a"], "c": [], "d": []})
    await board.complete(items["a"])
    await board.bury(items["c"])
    await board.fail(await board.claim_item(items["d"]))
    await board.perform("decide", decision="Use it")
    await board.perform("subscribe", name="all", patterns=["genbrain.>"], agent="cto")
    await board.perform("schedule", name="often", cron="* * * * *", subject="genbrain.events.tick")
    await board.perform("publish", subject="genbrain.events.a", id="once")
    await board.perform("issue_token", agent="backend")
    await board.seal()
    return board


@pytest_asyncio.fixture
async def archived(lived: BoardUnderTest) -> BoardUnderTest:
    """The same, archived."""
    await lived.perform("archive_board", reason="it is over")
    await lived.seal()
    return lived


async def contents(board: BoardUnderTest) -> dict[str, Any]:
    """Every row of the board, of every table that has one."""
    tables = await board.fetch(
        "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'board'"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname <> 'deleted_boards'"
        " AND $1 > 0 ORDER BY 1"
    )
    found = {
        row["relname"]: await board.fetch(f"SELECT t::text FROM {row['relname']} t WHERE board = $1 ORDER BY 1")
        for row in tables
    }
    return {name: rows for name, rows in found.items() if rows}


async def purge(board: BoardUnderTest, *, limit: int = 500) -> list[int]:
    """Empty all deleted boards as the server does; gives the sizes of the batches."""
    sizes: list[int] = []
    async with board.hot() as tx:
        for _ in range(10_000):
            sizes.append(await boards.purge(tx, limit=limit))
            if not sizes[-1]:
                return sizes
    raise AssertionError


# --- archive -----------------------------------------------------------------------------------------------------

WRITES: dict[str, dict[str, Any]] = {
    "post": {"tasks": [NewTask(name="new", title="new")]},
    "revise": {"reference": "work/a"},
    "cancel": {"reference": "work/b", "cascade": True},
    "decide": {"decision": "Use another"},
    "publish": {"subject": "genbrain.events.b"},
    "subscribe": {"name": "more", "patterns": ["a.>"], "agent": "cto"},
    "unsubscribe": {"name": "all"},
    "pause_subscription": {"name": "all", "reason": "why not"},
    "rewind_subscription": {"name": "all", "to": "beginning"},
    "schedule": {"name": "more", "cron": "* * * * *", "subject": "genbrain.events.a"},
    "unschedule": {"name": "often"},
    "pause": {},
    "add_agent": {"name": "another"},
    "issue_token": {"agent": "backend"},
    "apply": {
        "documents": [
            {"source": "b.yaml", "text": "apiVersion: agent.ceo/v1\nkind: TaskBoard\nmetadata: {name: t}\n"
             "spec: {artifacts: {x: {owner: backend}}}\n"}
        ]
    },
}  # fmt: skip


@pytest.mark.parametrize("operation", WRITES)
async def test_an_archived_board_refuses_every_change(archived: BoardUnderTest, operation: str) -> None:
    before = await contents(archived)
    with pytest.raises(BoardArchived, match=archived.name) as refused:
        await archived.perform(operation, **WRITES[operation])
    assert "slate board unarchive" in refused.value.remedy
    assert await contents(archived) == before


async def test_the_same_changes_are_taken_by_a_board_that_is_open(lived: BoardUnderTest) -> None:
    for operation in ("post", "revise", "decide", "publish", "subscribe", "schedule", "add_agent", "apply", "pause"):
        await lived.perform(operation, **WRITES[operation])


async def test_a_claim_is_refused_whether_or_not_work_is_ready(archived: BoardUnderTest) -> None:
    for agent in ("backend", "cto"):
        with pytest.raises(BoardArchived):
            await archived.claim(agent)


async def test_an_archived_board_is_read_as_before(archived: BoardUnderTest) -> None:
    assert len((await archived.perform("list_artifacts")).rows) == 4
    assert (await archived.perform("show", name="work"))["name"] == "work"
    assert (await archived.perform("list_boards", names=[archived.name])).rows[0]["archived_at"] is not None
    assert (await archived.perform("verify_log"))["fault"] is None
    last = (await archived.log())[-1]
    assert (last.subject, last.payload["reason"]) == ("board.board.archived", "it is over")
    assert await archived.perform("log_head") == last.position
    assert (await archived.perform("as_of", position=last.position, of=["items"]))["position"] == last.position
    assert await archived.perform("report_audit")
    await check_fold(archived)


async def test_nothing_happens_on_an_archived_board_by_itself(archived: BoardUnderTest) -> None:
    from slateboard.patterns import schedules, waits
    from slateboard.work import gates, ratings

    before = await contents(archived)
    now = datetime.now(UTC) + LATER
    await archived.promote(now=now)
    await archived.expire(now=now)
    async with archived.chores(now=now) as tx:
        await schedules.publish_due(tx, limit=100_000)
        await waits.time_out(tx, limit=100_000)
        await gates.unlock_more(tx)
        await ratings.refresh(tx, limit=100_000, now=now)
    assert await contents(archived) == before


async def test_who_looks_after_an_archived_board_still_may(archived: BoardUnderTest) -> None:
    token = await archived.fetchval("SELECT id FROM tokens WHERE board = $1")
    await archived.perform("revoke_token", token_id=token)
    await archived.perform("erase_event", position=2, reason="a secret")
    assert [event.subject for event in (await archived.log())[-2:]] == ["board.token.revoked", "board.event.erased"]


async def test_archiving_twice_is_once(archived: BoardUnderTest) -> None:
    head = await archived.perform("log_head")
    first = await archived.perform("archive_board")
    assert first == await archived.perform("archive_board")
    await archived.seal()
    assert await archived.perform("log_head") == head


async def test_unarchiving_opens_the_board_again_and_once_only(archived: BoardUnderTest) -> None:
    await archived.perform("unarchive_board")
    await archived.promote(now=datetime.now(UTC) + LATER)
    assert len(await archived.claim(limit=10)) == 2
    await check_fold(archived)
    with pytest.raises(WrongState):
        await archived.perform("unarchive_board")


async def test_claimed_work_keeps_a_board_open_unless_it_is_archived_now(board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": []})
    claim = await board.claim_item(items["a"])
    with pytest.raises(Conflict, match="1 items") as refused:
        await board.perform("archive_board")
    assert refused.value.details == {"claimed": 1}
    await board.perform("archive_board", now=True)
    before = await contents(board)
    for operation, arguments in (
        ("finish", {"finishes": [Finish(item=claim.item, fence=claim.fence, result=Result(content="x"))]}),
        ("give_back", {"returns": [GiveBack(item=claim.item, fence=claim.fence, outcome=Outcome.RELEASED)]}),
        ("heartbeat", {"beats": [Beat(item=claim.item, fence=claim.fence)]}),
        ("checkpoint", {"item": claim.item, "fence": claim.fence, "note": "x"}),
        ("wait_for", {"item": claim.item, "fence": claim.fence, "timeout_seconds": 60}),
        ("block_on", {"item": claim.item, "fence": claim.fence, "on": ["work/a"]}),
    ):
        with pytest.raises((BoardArchived, Invalid) if operation == "block_on" else BoardArchived):
            await board.perform(operation, **arguments)
    assert not await board.expire(now=datetime.now(UTC) + LATER)
    assert await contents(board) == before
    await board.perform("unarchive_board")
    assert (await board.finish(claim, content="x"))[0].error is None
    await check_fold(board)


async def test_no_change_slips_through_while_a_board_is_archived(board: BoardUnderTest) -> None:
    """Workers post, claim and finish while the board is archived: nothing stands in the log behind that event."""
    await board.post(*[NewArtifact(task="work", name=f"n{n}", owner="backend") for n in range(200)],
                     tasks=[NewTask(name="work", title="work")])  # fmt: skip
    refused: list[SlateError] = []
    began = asyncio.Event()

    async def work(number: int) -> None:
        try:
            for round_ in range(1_000):
                for claim in await board.claim(worker=f"w{number}", limit=2):
                    await board.finish(claim, content="x")
                await board.perform("publish", subject=f"genbrain.events.n{number}.r{round_}")
                if round_ == 3:
                    began.set()
        except BoardArchived as error:
            refused.append(error)

    async def end() -> None:
        await began.wait()
        await board.perform("archive_board", now=True)

    await asyncio.gather(end(), *(work(number) for number in range(6)))
    assert len(refused) == 6
    assert [event.subject for event in (await board.log())].count("board.board.archived") == 1
    assert (await board.log())[-1].subject == "board.board.archived"
    await check_fold(board)


async def test_archiving_waits_for_a_change_that_is_on_its_way(board: BoardUnderTest) -> None:
    async with board.writing() as tx:
        from slateboard.board import decisions

        await decisions.decide(tx, decision="Use it")
        await tx.flush()
        archiving = asyncio.create_task(board.perform("archive_board"))
        waiting = "SELECT count(*) FROM pg_locks WHERE relation = 'event_outbox'::regclass AND NOT granted AND $1 > 0"
        for _ in range(10_000):
            if await board.fetchval(waiting):
                break
    await archiving
    assert [event.subject for event in await board.log()][-2:] == ["board.decision.made", "board.board.archived"]


# --- delete ------------------------------------------------------------------------------------------------------


async def test_a_deleted_board_leaves_its_record_and_nothing_else(archived: BoardUnderTest) -> None:
    other = await new_board(archived.database, f"{archived.name}-other", agents=("backend",))
    await other.post_graph({"a": []})
    await other.seal()
    kept = await contents(other)
    head = await archived.perform("verify_log")
    answer = await archived.perform("delete_board", confirm=archived.name)
    assert (answer["position"], answer["hash"], answer["log"]) == (head["position"], head["hash"], head["log"])
    assert not await archived.fetchval("SELECT count(*) FROM tokens WHERE board = $1")
    sizes = await purge(archived, limit=7)
    assert max(sizes) <= 7
    assert len(sizes) > 10
    assert await contents(archived) == {}
    assert await contents(other) == kept
    known = next(row for row in await other.perform("list_deleted_boards") if row["name"] == archived.name)
    assert known["emptied_at"] is not None
    assert {**known, "emptied_at": None} == answer


async def test_the_name_of_a_deleted_board_is_known_and_free(archived: BoardUnderTest, database: Database) -> None:
    await archived.perform("delete_board", confirm=archived.name)
    async with database.acquire() as connection:
        with pytest.raises(UnknownName, match=r"was deleted at .* by admin") as gone:
            await board_named(connection, archived.name)
    assert gone.value.details["position"] > 0
    again = await new_board(database, archived.name, agents=("backend",))
    assert again.id != archived.id
    await again.post_graph({"a": []})
    await purge(archived)
    assert len(await again.claim()) == 1
    assert (await again.perform("verify_log"))["position"] == await again.perform("log_head")


async def test_who_still_works_on_a_deleted_board_is_told(archived: BoardUnderTest) -> None:
    head = await archived.perform("log_head")
    await archived.perform("delete_board", confirm=archived.name)
    for operation, arguments in (
        ("claim", {"agent": archived.agents["backend"], "worker": "w", "lease_seconds": 60}),
        ("publish", {"subject": "genbrain.events.a"}),
        ("heartbeat", {"beats": [Beat(item=1, fence=1)]}),
        ("read_log", {"after": 0}),
        ("read_log", {"after": head}),
        ("log_head", {}),
        ("verify_log", {}),
        ("delete_board", {"confirm": archived.name}),
        ("archive_board", {}),
    ):
        with pytest.raises(UnknownName):
            await archived.perform(operation, **arguments)
    # Also with half of the log gone.
    async with archived.hot() as tx:
        await boards.purge(tx, limit=3)
        with pytest.raises(UnknownName):
            await archived.perform("read_log", after=1)


@pytest_asyncio.fixture
async def hub(database: Database) -> AsyncIterator[Any]:
    from slateboard.interfaces.feeds import Hub

    opened = Hub(database)
    yield opened
    await opened.close()


async def test_a_live_reader_of_a_deleted_board_is_told(archived: BoardUnderTest, hub: Any) -> None:
    reader = await hub.open(ADMINISTRATOR, archived.id, after=0)
    assert (await anext(reader)).position == 1
    await archived.perform("delete_board", confirm=archived.name)

    async def read_on() -> None:
        async for _ in reader:
            pass

    with pytest.raises(UnknownName, match="deleted"):
        await read_on()


async def test_only_an_archived_board_is_deleted_by_its_name(lived: BoardUnderTest) -> None:
    with pytest.raises(WrongState, match="not archived"):
        await lived.perform("delete_board", confirm=lived.name)
    await lived.perform("archive_board")
    with pytest.raises(Invalid, match="takes its name"):
        await lived.perform("delete_board", confirm="another")
    with pytest.raises(WrongState, match="not in its log yet"):
        await lived.perform("delete_board", confirm=lived.name)
    await lived.seal()
    await lived.perform("delete_board", confirm=lived.name)


async def test_rights(archived: BoardUnderTest) -> None:
    await archived.perform("unarchive_board")
    await archived.add_agent("chief", right="admin")
    await archived.add_agent("boss", right="operator")
    for operation in ("archive_board", "unarchive_board"):
        with pytest.raises(Denied):
            await archived.perform(operation, by="boss")
    await archived.perform("archive_board", by="chief")
    for operation, arguments in (("delete_board", {"confirm": archived.name}), ("list_deleted_boards", {})):
        with pytest.raises(Denied, match="own administrator"):
            await archived.perform(operation, by="chief", **arguments)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM boards WHERE id = $1",
        "INSERT INTO deleted_boards VALUES ($1, 'x', now(), 0, '', 'x', 'x', now())",
        "DELETE FROM events WHERE board = $1",
    ],
)
async def test_the_application_cannot_do_it_by_hand(archived: BoardUnderTest, statement: str) -> None:
    from asyncpg import InsufficientPrivilegeError

    async with archived.database.acquire() as connection:
        with pytest.raises((InsufficientPrivilegeError, SlateError)):
            await connection.execute(statement, archived.id)


async def test_a_function_of_the_owner_deletes_no_board_that_is_open(lived: BoardUnderTest) -> None:
    assert not await lived.fetch("SELECT * FROM delete_board($1, 'x', 'x', now())")
    assert lived.id == await lived.fetchval("SELECT id FROM boards WHERE id = $1")


async def test_the_log_of_another_board_proves_beside_a_deleted_one(archived: BoardUnderTest) -> None:
    await archived.perform("delete_board", confirm=archived.name)
    other = await new_board(archived.database, f"{archived.name}-o", agents=())
    await other.seal()
    async with hot(archived.database, ADMINISTRATOR, other.id) as tx:
        assert (await proof.verify(tx))["fault"] is None
