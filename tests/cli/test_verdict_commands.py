"""Verdicts from the shell: what waits for one, and to approve or reject it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from slateboard.protocol.work import NewArtifact, NewTask

if TYPE_CHECKING:
    from tests.cli.conftest import Slate
    from tests.support.boards import BoardUnderTest


async def test_verdicts_are_given_by_reference_or_by_number(slate: Slate, board: BoardUnderTest) -> None:
    await board.post(
        NewArtifact(task="work", name="page", owner="backend", rules={"verify": True, "evidence": ["link"]}),
        tasks=[NewTask(name="work", title="work", delegator="cto")],
    )
    for content in ("v1", "v2"):
        claim = (await slate.ok("work", "claim", "--as", "backend"))["claim"]
        end = ("work", "finish", claim["item"], "--fence", claim["fence"], "--content", content, "--as", "backend")
        assert (await slate.wrong(2, *end))["code"] == "evidence_missing"
        await slate.ok(*end, "--evidence", "link=https://ci.example.org/1")
        (row,) = await slate.ok("work", "verifications", "--of", "cto")
        assert row["hash"] == f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"
        if content == "v1":
            assert (await slate.wrong(5, "work", "approve", row["item"], "--version", 2))["code"] == "version_conflict"
            await slate.ok("work", "reject", "work/page", "--reason", "too short", "--as", "cto")
    judged = await slate.ok("work", "approve", row["item"], "--as", "cto")
    assert (judged["verdict"], judged["version"], judged["hashed_again"]) == ("approved", 2, True)
    assert (await slate.wrong(4, "work", "approve", "work/page"))["code"] == "unknown_name"
