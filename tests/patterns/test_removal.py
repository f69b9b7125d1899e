"""Removing an agent, its agenda, and overruling who does what."""

from __future__ import annotations

import pytest

from slateboard.board import agents
from slateboard.patterns.peers import routes
from slateboard.patterns.peers.routes import Route
from slateboard.protocol.errors import HasWork, Invalid, NotAuthenticated, Paused, SlateError, UnknownName, WrongState
from slateboard.protocol.work import NewArtifact, NewTask
from tests.support.boards import BoardUnderTest
from tests.support.live import check_fold
from tests.support.meetings import MeetingUnderTest


async def work_of(board: BoardUnderTest) -> dict[str, int]:
    """Work of backend in every place, a subscription, a task that it delegated, and whom it manages."""
    items = await board.post(
        NewArtifact(task="api", name="claimed"),
        NewArtifact(task="api", name="ready"),
        NewArtifact(task="api", name="gated", blocked_by=("ready",)),
        NewArtifact(task="page", name="page"),
        tasks=[
            NewTask(name="api", title="API", agent="backend", delegator="cto"),
            NewTask(name="page", title="Page", agent="frontend", delegator="backend"),
        ],
    )
    await board.claim_item(items["api/claimed"])
    claim = await board.claim_item(items["page/page"], "frontend")
    await board.perform("ask", by="frontend", item=claim.item, fence=claim.fence, question="Which?", of="backend")
    await board.perform("subscribe", name="ci", patterns=["genbrain.events.ci"], agent="backend")
    await board.perform("change_agent", name="backend", manager="cto")
    await board.perform("change_agent", name="frontend", manager="backend")
    return items


async def test_a_preview_says_what_would_be_left_and_changes_nothing(board: BoardUnderTest) -> None:
    await work_of(board)
    before = await board.subjects()
    left = await board.perform("remove_agent", name="backend", dry_run=True)
    assert left["places"] == {"claimed": 1, "ready": 2, "gated": 1}
    assert (left["tasks"], left["delegated"]) == (["api"], ["page"])
    assert (left["subscriptions"], left["managed"]) == (["ci"], ["frontend"])
    assert await board.subjects() == before
    with pytest.raises(HasWork, match="4 unfinished items"):
        await board.perform("remove_agent", name="backend")


async def test_all_that_is_left_goes_to_the_other_in_one_commit(board: BoardUnderTest) -> None:
    items = await work_of(board)
    token = (await board.perform("issue_token", agent="backend"))["token"]
    await board.perform("remove_agent", name="backend", to="cto", reason="it leaves")
    rows = await board.fetch("SELECT reference, inbox FROM work_items WHERE board = $1 AND outcome IS NULL")
    assert {row["inbox"] for row in rows if row["reference"] != "page/page"} == {board.agents["cto"]}
    assert await board.place(items["api/claimed"]) == "ready"
    (waits,) = await board.fetch("SELECT owner FROM waiting WHERE board = $1")
    assert waits["owner"] == board.agents["cto"]
    tasks = {row["name"]: row for row in await board.fetch("SELECT * FROM tasks WHERE board = $1")}
    assert (tasks["api"]["agent"], tasks["page"]["delegator"]) == (board.agents["cto"], board.agents["cto"])
    frontend = "SELECT manager FROM agents WHERE board = $1 AND name = 'frontend'"
    assert await board.fetchval(frontend) == board.agents["cto"]
    assert {one["agent"] for one in await board.perform("list_subscriptions")} == {"cto"}
    await check_fold(board)
    with pytest.raises(Paused):
        await board.claim("backend")
    with pytest.raises(UnknownName, match="was removed"):
        await board.post(NewArtifact(task="api", name="more", owner="backend"))
    with pytest.raises(UnknownName, match="was removed"):
        await board.perform("resume", agent="backend")
    async with board.database.acquire() as connection:
        with pytest.raises(NotAuthenticated, match="removed"):
            await agents.authenticate(connection, token)
    assert "backend" not in {one["name"] for one in await board.perform("find_agents")}


async def test_dead_letters_go_to_the_heir_and_are_brought_back_for_it(board: BoardUnderTest) -> None:
    items = await board.post(
        NewArtifact(task="api", name="api", owner="backend"), tasks=[NewTask(name="api", title="A")]
    )
    await board.bury(items["api/api"])
    with pytest.raises(HasWork, match="1 unfinished item"):
        await board.perform("remove_agent", name="backend")
    left = await board.perform("remove_agent", name="backend", to="cto")
    assert left["places"] == {"dead": 1}
    await check_fold(board)
    await board.perform("redrive", items=[items["api/api"]])
    assert [one.item for one in await board.claim("cto")] == [items["api/api"]]
    await check_fold(board)


async def test_the_heir_works_on_to_the_end(board: BoardUnderTest) -> None:
    items = await work_of(board)
    await board.perform("remove_agent", name="backend", to="cto")
    await board.complete(items["api/claimed"], items["api/ready"], items["api/gated"], agent="cto")
    await check_fold(board)


async def test_an_agent_without_work_goes_to_nobody(board: BoardUnderTest) -> None:
    left = await board.perform("remove_agent", name="frontend")
    assert (left["places"], left["to"]) == ({}, None)
    with pytest.raises(UnknownName, match="was removed"):
        await board.perform("remove_agent", name="frontend")
    with pytest.raises(Invalid):
        await board.perform("remove_agent", name="backend", to="backend")
    await check_fold(board)


async def test_the_agenda_is_in_the_order_of_the_claims_and_says_why(board: BoardUnderTest) -> None:
    await board.perform("change_agent", name="backend", capabilities=["sql"])
    await board.post(
        NewArtifact(task="t", name="low", priority="low"),
        NewArtifact(task="t", name="first", priority="urgent"),
        NewArtifact(task="t", name="open", capability="sql", priority="high"),
        NewArtifact(task="t", name="last", blocked_by=("low",), owner="cto"),
        tasks=[NewTask(name="t", title="T", agent="backend")],
    )
    agenda = await board.perform("agenda", agent="backend")
    assert [one["reference"] for one in agenda] == ["t/first", "t/open", "t/low"]
    assert [one["capability"] for one in agenda] == [None, "sql", None]
    assert agenda[2]["parts"] == {"priority": 1, "dependents": 50}
    assert all(one["rating"] == sum(one["parts"].values()) for one in agenda)
    claimed = [(await board.claim("backend"))[0].reference for _ in agenda]
    assert claimed == [one["reference"] for one in agenda]


async def test_an_operator_overrules_and_the_log_says_who_and_why(board: BoardUnderTest) -> None:
    await board.add_agent("boss", right="operator")
    items = await board.post_graph({"a": [], "b": []})
    answer = await board.perform(
        "override", by="boss", item=items["a"], agent="frontend", rating=7, reason="backend is away"
    )
    assert (answer["agent"], answer["rating"]) == ("frontend", 7)
    (moved,) = await board.log(subject="board.item.moved")
    (pinned,) = await board.log(subject="board.item.pinned")
    assert (moved.row["actor"], moved.payload["reason"], pinned.payload["reason"]) == (
        "boss", "backend is away", "backend is away",
    )  # fmt: skip
    (claim,) = await board.claim("frontend")
    assert claim.item == items["a"]
    with pytest.raises(WrongState, match="claimed"):
        await board.perform("override", by="boss", item=items["a"], agent="backend", reason="again")
    for wrong in ({"reason": "no what"}, {"reason": " ", "rating": 1}):
        with pytest.raises(SlateError):
            await board.perform("override", by="boss", item=items["b"], **wrong)
    await check_fold(board)


async def test_its_routes_are_taken_away_and_its_seats_stay_empty(board: BoardUnderTest) -> None:
    async with board.writing() as tx:
        await routes.add(
            tx,
            routes=[
                Route("backend", "cto", "consult", "security"),
                Route("frontend", "backend", "channel"),
                Route("frontend", "cto", "channel"),
            ],
        )
    await board.perform("consult", by="frontend", to="backend", question="Which port?")
    meeting = MeetingUnderTest(board)
    await meeting.schedule(["cto", "backend", "frontend"], ["REST?"], quorum=2)
    await meeting.gather()
    left = await board.perform("remove_agent", name="backend", dry_run=True)
    assert left["routes"] == ["backend → cto (consult: security)", "frontend → backend (channel)"]
    assert left["seats"] == [f"meeting:{meeting.id}"]
    await board.perform("remove_agent", name="backend", to="frontend", reason="it leaves")
    assert [(one["agent"], one["other"]) for one in await board.perform("list_routes")] == [("frontend", "cto")]
    for _ in range(3):
        for turn in await meeting.asked("turn"):
            if turn["name"] != "backend":
                if turn["name"] == "cto":
                    await meeting.do("propose", "cto", motion="REST")
                await meeting.answer(turn)
            else:
                await meeting.after(minutes=2)
    await meeting.vote()
    (votes,) = await board.fetch("SELECT array_agg(agent) AS agents FROM votes WHERE board = $1")
    assert board.agents["backend"] not in (votes["agents"] or [])
    await check_fold(board)
