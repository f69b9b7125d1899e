"""The minutes of a meeting: what was said, decided and left, as data and as Markdown; and the list of meetings.

They are worked out when they are asked for, also of a meeting that goes on. What peers wrote is data: in Markdown it
cannot begin or end anything.
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING, Any

from slateboard.protocol.errors import Invalid, TooLarge, UnknownName
from slateboard.protocol.meetings import MeetingState, TurnEnd, TurnKind
from slateboard.protocol.rights import Right

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from slateboard.transaction import ReadTransaction

MAX_SHOWN = 1_000
MAX_STATEMENTS = 10_000
SIGNS = re.compile(r"([\\`*_\[\]<>|#~])")

LIST = """
SELECT m.id AS meeting, m.title, m.state, m.starts_at, m.opened_at, m.ends_at, m.adjourned_at, m.scheduled_by,
       c.name AS chair, (SELECT count(*) FROM meeting_seats s WHERE s.board = m.board AND s.meeting = m.id) AS invited,
       (SELECT count(*) FROM agenda_items i WHERE i.board = m.board AND i.meeting = m.id) AS items,
       (SELECT count(*) FROM agenda_items i WHERE i.board = m.board AND i.meeting = m.id AND i.stage = 'closed')
           AS closed
FROM meetings m LEFT JOIN agents c ON c.board = m.board AND c.id = m.chair
WHERE m.board = $1 AND ($2::text IS NULL OR m.state = $2) AND ($4::bigint[] IS NULL OR m.id = ANY ($4))
ORDER BY m.id DESC LIMIT $3
"""

ONE = """
SELECT m.*, c.name AS chair_name FROM meetings m LEFT JOIN agents c ON c.board = m.board AND c.id = m.chair
WHERE m.board = $1 AND m.id = ANY ($2::bigint[]) ORDER BY m.id DESC
"""

SEATS = """
SELECT s.meeting, g.name AS agent, g.role, s.required, s.seated, s.present, s.may_veto, s.joined_at
FROM meeting_seats s JOIN agents g ON g.board = s.board AND g.id = s.agent
WHERE s.board = $1 AND s.meeting = ANY ($2::bigint[]) ORDER BY s.meeting, s.position
"""

AGENDA = """
SELECT i.meeting, i.number, i.title, i.stage, i.round, i.outcome, i.reason, i.decision, i.opened_at, i.closed_at,
       d.subject AS decision_subject, o.id AS motion, o.text AS motion_text, o.rationale, p.name AS proposed_by
FROM agenda_items i
LEFT JOIN motions o ON o.board = i.board AND o.id = i.motion
LEFT JOIN agents p ON p.board = o.board AND p.id = o.agent
LEFT JOIN decisions d ON d.board = i.board AND d.id = i.decision
WHERE i.board = $1 AND i.meeting = ANY ($2::bigint[]) ORDER BY i.meeting, i.number
"""

STATEMENTS = """
SELECT s.meeting, s.id, s.number, s.round, g.name AS agent, s.kind, s.text, s.said_at, s.settled, s.settled_by,
       s.settled_because, s.settled_at
FROM statements s JOIN agents g ON g.board = s.board AND g.id = s.agent
WHERE s.board = $1 AND s.meeting = ANY ($2::bigint[]) ORDER BY s.meeting, s.number, s.id LIMIT $3
"""

VOTES = """
SELECT c.meeting, c.number, g.name AS agent, c.choice, c.rationale, c.change, c.voted_at
FROM vote_changes c JOIN agents g ON g.board = c.board AND g.id = c.agent
WHERE c.board = $1 AND c.meeting = ANY ($2::bigint[]) ORDER BY c.meeting, c.number, g.name, c.change
"""

ACTIONS = """
SELECT a.meeting, i.number, a.title, a.brief, g.name AS owner, a.due_seconds, a.task
FROM action_items a JOIN agenda_items i ON i.board = a.board AND i.meeting = a.meeting AND i.motion = a.motion
JOIN agents g ON g.board = a.board AND g.id = a.owner
WHERE a.board = $1 AND a.meeting = ANY ($2::bigint[]) ORDER BY a.meeting, i.number, a.position
"""

ABSENCES = """
SELECT t.meeting, t.number, t.kind, t.round, g.name AS agent, t.ended_at
FROM meeting_turns t JOIN agents g ON g.board = t.board AND g.id = t.agent
WHERE t.board = $1 AND t.meeting = ANY ($2::bigint[]) AND t.outcome = $3 AND t.kind <> $4
ORDER BY t.meeting, t.number, t.item
"""

# What is asked now, and what comes after it: that has no deadline yet.
TURNS = """
SELECT t.meeting, t.number, t.round, t.kind, g.name AS agent, t.deadline
FROM meeting_turns t JOIN agents g ON g.board = t.board AND g.id = t.agent
WHERE t.board = $1 AND t.meeting = ANY ($2::bigint[]) AND t.ended_at IS NULL ORDER BY t.meeting, t.item
"""


async def list_meetings(
    tx: ReadTransaction, *, state: str | None = None, limit: int = 100, ids: Sequence[int] | None = None
) -> list[dict[str, Any]]:
    """The meetings of the board, the newest first: of one state, or all; with `ids` those alone. Raises `Invalid`."""
    tx.require(Right.READER)
    if not 1 <= limit <= MAX_SHOWN:
        raise Invalid(f"a list has 1 to {MAX_SHOWN:,} rows", remedy="choose a number in that range")
    if state is not None and state not in set(MeetingState):
        raise Invalid(f"{state[:40]!r} is no state of a meeting", remedy=f"one of: {', '.join(MeetingState)}")
    return [dict(row) for row in await tx.fetch(LIST, tx.board, state, limit, None if ids is None else list(ids))]


async def minutes(tx: ReadTransaction, *, meeting: int) -> dict[str, Any]:
    """The minutes of a meeting: its own fields, `seats`, `turns`, `agenda` and `markdown`. Raises `UnknownName`.

    Of a meeting that goes on, `turns` are those that are open, in their order: `{number, round, kind, agent, deadline}`
    (the number of the item); one that comes later has no deadline yet.
    Each item of the agenda has its `motion`, `statements`, `concerns`, `votes` (each with the `history` of its
    changes), `actions`, who was `absent`, and the `dissent`: who did not approve what was approved.
    """
    found = await list_minutes(tx, meetings=[meeting])
    if not found:
        message = f"there is no meeting {meeting} on this board"
        raise UnknownName(message, remedy="see `slate meeting list`", meeting=meeting)
    return {**found[0], "markdown": markdown(found[0])}


async def list_minutes(tx: ReadTransaction, *, meetings: Sequence[int]) -> list[dict[str, Any]]:
    """The minutes of up to 1,000 meetings, the newest first, without Markdown: `minutes` says what they are.

    Raises `Invalid`, `TooLarge` (10,000 statements, of more than one).
    """
    tx.require(Right.READER)
    if len(meetings) > MAX_SHOWN:
        raise Invalid(f"these are minutes of at most {MAX_SHOWN:,} meetings", remedy="ask for fewer at once")
    wanted = list(meetings)
    seats = _by("meeting", await tx.fetch(SEATS, tx.board, wanted))
    statements = await tx.fetch(STATEMENTS, tx.board, wanted, MAX_STATEMENTS)
    if len(statements) == MAX_STATEMENTS and len(wanted) > 1:
        message = f"more than {MAX_STATEMENTS:,} statements were made in these meetings"
        raise TooLarge(message, remedy="ask for the minutes of fewer at once")
    said = _by_item(statements)
    cast = _by_item(await tx.fetch(VOTES, tx.board, wanted))
    actions = _by_item(await tx.fetch(ACTIONS, tx.board, wanted))
    turns = _by("meeting", await tx.fetch(TURNS, tx.board, wanted))
    missed = _by_item(await tx.fetch(ABSENCES, tx.board, wanted, TurnEnd.ABSENT, TurnKind.JOIN))
    agenda: dict[int, list[dict[str, Any]]] = {}
    for one in await tx.fetch(AGENDA, tx.board, wanted):
        meeting, *row = dict(one).items()
        item = (meeting[1], one["number"])
        votes = _votes(cast.get(item, []))
        approved = one["outcome"] == "approved"
        agenda.setdefault(meeting[1], []).append({
            **dict(row),
            "statements": [said for said in said.get(item, []) if said["kind"] == "said"],
            "concerns": [said for said in said.get(item, []) if said["kind"] == "concern"],
            "votes": votes,
            "dissent": [vote for vote in votes if approved and vote["choice"] != "approve"],
            "actions": actions.get(item, []),
            "absent": sorted({one["agent"] for one in missed.get(item, [])}),
        })  # fmt: skip
    found: list[dict[str, Any]] = []
    for row in await tx.fetch(ONE, tx.board, wanted):
        one = {**dict(row), "meeting": row["id"], "reference": f"meeting:{row['id']}", "chair": row["chair_name"]}
        for name in ("board", "id", "chair_name", "organiser"):
            del one[name]
        parts = {"seats": seats, "turns": turns, "agenda": agenda}
        found.append({**one, **{name: rows.get(row["id"], []) for name, rows in parts.items()}})
    return found


def _by(name: str, rows: Sequence[Any]) -> dict[Any, list[dict[str, Any]]]:
    """Rows by the value of a column, without it."""
    return {
        key: [{column: value for column, value in row.items() if column != name} for row in some]
        for key, some in groupby(rows, key=lambda row: row[name])
    }


def _by_item(rows: Sequence[Any]) -> dict[tuple[int, int], list[dict[str, Any]]]:
    """Rows by their meeting and the number of its item."""
    return {
        (meeting, number): own for meeting, some in _by("meeting", rows).items()
        for number, own in _by("number", some).items()
    }  # fmt: skip


def _votes(changes: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The last vote of each seat, with all of its votes in order."""
    found: list[dict[str, Any]] = []
    for agent, some in groupby(changes, key=lambda one: one["agent"]):
        history = [{name: one[name] for name in ("choice", "rationale", "voted_at")} for one in some]
        found.append({"agent": agent, **history[-1], "history": history})
    return found


def markdown(found: Mapping[str, Any]) -> str:
    """The minutes as a Markdown document."""
    seats = [one for one in found["seats"] if one["seated"]] or found["seats"]
    lines = [f"# {_plain(found['title'])}", "", f"{found['reference']}, {found['state']}", ""]
    for name, at in (("Opened", found["opened_at"]), ("Ended", found["adjourned_at"])):
        if at is not None:
            lines.append(f"- {name}: {at:%Y-%m-%d %H:%M:%S %Z}")
    if found["ended_because"]:
        lines.append(f"- Because: {_plain(found['ended_because'])}")
    lines.append(f"- Chair: {found['chair'] or 'nobody yet'}")
    lines.append(f"- Seats: {', '.join(one['agent'] for one in seats)} (quorum {found['quorum']})")
    away = [one["agent"] for one in seats if one["seated"] and one["joined_at"] is None]
    if away:
        lines.append(f"- Never came: {', '.join(away)}")
    lines.append(f"- Decides by: {found['decision_model'].replace('_', ' ')}")
    lines += _now(found)
    for one in found["agenda"]:
        lines += _item(one)
    return "\n".join(lines) + "\n"


def _now(found: Mapping[str, Any]) -> list[str]:
    """Of a meeting that goes on: who is there, who is asked for what until when, and who comes after."""
    turns: list[Mapping[str, Any]] = [one for one in found["turns"] if one["kind"] != TurnKind.JOIN]
    if not turns:
        return []
    asked = [one for one in turns if one["deadline"] is not None]
    first = (asked or turns)[0]
    round_ = f", round {first['round']}" if first["round"] is not None else ""
    lines = [f"- Present: {', '.join(one['agent'] for one in found['seats'] if one['present']) or 'nobody'}"]
    if asked:
        until = max(one["deadline"] for one in asked)
        names = ", ".join(one["agent"] for one in asked)
        lines.append(f"- Now: item {first['number']}{round_}, {first['kind']}: {names}, until {until:%H:%M:%S %Z}")
    if then := [one["agent"] for one in turns if one["deadline"] is None]:
        lines.append(f"- Then: {', '.join(then)}")
    return lines


def _item(one: Mapping[str, Any]) -> list[str]:
    lines = ["", f"## {one['number']}. {_plain(one['title'])}", "", f"**{one['outcome'] or one['stage']}**"]
    if one["reason"]:
        lines[-1] += f": {_plain(one['reason'])}"
    if one["motion"] is not None:
        lines += ["", f"Motion of {one['proposed_by']}: {_plain(one['motion_text'])}"]
        if one["rationale"]:
            lines += ["", f"Rationale: {_plain(one['rationale'])}"]
    lines += _listed("Said", [f"{said['agent']}: {_plain(said['text'])}" for said in one["statements"]])
    lines += _listed("Concerns", [_concern(said) for said in one["concerns"]])
    lines += _listed("Votes", [_vote(vote) for vote in one["votes"]])
    lines += _listed("Dissent", [_vote(vote) for vote in one["dissent"]])
    lines += _listed("Absent", one["absent"])
    name = "Actions" if one["outcome"] == "approved" else "Proposed actions"
    lines += _listed(name, [
        f"{action['owner']}: {_plain(action['title'])}" + (f" (task {action['task']})" if action["task"] else "")
        for action in one["actions"]
    ])  # fmt: skip
    if one["decision_subject"]:
        lines += ["", f"Decision: {one['decision_subject']}"]
    return lines


def _listed(name: str, texts: Sequence[str]) -> list[str]:
    return ["", f"{name}:", "", *(f"- {text}" for text in texts)] if texts else []


def _concern(said: Mapping[str, Any]) -> str:
    settled = "open"
    if said["settled"]:
        settled = f"{said['settled']} by {said['settled_by']}: {_plain(said['settled_because'])}"
    return f"{said['agent']}: {_plain(said['text'])} ({settled})"


def _vote(vote: Mapping[str, Any]) -> str:
    reason = f": {_plain(vote['rationale'])}" if vote["rationale"] else ""
    before = [one["choice"] for one in vote["history"][:-1]]
    changed = f" (before: {', '.join(before)})" if before else ""
    return f"{vote['agent']}: {vote['choice']}{changed}{reason}"


def _plain(text: str) -> str:
    """A text on one line, in which no sign means anything to Markdown."""
    return SIGNS.sub(r"\\\1", " ".join(text.split()))
