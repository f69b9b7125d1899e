"""The fold of the log is the live board: after random lives of items, and after each kind of change by name."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from slateboard.patterns import escalations
from slateboard.protocol.errors import SlateError
from slateboard.protocol.states import FailureClass, Outcome
from slateboard.protocol.work import NewArtifact, NewTask, Result
from slateboard.reports.past.fold import State
from tests.patterns.conftest import Router, duty, router
from tests.support.boards import BoardUnderTest
from tests.support.live import check_fold, folded
from tests.support.manifests import do, feature
from tests.work.test_life_of_an_item import LifeOfItems, run_lives

__all__ = ["duty", "router"]
"""Fixtures of the choreography, used here."""

EXAMPLES = int(os.environ.get("SLATE_TEST_EXAMPLES", "15"))
STEPS = 40
LATER = timedelta(hours=3)


class LoggedLives(LifeOfItems):
    """The life of items, with what the plain model leaves out, folded at its end."""

    @precondition(lambda self: self.ids)
    @rule(pick=st.integers(0, 1000), rating=st.sampled_from([None, -5, 2000]))
    def pin(self, pick: int, rating: int | None) -> None:
        name = self.picked(pick, sorted(self.ids))
        self.attempt(self.board.perform("pin", item=self.ids[name], rating=rating))

    @rule(subject=st.sampled_from(["a", "b"]), replacing=st.booleans(), task=st.sampled_from([None, "work"]))
    def decide(self, subject: str, *, replacing: bool, task: str | None) -> None:
        given: dict[str, Any] = {"decision": "so", "subject": subject, "task": task, "options": ["x", {"y": 1}]}
        self.attempt(self.board.perform("decide", **given, supersedes=subject if replacing else None))

    @rule()
    def pause_agent(self) -> None:
        self.attempt(self.board.perform("pause", agent="backend", reason="a rest"))
        self.attempt(self.board.perform("resume", agent="backend"))

    def teardown(self) -> None:
        super().teardown()
        if self.ids:
            self.run(check_fold(self.board))


@pytest.mark.filterwarnings("ignore:.*unclosed.*:ResourceWarning")
def test_random_lives_fold_to_the_live_tables(app_url: str) -> None:
    run_lives(LoggedLives, app_url)


async def _eventful(board: BoardUnderTest) -> dict[str, int]:
    """A board on which each kind of change happened."""
    due = datetime.now(UTC) + timedelta(days=2)
    await board.add_agent("tester", role="tests", capabilities=["review"], manager="cto", kind="human")
    items = await board.post(
        NewArtifact(task="work", name="spec", owner="backend", imported=Result(path="/spec", size_bytes=3)),
        NewArtifact(task="work", name="late", owner="backend", run_at=due, max_attempts=2),
        NewArtifact(task="work", name="open", capability="review", due=due, brief="look", priority="high"),
        NewArtifact(task="work", name="first", owner="backend", blocked_by=("existing",)),
        NewArtifact(task="work", name="existing", owner="backend", imported=Result(content="x")),
        NewArtifact(task="sub", name="part", owner="frontend", blocked_by=("work/first",)),
        tasks=[
            NewTask(name="work", title="work", agent="cto", delegator="frontend", due=due),
            NewTask(name="sub", title="sub", parent="work", priority="urgent"),
        ],
    )
    await board.complete(items["work/first"])
    await board.complete(items["sub/part"], agent="frontend")
    await board.perform("decide", decision="Use it", rationale="why", task="work", drivers=["a"], options=["b"])
    await board.perform("decide", decision="Use that", subject="other", supersedes="use-it")
    revised = await board.perform("revise", reference="work/first", reason="better")
    await board.complete(revised["item"])
    more = await board.post(
        *(NewArtifact(task="work", name=f"m{number}", owner="backend") for number in range(6)),
        NewArtifact(task="work", name="behind", owner="backend", blocked_by=("m4",)),
    )
    await board.fail(await board.claim_item(more["work/m0"]), FailureClass.VALIDATION, note="n", usage={"cost": 1})
    await board.give_back(await board.claim_item(more["work/m1"]), Outcome.RETURNED)
    claim = await board.claim_item(more["work/m2"])
    await board.perform("block_on", item=claim.item, fence=claim.fence, on=["work/m3"], note="waits")
    await board.bury(more["work/m4"])
    await board.perform("pause", agent="frontend", reason="ill")
    await board.claim_item(more["work/m5"])
    return items | more


async def test_each_kind_of_change_folds_to_the_live_tables(board: BoardUnderTest) -> None:
    items = await _eventful(board)
    await check_fold(board)
    await board.perform("discard", items=[items["work/m4"]], reason="no", waive=True)
    await board.perform("cancel", reference="work/m5")
    await board.expire(now=datetime.now(UTC) + LATER)
    await board.promote(now=datetime.now(UTC) + LATER)
    state = await check_fold(board)
    assert state.tables["attempts"]
    assert state.tables["dead_letters"] == {}


async def test_applied_and_changed_manifests_fold_to_the_live_tables(board: BoardUnderTest) -> None:
    await do(board, feature("a: {owner: backend, due: 4h}\nb: {owner: backend, blocked_by: a}\nc: {}"))
    await do(board, feature("a: {owner: frontend, priority: high}\nb: {owner: cto, blocked_by: [a, c]}\nc: {}"))
    await do(board, feature("a: {owner: backend, status: complete, path: /a}\nb: {owner: cto}\nc: {owner: backend}"))
    await check_fold(board)


async def test_a_fold_goes_on_from_a_snapshot(board: BoardUnderTest) -> None:
    items = await _eventful(board)
    before = await folded(board)
    data = before.dump()
    assert State.load(data).dump() == data
    await board.perform("redrive", items=[items["work/m4"]])
    await board.complete(items["work/m4"])
    after = await folded(board, State.load(data))
    whole = await check_fold(board)
    assert after.tables == whole.tables
    assert after.dump() == whole.dump()


@pytest.mark.parametrize("seed", range(6))
async def test_questions_answers_deadlines_and_deaths_fold_to_the_live_tables(board: BoardUnderTest, seed: int) -> None:
    """Twenty-five random steps of work that asks, of those who answer, of deadlines, deaths and redrives."""
    chance = Random(seed)
    made = [NewArtifact(task="work", name=f"a{number}", owner="backend", max_attempts=2) for number in range(4)]
    await board.post(*made, tasks=[NewTask(name="work", title="work", delegator="frontend")])
    hours = 0.0

    async def ask() -> None:
        for claim in await board.claim(limit=2):
            asked = {"item": claim.item, "fence": claim.fence, "question": "so?", "of": "cto", "note": "n"}
            default = {"default": "80"} if chance.random() < 0.5 else {}
            await board.perform("ask", by="backend", **asked, **default, deadline_seconds=chance.choice([60, 7200]))

    async def answer() -> None:
        rows = (await board.perform("list_escalations")).rows
        if rows:
            row = chance.choice(rows)
            text = chance.choice(row["options"] or ["80"])
            await board.perform("answer", escalation=row["item"], answer=text)

    async def answer_by_claim() -> None:
        for claim in await board.claim("cto"):
            if chance.random() < 0.3:
                await board.fail(claim, FailureClass.VALIDATION, by="cto", delay_seconds=0)
            else:
                await board.finish(claim, by="cto", content="80", note="sure")

    async def wait() -> None:
        nonlocal hours
        hours += chance.choice([0.1, 3])
        async with board.chores(now=datetime.now(UTC) + timedelta(hours=hours)) as tx:
            await escalations.time_out(tx, limit=10_000)

    async def fail() -> None:
        for claim in await board.claim():
            await board.fail(claim, FailureClass.VALIDATION, delay_seconds=0)

    async def end() -> None:
        choice = {"reason": "no", "waive": True} if chance.random() < 0.3 else {}
        await board.perform("discard" if choice else "redrive", everything=True, limit=2, **choice)

    async def cancel() -> None:
        with suppress(SlateError):
            await board.perform("cancel", reference=f"work/a{chance.randrange(12)}")

    for _ in range(25):
        step = chance.choice([ask, ask, answer, answer_by_claim, wait, fail, end, cancel])
        await step()
    await check_fold(board)


async def test_deliveries_and_waits_fold_to_the_live_tables(board: BoardUnderTest, router: Router) -> None:
    wanted = {"patterns": ["genbrain.events.>"], "agent": "frontend"}
    await board.perform("subscribe", name="all", **wanted)
    await board.perform("subscribe", name="ordered", **wanted, ordered_by="$.payload.key")
    items = await board.post_graph({"a": [], "b": []})
    claims = [await board.claim_item(item) for item in items.values()]
    for claim, pattern in zip(claims, ["genbrain.events.x", None], strict=True):
        asked = {"item": claim.item, "fence": claim.fence, "pattern": pattern, "timeout_seconds": 60, "note": "n"}
        await board.perform("wait_for", by="backend", **asked)
    await check_fold(board)
    for number in range(3):
        await board.perform("publish", subject="genbrain.events.x", data={"key": "k", "n": number})
    await router.run()
    await check_fold(board)
    done = await board.claim("frontend", limit=2)
    await board.finish(done[0], by="frontend")
    await board.fail(done[1], FailureClass.LOGIC, by="frontend")
    await board.perform("cancel", reference="work/b")
    await router.run()
    await check_fold(board)
