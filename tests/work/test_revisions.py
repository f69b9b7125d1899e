"""Revisions: complete is final; a better version is new work, and what used the old one is marked stale."""

from __future__ import annotations

import pytest

from slateboard.protocol.errors import UnknownName, VersionConflict, WrongState
from tests.support.boards import BoardUnderTest


async def _stale(board: BoardUnderTest) -> dict[str, str]:
    rows = await board.fetch("SELECT name, stale_because FROM artifacts WHERE board = $1 AND stale_at IS NOT NULL")
    return {row["name"]: row["stale_because"] for row in rows}


async def test_revision_makes_a_new_version_and_gates_nothing_again(board: BoardUnderTest) -> None:
    items = await board.post_graph({"spec": [], "code": ["spec"]})
    await board.complete(items["spec"])
    answer = await board.perform("revise", reference="work/spec", reason="add paging")
    assert (answer["reference"], answer["version"]) == ("work/spec", 1)
    assert await board.place(items["code"]) == "ready"
    claim = await board.claim_item(answer["item"])
    (finished,) = await board.finish(claim, content="v2")
    assert finished.version == 2
    assert await board.fetchval("SELECT count(*) FROM artifact_versions WHERE board = $1") == 2
    (event,) = await board.log(subject="board.artifact.revised")
    assert event.payload["reason"] == "add paging"


async def test_work_that_used_an_older_version_is_stale_whichever_version_it_was(board: BoardUnderTest) -> None:
    items = await board.post_graph({"spec": [], "first": ["spec"], "never": ["spec"]})
    await board.complete(items["spec"], items["first"])
    users = []
    for number in (2, 3):
        revision = (await board.perform("revise", reference="work/spec"))["item"]
        more = await board.post_graph({f"user{number}": ["work/spec"]}, task=f"task{number}")
        assert await board.place(more[f"user{number}"]) == "gated"  # it waits for the version under way
        await board.complete(revision, more[f"user{number}"])
        users.append(f"user{number}")
    assert set(await _stale(board)) == {"first", "user2"}
    revision = (await board.perform("revise", reference="work/spec"))["item"]
    await board.complete(revision)
    # user2 used version 2, which neither the first item nor the newest one made.
    assert set(await _stale(board)) == {"first", *users}
    assert (await _stale(board))["user2"] == "a newer version of work/spec"
    event = (await board.log(subject="board.artifact.staled"))[-1]
    assert {one["owner"] for one in event.payload["artifacts"]} == {board.agents["backend"]}


async def test_revising_what_is_stale_makes_it_fresh(board: BoardUnderTest) -> None:
    items = await board.post_graph({"spec": [], "code": ["spec"]})
    await board.complete(items["spec"], items["code"])
    await board.complete((await board.perform("revise", reference="work/spec"))["item"])
    assert set(await _stale(board)) == {"code"}
    await board.complete((await board.perform("revise", reference="work/code"))["item"])
    assert await _stale(board) == {}


async def test_compare_and_set_on_the_version(board: BoardUnderTest) -> None:
    items = await board.post_graph({"spec": []})
    await board.complete(items["spec"])
    with pytest.raises(VersionConflict) as refused:
        await board.perform("revise", reference="work/spec", expect_version=2)
    assert refused.value.details["version"] == 1
    await board.perform("revise", reference="work/spec", expect_version=1)


@pytest.mark.parametrize("place", ["ready", "claimed", "dead", "cancelled", "revised", "dead revision"])
async def test_only_what_is_complete_can_be_revised(board: BoardUnderTest, place: str) -> None:
    items = await board.post_graph({"spec": []})
    if place == "claimed":
        await board.claim()
    elif place == "dead":
        await board.bury(items["spec"])
    elif place == "cancelled":
        await board.perform("cancel", reference="work/spec")
    elif place in {"revised", "dead revision"}:
        await board.complete(items["spec"])
        revision = (await board.perform("revise", reference="work/spec"))["item"]
        if place == "dead revision":
            await board.bury(revision)
    with pytest.raises(WrongState) as refused:
        await board.perform("revise", reference="work/spec")
    assert refused.value.remedy


async def test_revision_that_was_cancelled_leaves_the_old_version_and_can_be_asked_for_again(
    board: BoardUnderTest,
) -> None:
    items = await board.post_graph({"spec": []})
    await board.complete(items["spec"])
    await board.perform("revise", reference="work/spec")
    await board.perform("cancel", reference="work/spec")
    answer = await board.perform("revise", reference="work/spec")
    assert answer["version"] == 1
    (finished,) = await board.finish(await board.claim_item(answer["item"]))
    assert finished.version == 2


async def test_artifact_that_is_not_there_cannot_be_revised(board: BoardUnderTest) -> None:
    with pytest.raises(UnknownName):
        await board.perform("revise", reference="work/nothing")
