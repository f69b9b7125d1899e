"""What is written for people: the plan, the changelog entry, the technical report and the summary, in Markdown.

Each is a function from facts to text. No clock, no path of the machine: the same facts give the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from release_analytics.chart import Chart
    from release_analytics.resources import Tables


@dataclass(frozen=True, kw_only=True)
class Decided:
    """A decision in force: who took it, what, and why."""

    agent: str
    text: str
    rationale: str


@dataclass(frozen=True, kw_only=True)
class Produced:
    """An artifact on the board: its reference and what its maker said about it."""

    reference: str
    summary: str


def plan(tables: Tables, charts: Sequence[Chart], decisions: Sequence[Decided]) -> str:
    """The technical plan: what there is, what will be drawn from it, and what was decided."""
    lines = ["# Technical plan", "", "## Tables", "", "| table | rows | columns |", "|---|---|---|"]
    lines += [f"| {name} | {len(rows)} | {', '.join(rows[0])} |" for name, rows in tables.items()]
    lines += ["", "## Charts", "", "| chart | needs |", "|---|---|"]
    for chart in charts:
        needs = ", ".join(f"{table}.{field}" for table, fields in chart.needs.items() for field in fields)
        lines.append(f"| {chart.title} | {needs} |")
    lines += ["", "The API has to offer the fields in the second table, and needs to offer no others."]
    return _text([*lines, *_decisions(decisions)])


def changelog(
    *,
    review: Mapping[str, Any],
    deployment: Mapping[str, Any],
    description: Mapping[str, Any],
    artifacts: Sequence[Produced],
    decisions: Sequence[Decided],
) -> str:
    """The changelog entry, in the form of Keep a Changelog, from what the board says was made and decided."""
    version = description["info"]["version"]
    operations = ", ".join(f"`GET {path}`" for path in description["paths"])
    lines = ["# Changelog", "", f"## {version}", "", "### Added", ""]
    lines += [
        f"- A dashboard of the PostgreSQL releases, and an API of {deployment['operations']} operations: {operations}."
    ]
    if review["repaired"]:
        lines += ["", "### Security", ""]
        lines += [
            f"- Found in review and repaired before release: {finding['message']}." for finding in review["repaired"]
        ]
    lines += ["", "### Verified", ""]
    lines += [f"- {len(review['rules'])} security rules, {len(deployment['checks'])} requests to the deployed API."]
    return _text([*lines, *_parts(artifacts), *_decisions(decisions)])


def unity_faults(
    *, review: Mapping[str, Any], deployment: Mapping[str, Any], deployed_description_sha256: str, page: str
) -> list[str]:
    """Where the parts do not belong together: all must rest on the description that the review approved."""
    approved = review["approved"]["sha256"]
    found: list[str] = []
    if deployed_description_sha256 != approved:
        found.append("the deployed API has another description than the approved one")
    if approved not in page:
        found.append("the dashboard was built from another description than the approved one")
    if deployment["verdict"] != "passed":
        found.append("the smoke test did not pass")
    found += [
        f"the page shows {finding['pointer'].rpartition('/')[2]}"
        for finding in review["repaired"]
        if finding["pointer"].rpartition("/")[2] in page
    ]
    return found


def technical_report(
    *,
    review: Mapping[str, Any],
    deployment: Mapping[str, Any],
    artifacts: Sequence[Produced],
    decisions: Sequence[Decided],
) -> str:
    """The cto's report: the parts, and that they rest on one description."""
    tested = f"{deployment['operations']} operations, {len(deployment['checks'])} requests tested"
    lines = ["# Technical report", "", f"API {deployment['api_version']}: {tested}."]
    lines.append(f"Review, page and deployed API rest on one description, SHA-256 `{review['approved']['sha256']}`.")
    return _text([*lines, *_parts(artifacts), *_decisions(decisions)])


def summary(
    *,
    review: Mapping[str, Any],
    deployment: Mapping[str, Any],
    figures: Mapping[str, Any],
    files: Mapping[str, str],
    artifacts: Sequence[Produced],
) -> str:
    """The ceo's summary: what there is now, what was found on the way, and where to look."""
    covers = (
        f"It covers {figures['major_versions']} major versions and {figures['minor_releases']} minor releases up to "
        f"{figures['as_of']}. A new major version came every {figures['median_days_between_majors']} days (median)."
    )
    checked = (
        f"The security review applied {len(review['rules'])} rules and had {count(len(review['repaired']), 'fault')} "
        f"repaired. The deployed API {deployment['verdict']} {len(deployment['checks'])} checks."
    )
    lines = ["# The release dashboard is done", "", covers, "", checked, "", "## Where to look", ""]
    lines += [f"- {words}: `{path}`" for words, path in files.items()]
    return _text([*lines, *_parts(artifacts)])


def _parts(artifacts: Sequence[Produced]) -> list[str]:
    if not artifacts:
        return []
    return ["", "## Artifacts", "", *(f"- `{artifact.reference}`: {artifact.summary}" for artifact in artifacts)]


def _decisions(decisions: Sequence[Decided]) -> list[str]:
    if not decisions:
        return []
    return ["", "## Decisions", "", *(f"- {d.text} ({d.agent}): {d.rationale}" for d in decisions)]


def count(number: int, word: str) -> str:
    """`1 fault`, `2 faults`."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _text(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"
