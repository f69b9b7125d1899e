"""What the data says: the measures that the API serves, each computed from the releases alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from release_analytics.dataset import Dataset, Major


@dataclass(frozen=True, kw_only=True)
class Year:
    """One calendar year: how many major and minor releases came out, on how many different days."""

    year: int
    major_releases: int
    minor_releases: int
    release_days: int


@dataclass(frozen=True, kw_only=True)
class Gap:
    """The days between the first releases of a major version and of the one before it."""

    major: str
    released_on: date
    days: int


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The figures at the top of the dashboard."""

    as_of: date
    major_versions: int
    supported_major_versions: int
    minor_releases: int
    release_days: int
    median_days_between_majors: int
    median_days_between_release_days: int
    median_supported_days: int


def years(dataset: Dataset) -> list[Year]:
    """One entry for each year from the first release to the last, also where nothing came out."""
    first, last = dataset.releases[0].released_on.year, dataset.releases[-1].released_on.year
    return [
        Year(
            year=year,
            major_releases=sum(
                1 for release in dataset.releases if release.released_on.year == year and not release.minor
            ),
            minor_releases=sum(1 for release in dataset.releases if release.released_on.year == year and release.minor),
            release_days=len({r.released_on for r in dataset.releases if r.released_on.year == year}),
        )
        for year in range(first, last + 1)
    ]


def gaps(dataset: Dataset) -> list[Gap]:
    """The time from one major version to the next, in the order of their numbers."""
    return [
        Gap(
            major=later.major,
            released_on=later.first_released_on,
            days=(later.first_released_on - earlier.first_released_on).days,
        )
        for earlier, later in pairwise(dataset.majors)
    ]


def minor_releases(dataset: Dataset, major: str) -> int:
    """How many minor releases a major version has had."""
    return sum(1 for release in dataset.releases_of(major) if release.minor)


def supported_days(major: Major) -> int:
    """The days from a major version's first release to its end of life."""
    return (major.end_of_life_on - major.first_released_on).days


def supported(dataset: Dataset, day: date) -> list[str]:
    """The major versions under support on `day`; one is still supported on its last day."""
    return [major.major for major in dataset.majors if major.first_released_on <= day <= major.end_of_life_on]


def summary(dataset: Dataset) -> Summary:
    """The figures over the whole set; medians are rounded to whole days."""
    days = sorted({release.released_on for release in dataset.releases})
    return Summary(
        as_of=dataset.as_of,
        major_versions=len(dataset.majors),
        supported_major_versions=len(supported(dataset, dataset.as_of)),
        minor_releases=sum(1 for release in dataset.releases if release.minor),
        release_days=len(days),
        median_days_between_majors=round(median(gap.days for gap in gaps(dataset))),
        median_days_between_release_days=round(median((b - a).days for a, b in pairwise(days))),
        median_supported_days=round(median(supported_days(major) for major in dataset.majors)),
    )
