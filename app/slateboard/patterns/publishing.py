"""Publishing: an event that an agent, a person or a schedule puts into the board's log for whoever subscribes to it.

An agent publishes below `<prefix>.events.>` of its board; operators under any subject; nobody under `board.>`, which
is the board's own voice. Published twice with one id within two minutes it is appended once, also by twins at the same
moment: the second waits for the first.
"""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from slateboard.log import outbox
from slateboard.protocol.errors import Denied, Invalid, TooLarge
from slateboard.protocol.rights import Right
from slateboard.protocol.subjects import check_subject

if TYPE_CHECKING:
    from slateboard.transaction import Transaction

MAX_PAYLOAD_BYTES = 1_048_576
MAX_WORD_CHARACTERS = 255
"""Of an id or a correlation."""
REPEAT_SECONDS = 120
"""How long an id is remembered."""
OWN_SUBJECTS = "board"
"""The first token of what only the board itself says."""

NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""In JSON text; after an escaped backslash the same letters are letters."""
TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-[!-~]{1,64})?")

# A twin that is not committed yet is waited for.
REMEMBER = """
INSERT INTO published_ids AS p (board, id, event, correlation, published_at)
VALUES ($1, $2, nextval('event_ids'), $3, $4)
ON CONFLICT (board, id) DO UPDATE
SET event = excluded.event, correlation = excluded.correlation, published_at = excluded.published_at
WHERE p.published_at <= $5
RETURNING event
"""

REMEMBERED = "SELECT event, correlation FROM published_ids WHERE board = $1 AND id = $2"

FORGET = """
DELETE FROM published_ids WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM published_ids WHERE published_at <= $1 ORDER BY published_at LIMIT $2 FOR UPDATE SKIP LOCKED))
RETURNING 1
"""


async def publish(
    tx: Transaction,
    *,
    subject: str,
    data: Any = None,
    id: str | None = None,  # noqa: A002  the word that every door uses
    correlation: str | None = None,
    cause: int | None = None,
    traceparent: str | None = None,
) -> dict[str, Any]:
    """Append one event: `{event, subject, correlation, repeated}`. `data` is its payload, any JSON value up to 1 MiB.

    Raises `BadSubject`, `Denied` (the subject is not this actor's), `TooLarge`, `Invalid` (no JSON).
    """
    tx.require(Right.AGENT)
    check_subject(subject)
    await check_right(tx, subject)
    payload = encode(data)
    correlation = check_word(correlation, "correlation") if correlation else tx.correlation
    if cause is not None and cause < 1:
        raise Invalid(f"{cause} is not the id of an event", remedy="give the id of the event that led to this one")
    if traceparent is not None and not TRACEPARENT.fullmatch(traceparent):
        raise Invalid(f"{traceparent[:80]!r} is no traceparent", remedy="give it as W3C Trace Context has it, or none")
    tx.traceparent = traceparent or tx.traceparent
    event = None
    if id is not None:
        word = check_word(id, "id")
        since = tx.now - timedelta(seconds=REPEAT_SECONDS)
        event = await tx.fetchval(REMEMBER, tx.board, word, correlation, tx.now, since)
        if event is None:
            first = await tx.fetchrow(REMEMBERED, tx.board, word)
            return {**dict(first), "subject": subject, "repeated": True}
    cause = tx.cause if cause is None else cause
    event = await outbox.append(tx, subject=subject, payload=payload, correlation=correlation, cause=cause, event=event)
    return {"event": event, "subject": subject, "correlation": correlation, "repeated": False}


async def forget(tx: Transaction, *, limit: int = 1_000) -> int:
    """Forget ids whose time is over, at most `limit`, whatever the board; returns how many."""
    return len(await tx.fetch(FORGET, tx.now - timedelta(seconds=REPEAT_SECONDS), limit))


def encode(data: Any) -> str:
    """A payload as JSON text; `TooLarge` over 1 MiB, `Invalid` for what Postgres could not read as JSON."""
    try:
        text = json.dumps(data, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
        size = len(text.encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise Invalid(f"the data is not JSON: {error}", remedy="publish numbers, texts, lists, objects") from error
    if NUL.search(text):
        raise Invalid("the data holds a NUL character", remedy="remove it: Postgres keeps none in JSON")
    if size > MAX_PAYLOAD_BYTES:
        message = f"the data has {size:,} bytes, over the limit of 1 MiB"
        raise TooLarge(message, remedy="write a file and publish its path", bytes=size)
    return text


def check_word(word: str, what: str) -> str:
    """Refuse an id or a correlation that is empty, longer than 255 characters or not printable."""
    if not word or len(word) > MAX_WORD_CHARACTERS or not word.isprintable():
        remedy = f"1 to {MAX_WORD_CHARACTERS} printable characters"
        raise Invalid(f"{word[:80]!r} cannot be the {what}", remedy=remedy)
    return word


async def check_right(tx: Transaction, subject: str) -> None:
    """Refuse a subject under which the actor may not publish."""
    if subject.split(".", 1)[0] == OWN_SUBJECTS:
        message = f"only the board itself says {subject}"
        raise Denied(message, remedy="publish under the board's prefix, e.g. genbrain.events.pr.merged")
    if tx.actor.right >= Right.OPERATOR:
        return
    prefix: str = await tx.fetchval("SELECT prefix FROM boards WHERE id = $1", tx.board)
    if not subject.startswith(f"{prefix}.events."):
        message = f"{tx.actor.name} cannot publish {subject}"
        raise Denied(message, remedy=f"an agent publishes under {prefix}.events.>", subject=subject)
