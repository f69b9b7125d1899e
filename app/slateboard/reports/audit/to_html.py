"""The audit trail as one page: a file that needs nothing else, no script, no network, readable on paper.

All that comes from the board goes through `text.text`. Headings, captions and the words of the timeline say
everything that a picture shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.reports.audit import story, timeline, words
from slateboard.reports.audit.section import Kind, Section, shown
from slateboard.reports.audit.sections import SECTIONS
from slateboard.reports.audit.style import STYLE
from slateboard.reports.audit.text import text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OUTCOMES = {
    "completed": "completed",
    "failed": "failed",
    "interrupted": "interrupted",
    "released": "released",
    "blocked": "given back, to wait",
    "cancelled": "cancelled",
    "running": "still running",
}


RIGHT = {kind: f' class="{kind}"' for kind in (Kind.NUMBER, Kind.LENGTH)}
"""Headings that stand over numbers."""
SHORT_SIGNS = 24
"""A long text that is no longer needs no room of its own."""
ROWS_AT_ONCE = 200
"""Rows of a piece of the page."""


def render(report: Mapping[str, Any]) -> Iterator[str]:
    """The report as an HTML document, piece by piece."""
    yield (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # Nothing of this page may be fetched or run, whatever somebody wrote on the board.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{text(f'Audit trail: {words.scope(report)}')}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f'<header>\n<h1>Audit trail</h1>\n<p class="when">{text(words.scope(report))} · '
        f"{text(words.period(report))}</p>\n{_tiles(report)}</header>\n<main>\n"
    )
    yield _story(report)
    yield _timeline(report)
    yield _time(report)
    there = [section for section in SECTIONS if section.count(report)]
    links = "".join(f'<a href="#{one.name}">{one.title}</a>' for one in there)
    yield f'<nav aria-label="Tables">{links}</nav>\n'
    for section in there:
        yield from _section(section, report)
    yield f"</main>\n<footer>{_footer(report)}</footer>\n</body>\n</html>\n"


def _section(section: Section, report: Mapping[str, Any]) -> Iterator[str]:
    """A table with its caption; the first column names the row."""
    columns, rows = section.table(report)
    head = "".join(f'<th scope="col"{RIGHT.get(kind, "")}>{name}</th>' for name, kind in columns.items())
    yield (
        f'<section aria-labelledby="{section.name}">\n<h2 id="{section.name}">{section.title}</h2>\n'
        f'<p class="says">{section.note}</p>\n<div class="card" tabindex="0">\n<table>\n'
        f"<caption>{section.caption(report)}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n"
    )
    kinds = list(columns.values())
    for begin in range(0, len(rows), ROWS_AT_ONCE):
        yield "".join(_row(section, report, kinds, row) for row in rows[begin : begin + ROWS_AT_ONCE])
    yield "</tbody>\n</table>\n</div>\n</section>\n"


def _row(section: Section, report: Mapping[str, Any], kinds: list[Kind], row: tuple[Any, ...] | None) -> str:
    """A row of a table; None is the one that says how many are left out there."""
    if row is None:
        said = f"{section.left_out(report):,} rows are left out here"
        return f'<tr><td class="left-out" colspan="{len(kinds)}">{said}</td></tr>\n'
    return f"<tr>{''.join(map(_cell, range(len(kinds)), kinds, row))}</tr>\n"


def _cell(number: int, kind: Kind, value: Any) -> str:
    if number == 0:
        return f'<th scope="row">{text(value)}</th>'
    said = text(shown(kind, value))
    if not said or kind is Kind.TEXT or (kind is Kind.LONG and len(said) <= SHORT_SIGNS):
        return f"<td>{said}</td>"
    if kind is Kind.HASH:
        return f'<td class="hash"><code>{said}</code></td>'
    if kind is Kind.WORD:
        return f'<td><span class="word is-{said}">{said}</span></td>'
    return f'<td class="{kind}">{said}</td>'


def _story(report: Mapping[str, Any]) -> str:
    """What somebody reads who reads nothing else."""
    told = "".join(
        f"<section><h2>{heading}</h2>{''.join(f'<p>{text(one)}</p>' for one in sentences)}</section>"
        for heading, sentences in story.tell(report)
    )
    broken = "" if report["proof"]["verified"] else " broken"
    head = report["proof"]["head_hash"]
    hashed = f'<p class="hash">Hash of the last entry: <code>{head}</code></p>' if head else ""
    return f'<div class="card story{broken}">{told}{hashed}</div>\n'


def _tiles(report: Mapping[str, Any]) -> str:
    told = report["summary"]
    tiles = [
        (f"{told['artifacts']:,}", "artifacts"),
        (f"{told['versions']:,}", "versions"),
        (f"{told['attempts']:,}", "attempts"),
        (f"{told['decisions']:,}", "decisions"),
        (f"{told['incidents']:,}", "gone wrong or ended early"),
        (words.length(report["critical_path"]["seconds"]), "critical path"),
    ]
    if told["deliveries"]:
        tiles.insert(1, (f"{told['deliveries']:,}", "deliveries of events"))
    if told["cost"]:
        tiles.append((f"{told['cost']:,.2f}", "cost, as reported"))
    return '<ul class="tiles">' + "".join(f"<li><b>{b}</b><span>{s}</span></li>" for b, s in tiles) + "</ul>\n"


def _timeline(report: Mapping[str, Any]) -> str:
    picture = timeline.render(report)
    if not picture:
        return ""
    there = report["summary"]["outcomes"]
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
        f'<div class="card" tabindex="0">{picture}<ul class="legend">{legend}</ul></div>\n</section>\n'
    )


def _time(report: Mapping[str, Any]) -> str:
    seconds = {place: number for place, number in report["summary"]["seconds"].items() if number > 0}
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
        "an event or a time, or dead until somebody decided.</p>\n"
        f'<div class="card"><div class="share" aria-hidden="true">{bars}</div>'
        f'<ul class="legend">{legend}</ul></div>\n</section>\n'
    )


def _footer(report: Mapping[str, Any]) -> str:
    asked = {name: value for name, value in report["asked"].items() if value is not None}
    said = ", ".join(f"{name} {value}" for name, value in asked.items()) or "everything"
    return (
        f"<p>Asked for: {text(said)}. Times are UTC, on the database's clock. What happened is told by the log; "
        "titles, names and the tree of tasks are the board's.</p>"
    )
