"""Whatever is sent, the answer is an answer, or an error of ours with a remedy; the driver never speaks."""

from __future__ import annotations

import asyncio
import os
import random
from typing import Any

import pytest

from slateboard.protocol.errors import SlateError
from slateboard.protocol.states import FailureClass, Outcome
from slateboard.protocol.work import Beat, Claim, Finish, GiveBack, NewArtifact, NewTask, Result
from tests.support.boards import BoardUnderTest

INTEGERS = [0, 1, -1, 2**31, 2**63 - 1, 2**63, -(2**63) - 1, 2**200]
FLOATS = [0.0, -1.0, 1e-9, 60.0, 86_400.0, 1e300, float("nan"), float("inf"), -float("inf")]
TEXTS = ["", "a", "spec", "work/spec", "work/spec/x", "a.b", "a\nb", "\x00", "\ud800", "'; DROP TABLE boards; --",
         "é" * 70, "%s$1", "x" * 100_000, "日本", "\u202e"]  # fmt: skip
JSON = [
    None,
    {},
    [],
    {"a": float("nan")},
    {"a": {"b": [1, None, "\x00"]}},
    {"a": object()},
    {"k" * 1000: 1},
    "text",
    2**70,
]


class Draw:
    """Random values, some of them right."""

    def __init__(self, chance: random.Random, items: list[int], fences: list[int]) -> None:
        self.chance, self.items, self.fences = chance, items, fences

    def text(self) -> str:
        return self.chance.choice(TEXTS)

    def item(self) -> int:
        return self.chance.choice([*self.items, *INTEGERS])

    def fence(self) -> int:
        return self.chance.choice([*self.fences, *INTEGERS])

    def number(self) -> float:
        return self.chance.choice(FLOATS)

    def maybe(self, value: Any) -> Any:
        return self.chance.choice([None, value])

    def usage(self) -> Any:
        return self.chance.choice(JSON)

    def result(self) -> Result:
        text, maybe = self.text, self.maybe
        return Result(
            path=maybe(text()), uri=maybe(text()), content=maybe(text()), hash=maybe(text()), summary=maybe(text()),
            size_bytes=maybe(self.chance.choice(INTEGERS)), note=maybe(text()), usage=maybe(self.usage()),
        )  # fmt: skip


def one_call(draw: Draw) -> tuple[str, dict[str, Any]]:
    """A random call of a random operation; some of it is right, most of it is not."""
    chance, text, item, fence, number = draw.chance, draw.text, draw.item, draw.fence, draw.number
    maybe, usage, result = draw.maybe, draw.usage, draw.result
    back = GiveBack(
        item=item(), fence=fence(), outcome=chance.choice(list(Outcome)), error=maybe(text()), note=maybe(text()),
        failure_class=maybe(chance.choice(list(FailureClass))), usage=maybe(usage()), delay_seconds=maybe(number()),
    )  # fmt: skip
    artifact = NewArtifact(
        task=text(), name=text(), title=text(), owner=maybe(text()), capability=maybe(text()), priority=maybe(text()),
        blocked_by=(text(),), max_attempts=chance.choice([1, 4, 0, -1, 101, 70_000, 2**70]), imported=maybe(result()),
    )  # fmt: skip
    task = NewTask(
        name=text(), title=text(), parent=maybe(text()), agent=maybe(text()), priority=chance.choice(["low", text()])
    )
    return chance.choice(
        [
            ("claim", {"agent": item(), "worker": text(), "limit": chance.choice(INTEGERS), "lease_seconds": number()}),
            ("claim_one", {"agent": item(), "worker": text(), "lease_seconds": number(), "item": item()}),
            ("has_work", {"agent": item()}),
            ("mine", {"agent": item()}),
            ("heartbeat", {"beats": [Beat(item=item(), fence=fence(), percent=maybe(chance.choice(INTEGERS)),
                                          progress=maybe(text()))], "lease_seconds": maybe(number())}),
            ("checkpoint", {"item": item(), "fence": fence(), "data": usage(), "note": maybe(text())}),
            ("finish", {"finishes": [Finish(item=item(), fence=fence(), result=result())]}),
            ("give_back", {"returns": [back]}),
            ("briefing", {"item": item()}),
            ("explain", {"item": item()}),
            ("post", {"tasks": [task], "artifacts": [artifact]}),
            ("post", {"artifacts": [artifact]}),
            ("depend", {"reference": text(), "on": [text()]}),
            ("block_on", {"item": item(), "fence": fence(), "on": [text()], "note": maybe(text())}),
            ("revise", {"reference": text(), "reason": text(), "expect_version": maybe(chance.choice(INTEGERS))}),
            ("cancel", {"reference": text(), "reason": text()}),
            ("redrive", {"items": [item()]}),
            ("discard", {"items": [item()], "reason": text()}),
            ("pin", {"item": item(), "rating": maybe(chance.choice(INTEGERS))}),
            ("decide", {"decision": text(), "subject": maybe(text()), "options": [usage()], "task": maybe(text()),
                        "supersedes": maybe(text())}),
            ("read_log", {"after": chance.choice(INTEGERS), "limit": chance.choice(INTEGERS),
                          "subject": maybe(text())}),
            ("pause", {"agent": text(), "reason": text()}),
            ("add_agent", {"name": text(), "role": text(), "capabilities": [text()], "manager": maybe(text())}),
            ("issue_token", {"agent": text(), "expires_in_seconds": maybe(number())}),
            ("rotate_token", {"token_id": item(), "overlap_seconds": number()}),
            ("revoke_token", {"token_id": item()}),
            (text(), {}),
            ("claim", {text(): 1}),
        ]
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(int(os.environ.get("SLATE_TEST_EXAMPLES", "6"))))
async def test_no_call_is_answered_by_the_driver(board: BoardUnderTest, seed: int) -> None:
    chance = random.Random(seed)
    posted = await board.post_graph({"spec": [], "a": ["spec"], "b": []})
    claim: Claim = (await board.claim())[0]
    draw = Draw(chance, [*posted.values()], [claim.fence])
    refusals: list[tuple[str, dict[str, Any], SlateError]] = []
    for _ in range(150):
        operation, arguments = one_call(draw)
        try:
            await board.perform(operation, **arguments)
        except SlateError as error:
            refusals.append((operation, arguments, error))
    assert len(refusals) > 50
    assert [one for one in refusals if not one[2].remedy or one[2].kind == "unavailable"] == []


@pytest.mark.parametrize("seed", range(3))
async def test_many_at_once_in_any_order_leave_the_queue_whole(board: BoardUnderTest, seed: int) -> None:
    """Workers, cancels, edges, pins and chores on one graph, all at once, with real commits."""
    await board.tolerate_failures()
    chance = random.Random(seed)
    names = [f"n{number}" for number in range(60)]
    graph = {
        name: chance.sample(names[:index], min(index, chance.choice([0, 0, 1, 2]))) for index, name in enumerate(names)
    }
    await board.post_graph(graph)

    async def quietly(operation: str, **arguments: Any) -> None:
        try:
            await board.perform(operation, **arguments)
        except SlateError as error:
            assert error.kind in {"conflict", "invalid", "not_found"}, error  # noqa: PT017  all of them are checked

    async def work(worker: str) -> None:
        for _ in range(25):
            for claim in await board.claim(limit=4, worker=worker):
                ending = chance.random()
                if ending < 0.6:
                    await board.finish(claim, content="done")
                elif ending < 0.8:
                    await board.fail(claim, delay_seconds=0)
                elif ending < 0.9:
                    await quietly("block_on", item=claim.item, fence=claim.fence, on=[f"work/{chance.choice(names)}"])
                else:
                    await board.perform("heartbeat", beats=[Beat(item=claim.item, fence=claim.fence)])

    async def meddle() -> None:
        for _ in range(25):
            name = chance.choice(names)
            match chance.randrange(4):
                case 0:
                    await quietly("cancel", reference=f"work/{name}", cascade=chance.random() < 0.2)
                case 1:
                    await quietly("depend", reference=f"work/{name}", on=[chance.choice(names)])
                case 2:
                    number = await board.fetchval(
                        "SELECT id FROM work_items WHERE board = $1 AND reference = $2", f"work/{name}"
                    )
                    await quietly("pin", item=number, rating=chance.randrange(100))
                case _:
                    await quietly("revise", reference=f"work/{name}")

    async def lead() -> None:
        from slateboard.work import ratings

        for _ in range(15):
            async with board.chores() as tx:
                await ratings.refresh(tx)
            await board.seal()

    await asyncio.gather(*(work(f"w{number}") for number in range(4)), meddle(), meddle(), lead())
