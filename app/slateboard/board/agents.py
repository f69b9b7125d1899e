"""Agents: the named actors of a board, their rights, and the tokens by which they prove who they are."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from slateboard.board import queries
from slateboard.protocol.errors import Invalid, NotAuthenticated, UnknownName
from slateboard.protocol.events import Subject
from slateboard.protocol.names import check_name
from slateboard.protocol.rights import Actor, Right

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence
    from datetime import datetime

    from slateboard.transaction import Statement, Transaction

TOKEN_PREFIX = "slate_"  # noqa: S105  what every token begins with, so that scanners find a leaked one
MAX_OVERLAP_SECONDS = 7 * 86_400
MAX_LIFE_SECONDS = 3_653 * 86_400


async def add(
    tx: Transaction,
    *,
    name: str,
    kind: str = "agent",
    role: str = "",
    capabilities: Iterable[str] = (),
    manager: str | None = None,
    right: str = "agent",
) -> int:
    """Add an agent to the board; its id is also its inbox. Raises `DuplicateName`, `UnknownName` (the manager)."""
    tx.require(Right.ADMIN)
    from sqlalchemy import insert

    from slateboard.board.tables import agents

    check_name(name, "agent")
    capabilities = sorted({check_name(capability, "capability") for capability in capabilities})
    manager_id = None if manager is None else (await ids(tx, [manager]))[manager]
    rows = await tx.execute(
        insert(agents)
        .values(
            board=tx.board, name=name, kind=kind, role=role, capabilities=capabilities, manager=manager_id, grant=right
        )
        .returning(agents)
    )
    tx.record(Subject.AGENT_ADDED, {"agent": dict(rows[0])})
    return rows[0]["id"]


async def ensure(tx: Transaction, names: Iterable[str]) -> list[str]:
    """Add the agents that are missing, by their names alone; returns the names of those that were added."""
    tx.require(Right.ADMIN)
    wanted = sorted({check_name(name, "agent") for name in names})
    rows = await tx.fetch(queries.ENSURE_AGENTS, tx.board, wanted)
    for row in rows:
        tx.record(Subject.AGENT_ADDED, {"agent": dict(row)})
    return [row["name"] for row in rows]


async def ids(tx: Statement, names: Iterable[str]) -> dict[str, int]:
    """The ids of agents by their names; `UnknownName` names the first that is missing, and the nearest that is not."""
    wanted = sorted(set(names))
    rows = await tx.fetch(queries.AGENTS_BY_NAME, tx.board, wanted)
    found: dict[str, int] = {row["name"]: row["id"] for row in rows}
    await check_found(tx, wanted, found)
    return found


async def check_found(tx: Statement, wanted: Iterable[str], found: Container[str]) -> None:
    """Refuse the first agent that is wanted and was not found, and name the nearest that is there."""
    for name in sorted(wanted):
        if name not in found:
            gone = await tx.fetchval(queries.REMOVED_AGENT, tx.board, name)
            if gone is not None:
                message = f"the agent {name!r} was removed from this board at {gone:%Y-%m-%d %H:%M:%S}"
                raise UnknownName(message, remedy="name another agent", agent=name)
            known = [row["name"] for row in await tx.fetch(queries.AGENT_NAMES, tx.board)]
            near = get_close_matches(name, known, 1)
            remedy = f"did you mean {near[0]!r}?" if near else f"add it with `slate agent add {name}`"
            raise UnknownName(f"there is no agent {name!r} on this board", remedy=remedy, agent=name)


async def issue_token(tx: Transaction, *, agent: str, expires_in_seconds: float | None = None) -> dict[str, Any]:
    """Make a token for an agent: `{token_id, token, expires_at}`. It is shown once; only its hash stays."""
    tx.require(Right.ADMIN)
    if expires_in_seconds is not None and not 0 < expires_in_seconds <= MAX_LIFE_SECONDS:
        raise Invalid("a token lives more than 0 s and at most 10 years", remedy="leave it out for no end")
    agent_id = (await ids(tx, [agent]))[agent]
    expires_at = None if expires_in_seconds is None else tx.now + timedelta(seconds=expires_in_seconds)
    return await _insert_token(tx, agent, agent_id, expires_at)


async def rotate_token(tx: Transaction, *, token_id: int, overlap_seconds: float = 3600) -> dict[str, Any]:
    """Replace a token: the new one works at once, the old one until the overlap is over."""
    tx.require(Right.ADMIN)
    if not 0 <= overlap_seconds <= MAX_OVERLAP_SECONDS:
        raise Invalid("an overlap lasts 0 s to 7 days", remedy="choose a length in that range")
    row = await tx.fetchrow(
        "SELECT t.agent, a.name, t.expires_at, t.revoked_at FROM tokens t"
        " JOIN agents a ON a.board = t.board AND a.id = t.agent WHERE t.board = $1 AND t.id = $2 FOR UPDATE OF t",
        tx.board,
        token_id,
    )
    expired = row is not None and row["expires_at"] is not None and row["expires_at"] <= tx.now
    if row is None or row["revoked_at"] is not None or expired:
        raise UnknownName(f"there is no live token {token_id} on this board", remedy="see `slate get tokens`")
    until = tx.now + timedelta(seconds=overlap_seconds)
    await tx.fetch("UPDATE tokens SET expires_at = least(expires_at, $2) WHERE id = $1", token_id, until)
    return await _insert_token(tx, row["name"], row["agent"], row["expires_at"])


async def revoke_token(tx: Transaction, *, token_id: int) -> None:
    """End a token at once."""
    tx.require(Right.ADMIN)
    row = await tx.fetchrow(
        "UPDATE tokens SET revoked_at = $3 WHERE board = $1 AND id = $2 AND revoked_at IS NULL RETURNING agent",
        tx.board,
        token_id,
        tx.now,
    )
    if row is None:
        raise UnknownName(f"there is no live token {token_id} on this board", remedy="see `slate get tokens`")
    tx.record(Subject.TOKEN_REVOKED, {"token_id": token_id, "agent": row["agent"]})


async def authenticate(connection: Any, token: str) -> Actor:
    """The actor that a token stands for; `NotAuthenticated` if it is unknown, expired or revoked."""
    row = await connection.fetchrow(
        "SELECT t.id, t.board, t.agent, a.name, a.grant, t.revoked_at, t.expires_at <= now() AS expired,"
        " a.removed_at"
        " FROM tokens t LEFT JOIN agents a ON a.board = t.board AND a.id = t.agent WHERE t.hash = $1",
        _hash(token),
    )
    if row is None:
        raise NotAuthenticated("the token is not known", remedy="issue one with `slate token issue AGENT`")
    if row["revoked_at"] is not None:
        raise NotAuthenticated("the token was revoked", remedy="issue a new one with `slate token issue AGENT`")
    if row["expired"]:
        raise NotAuthenticated("the token has expired", remedy="issue a new one with `slate token issue AGENT`")
    if row["removed_at"] is not None:
        raise NotAuthenticated(f"the agent {row['name']} was removed", remedy="use the token of another agent")
    by = f"token:{row['id']}"
    if row["agent"] is None:
        return Actor(name="admin", right=Right.ADMIN, authenticated_by=by)
    right = Right[row["grant"].upper()]
    return Actor(name=row["name"], right=right, agent=row["agent"], board=row["board"], authenticated_by=by)


async def live_tokens(connection: Any, token_ids: Sequence[int]) -> set[int]:
    """Which of these tokens are neither revoked nor expired."""
    rows = await connection.fetch(
        "SELECT id FROM tokens WHERE id = ANY ($1::bigint[]) AND revoked_at IS NULL"
        " AND (expires_at IS NULL OR expires_at > now())",
        token_ids,
    )
    return {row["id"] for row in rows}


async def administrator_token(connection: Any) -> str:
    """Make a token of the administrator's, which belongs to no board; the caller keeps it in a file of its own."""
    token = _new_token()
    await connection.execute("INSERT INTO tokens (hash) VALUES ($1)", _hash(token))
    return token


async def _insert_token(tx: Transaction, name: str, agent: int, expires_at: datetime | None) -> dict[str, Any]:
    token = _new_token()
    token_id = await tx.fetchval(
        "INSERT INTO tokens (board, agent, hash, expires_at) VALUES ($1, $2, $3, $4) RETURNING id",
        tx.board,
        agent,
        _hash(token),
        expires_at,
    )
    tx.record(Subject.TOKEN_ISSUED, {"token_id": token_id, "agent": agent, "name": name, "expires_at": expires_at})
    return {"token_id": token_id, "agent": name, "token": token, "expires_at": expires_at}


def _new_token() -> str:
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def _hash(token: str) -> bytes:
    """Tokens are 256 random bits, so one round of SHA-256 keeps them as safe as a slow hash would."""
    return hashlib.sha256(token.encode()).digest()
