"""What all agents of this example share: where files lie, and how a briefing's inputs are found.

Files lie below `SLATE_EXAMPLE_OUT` (default `./out`). The board holds what each artifact is, who made it and its hash;
the files are where it says.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from release_analytics import dataset, resources
from release_analytics.reports import Decided, Produced

if TYPE_CHECKING:
    from slateboard import Work

LEASE_SECONDS = 5
DATA = Path(__file__).resolve().parent.parent / "data"


def out(*parts: str) -> Path:
    """A path below the folder for what is produced."""
    return Path(os.environ.get("SLATE_EXAMPLE_OUT", "out")).resolve().joinpath(*parts)


def relative(path: Path) -> str:
    """The path as seen from the folder for what is produced, for texts that must not depend on the machine."""
    return path.resolve().relative_to(out()).as_posix()


def pause_seconds() -> float:
    """How long the slow worker rests between two charts, so that one can watch it, or kill it."""
    return float(os.environ.get("SLATE_EXAMPLE_PAUSE_SECONDS", "0.3"))


def data() -> dataset.Dataset:
    """The data set that the example ships."""
    return dataset.load(DATA)


def tables() -> resources.Tables:
    """Everything that the data set holds, as rows."""
    return resources.tables(data())


async def inputs(work: Work) -> dict[str, Path]:
    """The files that this work builds on, by the name of their artifact."""
    briefing = await work.briefing()
    return {item.reference.rpartition("/")[2]: Path(item.path) for item in briefing.inputs if item.path}


async def produced(work: Work) -> list[Produced]:
    """What the board says of the artifacts that this work builds on, in the order of their references."""
    briefing = await work.briefing()
    found = [Produced(reference=item.reference, summary=item.summary or item.path or "") for item in briefing.inputs]
    return sorted(found, key=lambda item: item.reference)


async def decisions(work: Work) -> list[Decided]:
    """The decisions in force, in the order in which the board gives them."""
    briefing = await work.briefing()
    return [Decided(agent=item.agent, text=item.text, rationale=item.rationale or "") for item in briefing.decisions]


async def announce(work: Work, subject: str, data: dict[str, Any]) -> str:
    """Publish what a delivery led to, once, also if this attempt is repeated; returns the subject."""
    event = await work.event()
    await work.publish(subject, data, id=f"{subject}:{event.position}")
    return subject
