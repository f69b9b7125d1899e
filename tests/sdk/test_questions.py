"""Handlers that ask: the claim goes back, and with the answer the handler starts again."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from slateboard import Work, Worker
from slateboard.protocol.states import Outcome
from slateboard.sdk import testing
from slateboard.sdk.briefing import Answer


async def test_handler_goes_on_with_the_answer_that_an_agent_gives(board, workers, reached) -> None:
    await board.post_graph({"api": [], "plain": []})
    worker, answers, done, seen = Worker("backend"), Worker("cto"), asyncio.Event(), {}

    @worker.artifact("api")
    async def api(work: Work) -> None:
        briefing = await work.briefing()
        if not briefing.answers:
            await work.ask("Which port?", of="cto", options=["80", "8080"], deadline=timedelta(hours=1), note="asked")
        seen["api"] = (briefing.answers[-1], briefing.attempts[-1].note)
        if len(seen) == 2:
            done.set()

    @worker.artifact("plain")
    def plain(work: Work) -> None:
        briefing = work.sync.briefing()
        if not briefing.answers:
            work.sync.ask("Which name?", of="cto")
        seen["plain"] = briefing.answers[-1].answer
        if len(seen) == 2:
            done.set()

    @answers.handler(kind="answer")
    async def answer(work: Work) -> str:
        question = (await work.briefing()).question
        assert (question.kind, question.asked_by) == ("question", "backend")
        return question.options[-1] if question.options else "free text"

    workers.start(worker)
    workers.start(answers)
    await reached(done)
    await workers.stop()
    given, note = seen["api"]
    assert isinstance(given, Answer)
    assert (given.question, given.answer, given.answered_by, note) == ("Which port?", "8080", "cto", "asked")
    assert seen["plain"] == "free text"


async def test_question_of_a_trial_can_be_looked_at() -> None:
    worker = Worker("devops")

    @worker.artifact("api")
    async def api(work: Work) -> None:
        await work.ask("Which port?", default="80", deadline=timedelta(minutes=5), note="half done")

    trial = await testing.run(worker, artifact="api")
    assert (trial.outcome, trial.note) == (Outcome.BLOCKED, "half done")
    assert trial.asked
    assert (trial.asked["question"], trial.asked["default"], trial.asked["deadline_seconds"]) == (
        "Which port?", "80", 300,
    )  # fmt: skip
