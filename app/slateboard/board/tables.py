"""The tables of the board: what is wanted and known. Wide rows, written rarely; every key begins with the board.

An artifact has the id of the work item that first produces it, so that a dependency between two artifacts and a gate
between two items are one row.
"""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Sequence,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from slateboard.store.metadata import metadata

ids = Sequence("ids", metadata=metadata)

# A pattern that counts to 63 costs ten times as much for each row as this one and a length.
NAME = "name ~ '^[a-z0-9][a-z0-9_-]*$' AND length(name) <= 63"


def _created_at() -> Column[object]:
    return Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now())


boards = Table(
    "boards",
    metadata,
    Column("id", BigInteger, primary_key=True, server_default=ids.next_value()),
    Column("name", Text, nullable=False),
    Column("prefix", Text, nullable=False, server_default="genbrain"),
    _created_at(),
    Column("archived_at", DateTime(timezone=True)),
    UniqueConstraint("name", name="boards_name_key"),
    CheckConstraint(NAME, name="name"),
    CheckConstraint("prefix ~ '^[a-z0-9][a-z0-9_-]*$' AND length(prefix) <= 63", name="prefix"),
)

# What is left of a board that was deleted for good: enough to tell that from tampering.
deleted_boards = Table(
    "deleted_boards",
    metadata,
    Column("board", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    # Where its log ended.
    Column("position", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("actor", Text, nullable=False),
    Column("authenticated_by", Text, nullable=False),
    Column("deleted_at", DateTime(timezone=True), nullable=False),
    # When the last of its rows was gone.
    Column("emptied_at", DateTime(timezone=True)),
    Index("deleted_boards_name_idx", "name"),
)

agents = Table(
    "agents",
    metadata,
    Column("board", BigInteger, primary_key=True, autoincrement=False),
    Column("id", BigInteger, primary_key=True, server_default=ids.next_value()),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False, server_default="agent"),
    Column("role", Text, nullable=False, server_default=""),
    Column("capabilities", ARRAY(Text), nullable=False, server_default="{}"),
    Column("manager", BigInteger),
    Column("grant", Text, nullable=False, server_default="agent"),
    _created_at(),
    # Who may delegate to it: anybody where this is null, nobody where it is empty.
    Column("accepts_from", ARRAY(BigInteger)),
    # Whether it is invited to meetings.
    Column("availability", Text, nullable=False, server_default="always"),
    # The row stays when the agent goes: history names it.
    Column("removed_at", DateTime(timezone=True)),
    UniqueConstraint("board", "name", name="agents_board_name_key"),
    CheckConstraint(NAME, name="name"),
    CheckConstraint("kind IN ('agent', 'human', 'service')", name="kind"),
    CheckConstraint("\"grant\" IN ('reader', 'agent', 'operator', 'admin')", name="grant"),
    CheckConstraint("availability IN ('always', 'never')", name="availability"),
    ForeignKeyConstraint(["board"], ["boards.id"], name="agents_board_fkey"),
)

# When an agent was last heard of. No part of the log: it tells nothing of the work.
presence = Table(
    "presence",
    metadata,
    Column("board", BigInteger, primary_key=True, autoincrement=False),
    Column("agent", BigInteger, primary_key=True, autoincrement=False),
    # Its last call with its own credential, to within ten seconds.
    Column("seen_at", DateTime(timezone=True), nullable=False),
    # When a worker of it last said that it is there, and which one.
    Column("worker_seen_at", DateTime(timezone=True)),
    Column("worker", Text),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", BigInteger, primary_key=True, server_default=ids.next_value()),
    Column("board", BigInteger),
    Column("agent", BigInteger),
    Column("hash", LargeBinary, nullable=False),
    Column("expires_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
    _created_at(),
    UniqueConstraint("hash", name="tokens_hash_key"),
    CheckConstraint("(board IS NULL) = (agent IS NULL)", name="belongs_to_one_agent"),
)

pauses = Table(
    "pauses",
    metadata,
    Column("board", BigInteger, primary_key=True, autoincrement=False),
    Column("agent", BigInteger, primary_key=True, autoincrement=False),
    Column("reason", Text),
    Column("actor", Text, nullable=False),
    Column("paused_at", DateTime(timezone=True), nullable=False),
)

tasks = Table(
    "tasks",
    metadata,
    Column("board", BigInteger, primary_key=True, autoincrement=False),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("parent", BigInteger),
    Column("title", Text, nullable=False),
    Column("brief", Text, nullable=False, server_default=""),
    Column("agent", BigInteger),
    Column("delegator", BigInteger),
    Column("priority", Text, nullable=False, server_default="medium"),
    Column("due", DateTime(timezone=True)),
    Column("source", Text),
    Column("created_by", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("board", "name", name="tasks_board_name_key"),
    Index("tasks_board_parent_idx", "board", "parent"),
    CheckConstraint(NAME, name="name"),
    CheckConstraint("priority IN ('urgent', 'high', 'medium', 'low')", name="priority"),
)

# One row for each task that one agent gave to another.
delegations = Table(
    "delegations",
    metadata,
    Column("board", BigInteger, primary_key=True, autoincrement=False),
    Column("task", BigInteger, primary_key=True, autoincrement=False),
    Column("delegator", BigInteger, nullable=False),
    Column("agent", BigInteger, nullable=False),
    Column("state", Text, nullable=False, server_default="pending"),
    # What becomes of it where the agent is not heard of.
    Column("on_no_ack", Text, nullable=False, server_default="reassign_or_escalate"),
    Column("delegated_at", DateTime(timezone=True), nullable=False),
    Column("settled_at", DateTime(timezone=True)),
    # Why it was declined.
    Column("reason", Text),
    Index("delegations_pending_idx", "delegated_at", postgresql_where=text("state = 'pending'")),
    CheckConstraint("state IN ('pending', 'acknowledged', 'declined', 'unanswered')", name="state"),
    CheckConstraint("on_no_ack IN ('reassign_or_escalate', 'escalate')", name="on_no_ack"),
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("board", BigInteger, primary_key=True, autoincrement=False),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("task", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("brief", Text, nullable=False, server_default=""),
    Column("owner", BigInteger),
    Column("capability", Text),
    Column("path", Text),
    Column("newest_item", BigInteger, nullable=False),
    Column("stale_at", DateTime(timezone=True)),
    Column("stale_because", Text),
    Column("created_by", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    # What its work must keep to, null where there is nothing: see `work/rules.py`.
    Column("rules", JSONB),
    UniqueConstraint("board", "task", "name", name="artifacts_board_task_name_key"),
    Index("artifacts_stale_idx", "board", "id", postgresql_where=text("stale_at IS NOT NULL")),
    CheckConstraint(NAME, name="name"),
)

artifact_versions = Table(
    "artifact_versions",
    metadata,
    Column("board", BigInteger, primary_key=True, autoincrement=False),
    Column("artifact", BigInteger, primary_key=True, autoincrement=False),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("item", BigInteger),
    Column("fence", BigInteger),
    Column("author", Text, nullable=False),
    Column("path", Text),
    Column("uri", Text),
    Column("content", Text),
    Column("hash", Text),
    Column("size", BigInteger),
    Column("summary", Text),
    Column("created_at", DateTime(timezone=True), nullable=False),
    # What its author names to show that it is so: links, hashes, notes.
    Column("evidence", JSONB),
    # What undoes it, as its author said: the name of an action.
    Column("undo", Text),
    CheckConstraint("octet_length(content) <= 1048576", name="content_at_most_1_mib"),
)

dependencies = Table(
    "dependencies",
    metadata,
    Column("board", BigInteger, primary_key=True, autoincrement=False),
    Column("blocker", BigInteger, primary_key=True, autoincrement=False),
    Column("item", BigInteger, primary_key=True, autoincrement=False),
    # Whether the edge was counted into the item's gate: an edge to something already finished never was.
    Column("counted", Boolean, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Index("dependencies_board_item_idx", "board", "item"),
    CheckConstraint("blocker <> item", name="not_itself"),
)

decisions = Table(
    "decisions",
    metadata,
    Column("board", BigInteger, primary_key=True, autoincrement=False),
    Column("id", BigInteger, primary_key=True, server_default=ids.next_value()),
    Column("subject", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("decision", Text, nullable=False),
    Column("rationale", Text, nullable=False, server_default=""),
    Column("context", Text, nullable=False, server_default=""),
    Column("drivers", ARRAY(Text), nullable=False, server_default="{}"),
    Column("options", JSONB, nullable=False, server_default="[]"),
    Column("consequences", Text, nullable=False, server_default=""),
    Column("confirmation", Text, nullable=False, server_default=""),
    Column("agent", Text, nullable=False),
    Column("task", BigInteger),
    Column("supersedes", BigInteger),
    Column("decided_at", DateTime(timezone=True), nullable=False),
    Column("created_by", Text, nullable=False),
    Index("decisions_one_accepted_key", "board", "subject", unique=True, postgresql_where=text("status = 'accepted'")),
    CheckConstraint("status IN ('proposed', 'accepted', 'rejected', 'superseded')", name="status"),
)
