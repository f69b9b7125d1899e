"""The charts about releases: how many in each year, in which months, and how long one waits for the next."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from release_analytics.chart import NARROW, Figures, read_day
from release_analytics.svg import Canvas, steps

if TYPE_CHECKING:
    from release_analytics.resources import Row, Tables

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def years_figures(tables: Tables) -> Figures:
    """The releases of each year."""
    top = max(tables["years"], key=lambda row: row["minor_releases"])
    majors = sum(row["major_releases"] for row in tables["years"])
    minors = sum(row["minor_releases"] for row in tables["years"])
    return Figures(
        sentence=f"{minors} minor and {majors} major releases; the busiest year was {top['year']}, "
        f"with {top['minor_releases']} minor ones.",
        header=("Year", "Minor releases", "Major releases", "Days with a release"),
        rows=[
            tuple(str(row[field]) for field in ("year", "minor_releases", "major_releases", "release_days"))
            for row in tables["years"]
        ],
    )


def draw_years(tables: Tables, canvas: Canvas) -> None:
    """A column for each year, minor and major releases on top of each other."""
    width, height = canvas.width, canvas.height
    rows = tables["years"]
    left, bottom, top = 28, height - 20, 30
    ticks = steps(max(row["minor_releases"] + row["major_releases"] for row in rows))
    unit = (bottom - top) / ticks[-1]
    for tick in ticks:
        canvas.line(left, bottom - tick * unit, width, bottom - tick * unit, "rule")
        canvas.text(left - 6, bottom - tick * unit + 4, str(tick), anchor="end")
    slot = (width - left) / len(rows)
    for position, row in enumerate(rows):
        x, minor, major = (
            left + position * slot + slot * 0.14,
            row["minor_releases"] * unit,
            row["major_releases"] * unit,
        )
        tip = f"{row['year']}: {row['minor_releases']} minor, {row['major_releases']} major"
        canvas.rectangle(x, bottom - minor, slot * 0.72, minor, "first", tip=tip)
        canvas.rectangle(x, bottom - minor - major - 1, slot * 0.72, major, "second", tip=tip, round_by=1)
        if (position + 1) % (2 if width > NARROW else 5) == 1:
            last = position == len(rows) - 1
            canvas.text(
                x + slot * (0.86 if last else 0.36), height - 4, str(row["year"]), anchor="end" if last else "middle"
            )
    _legend(canvas, left, [("first", "minor"), ("second", "major")])


def _legend(canvas: Canvas, left: float, entries: list[tuple[str, str]]) -> None:
    for position, (kind, words) in enumerate(entries):
        canvas.rectangle(left + position * 76, 4, 11, 11, kind)
        canvas.text(left + position * 76 + 16, 14, words)


def _calendar(tables: Tables) -> Counter[tuple[int, int]]:
    return Counter(
        (read_day(row["released_on"]).year, read_day(row["released_on"]).month) for row in tables["releases"]
    )


def calendar_figures(tables: Tables) -> Figures:
    """The releases of each month."""
    counts = _calendar(tables)
    years = sorted({year for year, _ in counts})
    by_month: Counter[int] = Counter()
    for (_, month), count in counts.items():
        by_month[month] += count
    top = sorted(by_month.most_common(4))
    return Figures(
        sentence=f"{sum(count for _, count in top)} of {counts.total()} releases came out in "
        f"{', '.join(_MONTHS[month - 1] for month, _ in top)}. A cell counts the releases of one month.",
        header=("Year", *_MONTHS),
        rows=[(str(year), *(str(counts[year, month]) for month in range(1, 13))) for year in years],
    )


def draw_calendar(tables: Tables, canvas: Canvas) -> None:
    """A cell for each month, darker with more releases."""
    width = canvas.width
    counts = _calendar(tables)
    years, highest = sorted({year for year, _ in counts}), max(counts.values())
    left = 38
    cell = (width - left) / 12
    for month, name in enumerate(_MONTHS):
        canvas.text(left + (month + 0.5) * cell, 12, name if width > NARROW else name[0], anchor="middle")
    for line, year in enumerate(years):
        top = 20 + line * 20
        canvas.text(left - 6, top + 13, str(year), anchor="end")
        for month in range(1, 13):
            count = counts[year, month]
            shade = 0 if not count else 1 + min(4, (count - 1) * 5 // highest)
            x = left + (month - 1) * cell
            canvas.rectangle(
                x + 1, top, cell - 2, 18, f"h{shade}", tip=f"{_MONTHS[month - 1]} {year}: {count}", round_by=3
            )
            if count:
                canvas.text(x + cell / 2, top + 13, str(count), anchor="middle", kind="high" if shade > 2 else "low")


def _waits(tables: Tables) -> list[Row]:
    longest: dict[str, Row] = {}
    for row in tables["releases"]:
        if (
            row["minor"]
            and row["days_since_previous"]
            > longest.get(row["major"], {"days_since_previous": 0})["days_since_previous"]
        ):
            longest[row["major"]] = row
    return list(longest.values())


def waits_figures(tables: Tables) -> Figures:
    """The longest wait for a minor release, for each major version."""
    rows = _waits(tables)
    worst = max(rows, key=lambda row: row["days_since_previous"])
    late = max(row["days_since_previous"] for row in rows[len(rows) // 2 :])
    since = next(
        row
        for position, row in enumerate(rows)
        if all(other["days_since_previous"] <= late for other in rows[position:])
    )
    return Figures(
        sentence=f"Users of {worst['major']} once waited {worst['days_since_previous']} days; since {since['major']}, "
        f"nobody waited more than {late}.",
        header=("Major version", "Longest wait in days", "It ended with", "On"),
        rows=[(row["major"], str(row["days_since_previous"]), row["version"], row["released_on"]) for row in rows],
    )


def draw_waits(tables: Tables, canvas: Canvas) -> None:
    """A stem for each major version, as long as its longest wait."""
    width, height = canvas.width, canvas.height
    rows = _waits(tables)
    left, right, bottom = 34, width - 30, height - 20
    ticks = steps(max(row["days_since_previous"] for row in rows), most=4)
    unit = (right - left) / ticks[-1]
    for tick in ticks:
        canvas.line(left + tick * unit, 4, left + tick * unit, bottom, "rule")
        canvas.text(left + tick * unit, height - 4, f"{tick} d" if tick else "0", anchor="middle")
    for position, row in enumerate(rows):
        y, x = 14 + position * 20, left + row["days_since_previous"] * unit
        canvas.text(left - 8, y + 4, row["major"], anchor="end", kind="strong")
        canvas.line(left, y, x, y, "stem")
        tip = f"{row['major']}: {row['days_since_previous']} days before {row['version']} on {row['released_on']}"
        canvas.dot(x, y, 5, "first", tip=tip)
        canvas.text(x + 10, y + 4, str(row["days_since_previous"]))
