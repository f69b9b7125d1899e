"""Handlers that talk to their peers: the one that asks goes on with the answer, whoever is told hears of it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from slateboard import NewArtifact, NewTask, Work, Worker
from slateboard.patterns.peers import routes
from slateboard.patterns.peers.routes import Route
from slateboard.protocol.errors import ConsultLoop, LeaseLost, NoChannel
from slateboard.protocol.states import Outcome
from slateboard.sdk import testing
from slateboard.sdk.briefing import Answer, Peer
from slateboard.store.notifications import WORK_CHANNEL, listener_of

ROUTES = [
    Route("backend", "cto", "consult", "security review"),
    Route("backend", "frontend", "notify", "API contract changes"),
    Route("cto", "backend", "channel"),
]


@pytest.fixture
async def peers(board):
    async with board.writing() as tx:
        await routes.add(tx, routes=ROUTES)
    return board


async def test_handler_goes_on_with_what_its_peer_answered(peers, workers, reached) -> None:
    await peers.post_graph({"api": [], "plain": []})
    worker, cto, done, seen = Worker("backend"), Worker("cto"), asyncio.Event(), {}

    @worker.artifact("api")
    async def api(work: Work) -> None:
        briefing = await work.briefing()
        if not briefing.answers:
            seen["peers"] = briefing.peers
            await work.consult("cto", "Is it safe?", options=["yes", "no"], deadline=timedelta(hours=1), note="asked")
        seen["api"] = (briefing.answers[-1], briefing.attempts[-1].note)
        if {"api", "plain"} <= set(seen):
            done.set()

    @worker.artifact("plain")
    def plain(work: Work) -> None:
        briefing = work.sync.briefing()
        if not briefing.answers:
            work.sync.consult("cto", "Which name?")
        thread = work.sync.thread(briefing.answers[-1].thread)
        work.sync.reply(thread["thread"], "thanks", data={"stars": 5})
        work.sync.acknowledge(thread["thread"])
        seen["plain"] = [(one["said_by"], one["text"]) for one in thread["messages"]]
        if {"api", "plain"} <= set(seen):
            done.set()

    @cto.handler(kind="answer")
    async def answer(work: Work) -> str:
        question = (await work.briefing()).question
        assert (question.kind, question.asked_by) == ("consult", "backend")
        if not question.options:
            await work.reply(question.thread, "let me think")
            with pytest.raises(ConsultLoop):
                await work.consult("backend", "And you?")
        return question.options[0] if question.options else "free"

    workers.start(worker)
    workers.start(cto)
    await reached(done)
    await workers.stop()
    given, note = seen["api"]
    assert isinstance(given, Answer)
    assert (given.question, given.answer, given.answered_by, note) == ("Is it safe?", "yes", "cto", "asked")
    assert seen["plain"] == [("backend", "Which name?"), ("cto", "let me think"), ("cto", "free")]
    assert seen["peers"] == (
        Peer(agent="cto", kind="consult", topic="security review"),
        Peer(agent="frontend", kind="notify", topic="API contract changes"),
    )


async def test_idle_workers_are_woken_by_the_question_and_by_the_answer(peers, workers, reached, until, client) -> None:
    worker, cto = Worker("backend", poll_seconds=3600), Worker("cto", poll_seconds=3600)
    done = asyncio.Event()

    @worker.artifact("api")
    async def api(work: Work) -> None:
        if not (await work.briefing()).answers:
            await work.consult("cto", "Is it safe?")
        done.set()

    @cto.handler(kind="answer")
    async def answer(work: Work) -> str:
        return "yes"

    workers.start(worker)
    workers.start(cto)
    listener = listener_of(client.transport._database.url, WORK_CHANNEL)
    await until(lambda: len(listener._watches) == 2)
    await listener.listening.wait()
    await client.post(
        tasks=[NewTask(name="t", title="t")], artifacts=[NewArtifact(task="t", name="api", owner="backend")]
    )
    await reached(done)


async def test_handler_that_does_not_wait_tells_and_is_told_on_threads(peers, workers, reached) -> None:
    await peers.post_graph({"api": []})
    worker, done, seen = Worker("backend"), asyncio.Event(), {}

    @worker.artifact("api")
    async def api(work: Work) -> str:
        seen["asked"] = await work.consult("cto", "Is it safe?", wait=False)
        seen["told"] = await work.notify("API contract changes", data={"endpoint": "/orders"})
        with pytest.raises(NoChannel):
            await work.consult("frontend", "Is it pretty?", wait=False)
        seen["request"] = await work.request("python", "Which version?", answers=2)
        done.set()
        return "done"

    for name in ("python1", "python2"):
        await peers.add_agent(name, capabilities=["python"])
    workers.start(worker)
    await reached(done)
    await workers.stop()
    assert (seen["asked"]["item"], seen["told"]["told"]) == (None, ["frontend"])
    assert len(seen["request"]["consults"]) == 2
    unread = await peers.perform("list_threads", agent="frontend", unread=True)
    assert [one["topic"] for one in unread] == ["API contract changes"]


async def test_what_is_said_after_the_claim_is_gone_is_not_said(peers, workers, reached) -> None:
    (item,) = (await peers.post_graph({"api": []})).values()
    worker, done, seen = Worker("backend"), asyncio.Event(), []

    @worker.artifact("api")
    async def api(work: Work) -> None:
        await peers.perform("cancel", reference=work.reference)
        for say in (
            work.notify("API contract changes"),
            work.consult("cto", "?"),
            work.consult("cto", "?", wait=False),
        ):
            try:
                await say
            except LeaseLost as error:
                seen.append(error.code)
        done.set()

    workers.start(worker)
    await reached(done)
    await workers.interrupt()
    assert seen == ["lease_lost"] * 3
    assert await peers.place(item) == "cancelled"
    assert await peers.fetchval("SELECT count(*) FROM threads WHERE board = $1") == 0


async def test_peers_in_a_trial() -> None:
    worker = Worker("backend")

    @worker.artifact("api")
    async def api(work: Work) -> None:
        await work.notify("API contract changes")
        await work.request("sql", "Which index?", deadline=timedelta(minutes=5))

    trial = await testing.run(worker, artifact="api")
    assert trial.outcome is Outcome.BLOCKED
    assert trial.asked["capability"] == "sql"
    assert trial.asked["deadline_seconds"] == 300
    assert [(operation, said["label"]) for operation, said in trial.said] == [("notify", "API contract changes")]
