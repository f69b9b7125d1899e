"""The forms of an audit report by name: `html`, `md`, `json`, `csv`. Each gives the same text for the same data."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from slateboard.protocol.errors import Invalid
from slateboard.reports import audit_csv, audit_html, audit_markdown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def as_json(report: Mapping[str, Any]) -> str:
    """The data itself, indented; times in ISO 8601."""
    return json.dumps(report, ensure_ascii=False, indent=1, default=_plain) + "\n"


def _plain(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


FORMATS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "html": audit_html.render,
    "md": audit_markdown.render,
    "json": as_json,
    "csv": audit_csv.render,
}


def check(form: str) -> None:
    """Refuse a form that there is none of."""
    if form not in FORMATS:
        raise Invalid(f"there is no format {form[:40]!r}", remedy=f"one of: {', '.join(FORMATS)}")


def render(report: Mapping[str, Any], form: str) -> str:
    """The report in that form, as `check` has passed it."""
    return FORMATS[form](report)
