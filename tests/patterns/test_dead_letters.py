"""A dead letter is also an event under the board's prefix, so that whoever wants to may be told of it."""

from __future__ import annotations

from slateboard.protocol.states import FailureClass
from tests.patterns.conftest import Router
from tests.support.boards import BoardUnderTest

TOLD = "genbrain.dlq.backend"


async def test_subscription_is_told_of_dead_letters_of_every_kind(board: BoardUnderTest, router: Router) -> None:
    await board.perform("subscribe", name="deploy", patterns=["genbrain.events.>"], agent="backend")
    await board.perform("subscribe", name="alarm", patterns=["genbrain.dlq.>"], agent="cto")
    await board.post_graph({"spec": []})
    await board.perform("publish", subject="genbrain.events.pr.merged", correlation="c1")
    await router.run()
    claims = await board.claim(limit=2)
    for claim in claims:
        await board.fail(claim, FailureClass.LOGIC, f"cannot do {claim.reference}")
    await router.run()
    told = await board.log(subject=TOLD)
    died = [event for event in await board.log() if event.subject.endswith(".died")]
    assert [event.payload for event in told] == [event.payload for event in died]
    assert {event.payload["reference"] for event in told} == {claim.reference for claim in claims}
    alarms = await board.claim(agent="cto", limit=10)
    assert [alarm.reference for alarm in alarms] == ["alarm/handle"] * 2
    assert {alarm.correlation for alarm in alarms} == {claim.correlation for claim in claims}


async def test_alarm_about_alarms_that_cannot_be_handled_comes_to_an_end(board: BoardUnderTest, router: Router) -> None:
    await board.tolerate_failures()
    await board.perform("subscribe", name="alarm", patterns=["genbrain.dlq.>"], agent="backend")
    await board.post_graph({"spec": []})
    deaths = 0
    while claims := await board.claim(limit=10):
        for claim in claims:
            await board.fail(claim, FailureClass.LOGIC, "no")
            deaths += 1
        await router.run()
    assert deaths == 33, "the item and 32 alarms in a chain; the next is dead from birth"
