"""Errors at this door: each carries `extensions` with the code, kind, remedy and details that it has at every door.

What no code of ours expected is answered as an internal error without its text, which goes to the server's log.
"""

from __future__ import annotations

import logging
from typing import Any

from graphql import GraphQLError

from slateboard.protocol.errors import DatabaseBusy, Invalid, SlateError

log = logging.getLogger(__name__)

INTERNAL = "something unexpected happened; the server's log says what"


def shown(error: GraphQLError) -> GraphQLError:
    """The error as it is answered."""
    original = error.original_error
    while isinstance(original, GraphQLError):
        original = original.original_error
    if original is None:
        if not error.extensions:
            error.extensions = {"code": Invalid.code, "kind": Invalid.kind, "remedy": "see the schema", "details": {}}
        return error
    if isinstance(original, TimeoutError):
        original = DatabaseBusy("the query took too long", remedy="ask for less, or again later")
    if isinstance(original, SlateError):
        return _worded(error, original.message, original.as_dict())
    log.error("a GraphQL field failed: %s", error.path, exc_info=original)
    bug: dict[str, Any] = {
        "code": SlateError.code,
        "kind": SlateError.kind,
        "remedy": "please report it, with that log",
        "details": {},
    }
    return _worded(error, INTERNAL, bug)


def worded(error: SlateError) -> GraphQLError:
    """An error of ours that no field of a document raised."""
    parts = error.as_dict()
    return GraphQLError(error.message, extensions={name: parts[name] for name in ("code", "kind", "remedy", "details")})


def _worded(error: GraphQLError, message: str, parts: dict[str, Any]) -> GraphQLError:
    extensions = {name: parts.get(name) for name in ("code", "kind", "remedy", "details")}
    return GraphQLError(message, nodes=error.nodes, source=error.source, path=error.path, extensions=extensions)
