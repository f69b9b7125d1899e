"""The keys of the mappings of a manifest: one table of each, which the parser reads by and the JSON Schema is made of.

A key that stands in no table cannot be read, and one that a table has is in the schema. A key without a value
(`owner:`) is a key that was not given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slateboard.manifests.places import Node, unknown, wrong
from slateboard.manifests.values import Schema, Value, check
from slateboard.protocol.names import NAME_PATTERN

if TYPE_CHECKING:
    from slateboard.manifests.documents import Document
    from slateboard.manifests.places import Place
    from slateboard.protocol.errors import BadManifest


@dataclass(frozen=True, slots=True)
class Key:
    """A key: what stands under it, and what that means."""

    value: Value
    text: str
    required: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The keys of a mapping, and its name in the schema; with `filled` it has one of them at least."""

    name: str
    expected: str
    keys: dict[str, Key]
    filled: bool = False

    def read(self, document: Document, node: Node, key: str) -> Fields:
        """The fields of a mapping."""
        return Fields(document, node, self)

    def schema(self, parts: dict[str, Schema]) -> Schema:
        """A reference to the mapping's part."""
        if self.name not in parts:
            parts[self.name] = {}
            parts[self.name] |= self.whole(parts)
        return {"$ref": f"#/$defs/{self.name}"}

    def whole(self, parts: dict[str, Schema]) -> Schema:
        """The mapping itself: an object that has no other keys. A key that may be left out may be null."""
        properties = {
            name: {"description": key.text} | _or_null(key.value.schema(parts), null=not key.required)
            for name, key in self.keys.items()
        }
        required = [name for name, key in self.keys.items() if key.required]
        found: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
        return found | ({"required": required} if required else {}) | ({"minProperties": 1} if self.filled else {})


class Fields:
    """The keys of one mapping that have a value; a key that its table has not, or that must be there, was refused."""

    __slots__ = ("document", "node", "table", "values")

    def __init__(self, document: Document, node: Node, table: Table) -> None:
        self.document = document
        self.node = node
        self.table = table
        if node.kind == "nothing":
            node.value = {}
        elif node.kind != "a mapping":
            raise wrong(document.at(node), f"found {node.shown()}", table.expected)
        for key in node.value:
            if key not in table.keys:
                raise unknown(document.at(node, key), "key", key, table.keys)
        self.values: dict[str, Node] = {key: one for key, one in node.value.items() if one.kind != "nothing"}
        for key, one in table.keys.items():
            if one.required and key not in self.values:
                raise wrong(document.at(node), f"there is no {key!r}", f"{key}: {one.value.expected}")
        if table.filled and not self.values:
            raise wrong(document.at(node), "found none of its keys", table.expected)

    def __contains__(self, key: str) -> bool:
        """Whether a key was given."""
        return key in self.values

    def get(self, key: str) -> Any:
        """The value of a key, as its table reads it; None where it was not given."""
        node = self.values.get(key)
        return self.table.keys[key].value.read(self.document, node, key) if node is not None else None

    def nodes(self, key: str) -> list[Node]:
        """The nodes of a list that may be left out."""
        return self.get(key) or []

    def node_of(self, key: str) -> Node:
        """The value under a key, else the mapping that lacks it."""
        return self.values.get(key, self.node)

    def place(self, key: str) -> Place:
        """Where the value of a key stands, else the mapping that lacks it."""
        return self.document.at(self.node_of(key))

    def wrong(self, key: str, found: str, expected: str, *, remedy: str = "") -> BadManifest:
        """The error for what stands under a key."""
        return wrong(self.place(key), found, expected, remedy=remedy)


@dataclass(frozen=True, slots=True)
class Texts:
    """A list of texts, each of which is such a value; with `alone` also one of them without a list. Gives the nodes."""

    item: Value
    expected: str = "a text, or a list of texts"
    least: int = 0
    most: int | None = None
    alone: bool = True
    items: str = "items"

    def read(self, document: Document, node: Node, key: str) -> list[Node]:
        """The nodes of the texts; all of them were checked."""
        if node.kind != "a list" and not self.alone:
            raise wrong(document.at(node), f"found {node.shown()}", self.expected)
        nodes = node.items if node.kind == "a list" else [node]
        if len(nodes) < self.least or (self.most is not None and len(nodes) > self.most):
            raise wrong(document.at(node), f"found {len(nodes) or 'no'} {self.items}", self.expected)
        for one in nodes:
            if one.kind != "a text":
                raise wrong(document.at(one), f"found {one.shown()}", self.expected)
            self.item.read(document, one, key)
        return nodes

    def schema(self, parts: dict[str, Schema]) -> Schema:
        """An array, or one of it."""
        item = self.item.schema(parts)
        found = {"type": "array", "items": item, "minItems": self.least}
        if self.most is not None:
            found["maxItems"] = self.most
        return {"anyOf": [item, found]} if self.alone else found


@dataclass(frozen=True, slots=True)
class Rows:
    """A list of mappings of one table."""

    table: Table
    expected: str

    def read(self, document: Document, node: Node, key: str) -> list[Fields]:
        """The fields of each; of mappings inside them only when they are asked for."""
        if node.kind != "a list":
            raise wrong(document.at(node), f"found {node.shown()}", self.expected)
        return [Fields(document, one, self.table) for one in node.items]

    def schema(self, parts: dict[str, Schema]) -> Schema:
        """An array."""
        rows = self.table.schema(parts)
        needs_none = not any(key.required for key in self.table.keys.values())
        return {"type": "array", "items": _or_null(rows, null=needs_none)}


@dataclass(frozen=True, slots=True)
class Named:
    """A mapping from names to mappings of one table."""

    table: Table
    expected: str

    def read(self, document: Document, node: Node, key: str) -> dict[str, Fields]:
        """The fields of each by its name; a name without anything has all keys left out."""
        if node.kind != "a mapping":
            raise wrong(document.at(node), f"found {node.shown()}", self.expected)
        for name in node.entries:
            check(document, node, name, name)
        return {name: Fields(document, one, self.table) for name, one in node.entries.items()}

    def schema(self, parts: dict[str, Schema]) -> Schema:
        """An object whose keys are names."""
        names = {"propertyNames": {"pattern": f"^{NAME_PATTERN}$"}}
        return {"type": "object", **names, "additionalProperties": _or_null(self.table.schema(parts), null=True)}


def _or_null(schema: Schema, *, null: bool) -> Schema:
    """The schema, and with `null` no value as well."""
    if not null:
        return schema
    if "anyOf" in schema:
        return {"anyOf": [*schema["anyOf"], {"type": "null"}]}
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    found = schema | {"type": [schema["type"], "null"]}
    return found | ({"enum": [*schema["enum"], None]} if "enum" in schema else {})
