"""A plain model of what holds agents back: breakers, budgets, limits and paths, in a few dictionaries and no SQL.

It is told of every claim and of every end of one, and says what the next claim may get. `Claimed` is a claim as the
model needs it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

THRESHOLD = 2
RECOVERY_SECONDS = 7_200.0
GLOBS = ("src/**", "src/a.py", "docs/*")
OVERLAPS = {frozenset({"src/**", "src/a.py"}), frozenset({"src/**"}), frozenset({"src/a.py"}), frozenset({"docs/*"})}
"""Which of them may not run at once, each with itself among them."""


@dataclass(frozen=True)
class Claimed:
    """A claim that runs: who has it, and what it takes of what is limited."""

    item: int
    fence: int
    agent: str
    task: str | None
    glob: str | None
    key: str | None


@dataclass
class Breaker:
    """What an agent failed in a row; `until` is when a probe may go through, None while it is closed."""

    failed: int = 0
    until: datetime | None = None
    probe: int | None = None
    """The fence of the probe."""

    def close(self) -> None:
        """Nothing was ever failed."""
        self.failed, self.until, self.probe = 0, None, None


@dataclass
class Budget:
    """What may be used, and whether it was noticed that it is used up."""

    cost: float | None = None
    exhausted: bool = False


@dataclass
class Model:
    """What holds the agents of one board back."""

    held: dict[int, Claimed] = field(default_factory=dict)
    breakers: dict[str, Breaker] = field(default_factory=lambda: defaultdict(Breaker))
    used: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    """By the name of an agent, and of a task."""
    budgets: dict[str, Budget] = field(default_factory=lambda: defaultdict(Budget))
    limits: dict[str, int] = field(default_factory=dict)
    """By the name of an agent, and of a key: how many at once."""

    def refusal(self, agent: str, now: datetime) -> str | None:
        """The code of the error that a claim gets now."""
        if self.budgets[agent].exhausted:
            return "paused"
        breaker = self.breakers[agent]
        if breaker.until and (breaker.probe is not None or breaker.until > now):
            return "breaker_open"
        return None

    def claim(self, agent: str, claims: list[Claimed]) -> None:
        """These were claimed in one call: nothing of it was forbidden."""
        breaker = self.breakers[agent]
        if breaker.until and claims:
            assert len(claims) == 1, "more than the probe went through"
            breaker.probe = claims[0].fence
        for one in claims:
            assert one.item not in self.held, "an item was claimed twice"
            assert not (one.task and self.budgets[one.task].exhausted), "a used up budget let work begin"
            for other in self.held.values():
                assert frozenset({one.glob, other.glob}) not in OVERLAPS, "what overlaps ran at once"
            self.held[one.item] = one
            for name, running in ((agent, self.running(agent)), (one.key, self.with_key(one.key))):
                assert name not in self.limits or running <= self.limits[name], "a limit was passed"

    def running(self, agent: str) -> int:
        """How many claims an agent has."""
        return sum(one.agent == agent for one in self.held.values())

    def with_key(self, key: str | None) -> int:
        """How many claims count towards a key."""
        return sum(one.key == key for one in self.held.values())

    def end(self, item: int, outcome: str, failure_class: str | None, *, first: bool, now: datetime) -> None:
        """A claim has ended; `first` says that its item had not failed before."""
        one = self.held.pop(item)
        breaker = self.breakers[one.agent]
        if breaker.until:
            if one.fence != breaker.probe:
                return
            breaker.probe = None
            if outcome == "completed":
                breaker.close()
            elif outcome == "failed":
                breaker.until = now
        elif outcome == "completed":
            breaker.close()
        elif outcome == "failed" and first and failure_class != "validation":
            breaker.failed += 1
            if breaker.failed >= THRESHOLD:
                breaker.until = now

    def use(self, one: Claimed, cost: float) -> None:
        """A claim used so much."""
        for name in (one.agent, one.task):
            if name:
                self.used[name] += cost

    def budget(self, name: str, cost: float | None) -> None:
        """A budget is set, or taken away; it is judged at once."""
        self.budgets[name] = Budget(cost, cost is not None and self.used[name] >= cost)

    def watch(self) -> None:
        """Somebody looks at the budgets: what is used up stays so until another is set."""
        for name, budget in self.budgets.items():
            budget.exhausted |= budget.cost is not None and self.used[name] >= budget.cost
