"""Circuit breakers in GraphQL, in the words of the operations."""

from __future__ import annotations

from tests.graphql.conftest import Asker
from tests.support.boards import BoardUnderTest
from tests.support.breakers import opened


async def test_breakers_are_read_opened_closed_and_reset(board: BoardUnderTest, asker: Asker) -> None:
    await opened(board)
    await board.seal()
    found = await asker.ask(
        '{ breakers { agent state failed } breaker(agent: "backend") { state probe history { subject } }'
        " status { breakers { agent state } } }"
    )
    assert found["breakers"] == [{"agent": "backend", "state": "open", "failed": 3}]
    history = [{"subject": "board.breaker.opened"}]
    assert found["breaker"] == {"state": "open", "probe": None, "history": history}
    assert found["status"]["breakers"] == [{"agent": "backend", "state": "open"}]
    done = await asker.ask('mutation { closeBreaker(agent: "backend", reason: "mended") { state } }')
    assert done["closeBreaker"]["state"] == "closed"
    done = await asker.ask('mutation { openBreaker(agent: "backend", reason: "x", recoverySeconds: 60) { state } }')
    assert done["openBreaker"]["state"] == "open"
    done = await asker.ask('mutation { resetBreaker(agent: "backend") { state } }')
    assert done["resetBreaker"]["state"] == "closed"
