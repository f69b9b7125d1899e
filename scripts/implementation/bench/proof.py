"""How long the proof of a long log takes, and how much memory: the real command, from its start to its answer."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from typing import TYPE_CHECKING, Any

from scripts.implementation import place as places
from scripts.implementation.bench import boards
from scripts.implementation.bench.workloads import Figure

if TYPE_CHECKING:
    from scripts.implementation.bench.workloads import Run

BATCH = 100_000
MEGABYTE = 2**20

APPEND = """
INSERT INTO event_outbox (lane, board, subject, payload, actor, authenticated_by, cause, correlation, happened_at)
SELECT (SELECT lane FROM event_lane), $1, 'genbrain.events.pr.merged',
       format('{"number":%s,"repository":"genbrain/board","branch":"main","title":"Give events a cause","ok":true}',
              n), 'backend', 'token:17', n, md5(n::text), clock_timestamp()
FROM generate_series(1, $2::int) AS n
"""


async def verify_1m(run: Run) -> Figure:
    """Seconds to prove a log of 1,000,000 events with `slate log verify`; the memory beside that for a tenth of it."""
    events = run.size(1_000_000)
    megabytes: list[float] = []
    seconds = 0.0
    for number in (events // 10, events):
        client = await boards.new(run.place, f"proof-{time.monotonic_ns()}")
        async with client:
            board = await run.owner.fetchval("SELECT id FROM boards WHERE name = $1", client.board)
            for start in range(0, number, BATCH):
                await run.owner.execute(APPEND, board, min(BATCH, number - start))
            await boards.drained_log(run.owner, client)
            seconds, peak = await asyncio.to_thread(_verify, run.place, client.board, number)
            megabytes.append(peak)
    note = f"memory {megabytes[1]:.0f} MB, for a tenth of the events {megabytes[0]:.0f} MB"
    return Figure(value=seconds, unit="s", note=note)


def _verify(place: places.Place, board: str, events: int) -> tuple[float, float]:
    """Run the command; gives its seconds and its peak of memory in MB."""
    command = [places.SLATE, "log", "verify", "--board", board, "--json"]
    start = time.perf_counter()
    process: Any = subprocess.Popen(command, env=place.environment, stdout=subprocess.PIPE)
    with process.stdout:
        answer = process.stdout.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - start
    if process.returncode != 0 or json.loads(answer)["data"]["count"] < events:
        message = f"the log is not proved: {answer}"
        raise RuntimeError(message)
    return seconds, usage.ru_maxrss * 1024 / MEGABYTE
