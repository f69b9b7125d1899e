"""Who may speak for whom: what an agent's token posts for others, and below whose tasks."""

from __future__ import annotations

from typing import Any

import pytest

from slateboard.board import mandates
from slateboard.interfaces.operations import OPERATIONS
from slateboard.protocol.errors import DelegationLoop, Denied, NotAccepted, NotYours, SlateError
from slateboard.protocol.work import NewArtifact, NewTask
from slateboard.transaction import Transaction
from tests.support.boards import BoardUnderTest
from tests.support.invariants import check_board
from tests.support.live import check_fold
from tests.support.races import Action, collide

TREE = """
apiVersion: agent.ceo/v1
kind: TaskTree
metadata: {name: tree}
spec:
  root:
    agent: {root}
    task: all of it
    children:
      - {agent: {child}, task: a part}
"""
"""Of the agents `root` and `child`."""

LEAD = NewTask(name="t-lead", title="Lead", agent="lead", delegator="ceo")
OUTSIDE = "zed has no part in t-lead"


@pytest.fixture
async def fleet(board: BoardUnderTest) -> BoardUnderTest:
    """A ceo who delegates `t-lead` to lead, whom it manages; dev accepts lead alone; zed stands outside."""
    for name, manager in (("ceo", None), ("lead", "ceo"), ("dev", "lead"), ("zed", None)):
        await board.add_agent(name, manager=manager)
    await board.perform("change_agent", name="dev", accepts_from=["lead"])
    await board.post(tasks=[LEAD])
    return board


def tree(root: str, child: str) -> list[dict[str, str]]:
    """A TaskTree in which `root` delegates to `child`."""
    return [{"source": "tree.yaml", "text": TREE.replace("{root}", root).replace("{child}", child)}]


async def tasks(board: BoardUnderTest) -> list[str]:
    """The names of all tasks."""
    return [row["name"] for row in await board.fetch("SELECT name FROM tasks WHERE board = $1 ORDER BY id")]


FORGED: dict[str, dict[str, Any]] = {
    "below its task": {
        "tasks": [NewTask(name="forged", title="f", agent="dev", parent="t-lead", delegator="lead")],
    },
    "in one post": {
        "tasks": [
            NewTask(name="tx", title="x", agent="ceo"),
            NewTask(name="ty", title="y", agent="dev", parent="tx", delegator="ceo"),
        ],
    },
    "a tree": {"documents": tree("ceo", "dev")},
    "of its own": {"tasks": [NewTask(name="own", title="o", agent="backend", delegator="lead")]},
}


@pytest.mark.parametrize("way", FORGED)
async def test_nobody_delegates_for_another(fleet: BoardUnderTest, way: str) -> None:
    await fleet.perform("change_agent", name="dev", accepts_from=["lead", "ceo"])
    operation = "apply" if "documents" in FORGED[way] else "post"
    for agent in ("zed", "dev"):
        with pytest.raises(NotYours, match=rf"{agent} cannot delegate [a-z-]+ for (lead|ceo)") as refused:
            await fleet.perform(operation, by=agent, **FORGED[way])
        assert "operator" in str(refused.value.remedy)
        assert await tasks(fleet) == ["t-lead"]
        assert await fleet.fetchval("SELECT count(*) FROM delegations WHERE board = $1") == 1
    if operation == "apply":
        assert refused.value.details["line"] == 10
    await fleet.add_agent("chief", right="operator")
    await fleet.perform(operation, by="chief", **FORGED[way])


async def test_a_manager_delegates_for_those_who_report_to_it(fleet: BoardUnderTest) -> None:
    await fleet.perform("apply", by="ceo", documents=tree("lead", "dev"))
    await fleet.post(by="ceo", tasks=[NewTask(name="far", title="f", agent="backend", delegator="dev")])
    with pytest.raises(NotYours, match="lead cannot delegate up for ceo"):
        await fleet.post(by="lead", tasks=[NewTask(name="up", title="u", agent="backend", delegator="ceo")])
    with pytest.raises(NotAccepted, match="from ceo"):
        await fleet.post(by="ceo", tasks=[NewTask(name="past", title="p", agent="dev", parent="t-lead")])
    await check_fold(fleet)


async def test_an_agent_applies_its_own_tree(fleet: BoardUnderTest) -> None:
    await fleet.perform("apply", by="lead", documents=tree("lead", "dev"))
    rows = await fleet.fetch("SELECT g.name FROM delegations d JOIN agents g ON g.id = d.delegator WHERE d.board = $1")
    assert sorted(row["name"] for row in rows) == ["ceo", "lead"]


@pytest.mark.parametrize("what", ["task", "artifact"])
async def test_who_has_no_part_in_a_task_posts_nothing_below_it(fleet: BoardUnderTest, what: str) -> None:
    given: dict[str, Any] = {"tasks": [NewTask(name="gate", title="g", parent="t-lead")]}
    if what == "artifact":
        given = {"artifacts": [NewArtifact(task="t-lead", name="gate")]}
    with pytest.raises(NotYours, match=OUTSIDE) as refused:
        await fleet.perform("post", by="zed", **given)
    assert "operator" in str(refused.value.remedy)
    assert set(await fleet.by_place()) == {"ready"}
    assert await tasks(fleet) == ["t-lead"]
    for agent in ("lead", "ceo"):
        given = {"tasks": [NewTask(name=f"of-{agent}", title="p", parent="t-lead")]}
        if what == "artifact":
            given = {"artifacts": [NewArtifact(task="t-lead", name=f"of-{agent}")]}
        await fleet.perform("post", by=agent, **given)


async def test_a_part_in_a_task_is_what_stands_above_it_too(fleet: BoardUnderTest) -> None:
    await fleet.post(by="lead", tasks=[NewTask(name="t-dev", title="d", agent="dev", parent="t-lead")])
    await fleet.post(by="ceo", tasks=[NewTask(name="seen", title="s", parent="t-dev")])
    await fleet.post(by="dev", tasks=[NewTask(name="own", title="o", parent="t-dev", agent="dev")])
    with pytest.raises(NotYours, match="dev has no part in t-lead"):
        await fleet.post(by="dev", tasks=[NewTask(name="up", title="u", parent="t-lead")])


async def test_a_manager_owner_or_holder_has_a_part(fleet: BoardUnderTest) -> None:
    await fleet.perform("change_agent", name="ceo", manager="cto")
    await fleet.post(by="cto", tasks=[NewTask(name="by-manager", title="m", parent="t-lead")])
    owned = NewArtifact(task="t-lead", name="owned", owner="backend")
    held = NewArtifact(task="t-lead", name="held", capability="sql")
    await fleet.post(owned, held)
    await fleet.post(by="backend", tasks=[NewTask(name="by-owner", title="o", parent="t-lead")])
    below = [NewTask(name="by-holder", title="h", parent="t-lead")]
    await fleet.perform("change_agent", name="frontend", capabilities=["sql"])
    with pytest.raises(NotYours):
        await fleet.post(by="frontend", tasks=below)
    claimed = [one.reference for one in await fleet.claim("frontend", limit=10)]
    assert "t-lead/held" in claimed
    await fleet.post(by="frontend", tasks=below)


async def test_everybody_posts_below_what_is_nobodys(fleet: BoardUnderTest) -> None:
    await fleet.post(tasks=[NewTask(name="free", title="f")])
    await fleet.post(by="zed", tasks=[NewTask(name="mine", title="m", parent="free", agent="zed")])
    await fleet.post(by="dev", tasks=[NewTask(name="too", title="t", parent="free", agent="dev")])
    with pytest.raises(NotYours, match="dev has no part in mine"):
        await fleet.post(by="dev", tasks=[NewTask(name="on", title="o", parent="mine", agent="dev")])


async def test_the_checks_are_few_statements_whatever_is_posted(fleet: BoardUnderTest, queries: Any) -> None:
    await fleet.post(tasks=[NewTask(name=f"t{n}", title="t", agent="lead", delegator="ceo") for n in range(50)])
    counts = []
    for size in (1, 50):
        below = [
            NewTask(name=f"b{size}-{n}", title="b", parent=f"t{n}", agent="dev", delegator="lead") for n in range(size)
        ]
        async with queries.counted():
            await fleet.post(by="ceo", tasks=below)
        counts.append([queries.statements.count(one) for one in (mandates.LOOK_UP, mandates.PARTS)])
    assert counts == [[1, 0], [1, 0]]
    async with queries.counted():
        await fleet.post(by="zed", tasks=[NewTask(name="plain", title="p", agent="zed")])
    assert mandates.LOOK_UP not in queries.statements


def declared(kind: str, spec: str) -> list[dict[str, str]]:
    """A manifest of that kind."""
    text = f"apiVersion: agent.ceo/v1\nkind: {kind}\nmetadata: {{name: api}}\nspec: {{{spec}}}\n"
    return [{"source": "one.yaml", "text": text}]


async def test_a_manifest_gives_a_task_on_as_reassign_does(fleet: BoardUnderTest) -> None:
    await fleet.post(by="lead", tasks=[NewTask(name="api", title="API", agent="backend", delegator="lead")])
    with pytest.raises(NotYours, match="backend did not delegate api"):
        await fleet.perform("apply", by="backend", documents=declared("TaskBoard", "agent: dev"))
    await fleet.perform("apply", by="lead", documents=declared("TaskBoard", "agent: dev"))
    await fleet.post(by="backend", tasks=[NewTask(name="own", title="own", agent="backend")])
    text = declared("TaskBoard", "agent: frontend")[0]["text"].replace("name: api", "name: own")
    await fleet.perform("apply", by="backend", documents=[{"source": "own.yaml", "text": text}])
    await check_fold(fleet)


@pytest.mark.parametrize("door", ["post", "apply"])
async def test_an_owner_accepts_its_part_as_it_accepts_a_task(fleet: BoardUnderTest, door: str) -> None:
    async def give(by: str, owner: str, artifact: str) -> None:
        if door == "apply":
            spec = f"agent: {by}, artifacts: {{{artifact}: {{owner: {owner}}}}}"
            await fleet.perform("apply", by=by, documents=declared("TaskBoard", spec))
            return
        new = [] if "api" in await tasks(fleet) else [NewTask(name="api", title="API", agent=by)]
        await fleet.post(NewArtifact(task="api", name=artifact, owner=owner), tasks=new, by=by)

    with pytest.raises(NotAccepted, match="dev does not accept api/a from zed"):
        await give("zed", "dev", "a")
    await give("zed", "zed", "a")
    if door == "apply":
        with pytest.raises(NotAccepted, match="dev does not accept api/a from zed"):
            await give("zed", "dev", "a")
    await give("zed", "backend", "b")
    await fleet.add_agent("chief", right="operator")
    spec = "agent: lead, artifacts: {c: {owner: dev}}"
    text = declared("TaskBoard", spec)[0]["text"].replace("name: api", "name: by-lead")
    await fleet.perform("apply", by="chief", documents=[{"source": "c.yaml", "text": text}])
    assert (
        await fleet.fetchval("SELECT count(*) FROM artifacts WHERE board = $1 AND owner = $2", fleet.agents["dev"]) == 1
    )
    await check_fold(fleet)


async def test_only_a_meeting_says_that_a_task_came_of_it(fleet: BoardUnderTest) -> None:
    for source in ("meeting:1", "meeting:999"):
        with pytest.raises(NotYours, match=source):
            await fleet.post(by="zed", tasks=[NewTask(name="forged", title="f", source=source)])
    await fleet.post(by="zed", tasks=[NewTask(name="mine", title="m", source="ticket:7")])


async def test_what_undoes_the_steps_of_all_is_for_an_operator_to_say(fleet: BoardUnderTest) -> None:
    flow = declared("Compensation", "compensation: [{step: deploy, compensate: roll-back, agent: dev}]")
    with pytest.raises(Denied, match="operator"):
        await fleet.perform("apply", by="zed", documents=flow)
    await fleet.add_agent("chief", right="operator")
    await fleet.perform("apply", by="chief", documents=flow)
    assert (await fleet.perform("apply", by="zed", documents=flow))["unchanged"] == 1


CANCEL = {"cancel": {"reference": "api/result"}, "cancel_task": {"task": "api"}}


@pytest.mark.parametrize("operation", CANCEL)
async def test_nobody_cancels_the_work_of_others_with_its_own(fleet: BoardUnderTest, operation: str) -> None:
    await fleet.post(by="lead", tasks=[NewTask(name="api", title="API", agent="backend", parent="t-lead")])
    how = {**CANCEL[operation], "reason": "no", "cascade": True}
    with pytest.raises(NotYours, match="backend neither owns nor delegated t-lead/result") as refused:
        await fleet.perform(operation, by="backend", **how)
    assert "waive" in str(refused.value.remedy)
    assert set(await fleet.by_place()) == {"ready", "gated"}
    await fleet.perform(operation, by="lead", **how)
    assert set(await fleet.by_place()) == {"cancelled"}
    await check_fold(fleet)


BOTH_WAYS = pytest.mark.parametrize("turned", [False, True], ids=["as-is", "turned"])


def doing(board: BoardUnderTest, operation: str, by: str, **arguments: Any) -> Action:
    """An operation in the transaction of the race."""

    async def act(tx: Transaction) -> Any:
        tx.actor = board.actor(by)
        return await OPERATIONS[operation].load()(tx, **arguments)

    return act


MOVED = {
    "reassign": ("boss", {"task": "api", "agent": "frontend", "reason": "it is free"}),
    "decline": ("backend", {"task": "api", "reason": "no time"}),
}


@BOTH_WAYS
@pytest.mark.parametrize("operation", MOVED)
@pytest.mark.parametrize("deep", [False, True], ids=["below it", "further down"])
async def test_a_delegation_that_moves_while_its_agent_posts(
    board: BoardUnderTest, operation: str, deep: bool, turned: bool
) -> None:
    await board.add_agent("boss")
    await board.post(tasks=[NewTask(name="api", title="API", agent="backend", delegator="boss")])
    await board.post(tasks=[NewTask(name="part", title="part", agent="cto", delegator="boss", parent="api")])
    by, arguments = MOVED[operation]
    post = doing(board, "post", "backend", tasks=[NewTask(name="late", title="l", parent="part" if deep else "api")])
    move = doing(board, operation, by, **arguments)
    answers = await collide(board, *((move, post) if turned else (post, move)))
    posted, moved = reversed(answers) if turned else answers
    assert not isinstance(moved, SlateError)
    assert isinstance(posted, NotYours) is turned, "whoever comes second sees what the first did"
    assert ("late" in await tasks(board)) is not turned
    await check_board(board)
    await check_fold(board)


@pytest.mark.parametrize("by", ["backend", "chief"])
async def test_a_loop_that_a_reassignment_and_a_post_make_together(board: BoardUnderTest, by: str) -> None:
    await board.add_agent("chief", right="operator")
    await board.post(tasks=[NewTask(name="api", title="API", agent="backend", delegator="cto")])
    late = NewTask(name="late", title="l", parent="api", agent="frontend", delegator="backend")
    _, posted = await collide(
        board,
        doing(board, "reassign", "cto", task="api", agent="frontend", reason="it is free"),
        doing(board, "post", by, tasks=[late]),
    )
    assert isinstance(posted, DelegationLoop if by == "chief" else NotYours)
    assert await tasks(board) == ["api"]
    await check_fold(board)
