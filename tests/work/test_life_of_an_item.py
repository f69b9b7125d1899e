"""The life of work items by machine: random changes on the real database, next to the plain model of `model.py`.

After each step every item is where the model says, so an unfinished one is in exactly one place; fences only grow; an
item is claimed only when all that it waited for is complete, and opens once for each time it was gated. 40 lives of 30
steps, always the same ones; `SLATE_TEST_EXAMPLES=1000` runs as many new ones.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from slateboard.protocol.errors import SlateError
from slateboard.protocol.states import FailureClass, Outcome
from slateboard.protocol.work import Beat, Claim, Finish, NewArtifact, NewTask, Result
from slateboard.store.database import Database, connect
from tests.support.boards import BoardUnderTest, new_board
from tests.support.invariants import check_board
from tests.work.model import Model

EXAMPLES = int(os.environ.get("SLATE_TEST_EXAMPLES", "40"))
STEPS = 30
MOST_ARTIFACTS = 12
NUMBERS = count(1)

PICKS = st.integers(0, 1000)
SUBSETS = st.sets(PICKS, max_size=3)


class LifeOfItems(RuleBasedStateMachine):
    """One board; each rule is one operation, tried on the board and on the model."""

    runner: ClassVar[asyncio.Runner]
    database: ClassVar[Database]

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.ids: dict[str, int] = {}
        self.claims: dict[str, Claim] = {}
        self.lost: list[Claim] = []
        self.finished: list[tuple[Finish, int]] = []
        self.board: BoardUnderTest

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    def attempt(self, work: Coroutine[Any, Any, Any]) -> Any:
        """The answer, or the code of the refusal."""
        try:
            return self.run(work)
        except SlateError as error:
            return error.code if error.remedy else f"{error.code} without a remedy"

    def names(self, *places: str) -> list[str]:
        return [item.name for item in self.model.items.values() if item.place in places]

    def picked(self, pick: int, names: list[str]) -> str:
        return names[pick % len(names)]

    def artifacts(self, picks: set[int]) -> set[str]:
        known = sorted(self.model.newest)
        return {known[pick % len(known)] for pick in picks} if known else set()

    def blockers_of(self, artifacts: set[str]) -> set[str]:
        return {self.model.newest[artifact] for artifact in artifacts}

    def any_cancelled(self, items: set[str]) -> bool:
        return any(self.model.items[item].place == "cancelled" for item in items)

    @initialize()
    def make_board(self) -> None:
        self.board = self.run(new_board(self.database, f"life-{os.getpid()}-{next(NUMBERS)}", agents=("backend",)))
        self.run(self.board.tolerate_failures())
        self.run(self.board.post(tasks=[NewTask(name="work", title="work")]))
        # The task got its `result`: it is the first artifact.
        self.ids["result"] = self.run(
            self.board.fetchval("SELECT id FROM work_items WHERE board = $1 AND reference = 'work/result'")
        )
        self.model.post("result", set())

    @precondition(lambda self: len(self.model.newest) < MOST_ARTIFACTS)
    @rule(picks=SUBSETS)
    def create(self, picks: set[int]) -> None:
        name = f"a{len(self.model.newest)}"
        on = self.artifacts(picks)
        artifact = NewArtifact(task="work", name=name, owner="backend", blocked_by=tuple(sorted(on)))
        answer = self.attempt(self.board.post(artifact))
        if self.any_cancelled(self.blockers_of(on)):
            assert answer == "wrong_state"
            return
        self.ids[name] = answer[f"work/{name}"]
        self.model.post(name, on)

    @rule(pick=PICKS, picks=SUBSETS)
    def depend(self, pick: int, picks: set[int]) -> None:
        artifact = self.picked(pick, sorted(self.model.newest))
        on = self.artifacts(picks) - {artifact}
        if not on:
            return
        own, blockers = self.model.newest[artifact], self.blockers_of(on)
        answer = self.attempt(self.board.perform("depend", reference=f"work/{artifact}", on=sorted(on)))
        if self.any_cancelled(blockers):
            assert answer == "wrong_state"
        elif self.model.would_close_a_circle(own, blockers):
            assert answer == "dependency_cycle"
        elif self.model.items[own].place not in {"gated", "scheduled", "ready"}:
            assert answer == "already_started"
        else:
            assert answer["item"] == self.ids[own]
            self.model.depend(own, blockers)

    @rule(limit=st.integers(1, 4))
    def claim(self, limit: int) -> None:
        answer = self.attempt(self.board.claim(limit=limit))
        if self.model.paused:
            assert answer == "paused"
            return
        assert len(answer) == min(limit, len(self.names("ready")))
        name_of = {number: name for name, number in self.ids.items()}
        for one in answer:
            name = name_of[one.item]
            self.model.claim(name, one.fence)
            assert one.attempt == self.model.items[name].attempts + 1
            self.claims[name] = one

    @precondition(lambda self: self.claims)
    @rule(pick=PICKS)
    def heartbeat(self, pick: int) -> None:
        one = self.claims[self.picked(pick, sorted(self.claims))]
        beats = [
            Beat(item=one.item, fence=one.fence),
            *(Beat(item=old.item, fence=old.fence) for old in self.lost[-3:]),
        ]
        answers = self.run(self.board.perform("heartbeat", beats=beats))
        assert [answer.error is None for answer in answers] == [True] + [False] * (len(beats) - 1)

    @precondition(lambda self: self.claims)
    @rule(pick=PICKS, content=st.sampled_from(["x", "y"]))
    def finish(self, pick: int, content: str) -> None:
        name = self.picked(pick, sorted(self.claims))
        one = self.claims.pop(name)
        finish = Finish(item=one.item, fence=one.fence, result=Result(content=content))
        answers, _ = self.run(self.board.perform("finish", finishes=[finish]))
        artifact = self.model.items[self.model.items[name].artifact]
        artifact.versions += 1
        assert answers[0].version == artifact.versions, answers
        self.finished.append((finish, artifact.versions))
        self.lost.append(one)
        self.model.finish(name)

    @precondition(lambda self: self.finished)
    @rule(pick=PICKS)
    def finish_again(self, pick: int) -> None:
        finish, version = self.finished[pick % len(self.finished)]
        answers, _ = self.run(self.board.perform("finish", finishes=[finish]))
        assert (answers[0].version, answers[0].error) == (version, None)

    @precondition(lambda self: self.lost)
    @rule(pick=PICKS)
    def finish_under_a_lost_fence(self, pick: int) -> None:
        one = self.lost[pick % len(self.lost)]
        (answer,) = self.run(self.board.finish(one, content="late"))
        assert answer.error is not None
        assert answer.error.code in {"lease_lost", "finish_conflict"}

    @precondition(lambda self: self.claims)
    @rule(pick=PICKS, failure_class=st.sampled_from(FailureClass), delayed=st.booleans())
    def fail(self, pick: int, failure_class: FailureClass, *, delayed: bool) -> None:
        name = self.picked(pick, sorted(self.claims))
        one = self.claims.pop(name)
        given = self.run(self.board.fail(one, failure_class, delay_seconds=3600 if delayed else 0))
        self.model.fail(name, logic=failure_class is FailureClass.LOGIC, delayed=delayed)
        assert given.place == self.model.items[name].place
        self.lost.append(one)

    @precondition(lambda self: self.claims)
    @rule(pick=PICKS, outcome=st.sampled_from([Outcome.RELEASED, Outcome.RETURNED, Outcome.INTERRUPTED]))
    def give_back(self, pick: int, outcome: Outcome) -> None:
        name = self.picked(pick, sorted(self.claims))
        one = self.claims.pop(name)
        given = self.run(self.board.give_back(one, outcome))
        if outcome is Outcome.INTERRUPTED:
            self.model.interrupt(name)
        else:
            self.model.give_back(name, counted=outcome is Outcome.RELEASED)
        assert given.place == self.model.items[name].place
        self.lost.append(one)

    @precondition(lambda self: self.claims)
    @rule(pick=PICKS, picks=SUBSETS)
    def block(self, pick: int, picks: set[int]) -> None:
        name = self.picked(pick, sorted(self.claims))
        on = {one for one in self.artifacts(picks) if self.model.newest[one] != name}
        if not on:
            return
        one, blockers = self.claims[name], self.blockers_of(on)
        work = self.board.perform(
            "block_on", item=one.item, fence=one.fence, on=[f"work/{artifact}" for artifact in sorted(on)]
        )
        answer = self.attempt(work)
        if self.any_cancelled(blockers):
            assert answer == "wrong_state"
        elif self.model.would_close_a_circle(name, blockers):
            assert answer == "dependency_cycle"
        else:
            self.lost.append(self.claims.pop(name))
            self.model.block(name, blockers)
            assert answer["place"] == self.model.items[name].place

    @rule()
    def expire(self) -> None:
        rows = self.run(self.board.expire(now=datetime.now(UTC) + timedelta(hours=2)))
        assert {row["item"] for row in rows} == {self.ids[name] for name in self.claims}
        for name in self.claims:
            self.model.interrupt(name)
        self.lost += self.claims.values()
        self.claims.clear()

    @rule()
    def promote(self) -> None:
        self.run(self.board.promote(now=datetime.now(UTC) + timedelta(hours=2)))
        for name in self.names("scheduled"):
            self.model.items[name].place = "ready"

    @rule(pick=PICKS, mode=st.sampled_from(["", "cascade", "waive"]))
    def cancel(self, pick: int, mode: str) -> None:
        artifact = self.picked(pick, sorted(self.model.newest))
        name = self.model.newest[artifact]
        arguments = {mode: True} if mode else {}
        answer = self.attempt(self.board.perform("cancel", reference=f"work/{artifact}", **arguments))
        if not self.model.items[name].unfinished:
            assert answer == "wrong_state"
        else:
            self._end(name, mode, answer)

    @precondition(lambda self: self.names("dead"))
    @rule(pick=PICKS, mode=st.sampled_from(["", "cascade", "waive"]))
    def discard(self, pick: int, mode: str) -> None:
        name = self.picked(pick, self.names("dead"))
        arguments = {mode: True} if mode else {}
        work = self.board.perform("discard", items=[self.ids[name]], reason="not worth it", **arguments)
        self._end(name, mode, self.attempt(work))

    def _end(self, name: str, mode: str, answer: Any) -> None:
        waiting = self.model.downstream(name)
        if waiting and not mode:
            assert answer == "has_dependents"
            return
        assert isinstance(answer, dict), answer
        for one in {name, *(waiting if mode == "cascade" else ())}:
            self.model.items[one].place = "cancelled"
            if one in self.claims:
                self.lost.append(self.claims.pop(one))
        if mode == "waive":
            self.model.release(name)

    @precondition(lambda self: self.names("dead"))
    @rule(pick=PICKS)
    def redrive(self, pick: int) -> None:
        name = self.picked(pick, self.names("dead"))
        self.run(self.board.perform("redrive", items=[self.ids[name]]))
        self.model.redrive(name)
        assert self.attempt(self.board.perform("redrive", items=[self.ids[name]])) == "wrong_state"

    @rule(pick=PICKS)
    def revise(self, pick: int) -> None:
        artifact = self.picked(pick, sorted(self.model.newest))
        newest = self.model.items[self.model.newest[artifact]]
        answer = self.attempt(self.board.perform("revise", reference=f"work/{artifact}"))
        if newest.unfinished or newest.place == "dead" or not self.model.items[artifact].versions:
            assert answer == "wrong_state"
        else:
            self.ids[self.model.revise(artifact)] = answer["item"]

    @rule()
    def pause_or_resume(self) -> None:
        self.run(self.board.perform("resume" if self.model.paused else "pause"))
        self.model.paused = not self.model.paused

    @invariant()
    def every_item_is_where_the_model_says(self) -> None:
        if not self.ids:
            return
        places = self.run(self.board.places())
        assert places == {self.ids[item.name]: item.place for item in self.model.items.values()}
        rows = self.run(self.board.fetch("SELECT item, remaining FROM gates WHERE board = $1"))
        waiting = {
            self.ids[item.name]: len(item.waits_for) for item in self.model.items.values() if item.place == "gated"
        }
        assert {row["item"]: row["remaining"] for row in rows} == waiting

    def teardown(self) -> None:
        if not self.ids:
            return
        self.run(check_board(self.board))
        opened = Counter(
            item for event in self.run(self.board.log(subject="board.item.opened")) for item in event.payload["items"]
        )
        for item in self.model.items.values():
            assert opened[self.ids[item.name]] == item.opened <= item.gated


def run_lives(machine: type[LifeOfItems], app_url: str) -> None:
    """Run random lives on connections of their own."""
    with asyncio.Runner() as runner:
        machine.runner = runner
        machine.database = runner.run(connect(app_url, size=2))
        try:
            run_state_machine_as_test(
                machine,
                settings=settings(
                    max_examples=EXAMPLES,
                    stateful_step_count=STEPS,
                    database=None,
                    derandomize="SLATE_TEST_EXAMPLES" not in os.environ,
                    suppress_health_check=list(HealthCheck),
                    print_blob=True,
                ),
            )
        finally:
            runner.run(machine.database.close())


@pytest.mark.filterwarnings("ignore:.*unclosed.*:ResourceWarning")
def test_random_lives_agree_with_the_model(app_url: str) -> None:
    run_lives(LifeOfItems, app_url)
