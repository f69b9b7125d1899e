"""The tables of the queue: narrow rows that churn. An unfinished item stands in exactly one of `gates`, `scheduled`,
`ready` and `leases`; a finished one has an `outcome`. No foreign keys here: `item_places` and the invariant check
watch what they would have watched.
Long because a queue of narrow tables has many of them, and they are read beside each other.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    Index,
    Integer,
    LargeBinary,
    Sequence,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from slateboard.board.tables import ids
from slateboard.store.metadata import metadata

fences = Sequence("fences", metadata=metadata)

CHURN = {
    "autovacuum_vacuum_scale_factor": 0.2,
    "autovacuum_vacuum_threshold": 5000,
    "autovacuum_analyze_threshold": 10000,
}


def _board() -> Column[int]:
    return Column("board", BigInteger, primary_key=True, autoincrement=False)


def _item() -> Column[int]:
    return Column("item", BigInteger, primary_key=True, autoincrement=False)


def _item_of() -> Column[int]:
    return Column("item", BigInteger, nullable=False)


open_inboxes = Table(
    "open_inboxes",
    metadata,
    _board(),
    Column("capability", Text, primary_key=True),
    Column("id", BigInteger, nullable=False, server_default=ids.next_value()),
)

work_items = Table(
    "work_items",
    metadata,
    _board(),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("artifact", BigInteger),
    Column("revision", SmallInteger, nullable=False, server_default="0"),
    Column("reference", Text, nullable=False),
    Column("inbox", BigInteger, nullable=False),
    Column("base_rating", Integer, nullable=False),
    Column("pinned_rating", Integer),
    Column("due", DateTime(timezone=True)),
    Column("run_at", DateTime(timezone=True)),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("failures", SmallInteger, nullable=False, server_default="0"),
    Column("interruptions", SmallInteger, nullable=False, server_default="0"),
    Column("max_attempts", SmallInteger, nullable=False, server_default="4"),
    Column("outcome", Text),
    Column("finished_at", DateTime(timezone=True)),
    Column("correlation", Text),
    # How many deliveries led to it, one after the other.
    Column("depth", SmallInteger, nullable=False, server_default="0"),
    Column("last_error", Text),
    Column("created_at", DateTime(timezone=True), nullable=False),
    # A claim of it looks at what it may use; its finish is not its end by itself (`work/hooks.py`).
    Column("guarded", Boolean, nullable=False, server_default="false"),
    Column("hooked", Boolean, nullable=False, server_default="false"),
    CheckConstraint("outcome IN ('done', 'dead', 'cancelled')", name="outcome"),
    CheckConstraint("(outcome IS NULL) = (finished_at IS NULL)", name="finished_at"),
    CheckConstraint("max_attempts BETWEEN 1 AND 100", name="max_attempts"),
    # Half of a page is left for what is completed in it, so that no completion writes an index.
    postgresql_with={"fillfactor": 50},
)

gates = Table(
    "gates",
    metadata,
    _board(),
    _item(),
    Column("remaining", Integer, nullable=False),
    postgresql_with={"fillfactor": 50, **CHURN},
)

# Why a gated item waits for somebody: who must act, and by when. `on_item` is the duty that its gate counts.
waiting = Table(
    "waiting",
    metadata,
    _board(),
    _item(),
    Column("owner", BigInteger, nullable=False),
    Column("deadline", DateTime(timezone=True), nullable=False),
    Column("on_item", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
    CheckConstraint("reason IN ('question', 'review')", name="reason"),
    Index("waiting_board_on_item_idx", "board", "on_item"),
)

ready = Table(
    "ready",
    metadata,
    _board(),
    Column("inbox", BigInteger, primary_key=True, autoincrement=False),
    Column("rank", Integer, primary_key=True, autoincrement=False),
    _item(),
    UniqueConstraint("board", "item", name="ready_board_item_key"),
    postgresql_with=CHURN,
)

scheduled = Table(
    "scheduled",
    metadata,
    _board(),
    _item(),
    Column("run_at", DateTime(timezone=True), nullable=False),
    Column("unblocked", Boolean, nullable=False, server_default="false"),
    Index("scheduled_run_at_idx", "run_at"),
    postgresql_with=CHURN,
)

# The order of the columns is the order of `finish.sql`, which reads whole rows of it.
leases = Table(
    "leases",
    metadata,
    _board(),
    _item(),
    Column("fence", BigInteger, nullable=False),
    Column("agent", BigInteger, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("lease_seconds", Double, nullable=False),
    Column("claimed_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("cause", BigInteger, nullable=False),
    Column("percent", SmallInteger),
    Column("worker", Text, nullable=False),
    Column("progress", Text),
    # When it last changed its report or kept a checkpoint; and when it was last told that it does not.
    Column("progressed_at", DateTime(timezone=True)),
    Column("stalled_at", DateTime(timezone=True)),
    Column("hooked", Boolean, nullable=False, server_default="false"),
    CheckConstraint("lease_seconds > 0 AND lease_seconds <= 86400", name="lease_seconds"),
    CheckConstraint("percent BETWEEN 0 AND 100", name="percent"),
    postgresql_with={"fillfactor": 60, **CHURN},
)

checkpoints = Table(
    "checkpoints",
    metadata,
    _board(),
    _item(),
    Column("fence", BigInteger, nullable=False),
    Column("data", Text),
    Column("note", Text),
    Column("kept_at", DateTime(timezone=True), nullable=False),
)

# The kept attempt is also the receipt of its finish: `digest` answers a finish that is repeated.
attempts = Table(
    "attempts",
    metadata,
    _board(),
    _item(),
    Column("fence", BigInteger, primary_key=True, autoincrement=False),
    Column("ended_at", DateTime(timezone=True), primary_key=True),
    Column("attempt", Integer, nullable=False),
    Column("agent", BigInteger, nullable=False),
    Column("worker", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("class", Text),
    Column("error", Text),
    Column("note", Text),
    Column("usage", JSONB),
    Column("digest", LargeBinary),
    Column("started_at", DateTime(timezone=True), nullable=False),
    CheckConstraint(
        "outcome IN ('completed', 'failed', 'released', 'blocked', 'interrupted', 'cancelled')", name="outcome"
    ),
    CheckConstraint("class IN ('transient', 'infrastructure', 'validation', 'logic')", name="class"),
    postgresql_partition_by="RANGE (ended_at)",
)

dead_letters = Table(
    "dead_letters",
    metadata,
    _board(),
    _item(),
    Column("agent", BigInteger),
    Column("class", Text, nullable=False),
    Column("error", Text),
    Column("died_at", DateTime(timezone=True), nullable=False),
    Index("dead_letters_board_died_at_idx", "board", "died_at"),
    Index("dead_letters_agent_idx", "board", "agent", "died_at"),
)

# How many items in a row an agent has failed; a breaker that is not closed has a row here, too.
failure_runs = Table(
    "failure_runs",
    metadata,
    _board(),
    Column("agent", BigInteger, primary_key=True, autoincrement=False),
    Column("failed", Integer, nullable=False),
)

# The breakers that are not closed. `until` is when a probe may go through; `probe_*` is its claim while it runs.
circuit_breakers = Table(
    "circuit_breakers",
    metadata,
    _board(),
    Column("agent", BigInteger, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("fallback", Text, nullable=False),
    Column("substitute", BigInteger),
    Column("recovery_seconds", Double, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
    Column("until", DateTime(timezone=True), nullable=False),
    Column("probe_item", BigInteger),
    Column("probe_fence", BigInteger),
    Column("escalation", BigInteger),
    CheckConstraint("state IN ('open', 'half_open')", name="state"),
    CheckConstraint("(state = 'half_open') = (probe_fence IS NOT NULL)", name="probe"),
    Index("circuit_breakers_substitute_idx", "board", "substitute", postgresql_where=text("substitute IS NOT NULL")),
)

# The rules of an agent's breaker, or with agent 0 of all that have none of their own.
breaker_settings = Table(
    "breaker_settings",
    metadata,
    _board(),
    Column("agent", BigInteger, primary_key=True, autoincrement=False),
    Column("failure_threshold", Integer, nullable=False),
    Column("recovery_seconds", Double, nullable=False),
    Column("fallback", Text, nullable=False),
    Column("substitute", BigInteger),
    Column("source", Text),
    CheckConstraint("failure_threshold BETWEEN 1 AND 1000", name="failure_threshold"),
    CheckConstraint("recovery_seconds > 0 AND recovery_seconds <= 2592000", name="recovery_seconds"),
    CheckConstraint(
        "fallback IN ('escalate_to_human', 'queue_for_retry', 'proceed_with_warning', 'reassign')", name="fallback"
    ),
    CheckConstraint("(fallback = 'reassign') = (substitute IS NOT NULL)", name="substitute"),
    CheckConstraint("substitute <> agent", name="not_itself"),
)

# What is left of a fan-out of more than 1,000: the dependents after `after_item` still count this blocker.
unlocks = Table(
    "unlocks",
    metadata,
    _board(),
    Column("blocker", BigInteger, primary_key=True, autoincrement=False),
    Column("after_item", BigInteger, nullable=False),
)

# When the rating of a waiting item changes by itself; rows exist only for items that are due some time.
rating_changes = Table(
    "rating_changes",
    metadata,
    _board(),
    _item(),
    Column("changes_at", DateTime(timezone=True), primary_key=True),
    Column("unblocked", Boolean, nullable=False),
    Index("rating_changes_changes_at_idx", "changes_at"),
)

# When an unfinished item is to be told of for its `due`. What ends before leaves its marks, which then say nothing.
due_marks = Table(
    "due_marks",
    metadata,
    _board(),
    _item(),
    Column("mark", Text, primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    CheckConstraint("mark IN ('due_soon', 'overdue')", name="mark"),
    Index("due_marks_at_idx", "at"),
)

leaders = Table(
    "leaders",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
)

# What attempts used: never changed. Number 0 of a fence is what its end said, the others what it said while it ran.
usage_ledger = Table(
    "usage_ledger",
    metadata,
    _board(),
    Column("fence", BigInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    _item_of(),
    Column("agent", BigInteger, nullable=False),
    # Of the artifact that was worked on; null for duties and deliveries.
    Column("task", BigInteger),
    Column("input_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cost", Double, nullable=False),
    Column("model", Text),
    Column("reported_at", DateTime(timezone=True), nullable=False),
    CheckConstraint(
        "input_tokens >= 0 AND cached_tokens >= 0 AND output_tokens >= 0 AND cost >= 0", name="not_negative"
    ),
    Index("usage_ledger_board_agent_idx", "board", "agent"),
    Index("usage_ledger_board_task_idx", "board", "task"),
)

# How much may be used: by an agent, by a task with all below it, or (both 0) by the board.
budgets = Table(
    "budgets",
    metadata,
    _board(),
    Column("agent", BigInteger, primary_key=True, autoincrement=False),
    Column("task", BigInteger, primary_key=True, autoincrement=False),
    Column("tokens", BigInteger),
    Column("cost", Double),
    Column("warned_at", DateTime(timezone=True)),
    # Since when nothing more is claimed.
    Column("exhausted_at", DateTime(timezone=True)),
    Column("set_by", Text, nullable=False),
    Column("set_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("tokens IS NOT NULL OR cost IS NOT NULL", name="limited"),
    CheckConstraint("tokens > 0 AND cost > 0", name="positive"),
    CheckConstraint("agent = 0 OR task = 0", name="of_one"),
)

# How many items at once, or how many starts in so many seconds: of an agent, a capability, or a key of artifacts.
limits = Table(
    "limits",
    metadata,
    _board(),
    Column("scope", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    # The inbox of the agent or of the capability, 0 for a key.
    Column("inbox", BigInteger, nullable=False),
    Column("concurrency", Integer),
    Column("rate", Integer),
    Column("per_seconds", Double),
    # What is left in the bucket, as of then.
    Column("tokens", Double, nullable=False),
    Column("filled_at", DateTime(timezone=True), nullable=False),
    Column("set_by", Text, nullable=False),
    Column("set_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("scope IN ('agent', 'capability', 'key')", name="scope"),
    CheckConstraint("(rate IS NULL) = (per_seconds IS NULL)", name="rate"),
    CheckConstraint("concurrency > 0 AND rate > 0 AND per_seconds > 0", name="positive"),
)

# Numbered, so that no limit can be passed. A slot is taken while the lease of its item and fence is there.
limit_slots = Table(
    "limit_slots",
    metadata,
    _board(),
    Column("scope", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    _item_of(),
    Column("fence", BigInteger, nullable=False),
)

# What running items touch: a path, or (not `whole`) all that begins so. It counts while the lease is there.
touched = Table(
    "touched",
    metadata,
    _board(),
    _item(),
    Column("fence", BigInteger, primary_key=True, autoincrement=False),
    Column("prefix", Text, primary_key=True),
    Column("whole", Boolean, primary_key=True),
)

# Why a guarded item that was picked could not be taken: its gate counts this as one.
holds = Table(
    "holds",
    metadata,
    _board(),
    _item(),
    Column("reason", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
    CheckConstraint("reason IN ('budget', 'limit', 'resource')", name="reason"),
)
