"""Work items, their attempts and the dead letters as rows: who has to do what, where it is, and how it went."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from slateboard.protocol.errors import Invalid
from slateboard.protocol.pages import DEFAULT_PAGE, Page
from slateboard.protocol.rights import Right
from slateboard.protocol.states import Place
from slateboard.reports import queries
from slateboard.reports.artifacts import require_names
from slateboard.reports.paging import Filters, check_first, count, decode, id_key, keyed, page_of
from slateboard.work.dead_letters import conditions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slateboard.transaction import Statement

MAX_LAST = 100
"""Attempts of one artifact that are shown at once, the newest first."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

ROWS = f"""
WITH page AS MATERIALIZED (
    SELECT w.*, a.name AS agent, o.capability FROM {{source}}
    LEFT JOIN agents a ON a.board = w.board AND a.id = w.inbox
    LEFT JOIN open_inboxes o ON o.board = w.board AND o.id = w.inbox
    WHERE w.board = $1{{filters}} ORDER BY {{order}} LIMIT {{limit}}
)
SELECT w.id, w.kind, w.reference, w.artifact, w.revision, {queries.PLACE} AS place, w.agent, w.capability, w.due,
       -r.rank AS rating, w.pinned_rating AS pinned, coalesce(s.run_at, w.run_at) AS run_at, w.attempts, w.failures,
       w.interruptions, w.max_attempts, w.last_error, w.correlation, w.created_at, w.finished_at,
       {queries.STUCK} AS stuck, coalesce(g.remaining, 0) AS remaining,
       c.name AS claimed_by, l.worker, l.fence, l.claimed_at, l.expires_at, l.percent, l.progress,
       CASE WHEN l.stalled_at > coalesce(l.progressed_at, l.claimed_at)
            THEN coalesce(l.progressed_at, l.claimed_at) END AS stalled_since
FROM page w {queries.PLACES}
LEFT JOIN agents c ON c.board = l.board AND c.id = l.agent
ORDER BY {{shown_order}}
"""


async def items(
    tx: Statement,
    *,
    first: int = DEFAULT_PAGE,
    after: str | None = None,
    place: str | None = None,
    agent: str | None = None,
    finished: bool | None = None,
    ids: Sequence[int] | None = None,
    total: bool = False,
) -> Page:
    """Work items in the order of their ids; the ready ones of one agent in the order in which it will get them.

    `finished=False` gives only those that are in one of the queue's places, without reading what was ever done.
    """
    tx.require(Right.READER)
    first = keyed(first, ids)
    filters = Filters(tx.board)
    source = "work_items w" + _candidates(place, finished)
    by_rating = place == Place.READY and agent is not None
    if place is not None and place not in queries.ITEMS_IN_PLACE:
        filters.add("w.outcome = ?", place)
    if finished is True:
        filters.add("w.outcome IS NOT NULL")
    if agent is not None:
        filters.add("w.inbox = (SELECT id FROM agents WHERE board = $1 AND name = ?)", agent)
    if ids is not None:
        filters.add("w.id = ANY (?::bigint[])", list(ids))
    counted = await count(tx, f"{source} WHERE w.board = $1", filters) if total else None
    if after is not None:
        filters.add("(x.rank, w.id) > (?, ?)" if by_rating else "w.id > ?", *decode(after, parts=1 + by_rating))
    statement = ROWS.format(
        source=source,
        filters=filters.text,
        limit=filters.argument(first + 1),
        order="x.rank, w.id" if by_rating else "w.id",
        shown_order="r.rank, w.id" if by_rating else "w.id",
    )
    rows = [dict(row) for row in await tx.fetch(statement, *filters.arguments)]
    if not rows:
        await require_names(tx, owner=agent)
    page = page_of(rows, first, rating_key if by_rating else id_key)
    return Page(rows=page.rows, next=page.next, total=counted)


def rating_key(row: dict[str, Any]) -> list[Any]:
    """The key of a ready item among those of its agent."""
    return [-(row["rating"] or 0), row["id"]]


def death_key(row: dict[str, Any]) -> list[Any]:
    """The key of a dead letter: when it died, in µs since 1970, and its id."""
    return [(row["died_at"] - EPOCH) // MICROSECOND, row["id"]]


def _candidates(place: str | None, finished: bool | None) -> str:  # noqa: FBT001
    """The join that keeps only items of that place, read from where such items stand."""
    if place is None:
        return f" JOIN ({queries.UNFINISHED}) AS x ON x.board = w.board AND x.item = w.id" if finished is False else ""
    if place not in set(Place):
        raise Invalid(f"{place!r} is no place of a work item", remedy=f"use one of: {', '.join(Place)}", place=place)
    if place == Place.READY:
        return " JOIN ready x ON x.board = w.board AND x.item = w.id"
    found = queries.ITEMS_IN_PLACE.get(place)
    return f" JOIN ({found}) AS x ON x.board = w.board AND x.item = w.id" if found else ""


DEAD_LETTERS = """
SELECT x.item AS id, w.reference, w.kind, w.artifact, g.name AS agent, x.class, x.error, x.died_at, w.attempts,
       w.failures, w.interruptions, w.correlation, o.name AS owner, d.position, e.subject
FROM dead_letters x
JOIN work_items w ON w.board = x.board AND w.id = x.item
LEFT JOIN agents g ON g.board = x.board AND g.id = x.agent
LEFT JOIN agents o ON o.board = w.board AND o.id = w.inbox
LEFT JOIN deliveries d ON d.board = x.board AND d.item = x.item
LEFT JOIN events e ON e.board = d.board AND e.position = d.position
WHERE x.board = $1{filters} ORDER BY x.died_at DESC, x.item DESC LIMIT {limit}
"""


async def dead_letters(
    tx: Statement,
    *,
    first: int = DEFAULT_PAGE,
    after: str | None = None,
    agent: str | None = None,
    failure_class: str | None = None,
    subject: str | None = None,
    search: str | None = None,
    older_than_seconds: float | None = None,
    newer_than_seconds: float | None = None,
    total: bool = False,
) -> Page:
    """What will not be tried again until somebody redrives or discards it, the newest first.

    `search` is a part of the error or of the reference, in small or capital letters; `subject` a pattern of what was
    delivered; an age counts from the death. A delivery's row has the `subject` and `position` of its event, which stays
    in the log, with its payload, while the delivery may be redriven.
    """
    tx.require(Right.READER)
    check_first(first)
    filters = Filters(tx.board)
    for condition, value in conditions(
        agent=agent, failure_class=failure_class, subject=subject, search=search,
        older_than_seconds=older_than_seconds, newer_than_seconds=newer_than_seconds,
    ):  # fmt: skip
        filters.add(condition, value)
    counted = None
    if total:
        source = "dead_letters x JOIN work_items w ON w.board = x.board AND w.id = x.item WHERE x.board = $1"
        counted = await count(tx, source, filters)
    if after is not None:
        condition = "(x.died_at, x.item) < (timestamptz 'epoch' + ?::bigint * interval '1 microsecond', ?)"
        filters.add(condition, *decode(after, parts=2))
    statement = DEAD_LETTERS.format(filters=filters.text, limit=filters.argument(first + 1))
    rows = [dict(row) for row in await tx.fetch(statement, *filters.arguments)]
    if not rows:
        await require_names(tx, owner=agent)
    page = page_of(rows, first, death_key)
    return Page(rows=page.rows, next=page.next, total=counted)
