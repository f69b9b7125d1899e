"""The worker of the chaos run: slow work, short leases, and a record of every answer that it was given."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slateboard import Result, Work, Worker
from slateboard.sdk.transport import open_transport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slateboard.protocol.work import Finish, Finished
    from slateboard.sdk.transport import Transport


class Recording:
    """A transport that writes down what it is told of each finish, before anybody else hears of it."""

    def __init__(self, inner: Transport, file: Path) -> None:
        self._inner = inner
        self._file = file.open("a", buffering=1)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def finish(self, finishes: Sequence[Finish]) -> list[Finished]:
        """Hand in results, and note the answers: item, fence, version (null if refused)."""
        answers = await self._inner.finish(finishes)
        for one, answer in zip(finishes, answers, strict=True):
            self._file.write(json.dumps([one.item, one.fence, answer.version]) + "\n")
        return answers


async def main(folder: Path, work_seconds: float, lease_seconds: float, concurrency: int) -> None:
    """Run until the process is killed."""
    worker = Worker(agent="w", lease_seconds=lease_seconds, concurrency=concurrency, poll_seconds=1)

    @worker.artifact("*")
    async def finish(work: Work) -> Result:
        await asyncio.sleep(random.uniform(0.2, 1.8) * work_seconds)
        return Result(content=f"{work.reference} by {os.getpid()} in attempt {work.attempt}")

    @worker.action("note")
    async def note(work: Work) -> Result:
        event = await work.event()
        return Result(summary=f"{event.subject} at {event.position}")

    while True:
        try:
            transport = await open_transport(None, board=None, agent="w")
        except Exception as error:  # noqa: BLE001  Postgres is being killed: that is what this is about
            logging.getLogger("chaos").warning("not yet: %s", error)
            await asyncio.sleep(0.2)
        else:
            break
    recording: Any = Recording(transport, folder / f"told-{os.getpid()}.jsonl")
    await worker.run(transport=recording)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format=f"%(asctime)s {os.getpid()} %(message)s")
    asyncio.run(main(Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])))
