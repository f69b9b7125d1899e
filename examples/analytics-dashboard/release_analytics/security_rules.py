"""The rules by which an API description is reviewed. Each is a function from the description to findings.

A finding names the rule, the place (a JSON pointer), what is wrong, and a remedy: one that the owner can carry out by
itself (`remove_field`), or a sentence for a person (`advice`). No finding at all is the only way to pass.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from release_analytics.api_description import operations
from release_analytics.schema_check import resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Description = Mapping[str, Any]

PAGE_SIZE_LIMIT = 100
_PERSONAL_FORMATS = {"email", "idn-email", "ipv4", "ipv6"}
_PERSONAL_NAMES = re.compile(
    r"(^|_)(e?mail|ip|ip_address|phone|telephone|birth_?date|birthday|street|address|first_name|last_name|surname|ssn|iban)($|_)"
)
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One broken rule at one place."""

    rule: str
    pointer: str
    message: str
    remedy: dict[str, Any]


def review(description: Description) -> list[Finding]:
    """Every finding of every rule, in the order of `RULES` and of the description."""
    return [finding for rule in RULES.values() for finding in rule(description)]


def advice(question: str) -> str:
    """What the rules say to a question, in a word; ValueError where they say nothing."""
    if "page" in question:
        return str(PAGE_SIZE_LIMIT)
    raise ValueError(f"for a person to answer: {question}")


def secured_operations(description: Description) -> Iterator[Finding]:
    """Every operation asks for credentials: its own, or the description's default, and never an empty choice."""
    for path, method, operation in operations(description):
        security = operation.get("security", description.get("security", []))
        if not security or any(not choice for choice in security):
            yield _advice(
                "secured-operations", _at(path, method), "can be called without credentials", "declare `security`"
            )


def encrypted_or_local_servers(description: Description) -> Iterator[Finding]:
    """Every server speaks https, or stays on the machine's own loopback address."""
    servers = description.get("servers", [])
    if not servers:
        yield _advice("encrypted-or-local-servers", "/servers", "no server is named", "name the servers")
    for position, server in enumerate(servers):
        url = urlsplit(re.sub(r":\{port\}", "", server["url"]))
        if url.scheme != "https" and url.hostname not in _LOOPBACK:
            yield _advice(
                "encrypted-or-local-servers",
                f"/servers/{position}",
                f"{server['url']} is neither https nor loopback",
                "use https",
            )


def no_personal_data(description: Description) -> Iterator[Finding]:
    """No field of a response tells who somebody is or how to reach them."""
    for name, schema in description["components"]["schemas"].items():
        for field, inner in schema.get("properties", {}).items():
            if inner.get("format") in _PERSONAL_FORMATS or _PERSONAL_NAMES.search(field):
                yield Finding(
                    rule="no-personal-data",
                    pointer=f"/components/schemas/{name}/properties/{field}",
                    message=f"{name}.{field} exposes personal data ({inner.get('format', 'by its name')})",
                    remedy={"remove_field": {"schema": name, "field": field}},
                )


def bounded_pages(description: Description) -> Iterator[Finding]:
    """An operation that answers with a list has a `limit` with a maximum, and the list itself is bounded."""
    for path, method, operation in operations(description):
        schema = _answer(operation, description)
        rows = schema if schema.get("type") == "array" else schema.get("properties", {}).get("items", {})
        if rows.get("type") != "array":
            continue
        limits = [p["schema"] for p in operation.get("parameters", []) if p["name"] == "limit" and p["in"] == "query"]
        if not limits or limits[0].get("maximum", PAGE_SIZE_LIMIT + 1) > PAGE_SIZE_LIMIT:
            yield _advice(
                "bounded-pages",
                _at(path, method),
                f"has no `limit` of at most {PAGE_SIZE_LIMIT} rows",
                "declare `limit` with a maximum",
            )
        if rows.get("maxItems", PAGE_SIZE_LIMIT + 1) > PAGE_SIZE_LIMIT:
            yield _advice(
                "bounded-pages", _at(path, method), "answers with a list without `maxItems`", "declare `maxItems`"
            )


def declared_errors(description: Description) -> Iterator[Finding]:
    """Every operation says how it refuses: 401 and `default`, 400 with parameters, 404 with a path parameter."""
    for path, method, operation in operations(description):
        parameters = operation.get("parameters", [])
        expected = ["401", "default"] + (["400"] if parameters else [])
        expected += ["404"] if any(parameter["in"] == "path" for parameter in parameters) else []
        for status in (status for status in expected if status not in operation["responses"]):
            yield _advice(
                "declared-errors", _at(path, method), f"does not declare its {status} response", f"declare {status}"
            )


def bounded_parameters(description: Description) -> Iterator[Finding]:
    """No parameter takes text or numbers without an end."""
    for path, method, operation in operations(description):
        for position, parameter in enumerate(operation.get("parameters", [])):
            schema = resolve(parameter["schema"], description)
            bounds = {"string": {"pattern", "maxLength", "enum", "format"}, "integer": {"maximum", "enum"}}
            if not bounds.get(schema.get("type", ""), {"enum"}) & set(schema):
                yield _advice(
                    "bounded-parameters",
                    f"{_at(path, method)}/parameters/{position}",
                    f"`{parameter['name']}` has no bound",
                    "declare a pattern, a length or a maximum",
                )


def closed_objects(description: Description) -> Iterator[Finding]:
    """Every object of a response lists its fields, so that a new column cannot slip out unseen."""
    for name, schema in description["components"]["schemas"].items():
        if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
            yield _advice(
                "closed-objects",
                f"/components/schemas/{name}",
                "may carry fields that are not described",
                "set `additionalProperties: false`",
            )


def no_secrets_in_addresses(description: Description) -> Iterator[Finding]:
    """Credentials travel in headers: an address ends up in logs and histories."""
    for name, scheme in description["components"].get("securitySchemes", {}).items():
        if scheme["type"] == "apiKey" and scheme["in"] == "query":
            yield _advice(
                "no-secrets-in-addresses",
                f"/components/securitySchemes/{name}",
                "puts the secret into the address",
                "use a header",
            )


RULES: dict[str, Callable[[Description], Iterator[Finding]]] = {
    "secured-operations": secured_operations,
    "encrypted-or-local-servers": encrypted_or_local_servers,
    "no-personal-data": no_personal_data,
    "bounded-pages": bounded_pages,
    "declared-errors": declared_errors,
    "bounded-parameters": bounded_parameters,
    "closed-objects": closed_objects,
    "no-secrets-in-addresses": no_secrets_in_addresses,
}


def _answer(operation: Mapping[str, Any], description: Description) -> Mapping[str, Any]:
    content = operation["responses"].get("200", {}).get("content", {})
    return resolve(content.get("application/json", {}).get("schema", {}), description)


def _advice(rule: str, pointer: str, message: str, advice: str) -> Finding:
    return Finding(rule=rule, pointer=pointer, message=f"{pointer} {message}", remedy={"advice": advice})


def _at(path: str, method: str) -> str:
    return f"/paths/{path.replace('~', '~0').replace('/', '~1')}/{method}"
