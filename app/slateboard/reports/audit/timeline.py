"""The timeline of an audit: agents against time, a bar for each attempt, as one inline SVG.

Lanes are agents by name; attempts that overlap stand below each other in their lane. Attempts that would not be wider
than a hair stand in one bar with how many they are, so that the picture stays small however long the log is.
"""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Any

from slateboard.reports.audit import words
from slateboard.reports.audit.text import text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from slateboard.reports.audit.life import Attempt

WIDTH = 1080
LEFT = 132
RIGHT = 12
TOP = 26
ROW = 13
LANE_GAP = 11
MAX_LANES = 80
MAX_ROWS = 8
"""Attempts of one agent that are drawn below each other; more stand on the last row."""
HAIR = 1.5
OUTCOMES = ("completed", "failed", "interrupted", "released", "blocked", "cancelled", "running")
STEPS_SECONDS = (
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600,
    7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 1_209_600, 2_592_000, 7_776_000, 31_536_000,
)  # fmt: skip
MOST_TICKS = 9

Bar = tuple[float, float, str, int]
"""Begin and end in units of the picture, outcome, and which attempt it is."""
Drawn = tuple[float, float, str, int, int]
"""Begin, end, outcome, how many attempts it stands for, and which is the first of them."""


def render(report: Mapping[str, Any]) -> str:
    """The SVG; empty where there was no attempt."""
    attempts = [attempt for one in report["artifacts"] for attempt in one.attempts]
    if not attempts:
        return ""
    begin = min(attempt.started_at for attempt in attempts)
    end = max(_end(attempt, report) for attempt in attempts)
    scale = (WIDTH - LEFT - RIGHT) / (max((end - begin).total_seconds(), 0.001))

    def across(moment: datetime) -> float:
        inside = min(max(moment, begin), end)
        return LEFT + (inside - begin).total_seconds() * scale

    agents = sorted({attempt.agent for attempt in attempts})
    shown, rest = agents[:MAX_LANES], len(agents) - MAX_LANES
    by_agent: dict[str, list[Bar]] = {agent: [] for agent in shown}
    for number, attempt in enumerate(attempts):
        if attempt.agent in by_agent:
            stop = across(_end(attempt, report))
            by_agent[attempt.agent].append((across(attempt.started_at), stop, attempt.outcome, number))
    lanes = [_packed(by_agent[agent]) for agent in shown]
    said = _words(report, {which for rows in lanes for row in rows for *_, count, which in row if count == 1})
    parts: list[str] = []
    y = TOP
    for agent, rows in zip(shown, lanes, strict=True):
        lane = _lane(rows, y, said)
        diamonds = [_diamond(across(one["decided_at"]), y, one) for one in report["decisions"] if one["agent"] == agent]
        label = f'<text x="{LEFT - 12}" y="{y + 10}" text-anchor="end">{text(_short(agent))}</text>'
        y += len(rows) * ROW + LANE_GAP
        rule = f'<line class="rule" x1="0" x2="{WIDTH}" y1="{y - 5}" y2="{y - 5}"/>'
        parts.append(f"<g><title>{text(agent)}</title>{label}{lane}{''.join(diamonds)}{rule}</g>")
    whole = f"{words.count(len(attempts), 'attempt')} of {words.count(len(agents), 'agent')}, {_period(begin, end)}"
    if rest > 0:
        whole += f"; {rest} more agents are left out of the picture"
    return (
        f'<svg viewBox="0 0 {WIDTH} {y + 4}" role="img" aria-labelledby="timeline-title timeline-words">'
        f'<title id="timeline-title">Attempts by agent over time</title><desc id="timeline-words">{text(whole)}. Every '
        f"bar is also a row of the table of attempts.</desc>{HATCH}{_axis(begin, end, scale, y)}{''.join(parts)}</svg>"
    )


HATCH = (
    '<defs><pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect width="5" height="5" fill="#f3d6d2"/><rect width="2.4" height="5" fill="#b8433a"/></pattern></defs>'
)


def _end(attempt: Attempt, report: Mapping[str, Any]) -> datetime:
    return attempt.ended_at or max(report["ends_at"], attempt.started_at)


def _words(report: Mapping[str, Any], wanted: set[int]) -> dict[int, str]:
    """What is said of these attempts, by their number in the report."""
    said: dict[int, str] = {}
    number = 0
    for one in report["artifacts"]:
        for attempt in one.attempts:
            if number in wanted:
                said[number] = _said(one.label, attempt)
            number += 1
    return said


def _said(reference: str, attempt: Attempt) -> str:
    took = words.length(attempt.seconds) or "not ended"
    said = f"{reference}, attempt {attempt.attempt} ({attempt.worker}): {attempt.outcome}, {took}"
    if attempt.error:
        said += f"; {attempt.error[:200]}"
    return said


def _short(agent: str) -> str:
    return agent if len(agent) <= 18 else f"{agent[:17]}…"


def _packed(bars: Sequence[Bar]) -> list[list[Drawn]]:
    """The bars of one agent, packed into rows."""
    free = [0.0]
    rows: list[dict[tuple[int, str], Drawn]] = [{}]
    for begin, end, outcome, which in sorted(bars):
        row = next((number for number, until in enumerate(free) if until <= begin + 0.01), len(free))
        if row >= MAX_ROWS:
            row = MAX_ROWS - 1
        elif row == len(free):
            free.append(0.0)
            rows.append({})
        free[row] = max(free[row], end)
        # Hairs at one place and of one outcome are one bar; others are told apart by where they begin.
        key = (round(begin / HAIR), outcome)
        if key in rows[row] and end - begin < HAIR:
            first, until, _, count, said = rows[row][key]
            rows[row][key] = (first, max(until, end), outcome, count + 1, said)
        else:
            rows[row][key] = (begin, end, outcome, 1, which)
    return [list(row.values()) for row in rows]


def _lane(rows: Sequence[Sequence[Drawn]], top: float, said: Mapping[int, str]) -> str:
    return "".join(
        _bar(begin, end, top + number * ROW, outcome, said[which] if count == 1 else f"{count:,} attempts, {outcome}")
        for number, row in enumerate(rows)
        for begin, end, outcome, count, which in row
    )


def _bar(begin: float, end: float, y: float, outcome: str, said: str) -> str:
    name = outcome if outcome in OUTCOMES else "other"
    width = max(end - begin, HAIR)
    return (
        f'<rect class="{name}" x="{begin:.1f}" y="{y:g}" width="{width:.1f}" height="{ROW - 3}" rx="2">'
        f"<title>{text(said)}</title></rect>"
    )


def _diamond(x: float, y: float, decision: Mapping[str, Any]) -> str:
    said = f"Decision: {decision['decision'][:300]}"
    return f'<path class="decision" d="M{x:.1f} {y - 4:g}l4 4l-4 4l-4 -4z"><title>{text(said)}</title></path>'


def _axis(begin: datetime, end: datetime, scale: float, bottom: float) -> str:
    span = (end - begin).total_seconds()
    step = next((one for one in STEPS_SECONDS if span / one <= MOST_TICKS), STEPS_SECONDS[-1])
    tick = (begin.timestamp() // step + 1) * step
    parts: list[str] = []
    while tick <= end.timestamp() and len(parts) < 4 * MOST_TICKS:
        x = LEFT + (tick - begin.timestamp()) * scale
        label = _label(datetime.fromtimestamp(tick, UTC), step, span)
        parts.append(
            f'<line class="rule" x1="{x:.1f}" x2="{x:.1f}" y1="16" y2="{bottom:g}"/>'
            f'<text class="tick" x="{x:.1f}" y="11" text-anchor="middle">{escape(label)}</text>'
        )
        tick += step
    return "".join(parts)


def _label(moment: datetime, step: float, span: float) -> str:
    if step >= 86_400:
        return moment.strftime("%d %b %Y")
    if step >= 60:
        return moment.strftime("%d %b %H:%M" if span > 86_400 else "%H:%M")
    if step >= 1:
        return moment.strftime("%H:%M:%S")
    return moment.strftime("%H:%M:%S.") + f"{moment.microsecond // 1000:03}"


def _period(begin: datetime, end: datetime) -> str:
    return f"from {words.moment(begin)} to {words.moment(end)} UTC"
