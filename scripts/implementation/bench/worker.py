"""The worker process of the benchmark: it says that it is there, and finishes what it claims with a small result."""

from __future__ import annotations

import sys
import time

import uvloop

from slateboard import Result, Work, Worker
from slateboard.sdk.transport import open_transport

RESULT = Result(
    content="ok", hash="sha256:2689367b205c16ce32ed4200942b8b8b1e262dfc70d9bc9fbc77c49699a4f1df", size_bytes=2
)


async def main(agent: str) -> None:
    """Run until SIGTERM."""
    worker = Worker(agent=agent, concurrency=500, poll_seconds=5)

    @worker.artifact("*")
    async def finish(work: Work) -> Result:
        if work.artifact.startswith("probe"):
            return Result(content=str(time.time()))
        return RESULT

    transport = await open_transport(None, board=None, agent=agent)
    print("ready", flush=True)
    await worker.run(transport=transport)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
