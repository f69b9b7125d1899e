"""The API cannot drift: the committed schema is the one that is served, and it covers the catalogue."""

from __future__ import annotations

import dataclasses
import re
from inspect import Parameter, signature
from typing import Any, cast

import pytest
from graphql import GraphQLSchema, build_schema, is_required_argument

from slateboard.interfaces.graphql.schema import schema, text
from slateboard.interfaces.operations import OPERATIONS, Mode
from slateboard.protocol.work import NewArtifact, NewTask
from tests.house.source import ROOT

# Operations whose field has another name than their own: nouns for listings, and what is read below an artifact.
FIELDS = {
    "report_audit": "Query.auditReport",
    "report_decisions": "Query.decisionsReport",
    "report_agents": "Query.agentsReport",
    "show_breaker": "Query.breaker",
    "read_log": "Query.events",
    "as_of": "Board.asOf",
    "list_minutes": "Meeting.agenda",
    "list_attempts": "Artifact.attempts",
    "list_versions": "Artifact.versions",
    "list_dependencies": "Artifact.dependencies",
}
MUTATING = {"attend", "claim", "claim_one", "heartbeat", "checkpoint", "finish", "give_back"}
"""Changes that are one statement, and therefore not of the mode `write`."""


def camel(name: str) -> str:
    """A name as the schema has it."""
    return re.sub(r"_(\w)", lambda found: found[1].upper(), name)


def snake(name: str) -> str:
    """A name of the schema as the operations have it."""
    return re.sub(r"([A-Z])", lambda found: f"_{found[1].lower()}", name)


def field_of(operation: str) -> str:
    """Where an operation is in the schema."""
    if operation in FIELDS:
        return FIELDS[operation]
    changes = OPERATIONS[operation].mode in {Mode.WRITE, Mode.LOOK_FIRST} or operation in MUTATING
    return f"{'Mutation' if changes else 'Query'}.{camel(operation.removeprefix('list_'))}"


def has(found: GraphQLSchema, path: str) -> bool:
    type_name, field = path.split(".")
    return field in getattr(found.get_type(type_name), "fields", {})


def test_the_committed_schema_is_the_one_that_is_served() -> None:
    committed = (ROOT / "schema.graphql").read_text(encoding="utf-8")
    command = "python -c 'from slateboard.interfaces.graphql.schema import text; print(text(), end=str())'"
    assert committed == text(), f"the schema changed; write it anew: {command} > schema.graphql"


def test_every_operation_has_a_field() -> None:
    served = build_schema(text())
    missing = {operation: field_of(operation) for operation in OPERATIONS if not has(served, field_of(operation))}
    assert not missing


FILTERS = frozenset({
    "agent", "everything", "failure_class", "limit", "newer_than_seconds", "older_than_seconds", "search", "subject",
})  # fmt: skip
SAID_OTHERWISE: dict[str, frozenset[str]] = {
    "claim": frozenset({"item"}),  # `claimOne`
    **dict.fromkeys(("redrive", "discard"), FILTERS),  # the input `where`
    # the manifest that says so
    **dict.fromkeys(("schedule_meeting", "schedule", "subscribe", "change_subscription"), frozenset({"source"})),
    "tree": frozenset({"artifacts"}),
    "verify_log": frozenset({"limit"}),
    "list_minutes": frozenset({"meetings"}),
    "list_threads": frozenset({"agents"}),  # `Agent.threads`
    "find_agents": frozenset({"names"}),  # `Agent.presence`
    "list_tasks": frozenset({"roll_up"}),
    "list_artifacts": frozenset({"tasks"}),
    "read_log": frozenset({"limit"}),
    **dict.fromkeys(("list_attempts", "list_versions"), frozenset({"artifacts", "references", "content"})),
    "list_dependencies": frozenset({"artifacts", "references", "dependents"}),
    "as_of": frozenset({"of", "position", "show", "time", "tree", "where", "first", "after"}),
}
"""Arguments that are no argument of their operation's field: they are said in the query in another way."""
LISTED = {"total", "ids", "now"}
"""What is selected, or what fields below others are loaded by."""


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_argument_has_the_same_name_in_the_field(operation: str) -> None:
    type_name, name = field_of(operation).split(".")
    field: Any = cast("Any", schema()._schema.get_type(type_name)).fields[name]
    given = {one.out_name or one_name: one for one_name, one in field.args.items()}
    parameters = list(signature(OPERATIONS[operation].load()).parameters.values())[1:]
    otherwise = SAID_OTHERWISE.get(operation, frozenset()) | LISTED
    missing = {one.name for one in parameters} - {snake(one) for one in given} - otherwise
    assert not missing, f"`{name}` cannot say {missing}"
    needed = {snake(one) for one, argument in given.items() if is_required_argument(argument)}
    assert needed <= {one.name for one in parameters if one.default is Parameter.empty}, "it may be left out"


@pytest.mark.parametrize(("given", "taken"), [("TaskInput", NewTask), ("ArtifactInput", NewArtifact)])
def test_what_is_posted_has_the_same_fields(given: str, taken: type) -> None:
    fields: Any = cast("Any", schema()._schema.get_type(given)).fields
    assert {snake(one) for one in fields} == {one.name for one in dataclasses.fields(taken)}


def test_every_field_and_type_is_described() -> None:
    served = schema()._schema
    roots = [served.query_type, served.mutation_type]
    fields = [
        f"{root.name}.{name}" for root in roots if root for name, one in root.fields.items() if not one.description
    ]
    ours = [one for one in served.type_map.values() if not one.name.startswith("__") and one.name not in BUILT_IN]
    assert not fields
    assert not [one.name for one in ours if not one.description]


BUILT_IN = {"String", "Int", "Float", "Boolean", "ID"}


def test_one_failing_field_never_hides_the_others() -> None:
    """Fields of the roots may be null, so that an error in one leaves what the others did to be read."""
    served = schema()._schema
    strict = [
        f"{root.name}.{name}"
        for root in (served.query_type, served.mutation_type)
        if root
        for name, one in root.fields.items()
        if str(one.type).endswith("!")
    ]
    assert not strict
