"""What was done about failures, in sentences: breakers, what was undone, dead letters, verdicts, people, budgets.

A bounded number of each is told, what is not settled first; the tables have all.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from slateboard.reports.audit import words
from slateboard.reports.audit.remedies import openings
from slateboard.reports.audit.troubles import BY_PROBE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Report = Mapping[str, Any]
    Row = Mapping[str, Any]

MOST = 5
"""Of a kind that are told one by one."""
OPEN_STATES = frozenset(("gated", "scheduled", "ready", "claimed"))


def tell(report: Report) -> Iterator[str]:
    """In the order in which one asks: what held, what was undone, what came back, who said what."""
    yield from _some(openings(report["breakers"]), _opening, "opening of a circuit breaker", _is_open)
    yield from _undone(report["compensations"])
    yield from _dead(report["dead_letters"])
    judged = [one for one in report["verifications"] if one["verdict"] != "approved"]
    yield from _some(judged, _verdict, "rejection", lambda one: one["verdict"] is None)
    approved = sum(one["verdict"] == "approved" for one in report["verifications"])
    if approved:
        yield f"{words.count(approved, 'version')} approved by somebody other than the author."
    asked = [one for one in report["escalations"] if one["kind"] not in words.PEERS]
    yield from _some(asked, _answer, "question", lambda one: one["answered_at"] is None)
    used = [one for one in report["budgets"] if one["change"] in {"exhausted", "raised"}]
    yield from _some(used, _budget, "change of a budget", lambda _: False)


def _some(rows: Sequence[Any], say: Callable[[Any], str], noun: str, first: Callable[[Any], bool]) -> Iterator[str]:
    chosen = sorted(range(len(rows)), key=lambda number: (not first(rows[number]), number))[:MOST]
    for number in sorted(chosen):
        yield words.sentence(say(rows[number]))
    if len(rows) > MOST:
        more = len(rows) - MOST
        yield f"{words.count(more, f'more {noun}') if more > 1 else f'1 more {noun}'} in the tables."


def _is_open(rows: Sequence[Row]) -> bool:
    return rows[-1]["change"] != "closed"


def _opening(rows: Sequence[Row]) -> str:
    first, last = rows[0], rows[-1]
    counted = Counter(one["change"] for one in rows)
    said = f"The circuit breaker of {first['agent']}"
    if first["change"] == "opened":
        said += f" opened at {words.moment(first['happened_at'])} ({words.cut(first['reason'] or 'no reason')})"
    else:
        said += " was open before"
    if counted["probed"]:
        said += f"; {words.count(counted['probed'], 'probe')} went through"
        said += f", {counted['reopened']:,} failed" if counted["reopened"] else ""
    if last["change"] != "closed":
        return f"{said}; it is not closed"
    when = f"at {words.moment(last['happened_at'])}"
    if last["reason"] == BY_PROBE:
        return f"{said}; it closed {when}, since {BY_PROBE}"
    because = f" ({words.cut(last['reason'])})" if last["reason"] else ""
    return f"{said}; {last['by']} closed it {when}{because}"


def _undone(rows: Sequence[Row]) -> Iterator[str]:
    """A sentence for each task that was rolled back."""
    by_task: dict[str, list[Row]] = {}
    for one in rows:
        by_task.setdefault(one["reference"].partition("/")[0], []).append(one)
    yield from _some(list(by_task.items()), _rolled_back, "task that was rolled back", lambda _: False)


def _rolled_back(told: tuple[str, Sequence[Row]]) -> str:
    task, rows = told
    undone = sorted((one for one in rows if one["outcome"] == "undone"), key=lambda one: one["ended_at"])
    names = [f"{one['reference']} by {one['action']}" for one in undone[:MOST]]
    if len(undone) > MOST:
        names.append(f"{len(undone) - MOST:,} more")
    parts = [f"undone were {words.listed(names, 'then')}"] if names else []
    for state, said in (
        ("left", "left as it is"), ("failed", "could not be undone"), ("given up", "given up"),
        ("unknown", "of unknown effect"),
    ):  # fmt: skip
        of = [one["reference"] for one in rows if one["outcome"] == state]
        parts += [f"{words.some(of)}: {said}"] if of else []
    waits = sum(one["outcome"] in OPEN_STATES for one in rows)
    parts += [f"{words.count(waits, 'step')} still to be undone"] if waits else []
    return f"{task} was rolled back ({words.cut(rows[0]['because'])}): {'; '.join(parts)}"


def _dead(rows: Sequence[Row]) -> Iterator[str]:
    if rows:
        counted = Counter(one["then"] or "still on the table" for one in rows)
        became = words.listed([f"{number:,} {then}" for then, number in sorted(counted.items())])
        yield f"Of {words.count(len(rows), 'dead letter')}: {became}."


def _verdict(one: Row) -> str:
    version = f"version {one['version']} of {one['reference']}"
    if one["verdict"] is None:
        return f"{version[0].upper()}{version[1:]} waits for the verdict of {one['verifier']}"
    return f"{one['judged_by']} rejected {version}: {words.cut(one['reason'] or '')}"


def _answer(one: Row) -> str:
    said = f"{one['owner']} was asked by {one['asked_by']} about {one['reference']}: “{words.cut(one['question'])}”"
    if one["answered_at"] is None:
        return f"{said}; no answer yet, due {words.moment(one['deadline'])}"
    if one["answer"] is None:
        return f"{said}; {'it was withdrawn' if one['answered_by'] == 'withdrawn' else 'nobody answered'}"
    after = words.length(one["seconds"])
    return f"{said}; {one['answered_by']} answered “{words.cut(one['answer'])}” after {after}"


def _budget(one: Row) -> str:
    if one["change"] == "exhausted":
        return f"The budget of {one['scope']} was used up at {words.moment(one['happened_at'])}: {words.used(one)}"
    return f"{one['by']} raised the budget of {one['scope']} to {words.allowed(one)}"
