"""The audit trail as one page: a file that needs nothing else, no script, no network, readable on paper.

All that comes from the board goes through `audit_text.text`. Headings, captions and the words of the timeline say
everything that a picture shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.reports import audit_timeline
from slateboard.reports import audit_words as words
from slateboard.reports.audit_style import STYLE
from slateboard.reports.audit_tables import SECTIONS
from slateboard.reports.audit_text import text

if TYPE_CHECKING:
    from collections.abc import Mapping

OUTCOMES = {
    "completed": "completed",
    "failed": "failed",
    "interrupted": "interrupted",
    "released": "released",
    "blocked": "blocked on others",
    "cancelled": "cancelled",
    "running": "still running",
}


def render(report: Mapping[str, Any]) -> str:
    """The report as an HTML document."""
    title = f"Audit trail: {words.scope(report)}"
    sections = [(name, heading, says, body(report)) for name, heading, says, body in SECTIONS]
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        # Nothing of this page may be fetched or run, whatever somebody wrote on the board.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        f"<title>{text(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>",
        f"<header>\n<h1>Audit trail</h1>\n{_when(report)}",
        f'<p class="lead">{text(words.lead(report))}</p>\n{_tiles(report)}{_proof(report)}',
        '<nav aria-label="Sections">'
        + "".join(f'<a href="#{name}">{heading}</a>' for name, heading, _, found in sections if found)
        + "</nav>\n</header>\n<main>",
        _timeline(report),
        _time(report),
        _path(report),
    ]
    for name, heading, says, found in sections:
        if found:
            parts.append(
                f'<section aria-labelledby="{name}">\n<h2 id="{name}">{heading}</h2>\n<p class="says">{says}</p>'
            )
            parts.extend(('<div class="card">', *found, "</div>\n</section>"))
            found.clear()
    parts.append(f"</main>\n<footer>{_footer(report)}</footer>\n</body>\n</html>\n")
    return "\n".join(filter(None, parts))


def _when(report: Mapping[str, Any]) -> str:
    if report["begins_at"] is None or report["ends_at"] is None:
        return f'<p class="when">{text(words.scope(report))}. No events.</p>'
    period = f"{words.moment(report['begins_at'])} to {words.moment(report['ends_at'])} UTC"
    return f'<p class="when">{text(words.scope(report))} · {period} · {report["events"]:,} events</p>'


def _tiles(report: Mapping[str, Any]) -> str:
    told = report["summary"]
    tiles = [
        (f"{told['artifacts']:,}", "artifacts"),
        (f"{told['versions']:,}", "versions"),
        (f"{told['attempts']:,}", "attempts"),
        (f"{told['decisions']:,}", "decisions"),
        (f"{told['incidents']:,}", "failures and other ends"),
        (words.length(report["critical_path"]["seconds"]), "critical path"),
    ]
    if told["deliveries"]:
        tiles.insert(1, (f"{told['deliveries']:,}", "deliveries of events"))
    if told["cost"]:
        tiles.append((f"{told['cost']:,.2f}", "cost, as reported"))
    return '<ul class="tiles">' + "".join(f"<li><b>{b}</b><span>{s}</span></li>" for b, s in tiles) + "</ul>\n"


def _proof(report: Mapping[str, Any]) -> str:
    broken = "" if report["proof"]["verified"] else " broken"
    head = report["proof"]["head_hash"]
    hashed = f'<p class="hash">Hash of the last entry: <code>{head}</code></p>' if head else ""
    erased = ""
    if report["erased"]:
        said = f"{words.count(report['erased'], 'payload')} erased; the chain holds over the hash."
        erased = f'<p class="hash">{said}</p>'
    return f'<div class="card proof{broken}"><p>{text(words.proof(report))}</p>{hashed}{erased}</div>\n'


def _timeline(report: Mapping[str, Any]) -> str:
    picture = audit_timeline.render(report)
    if not picture:
        return ""
    there = {one["outcome"] for artifact in report["artifacts"] for one in artifact["attempts"]}
    legend = "".join(
        f'<li><svg viewBox="0 0 14 10" aria-hidden="true"><rect class="{name}" x="1" y="1" width="12" height="8" '
        f'rx="2"/></svg>{said}</li>'
        for name, said in OUTCOMES.items()
        if name in there
    )
    if report["decisions"]:
        legend += (
            '<li><svg viewBox="0 0 14 10" aria-hidden="true"><path class="decision" d="M7 1l4 4l-4 4l-4 -4z"/></svg>'
            "decision</li>"
        )
    return (
        '<section aria-labelledby="timeline">\n<h2 id="timeline">Who worked when</h2>\n'
        '<p class="says">A lane for each agent, a bar for each attempt.</p>\n'
        f'<div class="card" tabindex="0">{picture}<ul class="legend">{legend}</ul></div>\n</section>'
    )


def _time(report: Mapping[str, Any]) -> str:
    seconds = report["summary"]["seconds"]
    total = sum(seconds.values())
    if not total:
        return ""
    bars = "".join(
        f'<i style="width:{number / total * 100:.2f}%;background:var(--{place})"></i>'
        for place, number in seconds.items()
    )
    legend = "".join(
        f'<li><i style="background:var(--{place})"></i>{place} {words.length(number)}'
        f" ({number / total * 100:.0f} %)</li>"
        for place, number in seconds.items()
    )
    return (
        '<section aria-labelledby="time">\n<h2 id="time">Where the time went</h2>\n<p class="says">The time of all '
        "work items together: gated by others, scheduled for later, ready and waiting for a hand, claimed, waiting for "
        "somebody named, or dead until somebody decided.</p>\n"
        f'<div class="card"><div class="share" aria-hidden="true">{bars}</div>'
        f'<ul class="legend">{legend}</ul></div>\n</section>'
    )


def _path(report: Mapping[str, Any]) -> str:
    path = report["critical_path"]
    if not path["steps"]:
        return ""
    steps = "".join(
        f"<li><strong>{text(one['reference'])}</strong> <span>{text(one['agent'] or 'taken over')} · "
        f"{text(words.spent(one['seconds']) or 'no time')} · done {words.moment(one['finished_at'])}</span></li>"
        for one in path["steps"]
    )
    return (
        '<section aria-labelledby="path">\n<h2 id="path">Critical path</h2>\n<p class="says">The chain that decided '
        f"when the last of it was done, {words.length(path['seconds'])} in all: each waited for the one before.</p>\n"
        f'<div class="card"><ol class="path">{steps}</ol></div>\n</section>'
    )


def _footer(report: Mapping[str, Any]) -> str:
    asked = {name: value for name, value in report["asked"].items() if value is not None}
    said = ", ".join(f"{name} {value}" for name, value in asked.items()) or "everything"
    return (
        f"<p>Asked for: {text(said)}. Times are UTC, on the database's clock. What happened is told by the log; "
        "titles, names and the tree of tasks are the board's.</p>"
    )
