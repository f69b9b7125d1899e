"""Threads: what agents say to each other about one topic, in order, who is on them, and what each has read.

A message is said last of all that a change does, with its thread held, so that the ids of its messages grow in the
order in which readers see them: what was read stays read, and nothing comes in before it. What somebody has answered,
or was told in a briefing, is not unread either, though nobody acknowledged it: that is worked out where it is counted.
Whoever is on the thread and not the author hears of it by an event on its inbox, `<prefix>.agents.<agent>.inbox`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from slateboard.patterns.publishing import encode
from slateboard.protocol.errors import Invalid, NotYours, UnknownName
from slateboard.protocol.events import Subject
from slateboard.protocol.rights import Right

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from slateboard.transaction import ReadTransaction, Transaction

MAX_TEXT_CHARACTERS = 65_536
MAX_TOPIC_CHARACTERS = 1_000
MAX_MEMBERS = 1_000
MAX_PAGE = 1_000

OPEN = """
WITH opened AS (
    INSERT INTO threads (board, topic, correlation, opened_by, opened_at) VALUES ($1, $2, $3, $4, $6) RETURNING *
), joined AS (
    INSERT INTO thread_members (board, thread, agent, joined_at)
    SELECT o.board, o.id, m.agent, $6 FROM opened o, unnest($5::bigint[]) AS m (agent)
)
SELECT * FROM opened
"""

IS_ON = "SELECT true FROM thread_members WHERE board = $1 AND thread = $2 AND agent = $3"

SAY = """
SELECT say_on_thread($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
"""

READ = """
UPDATE thread_members m SET read_to = n.newest
FROM (SELECT coalesce(max(s.id), 0) AS newest FROM messages s
      WHERE s.board = $1 AND s.thread = $2 AND ($4::bigint IS NULL OR s.id <= $4)) AS n
WHERE m.board = $1 AND m.thread = $2 AND m.agent = $3 AND m.read_to < n.newest
RETURNING m.read_to
"""

# What one said is read, and the question that one has answered; so is an answer (and that it was late) once the work
# that waited for it was claimed again, as it stands in the briefing. Of the newest 1,000 that were not acknowledged.
UNREAD = """
(SELECT count(*)
 FROM (SELECT * FROM messages s WHERE s.board = m.board AND s.thread = m.thread AND s.id > m.read_to
                                  AND s.author IS DISTINCT FROM m.agent ORDER BY s.id DESC LIMIT 1000) AS s
 WHERE s.consult IS NULL OR NOT EXISTS (
     SELECT FROM escalations e WHERE e.board = s.board AND e.item = s.consult AND CASE s.kind
         WHEN 'question' THEN
             e.answered_by = (SELECT a.name FROM agents a WHERE a.board = m.board AND a.id = m.agent)
         ELSE (SELECT c.asker FROM consults c WHERE c.board = s.board AND c.item = s.consult) = m.agent AND (
             EXISTS (SELECT FROM leases l
                     WHERE l.board = s.board AND l.item = e.about AND l.claimed_at >= s.said_at)
             OR EXISTS (SELECT FROM attempts t
                        WHERE t.board = s.board AND t.item = e.about AND t.started_at >= s.said_at)) END))
"""

OF_AGENT = f"""
SELECT t.id AS thread, t.topic, t.opened_by, t.opened_at, m.read_to, {UNREAD} AS unread
FROM thread_members m JOIN threads t ON t.board = m.board AND t.id = m.thread
WHERE m.board = $1 AND m.agent = $2 AND ($3::bigint IS NULL OR m.thread < $3) AND (NOT $4 OR {UNREAD} > 0)
ORDER BY m.thread DESC LIMIT $5
"""

OF_AGENTS = f"""
SELECT a.name AS agent, o.*
FROM unnest($2::text[]) AS n (name) JOIN agents a ON a.board = $1 AND a.name = n.name,
LATERAL (
    SELECT t.id AS thread, t.topic, t.opened_by, t.opened_at, m.read_to, {UNREAD} AS unread
    FROM thread_members m, LATERAL (SELECT * FROM threads t WHERE t.board = m.board AND t.id = m.thread OFFSET 0) AS t
    WHERE m.board = $1 AND m.agent = a.id AND ($3::bigint IS NULL OR m.thread < $3) AND (NOT $4 OR {UNREAD} > 0)
    ORDER BY m.thread DESC LIMIT $5
) AS o
ORDER BY a.id, o.thread DESC
"""

OF_BOARD = """
SELECT t.id AS thread, t.topic, t.opened_by, t.opened_at, NULL::bigint AS read_to, NULL::bigint AS unread
FROM threads t WHERE t.board = $1 AND ($2::bigint IS NULL OR t.id < $2) ORDER BY t.id DESC LIMIT $3
"""

ONE = "SELECT id AS thread, topic, correlation, opened_by, opened_at FROM threads WHERE board = $1 AND id = $2"

MEMBERS = f"""
SELECT a.name AS agent, m.read_to, {UNREAD} AS unread
FROM thread_members m JOIN agents a ON a.board = m.board AND a.id = m.agent
WHERE m.board = $1 AND m.thread = $2 ORDER BY m.agent LIMIT $3
"""

MESSAGES = """
SELECT s.id AS message, s.kind, s.said_by, s.text, s.data, s.consult, s.said_at
FROM messages s WHERE s.board = $1 AND s.thread = $2 AND s.id > $3 ORDER BY s.id LIMIT $4
"""


async def reply(tx: Transaction, *, thread: int, text: str, data: Any = None) -> dict[str, Any]:
    """Say something on a thread: `{thread, message}`. Who is on it may, and operators. Raises `NotYours`, `Invalid`."""
    tx.require(Right.AGENT)
    check_text(text)
    await require_on(tx, thread)
    return {"thread": thread, "message": await say(tx, "reply", text, thread=thread, data=data)}


async def acknowledge(tx: Transaction, *, thread: int, message: int | None = None) -> dict[str, Any]:
    """Say that all of a thread was read, or all up to a message: `{thread, read_to}`; None where nothing was new."""
    tx.require(Right.AGENT)
    agent = acting(tx)
    await require_on(tx, thread, always=True)
    read_to = await tx.fetchval(READ, tx.board, thread, agent, message)
    if read_to is not None:
        tx.record(Subject.THREAD_READ, {"thread": thread, "agent": agent, "read_to": read_to})
    return {"thread": thread, "read_to": read_to}


async def list_threads(
    tx: ReadTransaction,
    *,
    agent: str | None = None,
    unread: bool = False,
    first: int = 50,
    after: int | None = None,
    agents: Sequence[str] | None = None,
) -> list[dict[str, Any]]:
    """Threads, the newest first, of the agent (that asks, where none is named), with how many messages are `unread`.

    `after` is the last thread of the page before. Counts end at 1,000. An administrator who names nobody sees all. With
    `agents` those of each of them, and the rows name the `agent`.
    """
    tx.require(Right.READER)
    _check_page(first)
    if agents is not None:
        return [dict(row) for row in await tx.fetch(OF_AGENTS, tx.board, list(agents), after, unread, first)]
    if agent is None and tx.actor.agent is None:
        return [dict(row) for row in await tx.fetch(OF_BOARD, tx.board, after, first)]
    from slateboard.board import agents as named

    number = tx.actor.agent if agent is None else (await named.ids(tx, [agent]))[agent]
    return [dict(row) for row in await tx.fetch(OF_AGENT, tx.board, number, after, unread, first)]


async def show_thread(tx: ReadTransaction, *, thread: int, first: int = 100, after: int = 0) -> dict[str, Any]:
    """A thread: `{thread, topic, opened_by, opened_at, members, messages}`, of these a page after one, oldest first."""
    tx.require(Right.READER)
    _check_page(first)
    row = await tx.fetchrow(ONE, tx.board, thread)
    if row is None:
        raise unknown(thread)
    messages = [dict(one) for one in await tx.fetch(MESSAGES, tx.board, thread, after, first)]
    for one in messages:
        one["data"] = None if one["data"] is None else json.loads(one["data"])
    members = [dict(one) for one in await tx.fetch(MEMBERS, tx.board, thread, MAX_MEMBERS)]
    return {**dict(row), "members": members, "messages": messages}


async def open_(tx: Transaction, topic: str, members: Iterable[int]) -> dict[str, Any]:
    """Open a thread; the agents on it."""
    numbers = sorted(set(members))
    row = dict(await tx.fetchrow(OPEN, tx.board, topic, tx.correlation, tx.actor.name, numbers, tx.now))
    del row["board"]
    tx.record(Subject.THREAD_OPENED, {"thread": row, "members": numbers})
    return row


async def say(
    tx: Transaction,
    kind: str,
    text: str,
    *,
    thread: int | None = None,
    consult: int | None = None,
    data: Any = None,
    joins: Sequence[int] = (),
    by: str | None = None,
) -> int:
    """Say it on a thread, else on that of the consult, last of all in a change; returns the message.

    Those of `joins` who are not on it join it. An answer is told to who asked, a question to nobody, anything else to
    all on the thread. `by` is who says it where that is not the actor: the board. Raises `UnknownName`, `TooLarge`.
    """
    encode({"text": text, "data": data})  # what one hears of it is an event
    author = tx.actor.agent if by is None else None
    said = (kind, author, by or tx.actor.name, text, None if data is None else encode(data), joins)
    actor = (tx.actor.name, tx.actor.authenticated_by, tx.now)
    message: int | None = await tx.flush_by(SAY, tx.board, thread, consult, *said, *actor)
    if message is None:
        raise unknown(thread or 0)
    return message


async def require_on(tx: Transaction, thread: int, *, always: bool = False) -> None:
    """Refuse who is not on the thread; operators speak on all, but only who is on it reads it (`always`)."""
    if await tx.fetchval(ONE, tx.board, thread) is None:
        raise unknown(thread)
    if tx.actor.right >= Right.OPERATOR and not always:
        return
    if not await tx.fetchval(IS_ON, tx.board, thread, tx.actor.agent):
        raise NotYours(f"{tx.actor.name} is not on thread {thread}", remedy="see `slate thread list`", thread=thread)


def acting(tx: Transaction) -> int:
    """The agent that acts; an administrator acts for one by name."""
    if tx.actor.agent is None:
        raise Invalid("only an agent can do this", remedy="act for one: `--as AGENT`, or its token")
    return tx.actor.agent


def check_text(text: str) -> None:
    """Refuse a message that says nothing, or too much."""
    if not text.strip() or len(text) > MAX_TEXT_CHARACTERS:
        remedy = "say something shorter, or write a file and name its path"
        raise Invalid(f"a message has 1 to {MAX_TEXT_CHARACTERS:,} characters", remedy=remedy)


def check_topic(topic: str) -> str:
    """Refuse a topic that is longer than a line or two."""
    if not topic.strip() or len(topic) > MAX_TOPIC_CHARACTERS:
        raise Invalid(f"a topic has 1 to {MAX_TOPIC_CHARACTERS:,} characters", remedy="say it shorter")
    return topic


def unknown(thread: int) -> UnknownName:
    """There is no such thread."""
    return UnknownName(f"there is no thread {thread}", remedy="see `slate thread list`", thread=thread)


def _check_page(first: int) -> None:
    if not 1 <= first <= MAX_PAGE:
        raise Invalid(f"a page has 1 to {MAX_PAGE:,} rows", remedy="ask for several pages")
