"""`slate schema`: which kinds there are, and the schema of each, without a server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from jsonschema import Draft202012Validator

from slateboard.manifests.kinds import KINDS

if TYPE_CHECKING:
    import pytest

    from tests.cli.conftest import Slate


async def test_the_kinds_are_listed_and_each_has_its_schema(slate: Slate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLATE_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    listed = (await slate("schema")).out.splitlines()
    assert [line.split()[0] for line in listed] == [*KINDS, "all"]
    for kind in (*KINDS, "all"):
        schema = json.loads((await slate("schema", kind)).out)
        Draft202012Validator.check_schema(schema)
        assert schema["title"] == ("Slateboard manifest" if kind == "all" else f"Slateboard {kind}")


async def test_an_unknown_kind_is_named_with_the_nearest(slate: Slate) -> None:
    error = await slate.wrong(4, "schema", "TaskTre")
    assert error["message"] == "there is no kind 'TaskTre'"
    assert error["remedy"] == "did you mean 'TaskTree'?"
