# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false
# graphql-core leaves the parameters of its generic types open.
"""The schema, built once. Its text stands in `schema.graphql` at the top of the project, compared by a test.

Introspection is open to everybody with a token. Descriptions are the docstrings.
"""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.extensions import ParserCache
from strawberry.types import ExecutionContext, ExecutionResult

from slateboard.interfaces.graphql import (
    answers,
    boards,
    breakers,
    choreography,
    compensation,
    delegation,
    directory,
    escalations,
    health,
    inputs,
    meetings,
    peers,
    proof,
    reports,
    types,
    usage,
    verification,
    why,
)
from slateboard.interfaces.graphql.faults import shown
from slateboard.interfaces.graphql.limits import Limits
from slateboard.interfaces.graphql.mutations import Mutation
from slateboard.interfaces.graphql.queries import Query
from slateboard.interfaces.graphql.rows import RowExecutor
from slateboard.interfaces.graphql.scalars import CONFIG
from slateboard.interfaces.graphql.subscriptions import Subscription

CACHED_DOCUMENTS = 128


class Schema(strawberry.Schema):
    """A schema whose errors are worded, and logged if they must be, in one place (`faults`)."""

    async def execute(self, *args: Any, **kwargs: Any) -> ExecutionResult:
        """Run a document; every error of the answer has its `extensions`."""
        result = await super().execute(*args, **kwargs)
        if result.errors:
            result.errors = [shown(error) for error in result.errors]
        return result

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Nothing: what is unexpected is logged by `faults`, and what users do wrong is no news."""


@cache
def schema() -> Schema:
    """The schema."""
    for described in (
        Query,
        Mutation,
        Subscription,
        *_types(types),
        *_types(answers),
        *_types(inputs),
        *_types(breakers),
        *_types(choreography),
        *_types(compensation),
        *_types(delegation),
        *_types(directory),
        *_types(escalations),
        *_types(meetings),
        *_types(peers),
        *_types(usage),
        *_types(verification),
        *_types(proof),
        *_types(boards),
        *_types(reports),
        *_types(why),
        *_types(health),
    ):
        _describe(described)
    return Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        config=CONFIG,
        extensions=[Limits, lambda: ParserCache(maxsize=CACHED_DOCUMENTS)],
        execution_context_class=RowExecutor,
    )


def text() -> str:
    """The schema in GraphQL's own language."""
    return schema().as_str() + "\n"


def _types(module: Any) -> list[Any]:
    return [one for one in vars(module).values() if hasattr(one, "__strawberry_definition__")]


def _describe(described: Any) -> None:
    """Take the docstrings of a type and of its resolvers as their descriptions."""
    definition = described.__strawberry_definition__
    definition.description = definition.description or inspect.getdoc(described)
    for field in definition.fields:
        if field.description is None and field.base_resolver is not None:
            field.description = inspect.getdoc(field.base_resolver.wrapped_func)
