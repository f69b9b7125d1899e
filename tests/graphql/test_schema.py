"""The API cannot drift: the committed schema is the one that is served, and it covers the catalogue."""

from __future__ import annotations

import re

from graphql import GraphQLSchema, build_schema

from slateboard.interfaces.graphql.schema import schema, text
from slateboard.interfaces.operations import OPERATIONS, Mode
from tests.house.source import ROOT

# Operations whose field has another name than their own: nouns for listings, and what is read below an artifact.
FIELDS = {
    "report_audit": "Query.auditReport",
    "report_decisions": "Query.decisionsReport",
    "report_agents": "Query.agentsReport",
    "show_breaker": "Query.breaker",
    "read_log": "Query.events",
    "as_of": "Board.asOf",
    "list_attempts": "Artifact.attempts",
    "list_versions": "Artifact.versions",
    "list_dependencies": "Artifact.dependencies",
}
MUTATING = {"attend", "claim", "claim_one", "heartbeat", "checkpoint", "finish", "give_back"}
"""Changes that are one statement, and therefore not of the mode `write`."""


def camel(name: str) -> str:
    """A name as the schema has it."""
    return re.sub(r"_(\w)", lambda found: found[1].upper(), name)


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
