"""How the organisation worked, in sentences: delegations and their hand-overs, what waited for managers, meetings,
conversations, and who took hold of work.

A bounded number of each is told, what is open or went another way first; the tables have all.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from slateboard.reports.audit import words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Report = Mapping[str, Any]
    Row = Mapping[str, Any]

MOST = 5
"""Of a kind that are told one by one."""
WITH_REASON = frozenset(("overridden", "pinned", "agent removed", "paused"))
"""What somebody did by hand; declines and reassignments are told with the delegations."""


def tell(report: Report) -> Iterator[str]:
    """In the order of the patterns: down the hierarchy, in meetings, between peers, by hand."""
    yield from _delegated(report)
    yield from _managers(report["managers"])
    for one in report["meetings"][:MOST]:
        yield from _met(one)
    if len(report["meetings"]) > MOST:
        yield f"{words.count(len(report['meetings']) - MOST, 'more meeting')} in the tables."
    yield from _talked(report)
    yield from _took_hold(report["control"])
    yield from _late(report["late"])
    if report["summary"]["texts_cut"]:
        yield f"Of {words.count(report['summary']['texts_cut'], 'long text')} only the beginning is in this report."


def _delegated(report: Report) -> Iterator[str]:
    rows: list[Row] = report["delegations"]
    if not rows:
        return
    counted = Counter(one["state"] for one in rows)
    states = words.listed([f"{number:,} {state}" for state, number in sorted(counted.items())])
    yield f"{words.count(len(rows), 'delegation')}, up to {max(one['depth'] for one in rows)} deep: {states}."
    handed = [one for one in report["hand_overs"] if one["kind"] == "delegation"]
    if handed:
        delays = sorted(one["seconds"] for one in handed)
        slow = max(handed, key=lambda one: one["seconds"])
        yield (
            f"Half of them were acknowledged within {words.length(delays[len(delays) // 2])}; the slowest was "
            f"{slow['to']}, from {slow['from_agent']} to {slow['to_agent']}, after {words.length(slow['seconds'])}."
        )
    odd = [one for one in rows if one["state"] in {"declined", "unanswered"} or one["then"]]
    for one in odd[:MOST]:
        said = f"{one['agent']} {_how(one)} {one['task']} of {one['delegator']}"
        reason = one["reason"] or one["because"]
        because = f" ({words.cut(reason)})" if reason else ""
        then = f"; it was {words.became(one)}" if one["then"] else ""
        yield f"{said}{because}{then}."
    if len(odd) > MOST:
        yield f"{len(odd) - MOST:,} more were declined, not answered or given to others."


def _how(one: Row) -> str:
    return {"declined": "declined", "unanswered": "did not answer to"}.get(one["state"], "had")


def _managers(rows: Sequence[Row]) -> Iterator[str]:
    """The one for whom work waited longest."""
    if rows and rows[0]["waited_seconds"] >= words.SHORTEST_SECONDS:
        first = rows[0]
        whole, lay = words.length(first["waited_seconds"]), words.length(first["ready_seconds"])
        steps = words.count(first["steps"], "step")
        yield f"Work waited longest for {first['agent']}: {whole} in {steps}, {lay} of it until they were taken."


def _met(one: Row) -> Iterator[str]:
    came = [seat["agent"] for seat in one["seats"] if seat["joined_at"] is not None]
    away = [seat["agent"] for seat in one["seats"] if seat["joined_at"] is None]
    said = f"“{words.cut(one['title'] or 'A meeting')}” ({one['reference']})"
    if one["opened_at"] is None:
        because = f": {words.cut(one['ended_because'])}" if one["ended_because"] else ""
        yield f"{said} did not open; it is {one['state'] or 'told of before'}{because}."
        return
    said += f" was held by {words.some(came)}" if came else " opened"
    said += f" without {words.some(away)}" if away else ""
    took = f" in {words.length(one['seconds'])}" if one["seconds"] is not None else "; it goes on"
    chaired = f", chaired by {one['chair']}" if one["chair"] else ""
    yield f"{said}{chaired}{took}."
    for item in one["agenda"][:MOST]:
        yield words.sentence(_item(item))
    if len(one["agenda"]) > MOST:
        yield f"{len(one['agenda']) - MOST:,} more items of its agenda are in the table."


def _item(item: Row) -> str:
    if item["outcome"] is None:
        return f"“{words.cut(item['title'])}” was not closed"
    motion = f": “{words.cut(item['motion_text'])}”" if item["motion_text"] else ""
    counted = Counter(vote["choice"] for vote in item["votes"])
    votes = ", ".join(f"{number} {choice}" for choice, number in sorted(counted.items()))
    said = f"“{words.cut(item['title'])}” was {item['outcome']}{motion}{_in_brackets(votes)}"
    overruled = sum(one["settled"] == "overruled" for one in item["concerns"])
    if overruled:
        said += f"; {words.count(overruled, 'concern')} overruled"
    for vote in item["dissent"][:MOST]:
        said += f"; {vote['agent']} dissented ({vote['choice']})"
        said += f": {words.cut(vote['rationale'])}" if vote["rationale"] else ""
    tasks = [one for one in item["actions"] if one["task"]]
    if tasks:
        done = sum(one["place"] == "done" for one in tasks)
        said += f"; {words.count(len(tasks), 'action item')} became "
        said += (
            f"tasks, {done:,} of them done" if len(tasks) > 1 else f"a task, {'done' if done else 'not done'} by now"
        )
    return said


def _in_brackets(said: str) -> str:
    return f" ({said})" if said else ""


def _talked(report: Report) -> Iterator[str]:
    consults: list[Row] = report["consults"]
    if consults:
        answered = [one for one in consults if one["answer"] is not None]
        waited = sum(one["gated"] is not None for one in consults)
        said = f"{words.count(len(consults), 'consult')}, {len(answered):,} answered"
        said += f", {waited:,} while work waited for it" if waited else ""
        if answered:
            slow = max(answered, key=lambda one: one["seconds"] or 0)
            said += f"; the slowest by {slow['answered_by']} for {slow['asker']}, after {words.length(slow['seconds'])}"
            said += f": “{words.cut(slow['question'])}”" if slow["question"] else ""
        yield words.sentence(said)
    messages = sum(len(one["messages"]) for one in report["threads"])
    if messages:
        yield f"{words.count(messages, 'message')} on {words.count(len(report['threads']), 'thread')}."
    for one in report["refusals"][:MOST]:
        yield f"Refused: {words.cut(one['because'] or 'what was asked')}."
    if len(report["refusals"]) > MOST:
        yield f"{len(report['refusals']) - MOST:,} more refusals are in the table."


def _took_hold(rows: Sequence[Row]) -> Iterator[str]:
    told = [one for one in rows if one["what"] in WITH_REASON]
    for one in told[:MOST]:
        about = words.some(one["references"]) or one["agent"] or one["scope"]
        because = f" ({words.cut(one['reason'])})" if one["reason"] else ""
        to = f", to {one['to']}" if one["to"] else ""
        yield f"{one['by']}: {about} {one['what']}{to}{because}."
    if len(told) > MOST:
        yield f"{len(told) - MOST:,} more times somebody took hold of work; see the table."


def _late(rows: Sequence[Row]) -> Iterator[str]:
    if rows:
        counted = Counter(one["what"] for one in rows)
        what = words.listed([f"{number:,} {what}" for what, number in sorted(counted.items())])
        open_ = sum(one["finished_at"] is None for one in rows)
        yield f"{words.count(len(rows), 'warning')} of late work: {what}; {open_:,} not finished since."
