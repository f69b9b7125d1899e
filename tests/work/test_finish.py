"""Finish: accepted once, under the fence that holds the item, with everything that follows from it in one commit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from slateboard.interfaces.operations import perform
from slateboard.protocol.errors import Denied, FinishConflict, Invalid, LeaseLost, NotYours, TooLarge
from slateboard.protocol.rights import Actor, Right
from slateboard.protocol.states import Outcome
from slateboard.protocol.work import Beat, Finish, Result
from tests.support.boards import BoardUnderTest


async def test_finish_makes_a_version_an_attempt_and_an_event(board: BoardUnderTest) -> None:
    items = await board.post_graph({"spec": []})
    (claim,) = await board.claim()
    usage = {"model": "m", "output_tokens": 12}
    (answer,) = await board.finish(
        claim,
        content="openapi: 3.1",
        hash="sha256:00",
        size_bytes=12,
        summary="done",
        note="see",
        usage=usage,
        by="backend",
    )
    assert (answer.version, answer.error) == (1, None)
    (version,) = await board.fetch("SELECT * FROM artifact_versions WHERE board = $1")
    assert (version["artifact"], version["version"], version["fence"], version["author"]) == (
        items["spec"], 1, claim.fence, "backend",
    )  # fmt: skip
    (attempt,) = await board.fetch("SELECT * FROM attempts WHERE board = $1")
    assert (attempt["outcome"], attempt["attempt"], attempt["worker"], attempt["note"]) == ("completed", 1, "w1", "see")
    (event,) = await board.log(subject="board.artifact.completed")
    assert event.payload["reference"] == "work/spec"
    assert event.payload["usage"] == usage
    claimed = (await board.log(subject="board.item.claimed"))[0]
    assert event.row["cause"] == claimed.row["id"]
    assert await board.place(items["spec"]) == "done"


async def test_repeated_finish_answers_as_the_first_time(board: BoardUnderTest) -> None:
    await board.post_graph({"spec": []})
    (claim,) = await board.claim()
    first = await board.finish(claim, content="a", summary="s")
    assert await board.finish(claim, content="a", summary="s") == first
    assert await board.fetchval("SELECT count(*) FROM artifact_versions WHERE board = $1") == 1


async def test_finish_repeated_with_other_content_is_a_conflict_and_changes_nothing(board: BoardUnderTest) -> None:
    await board.post_graph({"spec": []})
    (claim,) = await board.claim()
    await board.finish(claim, content="a")
    (answer,) = await board.finish(claim, content="b")
    assert isinstance(answer.error, FinishConflict)
    assert answer.error.remedy
    assert await board.fetchval("SELECT content FROM artifact_versions WHERE board = $1") == "a"


async def test_finish_under_an_old_fence_is_refused_and_names_the_holder(board: BoardUnderTest) -> None:
    await board.post_graph({"spec": []})
    (old,) = await board.claim(worker="slow")
    await board.give_back(old, Outcome.RELEASED)
    (new,) = await board.claim(worker="quick")
    (answer,) = await board.finish(old, content="late")
    assert isinstance(answer.error, LeaseLost)
    (beat,) = await board.perform("heartbeat", beats=[Beat(item=old.item, fence=old.fence)])
    assert isinstance(beat.error, LeaseLost)
    (answer,) = await board.finish(new, content="in time")
    assert answer.version == 1


async def test_finish_that_was_never_claimed_is_refused(board: BoardUnderTest) -> None:
    items = await board.post_graph({"spec": []})
    finishes = [Finish(item=items["spec"], fence=1, result=Result()), Finish(item=1, fence=1, result=Result())]
    answers, _ = await board.perform("finish", finishes=finishes)
    assert all(isinstance(answer.error, LeaseLost) for answer in answers)
    assert await board.place(items["spec"]) == "ready"


async def test_agent_cannot_finish_what_another_agent_holds(board: BoardUnderTest) -> None:
    await board.post_graph({"spec": []})
    (claim,) = await board.claim("backend")
    (answer,) = await board.finish(claim, by="frontend")
    assert isinstance(answer.error, NotYours)
    assert await board.place(claim.item) == "claimed"
    (answer,) = await board.finish(claim, by="backend")
    assert answer.version == 1


async def test_who_acts_for_an_agent_by_a_database_url_is_held_to_its_claims(board: BoardUnderTest) -> None:
    await board.post_graph({"spec": [], "a": []})
    claim, other = await board.claim("backend", limit=2)
    acting = Actor(name="frontend", right=Right.ADMIN, agent=board.agents["frontend"], board=board.id)
    finishing = {"finishes": [Finish(item=claim.item, fence=claim.fence, result=Result(content="x"))]}
    (answer,), _ = await perform(board.database, acting, board.id, "finish", finishing)
    assert isinstance(answer.error, NotYours)
    with pytest.raises(NotYours):
        await perform(board.database, acting, board.id, "checkpoint", {"item": claim.item, "fence": claim.fence})
    assert await board.place(claim.item) == "claimed"
    (answer,) = await board.finish(claim)
    assert answer.version == 1
    await board.add_agent("chief", right="admin")
    (answer,) = await board.finish(other, by="chief")
    assert answer.version == 1


async def test_reader_cannot_finish(board: BoardUnderTest) -> None:
    await board.add_agent("auditor", right="reader")
    await board.post_graph({"spec": []})
    (claim,) = await board.claim("backend")
    with pytest.raises(Denied):
        await board.finish(claim, by="auditor")


async def test_batch_keeps_its_answers_apart_when_some_claims_are_stale(board: BoardUnderTest) -> None:
    await board.post_graph({f"n{number}": [] for number in range(6)})
    claims = await board.claim(limit=6)
    stale = {claims[1].item, claims[4].item}
    for claim in (claims[1], claims[4]):
        await board.give_back(claim, Outcome.RELEASED)
    finishes = [
        Finish(item=claim.item, fence=claim.fence, result=Result(content=f"of {claim.item}", path=None))
        for claim in claims
    ]
    answers, _ = await board.perform("finish", finishes=list(reversed(finishes)))
    assert [answer.item for answer in answers] == [claim.item for claim in reversed(claims)]
    for answer in answers:
        assert isinstance(answer.error, LeaseLost) == (answer.item in stale)
    rows = await board.fetch("SELECT artifact, content FROM artifact_versions WHERE board = $1")
    assert {row["artifact"]: row["content"] for row in rows} == {
        claim.item: f"of {claim.item}" for claim in claims if claim.item not in stale
    }


async def test_item_twice_in_one_batch_is_refused_whole(board: BoardUnderTest) -> None:
    await board.post_graph({"spec": []})
    (claim,) = await board.claim()
    with pytest.raises(Invalid, match="twice"):
        await board.finish(claim, claim)
    assert await board.place(claim.item) == "claimed"


async def test_batch_of_more_than_a_thousand_is_refused(board: BoardUnderTest) -> None:
    finishes = [Finish(item=number, fence=1, result=Result()) for number in range(1001)]
    with pytest.raises(Invalid, match="1000"):
        await board.perform("finish", finishes=finishes)


async def test_empty_batch_is_answered_empty(board: BoardUnderTest) -> None:
    assert await board.finish() == []


async def test_content_over_a_mebibyte_is_refused_and_the_claim_stays(board: BoardUnderTest) -> None:
    await board.post_graph({"spec": []})
    (claim,) = await board.claim()
    with pytest.raises(TooLarge, match="1 MiB") as refused:
        await board.finish(claim, content="é" * 524_289)
    assert "file" in refused.value.remedy
    assert await board.place(claim.item) == "claimed"
    (answer,) = await board.finish(claim, content="x" * 1_048_576)
    assert answer.version == 1


@pytest.mark.parametrize(
    "result",
    [
        {"content": "nul \x00 inside"},
        {"content": "half a pair \ud800"},
        {"usage": {"cost": float("nan")}},
        {"usage": {"cost": {1, 2}}},
        {"usage": {"text": "\x00"}},
        {"size_bytes": 2**70},
        {"summary": "x" * 70_000},
    ],
)
async def test_value_that_cannot_be_stored_is_invalid_and_changes_nothing(
    board: BoardUnderTest, result: dict[str, Any]
) -> None:
    await board.post_graph({"spec": []})
    (claim,) = await board.claim()
    with pytest.raises(Invalid) as refused:
        await board.finish(claim, **result)
    assert refused.value.remedy
    assert await board.place(claim.item) == "claimed"


async def test_heartbeat_with_an_old_fence_is_told_apart_from_the_one_that_holds(board: BoardUnderTest) -> None:
    await board.post_graph({"spec": []})
    (old,) = await board.claim()
    await board.give_back(old, Outcome.RELEASED)
    (new,) = await board.claim()
    beats = [Beat(item=old.item, fence=old.fence), Beat(item=new.item, fence=new.fence)]
    stale, live = await board.perform("heartbeat", beats=beats)
    assert isinstance(stale.error, LeaseLost)
    assert stale.expires_at is None
    assert live.error is None


async def test_late_finish_is_accepted_as_long_as_the_item_was_not_taken_back(board: BoardUnderTest) -> None:
    await board.post_graph({"spec": []})
    (claim,) = await board.claim(lease_seconds=0.001)
    (answer,) = await board.finish(claim, content="late but first")
    assert answer.version == 1


async def test_finish_costs_one_statement_and_a_repetition_two(board: BoardUnderTest, queries: Any) -> None:
    await board.post_graph({f"n{number}": [] for number in range(20)})
    claims = await board.claim(limit=20)
    async with queries.counted():
        await board.finish(*claims, content="a")
    assert queries.count == 1, queries.statements
    async with queries.counted():
        await board.finish(*claims, content="a")
    assert queries.count == 2, queries.statements


async def test_result_of_many_fields_is_recognised_by_each_of_them(board: BoardUnderTest) -> None:
    await board.post_graph({"spec": []})
    (claim,) = await board.claim()
    whole = Result(path="/a", uri="file:///a", content="c", hash="h", summary="s", note="n", usage={"a": 1, "b": 2})
    await board.perform("finish", finishes=[Finish(item=claim.item, fence=claim.fence, result=whole)])
    for change in ({"path": "/b"}, {"uri": "x"}, {"content": "d"}, {"hash": "i"}, {"summary": None}, {"note": ""}):
        other = Finish(item=claim.item, fence=claim.fence, result=replace(whole, **change))
        answers, _ = await board.perform("finish", finishes=[other])
        assert isinstance(answers[0].error, FinishConflict), change
    same = Finish(item=claim.item, fence=claim.fence, result=replace(whole, usage={"b": 2, "a": 1}))
    answers, _ = await board.perform("finish", finishes=[same])
    assert answers[0].version == 1
