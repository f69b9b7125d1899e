"""The board of those who fail: what is posted on it, who is on it, and people who answer now and then.

Its rules are short, so that all of it happens within a minute: breakers that recover in a second, questions that may
wait for two, budgets for a few items, limits and touches that overlap. Some questions nobody ever answers.
"""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from slateboard import connect
from slateboard.protocol.errors import SlateError
from slateboard.protocol.work import NewArtifact, NewTask

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.implementation.place import Place
    from slateboard import Client

BOARD = "trouble"
FAILING = ("queues", "asks", "moves", "proceeds")
"""Agents that fail, by the fallback of their breakers."""
PEOPLE = ("ann", "bob")
KEY, KEY_LIMIT = "model", 2
FLOOD_LIMIT = 30
TASKS = 40
TOUCHES = (("src/**",), ("src/api/**",), ("src/api/users.py",), ("docs/*.md", "src/cli/**"))
LATER = "later"
"""How a question begins that nobody answers."""
BUDGET_TOKENS = 60
RAISED_TOKENS = 1_000_000
LOOK_SECONDS = 0.3
ANSWERED = 0.7
"""The share of the questions that somebody answers while things go wrong."""
PROCESSES = 2

MANIFEST = """
compensation:
  - {step: schema, compensate: run_down_migration}
  - {step: deploy, compensate: roll_back, agent: steady}
---
apiVersion: agent.ceo/v1
kind: Compensation
metadata: {name: careful}
spec:
  compensation:
    - {step: announce, compensate: apologise, irreversible: true}
---
circuit_breaker: {recovery_timeout: 1s}
"""
BREAKER = """
---
apiVersion: agent.ceo/v1
kind: CircuitBreaker
metadata: {{name: of-{agent}}}
spec:
  agents: [{agent}]
  circuit_breaker: {{failure_threshold: 2, recovery_timeout: 1s, {fallback}}}
"""
FALLBACKS = {
    "queues": "fallback: queue_for_retry",
    "asks": "fallback: escalate_to_human",
    "moves": "fallback: reassign, substitute: steady",
    "proceeds": "fallback: proceed_with_warning",
    "hangs": "fallback: queue_for_retry",
}

# Nothing is left that anybody would do: what is still open waits for a person, or behind something that is dead.
SETTLED = """
SELECT NOT EXISTS (SELECT FROM ready r JOIN work_items w ON w.board = r.board AND w.id = r.item
                   WHERE r.board = $1 AND w.kind <> 'answer')
   AND NOT EXISTS (SELECT FROM leases WHERE board = $1) AND NOT EXISTS (SELECT FROM scheduled WHERE board = $1)
   AND NOT EXISTS (SELECT FROM holds WHERE board = $1) AND NOT EXISTS (SELECT FROM event_outbox WHERE board = $1)
   AND NOT EXISTS (SELECT FROM circuit_breakers WHERE board = $1 AND state = 'half_open')
   AND NOT EXISTS (SELECT FROM escalations e JOIN work_items w ON w.board = e.board AND w.id = e.item
                   WHERE e.board = $1 AND e.answered_at IS NULL AND e.seconds < $2 AND w.outcome IS NULL)
   AND NOT EXISTS (SELECT FROM compensation_cursors c JOIN event_heads h ON h.board = c.board
                   WHERE c.board = $1 AND c.position < h.position)
"""
RESTLESS = """
SELECT 'item ' || w.id || ' ' || w.reference || ', ' || w.kind || ' of ' || coalesce(g.name, '?') || ': ' || p.place
FROM work_items w JOIN item_places p ON p.board = w.board AND p.item = w.id
LEFT JOIN agents g ON g.board = w.board AND g.id = w.inbox
WHERE w.board = $1 AND w.outcome IS NULL AND NOT (p.place = 'ready' AND w.kind = 'answer') ORDER BY w.id LIMIT 20
"""


async def post(place: Place, dice: random.Random) -> None:
    """The board with its agents, people, rules and work."""
    async with await connect(place.app_url, board="default") as admin:
        await admin.call("create_board", name=BOARD)
    async with await connect(place.app_url, board=BOARD) as client:
        await client.call("add_agent", name="bob", kind="human")
        await client.call("add_agent", name="ann", kind="human", manager="bob")
        for name in (*FAILING, "hangs", "lies", "floods", "steady", "checker"):
            await client.call("add_agent", name=name, manager="ann")
        breakers = "".join(BREAKER.format(agent=agent, fallback=text) for agent, text in FALLBACKS.items())
        await client.call("apply", documents=[{"source": "trouble.yaml", "text": MANIFEST + breakers}])
        await client.call("set_limit", scope="key", name=KEY, concurrency=KEY_LIMIT)
        await client.call("set_limit", scope="agent", name="floods", concurrency=FLOOD_LIMIT, rate=200, per_seconds=1.0)
        for number in range(TASKS):
            task = NewTask(name=f"t{number}", title=f"task {number}", agent="steady", delegator=dice.choice(PEOPLE))
            await client.call("post", tasks=[task], artifacts=_artifacts(f"t{number}", dice))
            if number % 8 == 0:
                await client.call("set_budget", task=f"t{number}", tokens=BUDGET_TOKENS)


def _artifacts(task: str, dice: random.Random) -> list[NewArtifact]:
    """Steps in a row, of which the last may fail for good, and beside them one of each other kind."""
    last = "smoke" if dice.random() < 0.7 else "smoke_doomed"
    steps = ("schema", "steady"), ("deploy", "steady"), ("announce", "steady"), (last, dice.choice(FAILING))
    row = [
        NewArtifact(task=task, name=name, owner=owner, blocked_by=() if not number else (steps[number - 1][0],))
        for number, (name, owner) in enumerate(steps)
    ]
    return [
        *row,
        *(NewArtifact(task=task, name=f"try{number}", owner=dice.choice(FAILING)) for number in range(2)),
        NewArtifact(task=task, name="checked", owner="steady", rules={"verify": "checker"}),
        NewArtifact(task=task, name="proven", owner="lies", rules={"verify": "checker", "evidence": ["note"]}),
        NewArtifact(task=task, name="written", owner="steady", rules={"touches": list(dice.choice(TOUCHES))}),
        NewArtifact(task=task, name="hung", owner="hangs", rules={"touches": list(dice.choice(TOUCHES))}),
        NewArtifact(task=task, name="slow", owner="hangs", max_attempts=2, rules={"time_limit_seconds": 3}),
        NewArtifact(task=task, name="keyed", owner=dice.choice(("steady", *FAILING)), rules={"keys": [KEY]}),
        NewArtifact(task=task, name="asked", owner="steady"),
        NewArtifact(task=task, name="claimed_to_be", owner="lies"),
        *([NewArtifact(task=task, name=LATER, owner="steady")] if dice.random() < 0.2 else []),
    ]


@dataclass(kw_only=True)
class Company:
    """The processes of those who work on the board, and what is done to them."""

    place: Place
    folder: Path
    seed: int
    board: str = BOARD
    module: str = "misfits"
    """What each of them runs."""
    quiet: bool = False
    """Nobody misbehaves any more."""
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> None:
        """All of them."""
        for _ in range(PROCESSES):
            self._start_one()

    def _start_one(self) -> None:
        self.seed += 1
        environment = {**self.place.environment, "SLATE_BOARD": self.board}
        module = f"scripts.implementation.chaos.{self.module}"
        command = [sys.executable, "-P", "-m", module, str(self.folder), str(self.seed)]
        with (self.folder / f"{self.module}.log").open("ab") as log:
            command += ["quiet"] if self.quiet else []
            self.processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))

    def kill_one(self, dice: random.Random) -> None:
        """SIGKILL for one, and a replacement."""
        victim = self.processes.pop(dice.randrange(len(self.processes)))
        victim.kill()
        victim.wait()
        self._start_one()

    def end(self) -> None:
        """End all that is left."""
        for process in self.processes:
            process.kill()
            process.wait()
        self.processes.clear()

    def calm_down(self) -> None:
        """From here on everybody works as they should, but for what cannot be done."""
        self.end()
        self.quiet = True
        self.start()


async def answer(place: Place, seed: int, company: Company) -> None:
    """Be the people of the board until cancelled: answer now and then, now and then two at once."""
    while True:
        try:
            async with await connect(place.app_url, board=BOARD) as client:
                while True:
                    for row in (await client.call("list_escalations", first=100))["rows"]:
                        await _answer(client, row, random.Random(f"{seed} {row['item']}"), quiet=company.quiet)
                    await asyncio.sleep(LOOK_SECONDS)
        except (SlateError, OSError):  # Postgres is being killed: that is what this is about
            await asyncio.sleep(LOOK_SECONDS)


async def _answer(client: Client, row: dict[str, Any], dice: random.Random, *, quiet: bool) -> None:
    """What one is answered is known from its number; who leaves it, leaves it to its deadline, or for ever."""
    left = row["question"].startswith(LATER) or dice.random() >= ANSWERED
    # A budget is raised in the end, or its work would be held for ever.
    if left and not (quiet and row["kind"] == "budget"):
        return
    if row["kind"] == "budget":
        await client.call("set_budget", task=row["reference"].removeprefix("budget/task/"), tokens=RAISED_TOKENS)
    options = [one for one in row["options"] if not (quiet and one in {"redrive", "retry"})]
    text = dice.choice(options or ["yes", "no"])
    twice = [client.call("answer", escalation=row["item"], answer=text) for _ in range(1 + (dice.random() < 0.3))]
    done = await asyncio.gather(*twice, return_exceptions=True)
    for one in done:
        if isinstance(one, BaseException) and not isinstance(one, SlateError):
            raise one
