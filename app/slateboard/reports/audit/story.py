"""The story of an audit in sentences, for somebody who was not there: what was asked, what happened, what went wrong,
who decided, what is still open, and whether the log can be trusted. Tables come after it.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from slateboard.reports.audit import followed, remedied, together, words
from slateboard.reports.audit.life import ENDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Report = Mapping[str, Any]

MOST = 5
"""Of a kind that are told one by one; the tables have all."""
SAID = {"failed": "failed", "interrupted": "was interrupted", "died": "became a dead letter",
        "cancelled": "was cancelled", "discarded": "was given up"}  # fmt: skip
"""What became of an artifact, or of an attempt at it."""
ATTEMPTED = frozenset(("failed", "interrupted"))


def tell(report: Report) -> list[tuple[str, list[str]]]:
    """Headings with their sentences; a heading with nothing to say is left out."""
    parts = (
        ("What was asked", _asked),
        ("What happened", _happened),
        ("How the organisation worked", together.tell),
        ("What went wrong", _went_wrong),
        ("What was done about it", remedied.tell),
        ("Who decided", _decided),
        ("What is still open", _open),
        ("Can it be trusted?", _proved),
    )
    told = [(heading, list(say(report))) for heading, say in parts]
    return [(heading, sentences) for heading, sentences in told if sentences]


def _asked(report: Report) -> Iterator[str]:
    known = {one["name"] for one in report["tasks"]}
    tops = [one for one in report["tasks"] if one["parent"] not in known]
    below = Counter(one["chain"][-1]["task"] for one in report["tasks"])
    for one in tops[:MOST]:
        whom = one["agent"] or "nobody in particular"
        more = below[one["name"]] - 1
        parts = f", in {words.count(more + 1, 'task')}" if more else ""
        yield f"{one['delegator'] or one['created_by']} asked {whom} for “{one['title']}” ({one['name']}){parts}."
    if len(tops) > MOST:
        yield f"{len(tops) - MOST:,} more were asked for."


def _happened(report: Report) -> Iterator[str]:
    told = report["summary"]
    if not report["events"]:
        yield "Nothing: there are no events."
        return
    made = [words.count(told["artifacts"], "artifact"), words.count(told["versions"], "accepted version")]
    if told["deliveries"]:
        made.append(words.count(told["deliveries"], "delivery"))
    outcomes = ", ".join(f"{number:,} {outcome}" for outcome, number in told["outcomes"].items())
    took = words.count(told["attempts"], "attempt")
    yield f"{words.listed(made)}, in {took}{f' ({outcomes})' if outcomes else ''}."
    yield from followed.tell(report)
    names = [one["label"] for one in report["critical_path"]["steps"]]
    if names:
        between = len(names) - MOST
        if between > 1:  # one alone is named instead
            names = [names[0], words.count(between, "other"), *names[1 - MOST :]]
        took = words.length(report["critical_path"]["seconds"])
        yield f"The longest chain of work took {took}: {words.listed(names, 'then')}."
    spent = words.spent(told["seconds"])
    if spent:
        yield f"All items together were {spent}."
    if told["cost"]:
        yield f"The attempts reported a cost of {told['cost']:,.2f}."


def _went_wrong(report: Report) -> Iterator[str]:
    incidents = report["incidents"]
    if not incidents:
        if report["events"]:
            yield "Nothing failed, and nothing was ended early."
        return
    counted = Counter(one["what"] for one in incidents)
    yield f"{words.listed([_times(what, number) for what, number in sorted(counted.items())])}."
    # What nobody has dealt with comes first.
    for one in sorted(incidents, key=lambda one: (one["then"] != words.UNSETTLED, one["position"]))[:MOST]:
        said = one["error"] or one["note"]
        because = f" ({words.cut(said)})" if said else ""
        yield f"{one['label']} {SAID[one['what']]}{because}: {one['then']}."
    if len(incidents) > MOST:
        yield f"{len(incidents) - MOST:,} more are in the table."


def _times(what: str, number: int) -> str:
    said = f"{words.count(number, 'attempt' if what in ATTEMPTED else 'item')} {SAID[what]}"
    if number == 1:
        return said
    return said.replace(" was ", " were ").replace("became a dead letter", "became dead letters")


def _decided(report: Report) -> Iterator[str]:
    decisions = report["decisions"]
    for one in decisions[:MOST]:
        because = f": {words.cut(one['rationale'])}" if one["rationale"] else ""
        replaced = words.replaced(one)
        yield words.sentence(
            f"{one['agent']} decided “{one['decision']}”{because}{f' ({replaced})' if replaced else ''}"
        )
    if len(decisions) > MOST:
        yield f"{len(decisions) - MOST:,} more decisions are in the table."


def _open(report: Report) -> Iterator[str]:
    places = {place: number for place, number in report["summary"]["places"].items() if place not in ENDS}
    if places:
        yield f"{words.listed([f'{number:,} {place}' for place, number in places.items()])}."
    left = [one for one in report["artifacts"] if one.newest.place not in ENDS and not one.first.duty]
    if left:
        named = [f"{one.label} of {_whose(one)} ({one.newest.place})" for one in left[:MOST]]
        more = f" and {len(left) - MOST:,} more" if len(left) > MOST else ""
        yield f"Not finished: {', '.join(named)}{more}."


def _whose(one: Any) -> str:
    return one.owner or one.newest.capability or "nobody in particular"


def _proved(report: Report) -> Iterator[str]:
    yield words.proof(report)
    if report["proof"]["verified"] and report["events"]:
        yield words.signed(report)
    if report["erased"]:
        yield f"{words.count(report['erased'], 'payload')} erased; the chain holds over what is left."
