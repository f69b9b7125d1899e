"""What follows from the lives of items together: the critical path, and how long work lay between two hands. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from slateboard.reports.audit_fold import Item

MAX_STEPS = 10_000


def critical_path(items: Mapping[int, Item]) -> list[Item]:
    """The chain of items that decided when the last one was done: back from it, each time to the last blocker done.

    Shortening anything that is not on it would have made nothing end sooner. Of equals, the lower number.
    """
    done = [item for item in items.values() if item.place == "done" and item.finished_at]
    if not done:
        return []
    path = [_last(done)]
    seen = {path[0].number}
    while len(path) < MAX_STEPS:
        blockers = [
            items[number]
            for number in path[-1].blockers
            if number in items and items[number].place == "done" and number not in seen
        ]
        if not blockers:
            break
        path.append(_last(blockers))
        seen.add(path[-1].number)
    return path[::-1]


def _last(items: Sequence[Item]) -> Item:
    return max(items, key=lambda item: (item.finished_at or item.entered_at, bool(item.attempts), -item.number))


def hand_overs(items: Mapping[int, Item]) -> list[dict[str, Any]]:
    """For each item that others had to finish first: from when the last of them was done until it was first claimed."""
    found: list[dict[str, Any]] = []
    for item in items.values():
        blockers = [items[number] for number in item.blockers if number in items and items[number].finished_at]
        if not blockers or not item.attempts:
            continue
        last = _last(blockers)
        claims = [one.started_at for one in item.attempts if last.finished_at and one.started_at >= last.finished_at]
        if not claims or last.finished_at is None:
            continue
        found.append(
            {
                "from": last.reference,
                "to": item.reference,
                "from_agent": last.attempts[-1].agent if last.attempts else None,
                "to_agent": item.attempts[0].agent,
                "done_at": last.finished_at,
                "claimed_at": claims[0],
                "seconds": round((claims[0] - last.finished_at).total_seconds(), 3),
            }
        )
    return sorted(found, key=lambda one: (-one["seconds"], one["to"] or "", one["claimed_at"]))
