"""The worker of the organisation: all its agents, who make, delegate, decline, consult, hold meetings, and fall silent.

    python -m scripts.implementation.chaos.members FOLDER SEED [quiet]

Each agent claims by itself until the process is killed. What must be refused is tried beside it; what of that the
board took is written into `lies-organisation-<pid>.txt`. With `quiet` all do their work, and nobody is silent.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.implementation.chaos import organisation
from slateboard import connect
from slateboard.protocol.errors import DelegationLoop, NotAccepted, NotYours, SlateError, Unavailable, WrongState
from slateboard.protocol.states import FailureClass, ItemKind, Outcome
from slateboard.protocol.work import Finish, GiveBack, NewArtifact, NewTask, Result

if TYPE_CHECKING:
    from slateboard import Client
    from slateboard.protocol.work import Claim

LEASE_SECONDS = 2.0
POLL_SECONDS = 0.3
ATTEND_SECONDS = 15.0
SILENT = 0.1
"""The share of the claims that nobody does anything with."""


@dataclass(kw_only=True)
class Mind:
    """What the agents of a process share."""

    folder: Path
    dice: random.Random
    quiet: bool
    delegated: int = 0
    ceo: list[Client] = field(default_factory=list)
    """Somebody who has no seat in any meeting."""

    def chance(self, share: float) -> bool:
        """Whether something happens that happens so often; nothing does once it is quiet."""
        return not self.quiet and self.dice.random() < share

    async def refused(self, client: Client, operation: str, **arguments: Any) -> None:
        """Try what must be refused, and write down that the board took it."""
        try:
            await client.call(operation, **arguments)
        except Unavailable:
            raise
        except SlateError:
            return
        with (self.folder / f"lies-organisation-{os.getpid()}.txt").open("a") as file:
            file.write(f"{operation} {arguments} was taken\n")


async def make(mind: Mind, client: Client, claim: Claim) -> None:
    """Delegate what is to be delegated; else do it, and speak with others before."""
    briefing = await client.briefing(claim.item)
    task = claim.reference.partition("/")[0]
    if task.startswith("plan") and "-" not in task and not briefing.inputs:
        await _delegate(mind, client, claim, task)
        return
    what = 1.0 if mind.quiet or briefing.answers else mind.dice.random()
    under = {"item": claim.item, "fence": claim.fence}
    if what < 0.08:
        await client.call("decline", task=task, reason="I know no SQL")
    elif what < 0.25:
        await client.call("consult", to=_peer(client), **_question(), **under)
    elif what < 0.3:
        await client.give_back([
            GiveBack(item=claim.item, fence=claim.fence, outcome=Outcome.FAILED, failure_class=FailureClass.LOGIC,
                     error="this cannot be done")
        ])  # fmt: skip
    else:
        if what < 0.4:
            await client.call("consult", to=_peer(client), **_question())
        elif what < 0.5:
            await client.call("notify", label="contract", text="it has changed")
        elif what < 0.6:
            answers = mind.dice.randint(1, 2)
            await client.call("request", capability=organisation.CAPABILITY, answers=answers, **_question())
        await _finish(client, claim, claim.reference)


async def _delegate(mind: Mind, client: Client, claim: Claim, task: str) -> None:
    """Two tasks of which one waits for the other, in the place of the work in hand; and what must be refused."""
    mind.delegated += 1
    under = {"item": claim.item, "fence": claim.fence}
    names = [f"{task}-{os.getpid()}-{mind.delegated}-{number}" for number in range(2)]
    for wrong in (organisation.HERMIT, "cto", "nobody"):
        if mind.chance(0.2):
            given = [NewTask(name=names[0], title="x", agent=wrong)]
            await mind.refused(client, "delegate", tasks=given, **under)
    tasks = [NewTask(name=name, title=name, agent=mind.dice.choice(organisation.MAKERS)) for name in names]
    artifacts = [
        NewArtifact(task=names[0], name="built"),
        NewArtifact(task=names[1], name="tried", blocked_by=(f"{names[0]}/built",)),
    ]
    await client.call("delegate", tasks=tasks, artifacts=artifacts, **under)


def _peer(client: Client) -> str:
    """Whom this agent may consult, or may not; without a route it is refused."""
    return {"d0": "cto", "d1": "d0", "d2": organisation.GONE, "cto": "d0"}.get(client.agent or "", "cto")


def _question() -> dict[str, Any]:
    return {"question": "how?", "deadline_seconds": organisation.CONSULT_SECONDS}


async def answer(mind: Mind, client: Client, claim: Claim) -> None:
    """Answer, or ask back first; who would answer whoever asks is not asked. What is unanswered goes to another."""
    question = (await client.briefing(claim.item)).question
    if question and question.kind == "unanswered":
        maker = mind.dice.choice(organisation.MAKERS)
        with suppress(WrongState, NotYours, NotAccepted, DelegationLoop):
            await client.call("reassign", task=claim.reference, agent=maker, reason="nobody was heard of")
    if mind.chance(0.3) and client.agent in {"cto", "d0"}:
        await client.call("consult", to=_peer(client), item=claim.item, fence=claim.fence, **_question())
        return
    await _finish(client, claim, "so")


async def take_part(mind: Mind, client: Client, claim: Claim) -> None:
    """Come, speak, propose, settle concerns and vote, as one is asked."""
    head, _, step = claim.reference.partition("/")
    meeting = int(head.partition(":")[2])
    under = {"meeting": meeting, "item": claim.item, "fence": claim.fence}
    content: str | None = None
    if step == "turn":
        await client.call("say", text="I think so", **under)
        if mind.chance(0.2):
            await client.call("concern", text="is it safe?", **under)
        if mind.quiet or mind.dice.random() < 0.5:
            await _propose(mind, client, under)
    elif step == "motion":
        await _propose(mind, client, under)
    elif step == "concerns":
        found = (await client.briefing(claim.item)).meeting
        for one in found.concerns if found else ():
            how = {"how": "overruled", "reason": "it is", "item": claim.item, "fence": claim.fence}
            await client.call("settle_concern", concern=one["concern"], **how)
    elif step == "vote":
        if mind.chance(0.2):
            await client.call("vote", choice="abstain", **under)
        for ceo in mind.ceo if mind.chance(0.3) else ():
            await mind.refused(ceo, "vote", meeting=meeting, choice="approve")
        content = mind.dice.choice(("approve", "approve", "approve", "reject"))
    await _finish(client, claim, content)


async def _propose(mind: Mind, client: Client, under: dict[str, Any]) -> None:
    if mind.chance(0.2):
        two = [{"title": "x", "owner": ["d0", "d1"]}]
        await mind.refused(client, "propose", motion="do it twice", actions=two, **under)
    actions = [{"title": "do it", "owner": mind.dice.choice(organisation.MAKERS)}]
    await client.call("propose", motion=f"do it in {mind.dice.randrange(9)} ways", actions=actions, **under)


async def _finish(client: Client, claim: Claim, content: str | None) -> None:
    await client.finish([Finish(item=claim.item, fence=claim.fence, result=Result(content=content))])


ACTS = {ItemKind.PRODUCE: make, ItemKind.ANSWER: answer, ItemKind.MEET: take_part}


async def live(mind: Mind, agent: str) -> None:
    """Be this agent until the process is killed."""
    while True:
        try:
            async with await connect(agent=agent) as client:
                if agent == "ceo":
                    mind.ceo[:] = [client]
                await _work(mind, client, agent)
        except (SlateError, OSError) as error:
            if not isinstance(error, Unavailable):
                logging.getLogger("members").info("%s: %s", agent, error)
            await asyncio.sleep(POLL_SECONDS)


async def _work(mind: Mind, client: Client, agent: str) -> None:
    attended = 0.0
    while True:
        if time.monotonic() - attended > ATTEND_SECONDS:
            attended = time.monotonic()
            await client.call("attend", worker=f"{agent}-{os.getpid()}")
        claims = await client.claim(worker=f"{agent}-{os.getpid()}", limit=2, lease_seconds=LEASE_SECONDS)
        for claim in claims:
            if not mind.chance(SILENT):
                try:
                    await ACTS.get(ItemKind(claim.kind), _do)(mind, client, claim)
                except Unavailable:
                    raise
                except SlateError as error:  # refused: what is still claimed comes back by its lease
                    logging.getLogger("members").info("%s: %s: %s", agent, claim.reference, error)
        await asyncio.sleep(POLL_SECONDS / 10 if claims else POLL_SECONDS)


async def _do(_mind: Mind, client: Client, claim: Claim) -> None:
    await _finish(client, claim, claim.reference)


async def main(folder: Path, seed: int, *, quiet: bool) -> None:
    """All agents side by side."""
    mind = Mind(folder=folder, dice=random.Random(seed), quiet=quiet)
    async with asyncio.TaskGroup() as group:
        for agent in organisation.MEMBERS:
            group.create_task(live(mind, agent))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format=f"%(asctime)s {os.getpid()} %(message)s")
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), quiet=sys.argv[3:] == ["quiet"]))
