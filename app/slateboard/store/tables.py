"""The table by which code and schema agree that they can work together."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Integer, SmallInteger, Table

from slateboard.store.metadata import metadata

# One row: what this schema speaks, and the oldest code that can still work with it.
schema_protocol = Table(
    "schema_protocol",
    metadata,
    Column("one", SmallInteger, primary_key=True, autoincrement=False, server_default="1"),
    Column("version", Integer, nullable=False),
    Column("oldest_client", Integer, nullable=False),
    CheckConstraint("one = 1", name="one_row"),
)
