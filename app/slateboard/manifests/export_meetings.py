"""Meetings that are still to be held, as manifests. What was held, or cancelled, is history and stays where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.manifests.export_page import Manifest, Notes, moment, number
from slateboard.manifests.meeting import BY_HAND_COLUMNS
from slateboard.protocol.meetings import TURN_SECONDS, DecisionModel, MeetingState
from slateboard.protocol.names import slug

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from slateboard.transaction import Statement

AT_ONCE = 200
"""Meetings that are read at a time."""
MOST_NAMES = 1_000
"""Meetings of one title that are told apart by a number."""

MEETINGS = f"""
SELECT m.id, m.state, m.source, {BY_HAND_COLUMNS}, m.starts_at, c.name AS chair, m.turn_seconds, m.vote_seconds,
       ARRAY(SELECT u.name FROM meeting_seats s JOIN agents u ON u.board = s.board AND u.id = s.agent
             WHERE s.board = m.board AND s.meeting = m.id AND (u.availability = 'never' OR u.removed_at IS NOT NULL))
           AS unfit,
       ARRAY(SELECT w FROM meeting_seats s JOIN agents u ON u.board = s.board AND u.id = s.agent,
             unnest(ARRAY[u.role, u.name]) AS w WHERE s.board = m.board AND s.meeting = m.id) AS roles
FROM meetings m LEFT JOIN agents c ON c.board = m.board AND c.id = m.chair
WHERE m.board = $1 AND m.id > $2 AND m.state IN ('scheduled', 'waiting') ORDER BY m.id LIMIT {AT_ONCE}
"""

HELD = "SELECT count(*) FROM meetings WHERE board = $1 AND state NOT IN ('scheduled', 'waiting')"
NAMED = "SELECT substr(source, 9) AS name FROM meetings WHERE board = $1 AND source LIKE 'Meeting/%'"
TITLES = """
SELECT title FROM meetings WHERE board = $1 AND source IS NULL AND id < $2 AND state IN ('scheduled', 'waiting')
"""

UNFIT = "meetings that no manifest can hold (parts of minutes or seconds, or somebody who takes part in none), left out"


async def meetings(tx: Statement, notes: Notes, after: int, name: str | None) -> AsyncGenerator[Manifest]:
    """The meetings to be held, in the order in which they were scheduled."""
    if not after and (held := await tx.fetchval(HELD, tx.board)):
        notes.add(f"{held:,} meetings were opened, held or cancelled: they are history, and left out")
    taken = {row["name"] for row in await tx.fetch(NAMED, tx.board)}
    for row in await tx.fetch(TITLES, tx.board, after + 1):
        taken.add(_free(row["title"], taken))
    while rows := await tx.fetch(MEETINGS, tx.board, after):
        for row in rows:
            said = (row["source"] or "").partition("/")[2] or _free(row["title"], taken)
            taken.add(said)
            spec = _spec(row)
            if spec is None:
                notes.add(UNFIT, said)
            elif name in {None, said}:
                yield Manifest("Meeting", said, str(row["id"]), spec, 1)
        after = rows[-1]["id"]


def _free(title: str, taken: set[str]) -> str:
    """A name for a meeting that has none: its title's, with a number where another one has it."""
    name = slug(title)
    names = (name if number_ == 1 else f"{name[:58]}-{number_}" for number_ in range(1, MOST_NAMES))
    return next((one for one in names if one not in taken), name)


def _spec(row: Any) -> dict[str, Any] | None:
    lengths = [number(row[key]) for key in ("max_duration_minutes", "turn_seconds", "vote_seconds")]
    strangers = set(row["veto_roles"]) - set(row["roles"])
    if not all(isinstance(one, int) for one in lengths) or row["unfit"] or strangers:
        return None
    minutes, turn, vote = lengths
    return {
        "title": row["title"],
        "participants": list(row["participants"]),
        "optional": list(row["optional"]) or None,
        "agenda": list(row["agenda"]),
        "starts_at": moment(row["starts_at"]) if row["state"] == MeetingState.SCHEDULED else None,
        "max_duration_minutes": minutes,
        "decision_required": row["decision_required"],
        "quorum": row["quorum"],
        "decision_model": None if row["decision_model"] == DecisionModel.MAJORITY else row["decision_model"],
        "veto_roles": list(row["veto_roles"]) or None,
        "chair": row["chair"],
        "turn_seconds": None if turn == TURN_SECONDS else turn,
        "vote_seconds": None if vote == TURN_SECONDS else vote,
    }
