"""Mandates: for whom an agent may speak when it posts, and below whose tasks. Operators speak for all.

An agent delegates as itself, or as one of those who report to it along the managers. It posts below a task that was
there if it has a part in it: it stands in the task's chain of delegations, manages one who does, or owns or holds an
item of it; below what is nobody's, everybody may. The chain is held until the commit, so that a delegation that moves
meanwhile comes before the check or after the post.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from slateboard.board.delegations import MOST_ABOVE
from slateboard.protocol.errors import NotYours
from slateboard.protocol.rights import Right
from slateboard.store.arrays import numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from slateboard.transaction import Transaction

MEETING = "meeting:"
"""How the source of what came of a meeting begins."""

# The tasks above the given ones, these first, as they are now and until the commit; and whoever stands there, and the
# agents of the post, with their managers. Managers form trees, and a task never moves to another parent.
LOOK_UP = f"""
WITH RECURSIVE above (id, parent, level) AS (
    SELECT t.id, t.parent, 0
    FROM unnest($2::text::bigint[]) AS g (id),
    LATERAL (SELECT t.id, t.parent FROM tasks t WHERE t.board = $1 AND t.id = g.id OFFSET 0) AS t
    UNION
    SELECT p.id, p.parent, u.level + 1
    FROM above u,
    LATERAL (SELECT p.id, p.parent FROM tasks p WHERE p.board = $1 AND p.id = u.parent OFFSET 0) AS p
    WHERE u.level < {MOST_ABOVE}
), hops AS MATERIALIZED (
    SELECT t.* FROM (SELECT DISTINCT id FROM above ORDER BY id) AS u,
    LATERAL (SELECT t.id, t.parent, t.agent, t.delegator FROM tasks t WHERE t.board = $1 AND t.id = u.id FOR SHARE) AS t
), managed (id, manager) AS (
    SELECT a.* FROM (
        SELECT agent AS id FROM hops UNION SELECT delegator FROM hops UNION SELECT unnest($3::text::bigint[])
    ) AS n,
    LATERAL (SELECT a.id, a.manager FROM agents a WHERE a.board = $1 AND a.id = n.id OFFSET 0) AS a
    UNION
    SELECT m.*
    FROM managed u,
    LATERAL (SELECT m.id, m.manager FROM agents m WHERE m.board = $1 AND m.id = u.manager OFFSET 0) AS m
)
SELECT 'hop' AS what, id, parent AS above, agent, delegator FROM hops
UNION ALL
SELECT 'agent', id, manager, NULL, NULL FROM managed
"""

# Those of the tasks of which the agent owns or holds an item.
PARTS = """
SELECT g.id FROM unnest($2::text::bigint[]) AS g (id) WHERE EXISTS (
    SELECT FROM (SELECT a.owner, a.newest_item FROM artifacts a WHERE a.board = $1 AND a.task = g.id OFFSET 0) AS a
    WHERE a.owner = $3
       OR EXISTS (SELECT FROM leases l WHERE l.board = $1 AND l.item = a.newest_item AND l.agent = $3))
"""


@dataclass(frozen=True, slots=True)
class Delegated:
    """A task that is delegated for another than who posts it."""

    task: str
    delegator: str
    agent: int


@dataclass(frozen=True, slots=True)
class Below:
    """A task or an artifact (`details` names it for an error) that is posted below, or to, a task that was there."""

    details: Mapping[str, str]
    task: str
    id: int


def check_source(tx: Transaction, task: str, source: str | None) -> None:
    """Refuse an agent that says of a task that it came of a meeting: `NotYours`."""
    if source is not None and source.startswith(MEETING) and tx.actor.right < Right.OPERATOR:
        message = f"{tx.actor.name} cannot say that {task} came of {source}: a meeting posts its own action items"
        raise NotYours(message, remedy="propose a motion with action items, or name another source", task=task)


@dataclass(slots=True)
class _Chains:
    """Tasks with those above them, and agents with their managers."""

    hops: dict[int, Any] = field(default_factory=dict)
    managers: dict[int, int | None] = field(default_factory=dict)

    def standing(self, task: int | None) -> set[int]:
        """Who does or delegated the task, or one above it."""
        found: set[int] = set()
        while task in self.hops:
            hop = self.hops[task]
            found |= {hop["agent"], hop["delegator"]} - {None}
            task = hop["above"]
        return found

    def reports(self, agent: int, to: int | None) -> bool:
        """Whether an agent is, or reports to, the other."""
        above: int | None = agent
        seen: set[int] = set()
        while above is not None and above != to and above not in seen:
            seen.add(above)
            above = self.managers.get(above)
        return above is not None and above == to


async def check(tx: Transaction, delegated: Iterable[Delegated], below: Iterable[Below]) -> None:
    """Refuse what the actor may not say for others, or put there: `NotYours`. In one statement, or two, for all."""
    if tx.actor.right >= Right.OPERATOR:
        return
    delegated, below = list(delegated), list(below)
    if not delegated and not below:
        return
    chains = _Chains()
    tasks, spoken_for = sorted({one.id for one in below}), sorted({one.agent for one in delegated})
    for row in await tx.fetch(LOOK_UP, tx.board, numbers(tasks), numbers(spoken_for)):
        if row["what"] == "hop":
            chains.hops[row["id"]] = row
        else:
            chains.managers[row["id"]] = row["above"]
    theirs = {agent for agent in spoken_for if not chains.reports(agent, tx.actor.agent)}
    for one in delegated:
        if one.agent in theirs:
            message = f"{tx.actor.name} cannot delegate {one.task} for {one.delegator}"
            remedy = "leave the delegator out; its managers may, and those with the right operator"
            raise NotYours(message, remedy=remedy, task=one.task, agent=one.delegator)
    foreign = await _foreign(tx, chains, tasks)
    for one in below:
        if one.id in foreign:
            what = next(iter(one.details.values()))
            message = f"{tx.actor.name} has no part in {one.task}, so it cannot post {what} there"
            remedy = "ask one of its chain (`slate task chain`) or an operator, or post a task of its own"
            raise NotYours(message, remedy=remedy, **one.details)


async def _foreign(tx: Transaction, chains: _Chains, tasks: Iterable[int]) -> set[int]:
    """Those of the tasks in which the actor has no part."""
    mine: dict[int, bool] = {}
    foreign: list[int] = []
    for task in tasks:
        standing = chains.standing(task)
        mine |= {agent: chains.reports(agent, tx.actor.agent) for agent in standing - mine.keys()}
        if standing and not any(mine[agent] for agent in standing):
            foreign.append(task)
    if not foreign:
        return set()
    having = {row["id"] for row in await tx.fetch(PARTS, tx.board, numbers(foreign), tx.actor.agent)}
    return set(foreign) - having
