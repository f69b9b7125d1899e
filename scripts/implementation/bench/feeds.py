"""The log's workloads: how soon a live reader sees an event, how many readers a server feeds, how fast it grows."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import asyncpg
import psutil
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from scripts.implementation import place as places
from scripts.implementation.bench import boards, raw
from scripts.implementation.bench.workloads import Figure, Run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from websockets.asyncio.client import ClientConnection

    from scripts.implementation.place import Place

SUBJECT = "bench.events.ticked"
APPEND = (
    "SELECT append_events($1, 'bench', 'database', $2, NULL, 0::smallint, NULL, $3::text[], $4::text[], $5::text[])"
)
LIVE_PER_SECOND = 1_000
LIVE_STEP = 10
"""Events of one transaction of the live workload."""
READERS = 200
READER_EVENTS_PER_SECOND = 20
WRITERS = 8
BATCH = 1_000
RUNS = 5

RAW_TABLE = """
DROP TABLE IF EXISTS raw_events;
CREATE TABLE raw_events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, board bigint NOT NULL,
    subject text NOT NULL, payload text NOT NULL, actor text NOT NULL, authenticated_by text NOT NULL, cause bigint,
    correlation text, depth smallint NOT NULL, traceparent text, happened_at timestamptz NOT NULL)
"""
RAW_INSERT = """
INSERT INTO raw_events (board, subject, payload, actor, authenticated_by, cause, correlation, depth, traceparent,
                        happened_at)
SELECT $1, g.subject, g.payload, 'bench', 'database', NULL, g.correlation, 0, NULL, $2
FROM unnest($3::text[], $4::text[], $5::text[]) AS g (subject, payload, correlation)
"""


class Ticker:
    """Appends events that carry the moment at which their append began, at a steady pace."""

    def __init__(self, place: Place, board: int) -> None:
        self._place = place
        self._board = board

    async def run(self, *, per_second: int, step: int, seconds: float) -> int:
        """So many a second, `step` in a transaction; returns how many it were."""
        connection: Any = await asyncpg.connect(self._place.app_url)
        try:
            begin, sent = time.perf_counter(), 0
            while sent < per_second * seconds:
                await asyncio.sleep(max(0.0, begin + sent / per_second - time.perf_counter()))
                payloads = [json.dumps({"at": time.time(), "number": sent + one}) for one in range(step)]
                await append(connection, APPEND, self._board, payloads)
                sent += step
            return sent
        finally:
            await connection.close()


async def append(connection: Any, statement: str, board: int, payloads: Sequence[str]) -> None:
    """One statement that appends these events."""
    count = len(payloads)
    await connection.fetch(statement, board, datetime.now(UTC), [SUBJECT] * count, payloads, ["bench"] * count)


async def live(run: Run) -> list[tuple[str, Figure]]:
    """Milliseconds from the begin of an append to a reader of the SDK that follows, at 1,000 events a second."""
    seconds = 3 if run.quick else 20
    client = await boards.new(run.place, f"live-{time.monotonic_ns()}")
    async with client:
        await boards.drained_log(run.owner, client)
        board = await run.owner.fetchval("SELECT id FROM boards WHERE name = $1", client.board)
        head = await client.call("log_head")
        total = LIVE_PER_SECOND * seconds
        ticking = asyncio.create_task(
            Ticker(run.place, board).run(per_second=LIVE_PER_SECOND, step=LIVE_STEP, seconds=seconds)
        )
        delays: list[float] = []
        expected = head
        async for event in client.follow(after=head):
            delays.append(time.time() - event["payload"]["at"])
            expected += 1
            assert event["position"] == expected, "a position was skipped or repeated"
            if len(delays) == total:
                break
        await ticking
    p50, p99 = raw.percentiles(delays)
    return [
        ("live_p50", Figure(value=p50 * 1000, unit="ms")),
        ("live_p99", Figure(value=p99 * 1000, unit="ms")),
    ]


async def readers_200(run: Run) -> list[tuple[str, Figure]]:
    """Milliseconds (p99) to 200 readers over WebSockets that each see 20 events a second, and the server's growth."""
    seconds = 4 if run.quick else 30
    client = await boards.new(run.place, f"readers-{time.monotonic_ns()}")
    server = psutil.Process(json.loads((run.place.home / "server.json").read_text())["pid"])
    async with client, AsyncExitStack() as stack:
        await boards.drained_log(run.owner, client)
        board = await run.owner.fetchval("SELECT id FROM boards WHERE name = $1", client.board)
        sockets = [await stack.enter_async_context(_socket(run.place)) for _ in range(READERS)]
        for socket in sockets:
            await _subscribe(socket, run.place, client.board, await client.call("log_head"))
        ticker = Ticker(run.place, board)

        async def tick(seconds: float) -> list[float]:
            total = int(READER_EVENTS_PER_SECOND * seconds)
            ticking = asyncio.create_task(ticker.run(per_second=READER_EVENTS_PER_SECOND, step=1, seconds=seconds))
            seen = await asyncio.gather(*(_delays(socket, total) for socket in sockets))
            await ticking
            return [one for several in seen for one in several]

        await tick(1)
        before = server.memory_info().rss / 1e6
        cpu = sum(server.cpu_times()[:2])
        delays = await tick(seconds)
        share = (sum(server.cpu_times()[:2]) - cpu) / seconds
        growth = server.memory_info().rss / 1e6 - before
    p50, p99 = raw.percentiles(delays)
    note = f"p50 {p50 * 1000:.1f} ms; {READERS} readers, none lost; the server took {share:.0%} of a processor"
    return [
        ("readers_200_p99", Figure(value=p99 * 1000, unit="ms", note=note)),
        ("readers_200_memory_growth", Figure(value=growth, unit="MB")),
    ]


def _socket(place: Place) -> Any:
    url = place.address.replace("http", "ws", 1) + "/graphql"
    return connect(url, subprotocols=[Subprotocol("graphql-transport-ws")], compression=None)


async def _subscribe(socket: ClientConnection, place: Place, board: str, after: int) -> None:
    init = {"type": "connection_init", "payload": {"Authorization": f"Bearer {place.token}"}}
    await socket.send(json.dumps(init))
    assert json.loads(await socket.recv())["type"] == "connection_ack"
    query = (
        "subscription ($board: String!, $after: String) { events(board: $board, after: $after) { position payload } }"
    )
    variables = {"board": board, "after": str(after)}
    message = {"type": "subscribe", "id": "1", "payload": {"query": query, "variables": variables}}
    await socket.send(json.dumps(message))


async def _delays(socket: ClientConnection, total: int) -> list[float]:
    """Seconds from append to here for so many events; each position must be the one after the last."""
    delays: list[float] = []
    position = None
    while len(delays) < total:
        message = json.loads(await socket.recv())
        now = time.time()
        assert message["type"] == "next", message
        event = message["payload"]["data"]["events"]
        assert position is None or event["position"] == position + 1, "a position was skipped or repeated"
        position = event["position"]
        delays.append(now - event["payload"]["at"])
    return delays


async def append_8(run: Run) -> Figure:
    """Events a second from 8 writers until all are sequenced, chained and readable; raw: the same rows, inserted."""
    rates: list[float] = []
    floors: list[float] = []
    events = run.size(200_000)
    client = await boards.new(run.place, f"append-{time.monotonic_ns()}")
    async with client:
        board = await run.owner.fetchval("SELECT id FROM boards WHERE name = $1", client.board)
        for _ in range(RUNS):
            await boards.drained_log(run.owner, client)
            await run.owner.execute(RAW_TABLE)
            floors.append(await _write(run.place.owner_url, RAW_INSERT, board, events))
            head: int = await client.call("log_head")
            start = time.perf_counter()
            await _write(run.place.app_url, APPEND, board, events)
            readable = "SELECT (SELECT position FROM event_heads WHERE board = $1) >= $2"
            await places.until(run.owner, readable, board, head + events, every=0.005)
            rates.append(events / (time.perf_counter() - start))
        await run.owner.execute("DROP TABLE raw_events")
    return Figure(value=statistics.median(rates), unit="events/s", raw=statistics.median(floors))


async def _write(url: str, statement: str, board: int, events: int) -> float:
    """Events a second of 8 connections that send 1,000 a statement."""
    connections: list[Any] = [await asyncpg.connect(url) for _ in range(WRITERS)]
    payloads = [json.dumps({"number": number, "text": "x" * 100}) for number in range(BATCH)]
    batches = iter(range(events // BATCH))

    async def write(connection: Any) -> None:
        for _ in batches:
            await append(connection, statement, board, payloads)

    try:
        start = time.perf_counter()
        await asyncio.gather(*map(write, connections))
        return events / (time.perf_counter() - start)
    finally:
        for connection in connections:
            await connection.close()
