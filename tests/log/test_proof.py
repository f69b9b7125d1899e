"""Whatever somebody does to the log behind its back, the proof names the first position that does not fit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from slateboard.log import proof
from slateboard.protocol.errors import Invalid, NotFound, WrongState
from slateboard.protocol.events import Subject
from tests.support.boards import BoardUnderTest

COLUMNS = (
    "subject, payload, payload_hash, actor, authenticated_by, cause, correlation, depth, traceparent, happened_at,"
    " hash, id"
)
BACK = "UPDATE events SET position = -position WHERE board = $1 AND position < 0"
REWRITTEN = """
UPDATE events e SET hash = n.hash FROM (
    SELECT p.position, chain_hash('', p.payload_hash || convert_to(concat_ws(E'\n', p.board, p.position, p.id,
               p.subject, p.actor, p.authenticated_by, coalesce(p.cause::text, ''), coalesce(p.correlation, ''),
               p.depth, coalesce(p.traceparent, ''), (extract(epoch FROM p.happened_at) * 1000000)::bigint), 'UTF8'))
               OVER (ORDER BY p.position ROWS UNBOUNDED PRECEDING) AS hash
    FROM events p WHERE p.board = $1) AS n
WHERE e.board = $1 AND e.position = n.position
"""


class Forger:
    """The owner of the tables, who switches the guard of the log off."""

    def __init__(self, connection: Any, board: BoardUnderTest) -> None:
        self.connection = connection
        self.board = board

    async def run(self, sql: str) -> None:
        async with self.connection.transaction():
            await self.connection.execute("ALTER TABLE events DISABLE TRIGGER append_only")
            for statement in filter(None, sql.split(";")):
                await self.connection.execute(statement, self.board.id)
            await self.connection.execute("ALTER TABLE events ENABLE TRIGGER append_only")

    async def rewrite(self) -> None:
        """Work the whole chain out anew, the head included."""
        await self.run(
            "UPDATE events SET payload_hash = sha256(convert_to(payload, 'UTF8'))"
            " WHERE board = $1 AND payload IS NOT NULL"
        )
        await self.run(REWRITTEN)
        await self.run(
            "UPDATE event_heads h SET (position, hash) = (SELECT position, hash FROM events WHERE board = $1"
            " ORDER BY position DESC LIMIT 1) WHERE board = $1"
        )


@pytest_asyncio.fixture
async def forger(board: BoardUnderTest, database_url: str) -> AsyncIterator[Forger]:
    connection = await asyncpg.connect(database_url)
    one = Forger(connection, board)
    yield one
    # What was forged must not stop the sequencer of other tests.
    await one.run("DELETE FROM events WHERE board = $1; DELETE FROM event_heads WHERE board = $1")
    await connection.close()


async def grow(board: BoardUnderTest, number: int = 20) -> int:
    """Events on the board; gives the log's head."""
    for one in range(number):
        async with board.writing() as tx:
            tx.record(Subject.TASK_CHANGED, {"number": one, "text": "zwölf\n\u2028"})
    await board.seal()
    return await board.perform("log_head")


async def fault(board: BoardUnderTest, **arguments: Any) -> tuple[str, int] | None:
    answer = await board.perform("verify_log", **arguments)
    return answer["fault"] and (answer["fault"]["kind"], answer["fault"]["position"])


async def test_a_log_that_nobody_touched_is_whole(board: BoardUnderTest) -> None:
    await board.post_graph({"spec": [], "code": ["spec"]})
    head = await grow(board)
    answer = await board.perform("verify_log")
    assert (answer["fault"], answer["whole"], answer["count"], answer["position"]) == (None, True, head, head)
    assert bytes.fromhex(answer["hash"]) == await board.fetchval("SELECT hash FROM event_heads WHERE board = $1")


async def test_a_proof_goes_on_where_it_stopped(board: BoardUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "PAGE", 3)
    head = await grow(board)
    first = await board.perform("verify_log", limit=7)
    assert (first["position"], first["whole"], first["fault"]) == (7, False, None)
    rest = await board.perform("verify_log", after=7, hash=first["hash"])
    assert (rest["position"], rest["whole"], rest["count"], rest["fault"]) == (head, True, head - 7, None)


async def test_large_payloads_make_smaller_pages(board: BoardUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "PAGE_BYTES", 100)
    head = await grow(board)
    assert (await board.perform("verify_log"))["count"] == head
    assert 0 < len((await board.perform("export_log"))["lines"]) < head


FORGERIES = {
    "a payload changed": ("UPDATE events SET payload = '{}' WHERE board = $1 AND position = 9", "changed", 9),
    "a payload and its hash changed": (
        "UPDATE events SET payload = '{}', payload_hash = sha256('{}') WHERE board = $1 AND position = 9", "changed", 9
    ),
    "an actor changed": ("UPDATE events SET actor = 'nobody' WHERE board = $1 AND position = 9", "changed", 9),
    "a time changed": (
        "UPDATE events SET happened_at = happened_at + interval '1 microsecond' WHERE board = $1 AND position = 9",
        "changed", 9,
    ),
    "the first removed": ("DELETE FROM events WHERE board = $1 AND position = 1", "missing", 1),
    "one removed": ("DELETE FROM events WHERE board = $1 AND position = 9", "missing", 9),
    "one removed and the rest moved up": (
        "DELETE FROM events WHERE board = $1 AND position = 9;"
        "UPDATE events SET position = 1 - position WHERE board = $1 AND position > 9;" + BACK, "missing", 9,
    ),
    "one put in twice": (
        "INSERT INTO events (board, position, sealed_on, " + COLUMNS + ") "
        "SELECT board, 9, sealed_on - 1, " + COLUMNS + " FROM events WHERE board = $1 AND position = 12", "inserted", 9,
    ),
    "one put at the end": (
        "INSERT INTO events (board, position, sealed_on, " + COLUMNS + ") SELECT board, position + 1, sealed_on, "
        + COLUMNS + " FROM events WHERE board = $1 ORDER BY position DESC LIMIT 1", "inserted", 25,
    ),
    "one put before the first": (
        "INSERT INTO events (board, position, sealed_on, " + COLUMNS + ") SELECT board, 0, sealed_on, "
        + COLUMNS + " FROM events WHERE board = $1 AND position = 1", "inserted", 0,
    ),
    "two swapped": (
        "UPDATE events SET position = position - 19 WHERE board = $1 AND position IN (9, 10);" + BACK, "swapped", 9
    ),
    "two far from each other swapped": (
        "UPDATE events SET position = position - 24 WHERE board = $1 AND position IN (9, 15);" + BACK, "swapped", 9
    ),
    "the end cut off": ("DELETE FROM events WHERE board = $1 AND position > 20", "cut_off", 21),
    "all of it gone": ("DELETE FROM events WHERE board = $1", "cut_off", 1),
    "the head gone": ("DELETE FROM event_heads WHERE board = $1", "inserted", 1),
    "the head changed": ("UPDATE event_heads SET hash = sha256('') WHERE board = $1", "changed", 24),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGERIES)
@pytest.mark.parametrize("page", [5_000, 4])
async def test_what_the_owner_does_to_the_log_is_found(
    board: BoardUnderTest, forger: Forger, name: str, page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof, "PAGE", page)
    assert await grow(board) == 24
    assert await fault(board) is None
    sql, kind, position = FORGERIES[name]
    await forger.run(sql)
    found = await fault(board)
    assert found is not None
    assert found[1] == position
    # What stands beside it may be on another page; the position is exact, the kind as exact as it can be.
    assert found[0] == kind or (page == 4 and found[0] == "changed")


async def test_one_put_between_two_is_found(board: BoardUnderTest, forger: Forger) -> None:
    await grow(board)
    await forger.run(f"UPDATE events SET position = -1 - position WHERE board = $1 AND position > 9; {BACK}")
    await forger.run(
        f"INSERT INTO events (board, position, sealed_on, {COLUMNS})"
        f" SELECT board, 10, sealed_on, {COLUMNS} FROM events WHERE board = $1 AND position = 9"
    )
    assert await fault(board) == ("inserted", 10)


async def test_a_chain_that_was_worked_out_anew_is_found_by_a_checkpoint(board: BoardUnderTest, forger: Forger) -> None:
    await grow(board)
    signed = await board.perform("verify_log", limit=15)
    checkpoint = {"position": 15, "hash": signed["hash"]}
    await forger.run("UPDATE events SET actor = 'nobody' WHERE board = $1 AND position = 9")
    await forger.rewrite()
    assert await fault(board) is None, "the chain by itself does not tell"
    assert await fault(board, checkpoints=[checkpoint]) == ("rewritten", 15)
    assert await fault(board, after=15, hash=signed["hash"]) == ("changed", 16)


async def test_a_log_that_was_cut_and_its_head_put_back_is_found_by_a_checkpoint(
    board: BoardUnderTest, forger: Forger
) -> None:
    await grow(board)
    signed = await board.perform("verify_log", limit=22)
    checkpoint = {"position": 22, "hash": signed["hash"]}
    await forger.run("DELETE FROM events WHERE board = $1 AND position > 20")
    await forger.rewrite()
    assert await fault(board) is None
    assert await fault(board, checkpoints=[checkpoint]) == ("cut_off", 21)
    assert await fault(board, after=22, hash=signed["hash"]) == ("cut_off", 21)


async def test_erasing_a_secret_keeps_the_chain_whole_and_is_an_event(board: BoardUnderTest) -> None:
    await grow(board)
    await board.perform("erase_event", position=9, reason="a password")
    events = await board.log(after=8)
    assert events[0].payload is None
    assert (events[-1].subject, events[-1].payload["position"], events[-1].payload["reason"]) == (
        "board.event.erased", 9, "a password",
    )  # fmt: skip
    assert await fault(board) is None
    with pytest.raises(WrongState):
        await board.perform("erase_event", position=9, reason="a password")


async def test_only_an_event_that_is_there_is_erased_with_a_reason(board: BoardUnderTest) -> None:
    head = await grow(board)
    with pytest.raises(NotFound):
        await board.perform("erase_event", position=head + 1, reason="a password")
    with pytest.raises(Invalid):
        await board.perform("erase_event", position=head, reason=" ")


async def test_erasing_lets_the_owner_change_nothing_else(board: BoardUnderTest, database_url: str) -> None:
    await grow(board)
    connection = await asyncpg.connect(database_url)
    update = "UPDATE events SET {} WHERE board = $1 AND position = 9"
    try:
        for change in ("payload = '{}'", "payload = NULL, actor = 'nobody'", "position = 99"):
            async with connection.transaction():
                await connection.execute("SELECT set_config('slateboard.erasing', $1, true)", f"{board.id}/9")
                with pytest.raises(asyncpg.PostgresError, match="append-only"):
                    async with connection.transaction():
                        await connection.execute(update.format(change), board.id)
    finally:
        await connection.close()
    assert await fault(board) is None


async def test_bad_questions_are_refused(board: BoardUnderTest) -> None:
    head = await grow(board)
    with pytest.raises(NotFound):
        await board.perform("verify_log", after=head + 1)
    for arguments in (
        {"limit": 0}, {"limit": proof.MAX_EVENTS + 1}, {"hash": "no hash", "after": 3}, {"checkpoints": [{}]},
        {"checkpoints": [{"position": 1, "hash": "00"}] * (proof.MAX_CHECKPOINTS + 1)},
    ):  # fmt: skip
        with pytest.raises(Invalid):
            await board.perform("verify_log", **arguments)
