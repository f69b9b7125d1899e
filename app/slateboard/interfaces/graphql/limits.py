# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false
# graphql-core leaves the parameters of its generic types open.
"""What a query may ask for: how deep, how wide, and how much in all; measured on its text before anything is run.

The cost is an estimate of the values in the answer: each field counts once for each row that it can be on, and a list
has as many rows as were asked for (`first`, `last`), or as many as its default says. Each fragment is measured once, so
that measuring cannot be made expensive itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLArgument,
    GraphQLError,
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
)
from strawberry.extensions import SchemaExtension

MAX_DEPTH = 12
"""Levels of fields below the operation; `__schema` and `__type` are left out."""
MAX_ALIASES = 50
MAX_TOKENS = 5_000
MAX_COST = 250_000
"""Values of one answer, as estimated."""
LIST_ROWS = 10
"""Rows of a list that takes no number."""
SIZES = ("first", "last", "limit")
INTROSPECTION = frozenset({"__schema", "__type"})


@dataclass(frozen=True, slots=True)
class Size:
    """How deep a selection goes, what it costs on one row, and how many aliases it has."""

    depth: int = 0
    cost: int = 0
    aliases: int = 0


class Measure:
    """The measure of one document."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any]) -> None:
        self.schema = schema
        self.variables = variables
        self.fragments: dict[str, FragmentDefinitionNode] = {
            one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)
        }
        self.operations = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
        self._measured: dict[tuple[str, str], Size] = {}
        self._open: set[str] = set()

    def of(self, operation: OperationDefinitionNode) -> Size:
        """The size of one operation."""
        return self._selections(operation.selection_set, self.schema.get_root_type(operation.operation))

    def _selections(self, selections: SelectionSetNode, parent: Any) -> Size:
        depth = cost = aliases = 0
        for node in selections.selections:
            if isinstance(node, FieldNode):
                size = self._field(node, parent)
            elif isinstance(node, InlineFragmentNode):
                size = self._selections(node.selection_set, parent)
            else:
                assert isinstance(node, FragmentSpreadNode)
                size = self._fragment(node.name.value, parent)
            depth = max(depth, size.depth)
            cost += size.cost
            aliases += size.aliases
        return Size(depth, cost, aliases)

    def _fragment(self, name: str, parent: Any) -> Size:
        """A fragment on one type, measured once; a circle, or one that is missing, is for the validation to refuse."""
        key = (name, getattr(parent, "name", ""))
        if key not in self._measured:
            if name in self._open or name not in self.fragments:
                return Size()
            self._open.add(name)
            self._measured[key] = self._selections(self.fragments[name].selection_set, parent)
            self._open.discard(name)
        return self._measured[key]

    def _field(self, node: FieldNode, parent: Any) -> Size:
        aliases = 1 if node.alias else 0
        if node.name.value in INTROSPECTION or node.selection_set is None:
            return Size(1, 1, aliases)
        definition = parent.fields.get(node.name.value) if isinstance(parent, GraphQLObjectType) else None
        below = self._selections(node.selection_set, get_named_type(definition.type) if definition else None)
        rows = 1 if definition is None else self._rows(node, definition)
        return Size(1 + below.depth, 1 + rows * below.cost, aliases + below.aliases)

    def _rows(self, node: FieldNode, definition: GraphQLField) -> int:
        """How many rows a field can have. Inside a connection `edges` and `nodes` have those of the connection."""
        for name in SIZES:
            if name in definition.args:
                given = next((one.value for one in node.arguments or () if one.name.value == name), None)
                return max(self._number(given, _default(definition.args[name])), 1)
        named = get_named_type(definition.type)
        if node.name.value in {"edges", "nodes"} or not _is_list(definition.type):
            return 1
        return LIST_ROWS if isinstance(named, GraphQLObjectType) else 1

    def _number(self, given: Any, default: Any) -> int:
        if isinstance(given, IntValueNode):
            return int(given.value)
        if isinstance(given, VariableNode):
            value = self.variables.get(given.name.value, default)
            return value if isinstance(value, int) else LIST_ROWS
        return default if isinstance(default, int) else LIST_ROWS


def _default(argument: GraphQLArgument) -> Any:
    return argument.default_value if argument.default is None else argument.default.value


def _is_list(type_: Any) -> bool:
    if isinstance(type_, GraphQLNonNull):
        type_ = type_.of_type
    return isinstance(type_, GraphQLList)


def refusals(schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any]) -> list[GraphQLError]:
    """Why a document is refused, before it is validated or run."""
    errors: list[GraphQLError] = []
    measure = Measure(schema, document, variables)
    for operation in measure.operations:
        size = measure.of(operation)
        for number, limit, what, remedy in (
            (size.depth, MAX_DEPTH, "levels deep", "ask in several queries"),
            (size.aliases, MAX_ALIASES, "aliases", "ask in several queries"),
            (
                size.cost,
                MAX_COST,
                "values in the answer, as estimated",
                "ask for fewer rows (`first`, `last`) or fields",
            ),
        ):
            if number > limit:
                message = f"the query is too large: {number:,} {what}; at most {limit:,} are answered"
                extensions = {"code": "too_large", "kind": "invalid", "remedy": remedy, "details": {"limit": limit}}
                errors.append(GraphQLError(message, extensions=extensions))
    return errors


class Limits(SchemaExtension):
    """Refuses what is too large before it is validated or run."""

    def on_operation(self) -> Iterator[None]:
        self.execution_context.parse_options["max_tokens"] = MAX_TOKENS
        yield

    def on_validate(self) -> Iterator[None]:
        context: Any = self.execution_context
        errors = refusals(context.schema._schema, context.graphql_document, context.variables or {})  # noqa: SLF001
        operations = [one for one in context.graphql_document.definitions if isinstance(one, OperationDefinitionNode)]
        if len(operations) > 1 and context._provided_operation_name is None:  # noqa: SLF001  else the first would be run
            errors.append(GraphQLError("the document has several operations: say which one in `operationName`"))
        if errors:
            context.pre_execution_errors = errors
        yield
