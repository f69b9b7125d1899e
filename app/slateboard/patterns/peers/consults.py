"""Consults: a question to another agent, along a route, with a deadline, answered once.

Under a claim the asker's item waits for the answer, as it does for any question; without one the answer is a message on
the thread. Past its deadline, or once it died with who was asked, the asker is told on the thread, and the question
goes to the manager of who was asked.

Two who wait for each other would wait for ever, so whoever would have to answer the asker in the end is not asked: on
one correlation, the open questions are followed from the one asked, each to whoever must answer it now. Consults of one
correlation come one after the other, so that two which close a circle together do not miss each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
MOST_HOPS = 32

# From the one asked ($3) along the open questions of the correlation, each to whoever must answer it now, to the asker
# ($4).
LOOP = f"""
WITH RECURSIVE way (agent, path) AS (
    SELECT $3::bigint, ARRAY[$3::bigint]
    UNION ALL
    SELECT n.agent, w.path || n.agent
    FROM way w, LATERAL (
        SELECT coalesce((SELECT l.agent FROM leases l WHERE l.board = $1 AND l.item = c.item), e.owner) AS agent
        FROM consults c, LATERAL (SELECT e.owner FROM escalations e
                                  WHERE e.board = $1 AND e.item = c.item AND e.answered_at IS NULL OFFSET 0) AS e
        WHERE c.board = $1 AND c.correlation = $2 AND c.asker = w.agent
          AND (SELECT i.outcome IS NULL OR i.outcome = 'dead' FROM work_items i WHERE i.board = $1 AND i.id = c.item)
        OFFSET 0) AS n
    WHERE w.agent <> $4 AND n.agent <> ALL (w.path) AND cardinality(w.path) < {MOST_HOPS}
)
SELECT (SELECT array_agg(a.name ORDER BY p.place) FROM unnest(w.path) WITH ORDINALITY AS p (agent, place)
        JOIN agents a ON a.board = $1 AND a.id = p.agent) AS names
FROM way w WHERE w.agent = $4 LIMIT 1
"""

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
    other, label = await routes.require_channel(tx, asker, to)
    await refuse_loop(tx, asker, other)
    reference = f"{KIND}/{to}" if row is None else row["reference"]
    told = await escalations.raise_(
        tx, kind=KIND, about=item, reference=reference, owner=other, severity=severity, question=question,
        options=options, default=default, seconds=deadline_seconds, **told_of(fence, note),
    )  # fmt: skip
    on = await on_thread(tx, thread, topic or label or question, [asker, other])
    await ask_on(tx, told["item"], asker=asker, other=other, thread=on)
    await threads.say(tx, on, "question", question, consult=told["item"], tells=[])
    return {
        "consult": told["item"], "thread": on["id"], "to": to, "deadline": told["deadline"], "item": item,
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


async def refuse_loop(tx: Transaction, asker: int, other: int) -> None:
    """Refuse to ask who waits, on this correlation (held), for the asker. Raises `ConsultLoop`, which the log keeps."""
    names = await tx.fetchval(LOOP, tx.board, tx.correlation, other, asker)
    if names is not None:
        path = [names[-1], *names]
        message = f"{names[0]} waits for the answer of {names[-1]}: {' → '.join(path)}"
        told = {"agent": asker, "name": names[-1], "to": names[0], "because": message}
        tx.refuse(Subject.CONSULT_REFUSED, told)
        raise ConsultLoop(message, remedy="answer with what you know, or ask somebody else", path=path)


async def on_thread(tx: Transaction, thread: int | None, topic: str, members: list[int]) -> dict[str, Any]:
    """The thread to speak on, held; a new one unless the asker is on that which is named."""
    if thread is None:
        return await threads.open_(tx, threads.check_topic(topic.strip()[: threads.MAX_TOPIC_CHARACTERS]), members)
    await threads.require_on(tx, thread)
    found = await threads.hold(tx, thread)
    await threads.join(tx, found, members)
    return found


async def ask_on(
    tx: Transaction, item: int, *, asker: int, other: int | None, thread: dict[str, Any], request: int | None = None
) -> None:
    """Note whose question it is, and on which thread."""
    values = (asker, other, thread["id"], request, tx.correlation)
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
    thread, asker, is_on = await threads.hold_of(tx, row["item"])
    if answer is not None:
        await answered(tx, thread, answer, by, consult=row["item"], asker=asker, is_on=is_on)
        return
    text = "nobody answered in time" if row["died"] is None else f"it could not be answered: {row['died']}"
    if to is not None:
        await threads.join(tx, thread, [to])
        text += f"; {await tx.fetchval(NAME, tx.board, to)} is asked now"
    await threads.say(tx, thread, "overdue", text, consult=row["item"], tells=[asker], by="board")


async def answered(
    tx: Transaction,
    thread: dict[str, Any],
    answer: str,
    by: str,
    *,
    consult: int,
    asker: int,
    is_on: bool = False,
) -> None:
    """Say an answer on the thread; whoever gives it is on it from then on, if it was not before."""
    if tx.actor.agent is not None and not is_on:
        await threads.join(tx, thread, [tx.actor.agent])
    own = by == tx.actor.name
    await threads.say(
        tx, thread, "answer", answer, consult=consult, tells=[asker], by=None if own else by
    )  # fmt: skip
