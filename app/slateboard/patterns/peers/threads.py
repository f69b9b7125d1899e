"""Threads: what agents say to each other about one topic, in order, who is on them, and what each has read.

A message is said last of all that a change does, with its thread held, so that the ids of its messages grow in the
order in which readers see them: what was read stays read, and nothing comes in before it. Whoever is on the thread and
not the author hears of it by an event on its inbox, `<prefix>.agents.<agent>.inbox`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from slateboard.log import outbox
from slateboard.patterns.publishing import encode
from slateboard.protocol.errors import Invalid, NotYours, UnknownName
from slateboard.protocol.events import Subject
from slateboard.protocol.rights import Right

if TYPE_CHECKING:
    from collections.abc import Iterable

    from slateboard.transaction import ReadTransaction, Transaction

MAX_TEXT_CHARACTERS = 65_536
MAX_TOPIC_CHARACTERS = 1_000
MAX_MEMBERS = 1_000
MAX_PAGE = 1_000

OPEN = "INSERT INTO threads (board, topic, correlation, opened_by, opened_at) VALUES ($1, $2, $3, $4, $5) RETURNING *"

HOLD = "SELECT * FROM threads WHERE board = $1 AND id = $2 FOR UPDATE"

JOIN = """
INSERT INTO thread_members (board, thread, agent, joined_at) SELECT $1, $2, m.agent, $4
FROM unnest($3::bigint[]) AS m (agent) ON CONFLICT DO NOTHING RETURNING agent
"""

IS_ON = "SELECT true FROM thread_members WHERE board = $1 AND thread = $2 AND agent = $3"

SAY = """
INSERT INTO messages (board, thread, kind, author, said_by, text, data, consult, said_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING *
"""

INBOXES = """
SELECT b.prefix || '.agents.' || a.name || '.inbox' AS subject
FROM thread_members m JOIN agents a ON a.board = m.board AND a.id = m.agent JOIN boards b ON b.id = m.board
WHERE m.board = $1 AND m.thread = $2 AND m.agent IS DISTINCT FROM $3 AND a.removed_at IS NULL
  AND ($4::bigint[] IS NULL OR m.agent = ANY ($4)) ORDER BY a.id LIMIT $5
"""

READ = """
UPDATE thread_members m SET read_to = n.newest
FROM (SELECT coalesce(max(s.id), 0) AS newest FROM messages s
      WHERE s.board = $1 AND s.thread = $2 AND ($4::bigint IS NULL OR s.id <= $4)) AS n
WHERE m.board = $1 AND m.thread = $2 AND m.agent = $3 AND m.read_to < n.newest
RETURNING m.read_to
"""

UNREAD = """
(SELECT count(*) FROM (SELECT FROM messages s WHERE s.board = m.board AND s.thread = m.thread AND s.id > m.read_to
                       AND s.author IS DISTINCT FROM m.agent LIMIT 1000) AS s)
"""

OF_AGENT = f"""
SELECT t.id AS thread, t.topic, t.opened_by, t.opened_at, m.read_to, {UNREAD} AS unread
FROM thread_members m JOIN threads t ON t.board = m.board AND t.id = m.thread
WHERE m.board = $1 AND m.agent = $2 AND ($3::bigint IS NULL OR m.thread < $3) AND (NOT $4 OR {UNREAD} > 0)
ORDER BY m.thread DESC LIMIT $5
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
    row = await say(tx, await hold(tx, thread), "reply", text, data=data)
    return {"thread": thread, "message": row["id"]}


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
    tx: ReadTransaction, *, agent: str | None = None, unread: bool = False, first: int = 50, after: int | None = None
) -> list[dict[str, Any]]:
    """Threads, the newest first, of the agent (that asks, where none is named), with how many messages are `unread`.

    `after` is the last thread of the page before. Counts end at 1,000. An administrator who names nobody sees all.
    """
    tx.require(Right.READER)
    _check_page(first)
    if agent is None and tx.actor.agent is None:
        return [dict(row) for row in await tx.fetch(OF_BOARD, tx.board, after, first)]
    from slateboard.board import agents

    number = tx.actor.agent if agent is None else (await agents.ids(tx, [agent]))[agent]
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
    row = dict(await tx.fetchrow(OPEN, tx.board, topic, tx.correlation, tx.actor.name, tx.now))
    del row["board"]
    numbers = sorted(set(members))
    await tx.fetch(JOIN, tx.board, row["id"], numbers, tx.now)
    tx.record(Subject.THREAD_OPENED, {"thread": row, "members": numbers})
    return row


async def hold(tx: Transaction, thread: int) -> dict[str, Any]:
    """The thread, held; nothing is held after it. Raises `UnknownName`."""
    row = await tx.fetchrow(HOLD, tx.board, thread)
    if row is None:
        raise unknown(thread)
    return dict(row)


async def join(tx: Transaction, thread: dict[str, Any], members: Iterable[int]) -> None:
    """Put agents on a held thread who are not on it yet."""
    joined = [row["agent"] for row in await tx.fetch(JOIN, tx.board, thread["id"], sorted(set(members)), tx.now)]
    if joined:
        tx.record(Subject.THREAD_JOINED, {"thread": thread["id"], "members": joined}, correlation=thread["correlation"])


async def say(
    tx: Transaction,
    thread: dict[str, Any],
    kind: str,
    text: str,
    *,
    data: Any = None,
    consult: int | None = None,
    tells: list[int] | None = None,
    by: str | None = None,
) -> dict[str, Any]:
    """Say it on a thread that is held or new; all the others on it hear of it, or only whom it `tells`.

    `by` is who says it where that is not the actor: the board itself.
    """
    author = tx.actor.agent if by is None else None
    said_by, encoded = by or tx.actor.name, None if data is None else encode(data)
    row = dict(
        await tx.fetchrow(SAY, tx.board, thread["id"], kind, author, said_by, text, encoded, consult, tx.now)
    )  # fmt: skip
    del row["board"]
    tx.record(Subject.MESSAGE_SAID, {"message": row}, correlation=thread["correlation"])
    told = {
        "kind": kind, "thread": thread["id"], "topic": thread["topic"], "message": row["id"], "from": said_by,
        "text": text, "data": data, "consult": consult,
    }  # fmt: skip
    for inbox in [] if tells == [] else await tx.fetch(INBOXES, tx.board, thread["id"], author, tells, MAX_MEMBERS):
        await outbox.append(
            tx, subject=inbox["subject"], payload=encode(told), correlation=thread["correlation"], cause=tx.cause
        )
    return row


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
