"""The agents of the bad day; what they share is where their files lie."""

from __future__ import annotations

import os
from pathlib import Path

LEASE_SECONDS = 5


def out(*parts: str) -> Path:
    """A path below the folder of this example's files, which is made."""
    path = Path(os.environ.get("SLATE_EXAMPLE_OUT", "out")).resolve().joinpath("bad-day", *parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
