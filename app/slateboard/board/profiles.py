"""Profiles: what an agent is, can, and takes from whom; and changing it. An agent is added by `board.agents`.

Managers form trees: nobody is its own manager, however far up. What an agent accepts holds for what is delegated after.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.board import agents
from slateboard.protocol.errors import Invalid, ManagerCircle
from slateboard.protocol.events import Subject
from slateboard.protocol.names import check_name
from slateboard.protocol.rights import Right
from slateboard.protocol.states import AgentKind, Availability

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slateboard.transaction import Transaction

NOBODY = ""
"""As a manager: none any more."""
MOST_LEVELS = 1_000
"""Of managers above an agent; nobody has so many."""

# Two changes at once could close a circle that neither of them sees.
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('slateboard.managers', $1::bigint))"

# The managers above an agent, itself first.
ABOVE = f"""
WITH RECURSIVE above (id, name, manager, level) AS (
    SELECT a.id, a.name, a.manager, 0 FROM agents a WHERE a.board = $1 AND a.id = $2
    UNION ALL
    SELECT m.id, m.name, m.manager, u.level + 1 FROM above u
    JOIN agents m ON m.board = $1 AND m.id = u.manager
    WHERE u.level < {MOST_LEVELS}
)
SELECT id, name FROM above ORDER BY level
"""

HOLD = "SELECT * FROM agents WHERE board = $1 AND id = $2 FOR UPDATE"

CHANGE = """
UPDATE agents SET kind = $3, role = $4, capabilities = $5, manager = $6, "grant" = $7, accepts_from = $8,
                  availability = $9
WHERE board = $1 AND id = $2 RETURNING *
"""


async def change_agent(
    tx: Transaction,
    *,
    name: str,
    kind: str | None = None,
    role: str | None = None,
    capabilities: Sequence[str] | None = None,
    manager: str | None = None,
    right: str | None = None,
    accepts_from: Sequence[str] | None = None,
    accepts_anyone: bool = False,
    availability: str | None = None,
) -> dict[str, Any]:
    """Change what is given of an agent; the rest stays. An empty `manager` is none, an empty `accepts_from` nobody.

    Returns `{name, changed}`. Raises `UnknownName`, `ManagerCircle` (with the circle), `Invalid`, `BadName`.
    """
    tx.require(Right.ADMIN)
    if accepts_anyone and accepts_from is not None:
        raise Invalid("either anyone or those who are named", remedy="leave one of them out")
    if name in (accepts_from or ()):
        raise Invalid(
            f"{name} cannot delegate to itself", remedy="leave it out of whom it accepts work from", agent=name
        )
    _check(kind, right, availability)
    own = (await agents.ids(tx, [name]))[name]
    known = await agents.ids(tx, {one for one in (manager, *(accepts_from or ())) if one})
    if manager:
        await _check_managers(tx, name, own, known[manager])
    row = dict(await tx.fetchrow(HOLD, tx.board, own))
    given: dict[str, Any] = {"kind": kind, "role": role, "grant": right, "availability": availability}
    if capabilities is not None:
        given["capabilities"] = sorted({check_name(one, "capability") for one in capabilities})
    wanted = row | {key: value for key, value in given.items() if value is not None}
    if manager is not None:
        wanted["manager"] = known[manager] if manager else None
    if accepts_from is not None or accepts_anyone:
        wanted["accepts_from"] = None if accepts_from is None else sorted({known[one] for one in accepts_from})
    changed = [key for key in wanted if wanted[key] != row[key]]
    if changed:
        columns = ("kind", "role", "capabilities", "manager", "grant", "accepts_from", "availability")
        image = await tx.fetchrow(CHANGE, tx.board, own, *(wanted[column] for column in columns))
        tx.record(Subject.AGENT_CHANGED, {"agent": dict(image), "name": name, "changed": changed})
    return {"name": name, "changed": changed}


async def _check_managers(tx: Transaction, name: str, agent: int, manager: int) -> None:
    """Refuse a manager that the agent itself manages, however far down."""
    await tx.fetch(LOCK, tx.board)
    above = await tx.fetch(ABOVE, tx.board, manager)
    numbers = [row["id"] for row in above]
    if agent in numbers:
        circle = [name, *(row["name"] for row in above[: numbers.index(agent) + 1])]
        path = " → ".join(circle)
        told = {"agent": name, "path": circle, "argument": "manager"}
        raise ManagerCircle(f"the managers form a circle: {path}", remedy="name another one", **told)


def _check(kind: str | None, right: str | None, availability: str | None) -> None:
    closed = (
        ("kind", kind, [one.value for one in AgentKind]),
        ("right", right, [one.word for one in Right]),
        ("availability", availability, [one.value for one in Availability]),
    )
    for what, given, words in closed:
        if given is not None and given not in words:
            choice = ", ".join(words)
            raise Invalid(f"the {what} {given[:80]!r} is none of: {choice}", remedy=f"one of: {choice}")
