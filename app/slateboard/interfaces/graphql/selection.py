# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false
# graphql-core leaves the parameters of its generic types open.
"""What a query selects below a field, as a tree: fragments spread, `@skip` and `@include` applied, same keys merged.

Two readers use it: `prefetch` loads what the selected fields need, for all rows at once, and `rows` writes lists of
rows without walking the query again for each of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLIncludeDirective,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    GraphQLSkipDirective,
    InlineFragmentNode,
    SelectionSetNode,
    get_named_type,
)
from graphql.execution.values import get_argument_values, get_directive_values
from strawberry.types.field import StrawberryField

DEFINITION = "strawberry-definition"


@dataclass(frozen=True, kw_only=True)
class Query:
    """The parts of a running query that a walk over it needs. `variables` is graphql-core's own container."""

    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Any


@dataclass(frozen=True, kw_only=True)
class Selected:
    """One selected field: the key under which it is answered, its definition, arguments and what is selected below."""

    query: Query
    key: str
    name: str
    definition: GraphQLField | None
    arguments: dict[str, Any]
    nodes: Sequence[FieldNode]

    @property
    def type(self) -> GraphQLOutputType:
        """The type of the field's value."""
        assert self.definition is not None
        return self.definition.type

    @property
    def field(self) -> StrawberryField | None:
        """Our own definition of the field; None for `__typename`."""
        return None if self.definition is None else self.definition.extensions.get(DEFINITION)

    @property
    def python_name(self) -> str:
        """The name of the field in a row."""
        return self.name if self.field is None else self.field.python_name

    @property
    def row_key(self) -> Any:
        """Where a row has the value of a field that is loaded for all rows at once."""
        return loaded_key(self.python_name, self.arguments)

    @cached_property
    def below(self) -> list[Selected]:
        """What is selected on the field's value."""
        return select(self.query, get_named_type(self.type), self.nodes) if self.definition else []

    def find(self, *path: str) -> list[Selected]:
        """What is selected below a path of field names, whatever their keys."""
        found: list[Selected] = [self]
        for name in path:
            found = [below for one in found for below in one.below if below.name == name]
        return [below for one in found for below in one.below]


def loaded_key(name: str, arguments: Mapping[str, Any]) -> Any:
    """Where a row has the value of a loaded field, by its arguments."""
    return (name, *sorted(arguments.items()))


def select(query: Query, parent: Any, nodes: Iterable[FieldNode]) -> list[Selected]:
    """The fields that these nodes select on a value of the type `parent`."""
    if not isinstance(parent, GraphQLObjectType):
        return []
    collected: dict[str, list[FieldNode]] = {}
    seen: set[str] = set()
    for node in nodes:
        if node.selection_set:
            _collect(query, node.selection_set, collected, seen)
    return [_selected(query, parent, key, found) for key, found in collected.items()]


def _selected(query: Query, parent: GraphQLObjectType, key: str, nodes: list[FieldNode]) -> Selected:
    name = nodes[0].name.value
    definition = parent.fields.get(name)
    arguments: dict[str, Any] = {}
    if definition is not None and definition.args:
        arguments = get_argument_values(definition, nodes[0], query.variables)
    return Selected(query=query, key=key, name=name, definition=definition, arguments=arguments, nodes=nodes)


def _collect(query: Query, selections: SelectionSetNode, collected: dict[str, list[FieldNode]], seen: set[str]) -> None:
    for node in selections.selections:
        if not _included(query, node):
            continue
        if isinstance(node, FieldNode):
            key = node.alias.value if node.alias else node.name.value
            collected.setdefault(key, []).append(node)
        elif isinstance(node, InlineFragmentNode):
            _collect(query, node.selection_set, collected, seen)
        elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
            seen.add(node.name.value)
            _collect(query, query.fragments[node.name.value].selection_set, collected, seen)


def _included(query: Query, node: Any) -> bool:
    if not node.directives:
        return True
    skip = get_directive_values(GraphQLSkipDirective, node, query.variables)
    if skip and skip["if"]:
        return False
    include = get_directive_values(GraphQLIncludeDirective, node, query.variables)
    return not (include and not include["if"])
