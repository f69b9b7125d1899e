"""Health of what runs and of what is due: chores that look again and again, and tell each thing once.

A claim without progress (a changed report of it, a checkpoint) for five minutes is told of; a heartbeat alone is none.
One that takes longer than its artifact allows ends as a failure, and its worker hears so at its next call. What is due
is told of at three quarters of its time and when it is due, by marks that are made with the item and again when `due`
is changed. What people hold is left to its deadlines.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from slateboard.protocol import durations
from slateboard.protocol.events import Subject
from slateboard.protocol.names import BoardId
from slateboard.protocol.states import FailureClass, Outcome
from slateboard.work import queries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from slateboard.transaction import Statement, Transaction

STALL_SECONDS = 300.0
TIME_LIMIT_SECONDS = 1_800.0
"""Of an attempt whose artifact says nothing else."""

# Told once for each standstill: progress since then arms it again.
STALLED = """
WITH still AS MATERIALIZED (
    SELECT l.ctid AS place, l.board, l.item, coalesce(l.progressed_at, l.claimed_at) AS since
    FROM leases l
    WHERE coalesce(l.progressed_at, l.claimed_at) <= $1::timestamptz - make_interval(secs => $2)
      AND (l.stalled_at IS NULL OR l.stalled_at < l.progressed_at)
      AND (SELECT a.kind FROM agents a WHERE a.board = l.board AND a.id = l.agent) IS DISTINCT FROM 'human'
      AND (SELECT b.archived_at IS NULL FROM boards b WHERE b.id = l.board)
    ORDER BY l.board, l.item LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED
),
told AS (
    UPDATE leases l SET stalled_at = $1 WHERE l.ctid = ANY (ARRAY(SELECT place FROM still))
    RETURNING l.board, l.item, l.fence, l.agent, l.worker, l.attempt,
              coalesce(l.progressed_at, l.claimed_at) AS since, l.cause
)
SELECT t.*, w.kind, w.reference, w.correlation FROM told t,
LATERAL (SELECT w.kind, w.reference, w.correlation FROM work_items w
         WHERE w.board = t.board AND w.id = t.item OFFSET 0) AS w
ORDER BY t.board, t.item
"""

OVERLONG = "SELECT * FROM overlong_claims($1, $2, coalesce($3, clock_timestamp()))"

# The marks whose time has come, each with its item if that is still unfinished.
DUE = """
WITH come AS (
    DELETE FROM due_marks WHERE ctid = ANY (ARRAY(
        SELECT m.ctid FROM due_marks m
        WHERE m.at <= $1 AND (SELECT b.archived_at IS NULL FROM boards b WHERE b.id = m.board)
        ORDER BY m.at LIMIT $2 FOR UPDATE SKIP LOCKED))
    RETURNING board, item, mark
)
SELECT c.board, c.item, c.mark, w.kind, w.reference, w.inbox, w.due, w.correlation
FROM come c
LEFT JOIN LATERAL (SELECT * FROM work_items w
                   WHERE w.board = c.board AND w.id = c.item AND w.outcome IS NULL OFFSET 0) AS w ON true
ORDER BY c.board, c.item
"""


async def tell_stalled(tx: Transaction, *, limit: int = 500) -> int:
    """Tell of the claims that made no progress for 5 min, at most `limit`, whatever the board; how many."""
    rows = await tx.fetch(STALLED, tx.now, STALL_SECONDS, limit)
    for board, stalled in _by_board(rows):
        tx.board = board
        for row in stalled:
            names = ("item", "reference", "fence", "attempt", "agent", "worker", "since")
            told = {name: row[name] for name in names}
            tx.record(Subject.ITEM_STALLED.of(row["kind"]), told, correlation=row["correlation"])
        await tx.flush()
    return len(rows)


async def end_overlong(tx: Statement, *, limit: int = 500, now: datetime | None = None) -> list[Any]:
    """End the claims over their time limit, as failures: rows of board, item, place and the inboxes to wake."""
    ended: list[Any] = []
    for board, claims in _by_board(await tx.fetch(OVERLONG, TIME_LIMIT_SECONDS, limit, now)):
        errors = [_over(row["seconds"]) for row in claims]
        number = len(claims)
        rows = await tx.fetch(
            queries.GIVE_BACK, board, None, tx.actor.name, tx.actor.authenticated_by, [row["item"] for row in claims],
            [row["fence"] for row in claims], [Outcome.FAILED.value] * number, [FailureClass.TRANSIENT.value] * number,
            errors, None, None, None, None, now,
        )  # fmt: skip
        ended += [{"board": board, **dict(row)} for row in rows]
    return ended


async def tell_due(tx: Transaction, *, limit: int = 500) -> int:
    """Tell of what comes near its `due` or has passed it, at most `limit` marks, whatever the board; how many marks.

    A warning that comes only when the time is over is left out.
    """
    rows = await tx.fetch(DUE, tx.now, limit)
    for board, marks in _by_board([row for row in rows if row["reference"] is not None]):
        tx.board = board
        for row in marks:
            early = row["mark"] == "due_soon"
            if early and row["due"] <= tx.now:
                continue
            told = {"item": row["item"], "reference": row["reference"], "agent": row["inbox"], "due": row["due"]}
            tx.record(Subject.ITEM_DUE_SOON if early else Subject.ITEM_OVERDUE, told, correlation=row["correlation"])
        await tx.flush()
    return len(rows)


def _over(seconds: float) -> str:
    shown = durations.shown(seconds)
    return f"the attempt took longer than its time limit of {shown}; `time_limit_seconds` of the artifact sets it"


def _by_board(rows: Sequence[Any]) -> list[tuple[BoardId, list[Any]]]:
    """Rows that come in the order of their boards, board by board."""
    return [(BoardId(board), list(group)) for board, group in groupby(rows, key=lambda row: row["board"])]
