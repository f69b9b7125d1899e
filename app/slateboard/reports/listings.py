"""Boards, agents, tokens, tasks and decisions as rows, a page at a time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from slateboard.protocol.pages import COUNT_LIMIT, DEFAULT_PAGE, Page
from slateboard.protocol.rights import Right
from slateboard.reports import tree
from slateboard.reports.artifacts import require_names
from slateboard.reports.paging import Filters, decode, id_key, keyed, page_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slateboard.transaction import Statement

READY_LIMIT = 10_000
"""The ready items of one agent are counted so far and no further."""

BOARDS = """
SELECT b.id, b.name, b.prefix, b.created_at, b.archived_at, p.board IS NOT NULL AS paused, p.reason AS pause_reason
FROM boards b
LEFT JOIN pauses p ON p.agent = 0 AND p.board = b.id
WHERE $1::bigint IS NOT NULL{filters} ORDER BY b.id LIMIT {limit}
"""


async def boards(
    tx: Statement,
    *,
    first: int = DEFAULT_PAGE,
    after: str | None = None,
    names: Sequence[str] | None = None,
    ids: Sequence[int] | None = None,
    total: bool = False,
) -> Page:
    """The boards that the actor may see: all for the administrator, its own for an agent."""
    tx.require(Right.READER)
    filters = Filters(tx.board)
    if tx.actor.board is not None:
        filters.add("b.id = ?", tx.actor.board)
    if names is not None:
        filters.add("b.name = ANY (?::text[])", list(names))
    if ids is not None:
        filters.add("b.id = ANY (?::bigint[])", list(ids))
    return await _page(tx, BOARDS, filters, first, after, "b.id > ?", keys=names if ids is None else ids, total=total)


AGENTS = f"""
WITH claimed AS (SELECT l.agent, count(*) AS number FROM leases l WHERE l.board = $1 GROUP BY l.agent)
SELECT a.id, a.name, a.kind, a.role, a.capabilities, m.name AS manager, a."grant" AS "right", a.created_at,
       p.board IS NOT NULL AS paused, p.reason AS pause_reason, coalesce(c.number, 0) AS claimed,
       (SELECT count(*) FROM (SELECT FROM ready r WHERE r.board = a.board AND r.inbox = a.id LIMIT {READY_LIMIT}) AS x)
           AS ready
FROM agents a
LEFT JOIN agents m ON m.board = a.board AND m.id = a.manager
LEFT JOIN pauses p ON p.board = a.board AND p.agent = a.id
LEFT JOIN claimed c ON c.agent = a.id
WHERE a.board = $1{{filters}} ORDER BY a.id LIMIT {{limit}}
"""


async def agents(
    tx: Statement,
    *,
    first: int = DEFAULT_PAGE,
    after: str | None = None,
    kind: str | None = None,
    capability: str | None = None,
    names: Sequence[str] | None = None,
    total: bool = False,
) -> Page:
    """The agents of the board, with how much each has ready (counted to 10,000) and claimed."""
    tx.require(Right.READER)
    filters = Filters(tx.board)
    if names is None:
        filters.add("a.removed_at IS NULL AND ?", True)
    for condition, value in (("a.kind = ?", kind), ("? = ANY (a.capabilities)", capability)):
        if value is not None:
            filters.add(condition, value)
    if names is not None:
        filters.add("a.name = ANY (?::text[])", list(names))
    return await _page(tx, AGENTS, filters, first, after, "a.id > ?", keys=names, total=total)


TOKENS = """
SELECT k.id, a.name AS agent, k.created_at, k.expires_at, k.revoked_at,
       k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now()) AS live
FROM tokens k LEFT JOIN agents a ON a.board = k.board AND a.id = k.agent
WHERE (k.board = $1{everywhere}){filters} ORDER BY k.id LIMIT {limit}
"""


async def tokens(
    tx: Statement,
    *,
    first: int = DEFAULT_PAGE,
    after: str | None = None,
    agent: str | None = None,
    live: bool | None = None,
    total: bool = False,
) -> Page:
    """The tokens of the board's agents, never the token itself; an administrator of all boards sees its own too."""
    tx.require(Right.ADMIN)
    filters = Filters(tx.board)
    if agent is not None:
        await require_names(tx, owner=agent)
        filters.add("a.name = ?", agent)
    if live is not None:
        filters.add("(k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())) = ?", live)
    statement = TOKENS.replace("{everywhere}", " OR k.board IS NULL" if tx.actor.board is None else "")
    return await _page(tx, statement, filters, first, after, "k.id > ?", total=total)


TASKS = """
SELECT t.id, t.name, t.title, t.brief, p.name AS parent, g.name AS agent, d.name AS delegator, t.priority, t.due,
       t.source, t.created_by, t.created_at
FROM tasks t
LEFT JOIN tasks p ON p.board = t.board AND p.id = t.parent
LEFT JOIN agents g ON g.board = t.board AND g.id = t.agent
LEFT JOIN agents d ON d.board = t.board AND d.id = t.delegator
WHERE t.board = $1{filters} ORDER BY t.id LIMIT {limit}
"""


async def tasks(
    tx: Statement,
    *,
    first: int = DEFAULT_PAGE,
    after: str | None = None,
    parent: str | None = None,
    roots: bool = False,
    agent: str | None = None,
    names: Sequence[str] | None = None,
    ids: Sequence[int] | None = None,
    roll_up: bool = True,
    total: bool = False,
) -> Page:
    """The tasks of the board; `status` and `progress` (see `reports.progress`) with everything below each.

    `roots` gives those without a parent; `roll_up=False` leaves status and progress out.
    """
    tx.require(Right.READER)
    filters = Filters(tx.board)
    if parent is not None:
        filters.add("p.name = ?", parent)
    if roots:
        filters.add("t.parent IS NULL")
    if agent is not None:
        filters.add("g.name = ?", agent)
    if names is not None:
        filters.add("t.name = ANY (?::text[])", list(names))
    if ids is not None:
        filters.add("t.id = ANY (?::bigint[])", list(ids))
    page = await _page(tx, TASKS, filters, first, after, "t.id > ?", keys=names if ids is None else ids, total=total)
    if not page.rows:
        await require_names(tx, task=parent, owner=agent)
    elif roll_up:
        found = await tree.roll_up(tx, [row["id"] for row in page.rows])
        for row in page.rows:
            row.update(found[row["id"]])
    return page


DECISIONS = """
SELECT d.id, d.subject, d.status, d.decision, d.rationale, d.context, d.drivers, d.options::text AS options,
       d.consequences, d.confirmation, d.agent, t.name AS task, d.supersedes, n.id AS superseded_by, d.decided_at,
       d.created_by
FROM decisions d
LEFT JOIN tasks t ON t.board = d.board AND t.id = d.task
LEFT JOIN LATERAL (SELECT n.id FROM decisions n WHERE n.board = d.board AND n.supersedes = d.id
                   AND d.status = 'superseded' ORDER BY n.id LIMIT 1) AS n ON true
WHERE d.board = $1{filters} ORDER BY d.id DESC LIMIT {limit}
"""


async def decisions(
    tx: Statement,
    *,
    first: int = DEFAULT_PAGE,
    after: str | None = None,
    subject: str | None = None,
    status: str | None = None,
    task: str | None = None,
    agent: str | None = None,
    total: bool = False,
) -> Page:
    """The decisions of the board, the newest first, with the fields of MADR; `agent` is who decided."""
    tx.require(Right.READER)
    filters = Filters(tx.board)
    conditions = (("d.subject = ?", subject), ("d.status = ?", status), ("t.name = ?", task), ("d.agent = ?", agent))
    for condition, value in conditions:
        if value is not None:
            filters.add(condition, value)
    page = await _page(tx, DECISIONS, filters, first, after, "d.id < ?", total=total)
    for row in page.rows:
        row["options"] = json.loads(row["options"])
    if not page.rows:
        await require_names(tx, task=task)
    return page


async def _page(
    tx: Statement,
    statement: str,
    filters: Filters,
    first: int,
    after: str | None,
    beyond: str,
    *,
    keys: Sequence[Any] | None = None,
    total: bool = False,
) -> Page:
    """A page of a listing whose key is the id alone; `beyond` is the condition that goes on after a cursor."""
    first = keyed(first, keys)
    counted = None
    if total:
        counting = filters.copy()
        text = statement.replace("{limit}", counting.argument(COUNT_LIMIT)).replace("{filters}", filters.text)
        counted = await tx.fetchval(f"SELECT count(*) FROM ({text}) AS counted", *counting.arguments)
    if after is not None:
        filters.add(beyond, *decode(after, parts=1))
    text = statement.replace("{limit}", filters.argument(first + 1)).replace("{filters}", filters.text)
    page = page_of([dict(row) for row in await tx.fetch(text, *filters.arguments)], first, id_key)
    return Page(rows=page.rows, next=page.next, total=counted)
