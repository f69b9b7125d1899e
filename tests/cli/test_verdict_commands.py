"""Verdicts from the shell: what waits for one, and to approve or reject it."""

from __future__ import annotations

import hashlib
import json
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


async def test_post_takes_every_rule_in_the_words_of_the_other_doors(slate: Slate, board: BoardUnderTest) -> None:
    said = (
        ("--verify", "cto"), ("--criteria", "sourced"), ("--verdict-within", "2h"), ("--evidence", "link"),
        ("--evidence", "note"), ("--touches", "src/**"), ("--key", "api"), ("--time-limit", "90s"),
        ("--max-idle-attempts", 3),
    )  # fmt: skip
    await slate.ok("post", "work", "--owner", "backend", *(word for pair in said for word in pair))
    await slate.ok("post", "work/page", "--owner", "backend", "--verify")
    kept = {row["name"]: json.loads(row["rules"]) for row in await board.fetch(
        "SELECT name, rules::text FROM artifacts WHERE board = $1")}  # fmt: skip
    assert kept == {
        "result": {
            "verify": "cto", "criteria": "sourced", "verdict_within_seconds": 7200, "evidence": ["link", "note"],
            "touches": ["src/**"], "keys": ["api"], "time_limit_seconds": 90, "max_idle_attempts": 3,
        },
        "page": {"verify": True},
    }  # fmt: skip
    for wrong, code, exit_code in (
        (("--verify", "nobody"), "unknown_name", 4), (("--verify", "backend"), "invalid", 2),
        (("--touches", "a["), "invalid", 2), (("--verdict-within", "1h"), "invalid", 2),
    ):  # fmt: skip
        refused = await slate.wrong(exit_code, "post", "work/other", "--owner", "backend", *wrong)
        assert refused["code"] == code
