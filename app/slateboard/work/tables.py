"""The tables of the queue: narrow rows that churn. An unfinished item stands in exactly one of `gates`, `scheduled`,
`ready` and `leases`; a finished one has an `outcome`. No foreign keys here: `item_places` and the invariant check
watch what they would have watched.
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

leaders = Table(
    "leaders",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
)
