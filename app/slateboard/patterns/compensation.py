"""Compensation: when a task fails, what was completed of it is undone, the last step first.

A task fails when an item of it becomes a dead letter, or when the last that was left of it is cancelled; not by what is
waived. Each completed step for which something is declared, or given by its worker (`undo`), then becomes a duty in the
inbox of its owner, gated by the one before. A step that cannot be taken back asks a person first. What was going on is
fenced off, and its effect is unknown. One version is compensated once; an undo that dies stops the chain and asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.patterns import escalations, steps
from slateboard.protocol.errors import Invalid, UnknownName, WrongState
from slateboard.protocol.events import Subject
from slateboard.protocol.rights import Right
from slateboard.protocol.states import ItemKind, Outcome, Place
from slateboard.protocol.work import Finished
from slateboard.work import dead_letters, duties, endings, finish, gates, leases, queries

if TYPE_CHECKING:
    from slateboard.protocol.work import Finish
    from slateboard.transaction import Transaction

UNDO, LEAVE = "undo", "leave"
RETRY, SKIP, STOP = "retry", "skip", "stop"
MAX_REASON_CHARACTERS = 1_000

INSERT = """
INSERT INTO compensations (board, item, artifact, step_item, task, version, reference, action, inbox, question, because,
                           outcome, posted_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) RETURNING *
"""
END = "UPDATE compensations SET outcome = $3, ended_at = $4 WHERE board = $1 AND item = $2 RETURNING *"
ASK = "UPDATE compensations SET question = $3 WHERE board = $1 AND item = $2"
OF_QUESTION = "SELECT * FROM compensations WHERE board = $1 AND question = $2"
ONE = "SELECT * FROM compensations WHERE board = $1 AND item = $2"

# Whom to ask: who delegated the task or a manager, if that is a person; else a person; else those two, or who undoes.
WHOM = """
SELECT coalesce(
    (SELECT g.id FROM agents g WHERE g.board = $1 AND g.kind = 'human' AND g.removed_at IS NULL
       AND g.id IN (t.delegator, (SELECT o.manager FROM agents o WHERE o.board = $1 AND o.id = $3))
     ORDER BY g.id = t.delegator DESC LIMIT 1),
    (SELECT min(g.id) FROM agents g WHERE g.board = $1 AND g.kind = 'human' AND g.removed_at IS NULL),
    t.delegator, (SELECT o.manager FROM agents o WHERE o.board = $1 AND o.id = $3), $3)
FROM tasks t WHERE t.board = $1 AND t.id = $2
"""

CANCEL = """
UPDATE work_items SET outcome = 'cancelled', finished_at = $3 WHERE board = $1 AND id = ANY ($2::bigint[])
RETURNING id, reference, correlation
"""


async def compensate(tx: Transaction, *, task: str, reason: str) -> dict[str, Any]:
    """Undo now what was completed of a task, the last first, and cancel what is left of it.

    Returns `{task, posted: [references], unknown: [references], cancelled: [references]}`, all empty when it was done
    before. Raises `UnknownName`, `Invalid`.
    """
    tx.require(Right.OPERATOR)
    if not 1 <= len(reason.strip()) <= MAX_REASON_CHARACTERS:
        message = f"a reason has 1 to {MAX_REASON_CHARACTERS:,} characters"
        raise Invalid(message, remedy="say why it is to be undone")
    number = await tx.fetchval("SELECT id FROM tasks WHERE board = $1 AND name = $2", tx.board, task)
    if number is None:
        raise UnknownName(f"there is no task {task!r} on this board", remedy="see `slate get tasks`", task=task)
    return {"task": task, **await roll_back(tx, number, reason.strip())}


async def roll_back(tx: Transaction, task: int, because: str) -> dict[str, list[str]]:
    """Compensate the completed steps of a task, and fence off the rest of it; nothing where nothing is to be undone."""
    found = await steps.hold(tx, task)
    completed, begun = steps.completed(found), steps.begun(found)
    answer: dict[str, list[str]] = {"posted": [], "unknown": [], "cancelled": []}
    if not completed and not begun:
        return answer
    before = await tx.fetchval(steps.LAST_OPEN, tx.board, task)
    answer["cancelled"] = await _fence_off(tx, found, because)
    for one in begun:
        await _keep(tx, one, item=one["item"], because=because, outcome="unknown")
        answer["unknown"].append(one["reference"])
    for one in completed:
        before = await _post(tx, one, before, because)
        answer["posted"].append(one["reference"])
    return answer


async def _post(tx: Transaction, one: Any, before: int | None, because: str) -> int:
    """Post the duty of one step behind the one before it, and behind a person's word where it is for good."""
    tx.correlation = one["correlation"] or tx.correlation
    question: int | None = None
    if one["irreversible"]:
        asked = await escalations.raise_(
            tx, kind="irreversible", reference=one["reference"], severity="high",
            owner=await tx.fetchval(WHOM, tx.board, one["task"], one["inbox"]),
            question=f"{one['reference']} is irreversible once undone. Undo it by {one['action']}? {because}",
            options=(UNDO, LEAVE), default=LEAVE,
        )  # fmt: skip
        question = asked["item"]
    duty = await duties.post(
        tx, kind=ItemKind.COMPENSATE, reference=f"{one['reference'].partition('/')[0]}/{one['action']}",
        inbox=one["inbox"], rating=one["base_rating"], after=[held for held in (before, question) if held is not None],
        hooked=True,
    )  # fmt: skip
    await _keep(tx, one, item=duty["item"], because=because, question=question)
    return duty["item"]


async def _keep(
    tx: Transaction, one: Any, *, item: int, because: str, question: int | None = None, outcome: str | None = None
) -> None:
    version = None if outcome else one["version"]
    values = (one["artifact"], one["item"], one["task"], version, one["reference"], one["action"], one["inbox"])
    row = dict(await tx.fetchrow(INSERT, tx.board, item, *values, question, because, outcome, tx.now))
    del row["board"]
    tx.record(Subject.COMPENSATION_POSTED, {"compensation": row, "reference": one["reference"]})


async def _fence_off(tx: Transaction, found: list[Any], because: str) -> list[str]:
    """Cancel what is unfinished of a task that is undone, and what somebody was asked about it.

    A worker hears of it at its next call. Returns the artifacts' references.
    """
    mine = [row["item"] for row in found if row["outcome"] is None]
    if not mine:
        return []
    asked = [row["id"] for row in await tx.fetch(queries.DUTIES, tx.board, mine)]
    await tx.fetch(queries.LOCK_LEASES, tx.board, asked)
    await tx.fetch(queries.LOCK_ITEMS, tx.board, asked)
    open_ = sorted({*mine, *asked})
    held = await endings.leave_places(tx, open_)
    await gates.end_attempts(tx, held, outcome=Outcome.CANCELLED, error=None, note=None)
    rows = await tx.fetch(CANCEL, tx.board, open_, tx.now)
    await tx.fetch(queries.WITHDRAW, tx.board, asked, tx.now)
    for row in rows:
        payload = {"item": row["id"], "reference": row["reference"], "reason": f"the task is undone: {because}"}
        tx.record(Subject.ITEM_CANCELLED, payload, correlation=row["correlation"])
    return [row["reference"] for row in rows if row["id"] not in asked]


async def finished(tx: Transaction, given: Finish) -> Finished:
    """The hook of a compensation that is finished: the step is undone, and the one before it follows."""
    usage, digest = finish.receipt(given.result)
    await leases.give_up(
        tx, item=given.item, fence=given.fence, outcome=Outcome.COMPLETED, note=given.result.note, usage=usage,
        digest=digest,
    )  # fmt: skip
    await tx.fetch("DELETE FROM checkpoints WHERE board = $1 AND item = $2", tx.board, given.item)
    await tx.fetch(queries.MARK_DONE, tx.board, [given.item], tx.now)
    said = {"note": given.result.note, "usage": given.result.usage, "summary": given.result.summary}
    await _ended(tx, given.item, Subject.COMPENSATION_UNDONE, "undone", **said)
    await tx.flush()  # what opens now is told after what opened it
    await gates.release_dependents(tx, [given.item])
    return Finished(item=given.item)


async def died(tx: Transaction, item: int) -> None:
    """A compensation became a dead letter: its chain stands still, and somebody is asked what to do."""
    held = await tx.fetch(queries.LOCK_ITEMS, tx.board, [item])
    row = await tx.fetchrow(ONE, tx.board, item)
    if row is None or held[0]["outcome"] != Place.DEAD:
        return
    error = await tx.fetchval("SELECT error FROM dead_letters WHERE board = $1 AND item = $2", tx.board, item)
    asked = await escalations.raise_(
        tx, kind="compensation", reference=row["reference"], severity="urgent",
        owner=await tx.fetchval(WHOM, tx.board, row["task"], row["inbox"]),
        question=f"{row['reference']} could not be undone by {row['action']}: {error}. What comes before it waits.",
        options=(RETRY, SKIP, STOP), default=STOP,
    )  # fmt: skip
    await tx.fetch(ASK, tx.board, item, asked["item"])
    tx.record(Subject.COMPENSATION_ASKED, {"item": item, "question": asked["item"], "reference": row["reference"]})


async def decided(tx: Transaction, asked: dict[str, Any], text: str, by: str) -> None:
    """The consequence of an answer about a compensation: it is done, tried again, left, or stays where it is."""
    row = await tx.fetchrow(OF_QUESTION, tx.board, asked["item"])
    if row is None or text in {UNDO, STOP}:
        return
    try:
        await duties.hold(tx, row["item"])
        if text == RETRY:
            await dead_letters.revive(tx, [row["item"]])
            return
    except WrongState:  # done, given up or redriven meanwhile
        return
    await _ended(tx, row["item"], Subject.COMPENSATION_LEFT, "left", by=by)
    await duties.end(tx, row["item"])


async def _ended(tx: Transaction, item: int, subject: Subject, outcome: str, **said: Any) -> None:
    row = await tx.fetchrow(END, tx.board, item, outcome, tx.now)
    if row is None:
        raise UnknownName(f"there is no compensation {item} on this board", remedy="see `slate show TASK`", item=item)
    told = {name: row[name] for name in ("item", "artifact", "version", "reference", "action")}
    tx.record(subject, {**told, **{name: value for name, value in said.items() if value is not None}})
