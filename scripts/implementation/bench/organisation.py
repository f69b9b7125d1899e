"""The organisation: how long it takes to delegate a tree of tasks level by level, and to roll it up to its root."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

from scripts.implementation.bench import boards
from scripts.implementation.bench.workloads import Figure
from slateboard import connect
from slateboard.protocol.work import NewTask

if TYPE_CHECKING:
    from scripts.implementation.bench.workloads import Run
    from slateboard import Client

LEVELS = (1, 4, 20, 100, 375, 500)
"""Tasks of the root and of the five levels of delegation below it: 1,000 in all."""
CALLS = 21


async def delegate_1000(run: Run) -> Figure:
    """Seconds to delegate 1,000 tasks, five deep: the agent of each level posts what it delegates, in one call."""
    client, seconds, number = await _tree(run)
    await client.close()
    return Figure(value=seconds, unit="s", note=f"{number:,} tasks, {len(LEVELS) - 1} deep; wanted: 2 s")


async def rollup(run: Run) -> Figure:
    """Milliseconds (the median) of the roll-up of such a tree at its root, of which nothing else is shown."""
    client, _, number = await _tree(run)
    async with client:
        taken: list[float] = []
        for _ in range(CALLS):
            start = time.perf_counter()
            found = await client.call("tree", task="t0-0", depth=1, artifacts=False)
            taken.append(time.perf_counter() - start)
        (root,) = found["tasks"]
        assert root["progress"]["total"] >= number, root
    return Figure(value=statistics.median(taken) * 1000, unit="ms", note=f"{number:,} tasks; wanted: 20 ms")


async def _tree(run: Run) -> tuple[Client, float, int]:
    """A board with a tree of delegated tasks: a client of it, the seconds that it took, and the number of tasks."""
    levels = [run.size(number) or 1 for number in LEVELS]
    agents = [f"level{number}" for number in range(len(levels))]
    client = await boards.new(run.place, f"delegate-{time.monotonic_ns()}", agents=agents)
    seconds, above = 0.0, [""]
    for depth, wanted in enumerate(levels):
        async with await connect(run.place.app_url, board=client.board, agent=agents[max(depth - 1, 0)]) as own:
            await own.call("has_work")  # who delegates is connected already
            tasks = [
                NewTask(
                    name=f"t{depth}-{number}", title="delegated", agent=agents[depth],
                    parent=above[number % len(above)] or None,
                )
                for number in range(wanted)
            ]  # fmt: skip
            start = time.perf_counter()
            await own.call("post", tasks=tasks)
            seconds += time.perf_counter() - start
            above = [task.name for task in tasks]
    return client, seconds, sum(levels)
