"""Peers: how long a consult takes between two worker processes that have nothing else to do."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from scripts.implementation import place as places
from scripts.implementation.bench import boards, raw
from scripts.implementation.bench.workloads import Figure
from slateboard.protocol.work import NewArtifact

if TYPE_CHECKING:
    from scripts.implementation.bench.workloads import Run

ROUTES = """
agents:
  w:
    consults:
      - {agent: peer, for: "everything"}
"""
# By index: a count would take longer with each, from the same two cores.
MADE = """
SELECT EXISTS (SELECT FROM tasks t JOIN artifacts a ON a.board = t.board AND a.task = t.id
               JOIN artifact_versions v ON v.board = a.board AND v.artifact = a.id
               WHERE t.board = $1 AND t.name = 'probes' AND a.name = $2)
"""
LOOK_SECONDS = 0.02
WARM_UP = 20
"""Consults before those that are measured: each connection has prepared its statements by then."""
MOST_PROBES = 300


async def consult(run: Run) -> list[tuple[str, Figure]]:
    """Idle: from the question of a handler to its next start, in which the answer of another process is in hand."""
    probes = min(run.size(1000), MOST_PROBES)
    client = await boards.new(run.place, f"consult-{time.monotonic_ns()}", agents=("w", "peer"))
    async with client:
        await client.call("apply", documents=[{"source": "routes.yaml", "text": ROUTES}])
        await boards.post(client, "probes", ["warm"])
        async with (
            boards.workers(run.place, client.board, 1),
            boards.workers(run.place, client.board, 1, agent="peer"),
        ):
            board = await run.owner.fetchval("SELECT id FROM boards WHERE name = $1", client.board)
            await asyncio.sleep(1)
            for number in range(WARM_UP + probes):
                await client.call("post", artifacts=[NewArtifact(task="probes", name=f"consult{number}", owner="w")])
                # One at a time, or they wait for each other.
                await places.until(run.owner, MADE, board, f"consult{number}", every=LOOK_SECONDS)
        rows = await run.owner.fetch(
            "SELECT v.content FROM artifacts a JOIN artifact_versions v ON v.board = a.board AND v.artifact = a.id"
            " WHERE a.board = $1 AND a.name LIKE 'consult%' ORDER BY a.id OFFSET $2",
            board, WARM_UP,
        )  # fmt: skip
    p50, p99 = raw.percentiles([float(row["content"]) for row in rows])
    raw_p50, raw_p99 = await raw.latency(run.place.owner_url, probes)
    return [
        ("consult_p50", Figure(value=p50 * 1000, unit="ms", raw=raw_p50 * 1000, note="asked and answered")),
        ("consult_p99", Figure(value=p99 * 1000, unit="ms", raw=raw_p99 * 1000)),
    ]
