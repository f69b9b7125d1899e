"""Open requests: a question to whoever has a capability; the first N answers count, then it is closed.

For one answer it is one duty in the inbox of that capability: who claims it has it, so nobody works on it in vain. For
more it is a duty in the inbox of each who has the capability, for one agent answers once; what is left of them ends
with the last answer that counts. Whoever answers holds the request's row before anything else, so that never more than
N count, and none comes after the end. Past its deadline it is closed with what there is, and the asker is told.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from slateboard.patterns import escalations
from slateboard.patterns.peers import consults, threads
from slateboard.protocol.errors import Invalid, WrongState
from slateboard.protocol.events import Subject
from slateboard.protocol.names import check_name
from slateboard.protocol.rights import Right
from slateboard.protocol.states import Place
from slateboard.work import duties, inboxes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slateboard.transaction import Transaction

KIND = "request"
MAX_ANSWERS = 100
MOST_ASKED = 100
"""Agents that a request for several answers goes to."""

ABLE = """
SELECT a.id FROM agents a
WHERE a.board = $1 AND $2 = ANY (a.capabilities) AND a.id <> $3 AND a.removed_at IS NULL ORDER BY a.id LIMIT $4
"""

HAS = "SELECT $3 = ANY (a.capabilities) FROM agents a WHERE a.board = $1 AND a.id = $2"

INSERT = """
INSERT INTO requests (board, capability, asker, thread, answers, deadline, asked_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING *
"""

HOLD = """
SELECT r.* FROM requests r
WHERE r.board = $1 AND r.id = (SELECT c.request FROM consults c WHERE c.board = $1 AND c.item = $2) FOR UPDATE
"""

OF_NOBODY = "SELECT other IS NULL FROM consults WHERE board = $1 AND item = $2"

COUNT = """
SELECT count(*) FROM consults c JOIN escalations e ON e.board = c.board AND e.item = c.item
WHERE c.board = $1 AND c.request = $2 AND e.answer IS NOT NULL
"""

LEFT = """
SELECT c.item
FROM consults c, LATERAL (SELECT e.answered_at FROM escalations e
                          WHERE e.board = c.board AND e.item = c.item OFFSET 0) AS e
WHERE c.board = $1 AND c.request = $2 AND e.answered_at IS NULL ORDER BY c.item
"""

CLOSE = "UPDATE requests SET closed_at = $3 WHERE board = $1 AND id = $2"


async def request(
    tx: Transaction,
    *,
    capability: str,
    question: str,
    answers: int = 1,
    topic: str | None = None,
    item: int | None = None,
    fence: int | None = None,
    deadline_seconds: float = escalations.DEADLINE_SECONDS,
    severity: str = "medium",
    note: str | None = None,
) -> dict[str, Any]:
    """Ask whoever has a capability: `{request, thread, consults, answers, deadline, item, place}`.

    With a claim, which only a request for one answer takes, it is given back until the answer. Raises `Invalid` (fewer
    who have the capability than answers wanted), `LeaseLost`.
    """
    tx.require(Right.AGENT)
    escalations.check_question(question, (), None, deadline_seconds, severity)
    check_name(capability, "capability")
    if not 1 <= answers <= MAX_ANSWERS:
        raise Invalid(f"a request is for 1 to {MAX_ANSWERS} answers, not {answers}", remedy="ask for fewer")
    if item is not None and answers > 1:
        remedy = "leave the claim out, and wait for a message on your inbox: `work.wait_for(...)`"
        raise Invalid("work waits for one answer, not for several", remedy=remedy)
    row = await consults.given_back(tx, item, fence, note)
    asker = threads.acting(tx) if row is None else row["agent"]
    others = await _asked(tx, capability, asker, answers)
    members = [asker, *(other for other in others if other is not None)]
    on = await threads.open_(tx, threads.check_topic((topic or question)[: threads.MAX_TOPIC_CHARACTERS]), members)
    deadline = tx.now + timedelta(seconds=deadline_seconds)
    made = dict(
        await tx.fetchrow(INSERT, tx.board, capability, asker, on["id"], answers, deadline, tx.now)
    )  # fmt: skip
    del made["board"]
    tx.record(Subject.REQUEST_ASKED, {"request": made})
    open_to = None if others[0] is not None else (await inboxes.open_to(tx, [capability]))[capability]
    asked: list[int] = []
    for other in others:
        owner = open_to if other is None else other
        assert owner is not None
        told = await escalations.raise_(
            tx, kind=KIND, about=item, reference=f"{KIND}/{capability}" if row is None else row["reference"],
            owner=owner, severity=severity, question=question, seconds=deadline_seconds,
            **consults.told_of(fence, note),
        )  # fmt: skip
        await consults.ask_on(tx, told["item"], asker=asker, other=other, thread=on["id"], request=made["id"])
        asked.append(told["item"])
    await threads.say(tx, "question", question, consult=asked[0])
    return {
        "request": made["id"], "thread": on["id"], "consults": asked, "answers": answers, "deadline": deadline,
        "item": item, "place": None if item is None else Place.WAITING,
    }  # fmt: skip


async def hold(tx: Transaction, escalation: int) -> None:
    """Hold the request that a duty belongs to, before the duty; so its answers come one after the other."""
    await tx.fetchrow(HOLD, tx.board, escalation)


async def may_answer(tx: Transaction, row: dict[str, Any]) -> bool:
    """Whoever has the capability, where it went to nobody."""
    found = await tx.fetchrow(HOLD, tx.board, row["item"])
    able: bool = await tx.fetchval(HAS, tx.board, tx.actor.agent, found["capability"])
    return able and await tx.fetchval(OF_NOBODY, tx.board, row["item"])


async def tell(tx: Transaction, row: dict[str, Any], *, answer: str | None, by: str, to: int | None) -> None:  # noqa: ARG001  it goes to nobody above
    """Say an answer on the thread, or that the deadline has passed; the last one that counts closes the request."""
    found = await tx.fetchrow(HOLD, tx.board, row["item"])
    given = await tx.fetchval(COUNT, tx.board, found["id"])
    closes = found["closed_at"] is None and (answer is None or given >= found["answers"])
    if closes:
        await _close(tx, found, given)
    if answer is None and not closes:
        return
    if answer is not None:
        await consults.answered(tx, row["item"], answer, by)
    else:
        text = f"the deadline has passed with {given} of {found['answers']} answers"
        await threads.say(tx, "overdue", text, consult=row["item"], by="board")


async def _close(tx: Transaction, found: Any, given: int) -> None:
    """End what is left of a held request."""
    for left in await tx.fetch(LEFT, tx.board, found["id"]):
        try:
            await duties.hold(tx, left["item"])
        except WrongState:  # cancelled by somebody
            continue
        await escalations.end_unanswered(tx, left["item"])
    await tx.fetch(CLOSE, tx.board, found["id"], tx.now)
    told = {"request": found["id"], "closed_at": tx.now, "answers": given}
    tx.record(Subject.REQUEST_CLOSED, told)


async def _asked(tx: Transaction, capability: str, asker: int, answers: int) -> Sequence[int | None]:
    """Whom it goes to; None for the inbox that all share who have the capability."""
    able = [row["id"] for row in await tx.fetch(ABLE, tx.board, capability, asker, MOST_ASKED)]
    if len(able) < answers:
        message = f"{len(able)} others have the capability {capability!r}, and {answers} answers are wanted"
        raise Invalid(message, remedy="see `slate agent find --capability`, or ask for fewer", capability=capability)
    # Whoever asks must not take it itself.
    alone = answers == 1 and not await tx.fetchval(HAS, tx.board, asker, capability)
    return [None] if alone else able
