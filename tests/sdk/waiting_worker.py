"""A program for tests: a worker that says what it does on standard output, and whose handler ends when told to."""

from __future__ import annotations

import asyncio
import os
import sys

from slateboard import Work, Worker

worker = Worker("backend", batch=5, grace_seconds=float(os.environ["GRACE_SECONDS"]))


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@worker.handler()
async def handle(work: Work) -> str:
    say(f"started {work.artifact}")
    try:
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    except asyncio.CancelledError:
        say("cancelled")
        raise
    return "ended in time"


if __name__ == "__main__":
    worker.run_sync(url=sys.argv[1], board=sys.argv[2])
