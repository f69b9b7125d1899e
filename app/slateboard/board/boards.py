"""Boards: one project's shared state each, isolated from the others; and the switch that pauses their work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.board import agents, queries
from slateboard.protocol.errors import Denied, Invalid, UnknownName
from slateboard.protocol.events import Subject
from slateboard.protocol.names import check_name
from slateboard.protocol.rights import Right

if TYPE_CHECKING:
    from slateboard.transaction import Transaction

MAX_WOKEN = 1_000
"""Agents that a resume wakes; more of them notice at their next poll."""
EVERYTHING = 0
"""The board id, and the agent id, that mean all of them in `pauses`."""


async def create(tx: Transaction, *, name: str, prefix: str = "genbrain") -> int:
    """Make a board; its agents publish below `prefix`. Raises `DuplicateName`."""
    tx.require(Right.ADMIN)
    if tx.actor.board is not None:
        raise Denied("a board's own administrator cannot make boards", remedy="use the server's admin token")
    check_name(name, "board")
    check_name(prefix, "prefix")
    row = await tx.fetchrow("INSERT INTO boards (name, prefix) VALUES ($1, $2) RETURNING *", name, prefix)
    tx.board = row["id"]
    tx.record(Subject.BOARD_CREATED, {"board": dict(row)})
    return row["id"]


async def pause(
    tx: Transaction, *, agent: str | None = None, everything: bool = False, reason: str | None = None
) -> dict[str, Any]:
    """Stop claims that begin after this commit: of an agent, of the board, or of everything. What runs, runs on."""
    board, agent_id = await _switch(tx, agent, everything)
    row = await tx.fetchrow(
        "INSERT INTO pauses (board, agent, reason, actor, paused_at) VALUES ($1, $2, $3, $4, $5)"
        " ON CONFLICT (board, agent) DO UPDATE SET reason = excluded.reason RETURNING *",
        board,
        agent_id,
        reason,
        tx.actor.name,
        tx.now,
    )
    tx.record(Subject.PAUSED, {"pause": dict(row)})
    return {"paused": _scope(agent, everything), "reason": reason}


async def resume(tx: Transaction, *, agent: str | None = None, everything: bool = False) -> dict[str, Any]:
    """Take a pause back; `UnknownName` if there is none."""
    board, agent_id = await _switch(tx, agent, everything)
    row = await tx.fetchrow("DELETE FROM pauses WHERE board = $1 AND agent = $2 RETURNING *", board, agent_id)
    if row is None:
        raise UnknownName(f"{_scope(agent, everything)} is not paused", remedy="see `slate status`")
    tx.record(Subject.RESUMED, {"board": board, "agent": agent_id})
    rows = await tx.fetch(queries.RESUMED_AGENTS, board, agent_id, MAX_WOKEN)
    for row in rows:
        tx.wake([row["id"]], board=row["board"])
    return {"resumed": _scope(agent, everything)}


async def _switch(tx: Transaction, agent: str | None, everything: bool) -> tuple[int, int]:  # noqa: FBT001
    tx.require(Right.OPERATOR)
    if everything and agent is not None:
        raise Invalid("either an agent or everything", remedy="leave one of them out")
    if everything:
        tx.require(Right.ADMIN)
        if tx.actor.board is not None:
            raise Denied("a board's own administrator cannot pause other boards", remedy="use the server's admin token")
        return EVERYTHING, EVERYTHING
    return tx.board, EVERYTHING if agent is None else (await agents.ids(tx, [agent]))[agent]


def _scope(agent: str | None, everything: bool) -> str:  # noqa: FBT001
    return "everything" if everything else "the board" if agent is None else f"agent {agent}"
