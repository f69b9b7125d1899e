"""Artifacts as rows: what each is, where its newest item stands, and the newest version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.protocol.errors import Invalid, UnknownName
from slateboard.protocol.names import split_reference
from slateboard.protocol.pages import DEFAULT_PAGE, Page
from slateboard.protocol.rights import Right
from slateboard.protocol.states import PRIORITY_RATING, STATUS_OF_PLACE, ArtifactStatus
from slateboard.reports import queries
from slateboard.reports.paging import MAX_KEYS, Filters, check_number, count, decode, id_key, keyed, page_of
from slateboard.reports.progress import status_of
from slateboard.work import queries as work_queries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slateboard.transaction import Statement

PRIORITY_WORD = {rating: priority.value for priority, rating in PRIORITY_RATING.items()}
SOURCE = "artifacts a JOIN tasks t ON t.board = a.board AND t.id = a.task"

BY_ITEM = """
({union}) AS x
CROSS JOIN LATERAL (SELECT w.artifact FROM work_items w WHERE w.board = x.board AND w.id = x.item OFFSET 0) AS i
CROSS JOIN LATERAL (SELECT * FROM artifacts a
                    WHERE a.board = x.board AND a.id = i.artifact AND a.newest_item = x.item OFFSET 0) AS a
JOIN tasks t ON t.board = a.board AND t.id = a.task
"""

ROWS = f"""
WITH page AS MATERIALIZED (
    SELECT a.*, t.name AS task_name FROM {{source}} WHERE a.board = $1{{filters}} ORDER BY {{order}} LIMIT {{limit}}
)
SELECT p.id, p.task_name || '/' || p.name AS reference, p.task_name AS task, p.task AS task_id, p.name,
       p.title, p.brief, o.name AS owner,
       p.capability, w.id AS item, {queries.PLACE} AS place, {queries.IN_REVIEW} AS in_review,
       v.version, coalesce(v.path, p.path) AS path, v.uri, v.hash,
       v.size, v.author, v.summary, p.created_by, p.created_at,
       greatest(p.created_at, p.stale_at, v.created_at, w.created_at, w.finished_at, l.claimed_at) AS updated_at, w.due,
       w.base_rating, -r.rank AS rating, coalesce(s.run_at, w.run_at) AS run_at, w.revision, w.attempts, w.failures,
       w.last_error, p.stale_at IS NOT NULL AS stale, p.stale_because AS because, {queries.STUCK} AS stuck,
       coalesce(g.remaining, 0) AS remaining,
       ARRAY(SELECT b.reference
             FROM (SELECT p.id AS item UNION ALL SELECT p.newest_item WHERE p.newest_item <> p.id) AS i
             CROSS JOIN LATERAL (
                 SELECT d.blocker FROM dependencies d
                 WHERE d.board = p.board AND d.item = i.item AND d.created_at IS NOT NULL OFFSET 0
             ) AS d
             JOIN work_items b ON b.board = p.board AND b.id = d.blocker
             ORDER BY d.blocker LIMIT 100) AS blocked_by,
       c.name AS claimed_by, l.worker, l.claimed_at, l.expires_at, l.percent, l.progress,
       CASE WHEN l.stalled_at > coalesce(l.progressed_at, l.claimed_at)
            THEN coalesce(l.progressed_at, l.claimed_at) END AS stalled_since
FROM page p
JOIN work_items w ON w.board = p.board AND w.id = p.newest_item
{queries.PLACES}
LEFT JOIN agents o ON o.board = p.board AND o.id = p.owner
LEFT JOIN agents c ON c.board = l.board AND c.id = l.agent
LEFT JOIN LATERAL (
    SELECT * FROM artifact_versions v
    WHERE v.board = p.board AND v.artifact = p.id AND {work_queries.STANDS}
    ORDER BY v.version DESC LIMIT 1
) AS v ON true
ORDER BY {{shown_order}}
"""


async def artifacts(
    tx: Statement,
    *,
    first: int = DEFAULT_PAGE,
    after: str | None = None,
    task: str | None = None,
    owner: str | None = None,
    capability: str | None = None,
    status: str | None = None,
    stale: bool | None = None,
    references: Sequence[str] | None = None,
    ids: Sequence[int] | None = None,
    tasks: Sequence[int] | None = None,
    total: bool = False,
) -> Page:
    """The artifacts of the board, in the order in which they were posted (by `status`: in that of their newest items).

    `status` is one of the guide's words; with `references` or `ids` it is all of these (at most 20,000), and `first`
    does not count; with `tasks` (ids) it is up to `first + 1` of each task, and the page has no `next`. Raises
    `UnknownName` for a task, owner or reference that is not there, so that a slip never looks like an empty answer.
    """
    tx.require(Right.READER)
    first = keyed(first, references if references is not None else ids)
    filters = Filters(tx.board)
    if tasks is not None:
        return await _of_tasks(tx, tasks, first, after)
    source, by_item = (SOURCE, False) if status is None else _in_status(status)
    for condition, value in (("t.name = ?", task), ("a.capability = ?", capability)):
        if value is not None:
            filters.add(condition, value)
    if owner is not None:
        filters.add("a.owner = (SELECT id FROM agents WHERE board = $1 AND name = ?)", owner)
    if stale is not None:
        filters.add("(a.stale_at IS NOT NULL) = ?", stale)
    _add_keys(filters, references, ids)
    counted = await count(tx, f"{source} WHERE a.board = $1", filters) if total else None
    if after is not None:
        filters.add("x.item > ?" if by_item else "a.id > ?", *decode(after, parts=1))
    statement = ROWS.format(
        source=source,
        filters=filters.text,
        limit=filters.argument(first + 1),
        order="x.item" if by_item else "a.id",
        shown_order="w.id" if by_item else "p.id",
    )
    rows = [row_of(row) for row in await tx.fetch(statement, *filters.arguments)]
    if not rows:
        await require_names(tx, task=task, owner=owner)
    if references is not None and after is None and len(rows) <= first:
        _require_all(references, rows)
    page = page_of(rows, first, item_key if by_item else id_key)
    return Page(rows=page.rows, next=page.next, total=counted)


async def _of_tasks(tx: Statement, tasks: Sequence[int], first: int, after: str | None) -> Page:
    """Up to `first + 1` artifacts of each task, so that the caller sees whether there are more."""
    check_number(tasks, MAX_KEYS)
    filters = Filters(tx.board)
    given = filters.argument(list(tasks))
    beyond = filters.argument(0 if after is None else decode(after, parts=1)[0])
    each = filters.argument(first + 1)
    source = (
        f"unnest({given}::bigint[]) AS g (task), LATERAL (SELECT * FROM artifacts a WHERE a.board = $1"
        f" AND a.task = g.task AND a.id > {beyond} ORDER BY a.id LIMIT {each}) AS a"
        " JOIN tasks t ON t.board = a.board AND t.id = a.task"
    )
    statement = ROWS.format(
        source=source, filters="", limit=filters.argument(MAX_KEYS), order="a.id", shown_order="p.id"
    )
    return Page(rows=[row_of(row) for row in await tx.fetch(statement, *filters.arguments)])


def row_of(record: Any) -> dict[str, Any]:
    """An artifact's row as plain values: its status from its place, its priority as a word."""
    row = dict(record)
    row["status"] = ArtifactStatus.IN_REVIEW.value if row.pop("in_review") else status_of(row["place"])
    row["priority"] = PRIORITY_WORD.get(row.pop("base_rating"))
    return row


async def require_names(tx: Statement, *, task: str | None = None, owner: str | None = None) -> None:
    """Refuse a filter by a task or an agent that is not there; asked only where a listing came out empty."""
    if task is not None and not await tx.fetchval("SELECT 1 FROM tasks WHERE board = $1 AND name = $2", tx.board, task):
        raise UnknownName(f"there is no task {task!r} on this board", remedy="see `slate get tasks`", task=task)
    if owner is not None:
        from slateboard.board import agents

        await agents.ids(tx, [owner])


def item_key(row: dict[str, Any]) -> list[Any]:
    """The key of an artifact among those of one status."""
    return [row["item"]]


def is_by_item(status: str | None) -> bool:
    """Whether the artifacts of this status are listed in the order of their newest items."""
    return status in queries.ITEMS_IN_STATUS or any(
        word == status and place in queries.ITEMS_IN_PLACE for place, word in STATUS_OF_PLACE.items()
    )


def _in_status(status: str) -> tuple[str, bool]:
    """The artifacts of one status, and whether they come in the order of their newest items.

    Where such items stand in tables of their own, these are read along their key; what is finished is looked up for one
    artifact after the other. `OFFSET 0` keeps the look-ups what they are, also without statistics.
    """
    if status in queries.ITEMS_IN_STATUS:
        return BY_ITEM.format(union=queries.ITEMS_IN_STATUS[status]), True
    places = [place for place, word in STATUS_OF_PLACE.items() if word == status]
    if not places:
        words = ", ".join(ArtifactStatus)
        raise Invalid(f"{status!r} is no status of an artifact", remedy=f"use one of: {words}", status=status)
    if not is_by_item(status):
        outcomes = ", ".join(f"'{place.value}'" for place in places)
        return (
            SOURCE + " CROSS JOIN LATERAL (SELECT FROM work_items w WHERE w.board = a.board AND w.id = a.newest_item"
            f" AND w.outcome IN ({outcomes}) OFFSET 0) AS x",
            False,
        )
    union = " UNION ALL ".join(queries.ITEMS_IN_PLACE[place] for place in places)
    return BY_ITEM.format(union=union), True


def _add_keys(filters: Filters, references: Sequence[str] | None, ids: Sequence[int] | None) -> None:
    if references is not None:
        pairs = [split_reference(reference) for reference in references]
        filters.add(
            "(t.name, a.name) IN (SELECT * FROM unnest(?::text[], ?::text[]))",
            [pair[0] for pair in pairs],
            [pair[1] for pair in pairs],
        )
    if ids is not None:
        filters.add("a.id = ANY (?::bigint[])", list(ids))


def _require_all(references: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
    found = {row["reference"] for row in rows}
    for reference in references:
        full = "/".join(split_reference(reference))
        if full not in found:
            message = f"there is no artifact {full!r} on this board"
            raise UnknownName(message, remedy="see `slate get artifacts`", artifact=full)
