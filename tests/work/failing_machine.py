"""The machine of failing agents without its rules: a board, its model, what both say after each step."""

from __future__ import annotations

import os
import sys
from asyncio import Runner
from collections.abc import Coroutine
from datetime import datetime
from itertools import count
from typing import Any, ClassVar

from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant
from hypothesis.strategies import booleans

from slateboard.protocol.errors import SlateError
from slateboard.protocol.work import Claim, NewArtifact, NewTask
from slateboard.store.database import Database
from slateboard.work import breakers
from tests.support.boards import new_board
from tests.support.invariants import check_log
from tests.support.live import check_fold
from tests.work.failing_board import FailingBoard
from tests.work.failing_end import WORKERS, live_out
from tests.work.failing_model import GLOBS, RECOVERY_SECONDS, THRESHOLD, Claimed, Model

MOST_ATTEMPTS = 3
"""In place of 40: after so many a dead letter is not brought back."""
NUMBERS = count(1)
AGENTS = (*WORKERS, "cto")
REFUSED = {("rejected", "cancel", "has_dependents"), ("compensation", "retry", "tried_too_often")}
"""Answers that may be refused: the question's kind, the answer, the error."""

UNDO = """
compensation:
  - {step: deploy, compensate: roll_back}
  - {step: schema, compensate: migrate_down, irreversible: true}
"""

ENDED = """
SELECT x.item, x.fence, x.outcome, x.class, c.until FROM attempts x
LEFT JOIN circuit_breakers c ON c.board = x.board AND c.agent = x.agent
WHERE x.board = $1 AND x.fence = ANY ($2::bigint[]) ORDER BY x.ended_at, x.item
"""
READY = """
SELECT r.item FROM ready r JOIN work_items w ON w.board = r.board AND w.id = r.item
WHERE r.board = $1 AND r.inbox = $2 AND NOT w.guarded
"""
BREAKERS = """
SELECT a.name, c.until, c.probe_fence, coalesce(f.failed, 0) AS failed FROM agents a
LEFT JOIN circuit_breakers c ON c.board = a.board AND c.agent = a.id
LEFT JOIN failure_runs f ON f.board = a.board AND f.agent = a.id WHERE a.board = $1
"""


class FailingMachine(RuleBasedStateMachine):
    """One board in simulated time, next to the model; a subclass has the rules."""

    runner: ClassVar[Runner]
    database: ClassVar[Database]

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.tasks = 0
        self.heard = False
        self.rules: dict[str, dict[str, Any]] = {}
        self.claims: dict[int, Claim] = {}
        self.lost: list[Claim] = []
        self.failures: dict[int, int] = {}
        self.under: FailingBoard | None = None

    @property
    def time(self) -> FailingBoard:
        assert self.under
        return self.under

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    def rows(self, sql: str, *arguments: Any) -> list[dict[str, Any]]:
        return self.run(self.time.rows(sql, *arguments))

    def do(self, operation: str, **arguments: Any) -> Any:
        """The answer of an operation, or the code of its refusal."""
        return self.attempt(self.time.board.perform(operation, **arguments))

    def attempt(self, work: Coroutine[Any, Any, Any]) -> Any:
        try:
            return self.run(work)
        except SlateError as error:
            return error.code if error.remedy else f"{error.code} without a remedy"

    def place(self, item: int) -> str:
        return self.run(self.time.board.place(item))

    def held(self, pick: int) -> Claim | None:
        """Something that runs, claimed now if there is nothing; None if nothing can be claimed."""
        for agent in AGENTS:
            if not self.claims:
                self.claim(agent, 3, patient=bool(pick % 2))
        return self.claims[sorted(self.claims)[pick % len(self.claims)]] if self.claims else None

    def finish_one(self, one: Claim, undo: str | None = None) -> None:
        """Finish a claim as its rules demand; without evidence that is refused, and said twice it is the same."""
        rules = self.rules.get(one.reference, {}) if one.kind == "produce" else {}
        more: dict[str, Any] = {"undo": undo} if undo and one.kind == "produce" else {}
        if "evidence" in rules:
            (answer,) = self.run(self.time.board.finish(one, content="x", **more))
            assert answer.error.code == "evidence_missing"
            more["evidence"] = [{"note": "seen"}]
        (answer,) = self.run(self.time.board.finish(one, content="x", **more))
        assert answer.error is None
        assert self.place(one.item) == ("waiting" if "verify" in rules else "done")
        (again,) = self.run(self.time.board.finish(one, content="x", **more))
        assert (again.version, again.error) == (answer.version, None)

    def answer_one(self, asked: dict[str, Any], text: str) -> bool:
        """Answer a question; False where that is refused: to give up what others wait for, to undo once too often."""
        got = self.do("answer", escalation=asked["item"], answer=text)
        if isinstance(got, str):
            assert (asked["kind"], text, got) in REFUSED, (got, asked, text)
            return False
        assert self.do("answer", escalation=asked["item"], answer=text) == "wrong_state"
        if (asked["kind"], text) == ("breaker", "close"):
            self.model.breakers[asked["reference"].removeprefix("breaker/")].close()
        return True

    @initialize(heard=booleans())
    def make_board(self, *, heard: bool) -> None:
        self.heard = heard
        name = f"failing-{os.getpid()}-{next(NUMBERS)}"
        board = self.run(new_board(self.database, name))
        self.under = FailingBoard(board)
        self.run(self.time.advance(0))
        self.run(board.add_agent("boss", kind="human"))
        self.run(board.add_agent("cto", manager="boss"))
        for agent in WORKERS:
            self.run(board.add_agent(agent, manager="cto"))
        self.run(self._set_rules())
        self.do("apply", documents=[{"source": "undo.yaml", "text": UNDO}])
        self.run(self.post_task({"verify": True}, GLOBS[0], GLOBS[1], {}))

    async def _set_rules(self) -> None:
        async with self.time.board.writing() as tx:
            for agent, fallback in ((None, "escalate_to_human"), ("frontend", "queue_for_retry")):
                await breakers.set_rules(
                    tx, agent=agent, failure_threshold=THRESHOLD, recovery_seconds=RECOVERY_SECONDS, fallback=fallback
                )

    async def post_task(self, schema: dict[str, Any], one: str, other: str, guide: dict[str, Any]) -> None:
        """A task of three steps, one after the other, and two artifacts that touch something."""
        task = f"t{self.tasks}"
        self.tasks += 1
        rules: dict[str, dict[str, Any]] = {
            "schema": schema,
            "deploy": {"keys": ["production"]},
            "smoke": {},
            "docs": {"touches": [one]},
            "guide": {"touches": [other], **guide},
        }
        behind = {"deploy": ("schema",), "smoke": ("deploy",)}
        artifacts = [
            NewArtifact(task=task, name=name, owner=WORKERS[number % 2], rules=rule or None,
                        blocked_by=behind.get(name, ()))
            for number, (name, rule) in enumerate(rules.items())
        ]  # fmt: skip
        await self.time.board.post(*artifacts, tasks=[NewTask(name=task, title=task, delegator="cto")])
        self.rules |= {f"{task}/{name}": rule for name, rule in rules.items()}

    def claim(self, agent: str, limit: int, *, patient: bool) -> None:
        board, now = self.time.board, self.run(self.time.now())
        refusal, probing = self.model.refusal(agent, now), self.model.breakers[agent].until is not None
        ready = {row["item"] for row in self.rows(READY, board.agents[agent])}
        got = self.attempt(board.claim(agent, limit=limit, lease_seconds=86_400 if patient else 60))
        if refusal or isinstance(got, str):
            assert got == refusal
            return
        assert got or not ready or agent in self.model.limits, "what was free was not given"
        assert len(got) <= (1 if probing else limit)
        for one in got:
            self.claims[one.item] = one
        self.model.claim(agent, [self._claimed(agent, one) for one in got])

    def _claimed(self, agent: str, one: Claim) -> Claimed:
        rules = self.rules[one.reference] if one.kind == "produce" else {}
        task = one.reference.partition("/")[0] if one.kind == "produce" else None
        return Claimed(one.item, one.fence, agent, task, *(rules.get(key, [None])[0] for key in ("touches", "keys")))

    @invariant()
    def everything_holds(self) -> None:
        if self.under is None:
            return
        self._tell_the_model(self.run(self.time.now()))
        self.run(self.time.check(MOST_ATTEMPTS + 14))
        for row in self.rows(BREAKERS):
            breaker = self.model.breakers[row["name"]]
            assert (row["until"] is None) == (breaker.until is None), (row, breaker)
            if row["until"] is None:
                assert row["failed"] == breaker.failed, (row, breaker)
            else:
                breaker.until = row["until"]
                assert row["probe_fence"] == breaker.probe, (row, breaker)

    def _tell_the_model(self, now: datetime) -> None:
        """Which claims have ended since the last step, and how; what runs is what the model says."""
        running = {row["item"]: row["fence"] for row in self.rows("SELECT item, fence FROM leases WHERE board = $1")}
        gone = [one for one in self.claims.values() if running.get(one.item) != one.fence]
        if gone:
            ended = {row["fence"]: row for row in self.rows(ENDED, [one.fence for one in gone])}
            for one in sorted(gone, key=lambda one: list(ended).index(one.fence) if one.fence in ended else -1):
                row = ended.get(one.fence, {"outcome": "returned", "class": None})
                first = not self.failures.get(one.item)
                self.model.end(one.item, row["outcome"], row["class"], first=first, now=now)
                self.lost.append(self.claims.pop(one.item))
                if row["outcome"] == "completed":
                    self.lost.pop()
        assert running == {one.item: one.fence for one in self.model.held.values()}
        rows = self.rows("SELECT id, failures FROM work_items WHERE board = $1 AND failures > 0")
        self.failures = {row["id"]: row["failures"] for row in rows}

    def teardown(self) -> None:
        if self.under is None or sys.exc_info()[0] is not None:
            return
        live_out(self, heard=self.heard)
        self.run(check_fold(self.time.board))
        self.run(check_log(self.time.board))
        self.do("archive_board", name=self.time.board.name)
