"""Escalations: what somebody named must answer by a deadline. A question of running work, or what becomes of a failure.

An escalation is a duty in its owner's inbox, and has its id. Work that asks gives its claim back and waits for it; the
answer stands in its next briefing. Unanswered it goes one level up, twice at most: to the owner's manager, or to a
person. Then its default is the answer, or what waits for it becomes a dead letter.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

from slateboard.board import agents
from slateboard.protocol.errors import Invalid, NotYours, UnknownName, WrongState
from slateboard.protocol.events import Subject
from slateboard.protocol.names import BoardId
from slateboard.protocol.rights import Right
from slateboard.protocol.states import ItemKind, Outcome, Place
from slateboard.protocol.work import MAX_CONTENT_BYTES, Finished
from slateboard.work import duties, leases
from slateboard.work.finish import receipt
from slateboard.work.intake import RATING_OF, check_priority

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slateboard.protocol.work import Finish
    from slateboard.transaction import Transaction

DEADLINE_SECONDS = 4 * 3_600.0
MAX_SECONDS = 30 * 86_400.0
LEVELS = 2
"""How often an unanswered one goes up."""
MAX_QUESTION_CHARACTERS = 65_536
MAX_OPTIONS = 20

# Whom to ask where nobody is named: the asker's manager, else who delegated its task, else a person.
WHOM = """
SELECT coalesce(
    (SELECT a.manager FROM agents a WHERE a.board = $1 AND a.id = $2),
    (SELECT t.delegator FROM work_items w JOIN artifacts f ON f.board = w.board AND f.id = w.artifact
     JOIN tasks t ON t.board = f.board AND t.id = f.task WHERE w.board = $1 AND w.id = $3 AND t.delegator <> $2),
    (SELECT min(h.id) FROM agents h WHERE h.board = $1 AND h.kind = 'human' AND h.removed_at IS NULL AND h.id <> $2))
"""

# One level up: the owner's manager, else a person who was not asked yet. Who asked is passed by.
ABOVE = """
SELECT coalesce(
    (SELECT CASE WHEN m.name = $3 THEN m.manager ELSE m.id END
     FROM agents a JOIN agents m ON m.board = a.board AND m.id = a.manager WHERE a.board = $1 AND a.id = $2),
    (SELECT min(h.id) FROM agents h
     WHERE h.board = $1 AND h.kind = 'human' AND h.removed_at IS NULL AND h.name <> $3
       AND (SELECT a.kind FROM agents a WHERE a.board = $1 AND a.id = $2) <> 'human'))
"""

INSERT = """
INSERT INTO escalations (board, item, kind, about, reference, severity, owner, deadline, seconds, question, options,
                         default_answer, asked_by, asked_at)
SELECT $1, p.item, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27 FROM posted p RETURNING *
"""

ONE = "SELECT * FROM escalations WHERE board = $1 AND item = $2"

# Of one that nobody answered: what it died of, if it did.
UNANSWERED = """
SELECT e.*, d.error AS died FROM escalations e LEFT JOIN dead_letters d ON d.board = e.board AND d.item = e.item
WHERE e.board = $1 AND e.item = $2
"""

ANSWER = """
UPDATE escalations SET answer = $7, answered_by = $8, answered_at = $5 WHERE board = $1 AND item = $6
"""

MOVE = """
UPDATE escalations SET owner = $3, level = level + 1, deadline = $4 WHERE board = $1 AND item = $2
"""

MOVE_WAIT = "UPDATE waiting SET owner = $3, deadline = $4 WHERE board = $1 AND on_item = $2"

CONSEQUENCES: dict[str, str] = {
    "failure": "slateboard.patterns.deaths:decided",
    "rejected": "slateboard.patterns.verdicts:answered",
    "irreversible": "slateboard.patterns.compensation:decided",
    "compensation": "slateboard.patterns.compensation:decided",
    "breaker": "slateboard.patterns.openings:answered",
    "quorum": "slateboard.patterns.meetings.gathering:decided",
}
"""By kind, what an answer does beside letting go on what waited for it: an import path, `module:function`."""

PEERS: dict[str, str] = {
    "consult": "slateboard.patterns.peers.consults",
    "request": "slateboard.patterns.peers.requests",
}
"""By kind, the module of questions between peers: what it holds first, who may answer, and what it says on the thread.

Threads are held after everything else, so it speaks when all that ends or moves is held.
"""

OVERDUE = """
SELECT e.board, e.item, e.about FROM escalations e
WHERE e.answered_at IS NULL AND e.deadline <= $1
  AND (SELECT w.outcome IS NULL OR w.outcome = 'dead' FROM work_items w WHERE w.board = e.board AND w.id = e.item)
  AND (SELECT b.archived_at IS NULL FROM boards b WHERE b.id = e.board)
ORDER BY e.deadline LIMIT $2
"""


async def ask(
    tx: Transaction,
    *,
    item: int,
    fence: int,
    question: str,
    of: str | None = None,
    options: Sequence[str] = (),
    default: str | None = None,
    deadline_seconds: float = DEADLINE_SECONDS,
    severity: str = "medium",
    note: str | None = None,
) -> dict[str, Any]:
    """Give a claim back and wait for the answer of somebody: `of`, else the manager, the delegator, or a person.

    Returns `{escalation, item, place, owner, deadline}`. Raises `LeaseLost`, `UnknownName`, `NoProgress`, `Invalid`.
    """
    tx.require(Right.AGENT)
    check_question(question, options, default, deadline_seconds, severity)
    lease = await leases.own(tx, item=item, fence=fence)
    owner = (await agents.ids(tx, [of]))[of] if of else await tx.fetchval(WHOM, tx.board, lease["agent"], item)
    if owner is None:
        raise Invalid("there is nobody to ask", remedy="name somebody, give the agent a manager, or add a person")
    if owner == lease["agent"]:
        raise Invalid("an agent cannot wait for its own answer", remedy="ask somebody else")
    await leases.check_progress(tx, item)
    row = await leases.give_up(tx, item=item, fence=fence, outcome=Outcome.BLOCKED, note=note)
    told = await raise_(
        tx, kind="question", about=item, reference=row["reference"], owner=owner, severity=severity, question=question,
        options=options, default=default, seconds=deadline_seconds, fence=fence, note=note,
    )  # fmt: skip
    return {"escalation": told["item"], "item": item, "place": Place.WAITING, "owner": told["owner"],
            "deadline": told["deadline"]}  # fmt: skip


async def raise_(
    tx: Transaction,
    *,
    kind: str,
    reference: str,
    owner: int,
    severity: str,
    question: str,
    about: int | None = None,
    options: Sequence[str] = (),
    default: str | None = None,
    seconds: float = DEADLINE_SECONDS,
    **told: Any,
) -> dict[str, Any]:
    """Put a question into somebody's inbox; the item `about`, which is in no place, waits for its answer."""
    deadline = tx.now + timedelta(seconds=seconds)
    values = (kind, about, reference, severity, owner, deadline, seconds, question, list(options), default)
    row = await duties.post(
        tx, kind=ItemKind.ANSWER, reference=reference, inbox=owner, rating=RATING_OF[severity], due=deadline,
        hooked=True, holds=about, reason="question", insert=INSERT, values=(*values, tx.actor.name, tx.now),
    )  # fmt: skip
    tx.record(Subject.ESCALATION_RAISED, {"escalation": row, "reference": reference, **told})
    return row


async def answer(tx: Transaction, *, escalation: int, answer: str) -> dict[str, Any]:
    """Answer an escalation: what waited for it goes on. Its owner does, or an operator.

    Raises `UnknownName`, `WrongState` (it has been answered), `NotYours`, `Invalid` (none of its options).
    """
    tx.require(Right.AGENT)
    row = await _one(tx, escalation)
    await _to_answer(tx, row, answer)
    await duties.hold(tx, escalation, row["about"])
    await _answered(tx, row, answer, tx.actor.name)
    await _tell(tx, row, answer=answer, by=tx.actor.name)
    return {"escalation": escalation, "answer": answer, "reference": row["reference"], "about": row["about"]}


async def settle(tx: Transaction, *, escalation: int, answer: str) -> None:
    """What an escalation asked for has come about without an answer: this is its answer, if nobody gave one."""
    with suppress(WrongState):  # answered meanwhile
        row = await _one(tx, escalation)
        await duties.hold(tx, escalation, row["about"])
        await _answered(tx, row, answer, tx.actor.name)


async def _to_answer(tx: Transaction, row: dict[str, Any], answer: str) -> None:
    if tx.actor.right < Right.OPERATOR and tx.actor.agent != row["owner"] and not await _may_answer(tx, row):
        raise NotYours(f"{tx.actor.name} was not asked", remedy="its owner answers, or an operator", item=row["item"])
    if not answer.strip() or len(answer.encode()) > MAX_CONTENT_BYTES:
        raise Invalid("an answer has a text, of at most 1 MiB", remedy="say something")
    if row["options"] and answer not in row["options"]:
        choices = ", ".join(row["options"])
        raise Invalid(f"{answer[:80]!r} is none of the options: {choices}", remedy=f"one of: {choices}")


async def finished(tx: Transaction, finish: Finish) -> Finished:
    """The hook of an answer that is given by finishing its claim: the content of the result, else its summary."""
    row = await _one(tx, finish.item)
    await duties.hold(tx, finish.item, row["about"], fence=finish.fence)
    result, (usage, digest) = finish.result, receipt(finish.result)
    text = result.content or result.summary or ""
    await _to_answer(tx, row, text)
    await leases.give_up(
        tx, item=finish.item, fence=finish.fence, outcome=Outcome.COMPLETED, note=result.note, usage=usage,
        digest=digest,
    )  # fmt: skip
    claim = {"fence": finish.fence, "note": result.note, "usage": result.usage}
    await _answered(tx, row, text, tx.actor.name, claim=claim)
    await _tell(tx, row, answer=text, by=tx.actor.name)
    return Finished(item=finish.item)


async def time_out(tx: Transaction, *, limit: int = 100) -> int:
    """Take unanswered escalations one level up, or to their end, at most `limit`, whatever the board; how many."""
    due = await tx.fetch(OVERDUE, tx.now, limit)
    told: list[tuple[BoardId, dict[str, Any], int | None]] = []
    for one in due:
        tx.board = BoardId(one["board"])
        row = await _one(tx, one["item"])
        with suppress(WrongState):  # answered meanwhile
            await duties.hold(tx, row["item"], row["about"])
            row = dict(await tx.fetchrow(UNANSWERED, tx.board, row["item"]))
            told.append((tx.board, row, await _overdue(tx, row)))
            await tx.flush()
    for board, row, above in told:
        tx.board = board
        await _tell(tx, row, answer=None if above else row["default_answer"], by="default", to=above)
        await tx.flush()
    return len(due)


async def _overdue(tx: Transaction, row: dict[str, Any]) -> int | None:
    """One level up, or to its end; whose it is now."""
    goes_up = row["level"] < LEVELS and row["kind"] != "request"
    above = await tx.fetchval(ABOVE, tx.board, row["owner"], row["asked_by"]) if goes_up else None
    if above is not None and above != row["owner"]:
        deadline = tx.now + timedelta(seconds=row["seconds"])
        await tx.fetch(MOVE, tx.board, row["item"], above, deadline)
        await tx.fetch(MOVE_WAIT, tx.board, row["item"], above, deadline)
        moved = {"item": row["item"], "owner": above, "level": row["level"] + 1, "deadline": deadline}
        tx.record(Subject.ESCALATION_MOVED, {"reference": row["reference"], "about": row["about"], **moved})
        await duties.hand_over(tx, row["item"], to=above, due=deadline)
        return above
    if row["default_answer"] is not None or row["about"] is None:
        by = "nobody" if row["default_answer"] is None else "default"
        await _answered(tx, row, row["default_answer"], by)
    else:
        await duties.bury(tx, row["about"], failure_class="unanswered", error=f"nobody answered: {row['question']}")
        await _answered(tx, row, None, "nobody")
    return None


async def end_unanswered(tx: Transaction, escalation: int) -> None:
    """End a question, held, that nobody needs to answer any more."""
    await _answered(tx, dict(await tx.fetchrow(ONE, tx.board, escalation)), None, "nobody")


async def _answered(
    tx: Transaction, row: dict[str, Any], text: str | None, by: str, *, claim: dict[str, Any] | None = None
) -> None:
    """Both items are held. `claim` is what ended with the answer: its fence, note and usage."""
    told = {"item": row["item"], "about": row["about"], "reference": row["reference"], "answer": text, "by": by}
    tx.record(Subject.ESCALATION_ANSWERED, {**told, **(claim or {})})
    values = (row["item"], text, by)
    await duties.end(tx, row["item"], given_up=claim is not None, also=ANSWER, values=values)
    if row["kind"] in CONSEQUENCES and text is not None:
        module, _, name = CONSEQUENCES[row["kind"]].partition(":")
        await getattr(import_module(module), name)(tx, row, text, by)


async def _tell(tx: Transaction, row: dict[str, Any], *, answer: str | None, by: str, to: int | None = None) -> None:
    """Say on its thread what became of a question between peers: its answer, or to whom it goes `to` now."""
    if row["kind"] in PEERS:
        await import_module(PEERS[row["kind"]]).tell(tx, row, answer=answer, by=by, to=to)


async def _may_answer(tx: Transaction, row: dict[str, Any]) -> bool:
    return row["kind"] in PEERS and await import_module(PEERS[row["kind"]]).may_answer(tx, row)


async def _one(tx: Transaction, escalation: int) -> dict[str, Any]:
    """The escalation; what must be held before its duty is held."""
    row = await tx.fetchrow(ONE, tx.board, escalation)
    if row is None:
        message = f"there is no escalation {escalation} on this board"
        raise UnknownName(message, remedy="see `slate inbox`", item=escalation)
    if row["kind"] in PEERS:
        await import_module(PEERS[row["kind"]]).hold(tx, escalation)
    return dict(row)


def check_question(question: str, options: Sequence[str], default: str | None, seconds: float, severity: str) -> None:
    """Refuse what cannot be asked."""
    if not question.strip() or len(question) > MAX_QUESTION_CHARACTERS:
        raise Invalid(f"a question has 1 to {MAX_QUESTION_CHARACTERS:,} characters", remedy="ask in that length")
    if not 0 < seconds <= MAX_SECONDS:
        raise Invalid("an answer may take more than 0 s and at most 30 days", remedy="choose a deadline in that range")
    if len(options) > MAX_OPTIONS or len(set(options)) < len(options) or not all(options):
        raise Invalid(f"a question has at most {MAX_OPTIONS} options, each another text", remedy="change them")
    if options and default is not None and default not in options:
        raise Invalid(f"the default {default[:80]!r} is none of the options", remedy="choose one of them")
    check_priority(severity, "the question")
