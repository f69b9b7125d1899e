"""Workers that say what they use: while they run, and at the end."""

from __future__ import annotations

import asyncio

from slateboard import NewArtifact, NewTask, Result, Work, Worker


async def test_a_worker_reports_while_it_runs_and_at_its_end(board, workers, reached) -> None:
    await board.post(NewArtifact(task="work", name="page", owner="backend"), tasks=[NewTask(name="work", title="work")])
    worker, seen, done = Worker("backend"), [], asyncio.Event()

    @worker.artifact("page")
    async def page(work: Work) -> Result:
        await work.usage(input_tokens=10, cost=0.25, model="m")
        seen.append((await board.perform("usage"))["total"]["cost"])
        done.set()
        return Result(content="x", usage={"output_tokens": 5, "cost": 0.5})

    workers.start(worker)
    await reached(done)
    await workers.stop()
    total = (await board.perform("usage", task="work"))["total"]
    assert (seen, total["cost"], total["input_tokens"], total["output_tokens"]) == ([0.25], 0.75, 10, 5)
