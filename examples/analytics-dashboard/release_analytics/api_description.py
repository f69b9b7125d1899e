"""The OpenAPI 3.1 description of the API, derived from the tables, and its repair.

The row schemas follow the columns of the tables: a new column appears in the description without anybody typing it.
That is convenient, and it is how a column gets published that never should be; `repair` takes such a field out again.
"""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from release_analytics.chart import Chart
    from release_analytics.resources import Row, Tables

Json = dict[str, Any]

PAGE_ROWS = 100
_VERSION = r"^[0-9]{1,3}(\.[0-9]{1,3}){0,2}$"
_SCHEMA_OF_TABLE = {"releases": "Release", "majors": "Major", "years": "Year", "summary": "Summary"}
_TEXT_OF_SCHEMA = {
    "Release": "One published release of PostgreSQL.",
    "Major": "One major version of PostgreSQL and its time under support.",
    "Year": "What came out in one calendar year.",
    "Summary": "The figures over the whole data set.",
}


def describe(tables: Tables, *, as_of: str, page_rows: int = PAGE_ROWS) -> Json:
    """The description for these tables; `as_of` is the last day they cover, `page_rows` what one page has at most."""
    schemas = {_SCHEMA_OF_TABLE[table]: _row_schema(table, rows) for table, rows in tables.items()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "PostgreSQL release analytics",
            "version": "1.0.0",
            "summary": "Releases of the major versions 9.0 to 18, and what they say about the project's rhythm.",
            "description": f"Read-only. The data ends on {as_of}.",
            "license": {"name": "CC0 1.0", "identifier": "CC0-1.0"},
        },
        "servers": [
            {
                "url": "http://127.0.0.1:{port}",
                "description": "Loopback only; the deployment chooses the port.",
                "variables": {"port": {"default": "8080"}},
            }
        ],
        "security": [{"token": []}],
        "paths": _paths(page_rows),
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "Set at deployment."}},
            "schemas": schemas
            | {f"{name}Page": _page_schema(name, page_rows) for name in ("Release", "Major", "Year")}
            | _problem(),
        },
    }


def operations(description: Mapping[str, Any]) -> list[tuple[str, str, Json]]:
    """Every operation as (path, method, operation), in the order of the description."""
    methods = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
    return [
        (path, method, item[method])
        for path, item in description["paths"].items()
        for method in methods
        if method in item
    ]


def repair(description: Mapping[str, Any], findings: Sequence[Mapping[str, Any]]) -> Json:
    """A new version of the description without the fields that the findings tell to remove.

    A finding's `remedy` is `{"remove_field": {"schema", "field"}}`. Anything else is for a person, and raises
    ValueError; so does a field that is not there, because then the finding is about another description.
    """
    repaired: Json = copy.deepcopy(dict(description))
    for finding in findings:
        removal = finding["remedy"].get("remove_field")
        if removal is None:
            raise ValueError(f"{finding['rule']} at {finding['pointer']}: no repair is known for {finding['remedy']}")
        schema = repaired["components"]["schemas"][removal["schema"]]
        if removal["field"] not in schema["properties"]:
            raise ValueError(f"{removal['schema']} has no field {removal['field']} that could be removed")
        del schema["properties"][removal["field"]]
        schema["required"] = [field for field in schema["required"] if field != removal["field"]]
    major, minor, patch = repaired["info"]["version"].split(".")
    repaired["info"]["version"] = f"{major}.{minor}.{int(patch) + 1}"
    return repaired


def contract_change(before: Mapping[str, Any], after: Mapping[str, Any]) -> Json:
    """What a client has to know of a new version: where, what kind of change, from what to what, and what to do."""
    gone = {
        (name, field)
        for name, schema in _rows_of(before).items()
        for field in schema["properties"].keys() - _rows_of(after)[name]["properties"].keys()
    }
    tables = {_rows_of(before)[name]["x-table"] for name, _ in gone}
    removed = ", ".join(sorted(f"{name}.{field}" for name, field in gone))
    return {
        "endpoint": ", ".join(path for path, _, one in operations(after) if one["x-table"] in tables),
        "change_type": "breaking" if gone else "compatible",
        "old_schema": before["info"]["version"],
        "new_schema": after["info"]["version"],
        "migration_guide": f"do without {removed}" if gone else "nothing to do",
    }


def kept_fields(charts: Sequence[Chart]) -> dict[str, list[str]]:
    """By table, the fields that a chart needs."""
    tables = dict.fromkeys(table for chart in charts for table in chart.needs)
    return {table: sorted({field for chart in charts for field in chart.needs.get(table, ())}) for table in tables}


def _rows_of(description: Mapping[str, Any]) -> dict[str, Json]:
    """The schemas of rows, by name."""
    return {name: one for name, one in description["components"]["schemas"].items() if "x-table" in one}


def _row_schema(table: str, rows: list[Row]) -> Json:
    name = _SCHEMA_OF_TABLE[table]
    columns = list(rows[0])
    return {
        "type": "object",
        "description": _TEXT_OF_SCHEMA[name],
        "x-table": table,
        "properties": {column: _column_schema(column, [row[column] for row in rows]) for column in columns},
        "required": columns,
        "additionalProperties": False,
    }


def _column_schema(column: str, values: list[Any]) -> Json:
    """The narrowest of the few types that all values of a column have."""
    if all(isinstance(value, int) for value in values):
        return {"type": "integer", "minimum": 0}
    if all(re.fullmatch(r"\d{4}-\d{2}-\d{2}", value) for value in values):
        return {"type": "string", "format": "date"}
    if all(re.fullmatch(r"[^@\s]+@[^@\s]+", value) for value in values):
        return {"type": "string", "format": "email"}
    if all(re.fullmatch(_VERSION, value) for value in values):
        return {"type": "string", "pattern": _VERSION}
    raise ValueError(f"the column {column} holds values of no known type")


def _page_schema(name: str, page_rows: int) -> Json:
    return {
        "type": "object",
        "description": "One page, and how many rows there are in all.",
        "properties": {
            "items": {"type": "array", "items": _reference(name), "maxItems": page_rows},
            "total": {"type": "integer", "minimum": 0},
        },
        "required": ["items", "total"],
        "additionalProperties": False,
    }


def _problem() -> Json:
    return {
        "Problem": {
            "type": "object",
            "description": "What went wrong, in the form of RFC 9457.",
            "properties": {
                "title": {"type": "string"},
                "status": {"type": "integer", "minimum": 400, "maximum": 599},
                "detail": {"type": "string"},
            },
            "required": ["title", "status", "detail"],
            "additionalProperties": False,
        }
    }


def _paths(page_rows: int) -> Json:
    major = _parameter("major", "query", "Only this major version.", {"type": "string", "pattern": _VERSION})
    return {
        "/releases": {"get": _collection("listReleases", "Releases, oldest first", "releases", [major], page_rows)},
        "/releases/{version}": {"get": _item("getRelease", "One release", "releases", "version")},
        "/majors": {"get": _collection("listMajors", "Major versions, oldest first", "majors", [], page_rows)},
        "/majors/{major}": {"get": _item("getMajor", "One major version", "majors", "major")},
        "/years": {"get": _collection("listYears", "Releases by calendar year", "years", [], page_rows)},
        "/summary": {"get": _single("getSummary", "The figures over the whole data set", "summary")},
    }


def _collection(operation_id: str, text: str, table: str, filters: list[Json], page_rows: int) -> Json:
    limit = {"type": "integer", "minimum": 1, "maximum": page_rows, "default": min(50, page_rows)}
    offset = {"type": "integer", "minimum": 0, "maximum": 1_000_000, "default": 0}
    page = [_parameter("limit", "query", "Rows a page.", limit), _parameter("offset", "query", "Rows to skip.", offset)]
    schema = _reference(f"{_SCHEMA_OF_TABLE[table]}Page")
    return _operation(operation_id, text, table, "collection", filters + page, schema, errors=("400", "401"))


def _item(operation_id: str, text: str, table: str, key: str) -> Json:
    parameter = _parameter(key, "path", f"The {key} wanted.", {"type": "string", "pattern": _VERSION})
    schema = _reference(_SCHEMA_OF_TABLE[table])
    return _operation(operation_id, text, table, "item", [parameter], schema, errors=("400", "401", "404"))


def _single(operation_id: str, text: str, table: str) -> Json:
    schema = _reference(_SCHEMA_OF_TABLE[table])
    return _operation(operation_id, text, table, "single", [], schema, errors=("400", "401"))


def _operation(
    operation_id: str, text: str, table: str, shape: str, parameters: list[Json], schema: Json, *, errors: Sequence[str]
) -> Json:
    reasons = {
        "400": "The request is not what is described here.",
        "401": "The token is missing or wrong.",
        "404": "There is no such row.",
    }
    responses = {"200": {"description": text, "content": {"application/json": {"schema": schema}}}}
    problem = {"application/problem+json": {"schema": _reference("Problem")}}
    responses |= {status: {"description": reasons[status], "content": problem} for status in errors}
    responses["default"] = {"description": "Any other failure.", "content": problem}
    return {
        "operationId": operation_id,
        "summary": text,
        "x-table": table,
        "x-shape": shape,
        "parameters": parameters,
        "responses": responses,
    }


def _parameter(name: str, place: str, text: str, schema: Json) -> Json:
    return {"name": name, "in": place, "description": text, "required": place == "path", "schema": schema}


def _reference(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}
