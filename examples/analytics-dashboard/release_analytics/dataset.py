"""The data set: every PostgreSQL release of the major versions 9.0 to 18, up to the day in `Dataset.as_of`.

`load` reads the two CSV files; `faults` says what does not fit together in them. Nothing else reads the files, and
where they come from is written in `data/README.md`.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Release:
    """One published release; `minor` is 0 for the first of its major version."""

    version: str
    major: str
    minor: int
    released_on: date
    recorded_by_email: str


@dataclass(frozen=True, kw_only=True)
class Major:
    """One major version: its first release, and the day on which the project stops supporting it."""

    major: str
    first_released_on: date
    end_of_life_on: date


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Releases in the order of their dates, major versions in the order of their numbers."""

    releases: tuple[Release, ...]
    majors: tuple[Major, ...]

    @property
    def as_of(self) -> date:
        """The day of the newest release: later days are not covered."""
        return max(release.released_on for release in self.releases)

    def releases_of(self, major: str) -> tuple[Release, ...]:
        """The releases of one major version, oldest first."""
        return tuple(release for release in self.releases if release.major == major)


def load(folder: Path) -> Dataset:
    """Read `releases.csv` and `majors.csv`; a missing column or a malformed date raises."""
    releases = [
        Release(
            version=row["version"],
            major=row["major"],
            minor=int(row["minor"]),
            released_on=date.fromisoformat(row["released_on"]),
            recorded_by_email=row["recorded_by_email"],
        )
        for row in _rows(folder / "releases.csv")
    ]
    majors = [
        Major(
            major=row["major"],
            first_released_on=date.fromisoformat(row["first_released_on"]),
            end_of_life_on=date.fromisoformat(row["end_of_life_on"]),
        )
        for row in _rows(folder / "majors.csv")
    ]
    releases.sort(key=lambda release: (release.released_on, number(release.version)))
    majors.sort(key=lambda major: number(major.major))
    return Dataset(releases=tuple(releases), majors=tuple(majors))


def number(version: str) -> tuple[int, ...]:
    """`"9.6.24"` as `(9, 6, 24)`, which sorts as versions do."""
    return tuple(int(part) for part in version.split("."))


def faults(dataset: Dataset) -> list[str]:
    """What contradicts itself in the data, a sentence each; empty when the set can be relied upon."""
    found: list[str] = []
    versions = [release.version for release in dataset.releases]
    found += [f"{version} occurs more than once" for version in sorted(set(versions)) if versions.count(version) > 1]
    known = {major.major for major in dataset.majors}
    found += [
        f"{release.version} belongs to no known major version"
        for release in dataset.releases
        if release.major not in known
    ]
    found += [
        f"{release.version} is not {release.major}.{release.minor}"
        for release in dataset.releases
        if release.version != f"{release.major}.{release.minor}"
    ]
    for major in dataset.majors:
        found += _faults_of_major(major, dataset.releases_of(major.major))
    return found


def _faults_of_major(major: Major, releases: tuple[Release, ...]) -> list[str]:
    if not releases:
        return [f"{major.major} has no release"]
    found: list[str] = []
    if [release.minor for release in releases] != list(range(len(releases))):
        found.append(f"{major.major}: the minor numbers are not 0, 1, 2, … in the order of their dates")
    found += [
        f"{later.version} was not released after {earlier.version}"
        for earlier, later in pairwise(releases)
        if later.released_on <= earlier.released_on
    ]
    if releases[0].released_on != major.first_released_on:
        found.append(f"{releases[0].version} was not released on the first day of {major.major}")
    if releases[-1].released_on > major.end_of_life_on:
        found.append(f"{releases[-1].version} was released after the end of life of {major.major}")
    return found


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
