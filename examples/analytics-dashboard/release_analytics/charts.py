"""The six charts of the dashboard, in the order of the page. Each gives its figures also as a table, for those who do
not see the picture.
"""

from __future__ import annotations

from release_analytics import charts_of_majors, charts_of_releases
from release_analytics.chart import FULL, Chart

_MAJOR_DAYS = ("major", "first_released_on", "end_of_life_on")

CHARTS: tuple[Chart, ...] = (
    Chart(
        name="support",
        title="How long each version is supported",
        wide=FULL,
        needs={
            "majors": (*_MAJOR_DAYS, "minor_releases", "supported_days"),
            "releases": ("major", "released_on"),
            "summary": ("as_of",),
        },
        figures=charts_of_majors.support_figures,
        draw=charts_of_majors.draw_support,
        height=lambda tables: 50 + 22 * len(tables["majors"]),
    ),
    Chart(
        name="years",
        title="Releases in each year",
        needs={"years": ("year", "minor_releases", "major_releases", "release_days")},
        figures=charts_of_releases.years_figures,
        draw=charts_of_releases.draw_years,
        height=lambda tables: 300,
    ),
    Chart(
        name="supported",
        title="Versions supported at the same time",
        needs={"majors": _MAJOR_DAYS, "summary": ("as_of",)},
        figures=charts_of_majors.supported_figures,
        draw=charts_of_majors.draw_supported,
        height=lambda tables: 300,
    ),
    Chart(
        name="calendar",
        title="The release calendar",
        needs={"releases": ("released_on",)},
        figures=charts_of_releases.calendar_figures,
        draw=charts_of_releases.draw_calendar,
        height=lambda tables: 22 + 20 * len({row["released_on"][:4] for row in tables["releases"]}),
    ),
    Chart(
        name="waits",
        title="The longest wait for a minor release",
        needs={"releases": ("version", "major", "minor", "released_on", "days_since_previous")},
        figures=charts_of_releases.waits_figures,
        draw=charts_of_releases.draw_waits,
        height=lambda tables: 26 + 20 * len(tables["majors"]),
    ),
    Chart(
        name="cadence",
        title="From one major version to the next",
        wide=FULL,
        needs={"majors": _MAJOR_DAYS},
        figures=charts_of_majors.cadence_figures,
        draw=charts_of_majors.draw_cadence,
        height=lambda tables: 260,
    ),
)
