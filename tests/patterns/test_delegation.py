"""Delegation: who may give what to whom, how deep, what becomes of silence, and taking it back."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from slateboard.manifests import files
from slateboard.patterns import delegation
from slateboard.protocol.errors import (
    AlreadyStarted,
    DelegationLoop,
    HasDependents,
    Invalid,
    LeaseLost,
    NotAccepted,
    NotYours,
    SlateError,
    TooDeep,
    UnknownName,
    WrongState,
)
from slateboard.protocol.rights import SYSTEM
from slateboard.protocol.states import FailureClass, Outcome
from slateboard.protocol.work import NewArtifact, NewTask
from slateboard.transaction import writing
from tests.manifests.test_kinds import GUIDE
from tests.support.boards import BoardUnderTest, Clock
from tests.support.live import check_fold

SEEN = """
INSERT INTO presence (board, agent, seen_at, worker_seen_at, worker) VALUES ($1, $2, $3, $4, 'w')
ON CONFLICT (board, agent) DO UPDATE SET seen_at = excluded.seen_at, worker_seen_at = excluded.worker_seen_at
"""


async def tree(board: BoardUnderTest, *chain: str) -> list[str]:
    """Tasks below each other, each of the next agent; gives their names."""
    tasks = [
        NewTask(
            name=f"t{number}", title=agent, agent=agent,
            parent=f"t{number - 1}" if number else None, delegator=chain[number - 1] if number else None,
        )
        for number, agent in enumerate(chain)
    ]  # fmt: skip
    await board.post(tasks=tasks)
    return [one.name for one in tasks]


async def state(board: BoardUnderTest, task: str) -> tuple[str, str | None]:
    """The state and the reason of a delegation."""
    (row,) = await board.fetch(
        "SELECT d.state, d.reason FROM delegations d JOIN tasks t ON t.board = d.board AND t.id = d.task"
        " WHERE t.board = $1 AND t.name = $2",
        task,
    )
    return row["state"], row["reason"]


async def settle(board: BoardUnderTest, clock: Clock, **later: float) -> None:
    """What the leader does, that much later, on this board."""
    now = clock.advance(**later)
    async with board.hot() as tx:
        due = await delegation.due(tx, now=now, limit=100_000)
    for number, rows in due:
        if number == board.id:
            async with writing(board.database, SYSTEM, number, now=now) as tx:
                await delegation.settle(tx, rows)


async def test_the_tree_of_the_guide_is_delegated_and_acknowledged(board: BoardUnderTest, clock: Clock) -> None:
    for name in ("ceo", "cso", "devops", "marketing"):
        await board.add_agent(name)
    await board.perform("change_agent", name="backend", accepts_from=["cto"])
    await board.perform("apply", documents=files.read([str(GUIDE / "task-tree.yaml")]))
    assert await board.fetchval("SELECT count(*) FROM delegations WHERE board = $1 AND state = 'pending'") == 6
    await board.perform("list_tasks", by="backend")
    await settle(board, clock, seconds=1)
    rows = await board.fetch("SELECT agent FROM delegations WHERE board = $1 AND state = 'acknowledged'")
    assert [row["agent"] for row in rows] == [board.agents["backend"]]
    hops = await board.perform("accountability", reference="feature-implementation-cto-backend/result")
    assert [(hop["delegator"], hop["agent"], hop["state"]) for hop in hops] == [
        (None, "ceo", None), ("ceo", "cto", "pending"), ("cto", "backend", "acknowledged"),
    ]  # fmt: skip
    assert hops[-1]["owner"] == "backend"
    await check_fold(board)


@pytest.mark.parametrize("finished", [False, True])
async def test_a_claim_of_that_work_acknowledges_it_whenever_its_agent_was_noted(
    board: BoardUnderTest, clock: Clock, finished: bool
) -> None:
    await tree(board, "cto", "backend")
    claims = await board.claim("backend")
    if finished:
        await board.finish(claims[0])
    await board.fetch(SEEN, board.agents["backend"], clock.now - timedelta(seconds=5), None)
    await settle(board, clock, seconds=1)
    assert await state(board, "t1") == ("acknowledged", None)
    await check_fold(board)


async def test_what_another_began_before_acknowledges_nothing(board: BoardUnderTest, clock: Clock) -> None:
    (_, task) = await tree(board, "cto", "backend")
    (claim,) = await board.claim("backend")
    await board.give_back(claim, Outcome.RELEASED)
    await board.perform("reassign", task=task, agent="frontend", reason="it has time")
    await settle(board, clock, seconds=1)
    assert await state(board, task) == ("pending", None)


async def test_an_agent_takes_work_from_those_alone_whom_it_accepts(board: BoardUnderTest) -> None:
    await board.perform("change_agent", name="backend", accepts_from=["cto"])
    with pytest.raises(NotAccepted, match="backend does not accept t1 from frontend"):
        await tree(board, "frontend", "backend")
    await tree(board, "cto", "backend")
    await board.perform("change_agent", name="frontend", accepts_from=[])
    with pytest.raises(NotAccepted):
        await board.post(tasks=[NewTask(name="x", title="x", agent="frontend", delegator="cto")])


async def test_whoever_stands_in_the_chain_is_refused_and_the_chain_shown(board: BoardUnderTest) -> None:
    with pytest.raises(DelegationLoop, match="cto → backend → frontend → cto"):
        await tree(board, "cto", "backend", "frontend", "cto")
    with pytest.raises(DelegationLoop, match="cto → cto"):
        await tree(board, "cto", "cto")
    await tree(board, "cto", "backend")
    with pytest.raises(DelegationLoop, match="cto → backend → cto"):
        await board.post(
            by="backend", tasks=[NewTask(name="back", title="x", parent="t1", agent="cto", delegator="backend")]
        )


async def test_a_chain_has_at_most_five_delegations(board: BoardUnderTest) -> None:
    chain = [f"a{number}" for number in range(7)]
    for name in chain:
        await board.add_agent(name)
    await tree(board, *chain[:6])
    with pytest.raises(TooDeep, match="6 deep"):
        await board.post(by="a5", tasks=[NewTask(name="deep", title="x", parent="t5", agent="a6")])
    await board.post(by="a5", tasks=[NewTask(name="own", title="x", parent="t5", agent="a5")])
    await check_fold(board)


async def test_silence_with_a_live_worker_goes_to_another_agent_that_can(board: BoardUnderTest, clock: Clock) -> None:
    for name in ("backend", "frontend"):
        await board.perform("change_agent", name=name, manager="cto", capabilities=["python"])
    (_, task) = await tree(board, "cto", "backend")
    before, later = clock.now - timedelta(seconds=30), clock.now + timedelta(seconds=59)
    await board.fetch(SEEN, board.agents["backend"], before, before)
    await board.fetch(SEEN, board.agents["frontend"], before, later)
    await settle(board, clock, seconds=50)
    assert await state(board, task) == ("pending", None)
    await settle(board, clock, seconds=20)
    (row,) = await board.fetch("SELECT agent FROM tasks WHERE board = $1 AND name = 't1'")
    assert row["agent"] == board.agents["frontend"]
    assert await state(board, task) == ("pending", None)
    (item,) = await board.fetch("SELECT inbox FROM work_items WHERE board = $1 AND reference = 't1/result'")
    assert item["inbox"] == board.agents["frontend"]
    await check_fold(board)


async def test_silence_without_anybody_else_is_told_to_the_delegator_after_four_hours(
    board: BoardUnderTest, clock: Clock
) -> None:
    (_, task) = await tree(board, "cto", "backend")
    await settle(board, clock, hours=3.9)
    assert await state(board, task) == ("pending", None)
    await settle(board, clock, hours=0.2)
    assert await state(board, task) == ("unanswered", None)
    (asked,) = await board.fetch("SELECT kind, owner FROM escalations WHERE board = $1")
    assert (asked["kind"], asked["owner"]) == ("unanswered", board.agents["cto"])
    await settle(board, clock, hours=9)
    assert await board.fetchval("SELECT count(*) FROM escalations WHERE board = $1") == 1
    await check_fold(board)


async def test_escalate_alone_gives_it_to_nobody_else(board: BoardUnderTest, clock: Clock) -> None:
    text = (
        "apiVersion: agent.ceo/v1\nkind: TaskTree\nmetadata: {name: t}\nspec:\n  root: {agent: cto, task: x,"
        " children: [{agent: backend, task: y, name: below, on_no_ack: escalate}]}\n"
    )
    await board.perform("apply", documents=[{"source": "t.yaml", "text": text}])
    await board.fetch(SEEN, board.agents["frontend"], clock.now, clock.now + timedelta(hours=5))
    await settle(board, clock, hours=5)
    assert await state(board, "below") == ("unanswered", None)
    await check_fold(board)


async def test_what_is_declined_is_back_with_its_delegator_who_is_told_why(board: BoardUnderTest) -> None:
    (_, task) = await tree(board, "cto", "backend")
    (item,) = [row["id"] for row in await board.fetch("SELECT id FROM artifacts WHERE board = $1 AND owner = $2",
                                                      board.agents["backend"])]  # fmt: skip
    claim = await board.claim_item(item)
    for wrong, by in ((NotYours, "frontend"), (Invalid, "backend")):
        with pytest.raises(wrong):
            await board.perform("decline", by=by, task=task, reason=" " if by == "backend" else "no")
    answer = await board.perform("decline", by="backend", task=task, reason="I know no SQL")
    assert (answer["agent"], answer["to"]) == ("backend", "cto")
    assert (await board.finish(claim, content="late"))[0].error is not None
    assert await state(board, task) == ("declined", "I know no SQL")
    (asked,) = await board.fetch("SELECT owner, question FROM escalations WHERE board = $1")
    assert asked["owner"] == board.agents["cto"]
    assert "I know no SQL" in asked["question"]
    assert await board.place(item) == "ready"
    assert (
        await board.fetchval("SELECT inbox FROM work_items WHERE board = $1 AND id = $2", item) == board.agents["cto"]
    )
    with pytest.raises(WrongState, match="nobody delegated"):
        await board.perform("decline", task=task, reason="again")
    await check_fold(board)


async def test_of_what_came_back_and_died_hears_who_manages_its_delegator(board: BoardUnderTest) -> None:
    await board.tolerate_failures()
    await board.add_agent("olivia", kind="human")
    (_, task) = await tree(board, "cto", "backend")
    told = await board.perform("decline", by="backend", task=task, reason="I know no SQL")
    await board.perform("answer", by="cto", escalation=told["escalation"], answer="so be it")
    (claim,) = await board.claim("cto")
    await board.fail(claim, FailureClass.LOGIC, by="cto")
    (asked,) = (await board.perform("list_escalations")).rows
    assert (asked["kind"], asked["reference"], asked["owner"]) == ("failure", task, "olivia")
    await check_fold(board)


async def test_its_delegator_reassigns_a_task_under_the_same_checks(board: BoardUnderTest) -> None:
    (_, task) = await tree(board, "cto", "backend")
    with pytest.raises(NotYours):
        await board.perform("reassign", by="backend", task=task, agent="frontend", reason="not mine")
    await board.perform("change_agent", name="frontend", accepts_from=[])
    with pytest.raises(NotAccepted):
        await board.perform("reassign", by="cto", task=task, agent="frontend", reason="try")
    await board.perform("change_agent", name="frontend", accepts_anyone=True)
    answer = await board.perform("reassign", by="cto", task=task, agent="frontend", reason="it is free")
    assert answer == {"task": task, "agent": "frontend", "before": "backend"}
    with pytest.raises(WrongState):
        await board.perform("reassign", by="cto", task=task, agent="frontend", reason="again")
    (claim,) = await board.claim("frontend")
    assert claim.reference == "t1/result"
    await check_fold(board)


async def test_delegated_work_gates_the_work_in_hand_which_comes_back_to_integrate(board: BoardUnderTest) -> None:
    await board.post(tasks=[NewTask(name="feature", title="Feature", agent="cto")])
    (claim,) = await board.claim("cto")
    tasks = [
        NewTask(name="api", title="API", agent="backend"),
        NewTask(name="page", title="Page", agent="frontend"),
    ]
    artifacts = [NewArtifact(task="page", name="page", blocked_by=("api/result",))]
    answer = await board.perform(
        "delegate", by="cto", item=claim.item, fence=claim.fence, tasks=tasks, artifacts=artifacts
    )
    assert (answer["place"], answer["remaining"], answer["tasks"]) == ("gated", 2, ["api", "page"])
    assert await state(board, "api") == ("pending", None)
    await board.complete(answer["items"]["api/result"])
    await board.complete(answer["items"]["page/page"], agent="frontend")
    (again,) = await board.claim("cto")
    assert again.item == claim.item
    hops = await board.perform("accountability", reference="page/page")
    assert [(hop["delegator"], hop["agent"]) for hop in hops] == [(None, "cto"), ("cto", "frontend")]
    assert (hops[-1]["owner"], hops[-1]["version"]) == ("frontend", 1)
    await check_fold(board)


async def test_a_delegation_that_is_refused_leaves_the_claim(board: BoardUnderTest) -> None:
    await board.post(tasks=[NewTask(name="feature", title="Feature", agent="cto")])
    (claim,) = await board.claim("cto")
    wrong: list[Any] = [
        [NewTask(name="api", title="API", agent="nobody")], [], [NewTask(name="api", title="API", agent="cto")],
    ]  # fmt: skip
    for tasks in wrong:
        with pytest.raises(SlateError):
            await board.perform("delegate", by="cto", item=claim.item, fence=claim.fence, tasks=tasks)
    assert await board.place(claim.item) == "claimed"
    tasks = [NewTask(name="api", title="API", agent="backend")]
    with pytest.raises(LeaseLost):
        await board.perform("delegate", by="cto", item=claim.item, fence=claim.fence + 1, tasks=tasks)
    await board.finish(claim, content="x")


async def test_a_subtree_is_cancelled_leaves_first_and_what_was_done_is_undone(board: BoardUnderTest) -> None:
    undo = "compensation: [{step: api, compensate: drop-api}]"
    await board.perform("apply", documents=[{"source": "c.yaml", "text": undo}])
    items = await board.post(
        NewArtifact(task="below", name="api"),
        NewArtifact(task="below", name="docs"),
        tasks=[
            NewTask(name="top", title="top", agent="cto"),
            NewTask(name="mid", title="mid", parent="top", agent="frontend", delegator="cto"),
            NewTask(name="below", title="below", parent="mid", agent="backend", delegator="frontend"),
        ],
    )
    await board.complete(items["below/api"])
    with pytest.raises(HasDependents):
        await board.perform("cancel_task", by="cto", task="mid", reason="not this year")
    with pytest.raises(NotYours):
        await board.perform("cancel_task", by="backend", task="mid", reason="not mine")
    answer = await board.perform("cancel_task", by="cto", task="mid", reason="not this year", waive=True)
    assert answer["undone"] == ["below/api"]
    assert sorted(answer["cancelled"]) == ["below/docs", "mid/result"]
    assert await board.place(items["top/result"]) == "ready"
    await check_fold(board)
    with pytest.raises(UnknownName):
        await board.perform("cancel_task", task="nowhere", reason="x")


async def test_delegate_and_cancel_at_once_leave_no_work_below_what_was_cancelled(board: BoardUnderTest) -> None:
    await board.post(tasks=[NewTask(name="feature", title="Feature", agent="cto")])
    (claim,) = await board.claim("cto")
    tasks = [NewTask(name="api", title="API", agent="backend")]
    await asyncio.gather(
        board.perform("delegate", by="cto", item=claim.item, fence=claim.fence, tasks=tasks),
        board.perform("cancel_task", task="feature", reason="no", waive=True),
        return_exceptions=True,
    )
    assert set((await board.by_place()).keys()) == {"cancelled"}
    await check_fold(board)


async def test_the_briefs_of_the_hops_are_cut_the_most_general_first(board: BoardUnderTest) -> None:
    long = "é" * 20_000
    items = await board.post(
        tasks=[
            NewTask(name="top", title="top", agent="cto", brief=long),
            NewTask(name="mid", title="mid", parent="top", agent="frontend", delegator="cto", brief=long),
            NewTask(name="below", title="b", parent="mid", agent="backend", delegator="frontend", brief="short"),
        ]
    )
    found = await board.perform("briefing", item=items["below/result"])
    assert [(hop["task"], hop["cut"]) for hop in found["chain"]] == [("below", False), ("mid", False), ("top", True)]
    assert sum(len(hop["brief"].encode()) for hop in found["chain"]) <= 65_536


async def test_what_is_posted_below_a_task_while_it_is_cancelled_is_refused_or_cancelled(board: BoardUnderTest) -> None:
    for number in range(6):
        await board.post(tasks=[NewTask(name=f"root{number}", title="Root", agent="cto")])
        below = [NewTask(name=f"below{number}-{one}", title="Below", parent=f"root{number}", agent="backend")
                 for one in range(8)]  # fmt: skip
        answers = await asyncio.gather(
            *(board.perform("post", tasks=[one]) for one in below[:4]),
            board.perform("cancel_task", task=f"root{number}", reason="no", cascade=True),
            *(board.perform("post", tasks=[one]) for one in below[4:]),
            return_exceptions=True,
        )
        assert not isinstance(answers[4], BaseException)
        assert {type(one) for one in answers if isinstance(one, BaseException)} <= {AlreadyStarted}
    left = "SELECT reference FROM work_items WHERE board = $1 AND outcome IS NULL"
    assert await board.fetch(left) == []
    await check_fold(board)
