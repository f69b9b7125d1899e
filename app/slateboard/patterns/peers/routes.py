"""Routes: whom an agent may consult for what, and whom it tells when. Manifests declare them; operators may.

`for` and `when` are labels for readers: a consult needs any route to the other of the kinds `consult` and `channel`,
whatever its topic. A notice goes to all whom the routes of its label name; how it is spelled does not matter.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from slateboard.board import agents
from slateboard.protocol.errors import Invalid, NoChannel
from slateboard.protocol.events import Subject
from slateboard.protocol.names import slug
from slateboard.protocol.rights import Right

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slateboard.transaction import ReadTransaction, Transaction

KINDS = ("consult", "notify", "channel")
MAX_ROUTES = 10_000
"""Of one board."""
MAX_LABEL_CHARACTERS = 1_000
SHOWN = 20
"""Peers that a refusal names."""

INSERT = """
INSERT INTO routes (board, agent, other, kind, label, subject, source, created_by, created_at)
SELECT $1, r.agent, r.other, r.kind, r.label, r.subject, $7, $8, $9
FROM unnest($2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[]) AS r (agent, other, kind, label, subject)
RETURNING *
"""

COUNT = "SELECT count(*) FROM routes WHERE board = $1"

CHANGE = "UPDATE routes SET subject = $3 WHERE board = $1 AND id = $2 RETURNING *"

REMOVE = "DELETE FROM routes WHERE board = $1 AND id = ANY ($2::bigint[]) RETURNING id"

LIST = """
SELECT a.name AS agent, r.kind, o.name AS other, r.label, r.subject, r.source
FROM routes r
JOIN agents a ON a.board = r.board AND a.id = r.agent
JOIN agents o ON o.board = r.board AND o.id = r.other
WHERE r.board = $1 AND ($2::text IS NULL OR a.name = $2) AND a.removed_at IS NULL AND o.removed_at IS NULL
ORDER BY a.name, r.kind, o.name, r.label LIMIT $3
"""

# Its index serves them: the routes of one agent stand together.
OF = """
SELECT r.kind, r.label, r.other, o.name FROM routes r JOIN agents o ON o.board = r.board AND o.id = r.other
WHERE r.board = $1 AND r.agent = $2 AND o.removed_at IS NULL ORDER BY o.name, r.label LIMIT $3
"""

PEER = "SELECT other, label, path FROM find_peer($1, $2, $3, $4)"


class Route(NamedTuple):
    """A way from one agent to another, by their names. A channel has no label; `subject` is for a `notify` alone."""

    agent: str
    other: str
    kind: str
    label: str = ""
    subject: str | None = None


async def add(tx: Transaction, *, routes: Sequence[Route], source: str | None = None) -> None:
    """Add routes. Raises `UnknownName`, `DuplicateName`, `Invalid` (a route to itself, or more than 10,000)."""
    tx.require(Right.OPERATOR)
    known = await agents.ids(tx, {name for one in routes for name in (one.agent, one.other)})
    for one in routes:
        _check(one)
    if await tx.fetchval(COUNT, tx.board) + len(routes) > MAX_ROUTES:
        raise Invalid(f"a board has at most {MAX_ROUTES:,} routes", remedy="take some away")
    columns = [
        [known[one.agent] for one in routes], [known[one.other] for one in routes], [one.kind for one in routes],
        [one.label for one in routes], [one.subject for one in routes],
    ]  # fmt: skip
    for row in await tx.fetch(INSERT, tx.board, *columns, source, tx.actor.name, tx.now):
        tx.record(Subject.ROUTE_ADDED, {"route": dict(row)})


async def change(tx: Transaction, *, route: int, subject: str | None) -> None:
    """Let another subject, or none, tell it by itself."""
    tx.require(Right.OPERATOR)
    for row in await tx.fetch(CHANGE, tx.board, route, subject):
        tx.record(Subject.ROUTE_CHANGED, {"route": dict(row)})


async def remove(tx: Transaction, *, routes: Sequence[int]) -> None:
    """Take routes away, by their ids; what was asked along them goes on."""
    tx.require(Right.OPERATOR)
    for row in await tx.fetch(REMOVE, tx.board, sorted(routes)):
        tx.record(Subject.ROUTE_REMOVED, {"route": row["id"]})


async def list_routes(tx: ReadTransaction, *, agent: str | None = None) -> list[dict[str, Any]]:
    """Routes, of one agent or of all (at most 10,000): `{agent, kind, other, label, subject, source}`."""
    tx.require(Right.READER)
    if agent is not None:
        await agents.ids(tx, [agent])
    return [dict(row) for row in await tx.fetch(LIST, tx.board, agent, MAX_ROUTES)]


async def require_channel(tx: Transaction, asker: int, to: str) -> tuple[int, str, list[str] | None]:
    """Whom a consult goes to, what the asker consults it for (empty for a channel), and who waits for the asker.

    Until it is over, nobody else asks on this correlation. Raises `UnknownName`, `Invalid` (it is the asker itself),
    `NoChannel`, which the log keeps.
    """
    found = await tx.fetchrow(PEER, tx.board, asker, to, tx.correlation)
    if found["label"] is None:
        if (await agents.ids(tx, [to]))[to] == asker:
            raise Invalid(f"{to} cannot consult itself", remedy="ask somebody else", agent=to)
        known = [row["name"] for row in await tx.fetch(OF, tx.board, asker, MAX_ROUTES) if row["kind"] != "notify"]
        refuse(tx, f"cannot consult {to}", list(dict.fromkeys(known))[:SHOWN], to=to)
    return found["other"], found["label"], found["path"]


async def told(tx: Transaction, teller: int, label: str) -> list[Any]:
    """The routes of a label: `{label, other, name}` of all who are told. Raises `NoChannel`, which the log keeps."""
    routes = [row for row in await tx.fetch(OF, tx.board, teller, MAX_ROUTES) if row["kind"] == "notify"]
    found = [row for row in routes if slug(row["label"]) == slug(label)]
    if not found:
        labels = list(dict.fromkeys(row["label"] for row in routes))
        refuse(tx, f"tells nobody when {label[:80]!r}", get_close_matches(label, labels, SHOWN, 0.3) or labels[:SHOWN])
    return found


def refuse(tx: Transaction, what: str, known: list[str], **details: Any) -> NoReturn:
    """Refuse what no route allows, and let the log keep that it was tried."""
    message = f"{tx.actor.name} {what}: no route or channel says so"
    remedy = f"it has: {', '.join(known)}" if known else "declare one in a RoutingTable, or in its peer_channels"
    tx.refuse(Subject.CONSULT_REFUSED, {"agent": tx.actor.agent, "name": tx.actor.name, "because": message, **details})
    raise NoChannel(message, remedy=remedy, known=known, **details)


def shown(agent: str, other: str, kind: str, label: str) -> str:
    """A route in a line."""
    return f"{agent} → {other} ({kind}{f': {label}' if label else ''})"


def _check(one: Route) -> None:
    if one.agent == one.other:
        raise Invalid(f"{one.agent} cannot have a route to itself", remedy="name another agent", agent=one.agent)
    if one.kind not in KINDS:
        raise Invalid(f"{one.kind[:40]!r} is no kind of route", remedy=f"one of: {', '.join(KINDS)}")
    if len(one.label) > MAX_LABEL_CHARACTERS:
        raise Invalid(f"a label has at most {MAX_LABEL_CHARACTERS:,} characters", remedy="say it shorter")
