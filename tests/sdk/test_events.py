"""Events and the SDK, end to end: a board whose log is sealed and routed, and workers that handle what is delivered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest_asyncio

from slateboard import Client, LogicFailure, TransientFailure, Work, Worker
from slateboard.server import chores
from slateboard.server.duty import Duty
from slateboard.store.database import Database
from slateboard.store.notifications import Notifier
from tests.support.boards import BoardUnderTest

MERGED, DEPLOYED, VERIFIED = (f"genbrain.events.{what}" for what in ("pr.merged", "deployed", "verified"))
SMOKE, SCAN = "genbrain.events.smoke.passed", "genbrain.events.scan.passed"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
NEEDED = {
    "seal the log", "route the log", "publish what is due", "time out waits", "promote scheduled items",
}  # fmt: skip


@pytest_asyncio.fixture(autouse=True)
async def _served(database: Database, database_url: str) -> AsyncIterator[None]:
    """What a server does for events, as the leader does it."""
    notifier = Notifier(database.url)
    duty = Duty(database=database, owner_url=database_url, wake=notifier.wake, sealed=notifier.sealed)
    running = asyncio.create_task(chores.run(duty, tuple(one for one in chores.CHORES if one.name in NEEDED)))
    yield
    running.cancel()
    await asyncio.wait([running])
    await notifier.close()


async def subscribe(board: BoardUnderTest, name: str, *patterns: str, agent: str = "backend", **more: Any) -> None:
    await board.perform("subscribe", name=name, patterns=list(patterns), agent=agent, action=name, **more)


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
    rows = [
        event.row
        for event in await board.log()
        if event.subject == "board.decision.made" or event.payload.get("reference") == "work/notes"
    ]
    assert len(rows) == 2
    assert {row["correlation"] for row in rows} == set(seen)
    assert all(row["cause"] for row in rows)


async def test_pipeline_goes_from_the_merge_to_those_who_are_told(board, workers, reached, client) -> None:
    await subscribe(board, "deploy", MERGED, filter='$.payload.branch == "main"')
    await subscribe(board, "smoke", DEPLOYED)
    await subscribe(board, "scan", DEPLOYED, agent="frontend")
    await subscribe(board, "verify", SMOKE, SCAN, all_of=True, agent="cto")
    verified, told = asyncio.Event(), []
    devops, security, boss = Worker("backend"), Worker("frontend"), Worker("cto")

    @devops.action("deploy")
    async def deploy(work: Work) -> None:
        event = await work.event()
        await work.publish(DEPLOYED, {"sha": event.payload["sha"]}, id=f"deployed-{event.position}")

    @devops.action("smoke")
    def smoke(work: Work) -> None:
        work.sync.publish(SMOKE, work.sync.event().payload)

    @security.action("sc*")
    async def scan(work: Work) -> None:
        await work.publish(SCAN)

    @boss.action("verify")
    async def verify(work: Work) -> None:
        told.extend((await work.briefing()).events)
        await work.publish(VERIFIED)
        verified.set()

    for worker in (devops, security, boss):
        workers.start(worker)
    await client.publish(MERGED, {"branch": "dev", "sha": "no"})
    first = await client.publish(MERGED, {"branch": "main", "sha": "f00"}, traceparent=TRACE, correlation="pr-7")
    await reached(verified)
    await workers.stop()
    assert {event.subject: event.payload for event in told} == {SMOKE: {"sha": "f00"}, SCAN: None}
    log = {event.row["id"]: event.row for event in await board.log()}
    made = {row["subject"]: row for row in log.values() if row["correlation"] == "pr-7"}
    assert [made[one]["depth"] for one in (MERGED, DEPLOYED, SMOKE, SCAN, VERIFIED)] == [0, 1, 2, 2, 3]
    assert {made[one]["traceparent"] for one in (MERGED, DEPLOYED, SMOKE, SCAN, VERIFIED)} == {TRACE}
    assert {log[made[one]["cause"]]["subject"] for one in (DEPLOYED, SMOKE, SCAN, VERIFIED)} == {"board.item.claimed"}
    assert (made[DEPLOYED]["actor"], made[SCAN]["actor"], made[MERGED]["id"]) == ("backend", "frontend", first["event"])
    chain = await client.call("chain", correlation="pr-7")
    (merged,) = chain["roots"]
    (deploy_,) = merged["children"]
    (deployed,) = deploy_["children"]
    assert {one["reference"] for one in deployed["children"]} == {"smoke/smoke", "scan/scan"}
    assert (chain["gatherings"], deploy_["place"]) == ([], "done")


async def test_handler_goes_on_with_the_event_that_it_waited_for(board, workers, reached, client) -> None:
    await board.post_graph({"release": []})
    worker, waits, done, seen = Worker("backend"), asyncio.Event(), asyncio.Event(), []

    @worker.artifact("release")
    async def release(work: Work) -> str:
        briefing = await work.briefing()
        if briefing.awaited is None:
            waits.set()
            await work.wait_for(
                "approvals.*", filter="$.payload.yes == true", timeout_seconds=600, note="waits for the approval"
            )
        seen.append((briefing.attempt, briefing.attempts[-1].note, briefing.awaited))
        done.set()
        return "released"

    workers.start(worker)
    await reached(waits)
    await client.publish("approvals.release", {"yes": False})
    await client.publish("approvals.release", {"yes": True, "by": "ceo"})
    await reached(done)
    await workers.stop()
    ((attempt, note, awaited),) = seen
    assert (attempt, note, awaited.timed_out) == (2, "waits for the approval", False)
    assert (awaited.event.subject, awaited.event.payload) == ("approvals.release", {"yes": True, "by": "ceo"})
    assert await board.fetchval("SELECT count(*) FROM leases WHERE board = $1") == 0


async def test_wait_ends_when_its_time_is_over_with_a_pattern_or_without(board, workers, reached) -> None:
    await board.post_graph({"never": [], "later": []})
    worker, done, seen = Worker("backend"), asyncio.Event(), {}

    @worker.handler()
    async def wait(work: Work) -> None:
        awaited = (await work.briefing()).awaited
        if awaited is None:
            pattern = "approvals.never" if work.artifact == "never" else None
            await work.wait_for(pattern, timeout_seconds=0.2)
        seen[work.artifact] = awaited
        if len(seen) == 2:
            done.set()

    workers.start(worker)
    await reached(done)
    await workers.stop()
    assert {name: (one.timed_out, one.event) for name, one in seen.items()} == {
        "never": (True, None), "later": (True, None),
    }  # fmt: skip


async def test_deliveries_of_one_key_are_handled_one_after_the_other(board, workers, reached, client) -> None:
    await subscribe(board, "keep", "genbrain.events.>", ordered_by="$.payload.key")
    running, order, done = set(), [], asyncio.Event()

    def handler(worker: Worker) -> None:
        @worker.action("keep")
        async def keep(work: Work) -> None:
            payload = (await work.event()).payload
            assert payload["key"] not in running
            running.add(payload["key"])
            await work.checkpoint("something that takes a while")
            running.remove(payload["key"])
            order.append((payload["key"], payload["n"]))
            if len(order) == 20:
                done.set()

    for number in range(20):
        await client.publish("genbrain.events.x", {"key": "ab"[number % 2], "n": number})
    for _ in range(2):
        worker = Worker("backend", concurrency=4)
        handler(worker)
        workers.start(worker)
    await reached(done)
    await workers.stop()
    for key in "ab":
        numbers = [n for one, n in order if one == key]
        assert numbers == sorted(numbers)
    assert len(order) == 20


async def test_failed_delivery_is_tried_again_and_a_poisonous_one_is_dead(
    board: BoardUnderTest, workers: Any, reached: Any, client: Client, until: Callable[..., Any]
) -> None:
    await subscribe(board, "deploy", MERGED)
    await subscribe(board, "alarm", "genbrain.dlq.backend", agent="cto")
    worker, boss, tried, alarmed = Worker("backend"), Worker("cto"), [], asyncio.Event()
    told: list[Any] = []

    @worker.action("deploy")
    async def deploy(work: Work) -> None:
        payload = (await work.event()).payload
        tried.append((payload, work.attempt))
        if payload == "poison":
            raise LogicFailure("no such branch")
        if work.attempt == 1:
            await work.publish(DEPLOYED, id=f"deployed-{work.item}")
            raise TransientFailure("the cluster was busy", delay_seconds=0.1)
        assert (await work.briefing()).last_error == "the cluster was busy"
        again = await work.publish(DEPLOYED, id=f"deployed-{work.item}")
        assert again["repeated"]

    @boss.action("alarm")
    async def alarm(work: Work) -> None:
        told.append((await work.event()).payload)
        alarmed.set()

    workers.start(worker)
    workers.start(boss)
    await client.publish(MERGED, "once more")
    poison = await client.publish(MERGED, "poison")
    await reached(alarmed)
    await until(lambda: ("once more", 2) in tried)
    await workers.stop()
    assert sorted(tried) == [("once more", 1), ("once more", 2), ("poison", 1)]
    assert len(await board.log(subject=DEPLOYED)) == 1
    assert (told[0]["class"], told[0]["error"], told[0]["reference"]) == ("logic", "no such branch", "deploy/deploy")
    (dead,) = (await client.call("list_dead_letters"))["rows"]
    assert (dead["reference"], dead["error"]) == ("deploy/deploy", "no such branch")
    (event,) = [one for one in await board.log(subject=MERGED) if one.row["id"] == poison["event"]]
    shown = await client.call("show_event", position=event.position)
    (row,) = shown["handled"]
    assert (row["place"], row["last_error"], row["attempts"]) == ("dead", "no such branch", 1)
