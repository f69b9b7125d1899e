"""The organisation in one query: agents with their work, tasks with their chain, meetings with their minutes."""

from __future__ import annotations

from slateboard.patterns.peers import routes
from slateboard.patterns.peers.routes import Route
from slateboard.protocol.work import NewTask
from tests.graphql.conftest import Asker
from tests.house.source import ROOT, text
from tests.support.boards import BoardUnderTest
from tests.support.meetings import MeetingUnderTest


async def test_an_agent_has_all_of_the_organisation_around_it(board: BoardUnderTest, asker: Asker) -> None:
    await board.perform("change_agent", name="backend", manager="cto", accepts_from=["cto"])
    await board.perform("attend", by="backend", worker="w1")
    async with board.writing() as tx:
        await routes.add(tx, routes=[Route("frontend", "backend", "channel")])
    await board.perform("consult", by="frontend", to="backend", question="Which port?")
    tasks = [
        NewTask(name="top", title="Top", agent="cto"),
        NewTask(name="api", title="API", agent="backend", delegator="cto", parent="top"),
        NewTask(name="db", title="DB", agent="frontend", delegator="backend", parent="api"),
    ]
    await board.post(tasks=tasks)
    found = await asker.ask(
        """{ agents(names: ["backend"]) { nodes { name manager managerAgent { name presence { live } }
             presence { live available ready acceptsFrom worker }
             delegationsReceived(state: "pending") { task delegator state } delegationsGiven { task agent }
             threads(unread: true) { topic unread } } } }"""
    )
    (backend,) = found["agents"]["nodes"]
    assert backend == {
        "name": "backend", "manager": "cto", "managerAgent": {"name": "cto", "presence": {"live": False}},
        "presence": {"live": True, "available": True, "ready": 1, "acceptsFrom": ["cto"], "worker": "w1"},
        "delegationsReceived": [{"task": "api", "delegator": "cto", "state": "pending"}],
        "delegationsGiven": [{"task": "db", "agent": "frontend"}],
        "threads": [{"topic": "Which port?", "unread": 1}],
    }  # fmt: skip
    task = await asker.ask(
        """{ task(name: "db") { status progress { total } delegation { state agent } parentTask { name status }
             delegationChain { task delegator agent state }
             artifacts { nodes { ownerAgent { presence { live } } } } } }"""
    )
    assert task["task"] == {
        "status": "not_started", "progress": {"total": 1}, "delegation": {"state": "pending", "agent": "frontend"},
        "parentTask": {"name": "api", "status": "not_started"},
        "delegationChain": [
            {"task": "api", "delegator": "cto", "agent": "backend", "state": "pending"},
            {"task": "db", "delegator": "backend", "agent": "frontend", "state": "pending"},
        ],
        "artifacts": {"nodes": [{"ownerAgent": {"presence": {"live": False}}}]},
    }  # fmt: skip
    flat = await asker.ask('{ delegations(tasks: ["db"], above: true) { task of } }')
    assert flat["delegations"] == [{"task": "api", "of": "db"}, {"task": "db", "of": "db"}]
    for wrong, code in (
        ('agents: ["bakend"]', "unknown_name"),
        ('state: "lost"', "invalid"),
        ("above: true", "invalid"),
    ):
        assert (await asker.refused(f"{{ delegations({wrong}) {{ task }} }}"))["code"] == code


async def test_an_agent_that_was_removed_is_shown_without_what_it_has_no_more(
    board: BoardUnderTest, asker: Asker
) -> None:
    await board.perform("remove_agent", name="frontend")
    query = '{ agents(names: ["frontend"]) { nodes { name presence { live } delegationsReceived { task } } } }'
    (found,) = (await asker.ask(query))["agents"]["nodes"]
    assert found == {"name": "frontend", "presence": None, "delegationsReceived": []}


async def test_a_meeting_has_its_seats_agenda_votes_and_the_tasks_that_came_of_it(
    board: BoardUnderTest, asker: Asker
) -> None:
    meeting = MeetingUnderTest(board)
    await meeting.schedule(["cto", "backend"], ["REST?"], chair="cto")
    await meeting.gather()
    await meeting.speak("REST", by="cto", actions=[{"title": "Write it", "owner": "backend"}])
    await meeting.do("concern", "backend", text="fast?")
    (concern,) = (await meeting.minutes())["agenda"][0]["concerns"]
    await board.perform("settle_concern", by="backend", concern=concern["id"], how="resolved", reason="yes")
    await meeting.vote()
    query = f"""{{ meeting(meeting: {meeting.id}) {{ title state seats {{ agent present role }}
        agenda {{ number outcome motionText proposedBy decisionSubject statements {{ agent text }}
                  concerns {{ text settled settledBy }} votes {{ agent choice history {{ choice }} }} absent
                  actions {{ title owner task {{ name agent source delegation {{ state }} }} }} }} }} }}"""
    found = (await asker.ask(query))["meeting"]
    assert [one["agent"] for one in found["seats"]] == ["cto", "backend"]
    (item,) = found["agenda"]
    assert (item["outcome"], item["motionText"], item["proposedBy"]) == ("approved", "REST", "cto")
    assert item["concerns"] == [{"text": "fast?", "settled": "resolved", "settledBy": "backend"}]
    assert {one["agent"]: one["choice"] for one in item["votes"]} == {"cto": "approve", "backend": "approve"}
    (action,) = item["actions"]
    assert (action["owner"], action["task"]["agent"]) == ("backend", "backend")
    assert action["task"]["source"] == f"meeting:{meeting.id}"
    (listed,) = (await asker.ask("{ meetings { seats { agent } agenda { title } } }"))["meetings"]
    assert listed["agenda"] == [{"title": "REST?"}]
    assert (await asker.refused("{ meeting(meeting: 1) { title } }"))["code"] == "unknown_name"


async def test_the_query_of_the_guide_is_answered(board: BoardUnderTest, asker: Asker) -> None:
    await board.post(tasks=[NewTask(name="release-api", title="API", agent="backend", delegator="cto")])
    guide = text(ROOT / "docs/guides/graphql.md")
    query = guide.partition("**The organisation.**")[2].partition("```graphql")[2].partition("```")[0]
    found = await asker.ask(query)
    assert [one["agent"] for one in found["task"]["delegationChain"]] == ["backend"]
