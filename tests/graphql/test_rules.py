"""The rules of an artifact in GraphQL: the same words and refusals as at the other doors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.graphql.conftest import Asker
from tests.support.boards import BoardUnderTest

POST = """mutation ($artifacts: [ArtifactInput!]) {
  post(tasks: [{name: "site", title: "s"}], artifacts: $artifacts) { artifacts { reference } } }"""


async def test_rules_are_posted_as_the_sdk_posts_them(board: BoardUnderTest, asker: Asker) -> None:
    rules = {"verify": "cto", "verdict_within_seconds": 60, "evidence": ["link"], "touches": ["src/**"]}
    await asker.ask(POST, artifacts=[{"task": "site", "name": "api", "owner": "backend", "rules": rules}])
    assert json.loads(await board.fetchval("SELECT rules::text FROM artifacts WHERE board = $1")) == rules


@pytest.mark.parametrize(
    ("rules", "code"),
    [({"verify": "nobody"}, "unknown_name"), ({"touches": ["a["]}, "invalid"), (["verify"], "invalid"), (3, "invalid")],
)
async def test_rules_that_cannot_be_meant_are_refused(
    board: BoardUnderTest, asker: Asker, rules: Any, code: str
) -> None:
    artifacts = [{"task": "site", "name": "api", "owner": "backend", "rules": rules}]
    assert (await asker.refused(POST, artifacts=artifacts))["code"] == code
    assert await board.places() == {}
