"""The worker process of the benchmark: it says that it is there, and finishes what it claims with a small result."""

from __future__ import annotations

import sys
import time

from slateboard import Result, Work, Worker

RESULT = Result(
    content="ok", hash="sha256:2689367b205c16ce32ed4200942b8b8b1e262dfc70d9bc9fbc77c49699a4f1df", size_bytes=2
)


def main(agent: str) -> None:
    """Run until SIGTERM."""
    worker = Worker(agent=agent, concurrency=500, poll_seconds=5)

    @worker.artifact("*")
    async def finish(work: Work) -> Result:
        if work.artifact.startswith("probe"):
            return Result(content=str(time.time()))
        return RESULT

    print("ready", flush=True)
    worker.run_sync()


if __name__ == "__main__":
    main(sys.argv[1])
