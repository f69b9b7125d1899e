"""Consults: a question to another agent, along a route, with a deadline, answered once.

Under a claim the asker's item waits for the answer, as it does for any question; without one the answer is a message on
the thread. Past its deadline, or once it died with who was asked, the asker is told on the thread, and the question
goes to the manager of who was asked.

Two who wait for each other would wait for ever, so whoever would have to answer the asker in the end is not asked: on
one correlation, the open questions are followed from the one asked, each to whoever must answer it now. Consults of one
correlation come one after the other, so that two which close a circle together do not miss each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from slateboard.patterns import escalations
from slateboard.patterns.peers import routes, threads
from slateboard.protocol.errors import ConsultLoop, Invalid
from slateboard.protocol.events import Subject
from slateboard.protocol.rights import Right
from slateboard.protocol.states import Outcome, Place
from slateboard.work import leases

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slateboard.transaction import Transaction

KIND = "consult"

INSERT = """
INSERT INTO consults (board, item, asker, other, thread, request, correlation) VALUES ($1, $2, $3, $4, $5, $6, $7)
RETURNING *
"""

NAME = "SELECT name FROM agents WHERE board = $1 AND id = $2"


async def consult(
    tx: Transaction,
    *,
    to: str,
    question: str,
    topic: str | None = None,
    thread: int | None = None,
    item: int | None = None,
    fence: int | None = None,
    options: Sequence[str] = (),
    default: str | None = None,
    deadline_seconds: float = escalations.DEADLINE_SECONDS,
    severity: str = "medium",
    note: str | None = None,
) -> dict[str, Any]:
    """Ask a peer: `{consult, thread, to, deadline, item, place}`. With a claim, it is given back until the answer.

    `topic` names the new thread; else that of the route. Raises `NoChannel`, `ConsultLoop`, `UnknownName`, `Invalid`,
    `NotYours` (the thread), `LeaseLost`.
    """
    tx.require(Right.AGENT)
    escalations.check_question(question, options, default, deadline_seconds, severity)
    row = await given_back(tx, item, fence, note)
    asker = threads.acting(tx) if row is None else row["agent"]
    other, label, path = await routes.require_channel(tx, asker, to)
    if path is not None:
        _refuse_loop(tx, asker, path)
    reference = f"{KIND}/{to}" if row is None else row["reference"]
    told = await escalations.raise_(
        tx, kind=KIND, about=item, reference=reference, owner=other, severity=severity, question=question,
        options=options, default=default, seconds=deadline_seconds, **told_of(fence, note),
    )  # fmt: skip
    if thread is None:
        name = threads.check_topic((topic or label or question).strip()[: threads.MAX_TOPIC_CHARACTERS])
        on = (await threads.open_(tx, name, [asker, other]))["id"]
    else:
        await threads.require_on(tx, thread)
        on = thread
    await ask_on(tx, told["item"], asker=asker, other=other, thread=on)
    await threads.say(tx, "question", question, consult=told["item"], joins=[] if thread is None else [asker, other])
    return {
        "consult": told["item"], "thread": on, "to": to, "deadline": told["deadline"], "item": item,
        "place": None if item is None else Place.WAITING,
    }  # fmt: skip


async def given_back(tx: Transaction, item: int | None, fence: int | None, note: str | None) -> Any:
    """Give the claim back that is to wait for the answer: its item, in no place; None without one. Sets the time."""
    if (item is None) != (fence is None):
        raise Invalid("a claim is named by its item and its fence", remedy="give both, or neither")
    if item is not None and fence is not None:
        return await leases.give_up(tx, item=item, fence=fence, outcome=Outcome.BLOCKED, note=note)
    await tx.takes_place_now()
    return None


def told_of(fence: int | None, note: str | None) -> dict[str, Any]:
    """What the event of a question says of the claim that was given back for it."""
    return {} if fence is None else {"fence": fence, "note": note}


def _refuse_loop(tx: Transaction, asker: int, names: list[str]) -> NoReturn:
    """Refuse to ask who waits, on this correlation, for the asker; the log keeps it."""
    path = [names[-1], *names]
    message = f"{names[0]} waits for the answer of {names[-1]}: {' → '.join(path)}"
    tx.refuse(Subject.CONSULT_REFUSED, {"agent": asker, "name": names[-1], "to": names[0], "because": message})
    raise ConsultLoop(message, remedy="answer with what you know, or ask somebody else", path=path)


async def ask_on(
    tx: Transaction, item: int, *, asker: int, other: int | None, thread: int, request: int | None = None
) -> None:
    """Note whose question it is, and on which thread."""
    values = (asker, other, thread, request, tx.correlation)
    row = dict(await tx.fetchrow(INSERT, tx.board, item, *values))
    del row["board"]
    tx.record(Subject.CONSULT_ASKED, {"consult": row})


async def hold(_tx: Transaction, _escalation: int) -> None:
    """Nothing is held before the duty."""


async def may_answer(_tx: Transaction, _row: dict[str, Any]) -> bool:
    """Nobody but its owner, who was asked or stands above, and operators."""
    return False


async def tell(tx: Transaction, row: dict[str, Any], *, answer: str | None, by: str, to: int | None) -> None:
    """Say on the thread what was answered, by whom; or that the deadline passed, and who is asked now."""
    if answer is not None:
        await answered(tx, row["item"], answer, by)
        return
    text = "nobody answered in time" if row["died"] is None else f"it could not be answered: {row['died']}"
    if to is not None:
        text += f"; {await tx.fetchval(NAME, tx.board, to)} is asked now"
    joins = [] if to is None else [to]
    await threads.say(tx, "overdue", text, consult=row["item"], joins=joins, by="board")


async def answered(tx: Transaction, consult: int, answer: str, by: str) -> None:
    """Say an answer on the thread; whoever gives it is on it from then on, if it was not before."""
    joins = [] if tx.actor.agent is None else [tx.actor.agent]
    await threads.say(
        tx, "answer", answer, consult=consult, joins=joins, by=None if by == tx.actor.name else by
    )  # fmt: skip
