"""What follows from the lives of items together: the critical path, and how long work lay between two hands. Pure.

An item follows its blockers; the delivery of an event follows the work that brought the event about.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slateboard.reports.audit.life import HANDLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime, timedelta

    from slateboard.reports.audit.fold import Fold
    from slateboard.reports.audit.life import Item

MAX_STEPS = 10_000


@dataclass(slots=True, frozen=True)
class Source:
    """Where a delivered event comes from: the item whose work published it, or which it tells of; and since when."""

    item: int | None
    happened_at: datetime


def sources(fold: Fold) -> dict[int, Source]:
    """By position, where each event comes from that was delivered."""
    wanted = {item.source for item in fold.items.values() if item.source is not None}
    if not wanted:
        return {}
    claims = {one.claim: item.number for item in fold.items.values() for one in item.attempts}
    made = {one["position"]: Source(claims.get(one["cause"]), one["happened_at"]) for one in fold.published}
    for item in fold.items.values():
        for version in item.versions:
            made[version.position] = Source(item.number, version.created_at)
    return {position: made[position] for position in wanted if position in made}


def subjects(fold: Fold) -> dict[int, str]:
    """By position, the subjects of published events and of those that tell of a version."""
    known: dict[int, str] = {one["position"]: one["subject"] for one in fold.published}
    for item in fold.items.values():
        for version in item.versions:
            known[version.position] = f"board.artifact.{'imported' if version.imported else 'completed'}"
    return known


def critical_path(items: Mapping[int, Item], known: Mapping[int, Source]) -> list[Item]:
    """The chain of items that took longest from its first post to its last finish.

    Back from its end, each follows what was done last of those it waited for: shortening anything that is not on it
    would not have made that end come sooner. Of equals, what ended later, then the lower number.
    """
    begins: dict[int, datetime] = {}
    before: dict[int, Item | None] = {}
    best: tuple[tuple[timedelta, datetime, int], Item] | None = None
    for item in items.values():
        if item.place != "done" or item.finished_at is None:
            continue
        walked: list[Item] = []
        at: Item | None = item
        while at is not None and at.number not in begins and len(walked) < MAX_STEPS:
            begins[at.number] = at.posted_at or at.claimed_at or at.finished_at or at.entered_at
            walked.append(at)
            before[at.number] = _previous(at, items, known)
            at = before[at.number]
        for one in reversed(walked):
            earlier = before[one.number]
            if earlier is not None:
                begins[one.number] = min(begins[one.number], begins[earlier.number])
        rank = (item.finished_at - begins[item.number], item.finished_at, -item.number)
        if best is None or rank > best[0]:
            best = rank, item
    path: list[Item] = []
    step = best[1] if best else None
    while step is not None and len(path) < MAX_STEPS:
        path.append(step)
        step = before[step.number]
    return path[::-1]


def _previous(item: Item, items: Mapping[int, Item], known: Mapping[int, Source]) -> Item | None:
    """What was done last of all that an item waited for."""
    done = [items[one] for one in _before(item, known) if one in items and items[one].place == "done"]
    return _last(done) if done else None


def _before(item: Item, known: Mapping[int, Source]) -> tuple[int, ...]:
    source = known.get(item.source) if item.source is not None else None
    return item.blockers if source is None or source.item is None else (*item.blockers, source.item)


def _last(items: Sequence[Item]) -> Item:
    return max(items, key=lambda item: (item.finished_at or item.entered_at, bool(item.attempts), -item.number))


def hand_overs(
    items: Mapping[int, Item],
    known: Mapping[int, Source],
    name: Callable[[Item], str],
    label: Callable[[Item], str],
) -> list[dict[str, Any]]:
    """For each item that followed another: from when the last of those was done (for a delivery: from when its event
    happened) until it was first claimed after that.
    """
    found: list[dict[str, Any]] = []
    for item in items.values():
        if not item.attempts:
            continue
        last, since = _handed(item, items, known)
        claims = [one for one in item.attempts if since is not None and one.started_at >= since]
        if last is None or since is None or not claims:
            continue
        found.append(
            {
                "kind": "event" if item.kind == HANDLE else "work",
                "from": name(last),
                "to": name(item),
                "from_label": label(last),
                "to_label": label(item),
                "from_agent": last.attempts[-1].agent if last.attempts else None,
                "to_agent": claims[0].agent,
                "done_at": since,
                "claimed_at": claims[0].started_at,
                "seconds": round((claims[0].started_at - since).total_seconds(), 3),
            }
        )
    return found


def _handed(item: Item, items: Mapping[int, Item], known: Mapping[int, Source]) -> tuple[Item | None, datetime | None]:
    """What an item followed, and from when it could have been taken."""
    done = [items[one] for one in item.blockers if one in items and items[one].finished_at]
    last = _last(done) if done else None
    since = last.finished_at if last else None
    source = known.get(item.source) if item.kind == HANDLE and item.source is not None else None
    if (
        source is not None
        and source.item is not None
        and source.item in items
        and (since is None or source.happened_at > since)
    ):
        return items[source.item], source.happened_at
    return last, since
