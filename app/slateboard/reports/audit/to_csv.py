"""The audit trail as one table: a row for each attempt with the version that it made, by reference and fence.

A result that was taken over has a row without an attempt, its outcome `imported`. What was done about failures follows,
a row for each: its `kind` says what it is. A text that a spreadsheet would take
for a formula begins with an apostrophe. Columns are only ever added at the end.
"""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

COLUMNS = (
    "reference",
    "kind",
    "revision",
    "item",
    "attempt",
    "fence",
    "agent",
    "worker",
    "outcome",
    "class",
    "error",
    "note",
    "started_at",
    "ended_at",
    "seconds",
    "usage",
    "version",
    "author",
    "path",
    "uri",
    "hash",
    "size",
    "summary",
    "asked_by",
    "posted_at",
    "correlation",
    "due",
)
REMEDIES = {
    "dead_letters": {
        "reference": "reference", "item": "item", "agent": "by", "outcome": "then", "class": "class", "error": "error",
        "note": "reason", "started_at": "happened_at", "ended_at": "ended_at", "author": "ended_by",
    },
    "escalations": {
        "reference": "reference", "item": "item", "agent": "owner", "outcome": "answer", "class": "kind",
        "error": "question", "asked_by": "asked_by", "posted_at": "happened_at", "started_at": "happened_at",
        "ended_at": "answered_at", "seconds": "seconds", "author": "answered_by", "due": "deadline",
    },
    "verifications": {
        "reference": "reference", "item": "item", "agent": "verifier", "outcome": "verdict", "note": "reason",
        "started_at": "happened_at", "ended_at": "judged_at", "seconds": "seconds", "version": "version",
        "author": "judged_by", "hash": "hash", "asked_by": "author", "due": "deadline",
    },
    "compensations": {
        "reference": "reference", "item": "item", "agent": "agent", "outcome": "outcome", "class": "action",
        "error": "because", "summary": "summary", "started_at": "happened_at", "ended_at": "ended_at",
        "version": "version", "author": "by",
    },
    "breakers": {
        "agent": "agent", "outcome": "change", "error": "reason", "started_at": "happened_at", "author": "by",
        "class": "fallback", "reference": "probe", "due": "until",
    },
    "budgets": {
        "reference": "scope", "outcome": "change", "started_at": "happened_at", "author": "by", "usage": "usage",
    },
}  # fmt: skip
"""What of each part of the report stands in which column."""
KINDS = {
    "dead_letters": "dead letter", "escalations": "question", "verifications": "verdict", "compensations": "undo",
    "breakers": "breaker", "budgets": "budget",
}  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def render(report: Mapping[str, Any]) -> Iterator[str]:
    """The report as CSV (RFC 4180), piece by piece, with a row of headings."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for artifact in report["artifacts"]:
        for row in _rows(artifact.as_dict()):
            writer.writerow([_cell(row.get(column)) for column in COLUMNS])
        yield out.getvalue()
        out.seek(0)
        out.truncate()
    for part, columns in REMEDIES.items():
        for one in report[part]:
            row = {name: one[of] for name, of in columns.items()} | {
                "kind": KINDS[part],
                "correlation": one["correlation"],
            }
            writer.writerow([_cell(row.get(column)) for column in COLUMNS])
    yield out.getvalue()


def _rows(artifact: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    shared = {name: artifact[name] for name in ("reference", "kind", "asked_by", "posted_at", "correlation")}
    made = {(one["item"], one["fence"]): one for one in artifact["versions"]}
    for one in artifact["versions"]:
        if one["imported"]:
            yield {**one, **shared, "outcome": "imported"}
    for attempt in artifact["attempts"]:
        yield {**made.get((attempt["item"], attempt["fence"]), {}), **attempt, **shared}


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    text = str(value)
    return f"'{text}" if text.startswith(FORMULA) else text
