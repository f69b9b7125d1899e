"""Verification: a result is complete when somebody other than its author has approved this very version."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from slateboard.patterns import verification
from slateboard.protocol.errors import (
    EvidenceMissing,
    HasDependents,
    Invalid,
    NotYours,
    SlateError,
    UnknownName,
    VersionConflict,
    WrongState,
)
from slateboard.protocol.names import BoardId
from slateboard.protocol.rights import SYSTEM
from slateboard.protocol.work import Claim, NewArtifact, NewTask
from slateboard.reports.audit.fold import Fold
from slateboard.sdk import verdicts
from slateboard.transaction import writing
from tests.support.boards import BoardUnderTest

HASH = f"sha256:{'a' * 64}"
OTHER_HASH = f"sha256:{'b' * 64}"


async def post(board: BoardUnderTest, **rules: Any) -> dict[str, int]:
    """`work/spec`, delegated by the cto, with these rules; `work/code` waits for it."""
    return await board.post(
        NewArtifact(task="work", name="spec", owner="backend", rules=rules),
        NewArtifact(task="work", name="code", owner="frontend", blocked_by=("spec",)),
        tasks=[NewTask(name="work", title="work", delegator="cto")],
    )


async def submitted(board: BoardUnderTest, content: str = "v1", **result: Any) -> Claim:
    """The verifier's claim on what backend has handed in."""
    (claim,) = await board.claim()
    (answer,) = await board.finish(claim, by="backend", content=content, hash=HASH, **result)
    assert answer.error is None, answer.error
    (duty,) = await board.claim("cto")
    return duty


async def judge(board: BoardUnderTest, duty: int, verdict: str = "approve", *, by: str = "cto", **given: Any) -> Any:
    arguments = {"version": 1, "hash": HASH, **({"reason": "too short"} if verdict == "reject" else {}), **given}
    return await board.perform("judge", by=by, item=duty, verdict=verdict, **arguments)


async def late(board: BoardUnderTest, hours: float) -> int:
    """Let the leader look at what is overdue so many hours from now."""
    now = await board.fetchval("SELECT now() + make_interval(mins => $2) WHERE $1 > 0", round(hours * 60))
    async with writing(board.database, SYSTEM, BoardId(0), now=now) as tx:
        return await verification.time_out(tx)


async def status(board: BoardUnderTest, reference: str = "work/spec") -> str:
    page = await board.perform("list_artifacts", references=[reference])
    return page.rows[0]["status"]


async def test_result_is_in_review_until_its_verifier_approves_it(board: BoardUnderTest) -> None:
    items = await post(board, verify=True, criteria="every endpoint has an example")
    duty = await submitted(board, summary="the endpoints")
    assert (duty.kind, duty.reference) == ("verify", "work/spec")
    assert (await board.place(items["work/spec"]), await board.place(items["work/code"])) == ("waiting", "gated")
    briefing = (await board.perform("briefing", item=duty.item))["verification"]
    assert (briefing["version"], briefing["hash"], briefing["content"]) == (1, HASH, "v1")
    assert (briefing["criteria"], briefing["author"]) == ("every endpoint has an example", "backend")
    await judge(board, duty.item)
    assert (await board.place(items["work/spec"]), await board.place(items["work/code"])) == ("done", "ready")
    assert await board.place(duty.item) == "done"
    subjects = await board.subjects()
    told = ["board.verification.approved", "board.artifact.completed", "board.item.opened"]
    assert subjects[-3:] == told


async def test_rejection_sends_it_back_with_the_reason_and_is_no_failure(board: BoardUnderTest) -> None:
    items = await post(board, verify=True)
    duty = await submitted(board)
    await judge(board, duty.item, "reject", reason="no example of an error")
    (again,) = await board.claim()
    assert (again.item, again.attempt) == (items["work/spec"], 2)
    briefing = await board.perform("briefing", item=again.item)
    (review,) = briefing["reviews"]
    assert (review["verdict"], review["reason"], review["judged_by"]) == ("rejected", "no example of an error", "cto")
    assert await board.fetchval("SELECT failures FROM work_items WHERE board = $1 AND id = $2", again.item) == 0
    (answer,) = await board.finish(again, content="v2", hash=OTHER_HASH)
    assert answer.version == 2
    (duty,) = await board.claim("cto")
    await judge(board, duty.item, version=2, hash=OTHER_HASH)
    (code,) = await board.claim("frontend")
    (given,) = (await board.perform("briefing", item=code.item))["inputs"]
    assert (given["version"], given["content"]) == (2, "v2")


async def test_status_is_in_review_and_no_version_is_the_newest_meanwhile(board: BoardUnderTest) -> None:
    await post(board, verify=True)
    await submitted(board)
    page = await board.perform("list_artifacts", references=["work/spec"])
    assert (page.rows[0]["status"], page.rows[0]["version"]) == ("in_review", None)
    assert [row["reference"] for row in (await board.perform("list_artifacts", status="in_review")).rows] == [
        "work/spec"
    ]
    assert (await board.perform("list_artifacts", status="waiting")).rows == []
    (version,) = await board.perform("list_versions", references=["work/spec"])
    assert (version["review"], version["proven"]) == ("pending", True)
    (shown,) = await board.perform("list_verifications", agent="cto")
    assert (shown["author"], shown["verifier"], shown["proven"]) == ("backend", "cto", True)


async def test_finish_that_is_repeated_is_answered_as_the_first_time(board: BoardUnderTest) -> None:
    await post(board, verify=True, evidence=["link"])
    (claim,) = await board.claim()
    for _ in range(2):
        (answer,) = await board.finish(claim, by="backend", content="v1", evidence=({"link": "https://ci/1"},))
        assert (answer.version, answer.error) == (1, None)
    (answer,) = await board.finish(claim, by="backend", content="other", evidence=({"link": "https://ci/1"},))
    assert answer.error is not None
    assert answer.error.code == "finish_conflict"


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"verdict": "perhaps"}, Invalid),
        ({"verdict": "reject", "reason": " "}, Invalid),
        ({"by": "backend"}, NotYours),
        ({"by": "frontend"}, NotYours),
        ({"version": 2}, VersionConflict),
        ({"hash": OTHER_HASH}, VersionConflict),
        ({"hash": None}, VersionConflict),
        ({"duty": 2**40}, UnknownName),
    ],
)
async def test_verdict_that_cannot_be_given_changes_nothing(
    board: BoardUnderTest, given: dict[str, Any], error: type[SlateError]
) -> None:
    items = await post(board, verify=True)
    duty = await submitted(board)
    asked = {"duty": duty.item, "verdict": "approve", **given}
    with pytest.raises(error):
        await judge(board, asked.pop("duty"), asked.pop("verdict"), **asked)
    assert (await board.place(duty.item), await board.place(items["work/spec"])) == ("claimed", "waiting")


async def test_author_never_judges_even_as_an_operator(board: BoardUnderTest) -> None:
    await board.add_agent("chief", right="operator", capabilities=["any"])
    await board.post(
        NewArtifact(task="own", name="plan", capability="any", rules={"verify": "chief"}),
        tasks=[NewTask(name="own", title="own", delegator="cto")],
    )
    (claim,) = await board.claim("chief")
    (answer,) = await board.finish(claim, by="chief", content="mine", hash=HASH)
    assert answer.error is None
    (duty,) = await board.claim("cto")
    with pytest.raises(NotYours, match="made version 1"):
        await judge(board, duty.item, by="chief")


async def test_nobody_to_verify_refuses_the_finish_and_keeps_the_claim(board: BoardUnderTest) -> None:
    items = await board.post(
        NewArtifact(task="lone", name="plan", owner="backend", rules={"criteria": "short"}),
        tasks=[NewTask(name="lone", title="lone")],
    )
    (claim,) = await board.claim()
    (answer,) = await board.finish(claim, content="mine")
    assert isinstance(answer.error, Invalid)
    assert await board.place(items["lone/plan"]) == "claimed"
    await board.perform("add_agent", name="person", kind="human")
    (answer,) = await board.finish(claim, content="mine")
    assert answer.version == 1
    (shown,) = await board.perform("list_verifications")
    assert (shown["verifier"], shown["proven"]) == ("person", False)


async def test_second_verdict_is_refused_and_two_at_once_are_one(board: BoardUnderTest) -> None:
    items = await post(board, verify=True)
    duty = await submitted(board)
    refused: list[SlateError] = []

    async def say(verdict: str) -> None:
        try:
            await judge(board, duty.item, verdict)
        except (WrongState, VersionConflict) as error:
            refused.append(error)

    await asyncio.gather(say("approve"), say("reject"), say("approve"), say("reject"))
    assert len(refused) == 3
    events = await board.log()
    told = [event.subject for event in events if event.subject.startswith("board.verification.")]
    assert len(told) == 2
    done = told[-1] == "board.verification.approved"
    assert await board.place(items["work/spec"]) == ("done" if done else "ready")


async def reject_thrice(board: BoardUnderTest) -> int:
    for version in (1, 2, 3):
        duty = await submitted(board, f"v{version}")
        await judge(board, duty.item, "reject", version=version)
    (asked,) = (await board.perform("list_escalations", agent="cto")).rows
    assert asked["options"] == ["retry", "accept", "cancel"]
    return asked["item"]


async def test_third_rejection_asks_and_retry_makes_it_ready(board: BoardUnderTest) -> None:
    items = await post(board, verify=True)
    escalation = await reject_thrice(board)
    assert await board.place(items["work/spec"]) == "waiting"
    await board.perform("answer", by="cto", escalation=escalation, answer="retry")
    assert await board.place(items["work/spec"]) == "ready"
    duty = await submitted(board, "v4")
    await judge(board, duty.item, version=4)
    assert await board.place(items["work/spec"]) == "done"


async def test_third_rejection_can_be_accepted_all_the_same(board: BoardUnderTest) -> None:
    items = await post(board, verify=True)
    escalation = await reject_thrice(board)
    await board.perform("answer", by="cto", escalation=escalation, answer="accept")
    assert (await board.place(items["work/spec"]), await board.place(items["work/code"])) == ("done", "ready")
    page = await board.perform("list_artifacts", references=["work/spec"])
    assert page.rows[0]["version"] == 3


async def test_third_rejection_can_cancel_what_nobody_waits_for(board: BoardUnderTest) -> None:
    items = await post(board, verify=True)
    escalation = await reject_thrice(board)
    with pytest.raises(HasDependents):
        await board.perform("answer", by="cto", escalation=escalation, answer="cancel")
    assert await board.place(items["work/spec"]) == "waiting"
    await board.perform("cancel", reference="work/code")
    await board.perform("answer", by="cto", escalation=escalation, answer="cancel")
    assert await board.place(items["work/spec"]) == "cancelled"


@pytest.mark.parametrize(
    ("evidence", "error"),
    [
        (None, EvidenceMissing),
        (({"link": "https://ci/1"},), EvidenceMissing),
        (({"link": ""}, {"note": "x"}), Invalid),
        (({"hope": "x"},), Invalid),
        (({"hash": "md5:0"},), Invalid),
        ("everything", Invalid),
        (({"link": "https://ci/1"}, {"note": "ran twice"}), None),
    ],
)
async def test_finish_names_the_evidence_that_is_demanded(
    board: BoardUnderTest, evidence: Any, error: type[SlateError] | None
) -> None:
    items = await post(board, evidence=["link", "note"])
    (claim,) = await board.claim()
    (answer,) = await board.finish(claim, by="backend", content="v1", evidence=evidence)
    assert (type(answer.error) if answer.error else None) is error
    assert await board.place(items["work/spec"]) == ("claimed" if error else "done")
    if error is None:
        (version,) = await board.perform("list_versions", references=["work/spec"])
        assert version["evidence"] == [{"link": "https://ci/1"}, {"note": "ran twice"}]


async def test_evidence_that_nobody_demanded_is_kept_too(board: BoardUnderTest) -> None:
    items = await board.post_graph({"plan": [], "rest": []})
    claims = await board.claim(limit=2)
    (answer,) = await board.finish(claims[0], evidence=({"note": "seen"},))
    assert answer.error is None
    assert await board.place(items["plan"]) == "done"
    (version,) = await board.perform("list_versions", references=["work/plan"])
    assert version["evidence"] == [{"note": "seen"}]


async def test_revision_is_verified_too_and_the_old_version_stands_meanwhile(board: BoardUnderTest) -> None:
    await post(board, verify=True)
    await judge(board, (await submitted(board)).item)
    await board.perform("revise", reference="work/spec", expect_version=1)
    duty = await submitted(board, "v2")
    page = await board.perform("list_artifacts", references=["work/spec"])
    assert (page.rows[0]["status"], page.rows[0]["version"]) == ("in_review", 1)
    await judge(board, duty.item, version=2)
    page = await board.perform("list_artifacts", references=["work/spec"])
    assert (page.rows[0]["status"], page.rows[0]["version"]) == ("complete", 2)


async def test_cancelled_work_takes_its_verification_with_it(board: BoardUnderTest) -> None:
    await post(board, verify=True)
    duty = await submitted(board)
    await board.perform("cancel", reference="work/spec", cascade=True)
    assert await board.place(duty.item) == "cancelled"
    with pytest.raises(WrongState):
        await judge(board, duty.item)
    assert await board.perform("list_verifications") == []


async def test_verdict_that_does_not_come_is_asked_one_level_up_and_then_the_work_dies(board: BoardUnderTest) -> None:
    await board.perform("add_agent", name="ceo", kind="human")
    items = await post(board, verify=True)
    duty = await submitted(board)
    await late(board, 3)
    assert await board.place(duty.item) == "claimed"
    await late(board, 4.1)
    (shown,) = await board.perform("list_verifications")
    assert (shown["verifier"], shown["level"]) == ("ceo", 1)
    with pytest.raises(NotYours):
        await judge(board, duty.item)
    await late(board, 8.2)
    assert (await board.place(items["work/spec"]), await board.place(duty.item)) == ("dead", "done")
    (asked,) = (await board.perform("list_escalations", agent="cto")).rows
    await board.perform("answer", escalation=asked["item"], answer="redrive")
    assert (await submitted(board, "v2")).kind == "verify"


async def test_agent_judges_by_finishing_its_claim(board: BoardUnderTest) -> None:
    items = await post(board, verify=True)
    duty = await submitted(board)
    (answer,) = await board.finish(duty, by="cto", content="looks good")
    assert isinstance(answer.error, Invalid)
    said = f'{{"verdict": "approve", "version": 1, "hash": "{HASH}"}}'
    (answer,) = await board.finish(duty, by="cto", content=said)
    assert answer.error is None
    assert await board.place(items["work/spec"]) == "done"


async def test_verifier_hashes_again_what_it_can_read(tmp_path: Path) -> None:
    file = tmp_path / "report.txt"
    file.write_text("the report")
    right = "sha256:" + "0" * 64
    assert await verdicts.check({"version": 1, "hash": None, "content": "x"}) is False
    assert await verdicts.check({"version": 1, "hash": right, "path": "/nowhere/at/all"}) is False
    with pytest.raises(VersionConflict):
        await verdicts.check({"version": 1, "hash": right, "path": str(file)})
    with pytest.raises(VersionConflict):
        await verdicts.check({"version": 1, "hash": right, "content": "the report"})
    with pytest.raises(Invalid):
        verdicts.asked({"reference": "work/spec", "verification": None})


async def test_audit_names_the_author_of_what_another_approved(board: BoardUnderTest) -> None:
    items = await post(board, verify=True)
    await judge(board, (await submitted(board)).item, "reject")
    await judge(board, (await submitted(board, "v2")).item, version=2)
    told = Fold(datetime.now(UTC))
    for event in await board.log():
        told.add(event.row, event.payload)
    spec = told.items[items["work/spec"]]
    assert [(one.version, one.author) for one in spec.versions] == [(1, "backend"), (2, "backend")]
    assert [(one.agent, one.outcome) for one in spec.attempts] == [("backend", "completed")] * 2
    assert spec.place == "done"
    assert await board.perform("report_audit")
