"""A section of an audit: a table with its title, note and columns, whose rows are made when they are asked for.

Cells are plain values, and what a value is (`Kind`) stands with its column, so that each form writes a time, a length
or a hash in its own way.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import compress
from typing import TYPE_CHECKING, Any

from slateboard.reports.audit import words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    Report = Mapping[str, Any]
    Rows = Iterable[tuple[Any, ...]]


FIRST_ROWS = 500
LAST_ROWS = 500
"""Of a table for people, so that a page can be opened however long the log is; the data has all rows."""


class Kind(StrEnum):
    """What the values of a column are; `word` is one of few, `long` a text of several words."""

    TEXT = "text"
    LONG = "long"
    WORD = "word"
    NUMBER = "number"
    TIME = "time"
    LENGTH = "length"
    HASH = "hash"


@dataclass(frozen=True, kw_only=True)
class Section:
    """A table of the report; `count` is how many rows there are, so many `noun`s, of
    which people are shown the `first` and the `last`. The first column names the row.
    """

    name: str
    title: str
    note: str
    noun: str
    columns: dict[str, Kind]
    count: Callable[[Report], int]
    rows: Callable[[Report], Rows]
    first: int = FIRST_ROWS
    last: int = LAST_ROWS

    def left_out(self, report: Report) -> int:
        """How many rows in the middle people are not shown."""
        return max(self.count(report) - self.first - self.last, 0)

    def caption(self, report: Report) -> str:
        """How many rows there are, and which of them are left out."""
        said = words.count(self.count(report), self.noun)
        if not self.left_out(report):
            return said
        ends = f"the first {self.first:,}" + (f" and the last {self.last:,}" if self.last else "")
        return f"{said}; {ends} are here, {self.left_out(report):,} are left out: --format json has all"

    def table(self, report: Report) -> tuple[dict[str, Kind], list[tuple[Any, ...] | None]]:
        """What people are shown: the columns that have a word in them, and the rows with those alone."""
        rows = list(self.bounded(report))
        there = [
            number == 0 or any(row is not None and shown(kind, row[number]) for row in rows)
            for number, kind in enumerate(self.columns.values())
        ]
        columns = dict(compress(self.columns.items(), there))
        return columns, [None if row is None else tuple(compress(row, there)) for row in rows]

    def bounded(self, report: Report) -> Iterator[tuple[Any, ...] | None]:
        """The rows for people; None stands once for those that are left out."""
        left_out = self.left_out(report)
        for number, row in enumerate(self.rows(report)):
            if number == self.first and left_out:
                yield None
            if not self.first <= number < self.first + left_out:
                yield row


def shown(kind: Kind, value: Any) -> str:
    """A value for people; nothing for None."""
    if value is None:
        return ""
    if kind is Kind.TIME:
        return words.moment(value)
    if kind is Kind.LENGTH:
        return words.length(value)
    if kind is Kind.NUMBER and isinstance(value, int):
        return f"{value:,}"
    return str(value)


def fields(part: str, *names: str) -> Callable[[Report], Iterator[tuple[Any, ...]]]:
    """Rows of a part of the report, cell by cell under their names there."""
    return lambda report: (tuple(row[name] for name in names) for row in report[part])


def length(part: str) -> Callable[[Report], int]:
    """How many rows a part of the report has."""
    return lambda report: len(report[part])
