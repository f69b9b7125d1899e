"""Duties: work items that produce no artifact. Somebody verifies a result, answers a question, undoes a step.

A duty goes the way of all work: inbox, claim, lease, attempts, dead letter. What it is about stands under the item's id
in a table of the pattern that posted it. An item that waits for a duty is held by its gate like one that waits for an
artifact; that somebody named must act, by when, stands in `waiting`, and makes its place `waiting` instead of `gated`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from slateboard.log import outbox
from slateboard.protocol.errors import UnknownName, WrongState
from slateboard.protocol.events import Subject
from slateboard.protocol.states import Outcome, Place
from slateboard.work import dead_letters, endings, gates, queries

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

HAND_OVER = """
UPDATE work_items SET inbox = $3, due = $4, outcome = NULL, finished_at = NULL, failures = 0, interruptions = 0,
    run_at = NULL
WHERE board = $1 AND id = $2
"""

BURY = """
WITH ended AS (
    UPDATE work_items SET outcome = 'dead', finished_at = $5, last_error = $4 WHERE board = $1 AND id = $2
    RETURNING id, kind, reference, correlation, depth,
              coalesce((SELECT t.agent FROM attempts t WHERE t.board = $1 AND t.item = $2
                        ORDER BY t.fence DESC LIMIT 1), inbox) AS agent
), letter AS (
    INSERT INTO dead_letters (board, item, agent, class, error, died_at) SELECT $1, id, agent, $3, $4, $5 FROM ended
)
SELECT e.*, dead_letter_subject($1, e.agent) AS again FROM ended e
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
    values = (kind.value, reference, inbox, rating, due, tx.correlation, tx.depth, hooked, tx.now)
    item = await tx.fetchval(INSERT, tx.board, *values)
    image: dict[str, Any] = {"item": item, "kind": kind.value, "reference": reference, "inbox": inbox, "rating": rating}
    if due is not None:
        image["due"] = due
    if after:
        image["blocked_by"] = sorted(after)
        await tx.fetch(HOLD_BEHIND, tx.board, sorted(after), item, tx.actor.name, tx.now)
        await tx.fetch(queries.INSERT_GATES, tx.board, [item], [len(after)])
    else:
        tx.wake(await tx.fetchval(queries.PLACE, tx.board, [item], False, tx.now))
    tx.record(Subject.ITEM_POSTED, image)
    return item


async def wait_on(tx: Transaction, *, item: int, duty: int, owner: int, deadline: datetime, reason: str) -> None:
    """Let an item that is in no place wait until a duty is done, which its owner must do by a deadline."""
    await tx.fetch(HOLD_BEHIND, tx.board, [duty], item, tx.actor.name, tx.now)
    await tx.fetch(queries.INSERT_GATES, tx.board, [item], [1])
    await tx.fetch(WAIT, tx.board, item, owner, deadline, duty, reason, tx.now)


async def hold(tx: Transaction, duty: int, *others: int | None) -> None:
    """Hold a duty that is to end, dead letters too, and what waits for it. Raises `UnknownName`, `WrongState`."""
    items = sorted({duty, *(other for other in others if other is not None)})
    await tx.fetch(queries.LOCK_LEASES, tx.board, items)
    rows = {row["id"]: row for row in await tx.fetch(queries.LOCK_ITEMS, tx.board, items)}
    if duty not in rows:
        raise UnknownName(f"there is no work item {duty}", remedy="see `slate work list`", item=duty)
    if rows[duty]["outcome"] not in {None, Place.DEAD}:
        message = f"item {duty} ({rows[duty]['reference']}) is {rows[duty]['outcome']} already"
        raise WrongState(message, remedy="nothing to do", item=duty)


async def end(tx: Transaction, duty: int, *, given_up: bool = False) -> None:
    """A held duty is done, wherever it stands: whoever works on it has completed it, and what waited goes on.

    What it waited for itself is withdrawn. The caller has recorded why; `given_up` says that it also ended the claim.
    """
    await endings.withdraw(tx, item=duty, reason="what it was asked for is done")
    if not given_up:
        leases = await endings.leave_places(tx, [duty])
        await gates.end_attempts(tx, leases, outcome=Outcome.COMPLETED, error=None, note=None)
    await tx.fetch(queries.MARK_DONE, tx.board, [duty], tx.now)
    await tx.fetch(queries.END_WAIT, tx.board, [duty])
    await tx.flush()  # what opens now is told after what opened it
    await gates.release_dependents(tx, [duty])


async def hand_over(tx: Transaction, duty: int, *, to: int, due: datetime) -> None:
    """A held duty goes to another inbox, due then; a claim of it ends, and what it waited for is withdrawn.

    It begins anew: what failed before neither delays nor counts. The caller has recorded why.
    """
    await endings.withdraw(tx, item=duty, reason="what it was asked for goes to somebody else")
    leases = await endings.leave_places(tx, [duty])
    await gates.end_attempts(tx, leases, outcome=Outcome.CANCELLED, error="handed over", note=None)
    await tx.fetch(HAND_OVER, tx.board, duty, to, due)
    await tx.fetch(queries.MARK_DUE_AGAIN, tx.board, [duty])
    tx.wake(await tx.fetchval(queries.PLACE, tx.board, [duty], False, tx.now))


async def bury(tx: Transaction, item: int, *, failure_class: str, error: str) -> None:
    """An item, held and unclaimed, becomes a dead letter: of whoever tried it last, else of its inbox."""
    await endings.leave_places(tx, [item])
    row = await tx.fetchrow(BURY, tx.board, item, failure_class, error, tx.now)
    tx.depth = row["depth"]
    told = {"item": item, "reference": row["reference"], "agent": row["agent"], "class": failure_class, "error": error}
    subject = Subject.ITEM_DIED.of(row["kind"])
    tx.record(subject, told, correlation=row["correlation"])
    if row["again"] is not None:  # nobody tried it, and anybody might have
        await outbox.append(
            tx, subject=row["again"], payload=json.dumps(told), correlation=row["correlation"], cause=tx.cause
        )
    await dead_letters.tell(tx, item)
