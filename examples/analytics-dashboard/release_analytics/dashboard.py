"""The dashboard: one static HTML page with its charts inside, nothing loaded from anywhere, no scripts.

It reads well in light and dark, on a wide screen and on a phone, with the keyboard and with a screen reader: every
chart has a title, a sentence that says what it shows, and its figures as a table.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from release_analytics.api_description import operations
from release_analytics.chart import FULL, Chart, Figures
from release_analytics.charts import CHARTS
from release_analytics.svg import STYLE, embedded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from release_analytics.resources import Tables

PAGE_STYLE = Path(__file__).with_name("dashboard.css").read_text(encoding="utf-8")


def page(
    *, description: Mapping[str, Any], description_sha256: str, tables: Tables, pictures: Mapping[str, str]
) -> str:
    """The whole page; `pictures` holds each chart's stand-alone files by `<name>` and `<name>-narrow`."""
    summary = tables["summary"][0]
    info = description["info"]
    cards = "\n".join(_card(chart, chart.figures(tables), pictures) for chart in CHARTS)
    lead = (
        f"{summary['minor_releases']} minor releases of {summary['major_versions']} major versions of PostgreSQL, "
        f"from {tables['majors'][0]['first_released_on']} to {summary['as_of']}: "
        "how often it ships, and how long it lasts."
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{escape(info["title"])}</title>
<style>{STYLE}{PAGE_STYLE}</style>
</head>
<body>
<header>
<h1>The rhythm of PostgreSQL</h1>
<p class="lead">{escape(lead)}</p>
</header>
<main>
{_tiles(summary)}
<div class="grid">
{cards}
{_api(description)}
</div>
</main>
<footer>
<p>Data: the dates of the PostgreSQL release notes and versioning policy, up to {summary["as_of"]}.</p>
<p>API description: version {escape(info["version"])}, SHA-256 <code>{description_sha256}</code></p>
</footer>
</body>
</html>
"""


def _tiles(summary: Mapping[str, Any]) -> str:
    tiles = [
        (summary["supported_major_versions"], "major versions under support"),
        (summary["minor_releases"], "minor releases"),
        (summary["release_days"], "days on which something was released"),
        (summary["median_days_between_majors"], "days between major versions (median)"),
        (summary["median_days_between_release_days"], "days between release days (median)"),
        (f"{summary['median_supported_days'] / 365.25:.1f}", "years of support (median)"),
    ]
    items = "".join(f"<li><b>{value}</b><span>{escape(words)}</span></li>" for value, words in tiles)
    return f'<ul class="tiles" aria-label="Key figures">{items}</ul>'


def _card(chart: Chart, figures: Figures, pictures: Mapping[str, str]) -> str:
    width = " full" if chart.wide == FULL else ""
    return (
        f'<section class="card{width}" aria-labelledby="{chart.name}-heading">'
        f'<h2 id="{chart.name}-heading">{escape(chart.title)}</h2><p class="says">{escape(figures.sentence)}</p>'
        f'<div class="wide">{embedded(pictures[chart.name])}</div>'
        f'<div class="narrow">{embedded(pictures[f"{chart.name}-narrow"])}</div>'
        f"<details><summary>The figures</summary>{_table(chart.title, figures)}</details></section>"
    )


def _table(title: str, figures: Figures) -> str:
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in figures.header)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>' + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:]) + "</tr>"
        for row in figures.rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(title)}: the figures">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _api(description: Mapping[str, Any]) -> str:
    fields = {
        schema["x-table"]: ", ".join(f"<code>{escape(field)}</code>" for field in schema["properties"])
        for schema in description["components"]["schemas"].values()
        if "x-table" in schema
    }
    rows = "".join(
        f'<tr><th scope="row"><code>{method.upper()} {escape(path)}</code></th><td>{escape(operation["summary"])}</td>'
        f'<td class="fields">{fields[operation["x-table"]]}</td></tr>'
        for path, method, operation in operations(description)
    )
    return (
        '<section class="card full" aria-labelledby="api-heading"><h2 id="api-heading">Where the numbers come from</h2>'
        '<p class="says">The page is built from the description of this API, and shows only what it offers.</p>'
        '<div class="scroll" tabindex="0" role="region" aria-label="Operations of the API">'
        '<table><thead><tr><th scope="col">Operation</th><th scope="col">What it gives</th>'
        '<th scope="col">Fields</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div></section>"
    )
