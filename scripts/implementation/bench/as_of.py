"""Time travel on a long log: the board as it was after 100,000 events."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from scripts.implementation.bench import boards
from scripts.implementation.bench.workloads import Figure

if TYPE_CHECKING:
    from scripts.implementation.bench.workloads import Run

EVENTS = 100_000


async def as_of_100k(run: Run) -> Figure:
    """Seconds to answer `as_of` at the newest position: posts, claims and completions; the median of three."""
    items = run.size(EVENTS) // 2
    client = await boards.new(run.place, f"past-{time.monotonic_ns()}")
    async with client:
        await boards.post(client, "past", [f"a{number}" for number in range(items)])
        async with boards.workers(run.place, client.board, 2):
            await boards.drained(run.owner, client)
        head = await client.call("log_head")
        taken: list[float] = []
        for _ in range(3):
            start = time.perf_counter()
            found = await client.call("as_of", position=head, of=["artifacts"], first=50)
            taken.append(time.perf_counter() - start)
            assert found["artifacts"]["total"] > items
    return Figure(value=sorted(taken)[1], unit="s", note=f"{head:,} events; wanted: 2 s")
