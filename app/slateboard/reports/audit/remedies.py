"""What was done about failures, as data: the rows of `Troubles` with names instead of numbers, as far as they concern
what the report is about.

Rows about items stay where the item, or the item that it is about, is in the report; those of breakers and budgets
belong to an agent, a task or the board.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.protocol.states import Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from slateboard.reports.audit.report import Scope

    Row = dict[str, Any]

NAMES = ("dead_letters", "escalations", "verifications", "compensations", "breakers", "budgets")
"""The parts of the report, in the order in which they are read."""


def remedies(scope: Scope, below: set[str], agent: str | None, correlation: str | None) -> dict[str, list[Row]]:
    """Each part by its name: of the tasks `below` (all where it is empty), of an agent, of a correlation."""
    told = scope.read.fold.troubles
    breakers = [one for one in told.breakers if not below and agent in {None, scope.agent(one["agent"])}]
    scopes = {f"task {name}" for name in below}
    if agent is not None:
        scopes.add(f"agent {agent}")
    budgets = [one for one in told.budgets if not scopes or one["scope"] in scopes]
    found = {
        "dead_letters": [_dead(scope, one) for one in _kept(scope, told.dead_letters)],
        "escalations": [_escalation(scope, one) for one in _kept(scope, told.escalations)],
        "verifications": [_verification(scope, one) for one in _kept(scope, told.verifications)],
        "compensations": [_compensation(scope, one) for one in _kept(scope, told.compensations)],
        "breakers": [_breaker(scope, one) for one in _correlated(breakers, correlation)],
        "budgets": [_budget(one) for one in _correlated(budgets, correlation)],
    }
    return {name: found[name] for name in NAMES}


def _kept(scope: Scope, rows: Iterable[Row]) -> Iterator[Row]:
    return (one for one in rows if one["item"] in scope.items or one.get("about") in scope.items)


def _correlated(rows: Iterable[Row], correlation: str | None) -> Iterator[Row]:
    return (one for one in rows if correlation in {None, one["correlation"]})


def _dead(scope: Scope, one: Row) -> Row:
    return {**one, "reference": scope.reference(one["item"])}


def _escalation(scope: Scope, one: Row) -> Row:
    return {**one, "owner": scope.agent(one["owner"]), "seconds": _between(one["happened_at"], one["answered_at"])}


def _verification(scope: Scope, one: Row) -> Row:
    named = {name: scope.agent(one.get(name)) for name in ("author", "verifier")}
    return {**one, **named, "seconds": _between(one["happened_at"], one["judged_at"])}


def _compensation(scope: Scope, one: Row) -> Row:
    item = scope.read.fold.items.get(one["item"])
    place = None if item is None else item.place
    state = {Place.DEAD.value: "failed", Place.CANCELLED.value: "given up"}.get(place or "", place)
    return {**one, "agent": scope.agent(one["agent"]), "outcome": one["outcome"] or state}


def _breaker(scope: Scope, one: Row) -> Row:
    probe = None if one["probe"] is None else scope.reference(one["probe"])
    return {**one, "agent": scope.agent(one["agent"]), "probe": probe}


def _budget(one: Row) -> Row:
    names = ("tokens", "cost", "used_tokens", "used_cost")
    return {**one, "usage": {name: one[name] for name in names if one[name] is not None}}


def _between(begin: Any, end: Any) -> float | None:
    return None if end is None else round((end - begin).total_seconds(), 3)


def openings(rows: Iterable[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """The changes of breakers, together from each opening to the end of it, in the order of the openings."""
    found: list[list[Mapping[str, Any]]] = []
    running: dict[str | None, list[Mapping[str, Any]]] = {}
    for one in rows:
        agent = one["agent"]
        if agent not in running:
            running[agent] = []
            found.append(running[agent])
        running[agent].append(one)
        if one["change"] == "closed":
            del running[agent]
    return found
