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


async def test_shell_says_what_is_demanded_handed_in_and_judged(slate: Slate, board: BoardUnderTest) -> None:
    rules = {"verify": "cto", "criteria": "every figure has its source", "evidence": ["link"]}
    await board.post(
        NewArtifact(task="work", name="page", owner="backend", rules=rules),
        tasks=[NewTask(name="work", title="work")],
    )
    shown = (await slate("work", "claim", "--as", "backend")).out
    assert "criteria:   every figure has its source" in shown
    assert "--evidence link=TEXT" in shown
    (mine,) = await slate.ok("mine", "--as", "backend")
    end = ("work", "finish", "work/page", "--fence", mine["fence"], "--content", "v1", "--evidence", "link=https://ci")
    assert "is handed in, and is to be judged: version 1" in (await slate(*end, "--as", "backend")).out
    asked = (await slate("work", "claim", "--as", "cto")).out
    assert "To judge\n  version 1 by backend: inline (sha256:" in asked
    assert "slate work approve" in asked
    await slate.ok("work", "reject", "work/page", "--reason", "no source", "--as", "cto")
    again = (await slate("work", "claim", "--as", "backend")).out
    assert "Reviews\n  version 1 was rejected by cto\n      no source" in again
    assert "rejected" in (await slate("show", "work/page")).out
