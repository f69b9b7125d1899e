"""The workloads of what fails: dead letters brought back, the reason of a standstill, leases whose workers are gone."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any

from scripts.implementation import place as places
from scripts.implementation.bench import boards
from scripts.implementation.bench.workloads import Figure
from slateboard import connect
from slateboard.protocol.states import FailureClass, Outcome
from slateboard.protocol.work import MAX_BATCH, GiveBack, NewArtifact, NewTask

if TYPE_CHECKING:
    from scripts.implementation.bench.workloads import Run
    from slateboard import Client

ITEMS = 10_000
LEASE_SECONDS = 600.0
BUSY = 200_000
"""Items that are claimed and finished while leases are taken back; more than can be done meanwhile."""
CALLS = 5

EXPIRE = "UPDATE leases SET expires_at = clock_timestamp() WHERE board = $1 AND agent = $2"
REAPED = "SELECT NOT EXISTS (SELECT FROM leases WHERE board = $1 AND agent = $2)"
FINISHED = "SELECT count(*) FROM attempts WHERE board = $1 AND outcome = 'completed'"


async def redrive_10k(run: Run) -> Figure:
    """Seconds to bring 10,000 dead letters back, 1,000 a call: `redrive` of everything until there is no more."""
    items = run.size(ITEMS)
    client = await boards.new(run.place, f"redrive-{time.monotonic_ns()}")
    async with client:
        poor = [NewArtifact(task="poor", name=f"a{number}", max_attempts=1) for number in range(items)]
        await _post(client, NewTask(name="poor", title="poor", agent="w"), poor)
        await _fail_all(run, client, items)
        start, redriven, more = time.perf_counter(), 0, True
        while more:
            answer = await client.call("redrive", everything=True, limit=MAX_BATCH)
            redriven, more = redriven + len(answer["redriven"]), answer["more"]
        seconds = time.perf_counter() - start
    assert redriven == items, f"{redriven:,} of {items:,} came back"
    return Figure(value=seconds, unit="s", note=f"{redriven:,} dead letters; wanted: 5 s")


async def _post(client: Client, task: NewTask, artifacts: list[NewArtifact]) -> None:
    """The task with its first artifact, then the others: one post takes 10,000 of both."""
    await client.call("post", tasks=[task], artifacts=artifacts[:1])
    await client.call("post", artifacts=artifacts[1:])


async def _fail_all(run: Run, client: Client, items: int) -> None:
    """Let each item fail for good; of validation, which opens no circuit breaker."""
    async with await connect(run.place.app_url, board=client.board, agent="w") as worker:
        failed = 0
        while failed < items:
            claims = await worker.claim(worker="poor", limit=MAX_BATCH, lease_seconds=LEASE_SECONDS)
            assert claims, f"only {failed:,} items were there"
            returns = [
                GiveBack(
                    item=one.item, fence=one.fence, outcome=Outcome.FAILED, failure_class=FailureClass.VALIDATION,
                    error="the result does not hold",
                )
                for one in claims
            ]  # fmt: skip
            await worker.give_back(returns)
            failed += len(claims)


async def why_10k(run: Run) -> Figure:
    """Milliseconds of `why` for the last item of a graph of 10,000: the slower of a deep and a wide one.

    Deep: four blockers each, the longest path through all of them. Wide: the one is blocked by all others.
    """
    items = run.size(ITEMS)
    deep = [[f"a{number - step}" for step in (1, 7, 50, 300) if number >= step] for number in range(items)]
    wide: list[list[str]] = [[] for _ in range(items - 1)]
    found = {
        "deep": await _why(run, "deep", deep),
        "wide": await _why(run, "wide", [*wide, [f"a{number}" for number in range(items - 1)]]),
    }
    note = ", ".join(f"{name} {seconds * 1000:.0f} ms" for name, seconds in found.items())
    return Figure(value=max(found.values()) * 1000, unit="ms", note=f"{items:,} items: {note}; wanted: 200 ms")


async def _why(run: Run, name: str, blockers: list[list[str]]) -> float:
    """The median of five calls about the last item."""
    client = await boards.new(run.place, f"why-{name}-{time.monotonic_ns()}")
    async with client:
        artifacts = [
            NewArtifact(task="g", name=f"a{number}", owner="w", blocked_by=tuple(those))
            for number, those in enumerate(blockers)
        ]
        await _post(client, NewTask(name="g", title="a graph", agent="w"), artifacts)
        times: list[float] = []
        for _ in range(CALLS):
            start = time.perf_counter()
            answer = await client.call("why", item=f"g/a{len(blockers) - 1}")
            times.append(time.perf_counter() - start)
            assert answer["roots"], answer
    return statistics.median(times)


async def reap_10k(run: Run) -> Figure:
    """Seconds from the end of 10,000 leases until all were taken back, while two worker processes claim and finish."""
    items = run.size(ITEMS)
    client = await boards.new(run.place, f"reap-{time.monotonic_ns()}", ("w", "gone"))
    async with client:
        held = [NewArtifact(task="held", name=f"a{number}", owner="gone") for number in range(items)]
        await _post(client, NewTask(name="held", title="held", agent="gone"), held)
        await _hold_all(run, client, items)
        await boards.post(client, "busy", [f"b{number}" for number in range(run.size(BUSY))])
        await boards.settle(run.owner)
        board = await run.owner.fetchval("SELECT id FROM boards WHERE name = $1", client.board)
        gone = await run.owner.fetchval("SELECT id FROM agents WHERE board = $1 AND name = 'gone'", board)
        async with boards.workers(run.place, client.board, 2):
            await places.until(run.owner, f"SELECT ({FINISHED}) > 1000", board)
            before: Any = await run.owner.fetchval(FINISHED, board)
            start = time.perf_counter()
            await run.owner.execute(EXPIRE, board, gone)
            await places.until(run.owner, REAPED, board, gone)
            seconds = time.perf_counter() - start
            finished = await run.owner.fetchval(FINISHED, board) - before
            left = await run.owner.fetchval(
                "SELECT EXISTS (SELECT FROM ready WHERE board = $1 AND inbox <> $2)", board, gone
            )
            await client.call("pause")
    rate = "the queue ran dry" if not left else f"{finished / seconds:,.0f} artifacts/s finished meanwhile"
    return Figure(value=seconds, unit="s", note=f"{items:,} leases; {rate}; wanted: 10 s")


async def _hold_all(run: Run, client: Client, items: int) -> None:
    """Claim them all, as workers did that are gone."""
    async with await connect(run.place.app_url, board=client.board, agent="gone") as worker:
        held = 0
        while held < items:
            claims = await worker.claim(worker="gone", limit=MAX_BATCH, lease_seconds=LEASE_SECONDS)
            assert claims, f"only {held:,} items were there"
            held += len(claims)
