"""The worker of those who fail, hang, lie and flood, with a steady one and a verifier beside them.

    python -m scripts.implementation.chaos.misfits FOLDER SEED [quiet]

Each agent claims by itself and does what is in its nature until the process is killed; a lie that the board believed
is written into `lies-<pid>.txt`. With `quiet` all do their work, but for what cannot be done (`…_doomed`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.implementation.chaos import trouble
from slateboard import connect
from slateboard.protocol.errors import SlateError, Unavailable
from slateboard.protocol.states import FailureClass, ItemKind, Outcome
from slateboard.protocol.work import Beat, Claim, Finish, GiveBack, NewArtifact, NewTask, Result

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from slateboard import Client

LEASE_SECONDS = 2.0
POLL_SECONDS = 0.2
MOST_HUNG = 5
"""Claims that one process hangs in at once."""
HUNG_SECONDS = 15.0
FLOODS, FLOOD_ITEMS = 10, 20
"""Tasks that one process floods the board with, and the items of each."""
MOST_RELEASES = 2_000
WRONG = 1_000_000_000
"""Added to a fence, it is one that nobody has."""


@dataclass(kw_only=True)
class Mind:
    """What the agents of a process share."""

    folder: Path
    dice: random.Random
    quiet: bool
    last: dict[str, tuple[int, int]] = field(default_factory=dict)
    """The newest claim of each agent: item and fence."""
    hung: set[asyncio.Task[None]] = field(default_factory=set)
    posted: int = 0
    released: int = 0

    def believed(self, lie: str) -> None:
        """Write down that the board believed it."""
        with (self.folder / f"lies-{os.getpid()}.txt").open("a") as file:
            file.write(lie + "\n")


async def steady(mind: Mind, client: Client, claim: Claim) -> None:
    """Do it, with what it used; ask first where it has to be asked."""
    name = claim.reference.partition("/")[2]
    if claim.kind == ItemKind.COMPENSATE and mind.dice.random() < (0 if mind.quiet else 0.2):
        await _fail(client, claim, FailureClass.LOGIC, "it cannot be undone so")
        return
    if name in {"asked", trouble.LATER} and not (await client.briefing(claim.item)).answers:
        await _ask(mind, client, claim, name)
        return
    if claim.kind == ItemKind.PRODUCE:
        await client.call("report_usage", item=claim.item, fence=claim.fence, input_tokens=10, output_tokens=10)
    await asyncio.sleep(0 if mind.quiet else mind.dice.random() * 0.1)
    await _finish(client, claim)


async def _ask(mind: Mind, client: Client, claim: Claim, name: str) -> None:
    later = name == trouble.LATER
    await client.call(
        "ask", item=claim.item, fence=claim.fence, question=f"{name}: shall I?", of="bob" if later else "ann",
        options=["yes", "no"], default=mind.dice.choice(["yes", None]), deadline_seconds=86_400.0 if later else 2.0,
    )  # fmt: skip


async def failing(mind: Mind, client: Client, claim: Claim) -> None:
    """Fail for good, or now and then, of any class."""
    doomed = claim.reference.endswith("_doomed")
    if doomed:
        await _fail(client, claim, FailureClass.LOGIC, "this cannot be done")
    elif not mind.quiet and mind.dice.random() < 0.5:
        others = (FailureClass.TRANSIENT, FailureClass.INFRASTRUCTURE, FailureClass.VALIDATION)
        await _fail(client, claim, mind.dice.choice(others), "not this time")
    else:
        await _finish(client, claim)


async def hanging(mind: Mind, client: Client, claim: Claim) -> None:
    """Keep the claim and do nothing, with a sign of life or without, until it is lost."""
    if mind.quiet:
        await _finish(client, claim)
    elif len(mind.hung) < MOST_HUNG:
        task = asyncio.create_task(_hang(client, claim, beats=mind.dice.random() < 0.5))
        mind.hung.add(task)
        task.add_done_callback(mind.hung.discard)
    else:
        await _give_back(client, claim, Outcome.RELEASED)


async def _hang(client: Client, claim: Claim, *, beats: bool) -> None:
    """Bounded, so that it ends also where no time limit does it."""
    for _ in range(int(HUNG_SECONDS / (LEASE_SECONDS / 4))):
        await asyncio.sleep(LEASE_SECONDS / 4)
        if beats:
            try:
                (renewed,) = await client.heartbeat([Beat(item=claim.item, fence=claim.fence)])
            except SlateError:
                continue
            if renewed.error:
                return


async def lying(mind: Mind, client: Client, claim: Claim) -> None:
    """Finish and renew what is not one's own, with evidence of nothing, and twice with another content."""
    if not mind.quiet:
        await _lie(mind, client, claim)
    honest = Finish(item=claim.item, fence=claim.fence, result=_proven(claim, "honest"))
    (first,) = await client.finish([honest])
    if first.error or mind.quiet:
        return
    (same,) = await client.finish([honest])
    if same.version != first.version:
        mind.believed(f"{claim.reference}: the same finish made version {same.version} after {first.version}")
    (other,) = await client.finish([Finish(item=claim.item, fence=claim.fence, result=_proven(claim, "another"))])
    if not other.error:
        mind.believed(f"{claim.reference}: finished again with other content")


async def _lie(mind: Mind, client: Client, claim: Claim) -> None:
    for item, fence in ((claim.item, claim.fence + WRONG), (claim.item, claim.fence - 1), *_of_others(mind)):
        (finished,) = await client.finish([Finish(item=item, fence=fence, result=_proven(claim, "a lie"))])
        (renewed,) = await client.heartbeat([Beat(item=item, fence=fence)])
        (given,) = await client.give_back([GiveBack(item=item, fence=fence, outcome=Outcome.RELEASED)])
        for what, answer in (("finished", finished), ("renewed", renewed), ("given back", given)):
            if not answer.error:
                mind.believed(f"item {item} under fence {fence} was {what}")
    if claim.reference.endswith("/proven"):
        (bare,) = await client.finish([Finish(item=claim.item, fence=claim.fence, result=Result(content="trust me"))])
        if not bare.error:
            mind.believed(f"{claim.reference}: finished without evidence")


def _of_others(mind: Mind) -> list[tuple[int, int]]:
    return [claim for agent, claim in mind.last.items() if agent != "lies"]


def _proven(claim: Claim, content: str) -> Result:
    return Result(content=f"{content}: {claim.reference}", evidence=({"note": "I looked at it"},))


async def flooding(mind: Mind, client: Client, claim: Claim) -> None:
    """Release what was claimed as soon as it is there, and post more of it."""
    if mind.quiet or mind.released >= MOST_RELEASES:
        await _finish(client, claim)
        return
    mind.released += 1
    await _give_back(client, claim, Outcome.RELEASED)


async def _flood(mind: Mind, client: Client) -> None:
    if mind.quiet or mind.posted >= FLOODS:
        return
    mind.posted += 1
    name = f"flood-{os.getpid()}-{mind.posted}"
    artifacts = [NewArtifact(task=name, name=f"a{number}", owner="floods") for number in range(FLOOD_ITEMS)]
    await client.call("post", tasks=[NewTask(name=name, title=name, agent="floods")], artifacts=artifacts)


async def check(mind: Mind, client: Client) -> None:
    """Judge what waits for it; now and then first a version that is not the one, and its own work."""
    for row in await client.call("list_verifications", agent="checker", limit=20):
        said = {"item": row["item"], "hash": row["hash"]}
        if mind.dice.random() < 0.2:
            try:
                await client.call("judge", verdict="approve", version=row["version"] + 1, **said)
            except SlateError:
                pass
            else:
                mind.believed(f"{row['reference']}: a verdict on a version that is not there")
        verdict = (
            {"verdict": "reject", "reason": "not good enough"} if mind.dice.random() < 0.3 else {"verdict": "approve"}
        )
        await client.call("judge", version=row["version"], **said, **verdict)


async def _finish(client: Client, claim: Claim) -> None:
    await client.finish([Finish(item=claim.item, fence=claim.fence, result=Result(content=claim.reference))])


async def _fail(client: Client, claim: Claim, why: FailureClass, error: str) -> None:
    await _give_back(client, claim, Outcome.FAILED, why, error)


async def _give_back(
    client: Client, claim: Claim, outcome: Outcome, why: FailureClass | None = None, error: str | None = None
) -> None:
    delay = 0.2 if outcome is Outcome.FAILED else None
    returned = GiveBack(
        item=claim.item, fence=claim.fence, outcome=outcome, failure_class=why, error=error, delay_seconds=delay
    )
    await client.give_back([returned])


NATURES: dict[str, tuple[Callable[[Mind, Client, Claim], Awaitable[None]], int]] = {
    **dict.fromkeys(trouble.FAILING, (failing, 1)),
    "hangs": (hanging, 2),
    "lies": (lying, 1),
    "floods": (flooding, 10),
    "steady": (steady, 3),
}
"""What an agent does with a claim, and how many it takes at once."""


async def live(mind: Mind, agent: str) -> None:
    """Be this agent until the process is killed."""
    while True:
        try:
            async with await connect(agent=agent) as client:
                while True:
                    await (check(mind, client) if agent == "checker" else _turn(mind, client, agent))
                    await asyncio.sleep(0 if agent == "floods" and not mind.quiet else POLL_SECONDS / 4)
        except (SlateError, OSError) as error:
            if not isinstance(error, Unavailable):
                logging.getLogger("misfits").info("%s: %s", agent, error)
            await asyncio.sleep(POLL_SECONDS)


async def _turn(mind: Mind, client: Client, agent: str) -> None:
    act, limit = NATURES[agent]
    if agent == "floods":
        await _flood(mind, client)
    claims = await client.claim(worker=f"{agent}-{os.getpid()}", limit=limit, lease_seconds=LEASE_SECONDS)
    if not claims:
        await asyncio.sleep(POLL_SECONDS)
    for claim in claims:
        mind.last[agent] = claim.item, claim.fence
        await act(mind, client, claim)


async def main(folder: Path, seed: int, *, quiet: bool) -> None:
    """All agents side by side."""
    mind = Mind(folder=folder, dice=random.Random(seed), quiet=quiet)
    async with asyncio.TaskGroup() as group:
        for agent in (*NATURES, "checker"):
            group.create_task(live(mind, agent))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format=f"%(asctime)s {os.getpid()} %(message)s")
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), quiet=sys.argv[3:] == ["quiet"]))
