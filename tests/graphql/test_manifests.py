"""Manifests in GraphQL: exports and schemas say the same as at every other door, and an apply tells its differences."""

from __future__ import annotations

import json

from tests.graphql.conftest import Asker
from tests.support.boards import BoardUnderTest
from tests.support.manifests import do, feature


async def test_a_board_is_exported_and_applies_back(board: BoardUnderTest, asker: Asker) -> None:
    await do(board, feature("a: {owner: backend}"))
    asked = '{ export(kinds: ["TaskBoard"]) { manifests { kind name text } notes next } }'
    found = (await asker.ask(asked))["export"]
    assert found == await board.perform("export", kinds=["TaskBoard"])
    (one,) = found["manifests"]
    text = json.dumps(one["text"].replace("    a:", "    b: {}\n    a:"))
    done = await asker.ask(f'mutation {{ apply(dryRun: true, documents: [{{source: "a.yaml", text: {text}}}]) }}')
    assert [(one["action"], one["reference"]) for one in done["apply"]["differences"]] == [("create", "feature/b")]


async def test_the_schema_of_a_kind_is_that_of_every_door(board: BoardUnderTest, asker: Asker) -> None:
    found = (await asker.ask('{ manifestSchema(kind: "Meeting") { kinds { kind text } schema } }'))["manifestSchema"]
    assert found == await board.perform("manifest_schema", kind="Meeting")
    assert found["schema"]["title"] == "Slateboard Meeting"
