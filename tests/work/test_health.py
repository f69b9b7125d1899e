"""What runs and makes no progress is told of, what takes too long ends, and what is due is told of: each once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from slateboard.patterns import escalations
from slateboard.protocol.errors import LeaseLost
from slateboard.protocol.work import Beat, Claim, NewArtifact, NewTask
from slateboard.work import health
from tests.support.boards import BoardUnderTest, Clock
from tests.support.live import check_fold
from tests.support.manifests import do, feature, item_of

MANY = 100_000
STALLED, SOON, OVERDUE = "board.item.stalled", "board.item.due_soon", "board.item.overdue"


async def look(board: BoardUnderTest, now: datetime) -> None:
    """Let the leader look at everything at that time."""
    async with board.chores(now=now) as tx:
        await health.tell_stalled(tx, limit=MANY)
        await health.tell_due(tx, limit=MANY)


async def end_overlong(board: BoardUnderTest, now: datetime) -> list[Any]:
    async with board.chores(now=now) as tx:
        return [row for row in await health.end_overlong(tx, limit=MANY, now=now) if row["board"] == board.id]


async def running(board: BoardUnderTest, agent: str = "backend", **rules: Any) -> Claim:
    artifact = NewArtifact(task="work", name="spec", owner=agent, rules=rules or None)
    await board.post(artifact, tasks=[NewTask(name="work", title="work")])
    (claim,) = await board.claim(agent, lease_seconds=86_400)
    return claim


async def told(board: BoardUnderTest, subject: str) -> list[dict[str, Any]]:
    return [event.payload for event in await board.log(subject=subject)]


async def test_claim_without_progress_for_five_minutes_is_told_of_once(board: BoardUnderTest) -> None:
    claim = await running(board)
    await look(board, claim.claimed_at + timedelta(seconds=299))
    assert await told(board, STALLED) == []
    for minutes in (5, 6, 60):
        await look(board, claim.claimed_at + timedelta(minutes=minutes))
    (event,) = await told(board, STALLED)
    assert (event["item"], event["reference"], event["fence"]) == (claim.item, "work/spec", claim.fence)
    assert datetime.fromisoformat(event["since"]) == claim.claimed_at
    await check_fold(board)


async def test_heartbeat_that_says_the_same_again_is_no_progress(board: BoardUnderTest) -> None:
    claim = await running(board)
    beat = Beat(item=claim.item, fence=claim.fence, percent=40, progress="parsing")
    await board.perform("heartbeat", beats=[beat])
    first = await board.fetchval("SELECT progressed_at FROM leases WHERE board = $1")
    for same in (beat, Beat(item=claim.item, fence=claim.fence)):
        await board.perform("heartbeat", beats=[same])
    assert await board.fetchval("SELECT progressed_at FROM leases WHERE board = $1") == first
    await look(board, claim.claimed_at + timedelta(minutes=5))
    assert await told(board, STALLED) == []
    await look(board, first + timedelta(minutes=5))
    (event,) = await told(board, STALLED)
    assert datetime.fromisoformat(event["since"]) == first


@pytest.mark.parametrize("how", ["percent", "sentence", "checkpoint"])
async def test_progress_after_a_warning_lets_the_next_standstill_be_told_of(board: BoardUnderTest, how: str) -> None:
    claim = await running(board)
    # Told of in the future of the database's clock, so the progress must be later still to count: look again from it.
    await look(board, claim.claimed_at + timedelta(minutes=5))
    early = "UPDATE leases SET stalled_at = claimed_at WHERE board = $1"
    async with board.writing() as tx:
        await tx.fetch(early, board.id)
    if how == "checkpoint":
        await board.perform("checkpoint", item=claim.item, fence=claim.fence, data={"page": 3})
    else:
        said = {"percent": 10} if how == "percent" else {"progress": "reading"}
        await board.perform("heartbeat", beats=[Beat(item=claim.item, fence=claim.fence, **said)])
    for minutes in (6, 7, 8):
        await look(board, claim.claimed_at + timedelta(minutes=minutes))
    assert len(await told(board, STALLED)) == 2
    await check_fold(board)


async def test_person_is_not_told_to_make_progress(board: BoardUnderTest) -> None:
    await board.add_agent("ada", kind="human")
    claim = await running(board, "ada", time_limit_seconds=5)
    await look(board, claim.claimed_at + timedelta(hours=2))
    assert await told(board, STALLED) == []
    assert await end_overlong(board, claim.claimed_at + timedelta(hours=2)) == []


@pytest.mark.parametrize(("rules", "seconds"), [({}, 1800), ({"time_limit_seconds": 90}, 90),
                                                ({"time_limit_seconds": 7200}, 7200)])  # fmt: skip
async def test_attempt_over_its_time_limit_ends_as_a_failure_and_its_worker_hears_it(
    board: BoardUnderTest, rules: dict[str, Any], seconds: float
) -> None:
    claim = await running(board, **rules)
    assert await end_overlong(board, claim.claimed_at + timedelta(seconds=seconds - 1)) == []
    (row,) = await end_overlong(board, claim.claimed_at + timedelta(seconds=seconds))
    assert (row["item"], row["place"]) == (claim.item, "scheduled")
    (renewed,) = await board.perform("heartbeat", beats=[Beat(item=claim.item, fence=claim.fence)])
    assert isinstance(renewed.error, LeaseLost)
    assert "took longer than its time limit of" in renewed.error.message
    (answer,) = await board.finish(claim, content="late")
    assert isinstance(answer.error, LeaseLost)
    (event,) = await told(board, "board.item.failed")
    assert (event["class"], event["failures"]) == ("transient", 1)
    assert await end_overlong(board, claim.claimed_at + timedelta(days=2)) == []
    await check_fold(board)


async def test_what_is_due_is_told_of_at_three_quarters_and_at_its_end(board: BoardUnderTest, clock: Clock) -> None:
    due = clock.now + timedelta(hours=4)
    await board.post(
        NewArtifact(task="work", name="spec", owner="backend", due=due), tasks=[NewTask(name="work", title="work")]
    )
    created = await board.fetchval("SELECT created_at FROM work_items WHERE board = $1")
    await look(board, created + (due - created) * 0.74)
    assert await told(board, SOON) == []
    for _ in range(2):
        await look(board, created + (due - created) * 0.76)
        assert (len(await told(board, SOON)), await told(board, OVERDUE)) == (1, [])
    for _ in range(2):
        await look(board, due)
    (event,) = await told(board, OVERDUE)
    assert (event["reference"], event["agent"]) == ("work/spec", board.agents["backend"])
    assert datetime.fromisoformat(event["due"]) == due
    await check_fold(board)


async def test_what_was_due_before_it_was_posted_is_overdue_at_once(board: BoardUnderTest, clock: Clock) -> None:
    await board.post(
        NewArtifact(task="work", name="spec", owner="backend", due=clock.now - timedelta(hours=1)),
        tasks=[NewTask(name="work", title="work")],
    )
    await look(board, datetime.now(UTC))
    assert (len(await told(board, OVERDUE)), await told(board, SOON)) == (1, [])


async def test_finished_work_is_not_told_of(board: BoardUnderTest, clock: Clock) -> None:
    items = await board.post(
        NewArtifact(task="work", name="spec", owner="backend", due=clock.now + timedelta(hours=1)),
        tasks=[NewTask(name="work", title="work")],
    )
    await board.complete(*items.values())
    await look(board, clock.now + timedelta(days=1))
    assert (await told(board, SOON), await told(board, OVERDUE)) == ([], [])
    assert await board.fetchval("SELECT count(*) FROM due_marks WHERE board = $1") == 0


async def test_due_that_is_changed_is_told_of_anew(board: BoardUnderTest) -> None:
    await do(board, feature("a: {owner: backend, due: 1h}\nb: {owner: backend, due: 3h}"))
    created = (await item_of(board, "feature/a"))["created_at"]
    await look(board, created + timedelta(hours=1, seconds=1))
    assert [event["reference"] for event in await told(board, OVERDUE)] == ["feature/a"]
    await do(board, feature("a: {owner: backend, due: 10h}\nb: {owner: backend, due: 3h}"))
    await look(board, created + timedelta(hours=2))
    assert await told(board, SOON) == []
    await look(board, created + timedelta(hours=8))
    await look(board, created + timedelta(hours=11))
    assert [event["reference"] for event in await told(board, SOON)] == ["feature/a"]
    assert [event["reference"] for event in await told(board, OVERDUE)] == ["feature/a", "feature/b", "feature/a"]
    await check_fold(board)


async def test_question_that_goes_up_is_due_anew(board: BoardUnderTest) -> None:
    await board.add_agent("ada", kind="human")
    claim = await running(board)
    asked = {"question": "Which?", "of": "cto", "deadline_seconds": 3600.0}
    await board.perform("ask", by="backend", item=claim.item, fence=claim.fence, **asked)
    later = await board.fetchval("SELECT now() + make_interval(hours => 2) WHERE $1 > 0")
    async with board.chores(now=later) as tx:
        await escalations.time_out(tx, limit=MANY)
    latest = await board.fetchval("SELECT max(at) FROM due_marks WHERE board = $1")
    assert latest == later + timedelta(hours=1)
    assert await board.fetchval("SELECT count(*) FROM due_marks WHERE board = $1") == 2


async def test_archived_board_rests_and_a_batch_has_its_limit(board: BoardUnderTest, clock: Clock) -> None:
    due = clock.now + timedelta(hours=1)
    artifacts = [NewArtifact(task="work", name=f"a{number}", owner="backend", due=due) for number in range(3)]
    await board.post(*artifacts, tasks=[NewTask(name="work", title="work")])
    await board.claim(limit=3, lease_seconds=86_400)
    await board.perform("archive_board", reason="over", now=True)
    await look(board, due)
    assert await end_overlong(board, due) == []
    assert await board.fetchval("SELECT count(*) FROM due_marks WHERE board = $1") == 6
    await board.perform("unarchive_board")
    async with board.chores(now=due) as tx:
        counts = [await health.tell_stalled(tx, limit=2) for _ in range(20)]
    assert max(counts) == 2
    assert len(await told(board, STALLED)) == 3
