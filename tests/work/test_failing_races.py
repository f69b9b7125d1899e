"""Races when agents fail, with real commits: a probe, a verdict, an undo, a resource, a budget, each of them once.

32 callers work on connections of their own. What a claim got is compared with the leases that stand at that moment, in
the answer of the database, so that what is forbidden is seen even when it is over at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from slateboard.patterns import compensation, spending, verdicts
from slateboard.protocol.errors import BreakerOpen, LeaseLost, Paused, SlateError
from slateboard.protocol.states import Outcome
from slateboard.protocol.work import Claim, Finish, NewArtifact, NewTask, Result
from slateboard.store.database import connect
from slateboard.transaction import Transaction
from slateboard.work import endings, finish
from tests.support.boards import BoardUnderTest
from tests.support.breakers import opened, recovered, state
from tests.support.live import check_fold
from tests.support.races import collide
from tests.work.test_resources import free, post

CALLERS = 32
ROUNDS = 8


@pytest_asyncio.fixture
async def wide(app_url: str, board: BoardUnderTest) -> AsyncIterator[BoardUnderTest]:
    """The board over a pool that has 32 connections open."""
    database = await connect(app_url, size=CALLERS)
    together = asyncio.Barrier(CALLERS)

    async def hold() -> None:
        async with database.acquire():
            await together.wait()

    await asyncio.gather(*(hold() for _ in range(CALLERS)))
    found = BoardUnderTest(database, board.id, board.name)
    found.agents, found.rights = board.agents, board.rights
    yield found
    await database.close()


async def claimed(board: BoardUnderTest, number: int) -> Sequence[Claim]:
    """What one caller gets, nothing if it is refused."""
    try:
        return await board.claim(limit=3, worker=f"w{number}")
    except (BreakerOpen, Paused):
        return ()


async def rush(board: BoardUnderTest) -> list[Claim]:
    """What 32 callers get who claim at once."""
    return [one for got in await asyncio.gather(*(claimed(board, n) for n in range(CALLERS))) for one in got]


@pytest.mark.parametrize("end", ["released", "returned", "interrupted", "expired", "cancelled"])
async def test_probe_that_comes_to_nothing_among_32_callers_gives_exactly_one_next(
    wide: BoardUnderTest, end: str
) -> None:
    await opened(wide, ready=2 * ROUNDS)
    await recovered(wide)
    (probe,) = await rush(wide)

    async def ends() -> None:
        if end == "expired":
            await wide.expire(now=datetime.now(UTC) + timedelta(minutes=10))
        elif end == "cancelled":
            await wide.perform("cancel", reference=probe.reference)
        else:
            assert (await wide.give_back(probe, Outcome(end))).error is None

    for number in range(ROUNDS):
        during, _ = await asyncio.gather(rush(wide), ends())
        # An expiry takes whatever is there, also a probe that was claimed a moment ago.
        assert len(during) <= 1 or end == "expired"
        now = [*during, *await rush(wide)]
        held = await wide.fetch("SELECT item, fence FROM leases WHERE board = $1")
        (probe,) = [one for one in now if (one.item, one.fence) in {(row["item"], row["fence"]) for row in held}]
        assert len(held) == 1, number
    subjects = await wide.subjects()
    assert subjects.count("board.breaker.probed") - subjects.count("board.breaker.returned") == 1
    await wide.finish(probe)
    assert await state(wide) == "closed"
    await check_fold(wide)


async def test_overlapping_resources_never_have_two_leases_at_once_among_32_workers(wide: BoardUnderTest) -> None:
    globs = [["src/**"], ["src/api/*"], ["src/api/a.py"], ["docs/**", "src/api/b.py"], ["docs/x.md"], ["src/ui/**"]]
    items = await post(wide, *(globs[number % len(globs)] for number in range(96)))
    kind = {item: number % len(globs) for number, item in enumerate(items)}
    apart = {frozenset(pair) for pair in ((0, 4), (1, 4), (1, 5), (2, 3), (2, 4), (2, 5), (3, 5), (4, 5))}
    done: list[int] = []

    async def work(number: int) -> None:
        for turn in range(6):
            for one in await wide.claim(limit=2, worker=f"w{number}"):
                rows = await wide.fetch("SELECT item FROM leases WHERE board = $1")
                held = [kind[row["item"]] for row in rows]
                pairs = {(a, b) for at, a in enumerate(held) for b in held[at + 1 :]}
                assert all(a != b and frozenset({a, b}) in apart for a, b in pairs), f"{held} ran at once"
                if (number + turn) % 4:
                    assert (await wide.finish(one))[0].error is None
                    done.append(one.item)
                else:
                    await wide.give_back(one, Outcome.RELEASED)
            if number % 8 == 0:
                await free(wide)

    rounds = 0
    while len(done) < len(items):
        await asyncio.gather(*(work(number) for number in range(CALLERS)))
        await free(wide)
        rounds += 1
        assert rounds < 40, "the work does not come to an end"
    await check_fold(wide)


async def test_limits_hold_at_every_moment_while_32_workers_finish_and_claim(wide: BoardUnderTest) -> None:
    await wide.perform("set_limit", scope="agent", name="backend", concurrency=9)
    await wide.perform("set_limit", scope="key", name="api", concurrency=4)
    artifacts = [
        NewArtifact(task="work", name=f"a{n:03}", owner="backend", rules={"keys": ["api"]} if n % 2 else None)
        for n in range(128)
    ]
    items = await wide.post(*artifacts, tasks=[NewTask(name="work", title="work")])
    keyed = {items[f"work/{one.name}"] for one in artifacts if one.rules}
    done: list[int] = []

    async def work(number: int) -> None:
        for _ in range(4):
            got = await wide.claim(limit=2, worker=f"w{number}")
            rows = await wide.fetch("SELECT item FROM leases WHERE board = $1")
            assert len(rows) <= 9
            assert len({row["item"] for row in rows} & keyed) <= 4
            for one in got:
                assert (await wide.finish(one))[0].error is None
                done.append(one.item)

    rounds = 0
    while len(done) < len(artifacts):
        await asyncio.gather(*(work(number) for number in range(CALLERS)))
        await free(wide)
        rounds += 1
        assert rounds < 60, "the work does not come to an end"
    await check_fold(wide)


@pytest.mark.parametrize("scope", ["agent", "task", "board"])
async def test_nothing_is_claimed_after_the_commit_that_says_a_budget_is_used_up(
    wide: BoardUnderTest, scope: str
) -> None:
    await post(wide, *([] for _ in range(200)))
    of = {"agent": {"agent": "backend"}, "task": {"task": "work"}, "board": {}}[scope]
    await wide.perform("set_budget", **of, cost=20.0)
    running: list[Claim] = []
    stop = asyncio.Event()

    async def work(number: int) -> None:
        for _ in range(20):
            if stop.is_set():
                return
            for one in await claimed(wide, number):
                running.append(one)
                await wide.perform("report_usage", item=one.item, fence=one.fence, cost=1.0)

    async def look() -> datetime:
        for _ in range(10_000):
            async with wide.chores() as tx:
                await spending.watch(tx)
            if (await wide.perform("list_budgets"))[0]["exhausted_at"]:
                at: datetime = await wide.fetchval("SELECT clock_timestamp() + interval '0' * $1::bigint")
                return at
        raise AssertionError

    async def until_used_up() -> datetime:
        at = await look()
        assert await rush(wide) == []
        stop.set()
        return at

    at, *_ = await asyncio.gather(until_used_up(), *(work(number) for number in range(CALLERS)))
    # The time of a claim is taken when its statement begins.
    assert [one for one in running if one.claimed_at > at] == []
    answers = await wide.finish(*running)
    assert [one.error for one in answers] == [None] * len(running)
    assert await rush(wide) == []
    await wide.perform("set_budget", **of, cost=100_000.0)
    await free(wide)
    assert len(await rush(wide)) > 0
    assert len(await wide.log(subject="board.budget.exhausted")) == 1
    await check_fold(wide)


async def in_review(board: BoardUnderTest, task: str) -> tuple[int, int]:
    """An item and the verification that it waits for."""
    items = await board.post(
        NewArtifact(task=task, name="spec", owner="backend", rules={"verify": "frontend"}),
        tasks=[NewTask(name=task, title=task)],
    )
    (item,) = items.values()
    await board.finish(await board.claim_item(item), content="x")
    return item, await board.fetchval("SELECT item FROM verifications WHERE board = $1 AND about = $2", item)


@pytest.mark.parametrize("first", ["approve", "reject"])
@pytest.mark.parametrize("second", ["approve", "reject"])
@pytest.mark.parametrize("commit", [True, False])
async def test_of_two_verdicts_at_once_the_first_that_is_committed_counts(
    board: BoardUnderTest, first: str, second: str, *, commit: bool
) -> None:
    item, duty = await in_review(board, "work")

    def says(verdict: str) -> Any:
        async def say(tx: Transaction) -> Any:
            return await verdicts.judge(tx, item=duty, verdict=verdict, version=1, reason="so")

        return say

    _, later = await collide(board, says(first), says(second), commit=commit)
    assert isinstance(later, SlateError) == commit
    assert await board.place(item) == ("done" if (first if commit else second) == "approve" else "ready")
    events = [one for one in await board.subjects() if one.startswith("board.verification.") and "asked" not in one]
    assert len(events) == 1
    await check_fold(board)


@pytest.mark.parametrize("kind", ["hot", "hooked"])
@pytest.mark.parametrize("cancel_first", [True, False])
async def test_cancel_and_finish_at_once_leave_one_end(board: BoardUnderTest, kind: str, *, cancel_first: bool) -> None:
    rules = {"evidence": ["note"]} if kind == "hooked" else None
    for number in range(ROUNDS):
        items = await board.post(
            NewArtifact(task=f"t{number}", name="a", owner="backend", rules=rules),
            NewArtifact(task=f"t{number}", name="b", owner="cto", blocked_by=("a",)),
            tasks=[NewTask(name=f"t{number}", title="t")],
        )
        item = items[f"t{number}/a"]
        one = await board.claim_item(item)
        result = Result(content="x", evidence=[{"note": "seen"}]) if rules else Result(content="x")

        async def ends(tx: Transaction, one: Claim = one, result: Result = result) -> Any:
            answers, _ = await finish.finish(tx, finishes=[Finish(item=one.item, fence=one.fence, result=result)])
            return answers[0].error or answers[0]

        async def cancels(tx: Transaction, number: int = number) -> Any:
            return await endings.cancel(tx, reference=f"t{number}/a", waive=True)

        pair = (cancels, ends) if cancel_first else (ends, cancels)
        answers = await collide(board, *pair)
        assert [isinstance(answer, SlateError) for answer in answers] == [False, True]
        assert await board.place(item) == ("cancelled" if cancel_first else "done")
        assert await board.fetchval("SELECT count(*) FROM artifact_versions WHERE board = $1 AND item = $2", item) == (
            0 if cancel_first else 1
        )
    assert (await board.by_place())["ready"] == ROUNDS
    await check_fold(board)


@pytest.mark.parametrize("undo_first", [True, False])
async def test_step_that_finishes_while_its_task_is_undone_is_undone_or_fenced_off(
    board: BoardUnderTest, *, undo_first: bool
) -> None:
    for number in range(ROUNDS):
        task = f"t{number}"
        items = await board.post_graph({"schema": [], "deploy": []}, task=task)
        await board.finish(await board.claim_item(items["schema"]), content="x", undo="down")
        one = await board.claim_item(items["deploy"])

        async def ends(tx: Transaction, one: Claim = one) -> Any:
            given = Finish(item=one.item, fence=one.fence, result=Result(content="x", undo="back"))
            answers, _ = await finish.finish(tx, finishes=[given])
            return answers[0].error or answers[0]

        async def undoes(tx: Transaction, task: str = task) -> Any:
            return await compensation.compensate(tx, task=task, reason="it failed")

        answers = await collide(board, *((undoes, ends) if undo_first else (ends, undoes)))
        assert isinstance(answers[1], LeaseLost) == undo_first
        steps = next(answer for answer in answers if isinstance(answer, dict))["posted"]
        assert steps == [f"{task}/schema"] if undo_first else [f"{task}/deploy", f"{task}/schema"]
        assert await board.place(items["deploy"]) == ("cancelled" if undo_first else "done")
    twice = await board.fetch("SELECT artifact FROM compensations WHERE board = $1 AND version IS NOT NULL"
                              " GROUP BY artifact, version HAVING count(*) > 1")  # fmt: skip
    assert twice == []
    await check_fold(board)
