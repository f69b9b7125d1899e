"""How long to wait before trying again: twice as long each time, with jitter, up to a bound, and for ever."""

from __future__ import annotations

import logging
import random
import time

FIRST_SECONDS = 0.05
MOST_SECONDS = 2.0
"""Short enough that work goes on within seconds of a restart, long enough that a thousand workers are no burden."""


class Backoff:
    """The waits of one outage; `reset` when it is over."""

    def __init__(self, *, first_seconds: float = FIRST_SECONDS, most_seconds: float = MOST_SECONDS) -> None:
        self._first_seconds = first_seconds
        self._most_seconds = most_seconds
        self._next_seconds = first_seconds

    @property
    def failing(self) -> bool:
        """Whether there was a failure since the last success."""
        return self._next_seconds > self._first_seconds

    def next_seconds(self) -> float:
        """The next wait, between half of its length and the whole."""
        wait = self._next_seconds
        self._next_seconds = min(2 * wait, self._most_seconds)
        return wait * random.uniform(0.5, 1.0)  # noqa: S311  jitter, not a secret

    def reset(self) -> None:
        """It worked: begin anew with the next failure."""
        self._next_seconds = self._first_seconds


class Outage:
    """A board that cannot be reached, said once when it begins and once when it is over."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._since: float | None = None

    def failed(self, error: Exception) -> None:
        """A call failed because the board cannot be reached."""
        if self._since is None:
            self._since = time.monotonic()
            self._log.warning("the board cannot be reached, trying on: %s", error)

    def over(self) -> None:
        """A call came through."""
        if self._since is not None:
            self._log.warning("the board is back after %.1f s", time.monotonic() - self._since)
            self._since = None
