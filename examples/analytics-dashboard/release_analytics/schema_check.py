"""Does a JSON value fit a schema of the description? A small part of JSON Schema, all of what the description uses.

A keyword that this module does not know raises: a check that skips what it does not understand would say "fits" too
often. `tests/examples` compares it with a complete implementation.
"""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}
_CHECKED = {
    "type",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "maxItems",
    "minimum",
    "maximum",
    "pattern",
    "format",
}
_ANNOTATIONS = {"description", "default", "title", "x-table"}


def violations(value: Any, schema: Mapping[str, Any], description: Mapping[str, Any], at: str = "$") -> list[str]:
    """Where and how `value` breaks `schema`, a sentence each; empty when it fits."""
    schema = resolve(schema, description)
    if unknown := set(schema) - _CHECKED - _ANNOTATIONS:
        raise ValueError(f"{at}: this check does not know {', '.join(sorted(unknown))}")
    expected = schema.get("type")
    if expected is not None and not _has_type(value, expected):
        return [f"{at}: {value!r} is not of type {expected}"]
    if isinstance(value, dict):
        return _of_object(cast("dict[str, Any]", value), schema, description, at)
    if isinstance(value, list):
        return _of_list(cast("list[Any]", value), schema, description, at)
    if isinstance(value, str):
        return _of_string(value, schema, at)
    return _of_number(value, schema, at) if isinstance(value, (int, float)) else []


def resolve(schema: Mapping[str, Any], description: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema itself, or the one that its `$ref` names inside the description."""
    if "$ref" not in schema:
        return schema
    target: Any = description
    for step in schema["$ref"].removeprefix("#/").split("/"):
        target = target[step]
    return target


def _has_type(value: object, expected: str) -> bool:
    if isinstance(value, bool) and expected != "boolean":
        return False
    return isinstance(value, _TYPES[expected])


def _of_object(value: dict[str, Any], schema: Mapping[str, Any], description: Mapping[str, Any], at: str) -> list[str]:
    properties: Mapping[str, Any] = schema.get("properties", {})
    found = [f"{at}: {name} is missing" for name in schema.get("required", []) if name not in value]
    if schema.get("additionalProperties") is False:
        found += [f"{at}: {name} is not described" for name in value if name not in properties]
    for name, inner in properties.items():
        if name in value:
            found += violations(value[name], inner, description, f"{at}.{name}")
    return found


def _of_list(value: list[Any], schema: Mapping[str, Any], description: Mapping[str, Any], at: str) -> list[str]:
    most = schema.get("maxItems", len(value))
    found = [f"{at}: {len(value)} items, more than {most}"] if len(value) > most else []
    for position, item in enumerate(value):
        found += violations(item, schema.get("items", {}), description, f"{at}[{position}]")
    return found


def _of_string(value: str, schema: Mapping[str, Any], at: str) -> list[str]:
    found: list[str] = []
    if "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(f"{at}: {value!r} does not match {schema['pattern']}")
    if schema.get("format") == "date":
        try:
            date.fromisoformat(value)
        except ValueError:
            found.append(f"{at}: {value!r} is not a date")
    return found


def _of_number(value: float, schema: Mapping[str, Any], at: str) -> list[str]:
    found: list[str] = []
    if value < schema.get("minimum", value):
        found.append(f"{at}: {value} is below {schema['minimum']}")
    if value > schema.get("maximum", value):
        found.append(f"{at}: {value} is above {schema['maximum']}")
    return found
