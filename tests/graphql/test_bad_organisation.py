"""What is refused of the organisation through GraphQL: the same code, and nothing done."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from graphql import get_named_type, is_composite_type

from slateboard.interfaces.graphql.schema import schema
from tests.graphql.conftest import Asker
from tests.graphql.test_schema import camel
from tests.support.bad_input import WRONG, Wrong, counts, filled, organised
from tests.support.boards import BoardUnderTest


def literal(value: Any) -> str:
    """A value as GraphQL writes it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{camel(name)}: {literal(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    return json.dumps(value)


def mutation(operation: str, arguments: dict[str, Any]) -> str:
    """The operation as a mutation."""
    mutations: Any = schema()._schema.mutation_type
    below = " { __typename }" if is_composite_type(get_named_type(mutations.fields[camel(operation)].type)) else ""
    given = ", ".join(f"{camel(name)}: {literal(value)}" for name, value in arguments.items())
    return f"mutation {{ {camel(operation)}({given}){below} }}"


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
async def test_bad_input_is_refused_and_nothing_is_done(
    board: BoardUnderTest, asker_of: Callable[[str], Any], wrong: Wrong
) -> None:
    made = await organised(board)
    before = await counts(board)
    asker: Asker = await asker_of(wrong.by)
    error = await asker.refused(mutation(wrong.operation, filled(wrong.arguments, made)))
    assert wrong.says in f"{error['message']}; {error['remedy']}"
    assert error["code"] == wrong.code
    assert await counts(board) == before
