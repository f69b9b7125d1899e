"""The tables of the choreography: who hears of which events, and what was handed to whom.

A subscription's `cursor` and the deliveries it made are written in one transaction, so that no event is routed twice
or passed over, whatever crashes. A delivery is a work item like any other.
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
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from slateboard.board.tables import ids
from slateboard.patterns.meetings import tables as meetings
from slateboard.patterns.peers import tables as peers
from slateboard.store.metadata import metadata

__all__ = ["meetings", "peers"]  # which the metadata has with those of this module


def _board() -> Column[int]:
    return Column("board", BigInteger, primary_key=True, autoincrement=False)


subscriptions = Table(
    "subscriptions",
    metadata,
    _board(),
    Column("id", BigInteger, primary_key=True, autoincrement=False, server_default=ids.next_value()),
    Column("name", Text, nullable=False),
    # Any of them; for `all_of` each must be met by an event of one correlation.
    Column("patterns", ARRAY(Text), nullable=False),
    Column("all_of", Boolean, nullable=False, server_default="false"),
    Column("filter", Text),
    Column("agent", BigInteger, nullable=False),
    Column("action", Text, nullable=False),
    # A JSON path to a key: deliveries of one key are claimed one after the other.
    Column("ordered_by", Text),
    Column("priority", Text, nullable=False, server_default="medium"),
    Column("cursor", BigInteger, nullable=False),
    # Rewound so often: each position is delivered once a round.
    Column("round", Integer, nullable=False, server_default="0"),
    Column("paused_because", Text),
    Column("paused_at", DateTime(timezone=True)),
    Column("source", Text),
    Column("created_by", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("board", "name", name="subscriptions_board_name_key"),
    CheckConstraint("cardinality(patterns) BETWEEN 1 AND 16", name="patterns"),
    CheckConstraint("(paused_at IS NULL) = (paused_because IS NULL)", name="paused"),
)

deliveries = Table(
    "deliveries",
    metadata,
    _board(),
    Column("item", BigInteger, primary_key=True, autoincrement=False),
    Column("subscription", BigInteger, nullable=False),
    Column("round", Integer, nullable=False),
    Column("position", BigInteger, nullable=False),
    # Of `all_of`: every event that it waited for; else the one.
    Column("positions", ARRAY(BigInteger), nullable=False),
    Column("correlation", Text, nullable=False),
    Column("key", Text),
    UniqueConstraint("board", "subscription", "round", "position", name="deliveries_once_key"),
    Index("deliveries_board_position_idx", "board", "position"),
    Index("deliveries_board_correlation_idx", "board", "correlation"),
    Index(
        "deliveries_board_subscription_key_idx",
        "board",
        "subscription",
        "key",
        "item",
        postgresql_where=text("key IS NOT NULL"),
    ),
)

gatherings = Table(
    "gatherings",
    metadata,
    _board(),
    Column("subscription", BigInteger, primary_key=True, autoincrement=False),
    Column("correlation", Text, primary_key=True),
    # The position of the event that met each pattern, 0 where it is still awaited.
    Column("positions", ARRAY(BigInteger), nullable=False),
    # When the last of them came.
    Column("gathered_at", DateTime(timezone=True), nullable=False),
)

chains = Table(
    "chains",
    metadata,
    _board(),
    Column("correlation", Text, primary_key=True),
    Column("deliveries", Integer, nullable=False),
    # The subscriptions for which it ran away: nothing more of it is delivered to them.
    Column("stopped", ARRAY(BigInteger), nullable=False, server_default="{}"),
    # The last time.
    Column("delivered_at", DateTime(timezone=True), nullable=False),
)

event_waits = Table(
    "event_waits",
    metadata,
    _board(),
    Column("item", BigInteger, primary_key=True, autoincrement=False),
    # Without one only time ends the wait.
    Column("pattern", Text),
    Column("filter", Text),
    # Looked at up to here; at first, up to the claim under which the wait began.
    Column("after_position", BigInteger, nullable=False),
    Column("deadline", DateTime(timezone=True), nullable=False),
    # The event that ended it; with an `ended_at` and no position its time ran out.
    Column("position", BigInteger),
    Column("error", Text),
    Column("ended_at", DateTime(timezone=True)),
    Index(
        "event_waits_board_after_position_idx",
        "board",
        "after_position",
        postgresql_where=text("ended_at IS NULL AND pattern IS NOT NULL"),
    ),
    Index("event_waits_deadline_idx", "deadline", postgresql_where=text("ended_at IS NULL")),
)

schedules = Table(
    "schedules",
    metadata,
    _board(),
    Column("name", Text, primary_key=True),
    Column("cron", Text, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("next_at", DateTime(timezone=True), nullable=False),
    Column("source", Text),
    Column("created_by", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Index("schedules_next_at_idx", "next_at"),
)

published_ids = Table(
    "published_ids",
    metadata,
    _board(),
    Column("id", Text, primary_key=True),
    Column("event", BigInteger, nullable=False),
    Column("correlation", Text, nullable=False),
    Column("published_at", DateTime(timezone=True), nullable=False),
    Index("published_ids_published_at_idx", "published_at"),
)

# What somebody named must answer: a question of an attempt, or what is to become of something that failed. It has the
# id of the duty in its owner's inbox. Open as long as that is unfinished.
escalations = Table(
    "escalations",
    metadata,
    _board(),
    Column("item", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    # The item that waits for the answer, if one does.
    Column("about", BigInteger),
    Column("reference", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("owner", BigInteger, nullable=False),
    Column("level", SmallInteger, nullable=False, server_default="0"),
    Column("deadline", DateTime(timezone=True), nullable=False),
    Column("seconds", Double, nullable=False),
    Column("question", Text, nullable=False),
    Column("options", ARRAY(Text), nullable=False, server_default="{}"),
    Column("default_answer", Text),
    Column("asked_by", Text, nullable=False),
    Column("asked_at", DateTime(timezone=True), nullable=False),
    Column("answer", Text),
    Column("answered_by", Text),
    Column("answered_at", DateTime(timezone=True)),
    CheckConstraint("(answered_at IS NULL) = (answered_by IS NULL)", name="answered"),
    CheckConstraint("level BETWEEN 0 AND 2", name="level"),
    Index("escalations_deadline_idx", "deadline", postgresql_where=text("answered_at IS NULL")),
    Index("escalations_about_idx", "board", "about"),
    # Those of one kind about one thing, to raise none twice.
    Index("escalations_kind_idx", "board", "kind", "reference", "asked_at"),
    Index("escalations_open_idx", "board", "deadline", "item", postgresql_where=text("answered_at IS NULL")),
)

# Who judges which version. It has the id of the duty in the verifier's inbox; the verdict is on this version and hash.
# A version that stands here without an approval is not the newest to anybody who reads the artifact.
verifications = Table(
    "verifications",
    metadata,
    _board(),
    Column("item", BigInteger, primary_key=True, autoincrement=False),
    # The item that produced the version, and waits for the verdict.
    Column("about", BigInteger, nullable=False),
    Column("artifact", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    Column("hash", Text),
    Column("reference", Text, nullable=False),
    # The agent that produced it, which never judges it.
    Column("author", BigInteger, nullable=False),
    Column("verifier", BigInteger, nullable=False),
    Column("level", SmallInteger, nullable=False, server_default="0"),
    Column("criteria", Text),
    Column("deadline", DateTime(timezone=True), nullable=False),
    Column("asked_at", DateTime(timezone=True), nullable=False),
    Column("verdict", Text),
    Column("reason", Text),
    Column("judged_by", Text),
    Column("judged_at", DateTime(timezone=True)),
    CheckConstraint("verdict IN ('approved', 'rejected')", name="verdict"),
    CheckConstraint("(judged_at IS NULL) = (verdict IS NULL)", name="judged"),
    CheckConstraint("verifier <> author", name="not_by_the_author"),
    CheckConstraint("verdict <> 'rejected' OR reason IS NOT NULL", name="reason"),
    CheckConstraint("level BETWEEN 0 AND 2", name="level"),
    UniqueConstraint("board", "artifact", "version", name="verifications_version_key"),
    Index("verifications_about_idx", "board", "about"),
    Index("verifications_deadline_idx", "deadline", postgresql_where=text("verdict IS NULL")),
)

# What undoes a completed step, by the step's name: an artifact's, whatever its task.
compensation_rules = Table(
    "compensation_rules",
    metadata,
    _board(),
    Column("step", Text, primary_key=True),
    Column("action", Text, nullable=False),
    # Who undoes it; without one, who owns the step.
    Column("agent", BigInteger),
    Column("irreversible", Boolean, nullable=False, server_default="false"),
    Column("source", Text),
    Column("created_by", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
)

# How far the log of a board was looked through for tasks that failed; no row where nothing can be undone.
compensation_cursors = Table(
    "compensation_cursors",
    metadata,
    _board(),
    Column("position", BigInteger, nullable=False),
)

# What became of the steps of tasks that failed. It has the id of the duty that undoes the version; one whose effect is
# unknown has no duty, and the id of the item that was begun.
compensations = Table(
    "compensations",
    metadata,
    _board(),
    Column("item", BigInteger, primary_key=True, autoincrement=False),
    Column("artifact", BigInteger, nullable=False),
    # The item that was the step.
    Column("step_item", BigInteger, nullable=False),
    Column("task", BigInteger, nullable=False),
    Column("version", Integer),
    Column("reference", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("inbox", BigInteger, nullable=False),
    # The escalation that asks about it, the last one.
    Column("question", BigInteger),
    Column("because", Text, nullable=False),
    Column("outcome", Text),
    Column("posted_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True)),
    CheckConstraint("outcome IN ('undone', 'left', 'unknown')", name="outcome"),
    UniqueConstraint("board", "artifact", "version", name="compensations_version_key"),
    Index("compensations_task_idx", "board", "task"),
    Index("compensations_question_idx", "board", "question", postgresql_where=text("question IS NOT NULL")),
)
