"""How much a worker claims at once: enough to keep its handlers busy for a moment, and not more.

A worker that is quick prefetches what it will do in the next tenth of a second, up to 1,000 items; one whose handlers
take long claims only what it can start at once, so that it never sits on work that others could do.
"""

from __future__ import annotations

MAX_CLAIM = 500
MAX_PREFETCH = 1_000
"""Two claims: one that is being worked on, and one that is on its way."""
PREFETCH_SECONDS = 0.1
WEIGHT = 0.2
"""Of the newest handler in the running mean of their durations."""
MAX_HELD = 3_000


class Appetite:
    """The size of the next claim."""

    def __init__(self, *, concurrency: int, batch: int | None) -> None:
        self._concurrency = concurrency
        self._batch = batch
        self._mean_seconds: float | None = None
        self._stalled = False
        self.adaptive = batch is None

    def took(self, seconds: float) -> None:
        """A handler took so long."""
        mean = self._mean_seconds
        self._mean_seconds = seconds if mean is None else mean + WEIGHT * (seconds - mean)
        self._stalled = False

    def limit(self, *, queued: int, running: int, held: int) -> int:
        """How many to claim now; 0 while there is enough."""
        prefetch = self._prefetch()
        free = self._concurrency - running if self.adaptive else 0
        wanted = min(free + prefetch - queued, MAX_CLAIM if self.adaptive else prefetch, MAX_HELD - held)
        # A few more would not be worth a claim of their own, unless there is nothing else to do.
        return wanted if wanted > 0 and (queued == 0 or wanted * 2 >= prefetch) else 0

    def stalled(self, seconds: float) -> None:
        """A running handler has taken at least so long: prefetch nothing until they are quick again."""
        self._mean_seconds = max(seconds, self._mean_seconds or 0.0)
        self._stalled = True

    def _prefetch(self) -> int:
        if self._batch is not None:
            return self._batch
        if self._mean_seconds is None or self._stalled:
            return 0
        return min(MAX_PREFETCH, int(PREFETCH_SECONDS * self._concurrency / max(self._mean_seconds, 1e-6)))
