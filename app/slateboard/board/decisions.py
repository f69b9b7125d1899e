"""Decisions: who decided what, why, over which options, replacing which earlier one (the fields of MADR 4).

Append-only: a decision is never edited, only superseded. At most one is accepted for a subject: the database keeps it
so.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from slateboard.protocol.errors import Invalid, UnknownName, WrongState
from slateboard.protocol.events import Subject
from slateboard.protocol.names import slug
from slateboard.protocol.rights import Right
from slateboard.protocol.states import DecisionStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slateboard.transaction import Transaction


async def decide(
    tx: Transaction,
    *,
    decision: str,
    subject: str | None = None,
    rationale: str = "",
    context: str = "",
    drivers: Sequence[str] = (),
    options: Sequence[str | dict[str, Any]] = (),
    consequences: str = "",
    confirmation: str = "",
    status: str = "accepted",
    agent: str | None = None,
    task: str | None = None,
    supersedes: str | None = None,
) -> dict[str, Any]:
    """Record a decision; returns its row.

    `subject` defaults to the slug of the text; `agent` (who decided) to the actor; `supersedes` is the subject or id of
    the accepted decision that this one replaces. Raises `SubjectDecided` where one is accepted already and not named.
    """
    tx.require(Right.AGENT)
    if not decision.strip():
        raise Invalid("a decision needs a text", remedy="say what was decided")
    if status not in set(DecisionStatus) - {DecisionStatus.SUPERSEDED}:
        raise Invalid(f"a new decision is proposed, accepted or rejected, not {status!r}", remedy="use one of them")
    if supersedes is not None and status != DecisionStatus.ACCEPTED:
        message = f"a decision that is {status} cannot replace an accepted one"
        raise Invalid(message, remedy="accept it, or leave `supersedes` out")
    decided_by = agent or tx.actor.name
    if decided_by != tx.actor.name:
        tx.require(Right.ADMIN)
    task_id = None
    if task is not None:
        task_id = await tx.fetchval("SELECT id FROM tasks WHERE board = $1 AND name = $2", tx.board, task)
        if task_id is None:
            raise UnknownName(f"there is no task {task!r}", remedy="see `slate get tasks`", task=task)
    earlier = None if supersedes is None else await _supersede(tx, supersedes)
    row = await tx.fetchrow(
        "INSERT INTO decisions (board, subject, status, decision, rationale, context, drivers, options, consequences,"
        " confirmation, agent, task, supersedes, decided_at, created_by)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text::jsonb, $9, $10, $11, $12, $13, $14, $15) RETURNING *",
        tx.board,
        subject_of(subject or decision),
        status,
        decision,
        rationale,
        context,
        list(drivers),
        _json(options),
        consequences,
        confirmation,
        decided_by,
        task_id,
        earlier,
        tx.now,
        tx.actor.name,
    )
    image = {**dict(row), "options": json.loads(row["options"])}
    tx.record(Subject.DECISION_MADE, {"decision": image})
    return image


def _json(options: Sequence[str | dict[str, Any]]) -> str:
    try:
        return json.dumps(list(options), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise Invalid(f"the options are not JSON: {error}", remedy="give texts, or objects of texts") from error


def subject_of(text: str) -> str:
    """The slug of a text; one that has no sign of a name in it is told apart by its hash."""
    found = slug(text)
    return found if found != "unnamed" else f"unnamed-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


async def _supersede(tx: Transaction, which: str) -> int:
    """Mark the accepted decision of that subject (or id) as superseded, and the work that used it as stale."""
    row = await tx.fetchrow(
        "SELECT id, status, task, decided_at, subject FROM decisions"
        " WHERE board = $1 AND (subject = $2 OR id::text = $2)"
        " ORDER BY status = 'accepted' DESC, id DESC LIMIT 1 FOR UPDATE",
        tx.board,
        which,
    )
    if row is None:
        raise UnknownName(f"there is no decision {which!r}", remedy="see `slate get decisions`", decision=which)
    if row["status"] != DecisionStatus.ACCEPTED:
        raise WrongState(f"decision {which!r} is {row['status']}, not accepted", remedy="name the accepted one")
    await tx.fetch("UPDATE decisions SET status = 'superseded' WHERE board = $1 AND id = $2", tx.board, row["id"])
    tx.record(Subject.DECISION_SUPERSEDED, {"decision": row["id"], "subject": row["subject"]})
    await _mark_stale(tx, row)
    return row["id"]


async def _mark_stale(tx: Transaction, decision: Any) -> None:
    """Work of the decision's task and everything below it (of the board, where it has none) that was done under it."""
    rows = await tx.fetch(
        """
        WITH RECURSIVE scope (id) AS (
            SELECT t.id FROM tasks t
            WHERE t.board = $1 AND CASE WHEN $2::bigint IS NULL THEN t.parent IS NULL ELSE t.id = $2 END
            UNION ALL
            SELECT t.id FROM scope s JOIN tasks t ON t.board = $1 AND t.parent = s.id
        )
        UPDATE artifacts a SET stale_at = $4, stale_because = 'decision ' || $5 || ' was superseded'
        FROM scope s
        WHERE a.board = $1 AND a.task = s.id AND EXISTS (
            SELECT FROM artifact_versions v WHERE v.board = $1 AND v.artifact = a.id AND v.created_at >= $3)
        RETURNING a.id, a.owner, a.stale_because
        """,
        tx.board,
        decision["task"],
        decision["decided_at"],
        tx.now,
        decision["subject"],
    )
    if rows:
        marked = [{"artifact": row["id"], "owner": row["owner"], "because": row["stale_because"]} for row in rows]
        tx.record(Subject.ARTIFACT_STALED, {"artifacts": marked})
