"""The workloads: each returns its figure with the raw one that it is compared with, where there is one."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripts.implementation import place as places
from scripts.implementation.bench import boards, raw
from slateboard import connect
from slateboard.protocol.work import Finish, NewArtifact, NewTask, Result

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import asyncpg

    from scripts.implementation.place import Place


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the table; `raw` and `ratio` are None where there is no floor."""

    value: float
    unit: str
    raw: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """The value as a share (or multiple) of the floor."""
        return None if not self.raw else self.value / self.raw


@dataclass(kw_only=True)
class Run:
    """What the workloads share: the place, an owner's connection, the size, and the floors measured so far."""

    place: Place
    owner: asyncpg.Connection[Any]
    quick: bool
    floors: dict[str, float]

    def size(self, full: int) -> int:
        """The number of items: a tenth with --quick."""
        return full // 10 if self.quick else full

    async def floor(self, name: str, measure: Callable[[], Awaitable[float]]) -> float:
        """The floor of that name, measured once a run."""
        if name not in self.floors:
            self.floors[name] = await measure()
        return self.floors[name]

    async def raw_drain(self) -> float:
        """Jobs a second of the plain table; the better of two, since the machine is shared."""
        jobs = self.size(100_000)

        async def best() -> float:
            return max([await raw.drain(self.place.owner_url, jobs) for _ in range(2)])

        return await self.floor("drain", best)


async def drain(run: Run, workers: int, *, behind: int | None = None, history: int = 0, name: str = "drain") -> float:
    """Artifacts a second: ready ones finished by worker processes, until the last event is in the log.

    With `behind` (also 0) the clock stops when the ones in front are finished, whatever is ranked behind them.
    """
    items = run.size(100_000)
    client = await boards.new(run.place, f"{name}-{workers}-{time.monotonic_ns()}")
    async with client:
        if history:
            await boards.post(client, "history", [f"h{number}" for number in range(run.size(history))])
            async with boards.workers(run.place, client.board, 2):
                await boards.drained(run.owner, client)
        await client.call("pause")
        if behind:
            await boards.post(client, "behind", [f"b{number}" for number in range(run.size(behind))], priority="low")
        await boards.post(client, "front", [f"a{number}" for number in range(items)], priority="high")
        await boards.settle(run.owner)
        board = await run.owner.fetchval("SELECT id FROM boards WHERE name = $1", client.board)
        async with boards.workers(run.place, client.board, workers):
            start = time.perf_counter()
            await client.call("resume")
            if behind is not None:
                await places.until(run.owner, boards.FRONT_DONE, board, every=0.01)
            else:
                await boards.drained(run.owner, client)
            seconds = time.perf_counter() - start
            await client.call("pause")
        return items / seconds


async def drains(run: Run) -> list[tuple[str, Figure]]:
    """One worker process, and two; each the better of two, taken in turn, as the floor: the machine is shared."""
    floor = await run.raw_drain()
    rates = [(await drain(run, 1), await drain(run, 2)) for _ in range(2)]
    one, two = (max(several) for several in zip(*rates, strict=True))
    return [
        ("drain_1", Figure(value=one, unit="artifacts/s", raw=floor)),
        ("drain_2", Figure(value=two, unit="artifacts/s", raw=floor)),
    ]


async def backlog_500k(run: Run) -> Figure:
    """The first 100,000 with 500,000 more ranked behind them, against none; each the better of two, in turn."""
    rates = [
        (await drain(run, 1, behind=500_000, name="backlog"), await drain(run, 1, behind=0, name="front"))
        for _ in range(2)
    ]
    return _beside(rates, "the same with nothing behind")


async def history_500k(run: Run) -> Figure:
    """100,000 with 500,000 done before them, against none; each the better of two, in turn."""
    rates = [
        (await drain(run, 1, history=500_000, name="history"), await drain(run, 1, name="young")) for _ in range(2)
    ]
    return _beside(rates, "the same with nothing done before")


def _beside(rates: list[tuple[float, float]], note: str) -> Figure:
    rate, alone = (max(several) for several in zip(*rates, strict=True))
    return Figure(value=rate, unit="artifacts/s", raw=alone, note=f"raw: {note}")


async def post(run: Run) -> Figure:
    """Artifacts posted 1,000 a call, each with its work item, its event and one dependency."""
    items = run.size(50_000)
    client = await boards.new(run.place, f"post-{time.monotonic_ns()}")
    async with client:
        await boards.post(client, "one", ["blocker"])
        batches = [
            [
                NewArtifact(task="one", name=f"a{number}", owner="w", blocked_by=("blocker",))
                for number in range(first, first + 1000)
            ]
            for first in range(0, items, 1000)
        ]
        start = time.perf_counter()
        for batch in batches:
            await client.call("post", artifacts=batch)
        rate = items / (time.perf_counter() - start)
    floor = await run.floor("insert", lambda: raw.insert(run.place.owner_url, run.size(100_000)))
    return Figure(value=rate, unit="artifacts/s", raw=floor)


async def chain(run: Run) -> Figure:
    """200 chains of 10 dependent artifacts: steps a second, the best of three: each takes a quarter of one."""
    rates = [await _chain(run) for _ in range(3)]
    return Figure(value=max(rates), unit="steps/s", raw=await run.raw_drain())


async def _chain(run: Run) -> float:
    chains, steps = 200, 10
    client = await boards.new(run.place, f"chain-{time.monotonic_ns()}")
    async with client:
        await client.call("pause")
        artifacts = [
            NewArtifact(
                task="chains", name=f"c{one}-{step}", owner="w", blocked_by=(f"c{one}-{step - 1}",) if step else ()
            )
            for one in range(chains)
            for step in range(steps)
        ]
        await client.call("post", tasks=[NewTask(name="chains", title="chains", agent="w")], artifacts=artifacts)
        await boards.settle(run.owner)
        async with boards.workers(run.place, client.board, 1):
            start = time.perf_counter()
            await client.call("resume")
            await boards.drained(run.owner, client)
            return chains * steps / (time.perf_counter() - start)


FAN = 1000


async def fan(run: Run) -> Figure:
    """Fan-in of 1,000 into 1 and out to 1,000: from the begin of the one's finish until all 1,000 can be claimed."""
    client = await boards.new(run.place, f"fan-{time.monotonic_ns()}", ("w", "middle"))
    async with client:
        before = [f"in{number}" for number in range(FAN)]
        after = [f"out{number}" for number in range(FAN)]
        artifacts = [NewArtifact(task="fan", name=name, owner="w") for name in before]
        artifacts.append(NewArtifact(task="fan", name="warm", owner="middle"))
        artifacts.append(NewArtifact(task="fan", name="middle", owner="middle", blocked_by=tuple(before)))
        artifacts += [NewArtifact(task="fan", name=name, owner="w", blocked_by=("middle",)) for name in after]
        await client.call("post", tasks=[NewTask(name="fan", title="fan", agent="w")], artifacts=artifacts)
        board = await run.owner.fetchval("SELECT id FROM boards WHERE name = $1", client.board)
        async with boards.workers(run.place, client.board, 2):
            waiting = (
                "SELECT count(*) = 2 FROM ready WHERE board = $1 AND NOT EXISTS (SELECT FROM leases WHERE board = $1)"
            )
            await places.until(run.owner, waiting, board)
        async with await connect(run.place.app_url, board=client.board, agent="middle") as middle:
            for _ in ("warm", "middle"):  # the first call of a connection plans its statements
                (claim,) = await middle.claim(worker="fan", limit=1, lease_seconds=60)
                start = time.perf_counter()
                await middle.finish([Finish(item=claim.item, fence=claim.fence, result=Result(content="ok"))])
            await places.until(run.owner, "SELECT count(*) >= $2 FROM ready WHERE board = $1", board, FAN, every=0.001)
            seconds = time.perf_counter() - start
        async with boards.workers(run.place, client.board, 2):
            await boards.drained(run.owner, client)
        deadlocks = await run.owner.fetchval("SELECT sum(deadlocks) FROM pg_stat_database")
    return Figure(value=seconds * 1000, unit="ms", note=f"{deadlocks} deadlocks")


async def latency(run: Run) -> list[tuple[str, Figure]]:
    """Idle: seconds from the begin of a post to the start of its handler in another process."""
    probes = run.size(1000)
    client = await boards.new(run.place, f"latency-{time.monotonic_ns()}")
    starts: dict[str, float] = {}
    async with client:
        await boards.post(client, "probes", ["warm"])
        async with boards.workers(run.place, client.board, 1):
            await asyncio.sleep(1)
            for number in range(probes):
                starts[f"probe{number}"] = time.time()
                await client.call("post", artifacts=[NewArtifact(task="probes", name=f"probe{number}", owner="w")])
                await asyncio.sleep(raw.PACE_SECONDS)
            await boards.drained(run.owner, client)
        board = await run.owner.fetchval("SELECT id FROM boards WHERE name = $1", client.board)
        rows = await run.owner.fetch(
            "SELECT a.name, v.content FROM artifacts a JOIN artifact_versions v"
            " ON v.board = a.board AND v.artifact = a.id WHERE a.board = $1 AND a.name LIKE 'probe%'",
            board,
        )
    p50, p99 = raw.percentiles([float(row["content"]) - starts[row["name"]] for row in rows])
    raw_p50, raw_p99 = await raw.latency(run.place.owner_url, probes)
    return [
        ("latency_idle_p50", Figure(value=p50 * 1000, unit="ms", raw=raw_p50 * 1000)),
        ("latency_idle_p99", Figure(value=p99 * 1000, unit="ms", raw=raw_p99 * 1000)),
    ]


async def feed(run: Run) -> Figure:
    """Events a second: 100,000 read from a cursor, 5,000 a page."""
    events = run.size(100_000)
    client = await boards.new(run.place, f"feed-{time.monotonic_ns()}")
    async with client:
        await boards.post(client, "feed", [f"a{number}" for number in range(events)])
        await boards.drained_log(run.owner, client)
        start, after, read = time.perf_counter(), 0, 0
        while page := await client.call("read_log", after=after, limit=5000):
            read += len(page)
            after = page[-1]["position"]
        return Figure(value=read / (time.perf_counter() - start), unit="events/s")


async def apply_5000(run: Run) -> Figure:
    """Seconds to apply a manifest of 5,000 artifacts with 20,000 dependencies."""
    lines = ["apiVersion: agent.ceo/v1", "kind: TaskBoard", "metadata: {name: big}", "spec:", "  artifacts:"]
    for number in range(5000):
        blockers = ", ".join(f"a{number - step}" for step in (1, 7, 50, 300) if number >= step)
        lines.append(f"    a{number}: {{owner: w, blocked_by: [{blockers}]}}")
    client = await boards.new(run.place, f"apply-{time.monotonic_ns()}")
    async with client:
        start = time.perf_counter()
        await client.call("apply", documents=[{"source": "big.yaml", "text": "\n".join(lines)}])
        return Figure(value=time.perf_counter() - start, unit="s")


BOARD_QUERY = """
query ($board: String!) { artifacts(board: $board, first: 1000) { edges { node {
  reference owner status version dependencies { nodes { reference status } } lastAttempt { outcome worker endedAt }
} } } }
"""


async def graphql_board(run: Run) -> Figure:
    """Milliseconds (p50) to ask for a board of 1,000 artifacts with owner, status, dependencies and last attempt."""
    import httpx

    client = await boards.new(run.place, f"graphql-{time.monotonic_ns()}")
    async with client:
        names = [f"a{number}" for number in range(1000)]
        artifacts = [
            NewArtifact(task="g", name=name, owner="w", blocked_by=(names[number - 1],) if number % 3 else ())
            for number, name in enumerate(names)
        ]
        await client.call("post", tasks=[NewTask(name="g", title="g", agent="w")], artifacts=artifacts)
        async with boards.workers(run.place, client.board, 1):
            await boards.drained(run.owner, client)
        headers = {"authorization": f"Bearer {run.place.token}"}
        times: list[float] = []
        async with httpx.AsyncClient(base_url=run.place.address, headers=headers, timeout=30) as http:
            for _ in range(30):
                start = time.perf_counter()
                answer = await http.post("/graphql", json={"query": BOARD_QUERY, "variables": {"board": client.board}})
                times.append(time.perf_counter() - start)
                body = answer.json()
                assert "errors" not in body, str(body)[:400]
                assert len(body["data"]["artifacts"]["edges"]) == 1000
    return Figure(value=raw.percentiles(times)[0] * 1000, unit="ms")


async def memory(run: Run) -> list[tuple[str, Figure]]:
    """Resident megabytes of worker and server, and their growth over 1,000,000 items (100,000 with --quick)."""
    import json

    import psutil

    client = await boards.new(run.place, f"memory-{time.monotonic_ns()}")
    server = psutil.Process(json.loads((run.place.home / "server.json").read_text())["pid"])

    def resident(process: psutil.Process) -> float:
        return process.memory_info().rss / 1e6

    async with client:
        await boards.post(client, "warm", [f"w{number}" for number in range(20_000)])
        async with boards.workers(run.place, client.board, 1) as pids:
            worker = psutil.Process(pids[0])
            await boards.drained(run.owner, client)
            first = resident(worker), resident(server)
            for round_number in range(run.size(1_000_000) // 100_000):
                await boards.post(client, f"round{round_number}", [f"a{number}" for number in range(100_000)])
                await boards.drained(run.owner, client)
            last = resident(worker), resident(server)
    return [
        ("memory_worker", Figure(value=last[0], unit="MB")),
        ("memory_server", Figure(value=last[1], unit="MB")),
        (
            "memory_growth",
            Figure(value=max(last[0] - first[0], last[1] - first[1]), unit="MB", note="the larger of both"),
        ),
    ]


async def start(run: Run) -> list[tuple[str, Figure]]:
    """Seconds (median of seven) of `import slateboard`, `slate --help` and `slate get artifacts`."""
    import statistics
    import sys

    async def median(command: list[str]) -> float:
        times: list[float] = []
        for _ in range(7):
            begin = time.perf_counter()
            process = await asyncio.create_subprocess_exec(
                *command, env=run.place.environment, stdout=asyncio.subprocess.DEVNULL
            )
            assert await process.wait() == 0, command
            times.append(time.perf_counter() - begin)
        return statistics.median(times)

    return [
        ("start_import", Figure(value=await median([sys.executable, "-c", "import slateboard"]), unit="s")),
        ("start_help", Figure(value=await median([places.SLATE, "--help"]), unit="s")),
        ("start_get", Figure(value=await median([places.SLATE, "get", "artifacts"]), unit="s")),
    ]


async def warm_up(place: Place) -> None:
    """One connection, so that the first workload does not pay for the first plan."""
    async with await connect(place.app_url, board="default") as client:
        await client.call("has_work", agent=0)
