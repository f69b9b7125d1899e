"""Presence: when an agent was last heard of, and when a worker of it last said that it is there.

It is no part of the log, and no write of an action waits for it. A process notes a call of an agent at most once in ten
seconds; a worker attends every twenty. An agent whose worker was seen within a minute has a live worker.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from slateboard.protocol.errors import Invalid
from slateboard.protocol.rights import Right

if TYPE_CHECKING:
    from slateboard.protocol.names import BoardId
    from slateboard.protocol.rights import Actor
    from slateboard.store.database import Database
    from slateboard.transaction import Statement

log = logging.getLogger(__name__)

NOTE_SECONDS = 10.0
"""A process notes an agent's calls at most this often."""
LIVE_SECONDS = 60
"""A worker that attended within so many seconds is live."""
MOST_KNOWN = 10_000
"""Agents whose last note a process remembers; beyond it all are forgotten, and noted anew."""
MOST_CHARACTERS = 200
"""Of a worker's name."""

SEE = """
INSERT INTO presence (board, agent, seen_at) VALUES ($1, $2, clock_timestamp())
ON CONFLICT (board, agent) DO UPDATE SET seen_at = excluded.seen_at
"""

ATTEND = """
INSERT INTO presence (board, agent, seen_at, worker_seen_at, worker)
VALUES ($1, $2, clock_timestamp(), clock_timestamp(), $3)
ON CONFLICT (board, agent) DO UPDATE
SET seen_at = excluded.seen_at, worker_seen_at = excluded.worker_seen_at, worker = excluded.worker
"""


async def attend(tx: Statement, *, worker: str) -> dict[str, Any]:
    """A worker of the agent that asks says that it is there, with or without work. Raises `Invalid` for no agent."""
    tx.require(Right.AGENT)
    if tx.actor.agent is None:
        raise Invalid("only an agent has workers", remedy="connect with the name of an agent, or with its token")
    if not 1 <= len(worker) <= MOST_CHARACTERS:
        raise Invalid(f"a worker's name has 1 to {MOST_CHARACTERS} characters", remedy="choose a shorter one")
    await tx.fetch(ATTEND, tx.board, tx.actor.agent, worker)
    return {"agent": tx.actor.name, "worker": worker}


class Noted:
    """Whom this process noted last, and when; so that a busy agent costs one write in ten seconds."""

    def __init__(self) -> None:
        self._at: dict[tuple[int, int], float] = {}

    async def call_of(self, database: Database, actor: Actor, board: BoardId) -> None:
        """Note that this agent called. What goes wrong with it is no trouble of the call, which is over."""
        if actor.agent is None or not self._due(board, actor.agent):
            return
        try:
            async with database.acquire() as connection:
                await connection.execute(SEE, board, actor.agent)
        except Exception as error:  # noqa: BLE001  whatever it is: the call itself has succeeded
            log.debug("cannot note a call of %s: %s", actor.name, error)

    def _due(self, board: int, agent: int) -> bool:
        now = time.monotonic()
        if now - self._at.get((board, agent), -NOTE_SECONDS) < NOTE_SECONDS:
            return False
        if len(self._at) >= MOST_KNOWN:
            self._at.clear()
        self._at[board, agent] = now
        return True


noted = Noted()
"""Of this process."""
