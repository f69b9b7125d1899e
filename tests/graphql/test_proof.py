"""The proof of the log, asked for by GraphQL."""

from __future__ import annotations

from tests.graphql.conftest import Asker
from tests.support.boards import BoardUnderTest

PROOF = "query ($board: String!) { verifyLog(board: $board) { position count whole hash fault { position kind } } }"
LINES = "query ($board: String!) { exportLog(board: $board, limit: 2) { header lines position head } }"
ERASE = """mutation ($board: String!) {
  eraseEvent(board: $board, position: 2, reason: "a secret") { position subject reason } }"""

EVENTS = "query ($board: String!) { events(board: $board, first: 2) { edges { node { erased payload } } } }"


async def test_the_log_is_proved_exported_and_erased(asker: Asker, board: BoardUnderTest) -> None:
    await board.seal()
    head = await board.perform("log_head")
    found = (await asker.ask(PROOF, board=board.name))["verifyLog"]
    assert (found["position"], found["count"], found["whole"], found["fault"]) == (head, head, True, None)
    page = (await asker.ask(LINES, board=board.name))["exportLog"]
    assert (len(page["lines"]), page["position"], page["head"]) == (2, 2, head)
    erased = (await asker.ask(ERASE, board=board.name))["eraseEvent"]
    assert erased["position"] == 2
    shown = (await asker.ask(EVENTS, board=board.name))["events"]["edges"]
    assert [(edge["node"]["erased"], edge["node"]["payload"] is None) for edge in shown] == [
        (False, False),
        (True, True),
    ]
    assert (await asker.ask(PROOF, board=board.name))["verifyLog"]["hash"] == found["hash"]
