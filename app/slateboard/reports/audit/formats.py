"""The forms of an audit report by name: `html`, `md`, `json`, `csv`. Each gives the same text for the same data.

A form makes its text in pieces, from rows that are made one by one.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from slateboard.protocol.errors import Invalid
from slateboard.reports.audit import to_csv, to_html, to_markdown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value.as_dict()


_encode = json.JSONEncoder(ensure_ascii=False, default=_plain).encode


def as_json(report: Mapping[str, Any]) -> Iterator[str]:
    """The data itself, a line for each row of its parts; times in ISO 8601."""
    for number, (name, value) in enumerate(report.items()):
        yield f"{',' if number else '{'}\n{_encode(name)}: "
        if not isinstance(value, list):
            yield _encode(value)
            continue
        for place, one in enumerate(cast("list[Any]", value)):
            yield f"{',' if place else '['}\n {_encode(one)}"
        yield "\n]" if value else "[]"
    yield "\n}\n"


FORMATS: dict[str, Callable[[Mapping[str, Any]], Iterator[str]]] = {
    "html": to_html.render,
    "md": to_markdown.render,
    "json": as_json,
    "csv": to_csv.render,
}


def check(form: str) -> None:
    """Refuse a form that there is none of."""
    if form not in FORMATS:
        raise Invalid(f"there is no format {form[:40]!r}", remedy=f"one of: {', '.join(FORMATS)}")


def render(report: Mapping[str, Any], form: str) -> str:
    """The report in that form, as `check` has passed it."""
    return "".join(FORMATS[form](report))
