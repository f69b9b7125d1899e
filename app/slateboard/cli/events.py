"""Events as lines: when, who, what happened, and to what, in a few words. The whole is in the JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from slateboard.cli import tables

NAMES = ("reference", "name", "subject", "decision", "agent")
"""What a thing is known by, the best first."""
WORDS = (
    "title", "version", "attempt", "place", "class", "error", "rating", "reason", "summary", "note", "run_at",
)  # fmt: skip
"""What is worth a word, in this order."""
MAX_ITEMS = 5
MAX_VALUE = 100
ERASED = "(erased)"


def line(event: Mapping[str, Any]) -> str:
    """One event as one line."""
    at = tables.moment(event["happened_at"])[11:]
    actor, what = tables.clean(event["actor"]), tables.clean(summary(event))
    return f"{event['position']:>7}  {at}  {actor:12}  {event['subject']:26}  {what}".rstrip()


def summary(event: Mapping[str, Any]) -> str:
    """What an event is about, in a few words; what was erased is not what said nothing (null)."""
    return ERASED if event["erased"] else summary_of(event["payload"])


def summary_of(payload: Any) -> str:
    """A payload in a few words: an object by what its names say, any other JSON value as it is."""
    if not isinstance(payload, dict):
        text = "" if payload is None else json.dumps(payload, ensure_ascii=False)
        return text if len(text) <= MAX_VALUE else f"{text[: MAX_VALUE - 1]}…"
    return _object(cast("Mapping[str, Any]", payload))


def _object(payload: Mapping[str, Any]) -> str:
    images = [cast("Mapping[str, Any]", one) for one in payload.values() if isinstance(one, dict)]
    names: list[str] = [name for name in map(_name, [payload, *images]) if name]
    parts = [*names[:1], _items(payload.get("items"))]
    for word in WORDS:
        value = payload.get(word)
        if isinstance(value, str | int) and value != "":
            parts.append(f"{word} {value}" if isinstance(value, int) or word == "class" else f"{word}: {value}")
    return "  ".join(part for part in parts if part)


def _name(thing: Mapping[str, Any]) -> str:
    return next((str(thing[key]) for key in NAMES if isinstance(thing.get(key), str) and thing[key]), "")


def _items(given: object) -> str:
    """The items of a claim, `[[item, fence, attempt], …]`, or of another event, `[item, …]`."""
    if not isinstance(given, list) or not given:
        return ""
    entries = cast("list[Any]", given)
    numbers = [str(cast("Sequence[Any]", one)[0] if isinstance(one, list) else one) for one in entries[:MAX_ITEMS]]
    more = f" and {len(entries) - MAX_ITEMS} more" if len(entries) > MAX_ITEMS else ""
    return f"{'item' if len(entries) == 1 else 'items'} {', '.join(numbers)}{more}"
