"""Verification: a result is complete when somebody other than its author has approved this very version."""

from __future__ import annotations

from typing import Any

from slateboard.patterns import verification
from slateboard.protocol.names import BoardId
from slateboard.protocol.rights import SYSTEM
from slateboard.protocol.work import Claim, NewArtifact, NewTask
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
