"""Dead letters: searched, redriven and discarded one or many, told of, bounded in number and in attempts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from slateboard.protocol.errors import (
    BadSubject,
    Denied,
    HasDependents,
    Invalid,
    SlateError,
    TriedTooOften,
    UnknownName,
    WrongState,
)
from slateboard.protocol.states import FailureClass
from slateboard.protocol.work import NewArtifact, NewTask
from slateboard.work import dead_letters
from tests.support.boards import BoardUnderTest
from tests.support.live import check_fold


async def bury(board: BoardUnderTest, *names: str, delegator: str | None = None, **more: Any) -> dict[str, int]:
    """Dead letters of a task, by name; of a kind that opens no breaker."""
    made = [NewArtifact(task="work", name=name, owner="backend", max_attempts=1, **more) for name in names]
    items = await board.post(*made, tasks=[NewTask(name="work", title="work", delegator=delegator)])
    for name in names:
        await board.fail(await board.claim_item(items[f"work/{name}"]), FailureClass.VALIDATION)
    return {name: items[f"work/{name}"] for name in names}


async def found(board: BoardUnderTest, **search: Any) -> list[str]:
    page = await board.perform("list_dead_letters", **search)
    again = await board.perform("redrive", dry_run=True, **(search or {"everything": True}))
    assert sorted(again["redriven"]) == sorted(row["reference"] for row in page.rows)
    return again["redriven"]


async def test_search_finds_by_class_agent_subject_text_and_age(board: BoardUnderTest) -> None:
    await bury(board, "a", "b")
    claim = await board.claim_item((await board.post(NewArtifact(task="work", name="c", owner="frontend")))["work/c"],
                                   "frontend")  # fmt: skip
    await board.fail(claim, FailureClass.LOGIC, "the printer is on FIRE")
    await board.fetch("UPDATE dead_letters SET class = 'poison' WHERE board = $1 AND agent = $2 RETURNING 1",
                      board.agents["frontend"])  # fmt: skip
    assert len(await found(board)) == 3
    assert await found(board, agent="frontend") == ["work/c"]
    assert await found(board, failure_class="poison") == ["work/c"]
    assert await found(board, search="on fire") == ["work/c"]
    assert await found(board, search="work/b") == ["work/b"]
    assert await found(board, older_than_seconds=3600) == []
    assert len(await found(board, newer_than_seconds=3600)) == 3
    assert await found(board, subject="genbrain.>") == []
    assert (await board.perform("redrive", everything=True, limit=2, dry_run=True))["more"] is True


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({}, Invalid),
        ({"items": [1], "everything": True}, Invalid),
        ({"agent": "nobody"}, UnknownName),
        ({"older_than_seconds": -1}, Invalid),
        ({"subject": "a..b"}, BadSubject),
        ({"everything": True, "limit": 0}, Invalid),
        ({"items": [2**40]}, WrongState),
    ],
)
async def test_bad_choice_of_dead_letters(
    board: BoardUnderTest, arguments: dict[str, Any], error: type[SlateError]
) -> None:
    with pytest.raises(error):
        await board.perform("redrive", **arguments)
    with pytest.raises(SlateError):
        await board.perform("discard", reason="no", **arguments)


async def test_what_is_alive_is_not_redriven_nor_discarded_and_a_discard_has_a_reason(board: BoardUnderTest) -> None:
    alive = (await board.post_graph({"spec": []}))["spec"]
    for operation in ("redrive", "discard"):
        with pytest.raises(WrongState, match="no dead letter"):
            await board.perform(operation, items=[alive], **({"reason": "no"} if operation == "discard" else {}))
    with pytest.raises(Invalid, match="reason"):
        await board.perform("discard", items=[alive], reason=" ")
    with pytest.raises(Denied):
        await board.perform("redrive", by="backend", everything=True)
    assert await board.place(alive) == "ready"


async def test_many_are_redriven_or_discarded_with_a_preview_first(board: BoardUnderTest) -> None:
    items = await bury(board, "a", "b", "c")
    await board.post(NewArtifact(task="work", name="behind", owner="backend", blocked_by=("a",)))
    with pytest.raises(HasDependents):
        await board.perform("discard", everything=True, reason="no", dry_run=True)
    shown = await board.perform("discard", everything=True, reason="no", cascade=True, dry_run=True)
    assert sorted(shown["discarded"]) == ["work/a", "work/b", "work/behind", "work/c"]
    assert {await board.place(item) for item in items.values()} == {"dead"}
    assert (await board.perform("redrive", search="work/a"))["redriven"] == ["work/a"]
    done = await board.perform("discard", everything=True, reason="no", limit=1)
    assert (done["discarded"], done["more"]) == (["work/b"], True)
    done = await board.perform("discard", failure_class="validation", reason="no")
    assert (done["discarded"], done["more"]) == (["work/c"], False)
    assert (await board.perform("discard", everything=True, reason="no"))["discarded"] == []
    await check_fold(board)


async def test_delegator_is_told_in_the_commit_of_the_death_once_for_each_task(board: BoardUnderTest) -> None:
    items = await bury(board, "a", "b", delegator="cto")
    (asked,) = (await board.perform("list_escalations", agent="cto")).rows
    assert (asked["kind"], asked["reference"], asked["options"]) == ("failure", "work", ["redrive", "leave"])
    assert "work/a is a dead letter (validation): it broke" in asked["question"]
    (duty,) = await board.claim("cto")
    assert (duty.kind, duty.item) == ("answer", asked["item"])
    await board.finish(duty, by="cto", content="redrive")
    assert {await board.place(item) for item in items.values()} == {"ready"}
    await board.bury(items["a"])
    assert len((await board.perform("list_escalations", agent="cto")).rows) == 1
    await check_fold(board)


async def test_expired_leases_that_end_as_poison_are_told_of_too(board: BoardUnderTest) -> None:
    items = await board.post(
        NewArtifact(task="work", name="a", owner="backend"),
        tasks=[NewTask(name="work", title="work", delegator="cto")],
    )
    for _ in range(10):
        await board.claim_item(items["work/a"])
        await board.expire(now=datetime.now(UTC) + timedelta(hours=1))
    assert await board.place(items["work/a"]) == "dead"
    (asked,) = (await board.perform("list_escalations", agent="cto")).rows
    assert "(poison)" in asked["question"]
    await check_fold(board)


async def test_three_in_an_hour_from_one_agent_escalate_to_its_manager_once(board: BoardUnderTest) -> None:
    await board.fetch(
        "UPDATE agents SET manager = $2 WHERE board = $1 AND name = 'backend' RETURNING 1", board.agents["cto"]
    )
    items = await bury(board, "a", "b")
    assert (await board.perform("list_escalations")).rows == []
    await board.perform("redrive", everything=True)
    for item in items.values():
        await board.fail(await board.claim_item(item), FailureClass.VALIDATION)
    assert (await board.perform("list_escalations")).rows == []
    more = [NewArtifact(task="work", name=name, owner="backend", max_attempts=1) for name in "cde"]
    for item in (await board.post(*more)).values():
        await board.fail(await board.claim_item(item), FailureClass.VALIDATION)
    (asked,) = (await board.perform("list_escalations")).rows
    assert (asked["kind"], asked["reference"], asked["owner"]) == ("failures", "backend", "cto")
    await board.perform("answer", by="cto", escalation=asked["item"], answer="I look at it")
    assert (await board.perform("list_escalations")).rows == []


async def test_poison_cannot_go_round_for_ever(board: BoardUnderTest) -> None:
    items = await bury(board, "a", "b", delegator="cto")
    bound = dead_letters.MAX_ATTEMPTS_IN_ALL
    await board.fetch("UPDATE work_items SET attempts = $2 WHERE board = $1 AND id = $3 RETURNING 1", bound, items["a"])
    with pytest.raises(TriedTooOften, match="40 times"):
        await board.perform("redrive", items=list(items.values()))
    assert await board.place(items["b"]) == "dead"
    told = await board.perform("redrive", everything=True)
    assert (told["redriven"], told["refused"]) == (["work/b"], 1)
    (asked,) = (await board.perform("list_escalations", agent="cto")).rows
    await board.perform("answer", escalation=asked["item"], answer="redrive")
    assert await board.place(items["a"]) == "dead"


@pytest.mark.parametrize("more", [{"rules": {"max_idle_attempts": 50}}, {"max_attempts": 50}])
async def test_what_may_take_many_attempts_can_be_brought_back_all_the_same(
    board: BoardUnderTest, more: dict[str, Any]
) -> None:
    made = NewArtifact(task="work", name="a", owner="backend", **more)
    item = (await board.post(made, tasks=[NewTask(name="work", title="work", delegator="cto")]))["work/a"]
    set_to = "UPDATE work_items SET attempts = $2 WHERE board = $1 AND id = $3 RETURNING 1"
    await board.fetch(set_to, 49, item)
    await board.fail(await board.claim_item(item), FailureClass.LOGIC)
    assert (await board.perform("redrive", everything=True, dry_run=True))["redriven"] == ["work/a"]
    (asked,) = (await board.perform("list_escalations", agent="cto")).rows
    await board.perform("answer", escalation=asked["item"], answer="redrive")
    assert await board.place(item) == "ready"
    await board.fetch(set_to, 99, item)
    await board.fail(await board.claim_item(item), FailureClass.LOGIC)
    with pytest.raises(TriedTooOften, match="100 times"):
        await board.perform("redrive", items=[item])


async def test_oldest_beyond_the_limit_are_archived_with_an_event(
    board: BoardUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "MAX_DEAD_LETTERS", 2)
    items = await bury(board, "a", "b", "c", "d")
    behind = (await board.post(NewArtifact(task="work", name="z", owner="backend", blocked_by=("a",))))["work/z"]
    await board.fetch("UPDATE dead_letters SET died_at = died_at - interval '1 day' WHERE board = $1"
                      " AND item = $2 RETURNING 1", items["d"])  # fmt: skip
    async with board.chores() as tx:
        assert await dead_letters.archive(tx) >= 2
    assert [await board.place(items[name]) for name in "abcd"] == ["cancelled", "dead", "dead", "cancelled"]
    assert await board.place(behind) == "gated"
    told = await board.log(subject="board.item.discarded")
    assert {event.payload["reason"] for event in told} == {dead_letters.ARCHIVED}
