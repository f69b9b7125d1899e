"""The scalars of the schema.

`BigInt` carries ids, fences and positions, which may pass the 32 bits of `Int`: a JSON number (exact up to 2^53 in
every client), taken as a number or as a text of digits. `DateTime` is ISO 8601 with its offset, UTC when
it goes out.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any, NewType, cast

import strawberry
from graphql import GraphQLError
from strawberry.scalars import JSON
from strawberry.schema.config import StrawberryConfig
from strawberry.types.scalar import ScalarDefinition

from slateboard.interfaces.plain import plain

BigInt = NewType("BigInt", int)

LIMIT = 2**63
DIGITS = re.compile(r"-?[0-9]{1,19}")


def _big_int(value: Any) -> int:
    if isinstance(value, str) and DIGITS.fullmatch(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not -LIMIT <= value < LIMIT:
        raise GraphQLError(f"BigInt cannot represent {value!r:.60}: it is no integer of 64 bits")
    return value


def _moment(value: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise GraphQLError(f"DateTime cannot represent {value!r:.60}: it is not ISO 8601") from error
    if moment.tzinfo is None:
        raise GraphQLError(f"{value!r} says no time zone: add an offset, such as Z")
    return moment


def _shown(value: Any) -> str:
    """A moment as text; JSON columns have it as text already."""
    return value if isinstance(value, str) else value.isoformat()


BIG_INT: ScalarDefinition = strawberry.scalar(
    name="BigInt",
    description="An integer of up to 64 bits: an id, a fence or a position. A number, or a text of digits.",
    serialize=int,
    parse_value=_big_int,
)
DATE_TIME: ScalarDefinition = strawberry.scalar(
    name="DateTime",
    description="A moment, as ISO 8601 with an offset; UTC when it is shown.",
    serialize=_shown,
    parse_value=_moment,
)


def plain_json(value: Any) -> JSON:
    """An answer without a type of its own, as JSON; moments are ISO 8601."""
    return cast("JSON", json.loads(json.dumps(plain(value), default=_shown)))


def value_of(source: Any, name: str) -> Any:
    """A field of a row, which is a dict, or of a value."""
    return cast("dict[str, Any]", source)[name] if isinstance(source, dict) else getattr(source, name)


CONFIG = StrawberryConfig(scalar_map={BigInt: BIG_INT, datetime: DATE_TIME}, default_resolver=value_of)
