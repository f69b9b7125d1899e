"""The audit trail as one table: a row for each attempt with the version that it made, by reference and fence.

A result that was taken over has a row without an attempt, its outcome `imported`. What was done about failures follows,
then how the organisation worked, a row for each: its `kind` says what it is. A text that a spreadsheet would take
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
    "delegations": {
        "reference": "task", "agent": "agent", "outcome": "state", "error": "because", "note": "reason",
        "started_at": "delegated_at", "ended_at": "settled_at", "seconds": "seconds", "asked_by": "delegator",
        "author": "by",
    },
    "refusals": {"agent": "by", "reference": "to", "error": "because", "started_at": "happened_at"},
    "control": {
        "reference": "references", "agent": "to", "outcome": "what", "note": "reason", "started_at": "happened_at",
        "author": "by", "class": "task",
    },
    "late": {
        "reference": "reference", "item": "item", "agent": "agent", "outcome": "what", "started_at": "since",
        "ended_at": "finished_at", "seconds": "seconds", "worker": "worker", "attempt": "attempt",
    },
}  # fmt: skip
"""What of each part of the report stands in which column."""
KINDS = {
    "dead_letters": "dead letter", "escalations": "question", "verifications": "verdict", "compensations": "undo",
    "breakers": "breaker", "budgets": "budget", "delegations": "delegation", "refusals": "refusal",
    "control": "control", "late": "late",
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
    for row in _said(report):
        writer.writerow([_cell(row.get(column)) for column in COLUMNS])
    yield out.getvalue()


def _said(report: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What was said on threads and in meetings, and how seats voted."""
    for thread in report["threads"]:
        of = {"kind": "message", "reference": f"thread {thread['thread']}", "class": thread["topic"]}
        for one in thread["messages"]:
            said = {"outcome": one["kind"], "note": one["text"], "usage": one["data"], "item": one["consult"]}
            yield {
                **of,
                **said,
                "agent": one["said_by"],
                "started_at": one["said_at"],
                "correlation": thread["correlation"],
            }
    for meeting in report["meetings"]:
        for item in meeting["agenda"]:
            of = {"reference": f"{meeting['reference']}/{item['number']}", "class": item["title"]}
            yield from (of | row for row in _of_item(item))


def _of_item(item: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """An item of an agenda, what was said about it, the votes with their changes, and the action items."""
    yield {
        "kind": "agenda item", "agent": item["proposed_by"], "outcome": item["outcome"] or item["stage"],
        "error": item["reason"], "note": item["motion_text"], "started_at": item["opened_at"],
        "ended_at": item["closed_at"], "seconds": item["seconds"],
    }  # fmt: skip
    for one in (*item["statements"], *item["concerns"]):
        yield {
            "kind": "statement" if one["kind"] == "said" else "concern", "agent": one["agent"], "note": one["text"],
            "outcome": one["settled"], "error": one["settled_because"], "author": one["settled_by"],
            "started_at": one["said_at"], "ended_at": one["settled_at"],
        }  # fmt: skip
    for vote in item["votes"]:
        for number, cast in enumerate(vote["history"], 1):
            said = {"outcome": cast["choice"], "note": cast["rationale"], "started_at": cast["voted_at"]}
            yield {"kind": "vote", "agent": vote["agent"], "attempt": number, **said}
    for one in item["actions"]:
        said = {"outcome": one["place"], "note": one["title"], "summary": one["task"], "ended_at": one["finished_at"]}
        yield {"kind": "action item", "agent": one["owner"], **said}


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
