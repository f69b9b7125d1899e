"""What an audit says of delegations, threads and meetings is what the tables say, whatever happened."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from slateboard.interfaces.operations import perform
from slateboard.patterns.peers import routes
from slateboard.protocol.errors import SlateError
from slateboard.protocol.states import FailureClass
from slateboard.protocol.work import NewTask
from slateboard.store.database import connect
from tests.patterns.meetings.conftest import SEATS, meeting
from tests.patterns.meetings.test_machine import LifeOfMeetings
from tests.patterns.peers.conftest import ROUTES
from tests.patterns.peers.test_consults import late
from tests.patterns.test_delegation import SEEN, settle, tree
from tests.reports.test_audit_truth import check_audit
from tests.support.boards import BoardUnderTest, Clock
from tests.support.meetings import MeetingUnderTest

__all__ = ["meeting"]
"""A fixture of the meetings, used here."""

EXAMPLES = int(os.environ.get("SLATE_TEST_EXAMPLES", "6"))
DELEGATIONS = """
SELECT t.name AS task, d.name AS delegator, g.name AS agent, x.state, x.delegated_at, x.settled_at, x.reason
FROM delegations x JOIN tasks t ON t.board = x.board AND t.id = x.task
JOIN agents g ON g.board = x.board AND g.id = x.agent JOIN agents d ON d.board = x.board AND d.id = x.delegator
WHERE x.board = $1
"""
THREADS = "SELECT id AS thread, topic, correlation, opened_by, opened_at FROM threads WHERE board = $1"
MEMBERS = """
SELECT m.thread, g.name, m.read_to FROM thread_members m JOIN agents g ON g.board = m.board AND g.id = m.agent
WHERE m.board = $1
"""
MESSAGES = "SELECT id AS message, thread, kind, said_by, text, data, consult FROM messages WHERE board = $1 ORDER BY id"
CONSULTS = """
SELECT c.item AS consult, c.thread, c.request, c.correlation, a.name AS asker, o.name AS other, e.question, e.deadline,
       e.level, e.answer, e.answered_by, e.answered_at
FROM consults c JOIN escalations e ON e.board = c.board AND e.item = c.item
JOIN agents a ON a.board = c.board AND a.id = c.asker LEFT JOIN agents o ON o.board = c.board AND o.id = c.other
WHERE c.board = $1
"""
REQUESTS = """
SELECT r.id AS request, r.capability, g.name AS asker, r.thread, r.answers, r.deadline, r.asked_at, r.closed_at
FROM requests r JOIN agents g ON g.board = r.board AND g.id = r.asker WHERE r.board = $1
"""


async def check_organised(board: BoardUnderTest) -> dict[str, Any]:
    """Hold delegations, threads, consults, requests and minutes against the live tables; returns the report."""
    told = await check_audit(board)
    await check_told(board, told)
    return told


async def check_told(board: BoardUnderTest, told: dict[str, Any]) -> None:
    """The parts of a report that tell of the organisation."""
    newest = {one["task"]: one for one in told["delegations"]}
    # What was given back, or is its delegator's own again, has no row any more where a later change took it away.
    assert _same(newest, await board.fetch(DELEGATIONS), "task")
    threads = {one["thread"]: one for one in told["threads"]}
    assert _same(threads, await board.fetch(THREADS), "thread")
    members = {(one["thread"], name): read for one in told["threads"] for name, read in one["members"].items()}
    assert members == {(row["thread"], row["name"]): row["read_to"] for row in await board.fetch(MEMBERS)}
    said = {one["message"]: {**one, "thread": row["thread"]} for row in told["threads"] for one in row["messages"]}
    assert _same(said, await board.fetch(MESSAGES), "message")
    assert len(said) == await board.fetchval("SELECT count(*) FROM messages WHERE board = $1")
    consults = {one["consult"]: one for one in told["consults"]}
    assert _same(consults, await _without_withdrawn(board), "consult")
    assert len(consults) == await board.fetchval("SELECT count(*) FROM consults WHERE board = $1")
    assert _same({one["request"]: one for one in told["requests"]}, await board.fetch(REQUESTS), "request")
    await _check_minutes(board, told)


def _same(found: dict[Any, dict[str, Any]], rows: list[Any], key: str) -> bool:
    """Each row of the table is in the report as it is."""
    for row in rows:
        one = found[row[key]]
        assert {name: one[name] for name in row.keys()} == dict(row)  # noqa: SIM118  a record
    return True


async def _without_withdrawn(board: BoardUnderTest) -> list[Any]:
    """The consults but those that were cancelled: the table of escalations does not tell of that."""
    withdrawn = "SELECT id FROM work_items WHERE board = $1 AND outcome = 'cancelled'"
    gone = {row["id"] for row in await board.fetch(withdrawn)}
    return [row for row in await board.fetch(CONSULTS) if row["consult"] not in gone]


async def _check_minutes(board: BoardUnderTest, told: dict[str, Any]) -> None:
    live = [one["meeting"] for one in await board.perform("list_meetings")]
    assert sorted(live) == [one["meeting"] for one in told["meetings"]]
    for one in told["meetings"]:
        minutes = await board.perform("minutes", meeting=one["meeting"])
        for name in one.keys() & minutes.keys() - {"seats", "agenda"}:
            assert one[name] == minutes[name], name
        for seat, wanted in zip(one["seats"], minutes["seats"], strict=True):
            assert seat == {name: wanted[name] for name in seat}
        for item, wanted in zip(one["agenda"], minutes["agenda"], strict=True):
            for name in item.keys() & wanted.keys() - {"statements", "concerns", "actions"}:
                assert item[name] == wanted[name], name
            for name in ("statements", "concerns", "actions"):
                assert len(item[name]) == len(wanted[name])
                for row, live_row in zip(item[name], wanted[name], strict=True):
                    assert {key: row[key] for key in live_row.keys() & row.keys()} == {
                        key: live_row[key] for key in live_row.keys() & row.keys()
                    }


async def test_delegations_are_told_as_the_tables_have_them(board: BoardUnderTest, clock: Clock) -> None:
    """Acknowledged, declined with a claim in hand, silent and reassigned, handed on by a removal."""
    for name in ("backend", "frontend"):
        await board.perform("change_agent", name=name, manager="cto", capabilities=["python"])
    await board.add_agent("ceo")
    await tree(board, "ceo", "cto", "backend")
    (claim,) = await board.claim("backend")
    await check_organised(board)
    await board.perform("decline", by="backend", task="t2", reason="not my <field>")
    told = await check_organised(board)
    (declined,) = [one for one in told["delegations"] if one["state"] == "declined"]
    assert (declined["delegator"], declined["agent"], declined["to"], declined["reason"], declined["depth"]) == (
        "cto", "backend", "cto", "not my <field>", 2,
    )  # fmt: skip
    ended = next(one for row in told["artifacts"] for one in row["attempts"] if one["item"] == claim.item)
    assert (ended["outcome"], ended["error"]) == ("cancelled", "handed over")
    await board.perform("reassign", by="cto", task="t2", agent="frontend", reason="it can")
    before, later = clock.now - timedelta(seconds=30), clock.now + timedelta(seconds=59)
    await board.fetch(SEEN, board.agents["frontend"], before, before)
    await board.fetch(SEEN, board.agents["backend"], before, later)
    await settle(board, clock, seconds=70)
    told = await check_organised(board)
    states = [
        (one["agent"], one["state"], one["then"], one["to"]) for one in told["delegations"] if one["task"] == "t2"
    ]
    assert states == [
        ("backend", "declined", "returned", "cto"),
        ("frontend", "unanswered", "reassigned", "backend"),
        ("backend", "pending", None, None),
    ]
    heard = clock.now + timedelta(seconds=2)
    await board.fetch(SEEN, board.agents["backend"], heard, heard)
    await settle(board, clock, seconds=5)
    told = await check_organised(board)
    (handed,) = [one for one in told["hand_overs"] if (one["kind"], one["to"]) == ("delegation", "t2")]
    assert (handed["from_agent"], handed["to_agent"]) == ("cto", "backend")
    await board.perform("remove_agent", name="backend", to="frontend", reason="retired")
    told = await check_organised(board)
    assert [one["what"] for one in told["control"]] == [
        "declined", "reassigned", "reassigned", "paused", "agent removed",
    ]  # fmt: skip


async def test_overrides_and_pins_are_told_as_they_were_made(board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": [], "b": []})
    await board.perform("override", item=items["a"], agent="frontend", rating=900, reason="backend is away")
    await board.perform("pin", item=items["b"], rating=7, reason="first of all")
    await board.perform("pin", item=items["b"], rating=None)
    told = await check_organised(board)
    rows = [(one["what"], one["references"], one["to"], one["rating"], one["reason"]) for one in told["control"]]
    assert rows == [
        ("overridden", ["work/a"], "frontend", None, "backend is away"),
        ("pinned", ["work/a"], None, 900, "backend is away"),
        ("pinned", ["work/b"], None, 7, "first of all"),
        ("unpinned", ["work/b"], None, None, None),
    ]
    assert {one["by"] for one in told["control"]} == {"admin"}


async def talk(board: BoardUnderTest) -> dict[str, Any]:
    """A consult that gates, one that is refused, one in a loop, a notice, an open request, a reply."""
    async with board.writing() as tx:
        await routes.add(tx, routes=ROUTES, source="RoutingTable/agents")
    (item,) = (await board.post_graph({"api": []})).values()
    claim = await board.claim_item(item)
    asked = await board.perform(
        "consult", by="backend", to="cto", question="Is it <safe>?", item=claim.item, fence=claim.fence
    )
    with pytest.raises(SlateError):
        await board.perform("consult", by="backend", to="frontend", question="May I?")
    (duty,) = await board.claim("cto")
    await check_organised(board)
    await board.perform("notify", by="backend", label="API contract changes", text="v2", data={"version": 2})
    arguments = {"to": "backend", "question": "Why?"}
    with pytest.raises(SlateError):
        await perform(board.database, board.actor("cto"), board.id, "consult", arguments, under=(duty.item, duty.fence))
    await board.finish(duty, by="cto", content="It is, =1+1")
    await board.perform("reply", by="backend", thread=asked["thread"], text="Thanks")
    await board.perform("acknowledge", by="cto", thread=asked["thread"])
    for name in ("cto", "frontend"):
        await board.perform("change_agent", name=name, capabilities=["review"])
    await board.perform("request", by="backend", capability="review", question="Who reviews?", answers=2)
    for name in ("cto", "frontend"):
        (duty,) = await board.claim(name)
        await board.finish(duty, by=name, content=f"{name} does")
    await board.perform("consult", by="backend", to="cto", question="Still there?", deadline_seconds=60)
    return asked


async def test_threads_are_told_as_the_tables_have_them(board: BoardUnderTest) -> None:
    await board.perform("change_agent", name="cto", manager="frontend")
    asked = await talk(board)
    told = await check_organised(board)
    consult = next(one for one in told["consults"] if one["consult"] == asked["consult"])
    assert (consult["asker"], consult["other"], consult["gated"]) == ("backend", "cto", "work/api")
    assert consult["seconds"] == (consult["answered_at"] - consult["asked_at"]).total_seconds().__round__(3)
    refused = [(one["agent"], one["to"]) for one in told["refusals"]]
    assert refused == [("backend", "frontend"), ("cto", "backend")]
    assert "cto → backend → cto" in told["refusals"][1]["because"]
    (request,) = told["requests"]
    assert (request["answers"], request["counted"]) == (2, 2)
    await late(board, 1)
    told = await check_organised(board)
    assert told["consults"][-1]["level"] == 1


async def test_minutes_are_told_as_the_tables_have_them(board: BoardUnderTest, meeting: MeetingUnderTest) -> None:
    await hold(meeting)
    told = await check_organised(board)
    (one,) = told["meetings"]
    first, second = one["agenda"]
    assert (first["outcome"], second["outcome"]) == ("approved", "rejected")
    assert [(vote["agent"], [said["choice"] for said in vote["history"]]) for vote in first["votes"]] == [
        ("backend", ["approve"]), ("cto", ["reject", "approve"]), ("frontend", ["reject"]),
    ]  # fmt: skip
    assert [(vote["agent"], vote["rationale"]) for vote in first["dissent"]] == [("frontend", "I want <GraphQL>")]
    (concern,) = first["concerns"]
    assert (concern["settled"], concern["settled_by"]) == ("overruled", "cto")
    assert [(action["owner"], action["place"]) for action in first["actions"]] == [
        ("backend", "done"), ("frontend", "ready"),
    ]  # fmt: skip


async def hold(meeting: MeetingUnderTest) -> None:
    """A meeting with a concern that is overruled, a vote that is changed, dissent, and two action items."""
    board = meeting.board
    await meeting.schedule(SEATS, ["API schema", "Deployment"], decision_required=True, title="=Review <b>")
    await meeting.gather()
    await meeting.do("say", "cto", text="I would take <script>REST</script>")
    turns = await meeting.asked("turn")
    await meeting.answer(turns[0])
    (raised,) = [await meeting.do("concern", "backend", text="It is | slow")]
    await meeting.speak("Take REST", by="frontend", rationale="simple", actions=[
        {"title": "Write the spec", "owner": "backend", "due": "2d"}, {"title": "Call it", "owner": "frontend"},
    ])  # fmt: skip
    await meeting.do("vote", "cto", choice="reject", rationale="not yet")
    await meeting.do("vote", "cto", choice="approve", rationale="well then")
    await board.perform(
        "settle_concern", by="cto", concern=raised["concern"], how="overruled", reason="fast enough for us"
    )
    await meeting.vote(frontend='{"vote": "reject", "rationale": "I want <GraphQL>"}')
    await meeting.speak("Use containers", by="cto")
    await meeting.vote(backend="abstain", frontend="reject")
    spec = await board.fetchval(
        "SELECT id FROM work_items WHERE board = $1 AND reference LIKE 'action-%' AND inbox = $2",
        board.agents["backend"],
    )
    await board.complete(spec)


class AuditedMeetings(LifeOfMeetings):
    """Random meetings, audited at their end."""

    def teardown(self) -> None:
        super().teardown()
        if self.meeting:
            self.run(self.check())

    async def check(self) -> None:
        """Claims are by the database's clock and the rest by one that is moved, so that times are not compared."""
        await self.board.seal()
        told = await self.board.perform("report_audit")
        await check_told(self.board, told)
        places = {one["items"][-1]: one["place"] for one in told["artifacts"]}
        live = await self.board.places()
        assert places == {item: live[item] for item in places}


def test_an_audit_of_random_meetings_says_what_the_tables_say(app_url: str) -> None:
    with asyncio.Runner() as runner:
        database = runner.run(connect(app_url, size=4))
        machine = type("Audited", (AuditedMeetings,), {"runner": runner, "database": database, "ends": Counter[str]()})
        try:
            run_state_machine_as_test(
                machine,
                settings=settings(LifeOfMeetings.TestCase.settings, max_examples=EXAMPLES, stateful_step_count=30,
                                  database=None, derandomize="SLATE_TEST_EXAMPLES" not in os.environ),
            )  # fmt: skip
        finally:
            runner.run(database.close())


async def test_dead_and_moved_work_of_a_meeting_leaves_the_audit_true(
    board: BoardUnderTest, meeting: MeetingUnderTest
) -> None:
    await meeting.schedule(SEATS, ["One"])
    (turn, *_) = await meeting.asked("join")
    await board.fail(await meeting.claim(turn), FailureClass.LOGIC)
    await meeting.after(minutes=30)
    await check_organised(board)


async def test_late_and_stalled_items_are_told_with_their_end(board: BoardUnderTest) -> None:
    from slateboard.work import health

    await board.post(tasks=[NewTask(name="slow", title="Slow", agent="backend")])
    (claim,) = await board.claim("backend", lease_seconds=3600)
    late_at = await board.fetchval("SELECT now() + make_interval(mins => 6) WHERE $1 > 0")
    async with board.chores(now=late_at) as tx:
        await health.tell_stalled(tx, limit=100_000)
    told = await check_organised(board)
    (row,) = told["late"]
    assert (row["what"], row["reference"], row["agent"], row["finished_at"]) == (
        "stalled", "slow/result", "backend", None,
    )  # fmt: skip
    await board.finish(claim, content="x")
    (row,) = (await check_organised(board))["late"]
    assert row["place"] == "done"
