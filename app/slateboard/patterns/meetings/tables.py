"""The tables of meetings. Everything that a meeting asks of a seat is a duty, and stands here under the duty's id.

The database keeps what must never be false: a seat votes once, only a seat votes, an action item has one owner, and an
item of the agenda is closed with an outcome.
"""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKeyConstraint,
    Index,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from slateboard.board.tables import ids
from slateboard.store.metadata import metadata


def _board() -> Column[int]:
    return Column("board", BigInteger, primary_key=True, autoincrement=False)


def _meeting(*, key: bool = True) -> Column[int]:
    return Column("meeting", BigInteger, primary_key=key, nullable=False, autoincrement=False)


def _id() -> Column[int]:
    return Column("id", BigInteger, primary_key=True, autoincrement=False, server_default=ids.next_value())


def _time(name: str, *, nullable: bool = True) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


meetings = Table(
    "meetings",
    metadata,
    _board(),
    _id(),
    Column("title", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("scheduled_by", Text, nullable=False),
    # Who scheduled it, if that is an agent.
    Column("organiser", BigInteger),
    Column("chair", BigInteger),
    Column("decision_required", Boolean, nullable=False),
    Column("max_seconds", Double, nullable=False),
    Column("quorum", SmallInteger, nullable=False),
    Column("decision_model", Text, nullable=False),
    Column("veto_roles", ARRAY(Text), nullable=False, server_default="{}"),
    Column("turn_seconds", Double, nullable=False),
    Column("vote_seconds", Double, nullable=False),
    Column("source", Text),
    _time("starts_at", nullable=False),
    # Until when it waits for those who are to come.
    _time("waits_until"),
    Column("moves", SmallInteger, nullable=False, server_default="0"),
    Column("escalation", BigInteger),
    _time("opened_at"),
    _time("ends_at"),
    _time("adjourned_at"),
    Column("ended_because", Text),
    _time("scheduled_at", nullable=False),
    CheckConstraint("state IN ('scheduled', 'waiting', 'escalated', 'open', 'adjourned', 'cancelled')", name="state"),
    CheckConstraint("decision_model IN ('majority', 'unanimous', 'majority_with_veto')", name="decision_model"),
    CheckConstraint("max_seconds > 0 AND turn_seconds > 0 AND vote_seconds > 0 AND quorum > 0", name="positive"),
    CheckConstraint("moves BETWEEN 0 AND 1", name="moves"),
    CheckConstraint("(opened_at IS NULL) = (ends_at IS NULL)", name="opened"),
    CheckConstraint("(state IN ('adjourned', 'cancelled')) = (adjourned_at IS NOT NULL)", name="adjourned"),
    Index("meetings_source_key", "board", "source", unique=True, postgresql_where=text("source IS NOT NULL")),
    Index("meetings_starts_at_idx", "starts_at", postgresql_where=text("state = 'scheduled'")),
    Index("meetings_waits_until_idx", "waits_until", postgresql_where=text("state = 'waiting'")),
    Index("meetings_ends_at_idx", "ends_at", postgresql_where=text("state = 'open'")),
)

# Who is invited. Who is `seated` is fixed when it opens; `present` is who is there now.
meeting_seats = Table(
    "meeting_seats",
    metadata,
    _board(),
    _meeting(),
    Column("agent", BigInteger, primary_key=True, autoincrement=False),
    Column("position", SmallInteger, nullable=False),
    Column("required", Boolean, nullable=False),
    Column("seated", Boolean, nullable=False, server_default="false"),
    Column("present", Boolean, nullable=False, server_default="false"),
    Column("may_veto", Boolean, nullable=False, server_default="false"),
    _time("joined_at"),
    UniqueConstraint("board", "meeting", "agent", "seated", name="meeting_seats_seated_key"),
)

agenda_items = Table(
    "agenda_items",
    metadata,
    _board(),
    _meeting(),
    Column("number", SmallInteger, primary_key=True, autoincrement=False),
    Column("title", Text, nullable=False),
    Column("stage", Text, nullable=False, server_default="pending"),
    Column("round", SmallInteger, nullable=False, server_default="0"),
    # The motion that stands: the last that was proposed.
    Column("motion", BigInteger),
    Column("outcome", Text),
    Column("reason", Text),
    Column("decision", BigInteger),
    _time("opened_at"),
    _time("closed_at"),
    CheckConstraint("stage IN ('pending', 'discussing', 'voting', 'closed')", name="stage"),
    CheckConstraint("outcome IN ('approved', 'rejected', 'vetoed', 'deferred')", name="outcome"),
    CheckConstraint("(stage = 'closed') = (outcome IS NOT NULL AND closed_at IS NOT NULL)", name="closed"),
    CheckConstraint("round BETWEEN 0 AND 3", name="round"),
    CheckConstraint("outcome = 'deferred' OR outcome IS NULL OR motion IS NOT NULL", name="motion"),
    CheckConstraint("decision IS NULL OR outcome = 'approved'", name="decision"),
)

# What was asked of a seat. It has the id of the duty in its inbox.
meeting_turns = Table(
    "meeting_turns",
    metadata,
    _board(),
    Column("item", BigInteger, primary_key=True, autoincrement=False),
    _meeting(key=False),
    Column("number", SmallInteger),
    Column("round", SmallInteger),
    Column("agent", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    # None while others come first, and for who may come whenever it wants to.
    _time("deadline"),
    Column("outcome", Text),
    _time("ended_at"),
    CheckConstraint("kind IN ('join', 'turn', 'motion', 'concerns', 'vote')", name="kind"),
    CheckConstraint("outcome IN ('joined', 'spoke', 'passed', 'voted', 'absent', 'withdrawn')", name="outcome"),
    CheckConstraint("(outcome IS NULL) = (ended_at IS NULL)", name="ended"),
    Index("meeting_turns_meeting_idx", "board", "meeting", "item"),
    Index("meeting_turns_deadline_idx", "deadline", postgresql_where=text("ended_at IS NULL AND kind <> 'join'")),
)

# What was said, and what concerns were raised; a concern is settled by name.
statements = Table(
    "statements",
    metadata,
    _board(),
    _id(),
    _meeting(key=False),
    Column("number", SmallInteger, nullable=False),
    Column("round", SmallInteger, nullable=False),
    Column("agent", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("text", Text, nullable=False),
    _time("said_at", nullable=False),
    Column("settled", Text),
    Column("settled_by", Text),
    Column("settled_because", Text),
    _time("settled_at"),
    CheckConstraint("kind IN ('said', 'concern')", name="kind"),
    CheckConstraint("settled IN ('resolved', 'overruled')", name="settled"),
    CheckConstraint("settled IS NULL OR kind = 'concern' AND settled_by IS NOT NULL", name="concern"),
    Index("statements_meeting_idx", "board", "meeting", "number", "id"),
)

motions = Table(
    "motions",
    metadata,
    _board(),
    _id(),
    _meeting(key=False),
    Column("number", SmallInteger, nullable=False),
    Column("agent", BigInteger, nullable=False),
    Column("text", Text, nullable=False),
    Column("rationale", Text, nullable=False),
    Column("subject", Text),
    _time("proposed_at", nullable=False),
    Index("motions_meeting_idx", "board", "meeting", "number", "id"),
)

# What is to be done if the motion is carried; it is a task from then on.
action_items = Table(
    "action_items",
    metadata,
    _board(),
    _id(),
    _meeting(key=False),
    Column("motion", BigInteger, nullable=False),
    Column("position", SmallInteger, nullable=False),
    Column("title", Text, nullable=False),
    Column("brief", Text, nullable=False),
    Column("owner", BigInteger, nullable=False),
    Column("due_seconds", Double),
    Column("task", Text),
    UniqueConstraint("board", "motion", "position", name="action_items_position_key"),
    Index("action_items_meeting_idx", "board", "meeting", "id"),
)

# One seat, one vote; what it said before is in `vote_changes`.
votes = Table(
    "votes",
    metadata,
    _board(),
    _meeting(),
    Column("number", SmallInteger, primary_key=True, autoincrement=False),
    Column("agent", BigInteger, primary_key=True, autoincrement=False),
    Column("seated", Boolean, nullable=False, server_default="true"),
    Column("choice", Text, nullable=False),
    Column("rationale", Text, nullable=False),
    Column("changes", SmallInteger, nullable=False, server_default="0"),
    _time("voted_at", nullable=False),
    CheckConstraint("choice IN ('approve', 'reject', 'abstain', 'veto')", name="choice"),
    CheckConstraint("seated", name="seated"),
    ForeignKeyConstraint(
        ["board", "meeting", "agent", "seated"],
        ["meeting_seats.board", "meeting_seats.meeting", "meeting_seats.agent", "meeting_seats.seated"],
        name="votes_seat_fkey",
        ondelete="CASCADE",
    ),
)

vote_changes = Table(
    "vote_changes",
    metadata,
    _board(),
    _meeting(),
    Column("number", SmallInteger, primary_key=True, autoincrement=False),
    Column("agent", BigInteger, primary_key=True, autoincrement=False),
    Column("change", SmallInteger, primary_key=True, autoincrement=False),
    Column("choice", Text, nullable=False),
    Column("rationale", Text, nullable=False),
    _time("voted_at", nullable=False),
)
