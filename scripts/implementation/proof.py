"""The demo's last part: the whole day as a report, and the proof that its log is whole."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from scripts.implementation.fleet import run
from scripts.implementation.telling import Teller, check

TOLD = {
    "delegations": "delegations",
    "consults": "consults",
    "threads": "threads",
    "meetings": "meetings",
    "decisions": "decisions",
    "dead_letters": "dead letters",
    "compensations": "undone steps",
}
"""What the report has of the day, and what it is called."""


async def play(tell: Teller, report: str) -> None:
    """Write the report when the log is signed to its end, and verify the log."""
    tell.heading("Audit report and proof", "who did, decided and said what, from a log that nobody has changed")
    await tell.until("the end of the log is signed", lambda: _signed(tell))
    await tell.command("report", "audit", "--format", "html", "-o", report)
    told = await tell.client.call("report_audit")
    missing = [words for name, words in TOLD.items() if not told[name]]
    check(not missing, f"the report tells of no {', no '.join(missing)}")
    tell.line(f"It tells of {', '.join(f'{words} ({len(told[name])})' for name, words in TOLD.items())}.\n")
    await tell.command("log", "verify")


async def _signed(tell: Teller) -> bool:
    """Whether the server has signed the log to its end: it does so within 5 s of the last change."""
    said = await asyncio.to_thread(run, "log", "verify", "--json", environment=tell.environment)
    proof: dict[str, Any] = json.loads(said)["data"]
    return proof["signed_up_to"] == proof["last"]
