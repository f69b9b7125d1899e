"""What a chart is: the fields it needs of the API, its figures, and how it is drawn at two widths.

A chart reads rows as a client of the API gets them: a field that the description does not offer cannot be drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from release_analytics.svg import Canvas

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from release_analytics.resources import Tables

NARROW = 340
HALF = 520
FULL = 1080


@dataclass(frozen=True, kw_only=True)
class Figures:
    """The numbers behind a chart: what they say in one sentence, and all of them as a table."""

    sentence: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class Chart:
    """One chart: its name, its title, the fields it needs of each table, and how it is drawn."""

    name: str
    title: str
    needs: Mapping[str, tuple[str, ...]]
    figures: Callable[[Tables], Figures]
    draw: Callable[[Tables, Canvas], None]
    height: Callable[[Tables], int]
    wide: int = HALF

    def missing(self, description: Mapping[str, Any]) -> list[str]:
        """The needed fields that the description does not offer, as `table.field`."""
        offered = {
            s["x-table"]: s["properties"] for s in description["components"]["schemas"].values() if "x-table" in s
        }
        return [
            f"{table}.{field}"
            for table, fields in self.needs.items()
            for field in fields
            if field not in offered.get(table, {})
        ]

    def render(self, tables: Tables, *, narrow: bool = False) -> str:
        """The picture, for a wide or a narrow column."""
        width, height = NARROW if narrow else self.wide, self.height(tables)
        name = f"{self.name}-narrow" if narrow else self.name
        canvas = Canvas(name=name, title=self.title, text=self.figures(tables).sentence, width=width, height=height)
        self.draw(tables, canvas)
        return canvas.render()


def read_day(text: str) -> date:
    """A date as the API writes it."""
    return date.fromisoformat(text)
