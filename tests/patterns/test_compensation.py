"""Compensation: what was completed of a task that failed is undone once, the last step first, whatever happens."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from slateboard import Worker
from slateboard.manifests.kinds import declared
from slateboard.patterns import failures
from slateboard.protocol.errors import BadManifest, Denied, Invalid, LeaseLost, UnknownName
from slateboard.protocol.names import BoardId
from slateboard.protocol.rights import SYSTEM
from slateboard.protocol.states import FailureClass, Outcome
from slateboard.protocol.work import Claim, NewArtifact, NewTask
from slateboard.sdk.testing import run
from slateboard.transaction import hot, writing
from tests.support.boards import BoardUnderTest
from tests.support.live import check_fold

EXAMPLES = Path(__file__).parents[1] / "manifests/guide"
GUIDE = """
compensation:
  - step: "deploy"
    compensate: "rollback_deployment"
  - step: "schema"
    compensate: "run_down_migration"
"""


def test_the_compensation_of_the_guide_is_read_as_it_stands() -> None:
    got = declared([{"source": "undo.yaml", "text": (EXAMPLES / "compensation.yaml").read_text(encoding="utf-8")}])
    assert {one.step: (one.compensate, one.source) for one in got.compensations.values()} == {
        "deploy_to_production": ("rollback_deployment", "Compensation/default"),
        "update_database_schema": ("run_down_migration", "Compensation/default"),
    }


async def release(board: BoardUnderTest, rules: str = GUIDE) -> dict[str, int]:
    """A task whose schema and deployment are complete, and whose smoke test is still to come."""
    await board.perform("apply", documents=[{"source": "undo.yaml", "text": rules}])
    items = await board.post_graph({"schema": [], "deploy": ["schema"], "smoke": ["deploy"]}, task="release")
    await board.complete(items["schema"], items["deploy"])
    return items


async def act(board: BoardUnderTest) -> None:
    """Let the leader look at what failed."""
    await board.seal()
    for _ in range(20):
        async with writing(board.database, SYSTEM, board.id) as tx:
            more = await failures.act(tx)
        if not more:
            return


async def shown(board: BoardUnderTest) -> list[tuple[str, str, str]]:
    rows = await board.perform("list_compensations", task="release")
    return [(row["reference"], row["action"], row["state"]) for row in rows]


async def undo(board: BoardUnderTest) -> Claim:
    (claim,) = await board.claim()
    assert claim.kind == "compensate"
    (answer,) = await board.finish(claim, note="undone", usage={"cost": 1})
    assert answer.error is None
    return claim


async def test_completed_steps_of_a_task_that_fails_are_undone_in_reverse(board: BoardUnderTest) -> None:
    items = await release(board)
    await board.bury(items["smoke"])
    await act(board)
    assert await shown(board) == [
        ("release/deploy", "rollback_deployment", "ready"),
        ("release/schema", "run_down_migration", "gated"),
    ]
    claim = await undo(board)
    assert claim.reference == "release/rollback_deployment"
    assert (await undo(board)).reference == "release/run_down_migration"
    assert [state for _, _, state in await shown(board)] == ["undone", "undone"]
    await act(board)
    assert await board.claim() == []
    found = await board.perform("show", name="release")
    assert [one["state"] for one in found["compensations"]] == ["undone", "undone"]
    head = (await board.log())[-1].position
    past = (await board.perform("as_of", position=head, of=[], show="release"))["show"]
    assert past["compensations"] == found["compensations"]
    await check_fold(board)


async def test_briefing_says_what_is_to_be_undone_under_a_key_that_stays(board: BoardUnderTest) -> None:
    items = await release(board)
    await board.bury(items["smoke"])
    await act(board)
    keys: set[str] = set()
    for _ in range(2):
        (claim,) = await board.claim()
        told = (await board.perform("briefing", item=claim.item))["compensation"]
        assert (told["step"], told["version"], told["action"]) == ("release/deploy", 1, "rollback_deployment")
        assert told["because"] == "release/smoke failed: it broke"
        assert told["content"] == f"result of {items['deploy']}"
        keys.add(told["idempotency_key"])
        await board.give_back(claim, Outcome.RELEASED)
    assert len(keys) == 1


async def test_undo_that_its_worker_gave_comes_before_what_is_declared(board: BoardUnderTest) -> None:
    await board.perform("apply", documents=[{"source": "undo.yaml", "text": GUIDE}])
    items = await board.post_graph({"deploy": [], "notice": ["deploy"], "smoke": ["notice"]}, task="release")
    for name, action in (("deploy", "switch_back"), ("notice", "recall_notice")):
        claim = await board.claim_item(items[name])
        assert (await board.finish(claim, content="so", undo=action))[0].error is None
        assert (await board.finish(claim, content="so", undo=action))[0].error is None
    await board.bury(items["smoke"])
    await act(board)
    assert [(step, action) for step, action, _ in await shown(board)] == [
        ("release/notice", "recall_notice"), ("release/deploy", "switch_back"),
    ]  # fmt: skip
    await check_fold(board)


async def test_failure_is_acted_on_once_whoever_looks_and_whatever_crashes(board: BoardUnderTest) -> None:
    items = await release(board)
    await board.bury(items["smoke"])
    await board.seal()
    with pytest.raises(RuntimeError):  # noqa: PT012  the server is killed before its commit
        async with writing(board.database, SYSTEM, board.id) as tx:
            await failures.act(tx)
            raise RuntimeError
    assert await shown(board) == []
    await asyncio.gather(*(act(board) for _ in range(4)))
    assert len(await shown(board)) == 2
    again = await board.perform("compensate", task="release", reason="once more")
    assert again == {"task": "release", "posted": [], "unknown": [], "cancelled": []}
    assert await failures_behind(board) is False


async def failures_behind(board: BoardUnderTest) -> bool:
    await act(board)
    async with hot(board.database, SYSTEM, BoardId(0)) as tx:
        return board.id in await failures.boards_behind(tx)


async def test_nothing_is_undone_of_a_task_that_goes_on(board: BoardUnderTest) -> None:
    items = await release(board)
    more = await board.post(
        NewArtifact(task="release", name="notes", owner="backend"),
        NewArtifact(task="release", name="later", owner="backend", blocked_by=("smoke",)),
    )
    await board.perform("cancel", reference="release/notes", reason="not needed")
    await act(board)
    assert await shown(board) == []
    await board.perform("cancel", reference="release/smoke", reason="not needed", waive=True)
    await board.complete(more["release/later"])
    await act(board)
    assert await shown(board) == []
    assert await board.place(items["smoke"]) == "cancelled"


async def test_task_that_is_cancelled_with_nothing_left_is_undone(board: BoardUnderTest) -> None:
    await release(board)
    await board.perform("cancel", reference="release/smoke", reason="we stop")
    await act(board)
    assert [state for _, _, state in await shown(board)] == ["ready", "gated"]
    (row, _) = await board.perform("list_compensations")
    assert row["because"] == "release/smoke was given up: we stop"


async def test_redriven_before_the_leader_looked_undoes_nothing(board: BoardUnderTest) -> None:
    items = await release(board)
    await board.bury(items["smoke"])
    await board.perform("redrive", items=[items["smoke"]])
    await act(board)
    assert await shown(board) == []


async def test_running_step_is_fenced_off_and_its_effect_is_unknown(board: BoardUnderTest) -> None:
    await board.perform("apply", documents=[{"source": "undo.yaml", "text": GUIDE}])
    items = await board.post_graph({"schema": [], "deploy": ["schema"], "smoke": ["schema"], "end": []}, task="release")
    await board.complete(items["schema"])
    running = await board.claim_item(items["deploy"])
    await board.bury(items["smoke"])
    await act(board)
    assert sorted(await shown(board)) == [
        ("release/deploy", "rollback_deployment", "unknown"), ("release/schema", "run_down_migration", "ready"),
    ]  # fmt: skip
    (late,) = await board.finish(running, content="deployed")
    assert isinstance(late.error, LeaseLost)
    assert await board.place(items["end"]) == "cancelled"
    await check_fold(board)


async def test_step_that_finishes_while_its_task_is_undone_is_undone_or_unknown(board: BoardUnderTest) -> None:
    await board.perform("apply", documents=[{"source": "undo.yaml", "text": GUIDE}])
    items = await board.post_graph({"schema": [], "deploy": ["schema"], "smoke": ["schema"]}, task="release")
    await board.complete(items["schema"])
    running = await board.claim_item(items["deploy"])
    await board.bury(items["smoke"])
    await asyncio.gather(board.finish(running, content="deployed"), act(board))
    await act(board)
    (state,) = [state for step, _, state in await shown(board) if step == "release/deploy"]
    assert state == ("gated" if await board.place(items["deploy"]) == "done" else "unknown") or state == "ready"
    await check_fold(board)


async def questions(board: BoardUnderTest) -> list[Any]:
    """What somebody is asked now."""
    return await board.fetch(
        "SELECT e.item, e.question, e.options, a.name AS owner FROM escalations e"
        " JOIN agents a ON a.board = e.board AND a.id = e.owner WHERE e.board = $1 AND e.answered_at IS NULL"
    )


async def dead_undo(board: BoardUnderTest) -> tuple[int, dict[str, Any]]:
    """A rollback that failed for good, and what somebody is asked about it."""
    items = await release(board)
    await board.bury(items["smoke"])
    await act(board)
    (claim,) = await board.claim()
    await board.fail(claim, FailureClass.LOGIC, error="no such deployment")
    await act(board)
    (asked,) = (await board.perform("list_escalations")).rows
    return claim.item, asked


async def test_undo_that_fails_for_good_stops_the_chain_and_asks(board: BoardUnderTest) -> None:
    _, asked = await dead_undo(board)
    assert "no such deployment" in asked["question"]
    assert asked["options"] == ["retry", "skip", "stop"]
    assert [state for _, _, state in await shown(board)] == ["failed", "gated"]
    await board.perform("answer", escalation=asked["item"], answer="stop")
    await act(board)
    assert [state for _, _, state in await shown(board)] == ["failed", "gated"]
    assert (await board.perform("list_escalations")).rows == []
    await check_fold(board)


@pytest.mark.parametrize(("answer", "states"), [("retry", ["ready", "gated"]), ("skip", ["left", "ready"])])
async def test_answer_about_an_undo_that_failed_is_carried_out(
    board: BoardUnderTest, answer: str, states: list[str]
) -> None:
    _, asked = await dead_undo(board)
    await board.perform("answer", escalation=asked["item"], answer=answer)
    assert [state for _, _, state in await shown(board)] == states
    await undo(board)
    await check_fold(board)


async def test_retry_of_an_undo_that_was_redriven_meanwhile_is_an_answer(board: BoardUnderTest) -> None:
    item, asked = await dead_undo(board)
    await board.perform("redrive", items=[item])
    await board.perform("answer", escalation=asked["item"], answer="retry")
    assert [state for _, _, state in await shown(board)] == ["ready", "gated"]
    assert await questions(board) == []
    await undo(board)
    await check_fold(board)


IRREVERSIBLE = """
apiVersion: agent.ceo/v1
kind: Compensation
metadata: {name: careful}
spec:
  compensation:
    - {step: deploy, compensate: drop_everything, irreversible: true, agent: devops}
    - {step: schema, compensate: run_down_migration}
"""


@pytest.mark.parametrize(("answer", "states"), [("undo", ["ready", "gated"]), ("leave", ["left", "ready"])])
async def test_irreversible_step_asks_a_person_first(board: BoardUnderTest, answer: str, states: list[str]) -> None:
    await board.perform("add_agent", name="olivia", kind="human")
    items = await release(board, IRREVERSIBLE)
    await board.bury(items["smoke"])
    await act(board)
    assert [state for _, _, state in await shown(board)] == ["gated", "gated"]
    (asked,) = (await board.perform("list_escalations", agent="olivia")).rows
    await board.perform("answer", escalation=asked["item"], answer=answer)
    assert [state for _, _, state in await shown(board)] == states
    await check_fold(board)


async def test_compensate_asks_for_a_reason_a_task_and_the_right(board: BoardUnderTest) -> None:
    await release(board)
    with pytest.raises(Invalid):
        await board.perform("compensate", task="release", reason=" ")
    with pytest.raises(UnknownName):
        await board.perform("compensate", task="nothing", reason="why not")
    with pytest.raises(Denied):
        await board.perform("compensate", by="backend", task="release", reason="why not")
    done = await board.perform("compensate", task="release", reason="a bad release")
    assert done["posted"] == ["release/deploy", "release/schema"]
    assert done["cancelled"] == ["release/smoke"]


async def test_task_without_a_compensation_fails_as_ever(board: BoardUnderTest) -> None:
    await board.post(NewArtifact(task="other", name="thing", owner="backend"), tasks=[NewTask(name="other", title="")])
    (claim,) = await board.claim()
    await board.fail(claim, FailureClass.LOGIC)
    assert await board.perform("list_compensations") == []
    with pytest.raises(UnknownName):
        await board.perform("list_compensations", task="nothing")
    assert await failures_behind(board) is False


async def test_manifest_says_all_of_itself_and_names_steps_that_no_task_has(board: BoardUnderTest) -> None:
    def document(text: str) -> list[dict[str, str]]:
        return [{"source": "undo.yaml", "text": text}]

    first = await board.perform("apply", documents=document(IRREVERSIBLE))
    assert [one["reference"] for one in first["created"]] == ["deploy", "schema"]
    assert first["agents_created"] == ["devops"]
    assert [note.partition(": ")[2] for note in first["notes"]] == [
        "no task has the step 'deploy' yet", "no task has the step 'schema' yet",
    ]  # fmt: skip
    assert (await board.perform("apply", documents=document(IRREVERSIBLE)))["unchanged"] == 2
    with pytest.raises(BadManifest, match="was said by Compensation/careful"):
        await board.perform("apply", documents=document(GUIDE))
    await board.post_graph({"deploys": []}, task="release")
    assert (await board.perform("apply", documents=document(IRREVERSIBLE), strict=True))["unchanged"] == 2
    new = IRREVERSIBLE.replace("step: deploy", "step: deployed")
    with pytest.raises(UnknownName) as refused:
        await board.perform("apply", documents=document(new), strict=True)
    assert refused.value.remedy == "did you mean 'deploys'?"
    assert refused.value.details["line"] == 7
    less = IRREVERSIBLE.replace(", irreversible: true", "").replace("    - {step: schema", "    # {step: schema")
    changed = await board.perform("apply", documents=document(less))
    assert [(one["field"], one["to"]) for one in changed["changed"]] == [("irreversible", False)]
    assert changed["removed"] == [{"kind": "compensation", "reference": "schema"}]
    await check_fold(board)


@pytest.mark.parametrize(
    "text",
    ["compensation: deploy", "compensation: [{step: a}]", "compensation: [{step: A b, compensate: c}]",
     "compensation: [{step: a, compensate: b}, {step: a, compensate: c}]",
     "compensation: [{step: a, compensate: b, irreversible: perhaps}]"],
)  # fmt: skip
async def test_manifest_that_cannot_be_meant_changes_nothing(board: BoardUnderTest, text: str) -> None:
    with pytest.raises(BadManifest):
        await board.perform("apply", documents=[{"source": "undo.yaml", "text": text}])
    assert await board.fetch("SELECT FROM compensation_rules WHERE board = $1") == []


async def test_worker_undoes_by_the_name_of_the_action() -> None:
    worker = Worker("backend")
    seen: list[str] = []

    @worker.compensation("rollback_*")
    async def roll_back(work: Any) -> None:
        seen.append(work.action)

    trial = await run(worker, kind="compensate", artifact="rollback_deployment", task="release")
    assert seen == ["rollback_deployment"]
    assert trial.result is not None
