"""What followed from published events, in sentences: who handled them how and in which order, what that led to, how it
ended and how long it took. A bounded number of chains is told, those of which most followed; the rest is counted.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from slateboard.reports.audit import words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    Chain = Mapping[str, Any]

MOST_CHAINS = 5
MOST_STEPS = 8
"""Of a chain: handlers, and events that it led to, each."""


def tell(report: Mapping[str, Any]) -> Iterator[str]:
    """Two sentences for each chain, in the order in which they began."""
    chains: list[Chain] = report["chains"]
    longest = sorted(chains, key=lambda one: (-len(one["steps"]), one["position"]))[:MOST_CHAINS]
    for one in sorted(longest, key=lambda one: one["position"]):
        yield f"{_began(one)} {_ended(one)}"
    if len(chains) > MOST_CHAINS:
        yield f"{len(chains) - MOST_CHAINS:,} more published events were handled."
    asked = report["asked"]
    if asked["task"] is None and asked["agent"] is None:
        alone = len(report["published"]) - sum(1 + len(one["led_to"]) for one in chains)
        if alone:
            yield f"{words.count(alone, 'published event')} had no handler."


def _began(one: Chain) -> str:
    """Who published what when, and who handled it and what followed from it."""
    names = [f"{step['agent'] or 'nobody in particular'} ({step['action']})" for step in one["steps"]]
    when = f"at {words.moment(one['happened_at'])} (position {one['position']:,})"
    return f"{one['published_by']} published {one['subject']} {when}; it went to {_then(names, 'delivery')}."


def _then(said: Iterable[str], noun: str) -> str:
    """In order, each once, with how often; the rest of them counted."""
    counted = Counter(said)
    told = [name if number == 1 else f"{name}, {number:,} times" for name, number in counted.items()]
    rest = sum(list(counted.values())[MOST_STEPS:])
    return words.listed([*told[:MOST_STEPS], *([words.count(rest, f"more {noun}")] if rest else [])], "then")


def _ended(one: Chain) -> str:
    """What it led to, how it ended and how long it took."""
    led = [_then((event["subject"] for event in one["led_to"]), "event")] if one["led_to"] else []
    if one["artifacts"]:
        led.append(words.count(len(one["artifacts"]), "artifact"))
    said = f"It led to {' and to '.join(led)}; " if led else "Nothing more was published; "
    whole = len(one["steps"])
    done = one["places"].get("done", 0)
    others = [f"{number:,} {place}" for place, number in one["places"].items() if place != "done"]
    if others:
        said += f"of {words.count(whole, 'delivery')}, {words.listed([f'{done:,} done', *others])}"
    else:
        said += "its delivery was done" if whole == 1 else f"all {whole:,} deliveries were done"
    if one["failed"]:
        said += f" ({words.count(one['failed'], 'attempt')} failed on the way)"
    if one["seconds"] is not None:
        said += f", {'so far ' if set(one['places']) - words.OVER else ''}in {words.length(one['seconds'])}"
    return words.sentence(said[0].upper() + said[1:])
