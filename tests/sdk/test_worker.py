"""Workers on a real board: who does what, how often, and what becomes of it."""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest

from slateboard import (
    InfrastructureFailure,
    LogicFailure,
    NewArtifact,
    NewTask,
    Result,
    TransientFailure,
    ValidationFailure,
    Work,
    Worker,
)
from slateboard.protocol.errors import BadHandler, BadSetting, UnknownName
from tests.support.boards import BoardUnderTest


async def version_of(board: BoardUnderTest, item: int) -> dict:
    rows = await board.fetch("SELECT * FROM artifact_versions WHERE board = $1 AND artifact = $2", item)
    assert len(rows) == 1
    return dict(rows[0])


async def attempts_of(board: BoardUnderTest, item: int) -> list[dict]:
    rows = await board.fetch("SELECT * FROM attempts WHERE board = $1 AND item = $2 ORDER BY fence", item)
    return [dict(row) for row in rows]


async def test_the_handler_of_the_name_produces_the_artifact(board, workers, reached) -> None:
    items = await board.post_graph({"api_spec": [], "notes": []})
    worker, done, by = Worker("backend"), asyncio.Event(), {}

    @worker.handler()
    async def anything(work: Work) -> str:
        by[work.artifact] = "anything"
        if len(by) == 2:
            done.set()
        return "some notes"

    @worker.artifact("api_*")
    async def api(work: Work) -> dict:
        by[work.artifact] = "api"
        if len(by) == 2:
            done.set()
        return {"openapi": "3.1.0"}

    workers.start(worker)
    await reached(done)
    await workers.stop()
    assert by == {"api_spec": "api", "notes": "anything"}
    version = await version_of(board, items["api_spec"])
    assert json.loads(version["content"]) == {"openapi": "3.1.0"}
    assert version["hash"] == f"sha256:{hashlib.sha256(version['content'].encode()).hexdigest()}"
    assert version["size"] == len(version["content"])
    assert version["author"] == "backend"
    assert set((await board.places()).values()) == {"done"}


async def test_the_hash_is_that_of_the_file(board, workers, reached, tmp_path: Path) -> None:
    items = await board.post_graph({"page": [], "lost": []})
    worker, seen = Worker("backend", concurrency=2), asyncio.Event()
    (tmp_path / "page.html").write_text("<p>hello")

    @worker.artifact("page")
    async def page(work: Work) -> Result:
        return Result(path=str(tmp_path / "page.html"), summary="a page")

    @worker.artifact("lost")
    async def lost(work: Work) -> Result:
        seen.set()
        return Result(path=str(tmp_path / "lost.html"))

    workers.start(worker)
    await reached(seen)
    await workers.stop()
    version = await version_of(board, items["page"])
    assert version["hash"] == f"sha256:{hashlib.sha256(b'<p>hello').hexdigest()}"
    assert version["size"] == 8
    (attempt,) = await attempts_of(board, items["lost"])
    assert (attempt["outcome"], attempt["class"]) == ("failed", "validation")
    assert "lost.html does not exist" in attempt["error"]


async def test_two_workers_never_do_one_item_at_once(board, workers, reached) -> None:
    await board.post_graph({f"a{number}": [] for number in range(60)})
    calls: Counter[int] = Counter()
    busy: set[int] = set()
    together: list[int] = []
    done = asyncio.Event()

    async def handle(work: Work) -> None:
        if work.item in busy:
            together.append(work.item)
        busy.add(work.item)
        calls[work.item] += 1
        await asyncio.sleep(0)
        busy.discard(work.item)
        if len(calls) == 60:
            done.set()

    for _ in range(2):
        worker = Worker("backend", concurrency=4)
        worker.handler()(handle)
        workers.start(worker)
    await reached(done)
    await workers.stop()
    assert not together
    assert set(calls.values()) == {1}
    assert await board.by_place() == Counter(done=60)


async def test_what_a_dead_worker_held_is_taken_over(board, workers, reached, clock) -> None:
    items = await board.post_graph({"report": []})
    (held,) = await board.claim("backend", worker="dead")
    worker, done, seen = Worker("backend", poll_seconds=0.05), asyncio.Event(), []

    @worker.handler()
    async def handle(work: Work) -> None:
        seen.append((work.attempt, work.fence > held.fence))
        done.set()

    workers.start(worker)
    async with board.chores(now=clock.advance(seconds=61)) as tx:
        from slateboard.work import leases

        assert await leases.expire_due(tx, now=tx.now)
    await reached(done)
    await workers.stop()
    assert seen == [(2, True)]
    assert [one["outcome"] for one in await attempts_of(board, items["report"])] == ["interrupted", "completed"]


@pytest.mark.parametrize(
    ("raised", "failure_class", "place"),
    [
        (TransientFailure("later"), "transient", "scheduled"),
        (InfrastructureFailure("broken"), "infrastructure", "scheduled"),
        (ValidationFailure("does not hold"), "validation", "scheduled"),
        (LogicFailure("cannot be"), "logic", "dead"),
        (ConnectionResetError("gone"), "infrastructure", "scheduled"),
        (KeyError("typo"), "transient", "scheduled"),
        (UnknownName("there is no agent 'x'"), "logic", "dead"),
        (SystemExit(3), "transient", "scheduled"),
    ],
)
async def test_what_a_handler_raises_decides_what_happens_next(
    board, workers, reached, raised, failure_class, place
) -> None:
    items = await board.post_graph({"report": []})
    worker, begun = Worker("backend"), asyncio.Event()

    @worker.handler()
    async def handle(work: Work) -> None:
        begun.set()
        raise raised

    workers.start(worker)
    await reached(begun)
    await workers.stop()
    (attempt,) = await attempts_of(board, items["report"])
    assert (attempt["outcome"], attempt["class"]) == ("failed", failure_class)
    assert str(raised).strip("'") in attempt["error"]
    assert await board.place(items["report"]) == place


async def test_work_that_no_handler_fits_dies_with_the_handlers_named(board, workers) -> None:
    items = await board.post_graph({"report": []})
    worker = Worker("backend", poll_seconds=0.05)
    worker.artifact("api_*")(print)
    dead = asyncio.Event()
    task = workers.start(worker)
    while not dead.is_set() and not task.done():
        if await board.place(items["report"]) == "dead":
            dead.set()
    (attempt,) = await attempts_of(board, items["report"])
    assert attempt["class"] == "logic"
    assert "produce 'report'" in attempt["error"]
    assert "'api_*'" in attempt["error"]


async def test_plain_functions_run_in_threads_with_their_context(board, workers, reached) -> None:
    items = await board.post_graph({"report": []})
    worker, done = Worker("backend"), asyncio.Event()
    loop = asyncio.get_running_loop()
    variable = contextvars.ContextVar("variable", default="none")
    variable.set("kept")
    seen = {}

    @worker.handler()
    def handle(work: Work) -> str:
        seen["variable"] = variable.get()
        seen["task"] = work.sync.briefing().chain[0].task
        work.sync.progress(50, "half")
        work.sync.checkpoint({"half": True})
        seen["checkpoint"] = work.sync.briefing().checkpoint
        loop.call_soon_threadsafe(done.set)
        return "written by a thread"

    workers.start(worker)
    await reached(done)
    await workers.stop()
    assert seen == {"variable": "kept", "task": "work", "checkpoint": {"half": True}}
    assert (await version_of(board, items["report"]))["content"] == "written by a thread"


async def test_each_handler_has_a_task_a_context_and_a_time_limit_of_its_own(board, workers, reached) -> None:
    await board.post_graph({f"a{number}": [] for number in range(20)})
    worker, done = Worker("backend", concurrency=4), asyncio.Event()
    variable = contextvars.ContextVar("variable", default="none")
    found: list[str] = []
    tasks: set[asyncio.Task | None] = set()
    timed_out: list[str] = []

    @worker.handler()
    async def handle(work: Work) -> None:
        found.append(variable.get())
        variable.set(work.artifact)
        tasks.add(asyncio.current_task())
        try:
            async with asyncio.timeout(0 if work.artifact == "a7" else 3600):
                await asyncio.sleep(0)
                await asyncio.sleep(0)
        except TimeoutError:
            timed_out.append(work.artifact)
        if len(found) == 20:
            done.set()

    workers.start(worker)
    await reached(done)
    await workers.stop()
    assert set(found) == {"none"}
    assert len(tasks) == 20
    assert timed_out == ["a7"]
    assert await board.by_place() == Counter(done=20)


async def test_posting_and_blocking_and_going_on(board, workers, reached) -> None:
    """The reviewer finds a fault, has it repaired by somebody else, and goes on from where it was."""
    items = await board.post(
        NewArtifact(task="work", name="review", owner="cto"), tasks=[NewTask(name="work", title="work")]
    )
    reviewer, repairer, done = Worker("cto"), Worker("backend"), asyncio.Event()
    story: list[object] = []

    @reviewer.artifact("review")
    async def review(work: Work) -> str:
        briefing = await work.briefing()
        story.append((work.attempt, briefing.checkpoint, briefing.note))
        if briefing.inputs:
            story.append(briefing.input("repair").content)
            done.set()
            return "approved"
        await work.checkpoint({"read": 3})
        reference = await work.post("repair", owner="backend", title="Repair it", brief="field x")
        assert await work.post("repair", owner="backend") == reference == "work/repair"
        try:
            await work.block_on(reference, note="waits for the repair")
        except Exception:  # noqa: BLE001
            story.append("block_on was swallowed")
        raise AssertionError

    @repairer.artifact("repair")
    async def repair(work: Work) -> str:
        story.append((await work.briefing()).brief)
        return "repaired"

    for worker in (reviewer, repairer):
        workers.start(worker)
    await reached(done)
    await workers.stop()
    assert story == [(1, None, None), "field x", (2, {"read": 3}, None), "repaired"]
    outcomes = [(one["outcome"], one["note"]) for one in await attempts_of(board, items["work/review"])]
    assert outcomes == [("blocked", "waits for the repair"), ("completed", None)]


async def test_releasing_is_no_failure(board, workers, reached) -> None:
    items = await board.post_graph({"report": []})
    worker, done = Worker("backend"), asyncio.Event()

    @worker.handler()
    async def handle(work: Work) -> None:
        if work.attempt == 1:
            await work.release(note="not now")
        done.set()

    workers.start(worker)
    await reached(done)
    await workers.stop()
    assert [one["outcome"] for one in await attempts_of(board, items["report"])] == ["released", "completed"]


async def test_a_paused_worker_waits_and_goes_on(board, workers, reached, until) -> None:
    await board.perform("pause", agent="backend", reason="lunch")
    await board.post_graph({"report": []})
    worker, done = Worker("backend", poll_seconds=0.05), asyncio.Event()

    @worker.handler()
    async def handle(work: Work) -> None:
        done.set()

    task = workers.start(worker)
    await until(lambda: worker._run)
    assert not await board.perform("has_work", agent=board.agents["backend"])
    assert not task.done()
    await board.perform("resume", agent="backend")
    await reached(done)


async def test_what_a_worker_opens_for_itself_it_claims_at_once(board, workers, reached) -> None:
    """No hint and no poll comes to its help."""
    chain = {f"step{number}": [f"step{number - 1}"] if number else [] for number in range(20)}
    await board.post_graph(chain)
    worker, done, order = Worker("backend", wake="poll", poll_seconds=3600), asyncio.Event(), []

    @worker.handler()
    async def handle(work: Work) -> None:
        order.append(work.artifact)
        if len(order) == 20:
            done.set()

    workers.start(worker)
    await reached(done)
    assert order == list(chain)


async def test_prefetched_work_goes_back_when_a_handler_takes_long(board, workers, reached, monkeypatch) -> None:
    from slateboard.sdk import run

    monkeypatch.setattr(run, "TEND_SECONDS", 0.01)
    monkeypatch.setattr(run, "IDLE_PREFETCH_SECONDS", 0.05)
    await board.post_graph({f"a{number:02}": [] for number in range(40)})
    slow, taken, release = asyncio.Event(), asyncio.Event(), asyncio.Event()
    first, second = Worker("backend"), Worker("backend", poll_seconds=0.05)
    done: list[str] = []

    @first.handler()
    async def stalls(work: Work) -> None:
        if work.artifact == "a10":
            slow.set()
            await release.wait()

    @second.handler()
    async def goes_on(work: Work) -> None:
        done.append(work.artifact)
        if len(done) == 29:
            taken.set()

    workers.start(first)
    await reached(slow)
    workers.start(second)
    await reached(taken)
    release.set()
    await workers.stop()
    assert await board.by_place() == Counter(done=40)
    assert all(
        row["outcome"] == "completed" for row in await board.fetch("SELECT outcome FROM attempts WHERE board = $1")
    )


async def test_a_worker_without_handlers_says_so() -> None:
    with pytest.raises(BadHandler, match="backend has no handlers"):
        await Worker("backend").run()


@pytest.mark.parametrize(
    "wrong",
    [
        {"concurrency": 0},
        {"lease_seconds": -1},
        {"lease_seconds": 86_401},
        {"batch": 0},
        {"batch": 1001},
        {"poll_seconds": 0},
        {"wake": "shout"},
        {"grace_seconds": -1},
    ],
)
def test_wrong_settings_are_named(wrong: dict) -> None:
    with pytest.raises(BadSetting, match=next(iter(wrong))):
        Worker("backend", **wrong)


async def test_an_agent_that_is_not_there_is_named(board, workers) -> None:
    worker = Worker("backnd")
    worker.handler()(print)
    with pytest.raises(UnknownName, match="backnd") as caught:
        await workers.start(worker)
    assert "backend" in caught.value.remedy
