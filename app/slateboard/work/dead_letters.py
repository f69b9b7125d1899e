"""Dead letters: what will not be tried again until somebody redrives or discards it, one or many.

Many are named by their items, or found by a search in bounded batches, the oldest first. A preview changes nothing and
says what would happen. What was tried too often over all its redrives is not brought back: it would be for ever. A
board keeps at most 10,000; the oldest of more are discarded, each with an event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.board import agents
from slateboard.protocol.errors import Invalid, TriedTooOften, WrongState
from slateboard.protocol.events import Subject
from slateboard.protocol.names import BoardId
from slateboard.protocol.rights import Right
from slateboard.protocol.subjects import expression
from slateboard.protocol.work import MAX_BATCH
from slateboard.work import endings, queries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slateboard.transaction import Statement, Transaction

MAX_ATTEMPTS_IN_ALL = 40
"""Attempts of one item over all its redrives, after which it is not brought back, unless its own rules give it more."""
USUAL_ATTEMPTS = 20
"""In one life of an item, as it is set where nothing else is: idle ones in a row."""
MAX_DEAD_LETTERS = 10_000
"""Of one board."""
MAX_AGE_SECONDS = 3_650 * 86_400.0
ARCHIVED = f"archived: the board had more than {MAX_DEAD_LETTERS:,} dead letters"

CONDITIONS = {
    "agent": "x.agent = (SELECT id FROM agents WHERE board = $1 AND name = ?)",
    "failure_class": "x.class = ?",
    "subject": """EXISTS (SELECT FROM deliveries d JOIN events e ON e.board = d.board AND e.position = d.position
                          WHERE d.board = $1 AND d.item = x.item AND e.subject ~ ?)""",
    "search": "strpos(lower(coalesce(x.error, '') || ' ' || w.reference), lower(?)) > 0",
    "older_than_seconds": "x.died_at <= now() - make_interval(secs => ?::float8)",
    "newer_than_seconds": "x.died_at > now() - make_interval(secs => ?::float8)",
}
"""By what dead letters (`x`, each with its item `w`) are searched."""

# How many attempts an item (`w`) may have in all, `bound` usually: twice what one life of it may take at the most, so
# that what its rules let die late can be brought back once.
MOST = f"""
({{bound}} + 2 * (greatest({USUAL_ATTEMPTS}, w.max_attempts, (
    SELECT (a.rules ->> 'max_idle_attempts')::int FROM artifacts a
    WHERE a.board = w.board AND a.id = w.artifact)) - {USUAL_ATTEMPTS}))
"""

FOUND = """
SELECT x.item, w.attempts FROM dead_letters x JOIN work_items w ON w.board = x.board AND w.id = x.item
WHERE x.board = $1
"""

REVIVE = """
WITH taken AS (
    DELETE FROM dead_letters WHERE board = $1 AND item = ANY ($2::bigint[])
)
UPDATE work_items SET outcome = NULL, finished_at = NULL, failures = 0, interruptions = 0, run_at = NULL
WHERE board = $1 AND id = ANY ($2::bigint[]) RETURNING id, kind, reference, correlation
"""

STANDING = """
SELECT w.id, w.reference, w.outcome = 'dead' AS dead, w.attempts, {most} AS most FROM work_items w
WHERE w.board = $1 AND w.id = ANY ($2::bigint[]) ORDER BY w.id
"""

TELL = "SELECT tell_of_deaths($1, $2, $3, $4, $5)"

OVER = """
SELECT d.board, count(*) - $1 AS over FROM dead_letters d
WHERE (SELECT b.archived_at IS NULL FROM boards b WHERE b.id = d.board)
GROUP BY d.board HAVING count(*) > $1 ORDER BY d.board LIMIT $2
"""

# The oldest, without those that something waits for by a deadline: that says what becomes of them.
OLDEST = """
SELECT d.item FROM dead_letters d
WHERE d.board = $1 AND NOT EXISTS (SELECT FROM waiting n WHERE n.board = d.board AND n.on_item = d.item)
ORDER BY d.died_at, d.item LIMIT $2
"""


def conditions(**wanted: Any) -> list[tuple[str, Any]]:
    """The conditions of a search, with the value of each; what is None does not matter. Raises `Invalid`."""
    given = {name: value for name, value in wanted.items() if value is not None}
    for name in ("older_than_seconds", "newer_than_seconds"):
        if not 0 <= given.get(name, 0) <= MAX_AGE_SECONDS:
            raise Invalid("an age is 0 s to ten years", remedy="choose a length in that range")
    if "subject" in given:
        given["subject"] = expression(given["subject"])
    return [(CONDITIONS[name], value) for name, value in given.items()]


def most() -> str:
    """The SQL of how many attempts an item `w` may have over all its redrives."""
    return MOST.format(bound=MAX_ATTEMPTS_IN_ALL)


async def redrive(
    tx: Transaction,
    *,
    items: Sequence[int] = (),
    everything: bool = False,
    agent: str | None = None,
    failure_class: str | None = None,
    subject: str | None = None,
    search: str | None = None,
    older_than_seconds: float | None = None,
    newer_than_seconds: float | None = None,
    limit: int = MAX_BATCH,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Bring dead letters back: ready again, a fresh count of failures, the history kept, a new fence at the claim.

    Those named, or the oldest that a search finds (`everything` without one); `subject` is a pattern of what was
    delivered. Returns `{redriven, refused, more, dry_run}`: `refused` counts what a search found that was tried too
    often. Raises `WrongState` (alive), `TriedTooOften` (named), `Invalid`.
    """
    tx.require(Right.OPERATOR)
    wanted = conditions(
        agent=agent, failure_class=failure_class, subject=subject, search=search,
        older_than_seconds=older_than_seconds, newer_than_seconds=newer_than_seconds,
    )  # fmt: skip
    if not _by_search(items, wanted, everything=everything, limit=limit):
        references = await revive(tx, _bounded(items), dry_run=dry_run)
        return {"redriven": references, "refused": 0, "more": False, "dry_run": dry_run}
    await _known(tx, agent)
    again = f"w.attempts < {most()}"
    found = await _found(tx, wanted, again, limit + 1)
    refused = len(await _found(tx, wanted, f"NOT {again}", MAX_DEAD_LETTERS))
    references = await revive(tx, sorted(found[:limit]), dry_run=dry_run) if found else []
    return {"redriven": references, "refused": refused, "more": len(found) > limit, "dry_run": dry_run}


async def discard(
    tx: Transaction,
    *,
    items: Sequence[int] = (),
    reason: str,
    cascade: bool = False,
    waive: bool = False,
    everything: bool = False,
    agent: str | None = None,
    failure_class: str | None = None,
    subject: str | None = None,
    search: str | None = None,
    older_than_seconds: float | None = None,
    newer_than_seconds: float | None = None,
    limit: int = MAX_BATCH,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Take dead letters off the table for good, with a reason; named or searched as in `redrive`.

    Returns `{discarded, waived, more, dry_run}`: with `cascade` also what waited. Raises `WrongState`, `HasDependents`.
    """
    tx.require(Right.OPERATOR)
    if not reason.strip():
        raise Invalid("a discard needs a reason", remedy="say why it will not be done")
    wanted = conditions(
        agent=agent, failure_class=failure_class, subject=subject, search=search,
        older_than_seconds=older_than_seconds, newer_than_seconds=newer_than_seconds,
    )  # fmt: skip
    searched = _by_search(items, wanted, everything=everything, limit=limit)
    await _known(tx, agent)
    found = await _found(tx, wanted, "true", limit + 1) if searched else []
    chosen = sorted(found[:limit]) if searched else _bounded(items)
    ended: list[dict[str, Any]] = []
    if chosen:
        ended = await endings.end(
            tx, Subject.ITEM_DISCARDED, chosen, reason=reason, cascade=cascade, waive=waive, dry_run=dry_run
        )
    more = len(found) > limit
    return {"discarded": [row["reference"] for row in ended], "waived": waive, "more": more, "dry_run": dry_run}


async def revive(tx: Transaction, ordered: Sequence[int], *, dry_run: bool = False) -> list[str]:
    """Bring back dead letters, in ascending order, as somebody decided who may; their references."""
    await tx.fetch(queries.LOCK_ITEMS, tx.board, ordered)
    rows = await tx.fetch(STANDING.format(most=most()), tx.board, ordered)
    missing = sorted(set(ordered) - {row["id"] for row in rows if row["dead"]})
    if missing:
        raise WrongState(f"no dead letters: {missing[:10]}", remedy="see `slate dead-letters list`", items=missing)
    worn = [row for row in rows if row["attempts"] >= row["most"]]
    if worn:
        message = f"{worn[0]['reference']} was tried {worn[0]['attempts']} times, over all its redrives"
        remedy = "discard it, and post the work anew in another form"
        raise TriedTooOften(message, remedy=remedy, items=[row["id"] for row in worn], limit=worn[0]["most"])
    if dry_run:
        return [row["reference"] for row in rows]
    revived = await tx.fetch(REVIVE, tx.board, ordered)
    tx.wake(await tx.fetchval(queries.PLACE, tx.board, ordered, False, tx.now))
    for row in revived:
        payload = {"item": row["id"], "reference": row["reference"]}
        tx.record(Subject.ITEM_REDRIVEN.of(row["kind"]), payload, correlation=row["correlation"])
    return [row["reference"] for row in revived]


async def tell(tx: Transaction, item: int) -> None:
    """Tell whom it concerns that an item has died; its death was recorded."""
    await tx.flush()
    tx.wake(await tx.fetchval(TELL, tx.board, [item], tx.actor.name, tx.actor.authenticated_by, tx.now))


async def archive(tx: Transaction, *, limit: int = 500) -> int:
    """Discard the oldest dead letters of boards that have too many, at most `limit` each, on any board; how many."""
    archived = 0
    for row in await tx.fetch(OVER, MAX_DEAD_LETTERS, limit):
        tx.board = BoardId(row["board"])
        oldest = await tx.fetch(OLDEST, tx.board, min(row["over"], limit))
        if oldest:
            items = sorted(one["item"] for one in oldest)
            await endings.end(tx, Subject.ITEM_DISCARDED, items, reason=ARCHIVED, leave=True)
            await tx.flush()
        archived += len(oldest)
    return archived


async def _found(tx: Statement, wanted: Sequence[tuple[str, Any]], also: str, limit: int) -> list[int]:
    """The items of dead letters that fit, the oldest first."""
    statement, arguments = f"{FOUND} AND {also}", [tx.board]
    for condition, value in wanted:
        arguments.append(value)
        statement += f" AND {condition.replace('?', f'${len(arguments)}')}"
    statement += f" ORDER BY x.died_at, x.item LIMIT ${len(arguments) + 1}"
    return [row["item"] for row in await tx.fetch(statement, *arguments, limit)]


async def _known(tx: Transaction, agent: str | None) -> None:
    if agent is not None:
        await agents.ids(tx, [agent])


def _by_search(items: Sequence[int], wanted: Sequence[Any], *, everything: bool, limit: int) -> bool:
    """Whether dead letters are searched, and not named."""
    if items and (wanted or everything):
        raise Invalid("dead letters are named or searched, not both", remedy="leave one of them out")
    if not 1 <= limit <= MAX_BATCH:
        raise Invalid(f"1 to {MAX_BATCH:,} at once, not {limit}", remedy="choose a number in that range")
    return bool(wanted) or everything


def _bounded(items: Sequence[int]) -> list[int]:
    if not items:
        raise Invalid("no item was named", remedy="see `slate dead-letters list`")
    if len(items) > MAX_BATCH:
        raise Invalid(f"at most {MAX_BATCH} items at once", remedy="use several calls")
    return sorted(set(items))
