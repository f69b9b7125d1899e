"""What happens at the same moment to delegations, agents and requests, with real commits: it counts once, in one order.

Each race is run with either change standing open, all its locks held, while the other runs into it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest

from slateboard.interfaces.operations import OPERATIONS
from slateboard.patterns import delegation
from slateboard.protocol.errors import SlateError
from slateboard.protocol.work import Claim, Finish, NewTask, Result
from slateboard.transaction import Transaction
from tests.support.boards import BoardUnderTest
from tests.support.invariants import check_board
from tests.support.live import check_fold
from tests.support.races import Action, collide

BOTH_WAYS = pytest.mark.parametrize("turned", [False, True], ids=["as-is", "turned"])

# Unfinished work, tasks and delegations of somebody who was removed.
ORPHANS = """
SELECT 'item ' || w.id FROM work_items w JOIN agents a ON a.board = w.board AND a.id = w.inbox
WHERE w.board = $1 AND w.outcome IS NULL AND a.removed_at IS NOT NULL
UNION ALL
SELECT 'task ' || t.name FROM tasks t JOIN agents a ON a.board = t.board AND a.id IN (t.agent, t.delegator)
WHERE t.board = $1 AND a.removed_at IS NOT NULL
  AND EXISTS (SELECT FROM artifacts f JOIN work_items w ON w.board = f.board AND w.id = f.newest_item
              WHERE f.board = t.board AND f.task = t.id AND w.outcome IS NULL)
UNION ALL
SELECT 'claim of ' || l.item FROM leases l JOIN agents a ON a.board = l.board AND a.id = l.agent
WHERE l.board = $1 AND a.removed_at IS NOT NULL
UNION ALL
SELECT 'manager of ' || m.name FROM agents m JOIN agents a ON a.board = m.board AND a.id = m.manager
WHERE m.board = $1 AND a.removed_at IS NOT NULL AND m.removed_at IS NULL
UNION ALL
SELECT 'subscription ' || s.name FROM subscriptions s JOIN agents a ON a.board = s.board AND a.id = s.agent
WHERE s.board = $1 AND a.removed_at IS NOT NULL
"""


def doing(board: BoardUnderTest, operation: str, by: str | None = None, **arguments: Any) -> Action:
    """An operation in the transaction of the race."""

    async def act(tx: Transaction) -> Any:
        tx.actor = board.actor(by)
        return await OPERATIONS[operation].load()(tx, **arguments)

    return act


def finishing(board: BoardUnderTest, claim: Claim, by: str) -> Action:
    """The end of a claim, which is refused in its answer."""
    given = Finish(item=claim.item, fence=claim.fence, result=Result(content="done"))

    async def act(tx: Transaction) -> Any:
        tx.actor = board.actor(by)
        ((answer,), woken) = await OPERATIONS["finish"].load()(tx, finishes=[given])
        tx.wake(woken)
        return answer.error

    return act


async def race(one: Action, other: Action, board: BoardUnderTest, *, turned: bool) -> tuple[Any, Any]:
    """The answers of both, in this order, whichever came first."""
    answers = await collide(board, *((other, one) if turned else (one, other)))
    await check_board(board)
    await check_fold(board)
    return (answers[1], answers[0]) if turned else answers


async def delegated(board: BoardUnderTest) -> Claim:
    """Task `api` of backend's, delegated by cto; the claim of it."""
    task = NewTask(name="api", title="API", agent="backend", delegator="cto")
    await board.post(tasks=[task])
    (claim,) = await board.claim("backend")
    return claim


async def states(board: BoardUnderTest) -> list[str]:
    """The states of the delegations."""
    return [row["state"] for row in await board.fetch("SELECT state FROM delegations WHERE board = $1 ORDER BY task")]


@BOTH_WAYS
async def test_delegate_and_cancel(board: BoardUnderTest, turned: bool) -> None:
    claim = await delegated(board)
    give = [NewTask(name="below", title="below", agent="frontend")]
    one, other = await race(
        doing(board, "delegate", "backend", item=claim.item, fence=claim.fence, tasks=give),
        doing(board, "cancel_task", "cto", task="api", reason="no", waive=True),
        board, turned=turned,
    )  # fmt: skip
    assert not isinstance(other, Exception)
    below = await board.fetchval("SELECT count(*) FROM tasks WHERE board = $1 AND name = 'below'")
    assert below == (0 if isinstance(one, SlateError) else 1)
    assert set(await board.by_place()) == {"cancelled"}


@BOTH_WAYS
async def test_post_below_and_cancel(board: BoardUnderTest, turned: bool) -> None:
    await delegated(board)
    one, _ = await race(
        doing(board, "post", "backend", tasks=[NewTask(name="below", title="b", agent="frontend", parent="api")]),
        doing(board, "cancel_task", "cto", task="api", reason="no", waive=True),
        board, turned=turned,
    )  # fmt: skip
    open_ = set(await board.by_place()) - {"cancelled"}
    assert not open_ or turned, "posted before it was cancelled, and still to be done"
    assert isinstance(one, SlateError) or "below" in one.tasks


@BOTH_WAYS
async def test_reassign_and_finish(board: BoardUnderTest, turned: bool) -> None:
    claim = await delegated(board)
    one, other = await race(
        doing(board, "reassign", "cto", task="api", agent="frontend", reason="it is free"),
        finishing(board, claim, "backend"),
        board, turned=turned,
    )  # fmt: skip
    assert (one["agent"], other) == ("frontend", None)
    assert await board.place(claim.item) == "done"
    versions = await board.fetchval("SELECT count(*) FROM artifact_versions WHERE board = $1")
    assert versions == 1


@BOTH_WAYS
async def test_decline_and_finish(board: BoardUnderTest, turned: bool) -> None:
    claim = await delegated(board)
    one, other = await race(
        doing(board, "decline", "backend", task="api", reason="I know no SQL"),
        finishing(board, claim, "backend"),
        board, turned=turned,
    )  # fmt: skip
    assert one["to"] == "cto"
    done = await board.place(claim.item) == "done"
    assert done is (other is None)
    assert done or await board.fetchval("SELECT inbox FROM work_items WHERE board = $1 AND id = $2", claim.item)


@BOTH_WAYS
async def test_decline_and_acknowledge(board: BoardUnderTest, turned: bool) -> None:
    await delegated(board)

    async with board.hot() as looking:
        due = [rows for number, rows in await delegation.due(looking, limit=100_000) if number == board.id]

    async def settle(tx: Transaction) -> None:
        for rows in due:
            await delegation.settle(tx, rows)

    await race(
        doing(board, "decline", "backend", task="api", reason="I know no SQL"), settle, board, turned=turned
    )  # fmt: skip
    assert await states(board) == ["declined"]
    told = [one.subject for one in await board.log() if one.subject.startswith("board.task.")]
    assert told in (
        ["board.task.posted", "board.task.acknowledged", "board.task.declined"],
        ["board.task.posted", "board.task.declined"],
    )  # fmt: skip


@BOTH_WAYS
async def test_two_reassignments(board: BoardUnderTest, turned: bool) -> None:
    await delegated(board)
    await board.add_agent("devops")
    await race(
        doing(board, "reassign", "cto", task="api", agent="frontend", reason="it is free"),
        doing(board, "reassign", "cto", task="api", agent="devops", reason="it is free, too"),
        board, turned=turned,
    )  # fmt: skip
    whose = await board.fetchval("SELECT agent FROM tasks WHERE board = $1")
    assert whose == await board.fetchval("SELECT agent FROM delegations WHERE board = $1")
    assert whose == board.agents["frontend" if turned else "devops"]


def removing(board: BoardUnderTest) -> Action:
    """Backend is removed, and what it has goes to cto."""
    return doing(board, "remove_agent", name="backend", to="cto", reason="it leaves")


GIVEN: dict[str, dict[str, Any]] = {
    "post": {"tasks": [NewTask(name="more", title="more", agent="backend", delegator="cto")]},
    "subscribe": {"name": "ci", "patterns": ["genbrain.events.ci"], "agent": "backend"},
    "change_agent": {"name": "frontend", "manager": "backend"},
    "schedule_meeting": {"title": "r", "participants": ["backend", "cto"], "agenda": ["a"]},
}


@BOTH_WAYS
@pytest.mark.parametrize("operation", GIVEN)
async def test_removal_of_who_is_given_something(board: BoardUnderTest, operation: str, turned: bool) -> None:
    _, other = await race(removing(board), doing(board, operation, **GIVEN[operation]), board, turned=turned)
    left = [row[0] for row in await board.fetch(ORPHANS)]
    assert left == [] or operation == "schedule_meeting", other  # its turns are missed at their time


@BOTH_WAYS
async def test_removal_of_who_claims(board: BoardUnderTest, turned: bool) -> None:
    await delegated(board)
    await board.post(tasks=[NewTask(name="more", title="more", agent="backend", delegator="cto")])

    async def claim(_: Transaction) -> Sequence[Claim]:
        with suppress(SlateError):  # paused, or removed
            return await board.claim("backend")
        return []

    await race(removing(board), claim, board, turned=turned)
    assert [row[0] for row in await board.fetch(ORPHANS)] == []
    assert len(await board.claim("cto", limit=10)) == 2


@BOTH_WAYS
async def test_removal_of_who_is_reassigned_to(board: BoardUnderTest, turned: bool) -> None:
    task = NewTask(name="api", title="API", agent="frontend", delegator="cto")
    await board.post(tasks=[task])
    await race(
        removing(board),
        doing(board, "reassign", "cto", task="api", agent="backend", reason="it is free"),
        board, turned=turned,
    )  # fmt: skip
    assert [row[0] for row in await board.fetch(ORPHANS)] == []


@BOTH_WAYS
async def test_removal_of_who_is_to_inherit(board: BoardUnderTest, turned: bool) -> None:
    await delegated(board)
    await race(
        removing(board), doing(board, "remove_agent", name="cto", to="frontend", reason="it leaves, too"),
        board, turned=turned,
    )  # fmt: skip
    assert [row[0] for row in await board.fetch(ORPHANS)] == []


async def test_thirty_two_take_one_open_request(board: BoardUnderTest) -> None:
    names = [f"expert{number}" for number in range(32)]
    for name in names:
        await board.add_agent(name, capabilities=["sql"])
    for answers in (1, 3):
        asked = await board.perform("request", by="backend", capability="sql", question="Which?", answers=answers)

        async def take(name: str) -> bool:
            for claim in await board.claim(name):
                (answer,) = await board.finish(claim, by=name, content=f"says {name}")
                return answer.error is None
            return False

        taken = await asyncio.gather(*map(take, names))
        assert taken.count(True) == answers
        shown = await board.perform("show_thread", thread=asked["thread"])
        assert [one["kind"] for one in shown["messages"]].count("answer") == answers
    assert await board.fetchval("SELECT count(*) FROM leases WHERE board = $1") == 0
    await check_board(board)
    await check_fold(board)


@BOTH_WAYS
@pytest.mark.parametrize("by_manifest", [True, False])
async def test_circle_of_managers_that_two_make_together(
    board: BoardUnderTest, by_manifest: bool, turned: bool
) -> None:
    def manages(name: str, manager: str) -> Action:
        if not by_manifest:
            return doing(board, "change_agent", name=name, manager=manager)
        kind = "apiVersion: agent.ceo/v1\nkind: AgentConfig"
        text = f"{kind}\nmetadata: {{name: {name}}}\nspec: {{manager: {manager}}}\n"
        return doing(board, "apply", documents=[{"source": f"{name}.yaml", "text": text}])

    answers = await race(manages("cto", "backend"), manages("backend", "cto"), board, turned=turned)
    assert sum(isinstance(one, SlateError) for one in answers) == 1
    managed = await board.fetch("SELECT name FROM agents WHERE board = $1 AND manager IS NOT NULL")
    assert len(managed) == 1
