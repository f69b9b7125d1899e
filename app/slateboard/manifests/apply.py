"""Making the board what manifests declare: idempotent, and all or nothing, across files and kinds.

The manifests are parsed and checked before anything is written; then they are compared with the board, and what differs
is done by the same actions that every door has. A dry run does all of it too, and takes it back.
"""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from slateboard.board import agents, decisions, graph, tasks
from slateboard.board import queries as board_queries
from slateboard.manifests import (
    agent_config,
    circuit_breaker,
    compensation,
    kinds,
    meeting,
    pipelines,
    plan,
    routing_table,
    state,
)
from slateboard.manifests.places import Place, located
from slateboard.protocol.errors import DependencyCycle, SlateError
from slateboard.protocol.names import RESULT
from slateboard.protocol.rights import Right
from slateboard.work import amendments, gates, intake, queries

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from slateboard.manifests.declarations import Declarations
    from slateboard.transaction import Transaction


async def apply(
    tx: Transaction, *, documents: Sequence[Mapping[str, str]], dry_run: bool = False, strict: bool = False
) -> dict[str, Any]:
    """Make the board what these texts declare: `documents` is a list of `{source, text}`, YAML or JSON.

    Gives `{dry_run, created: [{kind, reference}], changed: [{kind, reference, field, from, to}], removed: [{kind,
    reference}], unchanged, agents_created, notes}`. Agents that are named but not there are created by an
    administrator; with `strict`, and for others, they are `UnknownName`. Raises `BadManifest`, `TooLarge`,
    `DependencyCycle`, `AlreadyStarted`, each with file, line, column and path; nothing is applied then.
    """
    tx.require(Right.AGENT)
    # In a thread, since a large manifest takes a second, in which others want to be served.
    declared = await asyncio.to_thread(kinds.declared, documents)
    _check_circles(declared)
    await tx.fetch(state.LOCK, tx.board)
    if not dry_run:
        return {"dry_run": False, **await _apply(tx, declared, strict=strict)}
    async with tx.rehearsal():
        return {"dry_run": True, **await _apply(tx, declared, strict=strict)}


async def _apply(tx: Transaction, declared: Declarations, *, strict: bool) -> dict[str, Any]:
    found = await state.load(tx, declared)
    await state.check_blockers(tx, declared, found)
    missing = await state.missing_agents(tx, declared, found, strict=strict)
    todo = plan.compare(declared, found, tx.now)
    routed = await routing_table.compare(tx, declared)
    piped = await pipelines.compare(tx, declared)
    undone = await compensation.compare(tx, declared, strict=strict)
    guarded = await circuit_breaker.compare(tx, declared)
    profiles = await agent_config.compare(tx, declared)
    meetings = await meeting.compare(tx, declared)
    touched = todo.touched(found)
    if touched:
        # What exists and is to change is held, in the order of all locks, and looked at again.
        await tx.fetch(board_queries.LOCK_EDGES, tx.board)
        await tx.fetch(queries.LOCK_LEASES, tx.board, touched)
        await tx.fetch(queries.LOCK_ITEMS, tx.board, touched)
        found = await state.load(tx, declared)
        todo = plan.compare(declared, found, tx.now)
    try:
        created = await agents.ensure(tx, missing) if missing else []
        await agent_config.execute(tx, profiles)
        await routing_table.execute(tx, routed)
        await _execute(tx, declared, found, todo)
        await pipelines.execute(tx, piped)
        await compensation.execute(tx, undone)
        await circuit_breaker.execute(tx, guarded)
        await meeting.execute(tx, meetings)
    except SlateError as error:
        place = _place_of(error, declared)
        if place is None or "line" in error.details:
            raise
        raise located(error, place) from error
    parts = (profiles, todo, piped, undone, guarded, routed, meetings)
    return {
        "created": [one for part in parts for one in part.created],
        "changed": [one for part in parts for one in part.changed],
        "removed": [one for part in (piped, undone, guarded, routed) for one in part.removed],
        "unchanged": sum(part.unchanged for part in parts),
        "agents_created": [name for name in created if name not in declared.profiles],
        "notes": [*todo.notes, *undone.notes, *meetings.notes],
    }


async def _execute(tx: Transaction, declared: Declarations, found: state.State, todo: plan.Plan) -> None:
    """Do what the plan says: what exists first, so that what is new stands on it."""
    changing = [*todo.task_changes, *todo.artifact_changes]
    named = {name for one in changing for key in ("agent", "owner") for name in (one.fields.get(key), one.row.get(key))}
    numbers = await agents.ids(tx, {name for name in named if name}) if changing else {}
    await tasks.change(tx, changes=[plan.task_change(one, numbers) for one in todo.task_changes])
    await amendments.amend(tx, amendments=[_amendment(one, numbers) for one in todo.artifact_changes])
    await _take_over(tx, declared, todo)
    if todo.tasks or todo.artifacts:
        await intake.post(tx, tasks=todo.tasks, artifacts=todo.artifacts)
    if todo.edges:
        blockers = await gates.newest_items(tx, {one for blockers in todo.edges.values() for one in blockers})
        into = {
            found.artifacts[reference]["newest_item"]: (reference, [blockers[one] for one in names])
            for reference, names in todo.edges.items()
        }
        await gates.add_many(tx, into)
    for one, supersedes in todo.decisions:
        try:
            given: dict[str, Any] = {**one.given, "subject": one.subject, "supersedes": supersedes}
            await decisions.decide(tx, **given)
        except SlateError as error:
            raise located(error, one.place) from error


async def _take_over(tx: Transaction, declared: Declarations, todo: plan.Plan) -> None:
    """Import results into existing artifacts; what was claimed this very moment is told instead."""
    wanted = [(reference, row["id"], row["newest_item"], result) for reference, row, result in todo.imports]
    taken = await amendments.take_over(tx, results=wanted)
    for reference, _, _, _ in wanted:
        if reference not in taken:
            note = f"{declared.artifacts[reference].place}: {reference} is being worked on, so it is not taken over"
            todo.notes.append(note)
            todo.changed = [one for one in todo.changed if (one["reference"], one["field"]) != (reference, "status")]


def _amendment(change: plan.Change, agent_ids: Mapping[str, int]) -> amendments.Amendment:
    """An artifact as it is to be."""
    wanted = {**change.row, **change.fields}
    return amendments.Amendment(
        artifact=wanted["id"],
        item=wanted["newest_item"],
        reference=change.reference,
        title=wanted["title"],
        brief=wanted["brief"],
        path=wanted["path"],
        owner=agent_ids[wanted["owner"]] if wanted["owner"] else None,
        capability=wanted["capability"],
        rating=plan.RATING_OF[wanted["priority"]],
        due=wanted["due"],
        run_at=wanted["run_at"],
        max_attempts=wanted["max_attempts"],
        changed=tuple(change.fields),
    )


def _check_circles(declared: Declarations) -> None:
    """Refuse a circle among what is declared, at the dependency that closes it: the one that stands last."""
    edges = {reference: list(one.blocked_by) for reference, one in declared.artifacts.items()}
    for reference, blockers in declared.implied().items():
        edges.setdefault(reference, []).extend(blockers)
    circle = graph.find_cycle(edges)
    if circle:
        path = " → ".join(circle)
        error = DependencyCycle(f"the dependencies form a circle: {path}", remedy="remove one of them", path=circle)
        place = _place_on(circle, declared)
        raise located(error, place) if place else error


def _place_on(circle: Sequence[str], declared: Declarations) -> Place | None:
    """The place of the last dependency on a circle of references that a manifest names."""
    order = {reference: index for index, reference in enumerate(declared.artifacts)}
    named = [
        (order[reference], node.line, node.column, declared.artifacts[reference].document.at(node))
        for reference, blocker in pairwise(circle)
        if reference in order and (node := declared.artifacts[reference].blocked_by.get(blocker)) is not None
    ]
    return max(named, key=lambda one: one[:3])[3] if named else None


def _place_of(error: SlateError, declared: Declarations) -> Place | None:
    """Where a manifest names what an action refused."""
    if isinstance(error, DependencyCycle):
        return _place_on(error.details["path"], declared)
    reference = error.details.get("reference") or error.details.get("artifact")
    if reference in declared.artifacts:
        return declared.artifacts[reference].place
    task = error.details.get("task") or str(reference).removesuffix(f"/{RESULT}")
    if task in declared.tasks:
        return declared.tasks[task].place
    return declared.agents.get(error.details.get("agent", ""))
