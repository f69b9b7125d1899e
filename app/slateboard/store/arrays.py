"""Columns for `unnest`, in Postgres's own notation for arrays; a statement casts each: `$4::text::bigint[]`.

The driver asks two abstract classes about every element of an array that it encodes, which cost a bulk insert more than
all its rows. The values still travel as parameters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime


def numbers(values: Iterable[int | None]) -> str:
    """For `bigint[]`, `int[]` and `smallint[]`."""
    return _array(["NULL" if value is None else str(value) for value in values])


def flags(values: Iterable[bool]) -> str:
    """For `boolean[]`."""
    return _array(["t" if value else "f" for value in values])


def times(values: Iterable[datetime | None]) -> str:
    """For `timestamptz[]`."""
    return _array(["NULL" if value is None else f'"{value.isoformat()}"' for value in values])


def texts(values: Iterable[str | None]) -> str:
    """For `text[]`, whatever is in them."""
    return _array(["NULL" if value is None else f'"{_escaped(value)}"' for value in values])


def octets(values: Iterable[bytes]) -> str:
    """For `bytea[]`."""
    return _array([f'"\\\\x{value.hex()}"' for value in values])


def _array(elements: list[str]) -> str:
    return "{" + ",".join(elements) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
