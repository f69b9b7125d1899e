"""The audit trail as Markdown: the story and the sections, for a repository or a mail.

Every text that comes from the board is escaped, and stands on one line, so that no title can end a table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.reports.audit import story, words
from slateboard.reports.audit.section import shown
from slateboard.reports.audit.sections import SECTIONS
from slateboard.reports.decision_records import inline

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def render(report: Mapping[str, Any]) -> Iterator[str]:
    """The report as one Markdown document, piece by piece."""
    yield f"# Audit trail: {inline(words.scope(report))}\n\n{inline(words.period(report))}\n"
    for heading, sentences in story.tell(report):
        yield f"\n## {heading}\n\n" + "\n".join(f"- {inline(one)}" for one in sentences) + "\n"
    if report["proof"]["head_hash"]:
        yield f"\nHash of the last entry: `{report['proof']['head_hash']}`\n"
    for section in SECTIONS:
        if not section.count(report):
            continue
        sentence = words.sentence(section.caption(report))
        yield f"\n## {section.title}\n\n{section.note} {sentence}\n\n"
        columns, rows = section.table(report)
        yield f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}\n"
        kinds = list(columns.values())
        for row in rows:
            if row is None:
                yield f"| {section.left_out(report):,} rows are left out here |{' |' * (len(kinds) - 1)}\n"
                continue
            cells = (inline(shown(kind, cell)) for kind, cell in zip(kinds, row, strict=True))
            yield "| " + " | ".join(cells) + " |\n"
