"""What a manifest demands of the work on an artifact: a verifier, criteria, evidence."""

from __future__ import annotations

import json
from typing import Any

import pytest

from slateboard.protocol.errors import BadManifest
from tests.support.boards import BoardUnderTest


async def apply(board: BoardUnderTest, artifact: dict[str, Any]) -> dict[str, Any]:
    spec = {"artifacts": {"report": artifact}}
    text = json.dumps({"kind": "TaskBoard", "apiVersion": "agent.ceo/v1", "metadata": {"name": "q3"}, "spec": spec})
    return await board.perform("apply", documents=[{"source": "board.json", "text": text}])


async def test_rules_are_kept_with_the_artifact_and_final(board: BoardUnderTest) -> None:
    wanted = {"owner": "backend", "verify": "auditor", "criteria": "sourced", "evidence": "link"}
    answer = await apply(board, wanted)
    assert answer["agents_created"] == ["auditor"]
    kept = await board.fetchval("SELECT rules::text FROM artifacts WHERE board = $1")
    assert json.loads(kept) == {"verify": "auditor", "criteria": "sourced", "evidence": ["link"]}
    assert (await apply(board, wanted))["notes"] == []
    (note,) = (await apply(board, {**wanted, "criteria": "short"}))["notes"]
    assert "keeps the rules" in note


@pytest.mark.parametrize(("given", "seconds"), [("2h", 7200), ("90s", 90), (45, 45)])
async def test_time_limit_of_an_attempt_is_a_length(board: BoardUnderTest, given: Any, seconds: float) -> None:
    await apply(board, {"owner": "backend", "time_limit": given})
    kept = await board.fetchval("SELECT rules::text FROM artifacts WHERE board = $1")
    assert json.loads(kept) == {"time_limit_seconds": seconds}


async def test_verify_can_be_true_or_false(board: BoardUnderTest) -> None:
    await apply(board, {"owner": "backend", "verify": False})
    assert await board.fetchval("SELECT rules FROM artifacts WHERE board = $1") is None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"verify": "backend"}, "its own verifier"),
        ({"verify": 3}, "a name"),
        ({"criteria": " "}, "an empty text"),
        ({"evidence": ["link", "hope"]}, "one of: hash, link, note"),
        ({"time_limit": "soon"}, "a length of time"),
        ({"time_limit": 0}, "a length of time"),
        ({"time_limit": "31d"}, "a length of time"),
        ({"time_limit": ["2h"]}, "a length of time"),
    ],
)
async def test_rule_that_cannot_be_meant_is_refused_at_its_place(
    board: BoardUnderTest, wrong: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadManifest, match=message) as refused:
        await apply(board, {"owner": "backend", **wrong})
    assert refused.value.details["path"].startswith(f"spec.artifacts.report.{next(iter(wrong))}")
