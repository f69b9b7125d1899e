"""Handlers that delegate: what they give to others gates their own work, which comes back to integrate it."""

from __future__ import annotations

import asyncio

import pytest

from slateboard import NewTask, Work, Worker
from slateboard.protocol.errors import NotAccepted
from slateboard.protocol.states import Outcome
from slateboard.sdk import testing


async def test_work_that_was_delegated_comes_back_with_the_results(board, workers, reached) -> None:
    await board.post(tasks=[NewTask(name="feature", title="Feature", agent="cto")])
    lead, backend, done, seen = Worker("cto"), Worker("backend"), asyncio.Event(), {}

    @lead.artifact("result")
    async def integrate(work: Work) -> str:
        briefing = await work.briefing()
        if not briefing.inputs:
            given = [NewTask(name=name, title=name, agent="backend") for name in ("api", "data")]
            await work.delegate(given, note="both are wanted")
        seen["inputs"] = {one.reference: one.content for one in briefing.inputs}
        done.set()
        return "whole"

    @backend.artifact("result")
    def build(work: Work) -> str:
        seen[work.sync.briefing().chain[0].task] = [hop.agent for hop in work.sync.briefing().chain]
        return "part"

    workers.start(lead)
    workers.start(backend)
    await reached(done)
    await workers.stop()
    assert seen["inputs"] == {"api/result": "part", "data/result": "part"}
    assert seen["api"] == ["backend", "cto"]
    presence = "SELECT count(*) FROM presence WHERE board = $1 AND worker_seen_at IS NOT NULL"
    assert await board.fetchval(presence) == 2


async def test_a_refused_delegation_is_an_error_of_the_call_and_the_work_goes_on(board, workers, reached) -> None:
    await board.perform("change_agent", name="backend", accepts_from=[])
    await board.post(tasks=[NewTask(name="feature", title="Feature", agent="cto")])
    lead, done = Worker("cto"), asyncio.Event()

    @lead.artifact("result")
    def alone(work: Work) -> str:
        with pytest.raises(NotAccepted):
            work.sync.delegate([NewTask(name="api", title="API", agent="backend")])
        work.sync._wait(_set(done))
        return "alone"

    workers.start(lead)
    await reached(done)
    await workers.stop()
    assert await board.fetchval("SELECT count(*) FROM tasks WHERE board = $1") == 1


async def _set(event: asyncio.Event) -> None:
    event.set()


async def test_a_trial_says_what_was_delegated() -> None:
    worker = Worker("cto")

    @worker.artifact("result")
    async def lead(work: Work) -> None:
        await work.delegate([NewTask(name="api", title="API", agent="backend")])

    trial = await testing.run(worker, artifact="result")
    assert (trial.outcome, [one.name for one in trial.delegated]) == (Outcome.BLOCKED, ["api"])
