"""The workload of the reports: the audit trail of a long log, made by the command as a user would make it."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.implementation.bench import boards
from scripts.implementation.bench.workloads import Figure

if TYPE_CHECKING:
    from scripts.implementation.bench.workloads import Run

WANTED_MEGABYTES = 300


async def audit_100k(run: Run) -> Figure:
    """Seconds of `slate report audit -o report.html` over 100,000 events; its peak memory is in the note."""
    client = await boards.new(run.place, f"audit-{time.monotonic_ns()}")
    async with client:
        await boards.post(client, "work", [f"a{number}" for number in range(run.size(50_000))])
        async with boards.workers(run.place, client.board, 1):
            await boards.drained(run.owner, client)
        await boards.drained_log(run.owner, client)
        events = await client.call("log_head")
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "report.html"
            seconds, megabytes = await asyncio.to_thread(_measured, run, client.board, file)
            size = file.stat().st_size / 1e6
    note = f"{events:,} events, peak {megabytes:.0f} MB (wanted {WANTED_MEGABYTES}), a page of {size:.0f} MB"
    return Figure(value=seconds, unit="s", note=note)


def _measured(run: Run, board: str, file: Path) -> tuple[float, float]:
    """Seconds and peak resident megabytes of the command."""
    slate = str(Path(sys.executable).with_name("slate"))
    command = [slate, "report", "audit", "--board", board, "-o", str(file)]
    begin = time.perf_counter()
    process = os.posix_spawn(slate, command, {**os.environ, **run.place.environment})
    _, status, usage = os.wait4(process, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    return time.perf_counter() - begin, usage.ru_maxrss / 1000
