"""Workers that verify: a verdict ends the claim, and what can be read is hashed again first."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from slateboard import NewArtifact, NewTask, Result, Work, Worker
from slateboard.protocol.errors import VersionConflict


async def post(board, **rules) -> int:
    items = await board.post(
        NewArtifact(task="work", name="page", owner="backend", rules=rules),
        tasks=[NewTask(name="work", title="work", delegator="cto")],
    )
    return items["work/page"]


async def test_a_verifier_rejects_and_then_approves_what_another_worker_made(board, workers, reached) -> None:
    item, done = await post(board, verify=True, criteria="polite"), asyncio.Event()
    author, verifier, reasons = Worker("backend"), Worker("cto"), []

    @author.artifact("page")
    async def page(work: Work) -> str:
        briefing = await work.briefing()
        reasons.extend(one.reason for one in briefing.reviews)
        return "hello, please" if briefing.reviews else "hello"

    @verifier.handler(kind="verify")
    async def look(work: Work) -> None:
        asked = (await work.briefing()).verification
        assert asked
        assert (asked.author, asked.criteria, asked.proven) == ("backend", "polite", True)
        if "please" not in (asked.content or ""):
            await work.reject("say please")
        try:
            await work.approve()
        finally:
            done.set()

    workers.start(author)
    workers.start(verifier)
    await reached(done)
    await workers.stop()
    assert reasons == ["say please"]
    assert await board.place(item) == "done"


async def test_what_was_changed_after_it_was_handed_in_is_not_approved(board, workers, reached, tmp_path: Path) -> None:
    item, done, refused = await post(board, verify=True), asyncio.Event(), []
    file = tmp_path / "page.html"
    file.write_text("<p>hello")
    author, verifier = Worker("backend"), Worker("cto")

    @author.artifact("page")
    async def page(work: Work) -> Result:
        return Result(path=str(file))

    @verifier.handler(kind="verify")
    async def look(work: Work) -> None:
        file.write_text("<p>bye")
        try:
            await work.approve()
        except VersionConflict as error:
            refused.append(error.message)
            await work.reject("it was changed")
        finally:
            done.set()

    workers.start(author)
    workers.start(verifier)
    await reached(done)
    await workers.stop()
    assert "has the hash" in refused[0]
    (verdict, *_) = await board.log(subject="board.verification.rejected")
    assert (verdict.payload["about"], verdict.payload["reason"]) == (item, "it was changed")


@pytest.mark.parametrize("given", [None, ({"note": "seen"},)])
async def test_a_result_without_the_evidence_that_is_demanded_fails_the_attempt(board, workers, reached, given) -> None:
    item, done = await post(board, evidence=["link"]), asyncio.Event()
    worker = Worker("backend")

    @worker.artifact("page")
    async def page(work: Work) -> Result:
        done.set()
        return Result(content="hello", evidence=given)

    workers.start(worker)
    await reached(done)
    await workers.stop()
    (attempt, *_) = await board.fetch("SELECT * FROM attempts WHERE board = $1 AND item = $2 ORDER BY fence", item)
    assert (attempt["outcome"], attempt["class"]) == ("failed", "validation")
    assert "lacks: link" in attempt["error"]
