"""Boards: one project's shared state each, isolated from the others; the switch that pauses their work; and their end.

An archived board can be read and not changed: every statement that writes an event asks `outbox_lane` (log/append.sql),
which refuses. A deleted one is gone at once, by name, agents and tokens; its rows follow in batches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.board import agents, queries
from slateboard.log.proof import log_id
from slateboard.protocol.errors import Conflict, Denied, Invalid, UnknownName, WrongState
from slateboard.protocol.events import Subject
from slateboard.protocol.names import check_name
from slateboard.protocol.rights import Right

if TYPE_CHECKING:
    from datetime import datetime

    from slateboard.transaction import ReadTransaction, Statement, Transaction

MAX_WOKEN = 1_000
"""Agents that a resume wakes; more of them notice at their next poll."""
MAX_DELETED = 1_000
"""Deleted boards in one answer, the newest first."""
HOLD_WRITERS = (
    "SET LOCAL lock_timeout = '2s'",
    # Waits for every change that is on its way, of whatever board; the partitions are reached through their parent.
    "LOCK TABLE ONLY event_outbox IN SHARE ROW EXCLUSIVE MODE",
)
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


async def archive(tx: Transaction, *, now: bool = False, reason: str | None = None) -> dict[str, Any]:
    """Let the board be read and no longer changed; done twice it is the same. Raises `Conflict` while work is claimed.

    With `now` it is done all the same: results of what is claimed are refused from then on, and leases stand still.
    """
    tx.require(Right.ADMIN)
    await _hold_writers(tx)
    row = await tx.fetchrow(queries.BOARD_END, tx.board)
    if row is None:
        raise UnknownName("there is no such board", remedy="see `slate board list`")
    if row["archived_at"] is None:
        if row["claimed"] and not now:
            message = f"{row['claimed']:,} items of the board {row['name']} are claimed"
            remedy = "`slate pause` it and wait until they are finished, or refuse their results with --now"
            raise Conflict(message, remedy=remedy, claimed=row["claimed"])
        row = await _set_archived(tx, tx.now, Subject.BOARD_ARCHIVED, reason)
    return {"name": row["name"], "archived_at": row["archived_at"]}


async def unarchive(tx: Transaction) -> dict[str, Any]:
    """Let an archived board be changed again; `WrongState` if it is not archived."""
    tx.require(Right.ADMIN)
    row = await _set_archived(tx, None, Subject.BOARD_UNARCHIVED, None)
    if row is None:
        raise WrongState("the board is not archived", remedy="it can be worked on as it is")
    for agent in await tx.fetch(queries.RESUMED_AGENTS, tx.board, EVERYTHING, MAX_WOKEN):
        tx.wake([agent["id"]], board=agent["board"])
    return {"name": row["name"]}


async def delete(tx: Transaction, *, confirm: str) -> dict[str, Any]:
    """Delete an archived board for good; `confirm` is its name. Its rows go in batches, as a server's chore.

    Answers with what stays known of it: name, position and hash of its log's end, actor, deleted_at. Raises `Invalid`
    (another name), `WrongState` (not archived, or its last events are not sealed yet).
    """
    tx.require(Right.ADMIN)
    if tx.actor.board is not None:
        raise Denied("a board's own administrator cannot delete boards", remedy="use the server's admin token")
    await _hold_writers(tx)
    row = await tx.fetchrow(queries.BOARD_END, tx.board)
    if row is None:
        raise UnknownName("there is no such board", remedy="see `slate board list`")
    name = row["name"]
    if confirm != name:
        message = f"to delete the board {name} takes its name, not {confirm[:80]!r}"
        raise Invalid(message, remedy=f"`slate board delete {name} --yes {name}`")
    if row["archived_at"] is None:
        raise WrongState(f"the board {name} is not archived", remedy=f"`slate board archive {name}` first")
    gone = await tx.fetchrow(queries.DELETE_BOARD, tx.board, tx.actor.name, tx.actor.authenticated_by, tx.now)
    if gone is None:
        message = f"the last events of the board {name} are not in its log yet"
        raise WrongState(message, remedy="ask again in a second; `slate up` must run")
    return _deleted(gone)


async def list_deleted(tx: ReadTransaction) -> list[dict[str, Any]]:
    """The boards that were deleted, the newest first, at most 1,000; see `delete`. For the server's administrator."""
    tx.require(Right.ADMIN)
    if tx.actor.board is not None:
        raise Denied("a board's own administrator sees no other board", remedy="use the server's admin token")
    return [_deleted(row) for row in await tx.fetch(queries.DELETED_BOARDS, MAX_DELETED)]


async def purge(tx: Statement, *, limit: int) -> int:
    """Delete rows of deleted boards, at most `limit`; returns how many, 0 when nothing is left of any."""
    return await tx.fetchval("SELECT purge_boards($1)", limit)


async def _hold_writers(tx: Transaction) -> None:
    """Let nobody write until the commit, and whoever was about to be done: first of all locks, for all boards."""
    for statement in HOLD_WRITERS:
        await tx.fetch(statement)


async def _set_archived(tx: Transaction, at: datetime | None, subject: Subject, reason: str | None) -> Any:
    row = await tx.fetchrow(queries.SET_ARCHIVED, tx.board, at)
    if row is not None:
        tx.record(subject, {"board": dict(row), "reason": reason})
    return row


def _deleted(row: Any) -> dict[str, Any]:
    known = dict(row)
    log = log_id(row["board"], known.pop("created_us"))
    return {**known, "hash": row["hash"].hex(), "log": log}


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
