"""The JSON Schema of manifests: it takes what the parser takes, and refuses nothing that the parser does not."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from slateboard.manifests import kinds, schema
from slateboard.protocol.errors import SlateError

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(
    path
    for folder in (ROOT / "examples", ROOT / "tests" / "manifests" / "guide")
    for path in folder.rglob("*")
    if path.suffix in {".yaml", ".json"} and path.name != "api-contract-changed.json"
)
VALIDATORS = {kind: Draft202012Validator(schema.schema_of(kind)) for kind in (*kinds.KINDS, schema.ALL)}


class CoreLoader(yaml.SafeLoader):
    """YAML 1.2: only `true` and `false` are truth values, and a date is a text."""


CoreLoader.yaml_implicit_resolvers = {
    sign: [(tag, pattern) for tag, pattern in found if not tag.endswith((":bool", ":timestamp", ":merge"))]
    for sign, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
CoreLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("true|false"), list("tf"))


def documents(path: Path) -> list[Any]:
    """The manifests of a file, as plain values."""
    return list(yaml.load_all(path.read_text(), CoreLoader))


def is_taken(manifest: Any) -> bool:
    """Whether the parser takes it, whatever a board would say to it."""
    try:
        kinds.declared([{"source": "a.json", "text": json.dumps(manifest)}])
    except SlateError:
        return False
    return True


def is_valid(manifest: Any) -> bool:
    """Whether it fits the schema of all kinds; those of the kinds say the same."""
    valid = VALIDATORS[schema.ALL].is_valid(manifest)
    assert any(VALIDATORS[kind].is_valid(manifest) for kind in kinds.KINDS) is valid
    return valid


MANIFESTS = [manifest for path in FILES for manifest in documents(path)]
TASK_BOARD = {
    "apiVersion": "agent.ceo/v1", "kind": "TaskBoard", "metadata": {"name": "work"},
    "spec": {
        "due": "2d", "artifacts": {
            "a": {"owner": "backend", "priority": "high", "due": 3600, "verify": "cto"},
            "b": {"blocked_by": ["a", "other/c"], "run_at": "2030-12-01T08:00:00Z", "status": "complete"},
            "c": None,
        },
        "decisions": [{"agent": "cto", "decision": "As it is.", "rationale": "It works.", "options": ["a", "b"]}],
    },
}  # fmt: skip
MEETING = {
    "apiVersion": "agent.ceo/v1", "kind": "Meeting", "metadata": {"name": "review"},
    "spec": {"participants": ["cto", "backend"], "agenda": ["One"], "max_duration_minutes": 15, "quorum": 2},
}  # fmt: skip


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_example_fits_the_schema(path: Path) -> None:
    for manifest in documents(path):
        assert list(VALIDATORS[schema.ALL].iter_errors(manifest)) == []
        assert is_valid(manifest)
        assert is_taken(manifest)


@pytest.mark.parametrize("manifest", [TASK_BOARD, MEETING])
def test_what_the_examples_do_not_use_fits_as_well(manifest: Any) -> None:
    assert is_taken(manifest)
    assert is_valid(manifest)


@pytest.mark.parametrize(
    ("manifest", "way", "value"),
    [
        (TASK_BOARD, ("kind",), "TaskBord"),
        (TASK_BOARD, ("metadata", "name"), "Not A Name"),
        (TASK_BOARD, ("spec", "artefacts"), {}),
        (TASK_BOARD, ("spec", "due"), "soon"),
        (TASK_BOARD, ("spec", "artifacts", "a", "priority"), "higher"),
        (TASK_BOARD, ("spec", "artifacts", "a", "owner"), 7),
        (TASK_BOARD, ("spec", "decisions"), "As it is."),
        (MEETING, ("spec", "agenda"), []),
        (MEETING, ("spec", "max_duration_minutes"), 0),
        (MEETING, ("spec", "max_duration_minutes"), 1000),
        (MEETING, ("spec", "quorum"), "two"),
    ],
)
def test_what_is_wrong_fits_no_schema(manifest: Any, way: tuple[str, ...], value: Any) -> None:
    wrong = copy.deepcopy(manifest)
    holder = wrong
    for key in way[:-1]:
        holder = holder[key]
    holder[way[-1]] = value
    assert not is_taken(wrong)
    assert not is_valid(wrong)


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-1, 2_000), st.floats(0, 1e9), st.just([]), st.just({}),
    st.sampled_from(["", " ", "a", "a/b", "A b", "high", "5m", "1w2d", "2030-01-01T00:00:00Z", "genbrain.events.>"]),
)  # fmt: skip


def ways(value: Any, way: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The ways to all that is inside of a value."""
    inside: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inside = list(value.items())
    elif isinstance(value, list):
        inside = list(enumerate(value))
    return [one for key, below in inside for one in ((*way, key), *ways(below, (*way, key)))]


@settings(max_examples=400)
@given(data=st.data())
def test_what_the_schema_refuses_the_parser_refuses(data: st.DataObject) -> None:
    changed = copy.deepcopy(data.draw(st.sampled_from([*MANIFESTS, TASK_BOARD, MEETING])))
    way = data.draw(st.sampled_from(ways(changed)))
    holder = changed
    for key in way[:-1]:
        holder = holder[key]
    match data.draw(st.sampled_from(["take", "name", "put"])):
        case "take":
            del holder[way[-1]]
        case "name" if isinstance(holder, dict):
            holder[data.draw(st.sampled_from(["nam", "owner", "due", "kind", "spec"]))] = holder.pop(way[-1])
        case _:
            holder[way[-1]] = data.draw(VALUES)
    if not is_valid(changed):
        assert not is_taken(changed), changed


def test_the_page_names_every_key_of_every_kind() -> None:
    page = (ROOT / "docs" / "manifests.md").read_text()
    for kind in kinds.KINDS:
        found = schema.schema_of(kind)
        keys = {key for part in (*found["$defs"].values(), found) for key in part.get("properties", {})}
        missing = {key for key in keys if not re.search(rf"\b{key}\b", page)}
        assert missing == set(), kind
