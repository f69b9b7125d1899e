"""The seam between the SDK and whatever carries its words to a board.

A transport is found by the scheme of the URL, through the entry points `slateboard.transports`, so that the SDK imports
nothing above it. It belongs to one board, and to one agent where one is named; it reconnects by itself, and raises the
errors of `protocol.errors`. The four hot calls carry values of `protocol.work`; everything else is a `call` of the
catalogue with plain values. A claim or finish that raises `Unavailable` may have taken effect: a finish is repeated
under its fence, and a claim whose answer was lost is taken back when its lease runs out.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Protocol

from slateboard.protocol.errors import BadSetting
from slateboard.protocol.names import check_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from slateboard.protocol.work import Beat, Claim, Finish, Finished, GiveBack, GivenBack, Renewed

ENTRY_POINTS = "slateboard.transports"
DEFAULT_SCHEME = "postgresql"
SAME_SCHEME = {"postgres": "postgresql"}
DEFAULT_BOARD = "default"


class Watch(Protocol):
    """Hints that there is something new. A hint may be lost or superfluous; polling is the guarantee."""

    async def wait(self, timeout_seconds: float) -> bool:
        """Wait for a hint, at most so long; whether one came. One that came since the last wait counts at once."""
        ...

    async def close(self) -> None:
        """No more hints are wanted."""
        ...


class Transport(Protocol):
    """What the SDK asks of a connection to a board."""

    @property
    def board(self) -> str:
        """The board's name."""
        ...

    @property
    def agent(self) -> str | None:
        """The name of the agent that acts, if one does."""
        ...

    async def claim(self, *, worker: str, limit: int, lease_seconds: float) -> list[Claim]:
        """Claim up to `limit` items for the agent; raises `Paused`, `Unavailable`, `Invalid`."""
        ...

    async def heartbeat(self, beats: Sequence[Beat], *, lease_seconds: float | None = None) -> list[Renewed]:
        """Renew claims; one answer for each beat."""
        ...

    async def finish(self, finishes: Sequence[Finish]) -> list[Finished]:
        """Hand in results; one answer for each. An error raised (not answered) means that nothing was accepted."""
        ...

    async def give_back(self, returns: Sequence[GiveBack]) -> list[GivenBack]:
        """End claims without a result; one answer for each."""
        ...

    async def call(self, operation: str, arguments: Mapping[str, Any], *, under: tuple[int, int] | None = None) -> Any:
        """Any operation of the catalogue, by name; plain values in and out (times are `datetime`).

        `under` is the claim (item and fence) that a change belongs to; `LeaseLost` if it is gone.
        """
        ...

    async def watch_work(self, *, listen: bool = True) -> Watch:
        """Hints of new work for the agent: what this very transport opened, and with `listen` what others did."""
        ...

    async def watch_log(self) -> Watch:
        """Hints that the board's log has grown."""
        ...

    async def close(self) -> None:
        """Let go of everything."""
        ...


async def open_transport(url: str | None, *, board: str | None, agent: str | None) -> Transport:
    """Connect to a board: by `url`, else as the default transport finds it (`SLATE_DATABASE_URL`, the run file).

    `board` is else `SLATE_BOARD`, else `default`. Raises `BadSetting` for a scheme that nothing carries, `Unavailable`,
    `UnknownName` (the board or the agent).
    """
    board = check_name(board or os.environ.get("SLATE_BOARD") or DEFAULT_BOARD, "board")
    if agent is not None:
        check_name(agent, "agent")
    scheme = DEFAULT_SCHEME if url is None else url.partition("://")[0]
    factory = _factory(SAME_SCHEME.get(scheme, scheme))
    return await factory(url=url, board=board, agent=agent)


def _factory(scheme: str) -> Callable[..., Awaitable[Transport]]:
    from importlib.metadata import entry_points

    for point in entry_points(group=ENTRY_POINTS, name=scheme):
        return point.load()
    known = sorted({point.name for point in entry_points(group=ENTRY_POINTS)})
    message = f"no transport carries the scheme {scheme[:20]!r}"
    raise BadSetting(message, remedy=f"use a URL that begins with one of: {', '.join(f'{one}://' for one in known)}")
