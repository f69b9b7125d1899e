"""How an audit says things: moments, lengths, shares, and the sentences that Markdown and HTML have in common."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from slateboard.protocol import durations

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

SHORTEST_SECONDS = 0.05
"""Less time than that in a place is not worth a word."""
SHORT_SECONDS = 0.095
"""Less is told in milliseconds: many a hand-over takes no longer."""
MOST_SIGNS = 240
"""Of a text within a sentence."""
MOST_OF_CELL = 1_000
"""Signs of what somebody said, within a cell for people."""
OVER = frozenset(("done", "cancelled", "dead"))
"""Places that a delivery does not leave by itself."""
MOST_NAMES = 20
"""Of a list within a cell."""
PEERS = frozenset(("consult", "request"))
"""Kinds of questions that are told with the threads on which they were asked."""
UNSETTLED = "nothing yet"
MOST_HAND_OVERS = 50
"""Hand-overs that are shown to people, the slowest first; the data has all."""


def moment(value: datetime | None) -> str:
    """A moment to the second, in UTC as the database has it."""
    return "" if value is None else value.astimezone(UTC).isoformat(" ")[:19]


def length(seconds: float | None) -> str:
    """A length of time, by its two largest units; a short one in milliseconds."""
    if seconds is not None and 0 < seconds < SHORT_SECONDS:
        return f"{max(1, round(seconds * 1000))}ms"
    return "" if seconds is None else durations.shown(seconds) or "0s"


def spent(seconds: Mapping[str, float]) -> str:
    """The time in each place, in words."""
    return ", ".join(f"{place} {length(number)}" for place, number in seconds.items() if number >= SHORTEST_SECONDS)


def chain(steps: Sequence[Mapping[str, Any]]) -> str:
    """Who asked whom, from the top down: `ceo → cto (release) → backend (release-api)`."""
    words: list[str] = []
    for step in reversed(steps):
        if not words and step["delegator"] not in {None, step["agent"]}:
            words.append(str(step["delegator"]))
        words.append(f"{step['agent'] or 'nobody in particular'} ({step['task']})")
    return " → ".join(words)


def accountable(steps: Sequence[Mapping[str, Any]]) -> str:
    """Who answers for something, from the top down: `ceo → cto → backend`; who stands there twice, once."""
    return " → ".join(dict.fromkeys(str(step["agent"]) for step in reversed(steps) if step["agent"]))


def proof(report: Mapping[str, Any]) -> str:
    """What was proved, in a sentence."""
    told = report["proof"]
    if told["first_position"] is None:
        return "There are no events in this range, so there is nothing to prove."
    where = f"positions {told['first_position']:,} to {told['last_position']:,}"
    if told["verified"]:
        return f"Verified: the hash chain holds over {where} of the log."
    return f"NOT verified over {where} of the log: {told['problem']}."


def signed(report: Mapping[str, Any]) -> str:
    """Up to where that is what was signed, in a sentence."""
    told = report["proof"]["signed"]
    if told is None:
        return "No signed checkpoint of it was at hand: a log that was written anew as a whole would look the same."
    return f"It is what was signed up to position {told['position']:,}, by the key {told['key']}."


def scope(report: Mapping[str, Any]) -> str:
    """What was asked for, in words."""
    asked = report["asked"]
    words = [f"{name} {asked[name]}" for name in ("task", "agent", "correlation") if asked[name]]
    return f"Board {report['board']}" + (f", {', '.join(words)} only" if words else "")


def period(report: Mapping[str, Any]) -> str:
    """When it was, and how many events tell of it."""
    if report["begins_at"] is None or report["ends_at"] is None:
        return "No events."
    return f"{moment(report['begins_at'])} to {moment(report['ends_at'])} UTC, {count(report['events'], 'event')}"


def listed(said: Sequence[str], last: str = "and") -> str:
    """`a, b and c`."""
    if last == "then":
        return ", then ".join(said)
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} {last} {said[-1]}"


def some(said: Sequence[str]) -> str:
    """`a, b, c`, and how many more where there are many."""
    rest = len(said) - MOST_NAMES
    return ", ".join(said[:MOST_NAMES]) + (f" and {rest:,} more" if rest > 0 else "")


def cut(said: str) -> str:
    """A text of others within a sentence: on one line, without its full stop, and not longer than a line or two."""
    line = " ".join(said.split()).rstrip(".")
    return line if len(line) <= MOST_SIGNS else f"{line[: MOST_SIGNS - 1]}…"


def paragraph(said: str | None) -> str | None:
    """What somebody said, as long as a cell for people holds it."""
    return said if said is None or len(said) <= MOST_OF_CELL else f"{said[: MOST_OF_CELL - 1]}…"


def became(one: Mapping[str, Any]) -> str:
    """What became of a delegation after it was answered or not: `reassigned to backend`."""
    if one["then"] is None:
        return ""
    return f"{one['then']} to {one['to']}" if one["to"] else f"{one['then']} to nobody"


def sentence(said: str) -> str:
    """With a full stop."""
    return said if said.endswith((".", "!", "?")) else f"{said}."


def replaced(one: Mapping[str, Any]) -> str:
    """What a decision replaced, and what replaced it."""
    said: list[str] = []
    if one["supersedes"]:
        said.append(f"replaces “{one['supersedes']['decision']}”")
    if one["superseded_by"]:
        said.append(f"replaced by “{one['superseded_by']['decision']}”")
    return "; ".join(said)


def count(number: int, noun: str) -> str:
    """`1 task`, `2,000 tasks`, `3 deliveries`."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun[:-1]}ies" if noun.endswith("y") else f"{number:,} {noun}s"


def allowed(row: Mapping[str, Any]) -> str:
    """What a budget allows: `1,000 tokens, 20 in cost`."""
    said = [f"{row['tokens']:,} tokens"] if row["tokens"] is not None else []
    said += [f"{row['cost']:,g} in cost"] if row["cost"] is not None else []
    return ", ".join(said)


def used(row: Mapping[str, Any]) -> str:
    """What was used of a budget, where that is said: `1,200 of 1,000 tokens`."""
    said = [f"{row['used_tokens']:,} of {row['tokens']:,} tokens"] if row["used_tokens"] and row["tokens"] else []
    said += [f"{row['used_cost']:,g} of {row['cost']:,g} in cost"] if row["used_cost"] and row["cost"] else []
    return ", ".join(said)


def share(rate: float | None) -> str:
    """A rate as a percentage."""
    return "" if rate is None else f"{rate * 100:.1f} %"
