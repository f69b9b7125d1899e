"""Meetings by machine: random absences, deaths, concerns, motions, votes and timeouts, by a clock that is moved.

Whatever happens, a meeting comes to a valid end: somebody is always asked something while it is open, no vote comes
from no seat, no action item from a motion that failed, nothing is done past the limit, and the fold of the log is the
board.
25 meetings of 30 steps, always the same ones; `SLATE_TEST_EXAMPLES=1000` runs as many new ones.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Coroutine
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from slateboard.interfaces.operations import OPERATIONS
from slateboard.patterns.meetings import timing
from slateboard.patterns.meetings.rules import tally
from slateboard.protocol.errors import SlateError
from slateboard.protocol.meetings import DecisionModel
from slateboard.protocol.rights import SYSTEM
from slateboard.protocol.states import FailureClass
from slateboard.protocol.work import Claim, Finish, Result
from slateboard.store.database import Database, connect
from slateboard.transaction import writing
from slateboard.work import finish
from tests.support.boards import BoardUnderTest, new_board
from tests.support.invariants import check_board
from tests.support.live import check_fold
from tests.support.meetings import TURNS

EXAMPLES = int(os.environ.get("SLATE_TEST_EXAMPLES", "25"))
STEPS = 30
NUMBERS = count(1)
AGENTS = ["cto", "backend", "frontend", "devops"]
MINUTES = 20

PICKS = st.integers(0, 100)
WHO = st.sampled_from([*AGENTS, "stranger"])

LATE = """
SELECT (SELECT count(*) FROM statements s JOIN meetings m ON m.board = s.board AND m.id = s.meeting
        WHERE s.board = $1 AND s.said_at >= m.ends_at)
     + (SELECT count(*) FROM vote_changes v JOIN meetings m ON m.board = v.board AND m.id = v.meeting
        WHERE v.board = $1 AND v.voted_at >= m.ends_at)
     + (SELECT count(*) FROM motions o JOIN meetings m ON m.board = o.board AND m.id = o.meeting
        WHERE o.board = $1 AND o.proposed_at >= m.ends_at)
     + (SELECT count(*) FROM agenda_items i JOIN meetings m ON m.board = i.board AND m.id = i.meeting
        WHERE i.board = $1 AND i.closed_at >= m.ends_at AND i.outcome <> 'deferred')
"""

# Meetings that are open or wait, and nobody is asked anything that has a time.
HANGING = """
SELECT m.id, m.state FROM meetings m WHERE m.board = $1 AND (
    m.state = 'waiting' AND m.waits_until IS NULL
    OR m.state = 'escalated' AND NOT EXISTS (
        SELECT FROM escalations e WHERE e.board = m.board AND e.item = m.escalation AND e.answered_at IS NULL)
    OR m.state = 'open' AND NOT EXISTS (
        SELECT FROM meeting_turns t WHERE t.board = m.board AND t.meeting = m.id AND t.ended_at IS NULL
          AND t.kind <> 'join' AND t.deadline IS NOT NULL)
    OR m.state IN ('adjourned', 'cancelled') AND EXISTS (
        SELECT FROM meeting_turns t WHERE t.board = m.board AND t.meeting = m.id AND t.ended_at IS NULL))
"""

# Action items that became a task though their motion was not approved, or the reverse; and tasks of no action item.
UNEARNED = """
SELECT a.id FROM action_items a
WHERE a.board = $1 AND (a.task IS NOT NULL) <> EXISTS (
    SELECT FROM agenda_items i WHERE i.board = a.board AND i.meeting = a.meeting AND i.motion = a.motion
      AND i.outcome = 'approved')
UNION ALL
SELECT t.id FROM tasks t WHERE t.board = $1 AND (t.agent IS NULL OR NOT EXISTS (
    SELECT FROM action_items a WHERE a.board = t.board AND a.task = t.name AND t.source = 'meeting:' || a.meeting))
"""

CLOSED = """
SELECT i.number, i.outcome, i.decision, m.quorum, m.decision_model,
       (SELECT count(*) FROM meeting_seats s WHERE s.board = m.board AND s.meeting = m.id AND s.seated) AS seats,
       (SELECT count(*) FROM statements s WHERE s.board = m.board AND s.meeting = m.id AND s.number = i.number
          AND s.kind = 'concern' AND s.settled IS NULL) AS concerns,
       ARRAY(SELECT v.choice FROM votes v WHERE v.board = m.board AND v.meeting = m.id AND v.number = i.number) AS votes
FROM agenda_items i JOIN meetings m ON m.board = i.board AND m.id = i.meeting
WHERE i.board = $1 AND i.stage = 'closed'
"""

SEATLESS = """
SELECT v.agent FROM votes v LEFT JOIN meeting_seats s
  ON s.board = v.board AND s.meeting = v.meeting AND s.agent = v.agent AND s.seated
WHERE v.board = $1 AND (s.agent IS NULL OR v.choice = 'veto' AND NOT s.may_veto)
"""


class LifeOfMeetings(RuleBasedStateMachine):
    """One board with one meeting after the other; each rule is something that a participant or the time does."""

    runner: ClassVar[asyncio.Runner]
    database: ClassVar[Database]
    ends: ClassVar[Counter[str]]

    def __init__(self) -> None:
        super().__init__()
        self.claims: list[tuple[str, Claim]] = []
        self.meeting = 0
        self.now = datetime.now(UTC)
        self.board: BoardUnderTest

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    def attempt(self, work: Coroutine[Any, Any, Any]) -> Any:
        """The answer, or None where it was refused."""
        with suppress(SlateError):
            return self.run(work)
        return None

    async def act(self, operation: str, by: str | None, **given: Any) -> Any:
        """One operation, at the time of the moved clock."""
        async with self.board.writing(by=by, now=self.now) as tx:
            return await OPERATIONS[operation].load()(tx, **given)

    async def hand_in(self, by: str, claim: Claim, content: str | None) -> None:
        given = Finish(item=claim.item, fence=claim.fence, result=Result(content=content))
        async with self.board.hot(by=by) as tx:
            await finish.finish(tx, finishes=[given], now=self.now)

    def asked(self) -> list[dict[str, Any]]:
        return [dict(row) for row in self.run(self.board.fetch(TURNS))]

    @initialize(
        optional=st.booleans(), quorum=st.sampled_from([None, 1, 4]), model=st.sampled_from(DecisionModel),
        required=st.booleans(),
    )  # fmt: skip
    def make_board(self, optional: bool, quorum: int | None, model: DecisionModel, required: bool) -> None:
        name = f"meet-{os.getpid()}-{next(NUMBERS)}"
        self.board = self.run(new_board(self.database, name, agents=[*AGENTS, "stranger"]))
        self.run(self.board.tolerate_failures())
        given: dict[str, Any] = {"optional": ["devops"]} if optional else {}
        if model is DecisionModel.MAJORITY_WITH_VETO:
            given["veto_roles"] = ["backend"]
        made = self.run(self.act(
            "schedule_meeting", "cto", title="m", participants=AGENTS, agenda=["a", "b", "c"], quorum=quorum,
            decision_model=model, decision_required=required, max_duration_minutes=MINUTES, **given,
        ))  # fmt: skip
        self.meeting = made["meeting"]

    @rule(pick=PICKS)
    def claim(self, pick: int) -> None:
        asked = self.asked()
        if not asked:
            return
        turn = asked[pick % len(asked)]
        claim = self.attempt(self.board.claim_item(turn["item"], turn["name"]))
        if claim:
            self.claims.append((turn["name"], claim))

    @rule(pick=PICKS, content=st.sampled_from([None, "approve", "approve", "reject", "I think so", "veto"]))
    def end_claim(self, pick: int, content: str | None) -> None:
        if self.claims:
            by, claim = self.claims.pop(pick % len(self.claims))
            self.run(self.hand_in(by, claim, content))

    @rule(mood=st.sampled_from(["approve", "approve", "reject", "silent"]), times=st.integers(3, 12))
    def go_on(self, mood: str, times: int) -> None:
        """Those who are asked do as they are asked: they come, propose, and vote."""
        for _ in range(times):
            ready = [one for one in self.asked() if one["item"] not in {claim.item for _, claim in self.claims}]
            claim = ready and self.attempt(self.board.claim_item(ready[0]["item"], ready[0]["name"]))
            if not claim:
                return
            turn, content = ready[0], {"motion": "do it", "vote": mood}.get(ready[0]["kind"])
            if turn["kind"] == "turn" and mood != "silent":
                self.propose(turn["name"], action=True)
            if turn["kind"] == "concerns" and mood == "approve":
                self.settle("overruled", turn["name"])
            self.run(self.hand_in(turn["name"], claim, None if mood == "silent" else content))

    @rule(pick=PICKS)
    def fail(self, pick: int) -> None:
        if self.claims:
            _, claim = self.claims.pop(pick % len(self.claims))
            self.attempt(self.board.fail(claim, FailureClass.LOGIC))

    @rule(who=WHO, text=st.sampled_from(["say", "concern"]))
    def speak(self, who: str, text: str) -> None:
        self.attempt(self.act(text, who, meeting=self.meeting, text="hm"))

    @rule(who=WHO, action=st.booleans())
    def propose(self, who: str, action: bool) -> None:
        actions = [{"title": "do it", "owner": "stranger"}] if action else []
        self.attempt(self.act("propose", who, meeting=self.meeting, motion="do it", actions=actions))

    @rule(who=WHO, choice=st.sampled_from(["approve", "approve", "reject", "abstain", "veto", "maybe"]))
    def vote(self, who: str, choice: str) -> None:
        self.attempt(self.act("vote", who, meeting=self.meeting, choice=choice))

    @rule(who=WHO)
    def join(self, who: str) -> None:
        self.attempt(self.act("join_meeting", who, meeting=self.meeting))

    @rule(who=WHO)
    def pass_turn(self, who: str) -> None:
        self.attempt(self.act("pass_turn", who, meeting=self.meeting))

    @rule(how=st.sampled_from(["resolved", "overruled"]), who=WHO)
    def settle(self, how: str, who: str) -> None:
        open_ = "SELECT id FROM statements WHERE board = $1 AND kind = 'concern' AND settled IS NULL ORDER BY id"
        concern = self.run(self.board.fetchval(open_))
        if concern:
            self.attempt(self.act("settle_concern", who, concern=concern, how=how, reason="so"))

    @rule(answer=st.sampled_from(["retry", "cancel"]))
    def answer(self, answer: str) -> None:
        open_ = "SELECT item FROM escalations WHERE board = $1 AND answered_at IS NULL AND kind = 'quorum'"
        asked = self.run(self.board.fetchval(open_))
        if asked:
            self.attempt(self.act("answer", None, escalation=asked, answer=answer))

    @rule(who=WHO, rarely=st.integers(0, 9))
    def adjourn(self, who: str, rarely: int) -> None:
        if rarely == 0:
            self.attempt(self.act("adjourn_meeting", who, meeting=self.meeting, reason="enough"))

    @rule(seconds=st.sampled_from([1, 6, 30, 61, 91, 301]), looks=st.booleans())
    def pass_time(self, seconds: int, looks: bool) -> None:
        """Time passes; the leader takes back leases, and looks at the meetings, or is late."""
        self.now += timedelta(seconds=seconds)
        if looks:
            self.run(self.board.expire(now=self.now))
            self.look()

    def look(self) -> None:
        async def act() -> bool:
            async with self.board.hot() as tx:
                due = [
                    one for board, one in await timing.due(tx, now=self.now, limit=100_000) if board == self.board.id
                ]
            for meeting in due:
                async with writing(self.database, SYSTEM, self.board.id, now=self.now) as tx:
                    await timing.time_out(tx, meeting)
            return bool(due)

        for _ in range(20):
            if not self.run(act()):
                return
        raise AssertionError

    @invariant()
    def nothing_is_wrong(self) -> None:
        if not self.meeting:
            return
        for name, sql in (("hangs", HANGING), ("unearned", UNEARNED), ("no seat", SEATLESS)):
            rows = self.run(self.board.fetch(sql))
            assert not rows, f"{name}: {[dict(row) for row in rows]}"
        assert self.run(self.board.fetchval(LATE)) == 0
        for row in self.run(self.board.fetch(CLOSED)):
            made = tally(
                row["votes"], seats=row["seats"], quorum=row["quorum"], model=DecisionModel(row["decision_model"])
            )
            if row["outcome"] != "deferred":
                assert row["outcome"] == made.value
            if row["outcome"] == "approved":
                assert row["decision"] is not None
                assert row["concerns"] == 0

    def teardown(self) -> None:
        if not self.meeting:
            return
        for _ in range(4):
            self.now += timedelta(minutes=MINUTES)
            self.look()
        state = self.run(self.board.fetchval("SELECT state FROM meetings WHERE board = $1"))
        assert state in {"adjourned", "cancelled", "escalated"}
        self.ends[state] += 1
        self.ends.update(row["outcome"] for row in self.run(self.board.fetch(CLOSED)))
        self.nothing_is_wrong()
        self.run(check_board(self.board))
        self.run(check_fold(self.board))


def test_every_meeting_comes_to_a_valid_end(app_url: str) -> None:
    with asyncio.Runner() as runner:
        database = runner.run(connect(app_url, size=4))
        ends: Counter[str] = Counter()
        machine = type("Meetings", (LifeOfMeetings,), {"runner": runner, "database": database, "ends": ends})
        try:
            run_state_machine_as_test(
                machine,
                settings=settings(
                    max_examples=EXAMPLES,
                    stateful_step_count=STEPS,
                    database=None,
                    print_blob=True,
                    derandomize="SLATE_TEST_EXAMPLES" not in os.environ,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(database.close())
    if EXAMPLES >= 25:  # not only those that came to nothing
        assert {"adjourned", "approved", "deferred"} <= set(ends), ends


pytestmark = pytest.mark.usefixtures("server")
