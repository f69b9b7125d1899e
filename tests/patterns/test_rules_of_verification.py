"""What a post says of verification: the verifier is known and is not the owner, and its deadline is settable."""

from __future__ import annotations

import json
from typing import Any

import pytest

from slateboard.protocol.errors import Invalid, NotYours, SlateError, UnknownName
from slateboard.protocol.states import FailureClass
from slateboard.protocol.work import NewArtifact, NewTask
from tests.patterns.test_verification import HASH, judge, late, post, reject_thrice, submitted
from tests.support.boards import BoardUnderTest
from tests.work.test_budgets import check_fold


@pytest.mark.parametrize(
    ("rules", "error"),
    [
        ({"verify": "nobody"}, UnknownName),
        ({"verify": ""}, Invalid),
        ({"verify": "backend"}, Invalid),
        ({"verify": True, "verdict_within_seconds": 0}, Invalid),
        ({"verify": True, "verdict_within_seconds": True}, Invalid),
        ({"verify": True, "verdict_within_seconds": float("nan")}, Invalid),
        ({"verdict_within_seconds": 60}, Invalid),
        ({"max_idle_attempts": 0}, Invalid),
        ({"max_idle_attempts": 2.5}, Invalid),
        ({"touches": ["a["]}, Invalid),
        ({"hope": "x"}, Invalid),
        (["verify"], Invalid),
    ],
)
async def test_rule_that_cannot_be_meant_is_refused_at_the_post(
    board: BoardUnderTest, rules: Any, error: type[SlateError]
) -> None:
    with pytest.raises(error):
        await board.post(
            NewArtifact(task="work", name="spec", owner="backend", rules=rules), tasks=[NewTask(name="work", title="w")]
        )
    assert await board.places() == {}


async def test_agent_of_the_task_does_not_verify_what_it_is_to_produce(board: BoardUnderTest) -> None:
    with pytest.raises(Invalid, match="its own work on work/spec"):
        await board.post(
            NewArtifact(task="work", name="spec", rules={"verify": "backend"}),
            tasks=[NewTask(name="work", title="w", agent="backend")],
        )


async def test_time_for_a_verdict_is_that_of_the_rule_at_each_level(board: BoardUnderTest) -> None:
    await board.perform("add_agent", name="ceo", kind="human")
    items = await post(board, verify=True, verdict_within_seconds=1800)
    await submitted(board)
    assert await late(board, 0.4) == 0
    assert await late(board, 0.6) == 1
    (shown,) = await board.perform("list_verifications")
    assert (shown["verifier"], shown["level"]) == ("ceo", 1)
    assert await late(board, 1) == 0
    assert await late(board, 1.2) == 1
    assert await board.place(items["work/spec"]) == "dead"


async def test_work_that_is_rejected_for_ever_ends_when_nobody_answers(board: BoardUnderTest) -> None:
    items = await post(board, verify=True)
    escalation = await reject_thrice(board)
    assert (await board.perform("list_escalations")).rows[0]["default"] == "retry"
    await board.perform("answer", by="cto", escalation=escalation, answer="retry")
    for version in (4, 5, 6):
        duty = await submitted(board, f"v{version}")
        await judge(board, duty.item, "reject", version=version)
    (asked,) = (await board.perform("list_escalations", agent="cto")).rows
    assert (asked["default"], asked["options"]) == (None, ["retry", "accept", "cancel"])
    assert await board.place(items["work/spec"]) == "waiting"


@pytest.mark.parametrize(("given", "seconds"), [("30m", 1800), (90, 90)])
async def test_manifest_says_how_long_a_verdict_may_take(board: BoardUnderTest, given: Any, seconds: float) -> None:
    await apply(board, {"owner": "backend", "verify": True, "verdict_within": given, "max_idle_attempts": 3})
    kept = json.loads(await board.fetchval("SELECT rules::text FROM artifacts WHERE board = $1"))
    assert kept == {"verify": True, "verdict_within_seconds": seconds, "max_idle_attempts": 3}


@pytest.mark.parametrize(
    "wrong", [{"verdict_within": "1h"}, {"verify": True, "verdict_within": "soon"}, {"max_idle_attempts": 0}]
)
async def test_manifest_with_a_rule_that_cannot_be_meant_is_refused(
    board: BoardUnderTest, wrong: dict[str, Any]
) -> None:
    with pytest.raises(SlateError) as refused:
        await apply(board, {"owner": "backend", **wrong})
    assert refused.value.code == "bad_manifest"


async def apply(board: BoardUnderTest, artifact: dict[str, Any], *, by: str | None = None) -> None:
    spec = {"artifacts": {"report": artifact}}
    text = json.dumps({"kind": "TaskBoard", "apiVersion": "agent.ceo/v1", "metadata": {"name": "q3"}, "spec": spec})
    await board.perform("apply", by=by, documents=[{"source": "board.json", "text": text}])


async def test_dead_verification_can_still_be_judged(board: BoardUnderTest) -> None:
    items = await post(board, verify=True)
    duty = await submitted(board)
    await board.fail(duty, FailureClass.LOGIC)
    assert (await board.place(duty.item), await board.place(items["work/spec"])) == ("dead", "waiting")
    await judge(board, duty.item, by="cto", hash=HASH)
    assert (await board.place(duty.item), await board.place(items["work/spec"])) == ("done", "done")
    assert await board.perform("list_verifications") == []


async def test_open_work_that_nobody_judges_dies_as_that_of_who_made_it(board: BoardUnderTest) -> None:
    await board.fetch("UPDATE agents SET capabilities = '{python}' WHERE board = $1 RETURNING 1")
    items = await board.post(
        NewArtifact(task="work", name="spec", capability="python", rules={"verify": True}),
        tasks=[NewTask(name="work", title="work", delegator="cto")],
    )
    await submitted(board)
    await late(board, 4.1)
    assert await board.place(items["work/spec"]) == "dead"
    (letter,) = await board.fetch("SELECT agent, class FROM dead_letters WHERE board = $1")
    assert (letter["agent"], letter["class"]) == (board.agents["backend"], "unverified")
    assert len(await board.log(subject="genbrain.dlq.backend")) == 1
    await check_fold(board, "dead_letters", "work_items")


@pytest.mark.parametrize("rules", [{"verify": True}, {"criteria": "short"}, {"evidence": ["link"]}])
async def test_agent_does_not_go_round_its_verifier_with_a_manifest(
    board: BoardUnderTest, rules: dict[str, Any]
) -> None:
    items = await board.post(
        NewArtifact(task="q3", name="report", owner="backend", rules=rules),
        tasks=[NewTask(name="q3", title="q3", agent="backend", delegator="cto")],
    )
    done = {"owner": "backend", "status": "complete", "content": "mine"}
    with pytest.raises(NotYours, match="q3/report"):
        await apply(board, done, by="backend")
    assert await board.place(items["q3/report"]) == "ready"
    await apply(board, done)
    assert await board.place(items["q3/report"]) == "done"


async def test_verification_that_is_given_up_sends_the_work_round_again(board: BoardUnderTest) -> None:
    items = await post(board, verify=True)
    duty = await submitted(board)
    await board.fail(duty, FailureClass.LOGIC)
    await board.perform("discard", items=[duty.item], reason="the verifier is gone", waive=True)
    assert (await board.place(duty.item), await board.place(items["work/spec"])) == ("cancelled", "ready")
    assert await board.perform("list_verifications") == []
    again = await submitted(board, "v2")
    await judge(board, again.item, version=2)
    assert (await board.place(items["work/spec"]), await board.place(items["work/code"])) == ("done", "ready")
    await check_fold(board, "verifications", "work_items", "waiting")
