"""The audit trail as Markdown: the sections and tables of the page, for a repository or a mail.

Every text that comes from the board is escaped, and stands on one line, so that no title can end a table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.reports import audit_words as words
from slateboard.reports.decision_records import inline, option_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def render(report: Mapping[str, Any]) -> str:
    """The report as one Markdown document."""
    parts = [
        f"# Audit trail: {inline(words.scope(report))}",
        f"{words.moment(report['begins_at'])} to {words.moment(report['ends_at'])} (UTC), {report['events']:,} events.",
        inline(words.lead(report)),
        f"**Proof.** {inline(words.proof(report))} Head: `{report['proof']['head_hash']}`",
        _section("Time", ["place", "time"], ([p, words.length(s)] for p, s in report["summary"]["seconds"].items())),
        _tasks(report),
        _artifacts(report),
        _attempts(report),
        _decisions(report),
        _incidents(report),
        _path(report),
        _hand_overs(report),
        _agents(report),
    ]
    if report["published"]:
        rows = (
            [one["position"], words.moment(one["happened_at"]), one["subject"], one["actor"], one["correlation"]]
            for one in report["published"]
        )
        parts.append(_section("Published events", ["position", "when", "subject", "by", "correlation"], rows))
    return "\n\n".join(parts) + "\n"


def _section(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = ["| " + " | ".join("" if cell is None else inline(str(cell)) for cell in row) + " |" for row in rows]
    if not lines:
        return f"## {title}\n\nNone."
    head = f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}"
    return f"## {title}\n\n{head}\n" + "\n".join(lines)


def _tasks(report: Mapping[str, Any]) -> str:
    rows = (
        [one["name"], one["title"], one["delegator"] or one["created_by"], one["agent"], words.chain(one["chain"])]
        for one in report["tasks"]
    )
    return _section("Who asked whom for what", ["task", "title", "asked by", "done by", "accountable"], rows)


def _artifacts(report: Mapping[str, Any]) -> str:
    rows = (
        [
            one["reference"],
            version["version"],
            version["author"],
            words.moment(version["created_at"]),
            words.made(version),
            version["hash"],
            version["size"],
            version["fence"],
        ]
        for one in report["artifacts"]
        for version in one["versions"]
    )
    columns = ["artifact", "version", "author", "when", "where", "hash", "bytes", "fence"]
    return _section("Every version", columns, rows)


def _attempts(report: Mapping[str, Any]) -> str:
    rows = (
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
        ]
        for one in report["artifacts"]
        for attempt in one["attempts"]
    )
    columns = ["artifact", "attempt", "agent", "worker", "started", "took", "outcome", "class", "error or note"]
    return _section("Every attempt", columns, rows)


def _decisions(report: Mapping[str, Any]) -> str:
    rows = (
        [
            words.moment(one["decided_at"]),
            one["agent"],
            one["decision"],
            one["rationale"],
            "; ".join(option_name(option) for option in one["options"]),
            one["status"],
            one["superseded_by"] and one["superseded_by"]["decision"],
        ]
        for one in report["decisions"]
    )
    columns = ["when", "who", "decision", "why", "options", "status", "replaced by"]
    return _section("Every decision", columns, rows)


def _incidents(report: Mapping[str, Any]) -> str:
    rows = (
        [
            words.moment(one["happened_at"]),
            one["reference"],
            one["what"],
            one["by"],
            one["class"],
            one["error"] or one["note"],
            one["then"],
        ]
        for one in report["incidents"]
    )
    columns = ["when", "artifact", "what", "by", "class", "error", "then"]
    return _section("What went wrong, and what was done about it", columns, rows)


def _path(report: Mapping[str, Any]) -> str:
    path = report["critical_path"]
    rows = (
        [one["reference"], one["agent"], words.moment(one["finished_at"]), words.spent(one["seconds"])]
        for one in path["steps"]
    )
    title = f"Critical path ({words.length(path['seconds'])})"
    return _section(title, ["artifact", "agent", "finished", "time spent"], rows)


def _hand_overs(report: Mapping[str, Any]) -> str:
    rows = (
        [one["from"], one["to"], one["from_agent"], one["to_agent"], words.length(one["seconds"])]
        for one in report["hand_overs"][: words.MOST_HAND_OVERS]
    )
    return _section("Slowest hand-overs", ["from", "to", "from agent", "to agent", "delay"], rows)


def _agents(report: Mapping[str, Any]) -> str:
    rows = map(words.agent_row, report["agents"])
    return _section("Agents", words.AGENT_COLUMNS, rows)
