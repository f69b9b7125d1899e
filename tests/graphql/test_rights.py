"""Every operation with every right, at the one place that every door goes through."""

from __future__ import annotations

from typing import Any

import pytest

from slateboard.interfaces.operations import OPERATIONS
from slateboard.protocol.errors import Denied, SlateError
from slateboard.protocol.rights import Actor, Right
from slateboard.protocol.states import Outcome
from slateboard.protocol.work import Beat, Finish, GiveBack, NewTask, Result
from tests.support.boards import BoardUnderTest

# Arguments that are in order, for an agent that asks for itself. What is not there makes another error than Denied.
OWN = -1
NOWHERE = 2**40
ARGUMENTS: dict[str, dict[str, Any]] = {
    "claim": {"agent": OWN, "worker": "w", "lease_seconds": 60},
    "claim_one": {"agent": OWN, "worker": "w", "lease_seconds": 60, "item": NOWHERE},
    "has_work": {"agent": OWN},
    "heartbeat": {"beats": [Beat(item=NOWHERE, fence=1)]},
    "checkpoint": {"item": NOWHERE, "fence": 1},
    "mine": {"agent": OWN},
    "finish": {"finishes": [Finish(item=NOWHERE, fence=1, result=Result())]},
    "give_back": {"returns": [GiveBack(item=NOWHERE, fence=1, outcome=Outcome.RELEASED)]},
    "briefing": {"item": NOWHERE},
    "explain": {"item": NOWHERE},
    "post": {"tasks": [NewTask(name="new", title="new")]},
    "depend": {"reference": "no/thing", "on": ["other"]},
    "block_on": {"item": NOWHERE, "fence": 1, "on": ["other"]},
    "revise": {"reference": "no/thing"},
    "cancel": {"reference": "no/thing"},
    "ask": {"item": NOWHERE, "fence": 1, "question": "why?"},
    "consult": {"to": "nobody", "question": "why?"},
    "request": {"capability": "nothing", "question": "why?"},
    "notify": {"label": ""},
    "reply": {"thread": NOWHERE, "text": "so"},
    "acknowledge": {"thread": NOWHERE},
    "show_thread": {"thread": NOWHERE},
    "judge": {"item": NOWHERE, "verdict": "approve", "version": 1},
    "answer": {"escalation": NOWHERE, "answer": "so"},
    "schedule_meeting": {"title": "new", "participants": ["a", "b"], "agenda": ["c"]},
    "join_meeting": {"meeting": NOWHERE},
    "say": {"meeting": NOWHERE, "text": "so"},
    "concern": {"meeting": NOWHERE, "text": "so"},
    "settle_concern": {"concern": NOWHERE, "how": "resolved", "reason": "so"},
    "propose": {"meeting": NOWHERE, "motion": "so"},
    "vote": {"meeting": NOWHERE, "choice": "approve"},
    "pass_turn": {"meeting": NOWHERE},
    "adjourn_meeting": {"meeting": NOWHERE, "reason": "so"},
    "minutes": {"meeting": NOWHERE},
    "show_breaker": {"agent": "somebody"},
    "open_breaker": {"agent": "somebody", "reason": "why not"},
    "close_breaker": {"agent": "somebody"},
    "reset_breaker": {"agent": "somebody"},
    "compensate": {"task": "nothing", "reason": "why not"},
    "report_usage": {"item": NOWHERE, "fence": 1},
    "set_budget": {"tokens": 1},
    "remove_budget": {},
    "set_limit": {"scope": "key", "name": "new", "concurrency": 1},
    "remove_limit": {"scope": "key", "name": "nothing"},
    "redrive": {"items": [NOWHERE]},
    "discard": {"items": [NOWHERE], "reason": "why not"},
    "pin": {"item": NOWHERE, "rating": 1},
    "create_board": {"name": "another"},
    "delete_board": {"confirm": "another"},
    "pause": {},
    "resume": {},
    "add_agent": {"name": "another"},
    "delegate": {"item": NOWHERE, "fence": 1, "tasks": [NewTask(name="new", title="new")]},
    "decline": {"task": "nothing", "reason": "why not"},
    "reassign": {"task": "nothing", "agent": "somebody", "reason": "why not"},
    "cancel_task": {"task": "nothing", "reason": "why not"},
    "accountability": {"reference": "nothing"},
    "remove_agent": {"name": "nobody"},
    "agenda": {"agent": "somebody"},
    "override": {"item": NOWHERE, "rating": 1, "reason": "why not"},
    "change_agent": {"name": "somebody"},
    "attend": {"worker": "w"},
    "issue_token": {"agent": "somebody"},
    "rotate_token": {"token_id": NOWHERE},
    "revoke_token": {"token_id": NOWHERE},
    "decide": {"decision": "Use it"},
    "publish": {"subject": "genbrain.events.a"},
    "wait_for": {"item": NOWHERE, "fence": 1, "pattern": "a.>", "timeout_seconds": 60},
    "show_event": {"position": NOWHERE},
    "chain": {"position": NOWHERE},
    "schedule": {"name": "new", "cron": "* * * * *", "subject": "genbrain.events.a"},
    "unschedule": {"name": "nothing"},
    "subscribe": {"name": "new", "patterns": ["a.>"], "agent": "somebody"},
    "change_subscription": {"name": "nothing", "patterns": ["a.>"], "agent": "somebody"},
    "unsubscribe": {"name": "nothing"},
    "pause_subscription": {"name": "nothing", "reason": "why not"},
    "resume_subscription": {"name": "nothing"},
    "rewind_subscription": {"name": "nothing", "to": "now"},
    "list_attempts": {"artifacts": [NOWHERE]},
    "list_versions": {"artifacts": [NOWHERE]},
    "list_dependencies": {"artifacts": [NOWHERE]},
    "why": {"item": NOWHERE},
    "show": {"name": "nothing"},
    "erase_event": {"position": NOWHERE, "reason": "a secret"},
    "record_key": {"key": "0", "public": "0", "at": 0, "previous": "0", "signature": "0"},
    "apply": {"documents": [{"source": "empty.yaml", "text": ""}]},
}
OF_ALL_BOARDS = {"create_board", "delete_board", "list_deleted_boards"}
"""For the administrator of all boards; a board's own administrator is refused."""


async def denied(board: BoardUnderTest, actor: Actor, operation: str) -> bool:
    """Whether this actor is refused for its right; other errors are none of ours here."""
    from slateboard.interfaces.operations import perform

    arguments = {name: actor.agent if value == OWN else value for name, value in ARGUMENTS.get(operation, {}).items()}
    try:
        await perform(board.database, actor, board.id, operation, arguments)
    except Denied:
        return True
    except SlateError:
        return False
    return False


@pytest.mark.parametrize("right", Right)
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_an_operation_asks_for_its_right(board: BoardUnderTest, operation: str, right: Right) -> None:
    agent = await board.add_agent("somebody", right=right.word)
    everywhere = operation in OF_ALL_BOARDS and right is Right.ADMIN
    actor = Actor(
        name="somebody", right=right, agent=agent, board=None if everywhere else board.id, authenticated_by="token:1"
    )
    before = await board.fetchval("SELECT count(*) FROM event_outbox WHERE board = $1")
    refused = await denied(board, actor, operation)
    assert refused is (right < OPERATIONS[operation].right)
    if refused:
        assert await board.fetchval("SELECT count(*) FROM event_outbox WHERE board = $1") == before


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [("pause", {"everything": True}), ("resume", {"everything": True}), ("create_board", {"name": "another"})],
)
async def test_the_administrator_of_one_board_changes_no_other(
    board: BoardUnderTest, operation: str, arguments: dict[str, Any]
) -> None:
    await board.add_agent("chief", right="admin")
    with pytest.raises(Denied):
        await board.perform(operation, by="chief", **arguments)


@pytest.mark.parametrize("operation", ["claim", "claim_one"])
async def test_only_an_administrator_acts_for_another(board: BoardUnderTest, operation: str) -> None:
    await board.add_agent("boss", right="operator")
    arguments = {**ARGUMENTS[operation], "agent": board.agents["backend"]}
    with pytest.raises(Denied):
        await board.perform(operation, by="boss", **arguments)
