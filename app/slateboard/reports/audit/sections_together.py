"""The sections of an audit that tell how the organisation worked: delegations, meetings, conversations, control.

What somebody said is cut to a paragraph for people; the data has it whole.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from slateboard.reports.audit import words
from slateboard.reports.audit.section import Kind, Section, fields, length

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from slateboard.reports.audit.section import Report, Rows

    Row = Mapping[str, Any]

TEXT, LONG, WORD, NUMBER, TIME, LENGTH, _ = Kind

HEARD = frozenset(("spoke", "passed"))
"""How a turn ends of somebody who was there."""


def _delegations(report: Report) -> Rows:
    for one in report["delegations"]:
        given = (one["task"], one["delegator"], one["agent"], one["depth"], one["delegated_at"])
        reason = "; ".join(text for text in (one["reason"], one["because"]) if text)
        yield *given, one["state"], one["settled_at"], one["seconds"], words.became(one), words.paragraph(reason)


def _managers(report: Report) -> Rows:
    for one in report["managers"]:
        numbers = [one[name] for name in ("agent", "manages", "delegated", "steps", "open")]
        waits = [one[name] for name in ("ready_seconds", "claimed_seconds", "waited_seconds")]
        yield *numbers, *waits, one["longest"], one["longest_seconds"]


def _meetings(report: Report) -> Rows:
    for one in report["meetings"]:
        seats = [seat for seat in one["seats"] if seat["seated"]] or one["seats"]
        came = [seat["agent"] for seat in seats if seat["joined_at"] is not None]
        away = [seat["agent"] for seat in seats if seat["joined_at"] is None]
        called = f"{one['title'] or 'scheduled before'} ({one['reference']})"
        who = (one["scheduled_by"], one["chair"], words.some(came), words.some(away))
        yield called, one["state"], *who, one["opened_at"], one["seconds"], one["ended_because"]


def _agenda(report: Report) -> Rows:
    for one, item in agenda(report):
        counted = Counter(vote["choice"] for vote in item["votes"])
        votes = ", ".join(f"{number:,} {choice}" for choice, number in sorted(counted.items()))
        dissent = words.some([f"{vote['agent']} ({vote['choice']})" for vote in item["dissent"]])
        motion = words.paragraph(item["motion_text"])
        outcome = (item["outcome"] or item["stage"], words.paragraph(item["reason"]))
        times = (item["closed_at"], item["seconds"])
        yield (
            place(one, item),
            words.some(list(dict.fromkeys(turn["agent"] for turn in item["turns"] if turn["outcome"] in HEARD))),
            motion,
            item["proposed_by"],
            *outcome,
            votes,
            dissent,
            words.some(item["absent"]),
            *times,
        )


def _statements(report: Report) -> Rows:
    for one, item in agenda(report):
        for said in sorted((*item["statements"], *item["concerns"]), key=lambda said: said["id"]):
            kind = None if said["kind"] == "said" else said["settled"] or "open"
            settled = (said["settled_by"], words.paragraph(said["settled_because"]))
            where = (place(one, item), said["round"], said["agent"])
            yield *where, said["kind"], words.paragraph(said["text"]), said["said_at"], kind, *settled


def _votes(report: Report) -> Rows:
    for one, item in agenda(report):
        for vote in item["votes"]:
            before = ", then ".join(_cast(cast) for cast in vote["history"][:-1])
            told = (vote["choice"], words.paragraph(vote["rationale"]), before, vote["voted_at"])
            yield place(one, item), vote["agent"], *told


def _cast(one: Row) -> str:
    return f"{one['choice']} ({words.cut(one['rationale'])})" if one["rationale"] else one["choice"]


def _actions(report: Report) -> Rows:
    for one, item in agenda(report):
        for action in item["actions"]:
            became = action["place"] or ("a task" if action["task"] else "no task: the motion was not carried")
            yield action["title"], place(one, item), action["owner"], action["task"], became, action["finished_at"]


def _consults(report: Report) -> Rows:
    for one in report["consults"]:
        whom = one["other"] or "whoever can"
        times = (one["asked_at"], one["deadline"])
        asked = (one["asker"], whom, words.paragraph(one["question"]), one["gated"])
        yield *asked, *times, words.paragraph(one["answer"]), one["answered_by"], one["seconds"]


def _messages(report: Report) -> Rows:
    for one in report["threads"]:
        called = f"{words.paragraph(one['topic']) or 'opened before'} (thread {one['thread']})"
        begin = one["messages"][0]["said_at"] if one["messages"] else None
        for said in one["messages"]:
            after = (said["said_at"] - begin).total_seconds() if begin else None
            text = " ".join(part for part in (said["text"], said["data"]) if part)
            yield called, said["said_by"], said["kind"], words.paragraph(text), said["said_at"], after


def _control(report: Report) -> Rows:
    for one in report["control"]:
        about = words.some(one["references"])
        task = one["task"] or one["scope"]
        what = "; ".join(text for text in (task, about) if text) or one["agent"]
        gave = (one["agent"], one["to"], one["rating"])
        yield what, one["what"], one["happened_at"], one["by"], *gave, words.paragraph(one["reason"])


def agenda(report: Report) -> Iterator[tuple[Row, Row]]:
    """Each item of each meeting's agenda, with its meeting."""
    return ((one, item) for one in report["meetings"] for item in one["agenda"])


def place(one: Row, item: Row) -> str:
    """An item of an agenda, for people: `Security (meeting:5, 2)`."""
    return f"{item['title']} ({one['reference']}, {item['number']})"


def _number(of: Callable[[Row], int]) -> Callable[[Report], int]:
    """How many there are in all items of the agendas."""
    return lambda report: sum(of(item) for _, item in agenda(report))


DELEGATED = (
    Section(
        name="delegations", title="Who delegated what to whom", noun="delegation", count=length("delegations"),
        rows=_delegations,
        note="Each time that a task was given to somebody, when that was acknowledged, and what became of it.",
        columns={"task": TEXT, "delegated by": TEXT, "to": TEXT, "depth": NUMBER, "at": TIME, "state": WORD,
                 "since": TIME, "delay": LENGTH, "then": LONG, "because": LONG},
    ),
    Section(
        name="managers", title="What waited for managers", noun="manager", count=length("managers"), rows=_managers,
        note="For who manages or delegates: how long work waited for its own steps, ready in its inbox and in its "
        "hands. A step is what others wait for: an item, a question, a verdict, a turn.",
        columns={"manager": TEXT, "manages": NUMBER, "delegated": NUMBER, "steps": NUMBER, "open": NUMBER,
                 "in the inbox": LENGTH, "in hand": LENGTH, "together": LENGTH, "longest": LONG, "it took": LENGTH},
    ),
)  # fmt: skip

MET = (
    Section(
        name="meetings", title="Meetings", noun="meeting", count=length("meetings"), rows=_meetings,
        note="Each meeting: who came, who did not, and how long it took.",
        columns={"meeting": TEXT, "state": WORD, "scheduled by": TEXT, "chair": TEXT, "came": LONG, "did not": LONG,
                 "opened": TIME, "took": LENGTH, "ended": LONG},
    ),
    Section(
        name="agenda", title="What was decided in meetings", noun="item", count=_number(lambda _: 1), rows=_agenda,
        note="Each item of an agenda: who was heard, the motion, votes and dissent, and who missed a turn or a vote.",
        columns={"item": TEXT, "heard": LONG, "motion": LONG, "proposed by": TEXT, "outcome": WORD, "because": LONG,
                 "votes": LONG, "dissent": LONG, "absent": LONG, "closed": TIME, "took": LENGTH},
    ),
    Section(
        name="statements", title="What was said in meetings", noun="statement", rows=_statements,
        count=_number(lambda item: len(item["statements"]) + len(item["concerns"])),
        note="Statements and concerns in their order; a concern was resolved, overruled, or is open.",
        columns={"item": TEXT, "round": NUMBER, "who": TEXT, "kind": WORD, "text": LONG, "when": TIME,
                 "settled": WORD, "by": TEXT, "because": LONG},
    ),
    Section(
        name="votes", title="Votes", noun="vote", count=_number(lambda item: len(item["votes"])), rows=_votes,
        note="One for each seat, with its reason, and what it voted before it changed that.",
        columns={"item": TEXT, "who": TEXT, "vote": WORD, "because": LONG, "before": LONG, "when": TIME},
    ),
    Section(
        name="actions", title="Action items", noun="action item", rows=_actions,
        count=_number(lambda item: len(item["actions"])),
        note="What the motion was to bring about, and what became of its task.",
        columns={"what": TEXT, "of": TEXT, "owner": TEXT, "task": TEXT, "now": WORD, "finished": TIME},
    ),
)  # fmt: skip

TALKED = (
    Section(
        name="consults", title="Who consulted whom", noun="consult", count=length("consults"), rows=_consults,
        note="Each question to a peer, what waited for the answer, and how long that took.",
        columns={"asker": TEXT, "asked": TEXT, "question": LONG, "waited for it": TEXT, "at": TIME, "due": TIME,
                 "answer": LONG, "answered by": TEXT, "took": LENGTH},
    ),
    Section(
        name="requests", title="Open requests", noun="request", count=length("requests"),
        rows=fields("requests", "capability", "asker", "asked_at", "answers", "counted", "deadline", "closed_at",
                    "seconds"),
        note="Questions to whoever has a capability: how many answers were wanted, and how many counted.",
        columns={"capability": TEXT, "asker": TEXT, "at": TIME, "wanted": NUMBER, "counted": NUMBER, "due": TIME,
                 "closed": TIME, "took": LENGTH},
    ),
    Section(
        name="threads", title="What was said on threads", noun="message", rows=_messages,
        count=lambda report: sum(len(one["messages"]) for one in report["threads"]),
        note="Every message, thread by thread; after is the time since the first of its thread.",
        columns={"thread": TEXT, "who": TEXT, "kind": WORD, "text": LONG, "when": TIME, "after": LENGTH},
    ),
    Section(
        name="refusals", title="What was refused to be asked or told", noun="refusal", count=length("refusals"),
        rows=fields("refusals", "by", "to", "happened_at", "because"),
        note="For want of a route or channel, or since the one asked waits for whoever asked.",
        columns={"who": TEXT, "whom": TEXT, "when": TIME, "because": LONG},
    ),
)  # fmt: skip

CONTROLLED = (
    Section(
        name="control", title="Who took hold of work", noun="change", count=length("control"), rows=_control,
        note="Pins, overrides, pauses, tasks that were declined or reassigned, and agents that were removed.",
        columns={"what": TEXT, "change": WORD, "when": TIME, "by": TEXT, "from": TEXT, "to": TEXT, "rating": NUMBER,
                 "because": LONG},
    ),
    Section(
        name="late", title="What stood still or came too late", noun="warning", count=length("late"),
        rows=fields("late", "reference", "what", "happened_at", "agent", "since", "place", "finished_at", "seconds"),
        note="Claims without progress for five minutes, and items past their due time; how long until they were done.",
        columns={"artifact": TEXT, "what": WORD, "when": TIME, "agent": TEXT, "since": TIME, "now": WORD,
                 "finished": TIME, "after": LENGTH},
    ),
)  # fmt: skip
