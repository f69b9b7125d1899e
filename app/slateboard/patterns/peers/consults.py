"""Consults: a question to another agent, along a route, with a deadline, answered once.

Under a claim the asker's item waits for the answer, as it does for any question; without one the answer is a message on
the thread. Past its deadline the asker is told on the thread, and the question goes to the manager of who was asked.

Two who wait for each other would wait for ever, so whoever would have to answer the asker in the end is not asked: on
one correlation, the open questions are followed from the one asked, each to whoever must answer it now. Consults of one
correlation come one after the other, so that two which close a circle together do not miss each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.board import agents
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

SERIALISE = "SELECT pg_advisory_xact_lock(hashtextextended('slateboard.consults.' || $2, $1::bigint))"

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

ONE = "SELECT * FROM consults WHERE board = $1 AND item = $2"

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
    lease = await claimed(tx, item, fence)
    asker = threads.acting(tx) if lease is None else lease["agent"]
    other = (await agents.ids(tx, [to]))[to]
    if other == asker:
        raise Invalid(f"{to} cannot consult itself", remedy="ask somebody else", agent=to)
    label = await routes.require_channel(tx, asker, other, to)
    reference = f"{KIND}/{to}"
    row = None if lease is None else await leases.give_up(tx, lease, outcome=Outcome.BLOCKED, note=note)
    if row is not None:
        reference = row["reference"]
    await refuse_loop(tx, asker, other)
    about = None if lease is None else lease["item"]
    told = await escalations.raise_(
        tx, kind=KIND, about=about, reference=reference, owner=other, severity=severity, question=question,
        options=options, default=default, seconds=deadline_seconds, **given_up(lease, note),
    )  # fmt: skip
    on = await on_thread(tx, thread, topic or label or question, [asker, other])
    await ask_on(tx, told["item"], asker=asker, other=other, thread=on)
    await threads.say(tx, on, "question", question, consult=told["item"], tells=[])
    return {
        "consult": told["item"], "thread": on["id"], "to": to, "deadline": told["deadline"], "item": about,
        "place": None if about is None else Place.WAITING,
    }  # fmt: skip


async def claimed(tx: Transaction, item: int | None, fence: int | None) -> Any:
    """The held claim that is to wait for the answer; None without one."""
    if (item is None) != (fence is None):
        raise Invalid("a claim is named by its item and its fence", remedy="give both, or neither")
    return None if item is None or fence is None else await leases.own(tx, item=item, fence=fence)


def given_up(lease: Any, note: str | None) -> dict[str, Any]:
    """What the event of a question says of the claim that was given back for it."""
    return {} if lease is None else {"fence": lease["fence"], "note": note}


async def refuse_loop(tx: Transaction, asker: int, other: int) -> None:
    """Refuse to ask who waits, on this correlation, for the asker. Raises `ConsultLoop` with the path."""
    await tx.fetch(SERIALISE, tx.board, tx.correlation)
    names = await tx.fetchval(LOOP, tx.board, tx.correlation, other, asker)
    if names is not None:
        path = [names[-1], *names]
        message = f"{names[0]} waits for the answer of {names[-1]}: {' → '.join(path)}"
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
    one = await tx.fetchrow(ONE, tx.board, row["item"])
    thread = await threads.hold(tx, one["thread"])
    if answer is not None:
        await answered(tx, one, thread, answer, by)
        return
    text = "nobody answered in time"
    if to is not None:
        await threads.join(tx, thread, [to])
        text = f"not answered in time; {await tx.fetchval(NAME, tx.board, to)} is asked now"
    await threads.say(tx, thread, "overdue", text, consult=row["item"], tells=[one["asker"]], by="board")


async def answered(tx: Transaction, one: Any, thread: dict[str, Any], answer: str, by: str) -> None:
    """Say an answer on the thread; whoever gives it is on it from then on."""
    if tx.actor.agent is not None:
        await threads.join(tx, thread, [tx.actor.agent])
    own = by == tx.actor.name
    await threads.say(
        tx, thread, "answer", answer, consult=one["item"], tells=[one["asker"]], by=None if own else by
    )  # fmt: skip
