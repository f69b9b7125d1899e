"""What each agent did in a range of the log: what it finished, how often it failed, where the time of its work went.

An item's time belongs to the agent that owns it, else to the one that claimed it first; an attempt to who made it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from slateboard.protocol.rights import Right
from slateboard.reports.audit import context, events
from slateboard.reports.audit.life import Item, seconds_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from slateboard.transaction import ReadTransaction

OPEN = "(open)"
"""Stands for work that nobody owns and nobody has claimed."""


async def report_agents(
    tx: ReadTransaction, *, since: datetime | None = None, until: datetime | None = None
) -> dict[str, Any]:
    """What each agent of the board did from `since` up to (without) `until`.

    Gives `{begins_at, ends_at, events, agents: [...]}`; `per_hour` counts completions over the whole range,
    `failure_rate` is failed attempts among those that completed or failed. Raises as `report_audit` does.
    """
    tx.require(Right.READER)
    events.check_range(since, until)
    await events.check_size(tx)
    known = await context.agents(tx)
    read = await events.read(tx, since=since, until=until)
    await context.complete(tx, read.fold.items.values())
    rows = of_agents(read.fold.items.values(), lambda number: known.get(number or 0, {}).get("name"))
    hours = (read.ends_at - read.begins_at).total_seconds() / 3600 if read.ends_at and read.begins_at else 0.0
    for row in rows:
        row["per_hour"] = round(row["completed"] / hours, 3) if hours > 0 else None
    idle = sorted({row["name"] for row in known.values()} - {row["agent"] for row in rows})
    rows += [_row(name, Counter(), 0.0, []) | {"per_hour": 0.0 if hours > 0 else None} for name in idle]
    return {
        "begins_at": read.begins_at,
        "ends_at": read.ends_at,
        "events": read.events,
        "agents": sorted(rows, key=lambda row: row["agent"]),
    }


def of_agents(items: Iterable[Item], name_of: Callable[[int | None], str | None]) -> list[dict[str, Any]]:
    """One row for each agent that owned or tried any of these items, by name."""
    outcomes: dict[str, Counter[str]] = defaultdict(Counter)
    busy: dict[str, float] = defaultdict(float)
    owned: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        owned[name_of(item.owner) or (item.attempts[0].agent if item.attempts else OPEN)].append(item)
        for attempt in item.attempts:
            outcomes[attempt.agent][attempt.outcome] += 1
            if attempt.ended_at is not None:
                busy[attempt.agent] += (attempt.ended_at - attempt.started_at).total_seconds()
    return [_row(name, outcomes[name], busy[name], owned[name]) for name in sorted({*outcomes, *owned})]


def _row(agent: str, outcomes: Counter[str], busy_seconds: float, owned: list[Item]) -> dict[str, Any]:
    judged = outcomes["completed"] + outcomes["failed"]
    return {
        "agent": agent,
        "items": len(owned),
        "attempts": outcomes.total(),
        "completed": outcomes["completed"],
        "failed": outcomes["failed"],
        "interrupted": outcomes["interrupted"],
        "failure_rate": round(outcomes["failed"] / judged, 4) if judged else None,
        "busy_seconds": round(busy_seconds, 3),
        "seconds": seconds_of(owned),
    }
