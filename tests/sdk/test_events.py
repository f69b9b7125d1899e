"""Events and the SDK: what a handler changes belongs to its work, and deliveries reach the handler of their action."""

from __future__ import annotations

import asyncio

from slateboard import Work, Worker


async def test_what_a_handler_changes_belongs_to_its_work(board, workers, reached) -> None:
    await board.post_graph({"api": []})
    worker, done, seen = Worker("backend"), asyncio.Event(), []

    @worker.artifact("api")
    async def api(work: Work) -> str:
        seen.append(work.correlation)
        await work.post("notes")
        await work.decide("Use columns")
        done.set()
        return "x"

    workers.start(worker)
    await reached(done)
    await workers.stop()
    rows = await board.fetch(
        "SELECT subject, correlation, cause FROM event_outbox WHERE board = $1"
        " AND (subject = 'board.decision.made' OR payload LIKE '%notes%' AND subject = 'board.artifact.posted')"
    )
    assert len(rows) == 2
    assert {row["correlation"] for row in rows} == set(seen)
    assert all(row["cause"] for row in rows)
