"""The worker process of the benchmark: it says that it is there, and finishes what it claims with a small result.

What is called `consult…` it asks its peer first, and its result is the seconds from the question to the answer in hand.
"""

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
    asked: dict[int, float] = {}

    @worker.artifact("consult*")
    async def consult(work: Work) -> Result:
        if (await work.briefing()).answers:
            return Result(content=str(time.perf_counter() - asked[work.item]))
        asked[work.item] = time.perf_counter()
        return await work.consult("peer", "Is it so?")

    @worker.artifact("*")
    async def finish(work: Work) -> Result:
        if work.artifact.startswith("probe"):
            return Result(content=str(time.time()))
        return RESULT

    @worker.handler(kind="answer")
    async def answer(_work: Work) -> Result:
        return RESULT

    transport = await open_transport(None, board=None, agent=agent)
    print("ready", flush=True)
    await worker.run(transport=transport)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
