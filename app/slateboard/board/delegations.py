"""Delegations: one row for each task that one agent gave to another, and what may be delegated to whom.

The chain of a task are the delegations from its root down to it. It has at most five, and no agent stands in it twice.
`accepts_from` of an agent says who may delegate to it. A delegation is pending until the agent is heard of after it
(acknowledged), declines it, or lets its time pass (unanswered).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slateboard.protocol.errors import DelegationLoop, NotAccepted, TooDeep
from slateboard.protocol.rights import Right
from slateboard.store.arrays import numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from slateboard.transaction import Transaction

MOST_DEEP = 5
"""Delegations from the root of a tree down to a task."""
ACCEPTED_REMEDY = "delegate through one of those it accepts: see `slate agent find`"
MOST_ABOVE = 100
"""Tasks above a task that are looked at; many of them may be one agent's own."""

# The tasks above the given ones, these first, as they are now and, within a change, until its commit; and the agents of
# the post with whom they accept work from. A task never moves to another parent.
LOOK_UP = f"""
WITH RECURSIVE above (start, id, parent, level) AS (
    SELECT t.id, t.id, t.parent, 0
    FROM unnest($2::text::bigint[]) AS g (id),
    LATERAL (SELECT t.id, t.parent FROM tasks t WHERE t.board = $1 AND t.id = g.id OFFSET 0) AS t
    UNION ALL
    SELECT u.start, p.id, p.parent, u.level + 1
    FROM above u,
    LATERAL (SELECT p.id, p.parent FROM tasks p WHERE p.board = $1 AND p.id = u.parent OFFSET 0) AS p
    WHERE u.level < {MOST_ABOVE}
), held AS MATERIALIZED (
    SELECT t.* FROM (SELECT DISTINCT id FROM above ORDER BY id) AS u,
    LATERAL (SELECT t.id, t.agent, t.delegator FROM tasks t WHERE t.board = $1 AND t.id = u.id FOR SHARE) AS t
), known AS (
    SELECT DISTINCT id FROM (
        SELECT unnest($3::text::bigint[]) AS id UNION ALL SELECT agent FROM held UNION ALL SELECT delegator FROM held
    ) AS n WHERE id IS NOT NULL
)
SELECT 'task' AS what, h.id, h.agent, h.delegator, NULL AS name, NULL::bigint[] AS accepts_from, NULL::bigint AS task,
       0 AS level
FROM held h
UNION ALL
SELECT 'hop', u.start, NULL, NULL, NULL, NULL, u.id, u.level FROM above u
UNION ALL
SELECT 'agent', k.id, NULL, NULL, a.name, a.accepts_from, NULL, 0
FROM known k, LATERAL (SELECT a.name, a.accepts_from FROM agents a WHERE a.board = $1 AND a.id = k.id OFFSET 0) AS a
ORDER BY 1 DESC, 2, 8 DESC
"""

# Of tasks whose agent has changed: a new delegation, or none where they are now their delegator's own.
RENEW = """
WITH g AS MATERIALIZED (
    SELECT t.* FROM unnest($2::text::bigint[]) AS g (id),
    LATERAL (SELECT t.id, t.agent, t.delegator FROM tasks t WHERE t.board = $1 AND t.id = g.id OFFSET 0) AS t
), gone AS (
    DELETE FROM delegations d USING g
    WHERE d.board = $1 AND d.task = g.id AND (g.agent IS NULL OR g.delegator IS NULL OR g.agent = g.delegator)
)
INSERT INTO delegations (board, task, delegator, agent, delegated_at)
SELECT $1, g.id, g.delegator, g.agent, $3 FROM g WHERE g.agent <> g.delegator
ON CONFLICT (board, task) DO UPDATE
SET delegator = excluded.delegator, agent = excluded.agent, delegated_at = excluded.delegated_at, state = 'pending',
    settled_at = NULL, reason = NULL
"""


@dataclass(frozen=True, slots=True)
class Hop:
    """One task on the way down: who does it, and who delegated it, if somebody did."""

    agent: int | None
    delegator: int | None

    @property
    def delegated(self) -> bool:
        """Whether it was given by one agent to another."""
        return None not in {self.agent, self.delegator} and self.agent != self.delegator


@dataclass(frozen=True, slots=True)
class Wanted:
    """A task that is to be delegated. `parent` is a task of the board, or (by its index) one before it."""

    name: str
    agent: int | None
    delegator: int | None
    parent: int | None = None
    within: int | None = None
    named: bool = False
    """Whether the delegator was named, and not taken from who posts."""
    stands: bool = False
    """Whether it is delegated already: who does it has accepted that."""


async def check(tx: Transaction, wanted: Sequence[Wanted]) -> None:
    """Refuse what may not be delegated; parents stand before their children.

    Raises `NotAccepted` (denied), `DelegationLoop` (with the chain), `TooDeep`.
    """
    if not any(Hop(one.agent, one.delegator).delegated or _to_itself(one) for one in wanted):
        return
    named = {number for one in wanted for number in (one.agent, one.delegator) if number is not None}
    parents = {one.parent for one in wanted if one.parent is not None}
    tasks: dict[int, Hop] = {}
    above: dict[int, list[Hop]] = {}
    names: dict[int, str] = {}
    accepts: dict[int, list[int] | None] = {}
    for row in await tx.look(LOOK_UP, tx.board, numbers(sorted(parents)), numbers(sorted(named))):
        if row["what"] == "task":
            tasks[row["id"]] = Hop(row["agent"], row["delegator"])
        elif row["what"] == "hop":
            above.setdefault(row["id"], []).append(tasks[row["task"]])
        else:
            names[row["id"]], accepts[row["id"]] = row["name"], row["accepts_from"]
    chains: list[list[Hop]] = []
    for one in wanted:
        chain = chains[one.within] if one.within is not None else above.get(one.parent or 0, [])
        hop = Hop(one.agent, one.delegator)
        if hop.delegated or _to_itself(one):
            _check_hop(one, chain, names, accepts)
        chains.append([*chain, hop])


def _to_itself(one: Wanted) -> bool:
    """Whether an agent was named as who delegates to itself; what it posts for itself is no delegation."""
    return one.named and one.agent is not None and one.agent == one.delegator


def _check_hop(
    one: Wanted, chain: Sequence[Hop], names: Mapping[int, str], accepts: Mapping[int, list[int] | None]
) -> None:
    assert one.agent is not None
    assert one.delegator is not None
    agent, delegator = names[one.agent], names[one.delegator]
    standing = [number for hop in chain for number in (hop.delegator, hop.agent) if number is not None]
    if one.agent == one.delegator or one.agent in standing:
        path = [names[number] for number in _once([*standing, one.delegator])] + [agent]
        shown = " → ".join(path)
        message = f"{one.name} cannot be delegated to {agent}, who stands in its chain already: {shown}"
        raise DelegationLoop(message, remedy="delegate to somebody else", task=one.name, path=path)
    deep = sum(hop.delegated for hop in chain) + 1
    if deep > MOST_DEEP:
        path = [names[number] for number in _once([*standing, one.delegator])] + [agent]
        message = f"{one.name} would be delegated {deep} deep: {' → '.join(path)}"
        raise TooDeep(message, remedy=f"a chain has at most {MOST_DEEP} delegations", task=one.name, path=path)
    allowed = accepts[one.agent]
    if allowed is not None and one.delegator not in allowed and not one.stands:
        message = f"{agent} does not accept {one.name} from {delegator}"
        raise NotAccepted(message, remedy=ACCEPTED_REMEDY, task=one.name, agent=agent)


def check_part(
    tx: Transaction, reference: str, owner: int, name: str, accepts: Sequence[int] | None, *, does: int | None
) -> None:
    """Refuse to give an artifact to an owner that does not accept work from who gives it: `NotAccepted`.

    That is the actor; operators give it for who `does` the task. An administrator who is no agent gives to all.
    """
    if accepts is None or tx.actor.agent is None or owner in {does, tx.actor.agent}:
        return
    if tx.actor.agent in accepts or (tx.actor.right >= Right.OPERATOR and does in accepts):
        return
    message = f"{name} does not accept {reference} from {tx.actor.name}"
    raise NotAccepted(message, remedy=ACCEPTED_REMEDY, reference=reference, agent=name)


def _once(standing: Iterable[int]) -> list[int]:
    """Each agent where it stands first."""
    return list(dict.fromkeys(standing))


async def renew(tx: Transaction, tasks: Sequence[int]) -> None:
    """Begin the delegations of these tasks anew, whose agents have changed."""
    await tx.fetch(RENEW, tx.board, numbers(tasks), tx.now)


def given_to(task: Any, agent: int, *, below: Iterable[Any] = ()) -> list[Wanted]:
    """A task of the board as it is to be given to another agent, and what stands below it, parents first.

    Rows of `name`, `parent` and `delegator`, below with `id` and `agent`, too.
    """
    wanted = [Wanted(name=task["name"], agent=agent, delegator=task["delegator"], parent=task["parent"])]
    places = {task["id"]: 0}
    for one in below:
        places[one["id"]] = len(wanted)
        within = places[one["parent"]]
        wanted.append(
            Wanted(name=one["name"], agent=one["agent"], delegator=one["delegator"], within=within, stands=True)
        )
    return wanted
