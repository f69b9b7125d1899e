"""Decisions as records in the form of MADR 4: one Markdown file each, numbered in the order in which they were made.

A record's number and file name never change, since decisions are only ever added; a record that was replaced links to
the one that replaced it, and the other way round.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, cast

from slateboard.protocol.errors import TooLarge
from slateboard.protocol.rights import Right

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from slateboard.transaction import ReadTransaction

MAX_DECISIONS = 10_000

DECISIONS = """
SELECT d.*, t.name AS task_name FROM decisions d LEFT JOIN tasks t ON t.board = $1 AND t.id = d.task
WHERE d.board = $1 ORDER BY d.id LIMIT $2
"""

# Signs that would begin or end something in Markdown or HTML; a text is data, also where a peer wrote it.
SIGNS = re.compile(r"([\\`*_\[\]>|#~])")


async def report_decisions(tx: ReadTransaction) -> list[dict[str, Any]]:
    """Every decision of the board as a Markdown record: `{number, id, subject, status, file, text}`, the oldest first.

    Raises `TooLarge` over 10,000.
    """
    tx.require(Right.READER)
    rows = [dict(row) for row in await tx.fetch(DECISIONS, tx.board, MAX_DECISIONS + 1)]
    if len(rows) > MAX_DECISIONS:
        raise TooLarge(
            f"a board's records are at most {MAX_DECISIONS:,}", remedy="read them with `slate get decisions`"
        )
    files = {row["id"]: f"{number:04}-{row['subject'][:60]}.md" for number, row in enumerate(rows, 1)}
    replaced_by = {row["supersedes"]: row["id"] for row in rows if row["supersedes"]}
    return [
        {
            "number": number,
            "id": row["id"],
            "subject": row["subject"],
            "status": row["status"],
            "file": files[row["id"]],
            "text": record(number, row, files, replaced_by.get(row["id"])),
        }
        for number, row in enumerate(rows, 1)
    ]


def record(number: int, row: Mapping[str, Any], files: Mapping[int, str], replaced_by: int | None) -> str:
    """One decision as the text of its file."""
    status = row["status"]
    if replaced_by is not None:
        status = f"superseded by {_link(replaced_by, files)}"
    front = [
        "---",
        f"status: {json.dumps(status, ensure_ascii=False)}",
        f"date: {row['decided_at'].date().isoformat()}",
        f"decision-makers: {json.dumps([row['agent']], ensure_ascii=False)}",
        "---",
    ]
    parts = ["\n".join(front), f"# {number}. {inline(row['decision'])}"]
    about = [f"Subject: `{row['subject']}`"]
    if row["task_name"]:
        about.append(f"Task: `{row['task_name']}`")
    if row["supersedes"]:
        about.append(f"Supersedes {_link(row['supersedes'], files)}")
    if replaced_by is not None:
        about.append(f"Superseded by {_link(replaced_by, files)}")
    parts.append("\n".join(f"- {line}" for line in about))
    parts.append("## Context and Problem Statement\n\n" + (block(row["context"]) or "Not recorded."))
    if row["drivers"]:
        parts.append("## Decision Drivers\n\n" + bullets(row["drivers"]))
    options: list[Any] = json.loads(row["options"]) if isinstance(row["options"], str) else row["options"]
    if options:
        parts.append("## Considered Options\n\n" + bullets([option_name(one) for one in options]))
    outcome = f"Chosen: {inline(row['decision'])}"
    if row["rationale"]:
        outcome += f", because\n\n{block(row['rationale'])}"
    parts.append("## Decision Outcome\n\n" + outcome)
    if row["consequences"]:
        parts.append("### Consequences\n\n" + block(row["consequences"]))
    if row["confirmation"]:
        parts.append("### Confirmation\n\n" + block(row["confirmation"]))
    parts.extend(_pros_and_cons(options))
    return "\n\n".join(parts) + "\n"


def option_name(option: Any) -> str:
    """An option is a text, or an object with a title."""
    if isinstance(option, str):
        return option
    if isinstance(option, dict):
        named = cast("dict[str, Any]", option)
        for key in ("title", "name", "option"):
            if isinstance(named.get(key), str):
                return named[key]
    return json.dumps(option, ensure_ascii=False, sort_keys=True)


def _pros_and_cons(options: Sequence[Any]) -> list[str]:
    """What is said of an option besides its title."""
    parts: list[str] = []
    for option in options:
        if not isinstance(option, dict):
            continue
        name = option_name(option)
        said = cast("dict[str, Any]", option)
        rest = {key: value for key, value in said.items() if value != name and value not in ("", None, [])}
        if not rest:
            continue
        lines = [f"{key}: {_words(value)}" for key, value in sorted(rest.items())]
        heading = "" if parts else "## Pros and Cons of the Options\n\n"
        parts.append(f"{heading}### {inline(name)}\n\n{bullets(lines)}")
    return parts


def _words(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "; ".join(_words(one) for one in cast("list[Any]", value))
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def inline(text: str) -> str:
    """A text on one line, its signs escaped."""
    return _escaped(" ".join(text.split()))


def block(text: str) -> str:
    """A text of several lines, its signs escaped; a line cannot begin a list or a heading of its own."""
    lines = [_escaped(line.strip()) for line in text.strip().splitlines()]
    return "\n".join(re.sub(r"^([-+=]|\d+[.)])", r"\\\1", line) for line in lines)


def _escaped(text: str) -> str:
    return SIGNS.sub(r"\\\1", text.replace("&", "&amp;").replace("<", "&lt;"))


def bullets(texts: Sequence[str]) -> str:
    """Texts as a list."""
    return "\n".join(f"- {inline(text)}" for text in texts)


def _link(number: int, files: Mapping[int, str]) -> str:
    file = files.get(number)
    return f"decision {number}" if file is None else f"[{file.removesuffix('.md')}]({file})"
