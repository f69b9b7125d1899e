"""The demo's second part: a merge is announced, and what follows happens because agents hear of it.

Nobody calls anybody: each step is a delivery of an event, and the last one comes only when the tests and the scan have
both passed. At the end the whole is written down as a report, and the log is proved.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rich.console import Console

    from slateboard import Client

MERGE = {"number": 42, "title": "Show the newest releases first", "author": "frontend"}
DELIVERIES = 6
PATIENCE_SECONDS = 60.0


async def play(client: Client, console: Console) -> str:
    """Announce the merge and wait until all who hear of it have done their part; returns the correlation."""
    published = await client.call("publish", subject="genbrain.events.pr.merged", data=MERGE, id="pr-42")
    start = time.monotonic()
    while True:
        page = await client.call("list_items", first=200)
        items: list[dict[str, Any]] = [one for one in page["rows"] if one["kind"] == "handle"]
        if len(items) >= DELIVERIES and all(one["place"] == "done" for one in items):
            break
        dead = [one["reference"] for one in items if one["place"] == "dead"]
        if dead or time.monotonic() - start > PATIENCE_SECONDS:
            sys.exit(f"the pipeline did not come to its end: {dead or 'time is up'}")
        await asyncio.sleep(0.1)
    table = Table(title=f"a merge, and what it led to in {time.monotonic() - start:.1f} s", title_justify="left")
    for column in ("delivery", "agent", "place"):
        table.add_column(column, overflow="fold")
    for one in sorted(items, key=lambda item: item["id"]):
        table.add_row(one["reference"], one["agent"] or "", one["place"])
    console.print(table)
    return published["correlation"]


async def prove(run: Callable[..., str], environment: dict[str, str], correlation: str, report: Path) -> None:
    """Show the chain of events, write the report, and prove the log."""
    print(await asyncio.to_thread(run, "log", "chain", correlation, environment=environment))
    await signed(run, environment)
    arguments = ("report", "audit", "--format", "html", "-o", str(report))
    await asyncio.to_thread(run, *arguments, environment=environment)
    print(f"the audit report: {report}")
    print(await asyncio.to_thread(run, "log", "verify", environment=environment))


async def signed(run: Callable[..., str], environment: dict[str, str]) -> None:
    """Wait until the server has signed the log to its end: within 5 s of the last change."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        proof: dict[str, Any] = json.loads(
            await asyncio.to_thread(run, "log", "verify", "--json", environment=environment)
        )
        if proof["data"]["signed_up_to"] == proof["data"]["last"]:
            return
        if time.monotonic() > deadline:
            sys.exit("the end of the log was not signed")
        await asyncio.sleep(0.2)
