"""The status and progress of a task: worked out on read from the artifacts of the task and of all tasks below it.

Never kept in a row, so nothing can disagree with the board. The status of a task is the first of these that holds:

- `failed`: an artifact failed
- `cancelled`: all artifacts were cancelled
- `complete`: all artifacts are complete or cancelled
- `in_progress`: an artifact is in progress, in review, waiting or complete
- `not_started`: an artifact can be started, now or at its time
- `pending`: everything waits for something
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.protocol.states import STATUS_OF_PLACE, ArtifactStatus, Place

if TYPE_CHECKING:
    from collections.abc import Mapping

BEGUN = (ArtifactStatus.IN_PROGRESS, ArtifactStatus.WAITING, ArtifactStatus.IN_REVIEW, ArtifactStatus.COMPLETE)


def status_of(place: str) -> str:
    """The status, in the guide's words, of an artifact whose newest item is in this place, or `in_review`."""
    if place == ArtifactStatus.IN_REVIEW:
        return place
    return STATUS_OF_PLACE[Place(place)].value


def by_status(places: Mapping[str, int]) -> dict[str, int]:
    """Artifacts by status, from items by place; only what there is."""
    counts: dict[str, int] = {}
    for place, number in places.items():
        if number:
            status = status_of(place)
            counts[status] = counts.get(status, 0) + number
    return counts


def task_status(counts: Mapping[str, int]) -> str:
    """The status of a task with so many artifacts of each status."""
    total = sum(counts.values())
    complete = counts.get(ArtifactStatus.COMPLETE, 0)
    cancelled = counts.get(ArtifactStatus.CANCELLED, 0)
    if counts.get(ArtifactStatus.FAILED):
        return ArtifactStatus.FAILED.value
    if total and cancelled == total:
        return ArtifactStatus.CANCELLED.value
    if total and complete + cancelled == total:
        return ArtifactStatus.COMPLETE.value
    if any(counts.get(status) for status in BEGUN):
        return ArtifactStatus.IN_PROGRESS.value
    if not total or counts.get(ArtifactStatus.NOT_STARTED):
        return ArtifactStatus.NOT_STARTED.value
    return ArtifactStatus.PENDING.value


def progress(counts: Mapping[str, int]) -> dict[str, Any]:
    """`{done, total, by_status}`; the cancelled count neither as done nor in the total."""
    return {
        "done": counts.get(ArtifactStatus.COMPLETE, 0),
        "total": sum(counts.values()) - counts.get(ArtifactStatus.CANCELLED, 0),
        "by_status": dict(sorted(counts.items())),
    }
