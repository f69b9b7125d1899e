"""The demo's third part: a merge is announced, and what follows happens because agents hear of it.

Nobody calls anybody: each step is a delivery of an event, and the last one comes only when the tests and the scan have
both passed.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scripts.implementation.telling import Teller

SUBJECT = "genbrain.events.pr.merged"
MERGE = {"number": 42, "branch": "main"}
CORRELATION = "pr-42"
PIPELINE = "release-"
"""The names of the pipeline's subscriptions begin so."""
DELIVERIES = 6


async def play(tell: Teller) -> None:
    """Announce the merge, wait until all who hear of it have done their part, and show the chain."""
    tell.heading("Event-driven choreography", "a merge is announced, and nobody steers what follows")
    data = json.dumps(MERGE)
    await tell.command("publish", SUBJECT, "--data", data, "--id", CORRELATION, "--correlation", CORRELATION)

    async def handled() -> list[dict[str, Any]] | None:
        items = [one for one in await tell.rows("list_items") if one["kind"] == "handle"]
        mine = [one for one in items if one["reference"].startswith(PIPELINE)]
        if dead := [one["reference"] for one in mine if one["place"] == "dead"]:
            sys.exit(f"the pipeline did not come to its end: {dead}")
        return mine if len(mine) >= DELIVERIES and all(one["place"] == "done" for one in mine) else None

    await tell.until("the merge is deployed, verified and told", handled)
    await tell.command("log", "chain", CORRELATION)
