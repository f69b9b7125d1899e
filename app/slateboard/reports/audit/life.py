"""The life of a work item as an audit tells it: where it was for how long, its attempts, versions and troubles.

The time in each place adds up to the item's life: a move counts what was spent in the place that it leaves (less than
nothing, where the database's clock was set back meanwhile). `waiting`
is a claim that was given back until an event comes or a time is over; to the queue that is a gate.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from slateboard.protocol.states import Place

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

PLACES = tuple(place.value for place in Place if place not in {Place.DONE, Place.CANCELLED})
"""The places whose time is counted; the others are ends."""
ENDS = frozenset((Place.DONE.value, Place.CANCELLED.value))
HANDLE = "handle"
DUTIES = frozenset(("answer", "verify", "compensate", "meet"))
"""Kinds of work that somebody owes the board itself, and that make no artifact."""


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One claim from start to end; `outcome` is `running` while it has not ended. `claim` is the id of its event."""

    item: int
    fence: int
    attempt: int
    agent: str
    worker: str
    started_at: datetime
    claim: int | None = None
    ended_at: datetime | None = None
    outcome: str = "running"
    failure_class: str | None = None
    error: str | None = None
    note: str | None = None
    usage: Any = None

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it runs."""
        return None if self.ended_at is None else round((self.ended_at - self.started_at).total_seconds(), 3)


@dataclass(slots=True, kw_only=True)
class Version:
    """An accepted result; one that was taken over (`imported`) has no fence."""

    version: int
    item: int
    author: str
    position: int
    created_at: datetime
    imported: bool
    path: str | None
    uri: str | None
    hash: str | None
    size: int | None
    summary: str | None
    fence: int | None


@dataclass(slots=True, kw_only=True)
class Incident:
    """Something that went wrong with an item, or that ended it early, and what was done about it (`then`)."""

    position: int
    happened_at: datetime
    item: int
    what: str
    by: str
    failure_class: str | None
    error: str | None
    note: str | None
    run_at: str | None
    then: str | None = None


@dataclass(slots=True, kw_only=True)
class Item:
    """The life of one work item, as far as it was read. `source` is the position of the event that is delivered,
    `cause` the id of the event that an artifact was posted because of: the claim of the work that posted it.
    """

    number: int
    entered_at: datetime
    reference: str | None = None
    kind: str = "produce"
    artifact: int | None = None
    revision: int = 0
    owner: int | None = None
    capability: str | None = None
    title: str | None = None
    path: str | None = None
    posted_by: str | None = None
    posted_at: datetime | None = None
    correlation: str | None = None
    cause: int | None = None
    place: str = "ready"
    run_at: datetime | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    blockers: tuple[int, ...] = ()
    source: int | None = None
    claimed_at: datetime | None = None
    finished_at: datetime | None = None
    attempts: list[Attempt] = field(default_factory=list)
    versions: list[Version] = field(default_factory=list)
    open_incident: Incident | None = None
    reported_cost: float = 0.0

    def move(self, place: str, at: datetime, *, from_place: str | None = None) -> None:
        """Leave a place (the one that the event implies, if it does) for another, and count the time spent in it."""
        left = from_place or self.place
        if left not in ENDS and at != self.entered_at:
            self.seconds[left] = self.seconds.get(left, 0.0) + (at - self.entered_at).total_seconds()
        self.place = place
        self.entered_at = at
        self.finished_at = at if place in ENDS else None

    def stand(self, at: datetime, *, from_place: str | None = None) -> None:
        """Go where an item stands that nothing but time can hold."""
        later = self.run_at is not None and self.run_at > at
        self.move("scheduled" if later else "ready", at, from_place=from_place)

    def block(self, on: Iterable[int]) -> None:
        """Note what it waits for, besides what it waited for before."""
        self.blockers = tuple(dict.fromkeys((*self.blockers, *on)))

    @property
    def duty(self) -> bool:
        """Whether it is owed to the board: an answer, a verdict, something to undo, a turn."""
        return self.kind in DUTIES

    @property
    def action(self) -> str | None:
        """What is to be done with the event that is delivered: the last part of the reference."""
        return None if self.reference is None else self.reference.rpartition("/")[2]

    @property
    def running(self) -> Attempt | None:
        """The attempt that has not ended."""
        return self.attempts[-1] if self.attempts and self.attempts[-1].ended_at is None else None


def seconds_of(items: Iterable[Item]) -> dict[str, float]:
    """The time of many items in each place, in seconds to the millisecond; only the places that somebody was in."""
    total = dict.fromkeys(PLACES, 0.0)
    for item in items:
        for place, seconds in item.seconds.items():
            total[place] += seconds
    return {place: round(seconds, 3) for place, seconds in total.items() if seconds}


def cost_of(items: Iterable[Item]) -> float:
    """What the attempts at these items said that they cost: while they ran, and at their end."""
    return round(sum(item.reported_cost + sum(_cost(one.usage) for one in item.attempts) for item in items), 6)


def _cost(usage: Any) -> float:
    cost = cast("dict[str, Any]", usage).get("cost") if isinstance(usage, dict) else None
    return float(cost) if isinstance(cost, int | float) and not isinstance(cost, bool) else 0.0
