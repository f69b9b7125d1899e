"""Duties: work items that produce no artifact. Somebody verifies a result, answers a question, undoes a step.

A duty goes the way of all work: inbox, claim, lease, attempts, dead letter. What it is about stands under the item's id
in a table of the pattern that posted it. An item that waits for a duty is held by its gate like one that waits for an
artifact; that somebody named must act, by when, stands in `waiting`, and makes its place `waiting` instead of `gated`.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from slateboard.log import outbox
from slateboard.protocol.errors import UnknownName, WrongState
from slateboard.protocol.events import Subject
from slateboard.protocol.states import Outcome, Place
from slateboard.work import dead_letters, endings, gates, leases, queries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from slateboard.protocol.states import ItemKind
    from slateboard.transaction import Transaction

POST = "SELECT * FROM post_duties($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"

# Items with their leases (null where there is none), held: the leases first, then the items, each in ascending order.
LOCK_CLAIMS = """
WITH l AS MATERIALIZED (
    SELECT l.* FROM leases l WHERE l.board = $1 AND l.item = ANY ($2::bigint[]) ORDER BY l.item FOR UPDATE
), w AS MATERIALIZED (
    SELECT w.id, w.outcome, w.reference FROM work_items w
    WHERE w.board = $1 AND w.id = ANY ($2::bigint[]) AND (SELECT count(*) FROM l) >= 0 ORDER BY w.id FOR NO KEY UPDATE
)
SELECT w.id, w.outcome, w.reference, l.* FROM w LEFT JOIN l ON l.item = w.id ORDER BY w.id
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
    holds: int | None = None,
    reason: str | None = None,
    hooked: bool = False,
    insert: str | None = None,
    values: Sequence[Any] = (),
) -> dict[str, Any]:
    """Post a duty into an inbox, gated by the unfinished items `after` (held by the caller); returns its `item`.

    The item that it `holds`, which is in no place, waits until its owner has done it, by `due`; `reason` says for what.
    `insert` makes the row of what it is about in the same statement, and the answer is that row, without the board: its
    `$1` is the board, its `values` stand from `$16` on, and it takes the `item` from `posted`.
    """
    given = (rating, due, sorted(after), False, hooked, holds, reason)
    row = await _post(tx, kind, reference, [inbox], *given, insert=insert, values=values)
    item: int = row["items"][0]
    image = _image(item, kind, reference, inbox, rating, due)
    if after:
        image["blocked_by"] = sorted(after)
    tx.record(Subject.ITEM_POSTED, image)
    return {"item": item, **{name: value for name, value in row.items() if name not in {"board", "items", "woken"}}}


async def post_several(
    tx: Transaction,
    *,
    kind: ItemKind,
    reference: str,
    inboxes: Sequence[int],
    rating: int,
    due: datetime | None = None,
    in_turn: bool = False,
) -> list[int]:
    """Post a hooked duty into each of these inboxes; `in_turn` each waits for the one before, and the first is due."""
    if not inboxes:
        return []
    row = await _post(tx, kind, reference, inboxes, rating, due, [], in_turn, True, None, None)
    items: list[int] = row["items"]
    for number, (item, inbox) in enumerate(zip(items, inboxes, strict=True)):
        waits = in_turn and number > 0
        image = _image(item, kind, reference, inbox, rating, None if waits else due)
        if waits:
            image["blocked_by"] = [items[number - 1]]
        tx.record(Subject.ITEM_POSTED, image)
    return items


async def _post(
    tx: Transaction,
    kind: ItemKind,
    reference: str,
    inboxes: Sequence[int],
    *given: Any,
    insert: str | None = None,
    values: Sequence[Any] = (),
) -> Any:
    row = await tx.fetchrow(
        _posting(insert), tx.board, kind.value, reference, list(inboxes), *given, tx.correlation, tx.depth,
        tx.actor.name, tx.now, *values,
    )  # fmt: skip
    tx.wake(row["woken"])
    return row


@cache
def _posting(insert: str | None) -> str:
    if insert is None:
        return POST
    posted = f"WITH posted AS MATERIALIZED (SELECT p.*, p.items[1] AS item FROM ({POST}) AS p), made AS ({insert})"
    return posted + " SELECT posted.items, posted.woken, made.* FROM posted, made"


def _image(item: int, kind: ItemKind, reference: str, inbox: int, rating: int, due: datetime | None) -> dict[str, Any]:
    image: dict[str, Any] = {"item": item, "kind": kind.value, "reference": reference, "inbox": inbox, "rating": rating}
    return image if due is None else {**image, "due": due}


async def hold(tx: Transaction, duty: int, *others: int | None, fence: int | None = None) -> Any:
    """Hold a duty that is to end, dead letters too, and what waits for it. Raises `UnknownName`, `WrongState`.

    With a `fence` it is claimed under it: returns the lease, to be ended by `leases.give_up`. Raises `LeaseLost`.
    """
    items = sorted({duty, *(other for other in others if other is not None)})
    rows = {row["id"]: row for row in await tx.fetch(LOCK_CLAIMS, tx.board, items)}
    if duty not in rows:
        raise UnknownName(f"there is no work item {duty}", remedy="see `slate work list`", item=duty)
    row = rows[duty]
    if fence is not None:
        return await leases.check_own(tx, row if row["item"] is not None else None, item=duty, fence=fence)
    if row["outcome"] not in {None, Place.DEAD}:
        message = f"item {duty} ({row['reference']}) is {row['outcome']} already"
        raise WrongState(message, remedy="nothing to do", item=duty)
    return None


async def end(
    tx: Transaction, duty: int, *, given_up: bool = False, also: str | None = None, values: Sequence[Any] = ()
) -> None:
    """A held duty is done, wherever it stands: whoever works on it has completed it, and what waited goes on.

    What it waited for itself is withdrawn. The caller has recorded why; `given_up` says that it also ended the claim.
    `also` is what it does besides, with these values, as in `done`.
    """
    if not given_up:  # what is claimed waits for nothing
        await endings.withdraw(tx, item=duty, reason="what it was asked for is done")
        ended = await endings.leave_places(tx, [duty])
        await gates.end_attempts(tx, ended, outcome=Outcome.COMPLETED, error=None, note=None)
    await done(tx, [duty], also=also, values=values)


async def done(tx: Transaction, items: Sequence[int], *, also: str | None = None, values: Sequence[Any] = ()) -> None:
    """Duties, held and in no place, are done, and what waited for them goes on; it is told after what was recorded.

    `also` is a change that comes in the same statement: its `$1` is the board, `$5` the time, and its `values` stand
    from `$6` on.
    """
    given = (tx.board, items, tx.actor.name, tx.actor.authenticated_by, tx.now, *values)
    tx.wake(await tx.flush_by(_ending(also, len(values)), *given))


@cache
def _ending(also: str | None, values: int) -> str:
    events = ", ".join(f"${number}" for number in range(values + 6, values + 12))
    return (f"WITH also AS ({also}) " if also else "") + f"SELECT end_duties($1, $2, $3, $4, $5, {events})"


async def hand_over(tx: Transaction, duty: int, *, to: int, due: datetime) -> None:
    """A held duty goes to another inbox, due then; a claim of it ends, and what it waited for is withdrawn.

    It begins anew: what failed before neither delays nor counts. The caller has recorded why.
    """
    await endings.withdraw(tx, item=duty, reason="what it was asked for goes to somebody else")
    ended = await endings.leave_places(tx, [duty])
    await gates.end_attempts(tx, ended, outcome=Outcome.CANCELLED, error="handed over", note=None)
    await tx.fetch(HAND_OVER, tx.board, duty, to, due)
    await tx.fetch(queries.MARK_DUE_AGAIN, tx.board, [duty])
    tx.wake(await tx.fetchval(queries.PLACE, tx.board, [duty], False, tx.now))


async def bury(tx: Transaction, item: int, *, failure_class: str, error: str) -> None:
    """An item, held and unclaimed, becomes a dead letter: of whoever tried it last, else of its inbox."""
    await endings.leave_places(tx, [item])
    row = await tx.fetchrow(BURY, tx.board, item, failure_class, error, tx.now)
    tx.depth = row["depth"]
    told = {"item": item, "reference": row["reference"], "agent": row["agent"], "class": failure_class, "error": error}
    # A question about an agent belongs to no correlation, and must not get one of this change.
    tx.append(Subject.ITEM_DIED.of(row["kind"]).value, json.dumps(told), correlation=row["correlation"])
    if row["again"] is not None:  # nobody tried it, and anybody might have
        await outbox.append(
            tx, subject=row["again"], payload=json.dumps(told), correlation=row["correlation"], cause=tx.cause
        )
    await dead_letters.tell(tx, item)
