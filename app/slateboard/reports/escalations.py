"""Escalations as rows: what waits for somebody's answer, whose, and until when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.protocol.pages import DEFAULT_PAGE, Page
from slateboard.protocol.rights import Right
from slateboard.reports.artifacts import require_names
from slateboard.reports.items import EPOCH, MICROSECOND
from slateboard.reports.paging import Filters, check_first, count, decode, page_of

if TYPE_CHECKING:
    from slateboard.transaction import Statement

OPEN = """
escalations e JOIN work_items w ON w.board = e.board AND w.id = e.item
WHERE e.board = $1 AND e.answered_at IS NULL AND (w.outcome IS NULL OR w.outcome = 'dead')
"""

ROWS = f"""
SELECT e.item, e.kind, e.about, e.reference, e.severity, e.level, e.deadline, e.question, e.options,
       coalesce((SELECT o.name FROM agents o WHERE o.board = e.board AND o.id = e.owner),
                (SELECT o.capability FROM open_inboxes o WHERE o.board = e.board AND o.id = e.owner)) AS owner,
       e.default_answer AS default, e.asked_by, e.asked_at
FROM {OPEN}{{filters}} ORDER BY e.deadline, e.item LIMIT {{limit}}
"""


async def escalations(
    tx: Statement,
    *,
    first: int = DEFAULT_PAGE,
    after: str | None = None,
    agent: str | None = None,
    total: bool = False,
) -> Page:
    """What waits for an answer, the nearest deadline first: of the owner `agent`, or of all.

    The owner of an open request is the capability that is asked for.
    """
    tx.require(Right.READER)
    check_first(first)
    filters = Filters(tx.board)
    if agent is not None:
        filters.add("e.owner = (SELECT id FROM agents WHERE board = $1 AND name = ?)", agent)
    counted = await count(tx, OPEN, filters) if total else None
    if after is not None:
        condition = "(e.deadline, e.item) > (timestamptz 'epoch' + ?::bigint * interval '1 microsecond', ?)"
        filters.add(condition, *decode(after, parts=2))
    statement = ROWS.format(filters=filters.text, limit=filters.argument(first + 1))
    rows = [dict(row) for row in await tx.fetch(statement, *filters.arguments)]
    if not rows:
        await require_names(tx, owner=agent)
    page = page_of(rows, first, deadline_key)
    return Page(rows=page.rows, next=page.next, total=counted)


def deadline_key(row: dict[str, Any]) -> list[Any]:
    """The key of an escalation: its deadline, in µs since 1970, and its item."""
    return [(row["deadline"] - EPOCH) // MICROSECOND, row["item"]]
