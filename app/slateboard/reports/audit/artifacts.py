"""An artifact with all its items (the revisions), or one delivery of an event, as an audit tells of it.

It holds no rows of its own: what is said of it is made when it is asked for, so that a long report stays small.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from slateboard.reports.audit.life import HANDLE, Attempt, Item, Version, seconds_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from slateboard.reports.audit.report import Scope


@dataclass(slots=True, frozen=True)
class Artifact:
    """Its items are in the order of their numbers; the newest is the last."""

    scope: Scope
    items: Sequence[Item]

    @property
    def first(self) -> Item:
        """The item that was posted with it."""
        return self.items[0]

    @property
    def newest(self) -> Item:
        """The item of its newest revision."""
        return self.items[-1]

    @property
    def reference(self) -> str:
        """What it is called; a delivery also says which event it is of."""
        return self.scope.name(self.first)

    @property
    def label(self) -> str:
        """What it is called for people; two deliveries to one action are told apart by the position of the event."""
        said = self.scope.label(self.first)
        return said if self.first.source is None else f"{said} @{self.first.source}"

    @property
    def chain(self) -> list[dict[str, Any]]:
        """Who answers for it, from its task upwards."""
        return self.scope.chain(task_of(self.first))

    @property
    def owner(self) -> str | None:
        """The agent that owes it; None where it is open."""
        return self.scope.agent(self.newest.owner)

    @property
    def blocked_by(self) -> list[str]:
        """What it waited for, by reference."""
        return sorted({self.scope.reference(number) for item in self.items for number in item.blockers})

    @property
    def seconds(self) -> dict[str, float]:
        """Its time in each place."""
        return seconds_of(self.items)

    @property
    def versions(self) -> list[Version]:
        """Its accepted results."""
        if len(self.items) == 1:
            return self.first.versions
        return sorted((one for item in self.items for one in item.versions), key=lambda one: one.version)

    @property
    def attempts(self) -> Iterator[Attempt]:
        """Every claim on it."""
        return (one for item in self.items for one in item.attempts)

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain values."""
        first, newest = self.first, self.newest
        return {
            "reference": self.reference,
            "kind": first.kind,
            "title": newest.title,
            "owner": self.owner,
            "capability": newest.capability,
            "path": newest.path,
            "place": newest.place,
            "items": [item.number for item in self.items],
            "correlation": first.correlation,
            "asked_by": first.posted_by,
            "posted_at": first.posted_at,
            "finished_at": newest.finished_at,
            "event": first.source,
            "chain": self.chain,
            "blocked_by": self.blocked_by,
            "seconds": self.seconds,
            "versions": [asdict(one) for one in self.versions],
            "attempts": [attempt_row(one, item.revision) for item in self.items for one in item.attempts],
        }


def attempt_row(one: Attempt, revision: int) -> dict[str, Any]:
    """An attempt as plain values."""
    return {
        "item": one.item,
        "revision": revision,
        "attempt": one.attempt,
        "fence": one.fence,
        "agent": one.agent,
        "worker": one.worker,
        "started_at": one.started_at,
        "ended_at": one.ended_at,
        "seconds": one.seconds,
        "outcome": one.outcome,
        "class": one.failure_class,
        "error": one.error,
        "note": one.note,
        "usage": one.usage,
    }


def artifacts(scope: Scope, items: Mapping[int, Item]) -> list[Artifact]:
    """The artifacts of these items, then the deliveries; by reference."""
    groups: dict[int, list[Item]] = {}
    for number, item in items.items():
        groups.setdefault(number if item.kind == HANDLE else item.artifact or number, []).append(item)
    found = [Artifact(scope, items) for items in groups.values()]
    return sorted(found, key=lambda one: (one.first.kind == HANDLE, one.first.reference or "", one.first.number))


def task_of(item: Item) -> str | None:
    """The name of the task that an item belongs to; deliveries belong to none."""
    return None if item.reference is None or item.kind == HANDLE else item.reference.partition("/")[0]
