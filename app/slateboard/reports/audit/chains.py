"""What followed from each published event: the deliveries of it, what their work published and posted, and so on. Pure.

A chain begins with an event that nothing of another chain brought about. Each event, delivery and artifact belongs to
one chain; an event that nobody handles makes none.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from slateboard.reports.audit.life import HANDLE, Item

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from slateboard.reports.audit.report import Scope

    Event = Mapping[str, Any]


@dataclass(slots=True)
class _Known:
    """Who follows what: deliveries by the position of their event; what was published and posted, by whose work."""

    handled: dict[int, list[Item]] = field(default_factory=lambda: defaultdict(list))
    announced: dict[int, list[Event]] = field(default_factory=lambda: defaultdict(list))
    posted: dict[int, list[Item]] = field(default_factory=lambda: defaultdict(list))


def chains(scope: Scope, published: Iterable[Event]) -> list[dict[str, Any]]:
    """The chains of these events, which come in the order of the log, by the position of their first event.

    Gives `{subject, position, published_by, happened_at, ended_at, seconds, places, failed, steps, led_to,
    artifacts}`: the deliveries in the order in which they were first claimed, with their places counted, and the
    events and artifacts that they brought about.
    """
    events = list(published)
    known = _known(scope.items, events)
    seen: set[int] = set()
    return [
        _chain(scope, event, *_walk(event, known, seen))
        for event in events  # what brings another about stands before it in the log
        if event["position"] not in seen and known.handled.get(event["position"])
    ]


def _known(items: Mapping[int, Item], events: Iterable[Event]) -> _Known:
    known = _Known()
    claims = {one.claim: item.number for item in items.values() for one in item.attempts if one.claim is not None}
    for item in items.values():
        if item.kind == HANDLE and item.source is not None:
            known.handled[item.source].append(item)
        elif item.cause in claims:
            known.posted[claims[item.cause]].append(item)
    for event in events:
        if event["cause"] in claims:
            known.announced[claims[event["cause"]]].append(event)
    return known


def _walk(first: Event, known: _Known, seen: set[int]) -> tuple[list[Item], list[Event]]:
    """All items and, after the first, all events of a chain; each event is taken once."""
    items: list[Item] = []
    events: list[Event] = []
    waiting = [first]
    while waiting:
        event = waiting.pop()
        if event["position"] in seen:
            continue
        seen.add(event["position"])
        events.append(event)
        work = list(known.handled.get(event["position"], ()))
        while work:
            item = work.pop()
            items.append(item)
            waiting += known.announced.get(item.number, ())
            work += known.posted.get(item.number, ())
    return items, events[1:]


def _chain(scope: Scope, first: Event, items: list[Item], events: list[Event]) -> dict[str, Any]:
    begin = first["happened_at"]
    ends = [item.finished_at for item in items if item.finished_at] + [one["happened_at"] for one in events]
    ended_at = max(ends, default=None)
    steps = sorted((item for item in items if item.kind == HANDLE), key=lambda item: (_started(item), item.number))
    return {
        "subject": first["subject"],
        "position": first["position"],
        "published_by": first["actor"],
        "happened_at": begin,
        "ended_at": ended_at,
        "seconds": None if ended_at is None else round((ended_at - begin).total_seconds(), 3),
        "places": dict(sorted(Counter(item.place for item in steps).items())),
        "failed": sum(one.outcome == "failed" for item in items for one in item.attempts),
        "steps": [_step(scope, item) for item in steps],
        "led_to": [
            {"subject": one["subject"], "position": one["position"], "published_by": one["actor"]}
            for one in sorted(events, key=lambda one: one["position"])
        ],
        "artifacts": sorted({scope.name(item) for item in items if item.kind != HANDLE}),
    }


def _started(item: Item) -> Any:
    return item.attempts[0].started_at if item.attempts else item.posted_at or item.entered_at


def _step(scope: Scope, item: Item) -> dict[str, Any]:
    return {
        "reference": scope.name(item),
        "label": scope.label(item),
        "event": item.source,
        "agent": scope.agent(item.owner),
        "action": item.action,
        "place": item.place,
        "claimed_at": item.attempts[0].started_at if item.attempts else None,
        "finished_at": item.finished_at,
    }
