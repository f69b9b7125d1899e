"""Consults: a question along a route, answered once, by its deadline or above it; never in a loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from slateboard.interfaces.operations import perform
from slateboard.patterns import escalations
from slateboard.patterns.peers import routes
from slateboard.patterns.peers.routes import Route
from slateboard.protocol.errors import (
    ConsultLoop,
    Denied,
    Invalid,
    LeaseLost,
    NoChannel,
    NotYours,
    SlateError,
    UnknownName,
    WrongState,
)
from slateboard.protocol.names import BoardId
from slateboard.protocol.rights import SYSTEM
from slateboard.protocol.states import FailureClass
from slateboard.protocol.work import Claim
from slateboard.transaction import writing
from tests.support.boards import BoardUnderTest
from tests.support.live import check_fold


async def claimed(board: BoardUnderTest, task: str = "work") -> Claim:
    """A claim of backend's."""
    (item,) = (await board.post_graph({"api": []}, task=task)).values()
    return await board.claim_item(item)


async def late(board: BoardUnderTest, hours: float) -> None:
    """Let the leader look at what is overdue so many hours from now."""
    now = await board.fetchval("SELECT now() + make_interval(mins => $2) WHERE $1 > 0", round(hours * 60))
    async with writing(board.database, SYSTEM, BoardId(0), now=now) as tx:
        await escalations.time_out(tx, limit=10_000)


async def said(board: BoardUnderTest, thread: int) -> list[tuple[str, str, str]]:
    """What stands on a thread."""
    shown = await board.perform("show_thread", thread=thread)
    return [(one["kind"], one["said_by"], one["text"]) for one in shown["messages"]]


async def unread(board: BoardUnderTest, agent: str) -> list[int]:
    """How many messages an agent has not read, by thread."""
    return [one["unread"] for one in await board.perform("list_threads", agent=agent, unread=True)]


async def test_consult_without_a_claim_is_answered_by_a_message(peers: BoardUnderTest) -> None:
    asked = await peers.perform("consult", by="backend", to="cto", question="Is it safe?")
    assert (asked["to"], asked["place"]) == ("cto", None)
    assert await unread(peers, "cto") == [1]
    (duty,) = await peers.claim("cto")
    assert (duty.kind, duty.item, duty.reference) == ("answer", asked["consult"], "consult/cto")
    briefing = await peers.perform("briefing", item=duty.item)
    assert (briefing["question"]["kind"], briefing["question"]["asked_by"]) == ("consult", "backend")
    (answer,) = await peers.finish(duty, by="cto", content="It is.")
    assert answer.error is None
    shown = await peers.perform("show_thread", thread=asked["thread"])
    assert shown["topic"] == "security review of API changes"
    assert await said(peers, asked["thread"]) == [("question", "backend", "Is it safe?"), ("answer", "cto", "It is.")]
    assert await unread(peers, "backend") == [1]
    await peers.perform("acknowledge", by="backend", thread=asked["thread"])
    assert await unread(peers, "backend") == []
    (told,) = await peers.log(subject="genbrain.agents.backend.inbox")
    assert (told.payload["text"], told.payload["from"], told.payload["consult"]) == ("It is.", "cto", asked["consult"])
    with pytest.raises(WrongState):
        await peers.perform("answer", by="cto", escalation=asked["consult"], answer="No.")


async def test_consult_under_a_claim_gates_the_item_of_who_asks(peers: BoardUnderTest) -> None:
    claim = await claimed(peers)
    asked = await peers.perform(
        "consult", by="backend", to="cto", question="Which port?", item=claim.item, fence=claim.fence, note="half done"
    )
    assert (asked["place"], await peers.place(claim.item)) == ("waiting", "waiting")
    await peers.perform("answer", by="cto", escalation=asked["consult"], answer="8080")
    (again,) = await peers.claim()
    assert again.item == claim.item
    briefing = await peers.perform("briefing", item=again.item)
    assert [(one["answer"], one["answered_by"]) for one in briefing["answers"]] == [("8080", "cto")]
    assert [one["note"] for one in briefing["attempts"]] == ["half done"]


async def test_what_was_answered_or_told_in_a_briefing_is_not_unread(peers: BoardUnderTest) -> None:
    claim = await claimed(peers)
    asked = await peers.perform(
        "consult", by="backend", to="cto", question="Which port?", item=claim.item, fence=claim.fence
    )
    assert (await unread(peers, "cto"), await unread(peers, "backend")) == ([1], [])
    await peers.perform("answer", by="cto", escalation=asked["consult"], answer="8080")
    assert (await unread(peers, "cto"), await unread(peers, "backend")) == ([], [1])
    (again,) = await peers.claim()
    assert again.item == claim.item
    assert await unread(peers, "backend") == []
    await peers.perform("reply", by="cto", thread=asked["thread"], text="or 8081")
    assert (await unread(peers, "cto"), await unread(peers, "backend")) == ([], [1])
    await peers.finish(again, by="backend")
    assert await unread(peers, "backend") == [1]
    members = (await peers.perform("show_thread", thread=asked["thread"]))["members"]
    assert {one["agent"]: one["unread"] for one in members} == {"backend": 1, "cto": 0}


async def test_a_question_that_another_has_answered_is_still_unread(peers: BoardUnderTest) -> None:
    await peers.add_agent("boss", right="operator")
    asked = await peers.perform("consult", by="backend", to="cto", question="Which port?")
    await peers.perform("answer", by="boss", escalation=asked["consult"], answer="8080")
    assert (await unread(peers, "cto"), await unread(peers, "backend")) == ([2], [1])


async def test_consult_without_a_channel_is_refused_and_stands_in_the_log(peers: BoardUnderTest) -> None:
    claim = await claimed(peers)
    with pytest.raises(NoChannel, match="cannot consult frontend") as error:
        await peers.perform(
            "consult", by="backend", to="frontend", question="?", item=claim.item, fence=claim.fence
        )  # fmt: skip
    assert (error.value.details["known"], error.value.remedy) == (["cto"], "it has: cto")
    (refused,) = await peers.log(subject="board.consult.refused")
    assert (refused.payload["name"], refused.payload["to"]) == ("backend", "frontend")
    assert await peers.place(claim.item) == "claimed"
    assert (await peers.perform("list_escalations")).rows == []


async def test_channel_is_as_good_as_a_route(peers: BoardUnderTest) -> None:
    asked = await peers.perform("consult", by="cto", to="backend", question="How long?", topic="plans")
    assert (await peers.perform("show_thread", thread=asked["thread"]))["topic"] == "plans"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"to": "backend"}, Invalid),
        ({"to": "nobody"}, UnknownName),
        ({"question": " "}, Invalid),
        ({"thread": 1}, UnknownName),
        ({"item": 1}, Invalid),
        ({"item": 1, "fence": 1}, LeaseLost),
        ({"deadline_seconds": 0}, Invalid),
        ({"topic": " "}, Invalid),
    ],
)
async def test_what_cannot_be_asked_changes_nothing(
    peers: BoardUnderTest, arguments: dict[str, Any], error: type[SlateError]
) -> None:
    with pytest.raises(error):
        await peers.perform("consult", by="backend", **{"to": "cto", "question": "Why?", **arguments})
    assert await peers.fetchval("SELECT count(*) FROM threads WHERE board = $1") == 0
    assert await peers.fetchval("SELECT count(*) FROM consults WHERE board = $1") == 0


async def test_administrator_who_is_no_agent_asks_nobody(peers: BoardUnderTest) -> None:
    with pytest.raises(Invalid, match="only an agent"):
        await peers.perform("consult", to="cto", question="Why?")


async def test_consult_of_who_waits_for_the_asker_is_refused_with_the_path(peers: BoardUnderTest) -> None:
    claim = await claimed(peers)
    await peers.perform("consult", by="backend", to="cto", question="?", item=claim.item, fence=claim.fence)
    (duty,) = await peers.claim("cto")
    with pytest.raises(ConsultLoop, match="cto → backend → cto") as error:
        await peers.perform("consult", by="cto", to="backend", question="?", item=duty.item, fence=duty.fence)
    assert error.value.details["path"] == ["cto", "backend", "cto"]
    assert await peers.place(duty.item) == "claimed"
    # Of its own accord, on another correlation, it may.
    await peers.perform("consult", by="cto", to="backend", question="?")


async def test_consult_in_a_longer_circle_is_refused(peers: BoardUnderTest) -> None:
    (item,) = (await peers.post_graph({"page": []}, owner="frontend")).values()
    claim = await peers.claim_item(item, "frontend")
    await peers.perform(
        "consult", by="frontend", to="backend", question="?", item=item, fence=claim.fence, deadline_seconds=60
    )
    (first,) = await peers.claim("backend")
    await peers.perform("consult", by="backend", to="cto", question="?", item=first.item, fence=first.fence)
    (second,) = await peers.claim("cto")
    async with peers.writing() as tx:
        await routes.add(tx, routes=[Route("cto", "frontend", "consult", "pages")])
    with pytest.raises(ConsultLoop, match="cto → frontend → backend → cto"):
        await peers.perform("consult", by="cto", to="frontend", question="?", item=second.item, fence=second.fence)


@pytest.mark.parametrize("meanwhile", ["answered", "overdue", "nothing"])
async def test_question_for_an_answer_that_nobody_needs_any_more_comes_to_its_end(
    peers: BoardUnderTest, meanwhile: str
) -> None:
    await peers.tolerate_failures()
    (item,) = (await peers.post_graph({"page": []}, owner="frontend")).values()
    claim = await peers.claim_item(item, "frontend")
    asked = await peers.perform(
        "consult", by="frontend", to="backend", question="?", item=item, fence=claim.fence, deadline_seconds=60
    )
    (first,) = await peers.claim("backend")
    more = await peers.perform("consult", by="backend", to="cto", question="?", item=first.item, fence=first.fence)
    if meanwhile == "answered":
        await peers.perform("answer", escalation=asked["consult"], answer="yes")
        with pytest.raises(WrongState, match="cancelled already"):
            await peers.perform("answer", by="cto", escalation=more["consult"], answer="too late")
    elif meanwhile == "overdue":
        await late(peers, 1)
    await late(peers, 100)
    assert (await peers.perform("list_escalations")).rows == []
    assert [await peers.place(one["consult"]) for one in (asked, more)] == ["done", "cancelled"]
    assert await peers.place(item) == ("ready" if meanwhile == "answered" else "dead")


async def test_whoever_must_answer_now_is_in_the_circle_not_who_was_asked_first(peers: BoardUnderTest) -> None:
    await peers.perform("change_agent", name="backend", manager="cto")
    async with peers.writing() as tx:
        await routes.add(tx, routes=[Route("cto", "frontend", "channel")])
    await peers.perform("consult", by="frontend", to="backend", question="?", deadline_seconds=60)
    await late(peers, 1)
    (duty,) = await peers.claim("cto")
    with pytest.raises(ConsultLoop, match="cto → frontend → cto"):
        await peers.perform("consult", by="cto", to="frontend", question="?", item=duty.item, fence=duty.fence)


async def test_two_that_ask_each_other_at_once_close_no_circle(peers: BoardUnderTest) -> None:
    for number in range(8):
        correlation = f"chain-{number}"

        async def ask(by: str, to: str, correlation: str = correlation) -> bool:
            try:
                await perform(
                    peers.database, peers.actor(by), peers.id, "consult", {"to": to, "question": "?"},
                    correlation=correlation,
                )  # fmt: skip
            except ConsultLoop:
                return False
            return True

        assert sorted(await asyncio.gather(ask("backend", "cto"), ask("cto", "backend"))) == [False, True]


async def test_unanswered_the_asker_is_told_and_then_the_manager_is_asked(peers: BoardUnderTest) -> None:
    await peers.add_agent("ceo", kind="human")
    await peers.perform("change_agent", name="cto", manager="frontend")
    asked = await peers.perform("consult", by="backend", to="cto", question="Is it safe?", deadline_seconds=3600)
    await late(peers, 0.5)
    assert len(await said(peers, asked["thread"])) == 1
    await late(peers, 1.1)
    assert (await said(peers, asked["thread"]))[-1] == (
        "overdue", "board", "nobody answered in time; frontend is asked now",
    )  # fmt: skip
    assert await unread(peers, "backend") == [1]
    (shown,) = (await peers.perform("list_escalations")).rows
    assert (shown["owner"], shown["kind"]) == ("frontend", "consult")
    await peers.perform("answer", by="frontend", escalation=asked["consult"], answer="Ask later")
    assert (await said(peers, asked["thread"]))[-1] == ("answer", "frontend", "Ask later")


async def test_a_consult_that_dies_is_told_at_once_and_goes_to_the_manager(peers: BoardUnderTest) -> None:
    await peers.perform("change_agent", name="cto", manager="frontend")
    (item,) = (await peers.post_graph({"page": []})).values()
    claim = await peers.claim_item(item)
    asked = await peers.perform("consult", by="backend", to="cto", question="Is it?", item=item, fence=claim.fence)
    (duty,) = await peers.claim("cto")
    await peers.fail(duty, FailureClass.LOGIC, "no handler fits", by="cto")
    await check_fold(peers)
    await late(peers, 0.01)
    assert (await said(peers, asked["thread"]))[-1] == (
        "overdue", "board", "it could not be answered: no handler fits; frontend is asked now",
    )  # fmt: skip
    assert await unread(peers, "backend") == [1]
    assert await peers.place(item) == "waiting"
    (again,) = await peers.claim("frontend")
    assert again.item == asked["consult"]
    await peers.finish(again, by="frontend", content="It is.")
    assert await peers.place(item) == "ready"
    await check_fold(peers)


async def test_consult_never_goes_up_to_who_asked_and_ends_with_nobody(peers: BoardUnderTest) -> None:
    await peers.perform("change_agent", name="cto", manager="backend")
    asked = await peers.perform("consult", by="backend", to="cto", question="Is it safe?", deadline_seconds=60)
    await late(peers, 1)
    assert (await said(peers, asked["thread"]))[-1] == ("overdue", "board", "nobody answered in time")
    assert (await peers.perform("list_escalations")).rows == []
    claim = await claimed(peers)
    await peers.perform(
        "consult", by="backend", to="cto", question="?", item=claim.item, fence=claim.fence, deadline_seconds=60,
        default="yes",
    )  # fmt: skip
    await late(peers, 2)
    briefing = await peers.perform("briefing", item=claim.item)
    assert [(one["answer"], one["answered_by"]) for one in briefing["answers"]] == [("yes", "default")]


async def test_hundred_consults_of_one_agent_at_once_are_all_answered_once(peers: BoardUnderTest) -> None:
    async def ask(number: int) -> dict[str, Any]:
        by = "backend" if number % 2 else "frontend"
        return await peers.perform("consult", by=by, to="cto", question=f"{number}?")

    async with peers.writing() as tx:
        await routes.add(tx, routes=[Route("frontend", "cto", "channel")])
    asked = await asyncio.gather(*(ask(number) for number in range(100)))
    assert len({one["consult"] for one in asked}) == 100
    claims = [one for _ in range(4) for one in await peers.claim("cto", limit=25)]
    answers = await asyncio.gather(*(peers.finish(one, by="cto", content=f"to {one.item}") for one in claims))
    assert [one[0].error for one in answers] == [None] * 100
    for one in asked:
        assert (await said(peers, one["thread"]))[-1] == ("answer", "cto", f"to {one['consult']}")


@pytest.mark.parametrize("gating", [True, False])
async def test_answer_and_deadline_at_once_leave_one_end_on_the_thread(peers: BoardUnderTest, gating: bool) -> None:
    for number in range(8):
        given: dict[str, Any] = {"deadline_seconds": 60}
        if gating:
            claim = await claimed(peers, f"t{number}")
            given |= {"item": claim.item, "fence": claim.fence}
        asked = await peers.perform("consult", by="backend", to="cto", question="?", **given)
        (duty,) = await peers.claim("cto")

        async def answer(one: Claim = duty) -> None:
            with suppress(WrongState):
                await peers.finish(one, by="cto", content="yes")

        async def again(escalation: int = asked["consult"]) -> None:
            with suppress(WrongState):
                await peers.perform("answer", escalation=escalation, answer="no")

        races: list[Callable[[], Any]] = [answer, lambda: late(peers, 1), again]
        await asyncio.gather(*(one() for one in [*races[number % 3 :], *races[: number % 3]]))
        ends = [kind for kind, _, _ in await said(peers, asked["thread"])][1:]
        assert ends in (["answer"], ["overdue"])
    assert (await peers.perform("list_escalations")).rows == []


async def test_thread_is_for_who_is_on_it_and_keeps_all_that_was_said(peers: BoardUnderTest) -> None:
    asked = await peers.perform("consult", by="backend", to="cto", question="Is it safe?")
    thread = asked["thread"]
    await peers.perform("reply", by="cto", thread=thread, text="I shall look", data={"by": "tonight"})
    with pytest.raises(NotYours):
        await peers.perform("reply", by="frontend", thread=thread, text="me too")
    with pytest.raises(NotYours):
        await peers.perform("acknowledge", by="frontend", thread=thread)
    with pytest.raises(UnknownName):
        await peers.perform("reply", by="cto", thread=asked["consult"], text="where?")
    more = await peers.perform("consult", by="cto", to="backend", question="Which one?", thread=thread)
    assert more["thread"] == thread
    shown = await peers.perform("show_thread", thread=thread)
    assert [one["kind"] for one in shown["messages"]] == ["question", "reply", "question"]
    assert shown["messages"][1]["data"] == {"by": "tonight"}
    assert {one["agent"]: one["unread"] for one in shown["members"]} == {"backend": 2, "cto": 1}
    page = await peers.perform("show_thread", thread=thread, after=shown["messages"][0]["message"], first=1)
    assert [one["text"] for one in page["messages"]] == ["I shall look"]
    first = shown["messages"][1]["message"]
    assert (await peers.perform("acknowledge", by="backend", thread=thread, message=first))["read_to"] == first
    assert (await peers.perform("acknowledge", by="backend", thread=thread, message=first))["read_to"] is None
    assert await unread(peers, "backend") == [1]


async def test_cancelled_work_takes_its_consult_with_it(peers: BoardUnderTest) -> None:
    claim = await claimed(peers)
    asked = await peers.perform("consult", by="backend", to="cto", question="?", item=claim.item, fence=claim.fence)
    await peers.perform("cancel", reference=claim.reference)
    assert await peers.place(asked["consult"]) == "cancelled"
    assert await peers.claim("cto") == []


async def test_notice_goes_to_all_whom_the_routes_name_however_it_is_spelled(peers: BoardUnderTest) -> None:
    contract = {"endpoint": "/api/v2/analytics"}
    told = await peers.perform("notify", by="backend", label="api-contract-changes", data=contract)
    assert told["told"] == ["frontend"]
    (event,) = await peers.log(subject="genbrain.agents.frontend.inbox")
    assert (event.payload["kind"], event.payload["topic"]) == ("notice", "API contract changes")
    assert event.payload["data"] == contract
    assert await unread(peers, "frontend") == [1]
    assert await unread(peers, "backend") == []
    with pytest.raises(NoChannel) as error:
        await peers.perform("notify", by="backend", label="API contract changed")
    assert error.value.remedy == "it has: API contract changes"
    with pytest.raises(NoChannel):
        await peers.perform("notify", by="frontend", label="API contract changes")
    assert len(await peers.log(subject="board.consult.refused")) == 2


async def test_routes_are_an_operators_to_give(peers: BoardUnderTest) -> None:
    with pytest.raises(Denied):
        async with peers.writing(by="backend") as tx:
            await routes.add(tx, routes=[Route("backend", "frontend", "channel")])
    with pytest.raises(Invalid, match="route to itself"):
        async with peers.writing() as tx:
            await routes.add(tx, routes=[Route("backend", "backend", "channel")])
    shown = await peers.perform("list_routes", agent="backend")
    assert [(one["kind"], one["other"], one["label"]) for one in shown] == [
        ("consult", "cto", "security review of API changes"), ("notify", "frontend", "API contract changes"),
    ]  # fmt: skip
