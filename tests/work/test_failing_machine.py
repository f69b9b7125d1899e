"""When agents fail, by machine: random verdicts, questions, failures, budgets and hours on the real database.

The model of `failing_model.py` says what each claim may get; it is told of claims and of how they end. After each step
everything of `failing_board.py` holds, and breakers stand as the model says; at the end the fold of the log is the live
tables. 10 lives of 40 steps, always the same ones; `SLATE_TEST_EXAMPLES=1000` runs as many new ones.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from slateboard.protocol.states import FailureClass, Outcome
from slateboard.store.database import connect
from slateboard.work import dead_letters
from tests.support.servers import Server
from tests.support.simulated import simulated
from tests.work.failing_board import LEAD
from tests.work.failing_end import QUESTIONS, REVIEWS
from tests.work.failing_machine import AGENTS, MOST_ATTEMPTS, WORKERS, FailingMachine
from tests.work.failing_model import GLOBS

EXAMPLES = int(os.environ.get("SLATE_TEST_EXAMPLES", "10"))
STEPS = 40
MOST_TASKS = 4
PICKS = st.integers(0, 1000)
MODES = st.sampled_from(["", "cascade", "waive"])

ENDING = """
SELECT id, reference, kind FROM work_items
WHERE board = $1 AND outcome IS NOT DISTINCT FROM $2 AND (kind = 'produce' OR $2 = 'dead') ORDER BY id
"""


class FailingAgents(FailingMachine):
    """Each rule is one operation, or hours and the leader."""

    @precondition(lambda self: self.tasks < MOST_TASKS)
    @rule(verify=st.booleans(), globs=st.lists(st.sampled_from(GLOBS), min_size=2, max_size=2), proof=st.booleans())
    def post(self, *, verify: bool, globs: list[str], proof: bool) -> None:
        schema: dict[str, Any] = {"verify": True} if verify else {}
        self.run(self.post_task(schema, globs[0], globs[1], {"evidence": ["note"]} if proof else {}))

    @rule(agent=st.sampled_from(AGENTS), limit=st.integers(1, 5), patient=st.booleans())
    def start(self, agent: str, limit: int, *, patient: bool) -> None:
        self.claim(agent, limit, patient=patient)

    @rule(pick=PICKS, undo=st.sampled_from([None, "unpublish"]))
    def finish(self, pick: int, undo: str | None) -> None:
        one = self.held(pick)
        if one is None or one.kind in {"verify", "answer"}:
            return
        self.finish_one(one, undo)

    @precondition(lambda self: self.lost)
    @rule(pick=PICKS)
    def finish_late(self, pick: int) -> None:
        one = self.lost[pick % len(self.lost)]
        (answer,) = self.run(self.time.board.finish(one, content="late"))
        assert answer.error
        assert answer.error.code in {"lease_lost", "finish_conflict"}

    @rule(pick=PICKS, failure_class=st.sampled_from(FailureClass))
    def fail(self, pick: int, failure_class: FailureClass) -> None:
        if one := self.held(pick):
            assert self.run(self.time.board.fail(one, failure_class)).error is None

    @rule(pick=PICKS, outcome=st.sampled_from([Outcome.RELEASED, Outcome.RETURNED, Outcome.INTERRUPTED]))
    def give_back(self, pick: int, outcome: Outcome) -> None:
        if one := self.held(pick):
            assert self.run(self.time.board.give_back(one, outcome)).error is None

    @rule(pick=PICKS, default=st.sampled_from([None, "yes"]), hours=st.integers(1, 8))
    def ask(self, pick: int, default: str | None, hours: int) -> None:
        one = self.held(pick)
        if one is None or one.kind != "produce":
            return
        seconds = hours * 3600.0
        asked = self.do("ask", item=one.item, fence=one.fence, question="?", default=default, deadline_seconds=seconds)
        assert self.place(one.item) == asked["place"] == "waiting"

    @rule(pick=PICKS, choice=PICKS)
    def answer(self, pick: int, choice: int) -> None:
        open_ = self.rows(QUESTIONS)
        if not open_:
            return
        asked = open_[pick % len(open_)]
        text = asked["options"][choice % len(asked["options"])] if asked["options"] else "yes"
        self.answer_one(asked, text)

    @rule(pick=PICKS, approve=st.booleans())
    def judge(self, pick: int, *, approve: bool) -> None:
        open_ = self.rows(REVIEWS)
        if not open_:
            return
        one = open_[pick % len(open_)]
        said = {"item": one["item"], "verdict": "approve" if approve else "reject", "reason": "so", "hash": one["hash"]}
        assert self.do("judge", **said, version=one["version"] + 1) == "version_conflict"
        assert self.do("judge", **said, version=one["version"], by=one["author"]) == "not_yours"
        assert isinstance(self.do("judge", **said, version=one["version"]), dict)
        assert self.do("judge", **said, version=one["version"]) == "wrong_state"
        third = not approve and one["rejected"] % 3 == 2
        assert self.place(one["about"]) == ("done" if approve else "waiting" if third else "ready")

    @rule(hours=st.sampled_from([0.1, 1, 3, 5, 20]))
    def advance(self, hours: float) -> None:
        self.run(self.time.advance(hours))

    @rule(hours=st.sampled_from([0, 1, 5]), order=st.permutations(range(len(LEAD))))
    def lead(self, hours: float, order: list[int]) -> None:
        self.run(self.time.advance(hours))
        before = self.run(self.time.now())
        self.run(self.time.lead(order))
        self.model.watch()
        self.run(self.time.check_nothing_is_late(before))

    @rule(pick=PICKS, cost=st.integers(1, 4))
    def use(self, pick: int, cost: int) -> None:
        one = self.held(pick)
        if one is None:
            return
        assert isinstance(self.do("report_usage", item=one.item, fence=one.fence, cost=float(cost)), dict)
        self.model.use(self.model.held[one.item], cost)

    @precondition(lambda self: self.tasks)
    @rule(agent=st.sampled_from([None, *WORKERS]), pick=PICKS, cost=st.sampled_from([None, 3.0, 9.0]))
    def budget(self, agent: str | None, pick: int, cost: float | None) -> None:
        name = agent or f"t{pick % self.tasks}"
        of = {"agent" if agent else "task": name}
        known = self.model.budgets[name].cost is not None
        got = self.do("set_budget", **of, cost=cost) if cost else self.do("remove_budget", **of)
        assert isinstance(got, dict) == bool(cost or known), got
        self.model.budget(name, cost)

    @rule(name=st.sampled_from([*WORKERS, "production"]), most=st.sampled_from([None, 1, 2]))
    def limit(self, name: str, most: int | None) -> None:
        scope = "key" if name == "production" else "agent"
        operation, more = ("set_limit", {"concurrency": most}) if most else ("remove_limit", {})
        got = self.do(operation, scope=scope, name=name, **more)
        assert isinstance(got, dict) == bool(most or name in self.model.limits), got
        self.model.limits.pop(name, None)
        if most:
            self.model.limits[name] = most

    @rule(agent=st.sampled_from(WORKERS), verb=st.sampled_from(["open", "close", "reset"]))
    def meddle(self, agent: str, verb: str) -> None:
        breaker = self.model.breakers[agent]
        more = {} if verb == "reset" else {"reason": "by hand"}
        got = self.do(f"{verb}_breaker", agent=agent, **more)
        assert isinstance(got, dict) == (verb == "reset" or (verb == "open") != bool(breaker.until)), got
        if verb != "open" and isinstance(got, dict):
            breaker.close()
        elif verb == "open" and not breaker.until:
            breaker.until = self.run(self.time.now())

    @rule(pick=PICKS, dry_run=st.booleans())
    def redrive(self, pick: int, *, dry_run: bool) -> None:
        dead = self.rows("SELECT id, attempts FROM work_items WHERE board = $1 AND outcome = 'dead' ORDER BY id")
        if not dead:
            return
        one = dead[pick % len(dead)]
        got = self.do("redrive", items=[one["id"]], dry_run=dry_run)
        if one["attempts"] >= MOST_ATTEMPTS:
            assert got == "tried_too_often"
        else:
            assert len(got["redriven"]) == 1
        assert (self.place(one["id"]) == "dead") == (dry_run or one["attempts"] >= MOST_ATTEMPTS)

    @rule(pick=PICKS, mode=MODES, dead=st.booleans())
    def end(self, pick: int, mode: str, *, dead: bool) -> None:
        rows = self.rows(ENDING, "dead" if dead else None)
        if not rows:
            return
        one = rows[pick % len(rows)]
        what = {"items": [one["id"]], "reason": "no"} if dead else {"reference": one["reference"]}
        got = self.do("discard" if dead else "cancel", **what, **({mode: True} if mode else {}))
        assert got == "has_dependents" if isinstance(got, str) else True
        assert not (mode and isinstance(got, str)), got
        assert (self.place(one["id"]) == "cancelled") == isinstance(got, dict)
        if mode == "waive":
            self.time.waived.append(one["id"])

    @precondition(lambda self: self.tasks)
    @rule(pick=PICKS)
    def compensate(self, pick: int) -> None:
        got = self.do("compensate", task=f"t{pick % self.tasks}", reason="by hand")
        assert isinstance(got, dict), got
        again = self.do("compensate", task=got["task"], reason="once more")
        assert not any(again[name] for name in ("posted", "unknown")), again


@pytest.mark.filterwarnings("ignore:.*unclosed.*:ResourceWarning")
def test_whatever_fails_in_whatever_order_the_board_survives(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letters, "MAX_ATTEMPTS_IN_ALL", MOST_ATTEMPTS)
    profile = settings(
        max_examples=EXAMPLES, stateful_step_count=STEPS, database=None, print_blob=True,
        derandomize="SLATE_TEST_EXAMPLES" not in os.environ, suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    with simulated(server, "failing") as url, asyncio.Runner() as runner:
        FailingAgents.runner = runner
        FailingAgents.database = runner.run(connect(url, size=2))
        try:
            run_machine(FailingAgents, settings=profile)
        finally:
            runner.run(FailingAgents.database.close())
