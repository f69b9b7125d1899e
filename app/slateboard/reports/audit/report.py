"""The audit trail as data: who asked whom for what, every version, attempt and decision, what went wrong and what was
done about it, where the time went, and the proof that the log says so.

It follows from the log alone, but for names, titles and the tree of tasks, which are those of now. Everything is in a
fixed order and nothing says when it was asked for, so the same log gives the same report. How it looks is the business
of `to_html` and its neighbours.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypedDict

from slateboard.protocol.errors import UnknownName
from slateboard.protocol.rights import Right
from slateboard.reports.audit import chains, context, events, formats, paths, words
from slateboard.reports.audit.agents import of_agents
from slateboard.reports.audit.artifacts import artifacts, task_of
from slateboard.reports.audit.life import HANDLE, Incident, Item, cost_of, seconds_of
from slateboard.reports.audit.organised import hand_overs, organised
from slateboard.reports.audit.remedies import remedies

if TYPE_CHECKING:
    from slateboard.reports.audit.events import Read
    from slateboard.transaction import ReadTransaction

BOARD = "SELECT name FROM boards WHERE id = $1"
KNOWN_CORRELATION = "SELECT EXISTS (SELECT FROM events WHERE board = $1 AND correlation = $2)"


class Asked(TypedDict):
    """What the report was narrowed to."""

    task: str | None
    agent: str | None
    since: datetime | None
    until: datetime | None
    correlation: str | None


@dataclass(slots=True, kw_only=True)
class Scope:
    """What the report is about: items that pass, and how to name what they refer to."""

    read: Read
    agents: dict[int, dict[str, Any]]
    items: dict[int, Item]
    tasks: dict[str, dict[str, Any]]
    subjects: dict[int, str]
    chains: dict[str | None, list[dict[str, Any]]] = field(default_factory=dict)

    def reference(self, number: int) -> str:
        """The reference of an item, or its number where the range does not know it."""
        found = self.read.fold.items.get(number)
        return self.name(found) if found else f"item {number}"

    def name(self, item: Item) -> str:
        """What an item is called in the report; a delivery also by the position of its event, a duty by its number."""
        called = item.reference or f"item {item.number}"
        if item.duty:
            return f"{called} ({item.kind} {item.number})"
        return called if item.source is None else f"{called} @{item.source}"

    def label(self, item: Item) -> str:
        """What an item is called for people: a delivery by agent, action and the subject of its event."""
        if item.kind != HANDLE:
            return self.name(item)
        called = f"{self.agent(item.owner) or 'nobody'}: {item.action or f'item {item.number}'}"
        if item.source is None:
            return called
        return f"{called} on {self.subjects.get(item.source) or f'event @{item.source}'}"

    def chain(self, task: str | None) -> list[dict[str, Any]]:
        """Who answers for the work of a task, from it upwards; one list for all that share it."""
        if task not in self.chains:
            self.chains[task] = context.chain_of(task, self.tasks)
        return self.chains[task]

    def agent(self, number: int | None) -> str | None:
        """The name of an agent; None for an inbox that is open."""
        return None if number is None else self.agents.get(number, {}).get("name")


async def report_audit(
    tx: ReadTransaction,
    *,
    task: str | None = None,
    agent: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    correlation: str | None = None,
    format: str | None = None,  # noqa: A002  its name at every door
) -> dict[str, Any]:
    """The audit trail of the board from `since` up to (without) `until`, as plain values; lengths are in seconds.

    With a `format` (`html`, `md`, `json`, `csv`) it is `{format, events, proof, text}` instead.

    `task` keeps the artifacts of a task and of all below it, `agent` what an agent owned or tried, `correlation` what
    belongs together by it. Raises `UnknownName` for one that is not there, `Invalid` for a range that ends before it
    begins, `TooLarge` over 5,000,000 events.
    """
    tx.require(Right.READER)
    if format is not None:
        formats.check(format)
    told = await _report(tx, {"task": task, "agent": agent, "since": since, "until": until, "correlation": correlation})
    if format is None:
        return {**told, "artifacts": [one.as_dict() for one in told["artifacts"]]}
    kept = {"format": format, "events": told["events"], "proof": told["proof"]}
    return {**kept, "text": await asyncio.to_thread(formats.render, told, format)}


async def _report(tx: ReadTransaction, asked: Asked) -> dict[str, Any]:
    """The data that the forms render: as JSON has it, but for `artifacts`, which are `Artifact`s."""
    task, agent, correlation = asked["task"], asked["agent"], asked["correlation"]
    since, until = asked["since"], asked["until"]
    agents, below = await _checked(tx, task, agent, since, until, correlation)
    read = await events.read(tx, since=since, until=until)
    fold = read.fold
    await context.complete(tx, fold.items.values())
    kept = {number: item for number, item in sorted(fold.items.items()) if not below or task_of(item) in below}
    if correlation is not None:
        own = fold.correlated.get(correlation, set())
        kept = {number: item for number, item in kept.items() if number in own or item.correlation == correlation}
    if agent is not None:
        number = next(key for key, row in agents.items() if row["name"] == agent)
        kept = {key: item for key, item in kept.items() if _concerns(item, number, agent)}
    names = {name for name in (task_of(item) for item in kept.values()) if name}
    if agent is None:
        names |= {
            name
            for name, posted in fold.tasks.items()
            if (not below or name in below) and correlation in {None, posted["correlation"]}
        }
    tasks = await context.tasks(tx, names)
    scope = Scope(read=read, agents=agents, items=kept, tasks=tasks, subjects=paths.subjects(fold))
    decided = await _decisions(tx, scope, below, agent, correlation)
    together = await organised(tx, scope, below, agent, correlation)
    told = _told(scope, decided, correlation, {**together, **remedies(scope, below, agent, correlation)})
    return {"board": await tx.fetchval(BOARD, tx.board), "asked": asked, **told}


async def _checked(
    tx: ReadTransaction,
    task: str | None,
    agent: str | None,
    since: datetime | None,
    until: datetime | None,
    correlation: str | None,
) -> tuple[dict[int, dict[str, Any]], set[str]]:
    """The agents by id and the names of the tasks that are meant; what is not there, or not in order, is refused."""
    events.check_range(since, until)
    await events.check_size(tx)
    agents = await context.agents(tx)
    if agent is not None and agent not in {row["name"] for row in agents.values()}:
        raise UnknownName(f"there is no agent {agent!r} on this board", remedy="see `slate get agents`", agent=agent)
    below = set[str]() if task is None else await context.below(tx, task)
    if task is not None and not below:
        raise UnknownName(f"there is no task {task!r} on this board", remedy="see `slate get tasks`", task=task)
    if correlation is not None and not await tx.fetchval(KNOWN_CORRELATION, tx.board, correlation):
        message = f"no event of this board has the correlation {correlation[:80]!r}"
        raise UnknownName(message, remedy="see `slate log tail --json`", correlation=correlation)
    return agents, below


def _concerns(item: Item, number: int, name: str) -> bool:
    return item.owner == number or any(attempt.agent == name for attempt in item.attempts)


def _told(
    scope: Scope,
    decided: list[dict[str, Any]],
    correlation: str | None,
    parts: dict[str, list[dict[str, Any]]],
) -> dict[str, Any]:
    """The parts of the report, in the order in which they are read."""
    fold, items = scope.read.fold, scope.items
    attempts = [attempt for item in items.values() for attempt in item.attempts]
    incidents = [one for one in fold.incidents if one.item in items]
    sources = paths.sources(fold)
    path = paths.critical_path(items, sources)
    handed = paths.hand_overs(items, sources, scope.name, scope.label) + hand_overs(parts["delegations"])
    found = artifacts(scope, items)
    places = Counter(item.place for item in items.values())
    published = [one for one in fold.published if correlation in {None, one["correlation"]}]
    summary = {
        "tasks": len(scope.tasks),
        "artifacts": sum(one.first.kind != HANDLE and not one.first.duty for one in found),
        "deliveries": sum(one.first.kind == HANDLE for one in found),
        "duties": sum(one.first.duty for one in found),
        "items": len(items),
        "places": dict(sorted(places.items())),
        "versions": sum(len(item.versions) for item in items.values()),
        "attempts": len(attempts),
        "outcomes": dict(sorted(Counter(attempt.outcome for attempt in attempts).items())),
        "incidents": len(incidents),
        "decisions": len(decided),
        "cost": cost_of(items.values()),
        "texts_cut": fold.organisation.room.cut,
        "seconds": seconds_of(items.values()),
    }
    return {
        "begins_at": scope.read.begins_at,
        "ends_at": scope.read.ends_at,
        "events": scope.read.events,
        "erased": fold.erased,
        "erasures": fold.erasures,
        "proof": scope.read.proof,
        "summary": summary,
        "tasks": [{**row, "chain": scope.chain(name)} for name, row in scope.tasks.items()],
        "artifacts": found,
        "decisions": decided,
        "incidents": [_incident(scope, one) for one in incidents],
        **parts,
        "critical_path": _path(scope, path),
        "hand_overs": sorted(handed, key=lambda one: (-one["seconds"], one["to"], one["claimed_at"])),
        "agents": of_agents(items.values(), scope.agent),
        "chains": chains.chains(scope, published),
        "published": published,
        "subjects": dict(sorted(fold.subjects.items())),
    }


def _incident(scope: Scope, one: Incident) -> dict[str, Any]:
    item = scope.items[one.item]
    then = one.then or ("nothing more: it was given up" if one.what in {"cancelled", "discarded"} else words.UNSETTLED)
    if one.then is None and one.what not in {"cancelled", "discarded"} and item.place == "scheduled":
        then = f"waits for its next attempt, at {one.run_at}" if one.run_at else "waits for its next attempt"
    return {
        "position": one.position,
        "happened_at": one.happened_at,
        "reference": scope.reference(one.item),
        "label": scope.label(item),
        "item": one.item,
        "what": one.what,
        "by": one.by,
        "class": one.failure_class,
        "error": one.error,
        "note": one.note,
        "then": then,
    }


def _path(scope: Scope, path: list[Item]) -> dict[str, Any]:
    """The steps of the critical path, and how long it took from the first post to the last finish."""
    steps = [
        {
            "reference": scope.name(item),
            "label": scope.label(item),
            "agent": item.attempts[-1].agent if item.attempts else None,
            "claimed_at": item.claimed_at,
            "finished_at": item.finished_at,
            "seconds": seconds_of([item]),
        }
        for item in path
    ]
    begin = next((one for one in (path[0].posted_at, path[0].claimed_at) if one), None) if path else None
    end = path[-1].finished_at if path else None
    return {"seconds": round((end - begin).total_seconds(), 3) if begin and end else 0.0, "steps": steps}


async def _decisions(
    tx: ReadTransaction, scope: Scope, below: set[str], agent: str | None, correlation: str | None
) -> list[dict[str, Any]]:
    """The decisions of the range, in the order in which they were made, each with what it replaced and what it was."""
    fold = scope.read.fold
    replaced_by = {row["supersedes"]: number for number, row in fold.decisions.items() if row["supersedes"]}
    earlier = await context.decisions(tx, (number for number in replaced_by if number not in fold.decisions))
    known = earlier | fold.decisions
    task_names = await context.task_names(tx, {row["task"] for row in fold.decisions.values() if row["task"]})
    rows: list[dict[str, Any]] = []
    for number, row in sorted(fold.decisions.items()):
        task = task_names.get(row["task"])
        if (below and task not in below) or (agent and row["agent"] != agent):
            continue
        if correlation not in {None, row["correlation"]}:
            continue
        successor = replaced_by.get(number)
        replaced = known.get(row["supersedes"])
        rows.append(
            {
                **row,
                "decided_at": datetime.fromisoformat(row["decided_at"]),
                "task": task,
                "status": "superseded" if number in fold.superseded else row["status"],
                "supersedes": row["supersedes"] and {"id": row["supersedes"], "decision": _text(replaced)},
                "superseded_by": successor and {"id": successor, "decision": _text(known[successor])},
                "superseded_at": fold.superseded.get(number),
            }
        )
    return rows


def _text(row: dict[str, Any] | None) -> str | None:
    return row["decision"] if row else None
