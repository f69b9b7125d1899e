"""Meetings of agents that need no time to think: how long one takes, and how long many take side by side."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from scripts.implementation import place as places
from scripts.implementation.bench import boards
from scripts.implementation.bench.workloads import Figure

if TYPE_CHECKING:
    from scripts.implementation.bench.workloads import Run
    from slateboard import Client

SEATS, ITEMS, MEETINGS = 9, 5, 50
LIMIT_MINUTES = 5.0
AGENTS = [f"seat{number}" for number in range(SEATS)]

OVER = "SELECT count(*) = $2 FROM meetings WHERE board = $1 AND adjourned_at IS NOT NULL"

# Of each meeting the seconds from its scheduling to its end, whether its limit or the time of a turn ended anything of
# it, and how many items of its agenda were approved.
HELD = """
SELECT extract(epoch FROM m.adjourned_at - m.scheduled_at)::float8 AS seconds,
       m.adjourned_at >= m.ends_at OR EXISTS (SELECT FROM meeting_turns t WHERE t.board = m.board AND t.meeting = m.id
                                              AND t.outcome = 'absent') AS late,
       (SELECT count(*) FROM agenda_items i WHERE i.board = m.board AND i.meeting = m.id
        AND i.outcome = 'approved') AS approved
FROM meetings m WHERE m.board = $1
"""


async def meeting(run: Run) -> list[tuple[str, Figure]]:
    """One meeting of nine with five items, and 50 of the same nine at once.

    Each seat is a worker process. In each item the first proposes a motion in its turn, the others pass, and all
    approve; the clock runs from the scheduling to the end of the last item.
    """
    (one, _, _), _ = await _held(run, 1)
    (longest, late, seconds), count = await _held(run, run.size(MEETINGS))
    note = f"{late} of {count} past a limit because of the board; all in {seconds:.1f} s; wanted: none past it"
    return [
        ("meeting_9x5", Figure(value=one, unit="s", note=f"{SEATS} seats, {ITEMS} items; wanted: under 3 s")),
        ("meetings_50", Figure(value=longest, unit="s", note=note)),
    ]


async def _held(run: Run, count: int) -> tuple[tuple[float, int, float], int]:
    """Hold so many at once: the seconds of the longest, how many were late, and the seconds of all; and the number."""
    client = await boards.new(run.place, f"meetings-{time.monotonic_ns()}", agents=AGENTS)
    async with client, AsyncExitStack() as stack:
        for agent in AGENTS:
            await stack.enter_async_context(boards.workers(run.place, client.board, 1, agent=agent))
        board = await run.owner.fetchval("SELECT id FROM boards WHERE name = $1", client.board)
        agenda = [f"item {number}" for number in range(ITEMS)]
        await _meet(client, "warm up", ["first"])
        await places.until(run.owner, OVER, board, 1)
        start = time.perf_counter()
        for number in range(count):
            await _meet(client, f"meeting {number}", agenda)
        await places.until(run.owner, OVER, board, 1 + count)
        seconds = time.perf_counter() - start
        held = [row for row in await run.owner.fetch(HELD, board) if row["approved"] != 1]
    assert len(held) == count, held
    assert all(row["approved"] == ITEMS or row["late"] for row in held), held
    return (max(row["seconds"] for row in held), sum(row["late"] for row in held), seconds), count


async def _meet(client: Client, title: str, agenda: list[str]) -> None:
    await client.call(
        "schedule_meeting", title=title, participants=AGENTS, agenda=agenda, max_duration_minutes=LIMIT_MINUTES
    )
