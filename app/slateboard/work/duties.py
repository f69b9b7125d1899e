"""Duties: work items that produce no artifact. Somebody verifies a result, answers a question, undoes a step.

A duty goes the way of all work: inbox, claim, lease, attempts, dead letter. What it is about stands under the item's id
in a table of the pattern that posted it. An item that waits for a duty is held by its gate like one that waits for an
artifact; that somebody named must act, by when, stands in `waiting`, and makes its place `waiting` instead of `gated`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.protocol.events import Subject
from slateboard.work import gates, queries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from slateboard.protocol.states import ItemKind
    from slateboard.transaction import Transaction

INSERT = """
INSERT INTO work_items (board, id, kind, reference, inbox, base_rating, due, correlation, depth, hooked, created_at)
VALUES ($1, nextval('ids'), $2, $3, $4, $5, $6, $7, $8, $9, $10)
RETURNING id
"""

HOLD_BEHIND = """
INSERT INTO dependencies (board, blocker, item, counted, created_by, created_at)
SELECT $1, b.id, $3, true, $4, $5 FROM unnest($2::bigint[]) AS b (id)
"""

WAIT = """
INSERT INTO waiting (board, item, owner, deadline, on_item, reason, since) VALUES ($1, $2, $3, $4, $5, $6, $7)
"""

COMPLETE = """
UPDATE work_items SET outcome = 'done', finished_at = $3 WHERE board = $1 AND id = ANY ($2::bigint[])
"""


async def post(
    tx: Transaction,
    *,
    kind: ItemKind,
    reference: str,
    inbox: int,
    rating: int,
    due: datetime | None = None,
    after: Sequence[int] = (),
    hooked: bool = False,
) -> int:
    """Post a duty into an inbox, gated by the unfinished items `after` (held by the caller); returns its item."""
    item = await tx.fetchval(
        INSERT, tx.board, kind.value, reference, inbox, rating, due, tx.correlation, tx.depth, hooked, tx.now
    )
    if after:
        await tx.fetch(HOLD_BEHIND, tx.board, sorted(after), item, tx.actor.name, tx.now)
        await tx.fetch(queries.INSERT_GATES, tx.board, [item], [len(after)])
    else:
        tx.wake(await tx.fetchval(queries.PLACE, tx.board, [item], False, tx.now))
    image: dict[str, Any] = {"item": item, "kind": kind.value, "reference": reference, "inbox": inbox, "rating": rating}
    if due is not None:
        image["due"] = due
    if hooked:
        image["hooked"] = True
    if after:
        image["blocked_by"] = sorted(after)
    tx.record(Subject.ITEM_POSTED, image)
    return item


async def wait_on(
    tx: Transaction, *, item: int, duty: int, owner: int, deadline: datetime, reason: str
) -> None:
    """Let an item that is in no place wait until a duty is done, which its owner must do by a deadline."""
    await tx.fetch(HOLD_BEHIND, tx.board, [duty], item, tx.actor.name, tx.now)
    await tx.fetch(queries.INSERT_GATES, tx.board, [item], [1])
    await tx.fetch(WAIT, tx.board, item, owner, deadline, duty, reason, tx.now)


async def complete(tx: Transaction, items: Sequence[int]) -> None:
    """These items, held and in no place, are done; what waited for them goes on. The caller tells why, before."""
    await tx.fetch(COMPLETE, tx.board, sorted(items), tx.now)
    await tx.fetch("DELETE FROM waiting WHERE board = $1 AND on_item = ANY ($2::bigint[])", tx.board, sorted(items))
    await tx.flush()  # what opens now is told after what opened it
    await gates.release_dependents(tx, sorted(items))
