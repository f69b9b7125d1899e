"""How an item of the agenda ends, and how a meeting does.

Closing an item is one change: its outcome, and for an approved motion the decision with its dissent, and its action
items as tasks. What is undecided when the meeting ends is deferred; where a decision was required, somebody is asked.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from slateboard.board import decisions
from slateboard.patterns import escalations
from slateboard.patterns.meetings import queries, records
from slateboard.protocol.events import Subject
from slateboard.protocol.meetings import Choice, MeetingState, Stage, TurnEnd, Verdict
from slateboard.protocol.names import slug
from slateboard.protocol.work import NewTask
from slateboard.work import intake

if TYPE_CHECKING:
    from slateboard.patterns.meetings.records import Held, Row
    from slateboard.transaction import Transaction

SAID_OF = {
    Verdict.APPROVED: "carried",
    Verdict.REJECTED: "not carried",
    Verdict.VETOED: "vetoed",
    Verdict.DEFERRED: "fewer votes than the quorum",
}
SETTLED = """
SELECT s.text, s.settled, s.settled_by, s.settled_because, g.name FROM statements s
JOIN agents g ON g.board = s.board AND g.id = s.agent
WHERE s.board = $1 AND s.meeting = $2 AND s.number = $3 AND s.kind = 'concern' ORDER BY s.id
"""


async def close(tx: Transaction, held: Held, item: Row, outcome: Verdict, *, reason: str | None = None) -> None:
    """Close the current item; what was still asked about it is withdrawn."""
    open_ = [one for one in held.open_turns() if one["number"] == item["number"]]
    if open_:
        await records.end_turns(tx, held, open_, TurnEnd.WITHDRAWN)
    decision, actions = None, []
    actor = tx.actor
    if outcome is Verdict.APPROVED:
        await tx.flush()  # what follows is done by the meeting
        tx.actor = records.meetings_own(held)
        decision = await _decide(tx, held, item)
        actions = await _post_tasks(tx, held, item)
    closed = await records.change_item(
        tx, held, item, stage=Stage.CLOSED, outcome=outcome, decision=decision, closed_at=tx.now,
        reason=reason or _said_of(held, outcome),
    )  # fmt: skip
    records.tell(
        tx, held, Subject.AGENDA_CLOSED, {"agenda_items": [closed], "action_items": actions},
        outcome=outcome, title=item["title"], votes=_counted(held), decision=decision,
        tasks=[one["task"] for one in actions],
    )  # fmt: skip
    if tx.actor is not actor:
        await tx.flush()
        tx.actor = actor
    if outcome is Verdict.DEFERRED and held.row["decision_required"]:
        await _escalate(tx, held, item)
    await records.look(tx, held)


async def adjourn(tx: Transaction, held: Held, because: str) -> None:
    """End an open meeting: what is undecided is deferred, what was asked is withdrawn."""
    while held.current is not None:  # at most as many as the agenda has
        await close(tx, held, held.current, Verdict.DEFERRED, reason=because)
    await end(tx, held, MeetingState.ADJOURNED, because)


async def end(tx: Transaction, held: Held, state: MeetingState, because: str) -> None:
    """The meeting is over; nothing more is asked of anybody."""
    if held.open_turns():
        await records.end_turns(tx, held, held.open_turns(), TurnEnd.WITHDRAWN)
    row = await records.change(
        tx, held, state=state, adjourned_at=tx.now, ended_because=because, waits_until=None
    )  # fmt: skip
    subject = Subject.MEETING_ADJOURNED if state is MeetingState.ADJOURNED else Subject.MEETING_CANCELLED
    outcomes = {str(one["number"]): one["outcome"] for one in held.agenda}
    records.tell(tx, held, subject, {"meetings": [row]}, title=row["title"], because=because, outcomes=outcomes)


async def _decide(tx: Transaction, held: Held, item: Row) -> int:
    """Record the approved motion as a decision; one that stands for its subject is replaced by it."""
    motion = await tx.fetchrow(queries.MOTION, tx.board, item["motion"])
    subject = slug(motion["subject"] or motion["text"])
    if subject == "unnamed":
        subject = f"meeting-{held.id}-{item['number']}"
    supersedes = subject if await tx.fetchval(queries.ACCEPTED, tx.board, subject) else None
    names = {one["agent"]: one["name"] for one in held.seats}
    counts = _counted(held)
    row = await decisions.decide(
        tx, decision=motion["text"], subject=subject, rationale=motion["rationale"], supersedes=supersedes,
        context=f"{held.row['title']} ({held.reference}), item {item['number']}: {item['title']}",
        confirmation=f"proposed by {names[motion['agent']]}; {counts[Choice.APPROVE]} of {len(held.seated)} seats"
        f" approved ({held.row['decision_model']})",
        consequences=await dissent(tx, held, item["number"]),
    )  # fmt: skip
    return row["id"]


async def dissent(tx: Transaction, held: Held, number: int) -> str:
    """Who did not approve, and which concerns there were, as a text; empty where all agreed."""
    names = {one["agent"]: one["name"] for one in held.seats}
    said = [
        f"- {names[one['agent']]} ({one['choice']}): {one['rationale'] or 'no reason given'}"
        for one in held.votes
        if one["choice"] != Choice.APPROVE
    ]
    said += [
        f"- concern of {one['name']}: {one['text']} ({one['settled']} by {one['settled_by']}: {one['settled_because']})"
        for one in await tx.fetch(SETTLED, tx.board, held.id, number)
    ]
    return "\n".join(["Dissent:", *said]) if said else ""


async def _post_tasks(tx: Transaction, held: Held, item: Row) -> list[Row]:
    """The action items of the motion as tasks, one for each; the chair has those whose owner was removed.

    Their names cannot be foretold, so that nobody takes one beforehand and no task of that name is waited for.
    """
    found = [dict(one) for one in await tx.fetch(queries.ACTIONS, tx.board, item["motion"])]
    if not found:
        return []
    names = {one["agent"]: one["name"] for one in held.seats if not one["removed"]}
    tasks = [
        NewTask(
            name=f"action-{one['id']}-{secrets.token_hex(4)}",
            title=one["title"], brief=one["brief"], source=held.reference,
            agent=one["owner_name"] or names.get(held.row["chair"]),
            due=None if one["due_seconds"] is None else tx.now + timedelta(seconds=one["due_seconds"]),
        )
        for one in found
    ]  # fmt: skip
    await intake.post(tx, tasks=tasks)
    return [
        dict(await tx.fetchrow(queries.BECOME_TASK, tx.board, one["id"], task.name))
        for one, task in zip(found, tasks, strict=True)
    ]


async def _escalate(tx: Transaction, held: Held, item: Row) -> None:
    """Somebody decides what the meeting was to decide and did not."""
    await escalations.raise_(
        tx, kind="deferred", reference=f"{held.reference}/{item['number']}", severity="high",
        owner=await whom(tx, held),
        question=f"{held.row['title']!r} was to decide on {item['title']!r} and did not: {item['reason']}. What holds?",
    )  # fmt: skip


async def whom(tx: Transaction, held: Held) -> int:
    """Whom to ask about this meeting."""
    return await tx.fetchval(queries.WHOM, tx.board, held.id, held.row["organiser"], held.row["chair"])


def _counted(held: Held) -> dict[str, int]:
    cast = [one["choice"] for one in held.votes]
    return {choice.value: cast.count(choice) for choice in Choice}


def _said_of(held: Held, outcome: Verdict) -> str:
    counts: dict[str, Any] = _counted(held)
    return f"{SAID_OF[outcome]}: {counts[Choice.APPROVE]} of {len(held.seated)} seats approved"
