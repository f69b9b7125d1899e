"""How the demo tells its story: headings, commands as a reader would type them, and checks of what it shows.

Whatever is not as it is told ends the demo, with a sentence that says what was otherwise.
"""

from __future__ import annotations

import asyncio
import shlex
import sys
import time
from typing import TYPE_CHECKING, Any

from scripts.implementation.fleet import run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rich.console import Console

    from slateboard import Client

PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.05
PAGE = 200
"""The demo's board is small: one page has all of it."""


class Teller:
    """What each act of the demo is given: the board, the screen, and the environment of its commands."""

    def __init__(self, client: Client, console: Console, environment: dict[str, str]) -> None:
        self.client, self.console, self.environment = client, console, environment

    def heading(self, pattern: str, what: str) -> None:
        """Begin an act."""
        self.console.print(f"[bold]{pattern}:[/] {what}")

    def line(self, text: str) -> None:
        """A line as it stands, cut where the screen ends."""
        self.console.print(text, markup=False, highlight=False, no_wrap=True, overflow="ellipsis")

    async def command(self, *arguments: str) -> str:
        """Run a command, and show it with all that it prints."""
        printed = await asyncio.to_thread(run, *arguments, environment=self.environment)
        self.whole(f"$ slate {shlex.join(arguments)}\n{printed.rstrip()}\n")
        return printed

    def whole(self, text: str) -> None:
        """Text as it stands, wrapped by nobody: what may be copied."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    async def rows(self, operation: str, **arguments: Any) -> list[dict[str, Any]]:
        """All rows of a listing."""
        page = await self.client.call(operation, first=PAGE, **arguments)
        return list(page["rows"])

    async def until(self, what: str, condition: Callable[[], Awaitable[Any]]) -> Any:
        """Wait until something is so; what it is, is returned."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            if found := await condition():
                return found
            if time.monotonic() > deadline:
                sys.exit(f"the demo did not come to its end: waited {PATIENCE_SECONDS:.0f} s until {what}")
            await asyncio.sleep(LOOK_SECONDS)


def check(so: bool, otherwise: str) -> None:  # noqa: FBT001  what is to be so
    """End the demo where something is not as it is told."""
    if not so:
        sys.exit(f"the demo went otherwise than it tells: {otherwise}")
