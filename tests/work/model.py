"""A plain model of the queue: where each item is and what it waits for, in a few dictionaries and no SQL."""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_FAILURES = 4
MAX_INTERRUPTIONS = 10


@dataclass
class ModelItem:
    """One item. `waits_for` holds the blockers that are counted; `opened` how often its gate opened."""

    name: str
    place: str = "ready"
    waits_for: set[str] = field(default_factory=set)
    fence: int = 0
    failures: int = 0
    interruptions: int = 0
    attempts: int = 0
    versions: int = 0
    artifact: str = ""
    opened: int = 0
    gated: int = 0

    @property
    def unfinished(self) -> bool:
        """Whether it is in one of the live places."""
        return self.place in {"gated", "scheduled", "ready", "claimed"}


class Model:
    """The board, as somebody would keep it on paper."""

    def __init__(self) -> None:
        self.items: dict[str, ModelItem] = {}
        self.newest: dict[str, str] = {}
        self.edges: dict[str, set[str]] = {}
        self.counted: set[tuple[str, str]] = set()
        self.highest_fence = 0
        self.paused = False

    def post(self, name: str, blockers: set[str]) -> None:
        """A new artifact, gated by those blockers that are not done."""
        item = ModelItem(name, artifact=name)
        self.items[name] = item
        self.newest[name] = name
        self.edges[name] = {self.newest[blocker] for blocker in blockers}
        self._gate(item, self.edges[name])

    def revise(self, artifact: str) -> str:
        """A new item of a complete artifact."""
        number = 1 + sum(item.artifact == artifact for item in self.items.values())
        name = f"{artifact}~{number}"
        self.items[name] = ModelItem(name, artifact=artifact)
        self.newest[artifact] = name
        self.edges[name] = set()
        return name

    def would_close_a_circle(self, item: str, blockers: set[str]) -> bool:
        """Whether the item is among all that the blockers wait for."""
        seen: set[str] = set()
        queue = list(blockers)
        while queue:
            here = queue.pop()
            if here == item:
                return True
            if here not in seen:
                seen.add(here)
                queue += self.edges[here]
        return False

    def depend(self, name: str, blockers: set[str]) -> None:
        """More blockers for an item that has not started."""
        fresh = blockers - self.edges[name]
        self.edges[name] |= fresh
        self._gate(self.items[name], fresh)

    def claim(self, name: str, fence: int) -> None:
        """The item is held, under a fence that was never used."""
        assert fence > self.highest_fence, "a fence did not grow"
        self.highest_fence = fence
        item = self.items[name]
        assert item.place == "ready", f"{name} was claimed while {item.place}"
        assert not item.waits_for, f"{name} was claimed before {item.waits_for}"
        item.place, item.fence = "claimed", fence

    def finish(self, name: str) -> None:
        """Done; what waited for it may open."""
        self.items[name].place = "done"
        self.items[name].attempts += 1
        self.release(name)

    def release(self, name: str) -> None:
        """Take a blocker off all that wait for it."""
        for item in self.items.values():
            if name in item.waits_for:
                item.waits_for.discard(name)
                if item.place == "gated" and not item.waits_for:
                    item.place = "ready"
                    item.opened += 1

    def fail(self, name: str, *, logic: bool, delayed: bool) -> None:
        """A failed attempt: back later, or dead."""
        item = self.items[name]
        item.attempts += 1
        item.failures += 1
        dead = logic or item.failures >= MAX_FAILURES
        item.place = "dead" if dead else "scheduled" if delayed else "ready"

    def interrupt(self, name: str) -> None:
        """A lost lease: back at once, or poison."""
        item = self.items[name]
        item.attempts += 1
        item.interruptions += 1
        item.place = "dead" if item.interruptions >= MAX_INTERRUPTIONS else "ready"

    def give_back(self, name: str, *, counted: bool) -> None:
        """Released (an attempt), or returned (none)."""
        self.items[name].attempts += counted
        self.items[name].place = "ready"

    def block(self, name: str, blockers: set[str]) -> None:
        """The claimant waits for others."""
        item = self.items[name]
        item.attempts += 1
        item.place = "ready"
        self.depend(name, blockers)

    def downstream(self, name: str) -> set[str]:
        """Everything unfinished that waits for an item, however far, along the edges that were counted."""
        found: set[str] = set()
        queue = [name]
        while queue:
            here = queue.pop()
            behind = {item for item, blocker in self.counted if blocker == here} - found
            found |= behind
            queue += behind
        return {one for one in found if self.items[one].unfinished}

    def redrive(self, name: str) -> None:
        """A dead letter comes back with a fresh count."""
        item = self.items[name]
        item.place, item.failures, item.interruptions = "ready", 0, 0

    def _gate(self, item: ModelItem, blockers: set[str]) -> None:
        waiting = {blocker for blocker in blockers if self.items[blocker].place != "done"}
        self.counted |= {(item.name, blocker) for blocker in waiting}
        item.waits_for |= waiting
        if waiting:
            if item.place != "gated":
                item.gated += 1
            item.place = "gated"
