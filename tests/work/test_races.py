"""Every pair of changes that can meet at one item, in both orders, at every place the item can be in.

The first change stands open with all its locks while the second runs into it. Whatever the order, both end with an
answer or a refusal of ours, and the queue holds its invariants (`tests/work/conftest.py`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from slateboard.protocol.errors import SlateError
from slateboard.protocol.states import FailureClass, Outcome
from slateboard.protocol.work import Beat, Claim, Finish, GiveBack, NewArtifact, Result
from slateboard.transaction import Transaction
from slateboard.work import claims, dead_letters, endings, finish, gates, intake, leases, ratings, revisions, schedule
from tests.support.boards import BoardUnderTest
from tests.support.races import collide

PLACES = ("gated", "scheduled", "ready", "claimed", "dead")


@dataclass
class Scene:
    """The item `a` in one place; `b` waits for it; `c` is unfinished; `d` is free to be blocked; `z` blocks `a`."""

    board: BoardUnderTest
    items: dict[str, int]
    held: dict[str, Claim]

    async def claim(self, tx: Transaction) -> Any:
        return await claims.claim(tx, agent=self.board.agents["backend"], worker="rival", limit=1, lease_seconds=60)

    async def finish(self, tx: Transaction) -> Any:
        return (await finish.finish(tx, finishes=[self._finish("a")]))[0]

    async def finish_blocker(self, tx: Transaction) -> Any:
        return (await finish.finish(tx, finishes=[self._finish("z")]))[0]

    async def fail(self, tx: Transaction) -> Any:
        returned = self._returned(Outcome.FAILED, FailureClass.TRANSIENT)
        return (await finish.give_back(tx, returns=[returned]))[0]

    async def die(self, tx: Transaction) -> Any:
        returned = self._returned(Outcome.FAILED, FailureClass.LOGIC)
        return (await finish.give_back(tx, returns=[returned]))[0]

    async def release(self, tx: Transaction) -> Any:
        return (await finish.give_back(tx, returns=[self._returned(Outcome.RELEASED, None)]))[0]

    async def beat(self, tx: Transaction) -> Any:
        return await leases.renew(tx, beats=[Beat(item=self.items["a"], fence=self._fence("a"), percent=50)])

    async def checkpoint(self, tx: Transaction) -> Any:
        return await leases.checkpoint(tx, item=self.items["a"], fence=self._fence("a"), note="half done")

    async def block(self, tx: Transaction) -> Any:
        return await gates.block_on(tx, item=self.items["a"], fence=self._fence("a"), on=["work/c"])

    async def reap(self, tx: Transaction) -> Any:
        return await leases.expire_due(tx, now=datetime.now(UTC) + timedelta(hours=2))

    async def promote(self, tx: Transaction) -> Any:
        tx.now = datetime.now(UTC) + timedelta(hours=2)
        return await schedule.promote(tx)

    async def rerate(self, tx: Transaction) -> Any:
        return await ratings.refresh(tx, now=datetime.now(UTC) + timedelta(hours=2))

    async def pin(self, tx: Transaction) -> Any:
        return await ratings.pin(tx, item=self.items["a"], rating=7)

    async def cancel(self, tx: Transaction) -> Any:
        return await endings.cancel(tx, reference="work/a")

    async def cancel_waive(self, tx: Transaction) -> Any:
        return await endings.cancel(tx, reference="work/a", waive=True)

    async def cancel_cascade(self, tx: Transaction) -> Any:
        return await endings.cancel(tx, reference="work/a", cascade=True)

    async def discard_waive(self, tx: Transaction) -> Any:
        return await dead_letters.discard(tx, items=[self.items["a"]], reason="no", waive=True)

    async def redrive(self, tx: Transaction) -> Any:
        return await dead_letters.redrive(tx, items=[self.items["a"]])

    async def depend(self, tx: Transaction) -> Any:
        return await gates.depend(tx, reference="work/a", on=["c"])

    async def depend_on_it(self, tx: Transaction) -> Any:
        return await gates.depend(tx, reference="work/d", on=["a"])

    async def post_behind_it(self, tx: Transaction) -> Any:
        return await intake.post(tx, artifacts=[NewArtifact(task="work", name="e", owner="cto", blocked_by=("a",))])

    async def revise(self, tx: Transaction) -> Any:
        return await revisions.revise(tx, reference="work/a")

    def _fence(self, name: str) -> int:
        return self.held[name].fence if name in self.held else 0

    def _finish(self, name: str) -> Finish:
        return Finish(item=self.items[name], fence=self._fence(name), result=Result(content=f"result of {name}"))

    def _returned(self, outcome: Outcome, failure_class: FailureClass | None) -> GiveBack:
        return GiveBack(
            item=self.items["a"], fence=self._fence("a"), outcome=outcome, failure_class=failure_class, error="it broke"
        )


LIVE = ("claim", "promote", "rerate", "pin", "cancel", "cancel_waive", "cancel_cascade", "depend", "depend_on_it",
        "post_behind_it")  # fmt: skip
UNDER_CLAIM = ("finish", "fail", "die", "release", "beat", "checkpoint", "block", "reap")
MEETINGS: dict[str, tuple[str, ...]] = {
    "gated": (*LIVE, "finish_blocker"),
    "scheduled": LIVE,
    "ready": LIVE,
    "claimed": (*LIVE, *UNDER_CLAIM, "revise"),
    "dead": ("redrive", "discard_waive", "cancel_waive", "depend", "depend_on_it", "post_behind_it"),
}
PAIRS = [
    pytest.param(place, first, second, id=f"{place}-{first}-{second}")
    for place, names in MEETINGS.items()
    for first in names
    for second in names
]


async def scene(board: BoardUnderTest, place: str) -> Scene:
    """Set the scene, with `a` in the given place and `due` set, so that its rating changes by itself."""
    due = datetime.now(UTC) + timedelta(hours=1)
    run_at = datetime.now(UTC) + timedelta(hours=1) if place == "scheduled" else None
    await board.post_graph({"z": [], "c": [], "d": []}, owner="cto")
    posted = await board.post(
        NewArtifact(
            task="work",
            name="a",
            owner="backend",
            due=due,
            run_at=run_at,
            blocked_by=("z",) if place == "gated" else (),
        ),
        NewArtifact(task="work", name="b", owner="cto", blocked_by=("a",)),
    )
    names = {name: await board.fetchval("SELECT id FROM work_items WHERE board = $1 AND reference = $2", f"work/{name}")
             for name in "zcd"}  # fmt: skip
    items = names | {name: posted[f"work/{name}"] for name in "ab"}
    made = Scene(board, items, {})
    if place == "gated":
        made.held["z"] = await board.claim_item(items["z"], "cto")
    if place == "claimed":
        made.held["a"] = await board.claim_item(items["a"])
    if place == "dead":
        await board.bury(items["a"])
    assert await board.place(items["a"]) == place
    return made


@pytest.mark.parametrize(("place", "first", "second"), PAIRS)
async def test_any_two_changes_of_one_item_leave_the_queue_whole(
    board: BoardUnderTest, place: str, first: str, second: str
) -> None:
    set_up = await scene(board, place)
    await collide(board, getattr(set_up, first), getattr(set_up, second))


@pytest.mark.parametrize("name", UNDER_CLAIM)
async def test_change_that_is_rolled_back_lets_the_finish_through(board: BoardUnderTest, name: str) -> None:
    set_up = await scene(board, "claimed")
    _, answers = await collide(board, getattr(set_up, name), set_up.finish, commit=False)
    assert answers[0].version == 1


@pytest.mark.parametrize("name", ["beat", "checkpoint"])
@pytest.mark.parametrize("later", ["finish", "release", "beat", "checkpoint", "block"])
async def test_heartbeat_that_is_on_its_way_never_costs_the_claim(board: BoardUnderTest, name: str, later: str) -> None:
    set_up = await scene(board, "claimed")
    _, answer = await collide(board, getattr(set_up, name), getattr(set_up, later))
    assert not isinstance(answer, SlateError), answer
    if isinstance(answer, list):
        assert answer[0].error is None, answer[0].error


async def test_heartbeat_under_way_keeps_the_reaper_off(board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": []})
    claim = await board.claim_item(items["a"], lease_seconds=1)
    late = claim.expires_at + timedelta(seconds=1)

    async def beat(tx: Transaction) -> Any:
        return await leases.renew(tx, beats=[Beat(item=claim.item, fence=claim.fence)], lease_seconds=3600)

    async def reap(tx: Transaction) -> Any:
        return await leases.expire_due(tx, now=late)

    await collide(board, beat, reap)
    assert await board.place(claim.item) == "claimed"
    async with board.chores() as tx:
        assert await leases.expire_due(tx, now=late) == []


OpenCheck = Callable[[Scene], Awaitable[None]]


@pytest.mark.parametrize(("first", "second"), [("finish", "depend_on_it"), ("depend_on_it", "finish"),
                                               ("finish", "post_behind_it"), ("post_behind_it", "finish")])  # fmt: skip
async def test_dependency_added_while_its_blocker_completes_loses_no_unlock(
    board: BoardUnderTest, first: str, second: str
) -> None:
    set_up = await scene(board, "claimed")
    for answer in await collide(board, getattr(set_up, first), getattr(set_up, second)):
        assert not isinstance(answer, SlateError), answer
    rows = await board.fetch(
        "SELECT w.reference, p.place FROM work_items w JOIN item_places p ON p.board = w.board AND p.item = w.id"
        " WHERE w.board = $1 AND w.reference IN ('work/d', 'work/e', 'work/b')"
    )
    assert {row["place"] for row in rows} == {"ready"}, [dict(row) for row in rows]


@pytest.mark.parametrize("second", ["depend_on_it", "post_behind_it"])
async def test_dependent_that_appears_while_its_blocker_is_cancelled_is_refused_or_counted(
    board: BoardUnderTest, second: str
) -> None:
    set_up = await scene(board, "ready")
    # The dependent stands open first: the cancel must see it once it is there.
    await board.perform("cancel", reference="work/b")
    _, answer = await collide(board, getattr(set_up, second), set_up.cancel)
    assert isinstance(answer, SlateError)
    assert answer.code == "has_dependents"


async def test_two_edges_that_close_a_circle_together_do_not_both_come_in(board: BoardUnderTest) -> None:
    await board.post_graph({"a": [], "b": []})

    async def a_on_b(tx: Transaction) -> Any:
        return await gates.depend(tx, reference="work/a", on=["b"])

    async def b_on_a(tx: Transaction) -> Any:
        return await gates.depend(tx, reference="work/b", on=["a"])

    answer, refusal = await collide(board, a_on_b, b_on_a)
    assert not isinstance(answer, SlateError)
    assert isinstance(refusal, SlateError)
    assert refusal.code == "dependency_cycle"
    assert "work/a" in refusal.message
    assert "work/b" in refusal.message


async def test_pause_that_is_committed_stops_the_claim_that_begins_after_it(board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": []})
    set_up = Scene(board, items, {})

    async def pause(tx: Transaction) -> Any:
        from slateboard.board import boards

        return await boards.pause(tx)

    _, during = await collide(board, pause, set_up.claim)
    assert len(during) == 1  # it began before the commit
    after = await board.perform("has_work", agent=board.agents["backend"])
    assert after is False


async def test_artifact_is_revised_once_when_two_ask_at_the_same_time(board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": []})
    await board.complete(items["a"])
    set_up = Scene(board, items, {})
    answer, refusal = await collide(board, set_up.revise, set_up.revise)
    assert answer["version"] == 1
    assert isinstance(refusal, SlateError)
    assert refusal.code == "wrong_state"


async def test_name_posted_twice_at_once_is_taken_once(board: BoardUnderTest) -> None:
    await board.post_graph({"a": []})

    async def post(tx: Transaction) -> Any:
        return await intake.post(tx, artifacts=[NewArtifact(task="work", name="same", owner="backend")])

    answer, refusal = await collide(board, post, post)
    assert list(answer.items) == ["work/same"]
    assert isinstance(refusal, SlateError)
    assert refusal.code == "duplicate_name"


async def test_dead_letter_is_redriven_once_when_two_ask_at_the_same_time(board: BoardUnderTest) -> None:
    set_up = await scene(board, "dead")
    answer, refusal = await collide(board, set_up.redrive, set_up.redrive)
    assert answer["redriven"] == ["work/a"]
    assert isinstance(refusal, SlateError)
    assert refusal.code == "wrong_state"


async def test_finish_sent_twice_at_once_makes_one_version_and_two_equal_answers(board: BoardUnderTest) -> None:
    set_up = await scene(board, "claimed")
    first, second = await collide(board, set_up.finish, set_up.finish)
    assert first == second
    assert first[0].version == 1
