"""How an audit says things: moments, lengths, shares, and the sentences that Markdown and HTML have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.protocol import durations

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

SHORTEST_SECONDS = 0.05
"""Less time than that in a place is not worth a word."""
MOST_HAND_OVERS = 50
"""Hand-overs that are shown to people, the slowest first; the data has all."""


def moment(value: datetime | None) -> str:
    """A moment to the second, in UTC as the database has it."""
    return "" if value is None else value.strftime("%Y-%m-%d %H:%M:%S")


def length(seconds: float | None) -> str:
    """A length of time, by its two largest units."""
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


def proof(report: Mapping[str, Any]) -> str:
    """What was proved, in a sentence."""
    told = report["proof"]
    if told["first_position"] is None:
        return "There are no events in this range, so there is nothing to prove."
    where = f"positions {told['first_position']:,} to {told['last_position']:,}"
    if told["verified"]:
        return f"Verified: the hash chain holds over {where} of the log."
    return f"NOT verified over {where} of the log: {told['problem']}."


def scope(report: Mapping[str, Any]) -> str:
    """What was asked for, in words."""
    asked = report["asked"]
    words = [f"{name} {asked[name]}" for name in ("task", "agent", "correlation") if asked[name]]
    return f"Board {report['board']}" + (f", {', '.join(words)} only" if words else "")


def lead(report: Mapping[str, Any]) -> str:
    """The whole report in two sentences."""
    told = report["summary"]
    outcomes = ", ".join(f"{number:,} {outcome}" for outcome, number in told["outcomes"].items()) or "none"
    return (
        f"{count(told['artifacts'], 'artifact')} in {count(told['tasks'], 'task')}, with "
        f"{count(told['versions'], 'accepted version')} and {count(told['decisions'], 'decision')}. "
        f"{count(told['attempts'], 'attempt')} ({outcomes}); "
        f"{count(told['incidents'], 'thing')} went wrong or {'was' if told['incidents'] == 1 else 'were'} ended early."
    )


def count(number: int, noun: str) -> str:
    """`1 task`, `2,000 tasks`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def made(version: Mapping[str, Any]) -> str:
    """Where a version is."""
    return str(version["path"] or version["uri"] or "kept on the board")


def share(rate: float | None) -> str:
    """A rate as a percentage."""
    return "" if rate is None else f"{rate * 100:.1f} %"


AGENT_COLUMNS = ("agent", "items", "attempts", "completed", "failed", "failure rate", "at work", "time of its items")


def agent_row(one: Mapping[str, Any]) -> list[Any]:
    """What one agent did, under `AGENT_COLUMNS`."""
    done = [one[name] for name in ("agent", "items", "attempts", "completed", "failed")]
    return [*done, share(one["failure_rate"]), length(one["busy_seconds"]), spent(one["seconds"])]
