"""importer: takes over what the supplier offers, a day at a time; as long as the supplier does not answer, it fails."""

from __future__ import annotations

import asyncio

from agents import LEASE_SECONDS, out
from slateboard import Result, TransientFailure, Work, Worker

worker = Worker(agent="importer", lease_seconds=LEASE_SECONDS, poll_seconds=0.5)

RETRY_SECONDS = 3.0
ANSWER_SECONDS = 0.2
"""How long the supplier takes to answer, whatever it says."""


@worker.artifact("*day")
async def take_over(work: Work) -> Result:
    """One day of the catalogue."""
    await asyncio.sleep(ANSWER_SECONDS)
    if not out("supplier-is-back").exists():
        raise TransientFailure("the supplier answers 503: service unavailable", delay_seconds=RETRY_SECONDS)
    day = work.reference.rpartition("/")[2]
    path = out("catalogue", f"{day}.txt")
    path.write_text(f"what the supplier offers on {day}\n", encoding="utf-8")
    return Result(path=str(path), summary=f"the catalogue of {day}")
