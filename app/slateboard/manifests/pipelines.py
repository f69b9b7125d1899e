"""Comparing the subscriptions that manifests declare with those of the board, and making them so.

A subscription that is there goes on from its place in the log, whatever is changed of it. What a pipeline said earlier
and says no more is taken away; a subscription of anybody else is never touched. One that was made by hand, and is as a
pipeline says, stays by hand.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from slateboard.manifests.places import located, wrong
from slateboard.manifests.sources import EFFECTIVE
from slateboard.patterns import subscriptions
from slateboard.protocol.errors import SlateError
from slateboard.store.arrays import texts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from slateboard.manifests.declarations import Declarations, DeclaredSubscription
    from slateboard.transaction import Statement, Transaction

COMPARED = ("patterns", "all_of", "filter", "agent", "action", "ordered_by", "priority")

THERE = f"""
SELECT s.name, s.patterns, s.all_of, s.filter, a.name AS agent, s.action, s.ordered_by, s.priority,
       {EFFECTIVE.format(row="s")} AS source
FROM subscriptions s LEFT JOIN agents a ON a.board = s.board AND a.id = s.agent
WHERE s.board = $1 AND (s.source = ANY ($2::text::text[]) OR s.name = ANY ($3::text::text[])) ORDER BY s.name
"""


@dataclass(slots=True)
class Pipelines:
    """What an apply does to subscriptions, and what it answers."""

    new: list[DeclaredSubscription] = field(default_factory=list)
    changes: list[DeclaredSubscription] = field(default_factory=list)
    removals: list[str] = field(default_factory=list)
    changed: list[dict[str, Any]] = field(default_factory=list)
    unchanged: int = 0

    @property
    def created(self) -> list[dict[str, str]]:
        """The subscriptions that are new."""
        return [{"kind": "subscription", "reference": one.name} for one in self.new]

    @property
    def removed(self) -> list[dict[str, str]]:
        """The subscriptions that are taken away."""
        return [{"kind": "subscription", "reference": name} for name in self.removals]


async def compare(tx: Statement, declared: Declarations) -> Pipelines:
    """What is to be done; `BadManifest` for a name that a subscription has which is not this pipeline's."""
    found = Pipelines()
    if not declared.pipelines:
        return found
    rows = await tx.fetch(THERE, tx.board, texts(declared.pipelines), texts(declared.subscriptions))
    there = {row["name"]: row for row in rows}
    for one in declared.subscriptions.values():
        row = there.get(one.name)
        if row is None:
            found.new.append(one)
            continue
        differing = [name for name in COMPARED if getattr(one, name) != row[name]]
        if row["source"] is None and not differing:
            found.unchanged += 1
            continue
        if row["source"] != one.source:
            owner = row["source"] or "somebody"
            message = f"the subscription {one.name!r} is on the board already, and was made by {owner}"
            raise wrong(one.place, message, "a name that is free", remedy="give this consumer another `name`")
        if differing:
            found.changes.append(one)
        else:
            found.unchanged += 1
        found.changed += [
            {"kind": "subscription", "reference": one.name, "field": name, "from": row[name], "to": getattr(one, name)}
            for name in differing
        ]
    found.removals = [name for name in there if name not in declared.subscriptions]
    return found


async def execute(tx: Transaction, todo: Pipelines) -> None:
    """Make the subscriptions what is declared; what an action refuses is shown at its consumer."""
    for name in todo.removals:
        await subscriptions.unsubscribe(tx, name=name)
    for one in todo.changes:
        await _do(tx, subscriptions.change_subscription, one)
    for one in todo.new:
        await _do(tx, subscriptions.subscribe, one, start=one.start)


async def _do(tx: Transaction, action: Callable[..., Awaitable[Any]], one: DeclaredSubscription, **more: Any) -> None:
    wanted = {name: getattr(one, name) for name in COMPARED}
    try:
        await action(tx, name=one.name, source=one.source, **wanted, **more)
    except SlateError as error:
        raise located(error, one.place) from error
