"""One drain by the checkout that PYTHONPATH names, with a server of its own: prints the artifacts a second.

Run as a file, so that an older checkout's benchmark, which knows nothing of this one, does the work.
"""

from __future__ import annotations

import asyncio
import sys

import asyncpg

from scripts.implementation import place as places
from scripts.implementation.bench import workloads


async def drain(place: places.Place, *, quick: bool) -> float:
    """The faster of two, with one worker process."""
    owner = await asyncpg.connect(place.owner_url)
    await owner.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
    run = workloads.Run(place=place, owner=owner, quick=quick, floors={})
    rates = [await workloads.drain(run, 1) for _ in range(2)]
    await owner.close()
    return max(rates)


if __name__ == "__main__":
    with places.running() as running:
        print(asyncio.run(drain(running, quick="--quick" in sys.argv)))
