"""The rule by which a task's status follows from its artifacts; pure."""

from __future__ import annotations

import pytest

from slateboard.protocol.states import ArtifactStatus, Place
from slateboard.reports.progress import by_status, progress, status_of, task_status


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({}, "not_started"),
        ({"not_started": 2, "pending": 1}, "not_started"),
        ({"pending": 3}, "pending"),
        ({"in_progress": 1, "pending": 3}, "in_progress"),
        ({"complete": 1, "not_started": 3}, "in_progress"),
        ({"waiting": 1, "not_started": 3}, "in_progress"),
        ({"complete": 4}, "complete"),
        ({"complete": 3, "cancelled": 1}, "complete"),
        ({"cancelled": 2}, "cancelled"),
        ({"cancelled": 2, "not_started": 1}, "not_started"),
        ({"failed": 1, "complete": 9}, "failed"),
        ({"failed": 1, "in_progress": 1}, "failed"),
    ],
)
def test_a_task_has_the_first_status_that_holds(counts: dict[str, int], expected: str) -> None:
    assert task_status(counts) == expected


def test_every_place_has_a_status() -> None:
    assert {status_of(place.value) for place in Place} <= {status.value for status in ArtifactStatus}


def test_ready_and_scheduled_count_as_not_started() -> None:
    assert by_status({"ready": 2, "scheduled": 1, "done": 0}) == {"not_started": 3}


def test_what_was_cancelled_is_neither_done_nor_to_do() -> None:
    assert progress({"complete": 1, "cancelled": 2, "pending": 1}) == {
        "done": 1,
        "total": 2,
        "by_status": {"cancelled": 2, "complete": 1, "pending": 1},
    }
