"""Claims: exclusive, the highest rating first, never of what is held back."""

from __future__ import annotations

import asyncio

import pytest

from slateboard.protocol.errors import Denied, Invalid, NotYours, Paused, WrongState
from slateboard.protocol.work import NewArtifact, NewTask
from tests.factories import NewArtifactFactory, NewTaskFactory
from tests.support.boards import BoardUnderTest


async def test_ready_item_is_claimed_with_a_lease_and_a_fence(board: BoardUnderTest) -> None:
    items = await board.post_graph({"spec": []})
    (claim,) = await board.claim()
    assert (claim.item, claim.reference, claim.attempt) == (items["spec"], "work/spec", 1)
    assert (claim.expires_at - claim.claimed_at).total_seconds() == 60
    assert await board.place(claim.item) == "claimed"
    assert await board.claim() == []


async def test_urgent_comes_before_high_before_medium_before_low(board: BoardUnderTest) -> None:
    names = ("low", "medium", "urgent", "high")
    artifacts = [NewArtifactFactory.build(name=name, priority=name) for name in names]
    await board.post(*artifacts, tasks=[NewTask(name="work", title="work")])
    claims = await board.claim(limit=10)
    assert [claim.reference for claim in claims] == ["work/urgent", "work/high", "work/medium", "work/low"]


async def test_equals_are_served_in_the_order_in_which_they_came(board: BoardUnderTest) -> None:
    items = await board.post_graph({f"n{number}": [] for number in range(9)})
    claims = await board.claim(limit=9)
    assert [claim.item for claim in claims] == list(items.values())


async def test_fences_grow_from_claim_to_claim(board: BoardUnderTest) -> None:
    await board.post_graph({f"n{number}": [] for number in range(5)})
    claims = [(await board.claim())[0] for _ in range(5)]
    fences = [claim.fence for claim in claims]
    assert fences == sorted(set(fences))


async def test_thirty_two_claimers_get_one_item_once(board: BoardUnderTest) -> None:
    await board.post_graph({"only": []})
    got = await asyncio.gather(*(board.claim(worker=f"w{number}") for number in range(32)))
    assert sum(len(claims) for claims in got) == 1


async def test_claimers_at_once_share_the_queue_without_an_item_twice(board: BoardUnderTest) -> None:
    items = await board.post_graph({f"n{number}": [] for number in range(100)})
    taken: list[int] = []

    async def drain(worker: str) -> None:
        for _ in range(100):
            claims = await board.claim(limit=7, worker=worker)
            if not claims and len(taken) == 100:
                return
            taken.extend(claim.item for claim in claims)

    await asyncio.gather(*(drain(f"w{number}") for number in range(8)))
    assert sorted(taken) == sorted(items.values())


async def test_agent_does_not_see_the_items_of_another(board: BoardUnderTest) -> None:
    items = await board.post_graph({"spec": []}, owner="backend")
    assert await board.claim("frontend") == []
    with pytest.raises(NotYours):
        await board.claim_item(items["spec"], "frontend")


async def test_open_artifact_goes_to_anybody_and_a_capability_only_to_who_has_it(board: BoardUnderTest) -> None:
    await board.add_agent("painter", capabilities=["css"])
    await board.post(
        NewArtifact(task="work", name="open"),
        NewArtifact(task="work", name="style", capability="css"),
        tasks=[NewTask(name="work", title="work")],
    )
    assert [claim.reference for claim in await board.claim("backend", limit=10)] == ["work/open"]
    assert await board.perform("has_work", agent=board.agents["backend"]) is False
    assert await board.perform("has_work", agent=board.agents["painter"]) is True
    assert [claim.reference for claim in await board.claim("painter", limit=10)] == ["work/style"]


async def test_artifact_without_owner_goes_to_the_agent_of_its_task(board: BoardUnderTest) -> None:
    await board.post(NewArtifact(task="work", name="spec"), tasks=[NewTask(name="work", title="work", agent="cto")])
    assert await board.claim("backend") == []
    assert len(await board.claim("cto")) == 1


async def test_boards_are_isolated_from_each_other(board: BoardUnderTest, database: object) -> None:
    from tests.support.boards import new_board

    other = await new_board(board.database, f"{board.name}-other", agents=("backend",))
    await other.post_graph({"spec": []})
    assert await board.claim("backend") == []
    actor = other.actor("backend")
    from slateboard.interfaces.operations import perform

    with pytest.raises(Denied, match="another board"):
        await perform(board.database, actor, board.id, "has_work", {"agent": actor.agent})
    assert len(await other.claim("backend")) == 1


@pytest.mark.parametrize("level", ["agent", "board", "everything"])
async def test_pause_stops_claims_and_says_why_until_it_is_resumed(board: BoardUnderTest, level: str) -> None:
    await board.post_graph({"spec": []})
    if level == "everything":
        # Everything is everything: other tests' boards in this process would stop too, so it is rolled back.
        from slateboard.board import boards
        from slateboard.work import claims

        async with board.database.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            from slateboard.protocol.rights import ADMINISTRATOR
            from slateboard.transaction import Transaction

            tx = Transaction(connection, ADMINISTRATOR, board.id)
            tx.now = await connection.fetchval("SELECT now()")
            await boards.pause(tx, everything=True, reason="fire drill")
            async with connection.transaction():
                assert await claims.has_work(tx, agent=board.agents["backend"]) is False
            with pytest.raises(Exception, match="everything is paused: fire drill"):
                await claims.claim(tx, agent=board.agents["backend"], worker="w", lease_seconds=60)
            await transaction.rollback()
        return
    scope = {"agent": "backend"} if level == "agent" else {}
    await board.perform("pause", reason="fire drill", **scope)
    with pytest.raises(Paused, match="paused: fire drill") as refused:
        await board.claim()
    assert "resume" in refused.value.remedy
    assert await board.perform("has_work", agent=board.agents["backend"]) is False
    await board.perform("resume", **scope)
    assert len(await board.claim()) == 1


async def test_pause_of_one_agent_leaves_the_others_at_work(board: BoardUnderTest) -> None:
    await board.post_graph({"spec": []}, owner="frontend")
    await board.perform("pause", agent="backend")
    assert len(await board.claim("frontend")) == 1


async def test_what_runs_runs_on_through_a_pause(board: BoardUnderTest) -> None:
    await board.post_graph({"spec": []})
    (claim,) = await board.claim()
    await board.perform("pause")
    (answer,) = await board.finish(claim)
    assert answer.version == 1
    await board.perform("resume")


async def test_has_work_takes_nothing(board: BoardUnderTest) -> None:
    agent = board.agents["backend"]
    assert await board.perform("has_work", agent=agent) is False
    items = await board.post_graph({"spec": [], "code": ["spec"]})
    assert await board.perform("has_work", agent=agent) is True
    assert await board.place(items["spec"]) == "ready"
    await board.claim()
    assert await board.perform("has_work", agent=agent) is False


@pytest.mark.parametrize("place", ["claimed", "gated", "done", "unknown"])
async def test_item_that_cannot_be_had_says_why(board: BoardUnderTest, place: str) -> None:
    items = await board.post_graph({"spec": [], "code": ["spec"]})
    item = items["spec"]
    if place == "claimed":
        await board.claim(worker="somebody")
    elif place == "gated":
        item = items["code"]
    elif place == "done":
        await board.complete(item)
    else:
        item = 1
    with pytest.raises(WrongState) as refused:
        await board.claim_item(item)
    assert refused.value.remedy
    if place == "claimed":
        assert refused.value.details["holder"] == "somebody"
        assert "until" in refused.value.details


@pytest.mark.parametrize("limit", [0, -1, 1001])
async def test_batch_of_a_claim_is_bounded(board: BoardUnderTest, limit: int) -> None:
    with pytest.raises(Invalid, match="1 to 1000"):
        await board.claim(limit=limit)


@pytest.mark.parametrize("seconds", [0, -1, 86_401, float("nan"), float("inf")])
async def test_lease_is_above_zero_and_at_most_a_day(board: BoardUnderTest, seconds: float) -> None:
    with pytest.raises(Invalid, match="24 h"):
        await board.claim(lease_seconds=seconds)


async def test_claim_call_appends_one_event_for_all_its_items(board: BoardUnderTest) -> None:
    await board.post(*NewArtifactFactory.build_batch(5), tasks=[NewTaskFactory.build(name="work")])
    claims = await board.claim(limit=5)
    (event,) = await board.log(subject="board.item.claimed")
    assert event.payload["items"] == [[claim.item, claim.fence, 1] for claim in claims]


async def test_claim_that_finds_nothing_appends_no_event(board: BoardUnderTest) -> None:
    await board.claim()
    assert await board.log(subject="board.item.claimed") == []
