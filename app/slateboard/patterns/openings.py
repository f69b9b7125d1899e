"""Openings: what a person hears of when a circuit breaker opens whose fallback is `escalate_to_human`.

The leader raises one escalation for each opening, to a person or else to the agent's manager; where there is neither,
the breaker goes its way without. The answer `close` closes the breaker at once; with any other it is left to its probe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.board import agents
from slateboard.patterns import escalations
from slateboard.protocol.names import BoardId
from slateboard.work import breakers

if TYPE_CHECKING:
    from slateboard.transaction import Transaction

CLOSE, WAIT = "close", "wait"
PREFIX = "breaker/"
"""Of the escalation's reference, before the agent's name."""


async def tell(tx: Transaction, *, limit: int = 100) -> int:
    """Raise an escalation for each breaker that opened and nobody was told of, at most `limit`; returns how many."""
    rows = await breakers.untold(tx, limit=limit)
    for row in rows:
        tx.board = BoardId(row["board"])
        question = f"The circuit breaker of {row['name']} is open: {row['reason']}. Close it, or wait for its probe?"
        raised = await escalations.raise_(
            tx, kind="breaker", reference=PREFIX + row["name"], owner=row["owner"], severity="high",
            question=question, options=[CLOSE, WAIT], default=WAIT,
        )  # fmt: skip
        await breakers.told(tx, agent=row["agent"], name=row["name"], escalation=raised["item"])
        await tx.flush()
    return len(rows)


async def answered(tx: Transaction, row: dict[str, Any], text: str, by: str) -> None:
    """What was answered about a breaker: it is closed, or left to its probe."""
    if text == CLOSE:
        name = row["reference"].removeprefix(PREFIX)
        await breakers.close(tx, (await agents.ids(tx, [name]))[name], f"{by} closed it")
