"""The tables of an audit page: one function for each, which gives nothing where there is nothing to show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from slateboard.reports import audit_words as words
from slateboard.reports.audit_text import text
from slateboard.reports.decision_records import option_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    Report = Mapping[str, Any]

NUMBERS = {"version", "bytes", "fence", "attempt", "took", "delay", "items", "attempts", "completed", "failed",
           "failure rate", "at work", "position"}  # fmt: skip
TIMES = {"when", "started", "asked at"}
WIDE = {"why", "error or note", "error", "accountable", "decision", "then", "options", "title"}
WORDS = {"outcome", "what", "status", "now"}


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """The lines of a table with its caption; the first column names the row. None without rows."""
    lines = [
        "<tr>"
        + "".join(
            _cell(column, cell, head=not number) for number, (column, cell) in enumerate(zip(columns, row, strict=True))
        )
        + "</tr>"
        for row in rows
    ]
    if not lines:
        return []
    head = "".join(f'<th scope="col">{column}</th>' for column in columns)
    lines.insert(0, f"<table>\n<caption>{text(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>")
    lines.append("</tbody>\n</table>")
    return lines


def _cell(column: str, value: Any, *, head: bool) -> str:
    said = text(value)
    if head:
        return f'<th scope="row">{said}</th>'
    if column in NUMBERS:
        return f'<td class="number">{said}</td>'
    if column in TIMES:
        return f'<td class="time">{said}</td>'
    if column == "hash" and said:
        return f'<td class="hash"><code>{said}</code></td>'
    if column in WORDS and said:
        return f'<td><span class="word is-{said}">{said}</span></td>'
    return f'<td class="wide">{said}</td>' if column in WIDE else f"<td>{said}</td>"


def tasks(report: Report) -> list[str]:
    """Who asked whom for what."""
    rows = (
        [
            one["name"],
            one["title"],
            one["delegator"] or one["created_by"],
            one["agent"],
            words.moment(one["created_at"]),
            words.chain(one["chain"]),
        ]
        for one in report["tasks"]
    )
    columns = ["task", "title", "asked by", "done by", "asked at", "accountable"]
    return table(words.count(len(report["tasks"]), "task"), columns, rows)


def artifacts(report: Report) -> list[str]:
    """Every artifact: who owed it, up to whom, and where its time went."""
    rows = (
        [
            one["reference"],
            one["place"],
            one["owner"] or one["capability"] or "open",
            words.chain(one["chain"]),
            ", ".join(one["blocked_by"]),
            words.spent(one["seconds"]),
        ]
        for one in report["artifacts"]
    )
    columns = ["artifact", "now", "owner", "accountable", "blocked by", "time spent"]
    return table(words.count(len(report["artifacts"]), "artifact"), columns, rows)


def versions(report: Report) -> list[str]:
    """Every accepted result."""
    rows = [
        [
            one["reference"],
            version["version"],
            version["author"],
            words.moment(version["created_at"]),
            words.made(version),
            version["hash"] or ("taken over, unproven" if version["imported"] else None),
            version["size"],
            version["fence"],
            version["summary"],
        ]
        for one in report["artifacts"]
        for version in one["versions"]
    ]
    columns = ["artifact", "version", "author", "when", "where", "hash", "bytes", "fence", "summary"]
    return table(words.count(len(rows), "version"), columns, rows)


def attempts(report: Report) -> list[str]:
    """Every claim from start to end."""
    rows = [
        [
            one["reference"],
            attempt["attempt"],
            attempt["agent"],
            attempt["worker"],
            words.moment(attempt["started_at"]),
            words.length(attempt["seconds"]),
            attempt["outcome"],
            attempt["class"],
            attempt["error"] or attempt["note"],
            _usage(attempt["usage"]),
        ]
        for one in report["artifacts"]
        for attempt in one["attempts"]
    ]
    columns = [
        "artifact",
        "attempt",
        "agent",
        "worker",
        "started",
        "took",
        "outcome",
        "class",
        "error or note",
        "usage",
    ]
    return table(words.count(len(rows), "attempt"), columns, rows)


def _usage(usage: Any) -> str:
    if not isinstance(usage, dict):
        return "" if usage is None else str(usage)
    return ", ".join(f"{name} {value}" for name, value in sorted(cast("dict[str, Any]", usage).items()))


def decisions(report: Report) -> list[str]:
    """Every decision with its reasons, and what became of it."""
    rows = (
        [
            one["decision"],
            one["agent"],
            words.moment(one["decided_at"]),
            one["rationale"],
            "; ".join(option_name(option) for option in one["options"]),
            one["status"],
            _replaced(one),
        ]
        for one in report["decisions"]
    )
    columns = ["decision", "who", "when", "why", "options", "status", "replaced"]
    return table(words.count(len(report["decisions"]), "decision"), columns, rows)


def _replaced(one: Mapping[str, Any]) -> str:
    said: list[str] = []
    if one["supersedes"]:
        said.append(f"replaces “{one['supersedes']['decision']}”")
    if one["superseded_by"]:
        said.append(f"replaced by “{one['superseded_by']['decision']}”")
    return "; ".join(said)


def incidents(report: Report) -> list[str]:
    """What went wrong or was ended early, and what was done about it."""
    rows = (
        [
            one["reference"],
            one["what"],
            words.moment(one["happened_at"]),
            one["by"],
            one["class"],
            one["error"] or one["note"],
            one["then"],
        ]
        for one in report["incidents"]
    )
    columns = ["artifact", "what", "when", "by", "class", "error", "then"]
    return table(words.count(len(report["incidents"]), "entry").replace("entrys", "entries"), columns, rows)


def hand_overs(report: Report) -> list[str]:
    """How long work lay between two hands."""
    shown = report["hand_overs"][: words.MOST_HAND_OVERS]
    rows = (
        [
            one["to"],
            one["to_agent"],
            one["from"],
            one["from_agent"],
            words.moment(one["done_at"]),
            words.length(one["seconds"]),
        ]
        for one in shown
    )
    caption = f"The slowest {len(shown)} of {words.count(len(report['hand_overs']), 'hand-over')}"
    return table(caption, ["artifact", "taken by", "after", "done by", "when", "delay"], rows)


def agents(report: Report) -> list[str]:
    """What each agent did."""
    rows = map(words.agent_row, report["agents"])
    return table(words.count(len(report["agents"]), "agent"), words.AGENT_COLUMNS, rows)


def published(report: Report) -> list[str]:
    """What agents and others announced."""
    rows = (
        [one["subject"], one["position"], words.moment(one["happened_at"]), one["actor"], one["correlation"]]
        for one in report["published"]
    )
    return table(
        words.count(len(report["published"]), "event"), ["subject", "position", "when", "by", "correlation"], rows
    )


SECTIONS: tuple[tuple[str, str, str, Callable[[Report], list[str]]], ...] = (
    ("tasks", "Who asked whom for what", "Each task, and the chain of those who answer for it, from the top.", tasks),
    ("artifacts", "Artifacts", "What had to be produced, by whom, after what, and where its time went.", artifacts),
    (
        "versions",
        "Every version",
        "Each accepted result, its author, and the hash of what was handed in.",
        versions,
    ),
    (
        "decisions",
        "Decisions",
        "What was decided, by whom, why, over which options, and what replaced it.",
        decisions,
    ),
    ("incidents", "What went wrong", "Failures, dead letters and early ends, and what was done about each.", incidents),
    ("hand-overs", "Hand-overs", "From when the last blocker was done until somebody took what it held.", hand_overs),
    ("attempts", "Every attempt", "Each claim from start to end.", attempts),
    ("agents", "Agents", "What each finished and failed, and where the time of its work went.", agents),
    ("published", "Published events", "What was announced on the board, oldest first.", published),
)
