"""`scripts/chaos [--seconds 60] [--seed N]`: kill everything in turn, and check that nothing was lost or done twice.

2,000 artifacts in a random graph, a publisher, subscriptions of every form, four worker processes with short leases.
Every half second a worker is killed and replaced; one is stopped beyond its lease and continued; the server is killed
four times in the midst of its routing, Postgres is stopped in immediate mode three times. Beside it, on another board,
agents fail, hang, lie and flood, with breakers, questions, verdicts, budgets, limits and compensations, and on a third
an organisation delegates, consults and meets; both are killed every three seconds. A failure prints its seed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg

from scripts.implementation import place as places
from scripts.implementation.chaos import accounts, checks, choreography, endings, organisation, trouble
from slateboard import connect
from slateboard.protocol.work import NewArtifact, NewTask
from slateboard.store.run_file import read_run_file

ARTIFACTS = 2000
WORKERS = 4
CONCURRENCY = 8
LEASE_SECONDS = 2.0
BACK_WITHIN_SECONDS = 5.0
END_WITHIN_SECONDS = 120.0
MISFIT_SECONDS = 3.0
"""Between two kills of a process of those who fail."""

COMPLETE = """
SELECT NOT EXISTS (SELECT FROM work_items WHERE board = $1 AND outcome IS DISTINCT FROM 'done')
   AND NOT EXISTS (SELECT FROM event_outbox WHERE board = $1)
   AND NOT EXISTS (SELECT FROM subscriptions s JOIN event_heads h ON h.board = s.board
                   WHERE s.board = $1 AND s.cursor < h.position)
"""
DELIVERED = "SELECT count(*) FROM deliveries WHERE board = $1"


@dataclass(kw_only=True)
class Fleet:
    """The worker processes and what is done to them."""

    place: places.Place
    folder: Path
    work_seconds: float
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    stopped: subprocess.Popen[bytes] | None = None

    def start_one(self) -> None:
        """One more worker."""
        environment = {**self.place.environment, "SLATE_BOARD": "chaos"}
        command = [
            sys.executable, "-P", "-m", "scripts.implementation.chaos.worker", str(self.folder), str(self.work_seconds),
            str(LEASE_SECONDS), str(CONCURRENCY),
        ]  # fmt: skip
        log = (self.folder / "workers.log").open("ab")
        self.processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))

    def kill_one(self, dice: random.Random) -> None:
        """SIGKILL for one that is not stopped, and a replacement."""
        victim = dice.choice([one for one in self.processes if one is not self.stopped])
        victim.kill()
        victim.wait()
        self.processes.remove(victim)
        self.start_one()

    def end(self) -> None:
        """End all that is left."""
        for process in self.processes:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()


def plan(seconds: float) -> list[tuple[float, str]]:
    """When what happens, as shares of the time."""
    return sorted(
        [
            *((share * seconds, "postgres") for share in (0.15, 0.45, 0.75)),
            *((share * seconds, "server") for share in (0.05, 0.3, 0.6, 0.9)),
            (0.2 * seconds, "stop"),
            (0.2 * seconds + LEASE_SECONDS + 3, "continue"),
        ]
    )


async def disturb(
    fleet: Fleet, companies: list[trouble.Company], dice: random.Random, seconds: float
) -> list[tuple[str, datetime]]:
    """Everything that goes wrong, in its time, or as soon as the one before is over, until all of it was done.

    Returns when servers and Postgres were back; while they are being brought back, the killing goes on.
    """
    restarts: list[tuple[str, datetime]] = []
    begin = time.monotonic()
    todo = plan(seconds)
    restarting: asyncio.Task[tuple[str, datetime]] | None = None
    next_kill, next_misfit = 0.5, MISFIT_SECONDS
    while (now := time.monotonic() - begin) < seconds or todo or restarting:
        if now >= next_kill:
            fleet.kill_one(dice)
            next_kill = now + 0.5
        if now >= next_misfit:
            for company in companies:
                company.kill_one(dice)
            next_misfit = now + MISFIT_SECONDS
        if restarting and restarting.done():
            restarts.append(restarting.result())
            restarting = None
        if todo and now >= todo[0][0] and restarting is None:
            what = todo.pop(0)[1]
            print(f"{now:5.1f} s  {what}", flush=True)
            if what == "stop":
                fleet.stopped = dice.choice(fleet.processes)
                fleet.stopped.send_signal(signal.SIGSTOP)
            elif what == "continue" and fleet.stopped:
                fleet.stopped.send_signal(signal.SIGCONT)
                fleet.stopped = None
            else:
                restarting = asyncio.create_task(_end_and_bring_back(fleet.place, what))
        await asyncio.sleep(0.05)
    return restarts


async def _end_and_bring_back(place: places.Place, what: str) -> tuple[str, datetime]:
    """End the server in the midst of its routing, or Postgres; what was ended, and when it was back."""
    if what == "server" and not await choreography.while_routing(place.owner_url):
        print("       the router had nothing to do", flush=True)
    await asyncio.to_thread(restart, place, what)
    return what, datetime.now(UTC)


def restart(place: places.Place, what: str) -> None:
    """Kill the server (SIGKILL), or stop Postgres in immediate mode (SIGQUIT), and bring it back."""
    if what == "server":
        os.kill(json.loads((place.home / "server.json").read_text())["pid"], signal.SIGKILL)
    else:
        found = read_run_file(place.home)
        assert found is not None
        os.kill(found.pid, signal.SIGQUIT)
    end = time.monotonic() + 30
    while True:
        done = subprocess.run(
            [places.SLATE, "up", "--detach"],
            env=place.environment,
            capture_output=True,
            check=False,
        )
        back = read_run_file(place.home)
        if back is not None and done.returncode in {0, 5}:
            return
        if time.monotonic() > end:
            sys.exit(f"`slate up` did not bring the {what} back: {done.stdout.decode()}{done.stderr.decode()}")
        time.sleep(0.1)


async def post_graph(place: places.Place, dice: random.Random) -> None:
    """2,000 artifacts, each blocked by up to three earlier ones."""
    async with await connect(place.app_url, board="default") as admin:
        await admin.call("create_board", name="chaos")
    async with await connect(place.app_url, board="chaos") as client:
        await client.call("add_agent", name="w")
        artifacts = [
            NewArtifact(
                task="graph",
                name=f"a{number}",
                owner="w",
                max_attempts=100,
                blocked_by=tuple(
                    f"a{one}" for one in sorted({dice.randrange(number) for _ in range(dice.randrange(4))})
                )
                if number > 40
                else (),
            )
            for number in range(ARTIFACTS)
        ]
        await choreography.subscribe(client)
        await client.call("post", tasks=[NewTask(name="graph", title="a random graph", agent="w")], artifacts=artifacts)


def records(folder: Path) -> list[Path]:
    """What the workers wrote down of the answers that they were given."""
    return sorted(folder.glob("told-*.jsonl"))


async def run(place: places.Place, seconds: float, seed: int, folder: Path) -> list[str]:
    """The whole of it; returns what is wrong at the end."""
    dice = random.Random(seed)
    await post_graph(place, dice)
    await trouble.post(place, dice)
    await organisation.post(place, dice)
    company = trouble.Company(place=place, folder=folder, seed=seed)
    organised = trouble.Company(place=place, folder=folder, seed=seed, board=organisation.BOARD, module="members")
    companies = [company, organised]
    for one in companies:
        one.start()
    fleet = Fleet(place=place, folder=folder, work_seconds=seconds * WORKERS * CONCURRENCY / ARTIFACTS * 0.5)
    for _ in range(WORKERS):
        fleet.start_one()
    stop = asyncio.Event()
    publisher = asyncio.create_task(choreography.publish(place, stop))
    members = organisation.People(place, seed, organised)
    people = [asyncio.create_task(trouble.answer(place, seed, company)), asyncio.create_task(members.live())]
    try:
        restarts = await disturb(fleet, companies, dice, seconds)
        for one in companies:
            one.calm_down()
        stop.set()
        pairs = await publisher
        owner: asyncpg.Connection[Any] = await asyncpg.connect(place.owner_url)
        board = await owner.fetchval("SELECT id FROM boards WHERE name = 'chaos'")
        try:
            async with asyncio.timeout(END_WITHIN_SECONDS):
                await places.until(owner, COMPLETE, board, every=0.1)
        except TimeoutError:
            print("not all was complete in time", flush=True)
        troubled = await owner.fetchval("SELECT id FROM boards WHERE name = $1", trouble.BOARD)
        unsettled = await checks.settled(owner, troubled, trouble.SETTLED, trouble.RESTLESS)
        orderly = await owner.fetchval("SELECT id FROM boards WHERE name = $1", organisation.BOARD)
        unsettled += await checks.settled(owner, orderly, organisation.SETTLED, organisation.RESTLESS)
        for one in people:
            if one.done():  # they go on until they are cancelled
                one.result()
        await asyncio.sleep(0.5)  # let the workers write down the last answers
    finally:
        publisher.cancel()
        for one in people:
            one.cancel()
        for one in companies:
            one.end()
        fleet.end()
    wrong = [
        *unsettled,
        *await checks.all_complete(owner, board, ARTIFACTS),
        *await checks.log_is_whole(owner, board),
        *await checks.order_was_kept(owner, board),
        *await choreography.published_once(owner, board, pairs),
        *await choreography.routed_once(owner, board),
        *await checks.clients_were_told_the_truth(owner, board, records(folder)),
        *await checks.came_back(owner, board, restarts, BACK_WITHIN_SECONDS),
        *await checks.log_is_whole(owner, troubled),
        *await endings.faults(owner, troubled, place, folder),
        *await checks.log_is_whole(owner, orderly),
        *await accounts.faults(owner, orderly, place, folder, members.cancelled),
    ]
    rows = await owner.fetch("SELECT outcome, count(*) FROM attempts WHERE board = $1 GROUP BY 1 ORDER BY 1", board)
    print(f"{pairs} pairs of events published, {await owner.fetchval(DELIVERED, board)} deliveries made")
    print("attempts:", ", ".join(f"{row['count']} {row['outcome']}" for row in rows))
    print("trouble:", await endings.counts(owner, troubled))
    print("organisation:", await accounts.counts(owner, orderly))
    await owner.close()
    return wrong


def main() -> None:
    """Parse the arguments, run, and say how it went; exit 1 with the seed on a failure."""
    parser = argparse.ArgumentParser(prog="scripts/chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long things go wrong")
    parser.add_argument("--seed", type=int, default=None, help="repeat a run")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 31)
    print(f"seed {seed}", flush=True)
    logging.getLogger("asyncpg").setLevel(logging.CRITICAL)  # a publisher's pool that lost the Postgres that was killed
    with tempfile.TemporaryDirectory(prefix="slate-chaos-") as folder, places.running() as place:
        wrong = asyncio.run(run(place, options.seconds, seed, Path(folder)))
    if wrong:
        print(*wrong, sep="\n")
        sys.exit(f"chaos found {len(wrong)} faults; repeat it with --seed {seed}")
    print("all complete, each once, in order; told and logged alike; each event routed once; the log is whole")
    print("every task, consult and meeting of the organisation is accounted for, and the log folds to its tables")
    print("all trouble came to an end that the log tells, or waits for somebody named")


if __name__ == "__main__":
    main()
