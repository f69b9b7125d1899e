"""The example is programs in a folder, not an installed package: its folder is put on the path for its tests."""

import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "analytics-dashboard"
sys.path.insert(0, str(EXAMPLE))

from release_analytics import api_description, dataset, resources  # noqa: E402 (the path comes first)


@pytest.fixture(scope="session")
def data():
    return dataset.load(EXAMPLE / "data")


@pytest.fixture(scope="session")
def tables(data):
    return resources.tables(data)


@pytest.fixture
def description(tables, data):
    """The description as backend writes it first, with the fault in it."""
    return api_description.describe(tables, as_of=data.as_of.isoformat())


@pytest.fixture
def repaired(description):
    removal = {"remove_field": {"schema": "Release", "field": "recorded_by_email"}}
    finding = {"rule": "no-personal-data", "pointer": "", "remedy": removal}
    return api_description.repair(description, [finding])
