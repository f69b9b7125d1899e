"""Meetings in GraphQL, in the words of the operations."""

from __future__ import annotations

from tests.graphql.conftest import Asker
from tests.support.boards import BoardUnderTest


async def test_meeting_is_scheduled_held_and_read(board: BoardUnderTest, asker: Asker) -> None:
    made = await asker.ask(
        'mutation { scheduleMeeting(title: "API", participants: ["cto", "backend"], agenda: ["REST?"], chair: "cto",'
        " decisionRequired: true, maxDurationMinutes: 15) { meeting reference state quorum } }"
    )
    meeting = made["scheduleMeeting"]
    assert (meeting["state"], meeting["quorum"]) == ("waiting", 2)
    number = meeting["meeting"]
    for agent in ("cto", "backend"):
        await asker.ask(f'mutation {{ joinMeeting(meeting: {number}, agent: "{agent}") }}')
    say = f'meeting: {number}, agent: "cto"'
    await asker.ask(f'mutation {{ say({say}, text: "yes") concern({say}, text: "fast?") }}')
    found = (await asker.ask(f"{{ minutes(meeting: {number}) }}"))["minutes"]
    concern = found["agenda"][0]["concerns"][0]["id"]
    await asker.ask(
        f'mutation {{ settleConcern(concern: {concern}, how: "resolved", reason: "yes", agent: "cto")'
        f' propose({say}, motion: "REST", actions: [{{title: "Do it", owner: "backend"}}]) passTurn({say}) }}'
    )
    await asker.ask(f'mutation {{ passTurn(meeting: {number}, agent: "backend") }}')
    cast = await asker.ask(
        f'mutation {{ vote(meeting: {number}, agent: "backend", choice: "approve", rationale: "yes")'
        " { number choice } }"
    )
    assert cast["vote"] == {"number": 1, "choice": "approve"}
    await asker.ask(f'mutation {{ vote({say}, choice: "approve") {{ changes }} }}')
    (row,) = (await asker.ask('{ meetings(state: "adjourned") { title items closed chair } }'))["meetings"]
    assert row == {"title": "API", "items": 1, "closed": 1, "chair": "cto"}
    found = (await asker.ask(f"{{ minutes(meeting: {number}) }}"))["minutes"]
    assert (found["agenda"][0]["outcome"], found["agenda"][0]["actions"][0]["owner"]) == ("approved", "backend")
    again = await asker.ask(
        'mutation { scheduleMeeting(title: "b", participants: ["cto", "backend"], agenda: ["c"]) { meeting } }'
    )
    ended = await asker.ask(
        f'mutation {{ adjournMeeting(meeting: {again["scheduleMeeting"]["meeting"]}, reason: "no need") }}'
    )
    assert ended["adjournMeeting"]["state"] == "cancelled"
