"""The tables of peers: routes, threads with their members and messages, consults and open requests.

A consult has the id of the duty that asks for its answer, and its question, deadline and answer stand in `escalations`
under that id. Messages are never changed; nobody has a route to itself.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

from slateboard.board.tables import ids
from slateboard.store.metadata import metadata


def _board() -> Column[int]:
    return Column("board", BigInteger, primary_key=True, autoincrement=False)


def _id() -> Column[int]:
    return Column("id", BigInteger, primary_key=True, autoincrement=False, server_default=ids.next_value())


def _time(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


routes = Table(
    "routes",
    metadata,
    _board(),
    _id(),
    Column("agent", BigInteger, nullable=False),
    Column("other", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    # For what it is consulted, or when it is told; a channel has none.
    Column("label", Text, nullable=False, server_default=""),
    # An event of this subject tells it by itself.
    Column("subject", Text),
    Column("source", Text),
    Column("created_by", Text, nullable=False),
    _time("created_at"),
    UniqueConstraint("board", "agent", "other", "kind", "label", name="routes_once_key"),
    CheckConstraint("kind IN ('consult', 'notify', 'channel')", name="kind"),
    CheckConstraint("agent <> other", name="not_to_itself"),
    CheckConstraint("subject IS NULL OR kind = 'notify'", name="subject"),
)

threads = Table(
    "threads",
    metadata,
    _board(),
    _id(),
    Column("topic", Text, nullable=False),
    Column("correlation", Text, nullable=False),
    Column("opened_by", Text, nullable=False),
    _time("opened_at"),
)

thread_members = Table(
    "thread_members",
    metadata,
    _board(),
    Column("thread", BigInteger, primary_key=True, autoincrement=False),
    Column("agent", BigInteger, primary_key=True, autoincrement=False),
    # The last message that it has read.
    Column("read_to", BigInteger, nullable=False, server_default="0"),
    _time("joined_at"),
    Index("thread_members_agent_idx", "board", "agent", "thread"),
)

messages = Table(
    "messages",
    metadata,
    _board(),
    Column("thread", BigInteger, primary_key=True, autoincrement=False),
    Column("id", BigInteger, primary_key=True, autoincrement=False, server_default=ids.next_value()),
    Column("kind", Text, nullable=False),
    # The agent; without one a person, or the board itself.
    Column("author", BigInteger),
    Column("said_by", Text, nullable=False),
    Column("text", Text, nullable=False),
    # JSON.
    Column("data", Text),
    # The consult that it asks, answers or speaks of.
    Column("consult", BigInteger),
    _time("said_at"),
    CheckConstraint("kind IN ('question', 'answer', 'notice', 'overdue', 'reply')", name="kind"),
)

# Questions to agents, by the id of the duty that they are. Of an open request, one for each inbox that it went to.
consults = Table(
    "consults",
    metadata,
    _board(),
    Column("item", BigInteger, primary_key=True, autoincrement=False),
    Column("asker", BigInteger, nullable=False),
    # Whom; an open request for one answer has nobody.
    Column("other", BigInteger),
    Column("thread", BigInteger, nullable=False),
    Column("request", BigInteger),
    Column("correlation", Text, nullable=False),
    CheckConstraint("asker <> other", name="not_of_itself"),
    Index("consults_correlation_idx", "board", "correlation", "asker"),
    Index("consults_request_idx", "board", "request", "item"),
)

requests = Table(
    "requests",
    metadata,
    _board(),
    _id(),
    Column("capability", Text, nullable=False),
    Column("asker", BigInteger, nullable=False),
    Column("thread", BigInteger, nullable=False),
    # How many count.
    Column("answers", SmallInteger, nullable=False),
    _time("deadline"),
    _time("asked_at"),
    _time("closed_at", nullable=True),
    CheckConstraint("answers BETWEEN 1 AND 100", name="answers"),
)
