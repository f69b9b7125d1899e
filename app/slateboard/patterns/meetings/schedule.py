"""Scheduling a meeting, and ending one before its agenda is done."""

from __future__ import annotations

from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from slateboard.board import agents
from slateboard.patterns.meetings import closing, gathering, queries, records
from slateboard.protocol.errors import Invalid, NotYours, WrongState
from slateboard.protocol.events import Subject
from slateboard.protocol.meetings import (
    MAX_AGENDA,
    MAX_MINUTES,
    MAX_PARTICIPANTS,
    MAX_TEXT_CHARACTERS,
    MAX_TITLE_CHARACTERS,
    TURN_SECONDS,
    DecisionModel,
    MeetingState,
)
from slateboard.protocol.rights import Right
from slateboard.protocol.states import Availability

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slateboard.transaction import Transaction

MAX_AHEAD = timedelta(days=3650)
INVITED = """
SELECT id, name, role, availability FROM agents WHERE board = $1 AND id = ANY ($2::bigint[]) ORDER BY id
"""


async def schedule_meeting(
    tx: Transaction,
    *,
    title: str,
    participants: Sequence[str],
    agenda: Sequence[str],
    decision_required: bool = False,
    max_duration_minutes: float = 60,
    quorum: int | None = None,
    decision_model: str = DecisionModel.MAJORITY,
    veto_roles: Sequence[str] = (),
    optional: Sequence[str] = (),
    starts_at: datetime | None = None,
    chair: str | None = None,
    turn_seconds: float = TURN_SECONDS,
    vote_seconds: float = TURN_SECONDS,
    source: str | None = None,
) -> dict[str, Any]:
    """Schedule a meeting of `participants`, who all have a seat, and of `optional` ones who have one if they are there.

    It begins at `starts_at`, else now; `quorum` of them must come (default: more than half of the participants).
    Returns `{meeting, reference, title, state, starts_at, quorum}`. Raises `UnknownName` (a participant, or the chair),
    `Invalid` (one participant, an empty agenda, a quorum above the seats, 0 or more than 480 minutes, a veto for a role
    that nobody has).
    """
    tx.require(Right.AGENT)
    required, others = _invited(participants, optional)
    check_texts(title, agenda)
    check_lengths(max_duration_minutes, turn_seconds, vote_seconds)
    seats = len(required) + len(others)
    needed = max(min(2, len(required)), len(required) // 2 + 1) if quorum is None else quorum
    if not 1 <= needed <= seats:
        message = f"a quorum of {needed} cannot be: the meeting has {seats} seats"
        raise Invalid(message, remedy=f"choose 1 to {seats}, or leave it out for more than half")
    numbers = await agents.ids(tx, [*required, *others, *([chair] if chair else [])])
    if chair is not None and chair not in {*required, *others}:
        raise Invalid(f"the chair {chair} does not take part", remedy="name a participant as the chair, or invite it")
    invited = [dict(row) for row in await tx.fetch(INVITED, tx.board, sorted(set(numbers.values())))]
    _check_available(invited)
    check_model(decision_model, veto_roles, [name for one in invited for name in (one["role"], one["name"])])
    begins = _begin(tx, starts_at)
    row = dict(await tx.fetchrow(
        queries.INSERT, tx.board, title.strip(), tx.actor.name, tx.actor.agent, numbers[chair] if chair else None,
        decision_required, max_duration_minutes * 60.0, needed, decision_model, list(veto_roles), turn_seconds,
        vote_seconds, source, begins, tx.now,
    ))  # fmt: skip
    order = [numbers[name] for name in (*required, *others)]
    wanted = (order, list(range(1, seats + 1)), [True] * len(required) + [False] * len(others))
    seated = [dict(one) for one in await tx.fetch(queries.INSERT_SEATS, tx.board, row["id"], *wanted)]
    items = [dict(one) for one in await tx.fetch(queries.INSERT_AGENDA, tx.board, row["id"], list(agenda))]
    held = records.Held(row, seated, items, [])
    told: dict[str, Any] = {
        "title": row["title"],
        "participants": list(required),
        "optional": list(others),
        "agenda": list(agenda),
    }
    rows = {"meetings": [row], "meeting_seats": seated, "agenda_items": items}
    records.tell(tx, held, Subject.MEETING_SCHEDULED, rows, **told)
    if begins <= tx.now:
        await gathering.call(tx, held)
    return {"meeting": held.id, "reference": held.reference, "title": row["title"], "state": held.row["state"],
            "starts_at": begins, "quorum": needed}  # fmt: skip


async def adjourn_meeting(tx: Transaction, *, meeting: int, reason: str) -> dict[str, Any]:
    """End a meeting: its chair, who scheduled it, or an operator does. What is undecided is deferred.

    One that has not opened is cancelled. Returns `{meeting, state}`. Raises `UnknownName`, `NotYours`, `WrongState`.
    """
    tx.require(Right.AGENT)
    if not reason.strip() or len(reason) > MAX_TEXT_CHARACTERS:
        raise Invalid(f"a reason has 1 to {MAX_TEXT_CHARACTERS:,} characters", remedy="say why it ends")
    held = await records.hold(tx, meeting)
    if tx.actor.right < Right.OPERATOR and tx.actor.agent not in {held.row["chair"], held.row["organiser"]}:
        message = f"{tx.actor.name} does not chair {held.reference}"
        raise NotYours(message, remedy="its chair ends it, who scheduled it, or an operator", meeting=meeting)
    state = held.row["state"]
    if state in {MeetingState.ADJOURNED, MeetingState.CANCELLED}:
        raise WrongState(f"{held.reference} is {state} already", remedy="nothing to do", meeting=meeting)
    if state == MeetingState.OPEN:
        await closing.adjourn(tx, held, reason.strip())
    else:
        await closing.end(tx, held, MeetingState.CANCELLED, reason.strip())
    return {"meeting": meeting, "state": held.row["state"]}


def check_texts(title: str, agenda: Sequence[str]) -> None:
    """Refuse a title or an agenda that says nothing, or too much."""
    if not title.strip() or len(title) > MAX_TITLE_CHARACTERS:
        raise Invalid(f"a title has 1 to {MAX_TITLE_CHARACTERS} characters", remedy="say what the meeting is about")
    if isinstance(agenda, str):
        raise Invalid("an agenda is a list of texts", remedy=f"agenda=[{agenda[:40]!r}]")
    if not 1 <= len(agenda) <= MAX_AGENDA:
        message = f"an agenda has 1 to {MAX_AGENDA} items, not {len(agenda)}"
        raise Invalid(message, remedy="say what is to be decided, one text for each item")
    for number, one in enumerate(agenda, 1):
        if not one.strip() or len(one) > MAX_TITLE_CHARACTERS:
            message = f"item {number} of the agenda has {len(one.strip())} characters"
            raise Invalid(message, remedy=f"each has 1 to {MAX_TITLE_CHARACTERS}")


def check_lengths(max_duration_minutes: float, turn_seconds: float, vote_seconds: float) -> None:
    """Refuse lengths of time that no meeting can have."""
    if not 0 < max_duration_minutes <= MAX_MINUTES:
        message = f"a meeting cannot take {max_duration_minutes:g} minutes"
        raise Invalid(message, remedy=f"choose more than 0 and at most {MAX_MINUTES}")
    for what, seconds in (("turn", turn_seconds), ("vote", vote_seconds)):
        if not 0 < seconds <= max_duration_minutes * 60:
            if seconds == TURN_SECONDS:  # what nobody chose is cut at the meeting's own limit
                continue
            message = f"a {what} cannot take {seconds:g} s"
            raise Invalid(message, remedy="choose more than 0, and no more than the whole meeting")


def check_model(decision_model: str, veto_roles: Sequence[str], there: Sequence[str]) -> None:
    """Refuse a model that is none, a veto without its model, and a role that nobody of those invited has."""
    if decision_model not in set(DecisionModel):
        models = ", ".join(DecisionModel)
        raise Invalid(f"{decision_model[:40]!r} is no decision model", remedy=f"one of: {models}")
    with_veto = decision_model == DecisionModel.MAJORITY_WITH_VETO
    if bool(veto_roles) is not with_veto:
        message = f"the model {decision_model} has {'' if with_veto else 'no '}veto roles"
        raise Invalid(message, remedy="give `veto_roles` with majority_with_veto, and with no other model")
    for role in veto_roles:
        if role not in there:
            near = get_close_matches(role, there, 1)
            remedy = f"did you mean {near[0]!r}?" if near else "name a role or an agent that takes part"
            message = f"nobody who takes part has the role {role[:60]!r}"
            raise Invalid(message, remedy=remedy, argument="veto_roles")


def _invited(participants: Sequence[str], optional: Sequence[str]) -> tuple[list[str], list[str]]:
    """Who must come and who may, each once; whom both name may."""
    if isinstance(participants, str) or isinstance(optional, str):
        raise Invalid("participants are a list of agents", remedy="put the name into a list")
    for name, count in ((one, participants.count(one)) for one in participants):
        if count > 1:
            raise Invalid(f"{name} stands {count} times among the participants", remedy="one seat each")
    required = [one for one in participants if one not in optional]
    others = list(dict.fromkeys(optional))
    count = len(required) + len(others)
    if not required or not 2 <= count <= MAX_PARTICIPANTS:
        message = f"a meeting has 2 to {MAX_PARTICIPANTS} participants, not {count}"
        raise Invalid(message, remedy="invite somebody who must come, and at least one other")
    return required, others


def _check_available(invited: Sequence[dict[str, Any]]) -> None:
    for one in invited:
        if one["availability"] == Availability.NEVER:
            message = f"{one['name']} takes part in no meetings (meeting_availability: never)"
            raise Invalid(message, remedy="leave it out, or change its AgentConfig", agent=one["name"])


def _begin(tx: Transaction, starts_at: datetime | None) -> datetime:
    if starts_at is None:
        return tx.now
    if starts_at.tzinfo is None:
        raise Invalid("a time needs its zone", remedy="write it like 2026-12-24T18:00:00Z")
    if starts_at > tx.now + MAX_AHEAD:
        raise Invalid("a meeting begins within ten years", remedy="choose an earlier time")
    return starts_at
