"""The router's workload: from the first append until every delivery lies in its inbox, by the server's own router."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import asyncpg

from scripts.implementation import place as places
from scripts.implementation.bench import boards
from scripts.implementation.bench.feeds import APPEND
from scripts.implementation.bench.workloads import Figure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scripts.implementation.bench.workloads import Run

EVENTS = 20_000
BATCH = 500
REPOSITORIES = 10
VERBS = ("opened", "reviewed", "merged", "deployed")
AGENTS = 10
WANTED = 5_000

READY = "SELECT (SELECT count(*) FROM ready WHERE board = $1) >= $2"


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """What a subscription asks for, and the same said in Python: of a repository, a verb and a number."""

    patterns: tuple[str, ...]
    fits: Callable[[int, int, int], bool]
    filter: str | None = None


def subscriptions() -> list[Subscription]:
    """Fifty: whole repositories, verbs of all of them, exact subjects, several patterns, filters over everything."""
    made = [
        Subscription(patterns=(f"bench.events.repo-{one}.>",), fits=lambda repo, _verb, _number, one=one: repo == one)
        for one in range(REPOSITORIES)
    ]
    made += [
        Subscription(patterns=(f"bench.events.*.{verb}",), fits=lambda _repo, found, _number, one=one: found == one)
        for one, verb in enumerate(VERBS)
    ]
    made += [
        Subscription(
            patterns=(f"bench.events.repo-{one}.{verb}",),
            fits=lambda repo, found, _number, one=one, at=at: (repo, found) == (one, at),
        )
        for one in range(6)
        for at, verb in enumerate(VERBS)
    ]
    made += [
        Subscription(
            patterns=(f"bench.events.repo-{one}.opened", f"bench.events.*.{VERBS[2]}"),
            fits=lambda repo, found, _number, one=one: found == 2 or (repo, found) == (one, 0),
        )
        for one in range(2)
    ]
    made += [
        Subscription(
            patterns=("bench.events.>",),
            filter=f"$.payload.number % 10 == {one}",
            fits=lambda _repo, _verb, number, one=one: number % 10 == one,
        )
        for one in range(10)
    ]
    return made


def events(count: int) -> Iterator[tuple[int, int, int]]:
    """Repository, verb and number of each."""
    return ((number * 7 % REPOSITORIES, number // 10 % len(VERBS), number) for number in range(count))


async def routing(run: Run) -> Figure:
    """Deliveries a second to 50 subscriptions: from the first append until the last is ready in its inbox."""
    name, wanted = f"routing-{time.monotonic_ns()}", subscriptions()
    agents = [f"a{number}" for number in range(AGENTS)]
    async with await boards.new(run.place, name, agents) as client:
        for number, one in enumerate(wanted):
            agent = agents[number % AGENTS]
            await client.call(
                "subscribe", name=f"s{number}", patterns=list(one.patterns), agent=agent, filter=one.filter
            )
        await boards.drained_log(run.owner, client)
        board = await run.owner.fetchval("SELECT id FROM boards WHERE name = $1", name)
        made = list(events(run.size(EVENTS)))
        expected = sum(one.fits(*event) for event in made for one in wanted)
        writer: Any = await asyncpg.connect(run.place.app_url)
        try:
            start = time.perf_counter()
            for first in range(0, len(made), BATCH):
                await _append(writer, board, made[first : first + BATCH])
            await places.until(run.owner, READY, board, expected, every=0.05)
            seconds = time.perf_counter() - start
        finally:
            await writer.close()
        await boards.drained_log(run.owner, client)
        found = await run.owner.fetchval("SELECT count(*) FROM deliveries WHERE board = $1", board)
        assert found == expected, f"{expected} deliveries were due, {found} were made"
    note = f"{len(wanted)} subscriptions, {expected / len(made):.1f} deliveries an event; wanted: {WANTED:,}"
    return Figure(value=expected / seconds, unit="deliveries/s", note=note)


async def _append(writer: Any, board: int, batch: list[tuple[int, int, int]]) -> None:
    subjects = [f"bench.events.repo-{repo}.{VERBS[verb]}" for repo, verb, _ in batch]
    payloads = [json.dumps({"number": number, "branch": "main"}) for _, _, number in batch]
    correlations = [f"{board}-{number}" for _, _, number in batch]
    await writer.fetch(APPEND, board, datetime.now(UTC), subjects, payloads, correlations)
