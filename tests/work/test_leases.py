"""Leases: renewed by every call under the claim, taken back when they run out, with notes for the next attempt."""

from __future__ import annotations

from datetime import timedelta

import pytest

from slateboard.protocol.errors import Invalid, LeaseLost, NotYours
from slateboard.protocol.states import Outcome
from slateboard.protocol.work import Beat
from slateboard.work import leases
from tests.support.boards import BoardUnderTest


async def test_heartbeat_moves_the_end_of_the_lease_and_keeps_progress(board: BoardUnderTest) -> None:
    await board.post_graph({"spec": []})
    (claim,) = await board.claim(lease_seconds=60)
    beat = Beat(item=claim.item, fence=claim.fence, percent=40, progress="parsing")
    (renewed,) = await board.perform("heartbeat", beats=[beat], lease_seconds=120)
    assert renewed.expires_at > claim.expires_at + timedelta(seconds=50)
    (held,) = await board.perform("mine", agent=board.agents["backend"])
    assert (held["percent"], held["progress"], held["reference"]) == (40, "parsing", "work/spec")
    # A beat without progress keeps what was said, and the length that was asked for last.
    (again,) = await board.perform("heartbeat", beats=[Beat(item=claim.item, fence=claim.fence)])
    assert again.expires_at >= renewed.expires_at
    (held,) = await board.perform("mine", agent=board.agents["backend"])
    assert held["percent"] == 40


async def test_expired_lease_lets_another_worker_claim(board: BoardUnderTest) -> None:
    await board.post_graph({"spec": []})
    (lost,) = await board.claim(worker="dead")
    (row,) = await board.expire(now=lost.expires_at + timedelta(seconds=1))
    assert (row["board"], row["item"], row["place"], row["woken"]) == (
        board.id, lost.item, "ready", [board.agents["backend"]],
    )  # fmt: skip
    (taken,) = await board.claim(worker="next")
    assert taken.attempt == 2
    assert taken.fence > lost.fence
    (answer,) = await board.finish(lost, content="late")
    assert isinstance(answer.error, LeaseLost)
    (event,) = await board.log(subject="board.item.interrupted")
    assert event.payload["worker"] == "dead"


async def test_lease_that_has_not_run_out_is_left_alone(board: BoardUnderTest) -> None:
    await board.post_graph({"spec": []})
    (claim,) = await board.claim()
    assert await board.expire(now=claim.expires_at) == []


async def test_reaper_takes_back_at_most_its_limit(board: BoardUnderTest) -> None:
    await board.post_graph({f"n{number}": [] for number in range(5)})
    claims = await board.claim(limit=5, lease_seconds=0.001)
    async with board.chores() as tx:
        # Of all boards, so other tests' leftovers may be among them: never more than the limit, and in the end all.
        counts = [len(await leases.expire_due(tx, limit=2)) for _ in range(20)]
    assert max(counts) == 2
    assert {await board.place(claim.item) for claim in claims} == {"ready"}


async def test_tenth_interruption_is_poison(board: BoardUnderTest) -> None:
    items = await board.post_graph({"spec": []})
    for number in range(1, 11):
        (claim,) = await board.claim()
        assert claim.attempt == number
        (row,) = await board.expire(now=claim.expires_at + timedelta(seconds=1))
        assert row["place"] == ("dead" if number == 10 else "ready")
    assert await board.place(items["spec"]) == "dead"
    (letter,) = await board.fetch("SELECT class FROM dead_letters WHERE board = $1")
    assert letter["class"] == "poison"
    for subject in ("board.item.died", "genbrain.dlq.backend"):
        (told,) = await board.log(subject=subject)
        assert told.payload["class"] == "poison"


async def test_checkpoint_and_note_reach_the_next_attempt(board: BoardUnderTest) -> None:
    await board.post_graph({"spec": []})
    (claim,) = await board.claim()
    await board.perform("checkpoint", item=claim.item, fence=claim.fence, data={"page": 3})
    await board.perform("checkpoint", item=claim.item, fence=claim.fence, note="page 4 is hard")
    await board.give_back(claim, Outcome.INTERRUPTED, error="shutdown")
    (again,) = await board.claim()
    briefing = await board.perform("briefing", item=again.item)
    assert briefing["checkpoint"] == {"page": 3}
    assert briefing["note"] == "page 4 is hard"
    assert [attempt["outcome"] for attempt in briefing["attempts"]] == ["interrupted"]
    with pytest.raises(LeaseLost):
        await board.perform("checkpoint", item=claim.item, fence=claim.fence, note="from the dead")
    (held,) = await board.perform("mine", agent=board.agents["backend"])
    assert held["note"] == "page 4 is hard"


async def test_checkpoint_renews_the_lease(board: BoardUnderTest) -> None:
    await board.post_graph({"spec": []})
    (claim,) = await board.claim()
    await board.perform("checkpoint", item=claim.item, fence=claim.fence, note="here")
    assert await board.fetchval("SELECT expires_at FROM leases WHERE board = $1") > claim.expires_at


async def test_checkpoint_is_gone_when_the_item_is_done(board: BoardUnderTest) -> None:
    await board.post_graph({"spec": []})
    (claim,) = await board.claim()
    await board.perform("checkpoint", item=claim.item, fence=claim.fence, note="here")
    await board.finish(claim)
    assert await board.fetchval("SELECT count(*) FROM checkpoints WHERE board = $1") == 0


async def test_agent_cannot_renew_what_another_holds(board: BoardUnderTest) -> None:
    await board.post_graph({"spec": []})
    (claim,) = await board.claim("backend")
    (renewed,) = await board.perform("heartbeat", by="frontend", beats=[Beat(item=claim.item, fence=claim.fence)])
    assert isinstance(renewed.error, NotYours)


@pytest.mark.parametrize("percent", [-1, 101, 100_000])
async def test_progress_is_a_percentage(board: BoardUnderTest, percent: int) -> None:
    await board.post_graph({"spec": []})
    (claim,) = await board.claim()
    with pytest.raises(Invalid):
        await board.perform("heartbeat", beats=[Beat(item=claim.item, fence=claim.fence, percent=percent)])


async def test_worker_hears_at_its_next_call_that_its_item_was_cancelled(board: BoardUnderTest) -> None:
    await board.post_graph({"spec": []})
    (claim,) = await board.claim()
    await board.perform("cancel", reference="work/spec", reason="not needed")
    (renewed,) = await board.perform("heartbeat", beats=[Beat(item=claim.item, fence=claim.fence)])
    assert isinstance(renewed.error, LeaseLost)
    assert renewed.error.details["place"] == "cancelled"
    (answer,) = await board.finish(claim)
    assert isinstance(answer.error, LeaseLost)


async def test_heartbeats_append_no_events(board: BoardUnderTest) -> None:
    await board.post_graph({"spec": []})
    (claim,) = await board.claim()
    before = len(await board.log())
    await board.perform("heartbeat", beats=[Beat(item=claim.item, fence=claim.fence, percent=3)])
    assert len(await board.log()) == before
