# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false
# graphql-core leaves the parameters of its generic types open.
"""Writing rows: the selection on a row is turned into functions once, and these run over all rows.

graphql-core builds a path, an info and a result for each field of each row, which takes most of the time of a query
about a thousand artifacts. Where a list holds rows whose selected fields are only read, never resolved, none of that is
needed; nor for the rows of a live feed. Whatever is not that simple, or goes wrong on the way, is left to graphql-core,
which then words the error.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    get_named_type,
)
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from slateboard.interfaces.graphql.selection import Query, Selected, select

Write = Callable[[Any], Any]

LOADED = "loaded"
"""The mark, in a field's metadata, of a field whose values `prefetch` has put into the rows."""
PLAIN = {"String": str, "Boolean": bool}


class RowExecutor(StrawberryGraphQLCoreExecutionContext):
    """Executes a query as graphql-core does, but for lists of rows."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.context_value is not None:
            self.context_value.query = Query(
                schema=self.schema, fragments=self.fragment_definitions, variables=self.variable_values
            )

    def complete_iterable_value(
        self, item_type: Any, field_details_list: Any, info: Any, path: Any, items: Any, position_context: Any
    ) -> Any:
        """The items as they are answered."""
        query = getattr(self.context_value, "query", None)
        named = get_named_type(item_type)
        if query is not None and isinstance(items, list) and isinstance(named, GraphQLObjectType):
            nodes = [details.node for details in field_details_list]
            # An error is met again by graphql-core, which says where it is.
            with suppress(Exception):
                write = _writer_of(item_type, select(query, named, nodes))
                return [write(item) for item in items]
        return super().complete_iterable_value(item_type, field_details_list, info, path, items, position_context)


class NotPlainError(Exception):
    """A field has to be resolved, so the list is left to graphql-core."""


def writer(selected: Selected) -> Write:
    """What writes the value of a field, with what is selected on it. Raises `NotPlainError`."""
    return _writer_of(selected.type, selected.below)


def _writer_of(type_: GraphQLOutputType, below: list[Selected]) -> Write:
    """The function that writes a value of that type, with the fields selected on it."""
    if isinstance(type_, GraphQLNonNull):
        return _not_null(_bare_writer(type_.of_type, below))
    write = _bare_writer(type_, below)
    return lambda value: None if value is None else write(value)


def _bare_writer(type_: Any, below: list[Selected]) -> Write:
    if isinstance(type_, GraphQLList):
        item = _writer_of(type_.of_type, below)
        return lambda value: [item(one) for one in value]
    if isinstance(type_, GraphQLObjectType):
        return _object_writer(type_, below)
    assert isinstance(type_, (GraphQLScalarType, GraphQLEnumType))
    output: Write = type_.coerce_output_value
    plain = PLAIN.get(type_.name)
    if plain is None:
        return output
    return lambda value: value if type(value) is plain else output(value)


def _object_writer(type_: GraphQLObjectType, below: list[Selected]) -> Write:
    fields: list[tuple[str, Any, Write]] = []
    for one in below:
        if one.name == "__typename":
            fields.append((one.key, None, lambda _value: type_.name))
            continue
        if one.field is None or not (one.field.is_basic_field or one.field.metadata.get(LOADED)):
            raise NotPlainError(one.name)
        where = one.python_name if one.field.is_basic_field else one.row_key
        fields.append((one.key, where, _writer_of(one.type, one.below)))
    attributes = [(key, where, write) for key, where, write in fields if isinstance(where, str)]

    def write_object(row: Any) -> dict[str, Any]:
        if type(row) is dict:
            return {key: write(row[where] if where is not None else row) for key, where, write in fields}
        if len(attributes) < len(fields):
            raise NotPlainError(type_.name)
        return {key: write(getattr(row, where)) for key, where, write in attributes}

    return write_object


def _not_null(write: Write) -> Write:
    def checked(value: Any) -> Any:
        if value is None:
            message = "a value is missing"
            raise NotPlainError(message)
        return write(value)

    return checked
