"""The charts about major versions: how long each is supported, how many at once, and how far apart they come."""

from __future__ import annotations

from collections import Counter
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING

from release_analytics.chart import NARROW, Figures, read_day
from release_analytics.svg import Canvas, Days, steps

if TYPE_CHECKING:
    from release_analytics.resources import Tables


def support_figures(tables: Tables) -> Figures:
    """The major versions and their time under support."""
    today = tables["summary"][0]["as_of"]
    alive = [row["major"] for row in tables["majors"] if row["end_of_life_on"] >= today]
    return Figures(
        sentence=f"On {today}, {len(alive)} major versions are supported: {', '.join(alive)}. Each tick is a release.",
        header=("Major version", "First release", "End of life", "Days supported", "Minor releases"),
        rows=[
            (
                row["major"],
                row["first_released_on"],
                row["end_of_life_on"],
                str(row["supported_days"]),
                str(row["minor_releases"]),
            )
            for row in tables["majors"]
        ],
    )


def draw_support(tables: Tables, canvas: Canvas) -> None:
    """A bar for each major version, a tick for each release."""
    width, height = canvas.width, canvas.height
    majors, today = tables["majors"], read_day(tables["summary"][0]["as_of"])
    first, last = read_day(majors[0]["first_released_on"]), max(read_day(row["end_of_life_on"]) for row in majors)
    scale = Days(date(first.year, 1, 1), date(last.year + 1, 1, 1), 34, width - 8)
    every = 2 if width > NARROW else 5
    for year in range(first.year, last.year + 2):
        if year % every == 0:
            canvas.line(scale.at(date(year, 1, 1)), 22, scale.at(date(year, 1, 1)), height - 18, "rule")
            canvas.text(scale.at(date(year, 1, 1)), height - 4, str(year), anchor="middle")
    for position, major in enumerate(majors):
        top = 28 + position * 22
        start, end = scale.at(read_day(major["first_released_on"])), scale.at(read_day(major["end_of_life_on"]))
        canvas.text(26, top + 12, major["major"], anchor="end", kind="strong")
        window = f"{major['first_released_on']} to {major['end_of_life_on']}"
        tip = f"{major['major']}: {window}, {major['minor_releases']} minor releases"
        canvas.rectangle(start, top, end - start, 16, "soft", tip=tip, round_by=4)
        for release in (row for row in tables["releases"] if row["major"] == major["major"]):
            x = scale.at(read_day(release["released_on"]))
            canvas.line(x, top + 4, x, top + 12, "tick")
    canvas.line(scale.at(today), 18, scale.at(today), height - 18, "mark")
    canvas.text(scale.at(today) - 5, 13, f"data ends {today}", anchor="end", kind="accent")


def _supported(tables: Tables) -> list[tuple[date, int]]:
    """The number of supported versions after each day on which it changes, up to the last day of the data."""
    today = read_day(tables["summary"][0]["as_of"])
    changes: Counter[date] = Counter()
    for row in tables["majors"]:
        changes[read_day(row["first_released_on"])] += 1
        changes[date.fromordinal(read_day(row["end_of_life_on"]).toordinal() + 1)] -= 1
    count = 0
    found: list[tuple[date, int]] = []
    for day in sorted(day for day in changes if day <= today):
        count += changes[day]
        found.append((day, count))
    return [*found, (today, count)]


def supported_figures(tables: Tables) -> Figures:
    """The days on which the number of supported versions changed."""
    rows = _supported(tables)
    most = max(count for _, count in rows)
    first = next(day for day, count in rows if count == most)
    return Figures(
        sentence=f"Of the versions from {tables['majors'][0]['major']} on, at most {most} were supported at once, "
        f"first on {first}.",
        header=("From", "Supported major versions"),
        rows=[(day.isoformat(), str(count)) for day, count in rows],
    )


def draw_supported(tables: Tables, canvas: Canvas) -> None:
    """The number of supported versions as steps."""
    width, height = canvas.width, canvas.height
    rows = _supported(tables)
    left, top, bottom = 24, 12, height - 20
    first, last = rows[0][0], rows[-1][0]
    scale = Days(date(first.year, 1, 1), date(last.year + 1, 1, 1), left, width - 4)
    ticks = steps(max(count for _, count in rows), most=10)
    unit = (bottom - top) / ticks[-1]
    for tick in ticks:
        canvas.line(left, bottom - tick * unit, width, bottom - tick * unit, "rule")
        canvas.text(left - 6, bottom - tick * unit + 4, str(tick), anchor="end")
    points = [(scale.at(first), bottom)]
    for day, count in rows:
        points += [(scale.at(day), points[-1][1]), (scale.at(day), bottom - count * unit)]
    canvas.path([*points, (scale.at(last), bottom)], "area", closed=True)
    canvas.path(points, "curve")
    for year in range(first.year, last.year + 2):
        if (year - first.year) % (3 if width > NARROW else 5) == 0:
            canvas.text(
                scale.at(date(year, 1, 1)), height - 4, str(year), anchor="start" if year == first.year else "middle"
            )


def _gaps(tables: Tables) -> list[tuple[str, str, int]]:
    return [
        (
            later["major"],
            later["first_released_on"],
            (read_day(later["first_released_on"]) - read_day(earlier["first_released_on"])).days,
        )
        for earlier, later in pairwise(tables["majors"])
    ]


def cadence_figures(tables: Tables) -> Figures:
    """The days between major versions."""
    rows = _gaps(tables)
    shortest, longest = min(rows, key=lambda row: row[2]), max(rows, key=lambda row: row[2])
    near = sum(1 for row in rows if abs(row[2] - 365) <= 21)
    return Figures(
        sentence=f"{near} of {len(rows)} major versions came within three weeks of a year after the one before; "
        f"the extremes are {shortest[0]} ({shortest[2]} days) and {longest[0]} ({longest[2]}).",
        header=("Major version", "First release", "Days since the one before"),
        rows=[(major, day, str(days)) for major, day, days in rows],
    )


def draw_cadence(tables: Tables, canvas: Canvas) -> None:
    """A dot for each major version, above or below one year."""
    width, height = canvas.width, canvas.height
    rows = _gaps(tables)
    left, top, bottom = 34, 12, height - 20
    lowest, highest = min(days for _, _, days in rows) // 100 * 100, -(-max(days for _, _, days in rows) // 100) * 100
    unit = (bottom - top) / (highest - lowest)
    year = bottom - (365 - lowest) * unit
    for tick in range(lowest, highest + 1, 100):
        canvas.line(left, bottom - (tick - lowest) * unit, width, bottom - (tick - lowest) * unit, "rule")
        canvas.text(left - 6, bottom - (tick - lowest) * unit + 4, str(tick), anchor="end")
    slot = (width - left) / len(rows)
    for position, (major, day, days) in enumerate(rows):
        x, y = left + (position + 0.5) * slot, bottom - (days - lowest) * unit
        canvas.line(x, year, x, y, "stem")
        canvas.dot(x, y, 5, "first", tip=f"{major} on {day}: {days} days")
        if width > NARROW or position % 2 == 0:
            canvas.text(x, height - 4, major, anchor="middle", kind="strong")
    canvas.line(left, year, width, year, "mark")
    canvas.text(left - 6, year + 4, "365", anchor="end", kind="accent")
