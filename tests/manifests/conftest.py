"""Every test of manifests that has a board ends with the invariants."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _invariants(request: pytest.FixtureRequest) -> None:
    if "board" in request.fixturenames:
        request.getfixturevalue("invariants")
