"""Pages by keyset: a page goes on after the key of the last row shown, so that its cost does not depend on how far in
it is, and rows that are added or removed meanwhile neither repeat nor hide others.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, cast

from slateboard.protocol.errors import Invalid, TooLarge
from slateboard.protocol.pages import COUNT_LIMIT, MAX_PAGE, Page

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from slateboard.transaction import Statement


MAX_KEYS = 20_000
"""Rows that are asked for by name or id at once."""


class Filters:
    """The conditions of one listing, and their arguments; `$1` is the board."""

    def __init__(self, board: int) -> None:
        self.conditions: list[str] = []
        self.arguments: list[Any] = [board]

    def argument(self, value: Any) -> str:
        """The placeholder of one more argument."""
        self.arguments.append(value)
        return f"${len(self.arguments)}"

    def add(self, condition: str, *values: Any) -> None:
        """One more condition; each `?` in it stands for one of the values."""
        for value in values:
            condition = condition.replace("?", self.argument(value), 1)
        self.conditions.append(condition)

    def copy(self) -> Filters:
        """The same conditions, to which more can be added."""
        other = Filters(self.arguments[0])
        other.conditions, other.arguments = list(self.conditions), list(self.arguments)
        return other

    @property
    def text(self) -> str:
        """The conditions, each after an AND."""
        return "".join(f" AND ({condition})" for condition in self.conditions)


def check_first(first: int) -> None:
    """Refuse a page that is empty or over the limit."""
    if not 1 <= first <= MAX_PAGE:
        raise Invalid(f"a page holds 1 to {MAX_PAGE:,} rows, not {first}", remedy="ask for fewer at once")


def check_number(things: Sequence[Any], limit: int = MAX_PAGE) -> None:
    """Refuse a list of names or ids that is over the limit."""
    if len(things) > limit:
        raise TooLarge(f"at most {limit:,} at once, not {len(things):,}", remedy="ask in several calls")


def keyed(first: int, keys: Sequence[Any] | None) -> int:
    """The length of a page: `first`, or all of the named rows, where they are named."""
    if keys is None:
        check_first(first)
        return first
    check_number(keys, MAX_KEYS)
    return max(len(keys), 1)


def id_key(row: dict[str, Any]) -> list[Any]:
    """The key of a row in a listing that is ordered by id."""
    return [row["id"]]


def encode(key: Sequence[Any]) -> str:
    """A key as an opaque cursor."""
    return base64.urlsafe_b64encode(json.dumps(list(key), default=str).encode()).decode().rstrip("=")


def decode(cursor: str, *, parts: int) -> list[Any]:
    """The key of a cursor; `Invalid` if it is none of ours."""
    try:
        key: Any = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        key = None
    if not isinstance(key, list) or [type(one) for one in cast("list[Any]", key)] != [int] * parts:
        raise Invalid(f"{cursor[:60]!r} is not a cursor of this listing", remedy="give back `next` as it came")
    return cast("list[Any]", key)


def page_of(rows: Sequence[dict[str, Any]], first: int, key: Callable[[dict[str, Any]], Sequence[Any]]) -> Page:
    """The page of at most `first` rows, from one row more than it shows."""
    shown = list(rows[:first])
    return Page(rows=shown, next=encode(key(shown[-1])) if len(rows) > first else None)


async def count(tx: Statement, source: str, filters: Filters) -> int:
    """How many rows a listing has in all, at most `COUNT_LIMIT`."""
    counting = filters.copy()
    limit = counting.argument(COUNT_LIMIT)
    return await tx.fetchval(
        f"SELECT count(*) FROM (SELECT FROM {source}{counting.text} LIMIT {limit}) AS counted", *counting.arguments
    )
