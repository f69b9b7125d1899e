"""The tables that the API is about, as plain rows of JSON values: everything there is,
before anybody decides what is shown.

`exposed` cuts the rows down to the fields that a description offers; only what it returns may leave the house.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any

from release_analytics import statistics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from release_analytics.dataset import Dataset

Row = dict[str, Any]
Tables = dict[str, list[Row]]


def tables(dataset: Dataset) -> Tables:
    """Releases, major versions, years and the one-row summary, with every column they have."""
    previous: dict[str, date] = {}
    releases: list[Row] = []
    for release in dataset.releases:
        before = previous.get(release.major, release.released_on)
        releases.append(_json(asdict(release)) | {"days_since_previous": (release.released_on - before).days})
        previous[release.major] = release.released_on
    majors = [
        _json(asdict(major))
        | {
            "supported_days": statistics.supported_days(major),
            "minor_releases": statistics.minor_releases(dataset, major.major),
        }
        for major in dataset.majors
    ]
    return {
        "releases": releases,
        "majors": majors,
        "years": [_json(asdict(year)) for year in statistics.years(dataset)],
        "summary": [_json(asdict(statistics.summary(dataset)))],
    }


def exposed(everything: Tables, description: Mapping[str, Any]) -> Tables:
    """The tables with only the fields that the description's row schemas name; a field it promises must be there."""
    schemas = description["components"]["schemas"]
    return {
        schema["x-table"]: [
            {field: row[field] for field in schema["properties"]} for row in everything[schema["x-table"]]
        ]
        for schema in schemas.values()
        if "x-table" in schema
    }


def _json(row: Row) -> Row:
    return {field: value.isoformat() if isinstance(value, date) else value for field, value in row.items()}
