"""The demo's first part: seven agents build a dashboard on one board, shown live, and one of them is killed."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from scripts.implementation.telling import Teller, check

if TYPE_CHECKING:
    from scripts.implementation.fleet import Fleet

AGENTS = ("ceo", "cto", "backend", "frontend", "devops", "cso", "marketing")
VICTIM = "frontend"
SLOW = "dashboard/charts"
KILL_AT_PERCENT = 30
PATIENCE_SECONDS = 120.0
LOOK_SECONDS = 0.15
COLOURS = {
    "complete": "green",
    "in_progress": "yellow",
    "not_started": "cyan",
    "pending": "bright_black",
    "failed": "red",
    "cancelled": "magenta",
}


async def play(tell: Teller, fleet: Fleet) -> None:
    """Start the workers, and follow the board until all is complete."""
    tell.heading("Blackboard", "seven agents, one board; every artifact is claimed when what it needs is there")
    for agent in AGENTS:
        fleet.start(agent)
    seconds = await _watch(tell, fleet)
    shown = await tell.client.call("show", name=SLOW)
    attempts = sorted(shown["attempts_made"], key=lambda one: one["attempt"])
    outcomes = [one["outcome"] for one in attempts]
    taken_over = outcomes[0] == "interrupted" and outcomes[-1] == "completed"
    check(taken_over, f"the attempts at {SLOW} are {outcomes}")
    tell.line(f"All complete after {seconds:.1f} s. {SLOW}, attempt 1: interrupted; then: {shown['summary']}.")
    check("by an earlier attempt" in shown["summary"], "the second attempt did not go on where the first was killed")
    tell.console.print()


async def _watch(tell: Teller, fleet: Fleet) -> float:
    """Show the board until all is complete; kill the victim once, after its first checkpoint."""
    start = time.monotonic()
    said: list[str] = []
    with Live(console=tell.console, refresh_per_second=8, transient=False) as live:
        while True:
            artifacts = await tell.rows("list_artifacts")
            seconds = time.monotonic() - start
            live.update(_picture(artifacts, said, seconds))
            slow = next(one for one in artifacts if one["reference"] == SLOW)
            if not said and (slow.get("percent") or 0) >= KILL_AT_PERCENT:
                said.append(f"{seconds:.1f} s: kill -9 of {VICTIM} (pid {fleet.kill(VICTIM)}) in the middle of {SLOW}")
                fleet.start(VICTIM)
                said.append("       another frontend worker is there; it gets the work when the lease has run out")
            if all(one["status"] == "complete" for one in artifacts):
                break
            failed = [one["reference"] for one in artifacts if one["status"] == "failed"]
            if failed or seconds > PATIENCE_SECONDS:
                sys.exit(f"the demo did not come to its end: {failed or 'time is up'}; see {fleet.logs}/*.log")
            await asyncio.sleep(LOOK_SECONDS)
    if not tell.console.is_terminal:
        tell.console.print()  # the last picture of the board ends without a line feed
    return seconds


def _picture(artifacts: list[dict[str, Any]], said: list[str], seconds: float) -> Group:
    """Every artifact with its owner, status and progress, and what happened."""
    table = Table(title=f"board default, {seconds:4.1f} s", title_justify="left", expand=False)
    for column in ("artifact", "owner", "status", "progress", "waits for"):
        table.add_column(column, overflow="fold")
    for one in artifacts:
        status = Text(one["status"], style=COLOURS.get(one["status"], ""))
        progress = f"{one['percent']} % {one['progress'] or ''}" if one.get("percent") is not None else ""
        waiting = ", ".join(one["blocked_by"]) if one["status"] == "pending" else ""
        table.add_row(one["reference"], one["owner"] or "open", status, progress, waiting)
    return Group(table, *(Text(f"  {line}", style="bold") for line in said))
