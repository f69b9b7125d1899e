"""The tables of the log: the outbox that writers insert into, the sealed events, and their heads.

`events` refuses update and delete (a trigger, and the application's role has no right to it); one function of the
owner may erase a payload, whose hash stays.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    DateTime,
    Index,
    LargeBinary,
    Sequence,
    SmallInteger,
    Table,
    Text,
    func,
    text,
)

from slateboard.store.metadata import metadata

event_ids = Sequence("event_ids", metadata=metadata)

event_outbox = Table(
    "event_outbox",
    metadata,
    Column("id", BigInteger, nullable=False, server_default=event_ids.next_value()),
    Column("lane", SmallInteger, nullable=False),
    Column("board", BigInteger, nullable=False),
    Column("subject", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("authenticated_by", Text, nullable=False),
    Column("cause", BigInteger),
    Column("correlation", Text),
    # How many deliveries led to it, one after the other.
    Column("depth", SmallInteger, nullable=False, server_default="0"),
    # Of W3C Trace Context, as it was given.
    Column("traceparent", Text),
    Column("happened_at", DateTime(timezone=True), nullable=False),
    Index("event_outbox_id_idx", "id"),
    postgresql_partition_by="LIST (lane)",
)

events = Table(
    "events",
    metadata,
    Column("board", BigInteger, primary_key=True, autoincrement=False),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("sealed_on", Date, primary_key=True),
    Column("id", BigInteger, nullable=False),
    Column("subject", Text, nullable=False),
    Column("payload", Text),
    Column("payload_hash", LargeBinary, nullable=False),
    Column("actor", Text, nullable=False),
    Column("authenticated_by", Text, nullable=False),
    Column("cause", BigInteger),
    Column("correlation", Text),
    # How many deliveries led to it, one after the other.
    Column("depth", SmallInteger, nullable=False, server_default="0"),
    # Of W3C Trace Context, as it was given.
    Column("traceparent", Text),
    Column("happened_at", DateTime(timezone=True), nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Index("events_board_correlation_idx", "board", "correlation", postgresql_where=text("correlation IS NOT NULL")),
    postgresql_partition_by="RANGE (sealed_on)",
)

event_heads = Table(
    "event_heads",
    metadata,
    Column("board", BigInteger, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    postgresql_with={"fillfactor": 50},
)

event_lane = Table(
    "event_lane",
    metadata,
    Column("lane", SmallInteger, nullable=False, server_default="0"),
    Column("changed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

# What was moved out of `events` into a file, with the snapshot of the board at its end, from which the rest goes on.
archives = Table(
    "archives",
    metadata,
    Column("board", BigInteger, primary_key=True, autoincrement=False),
    Column("last_position", BigInteger, primary_key=True, autoincrement=False),
    Column("first_position", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("last_happened_at", DateTime(timezone=True), nullable=False),
    Column("file", Text, nullable=False),
    Column("base_file", Text, nullable=False),
    # The snapshot itself, compressed: readers need not reach the file.
    Column("base", LargeBinary, nullable=False),
    Column("base_hash", LargeBinary, nullable=False),
    Column("archived_at", DateTime(timezone=True), nullable=False),
)
