"""What people read on a terminal: tables that fit its width, ages, bars, marks.

All that comes from the board is somebody's text: before it is printed, signs that would steer the terminal or turn the
writing direction are taken out. Nothing is cut where the output goes into a file or a pipe.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
import sys
import unicodedata
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import click

from slateboard.protocol import durations

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

GAP = "  "
LEAST_WIDTH = 8
"""A column is never cut below this."""
BAR_WIDTH = 12

COLORS = {
    "complete": "green", "done": "green", "accepted": "green", "completed": "green",
    "in_progress": "yellow", "claimed": "yellow", "in_review": "yellow", "waiting": "yellow",
    "ready": "cyan", "not_started": "cyan", "scheduled": "cyan",
    "failed": "red", "dead": "red", "interrupted": "red", "cancelled": "bright_black", "superseded": "bright_black",
}  # fmt: skip
MARKS = {
    "complete": ("✔", "x"), "in_progress": ("▶", ">"), "in_review": ("◎", "?"), "waiting": ("◎", "?"),
    "not_started": ("○", "o"), "pending": ("·", "."), "failed": ("✘", "!"), "cancelled": ("⊘", "-"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its header, how its cell is made of a row, and whether it may be cut to fit."""

    header: str
    cell: Callable[[Mapping[str, Any]], Any]
    flexible: bool = False


def field(header: str, name: str | None = None, *, flexible: bool = False) -> Column:
    """The column of one field, as it stands."""
    key = name or header.lower().replace(" ", "_")
    return Column(header, partial(_value, key), flexible)


def since(header: str, name: str) -> Column:
    """The column of a time, as how long ago it was (or, with a minus, how far ahead it is)."""
    return Column(header, partial(_age, name))


def _value(name: str, row: Mapping[str, Any]) -> Any:
    return row.get(name)


def _age(name: str, row: Mapping[str, Any]) -> str | None:
    return age(row.get(name))


def table(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> str:
    """A table as text, headers first; it fits the terminal if there is one."""
    cells = [[text_of(column.cell(row)) for column in columns] for row in rows]
    headers = [column.header.upper() for column in columns]
    widths = [max(map(width_of, column)) for column in zip(headers, *cells, strict=True)]
    terminal = terminal_width()
    if terminal is not None:
        _shrink(widths, [column.flexible for column in columns], terminal)
    head = GAP.join(_fit(header, width) for header, width in zip(headers, widths, strict=True))
    lines = [[_colored(cell, width) for cell, width in zip(row, widths, strict=True)] for row in cells]
    return "\n".join([click.style(head.rstrip(), bold=True), *(GAP.join(line).rstrip() for line in lines)])


def facts(pairs: Mapping[str, Any]) -> str:
    """Names and values below each other, those without a value left out; long texts are indented."""
    width = max((len(name) for name in pairs), default=0)
    lines: list[str] = []
    for name, value in pairs.items():
        if value is None or value in ("", []):
            continue
        text = block(value)
        if "\n" in text:
            lines.append(f"{name}:")
            lines += ["    " + line for line in text.splitlines()]
        else:
            lines.append(f"{name + ':':{width + 1}} {_colored(text, 0)}")
    return "\n".join(lines)


def text_of(value: Any) -> str:
    """A value as the text of one cell."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dt.datetime):
        return moment(value)
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(text_of(one) for one in cast("Sequence[Any]", value)) or "-"
    if isinstance(value, dict):
        return clean(json.dumps(value, default=str, ensure_ascii=False))
    return clean(str(value))


def block(value: Any) -> str:
    """A value as text that may have several lines."""
    if isinstance(value, str):
        return "\n".join(clean(line) for line in value.splitlines())
    return text_of(value)


def clean(text: str) -> str:
    """Somebody's text without signs that steer a terminal (controls, directions); line ends become spaces."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(sign) for sign in text).strip()


def age(moment_: dt.datetime | None) -> str | None:
    """How long ago: `3m 5s`; what is yet to come has a minus before it."""
    if moment_ is None:
        return None
    return durations.shown(round((dt.datetime.now(dt.UTC) - moment_).total_seconds()))


def until(moment_: dt.datetime) -> str:
    """How much time is left, or that it is over."""
    left = (moment_ - dt.datetime.now(dt.UTC)).total_seconds()
    return f"{durations.shown(round(left))} left" if left > 0 else "over"


def moment(value: dt.datetime) -> str:
    """A time on this machine's clock, to the second."""
    return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def bar(done: int, total: int, width: int = BAR_WIDTH) -> str:
    """How much of it is done."""
    full = 0 if total == 0 else done * width // total
    on, off = ("█", "░") if unicode() else ("#", ".")
    return on * full + off * (width - full)


def mark(status: str) -> str:
    """One sign for a status, in its color."""
    fancy, plain = MARKS.get(status, ("·", "."))
    return click.style(fancy if unicode() else plain, fg=COLORS.get(status))


def colored(word: str) -> str:
    """A status in its color."""
    return click.style(word, fg=COLORS.get(word))


def unicode() -> bool:
    """Whether the output takes more than ASCII."""
    return (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")


def terminal_width() -> int | None:
    """The columns of the terminal; None where the output is no terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def cut(text: str, width: int) -> str:
    """A text of at most so many columns; where something is left out, `…` says so."""
    if width_of(text) <= width:
        return text
    kept, used = "", 0
    for sign in text:
        used += _columns(sign)
        if used > width - 1:
            break
        kept += sign
    return kept + ("…" if unicode() else "~")


def width_of(text: str) -> int:
    """How many columns a text takes."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(sign: str) -> int:
    if unicodedata.combining(sign):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in "WF" else 1


def _shown(sign: str) -> str:
    if sign in "\n\r\t\v\f":
        return " "
    return "" if unicodedata.category(sign) in {"Cc", "Cf", "Cs", "Zl", "Zp"} else sign


def _shrink(widths: list[int], flexible: Sequence[bool], terminal: int) -> None:
    """Take from the widest column that may be cut until the table fits, or nothing more can be cut."""
    over = sum(widths) + len(GAP) * (len(widths) - 1) - terminal
    while over > 0:
        index = max((i for i in range(len(widths)) if flexible[i]), key=lambda i: widths[i], default=None)
        if index is None or widths[index] <= LEAST_WIDTH:
            return
        widths[index] -= 1
        over -= 1


def _fit(text: str, width: int) -> str:
    text = cut(text, width)
    return text + " " * (width - width_of(text))


def _colored(cell: str, width: int) -> str:
    color = COLORS.get(cell)
    fitted = _fit(cell, width) if width else cell
    return click.style(fitted, fg=color) if color else fitted
