"""The life of a subscription; none of its changes touches another."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from slateboard.protocol.errors import (
    BadName,
    BadSubject,
    DuplicateName,
    Invalid,
    NotYours,
    SlateError,
    UnknownName,
    WrongState,
)
from tests.patterns.conftest import Router
from tests.support.boards import BoardUnderTest

MERGED = "genbrain.events.pr.merged"
WANTED: dict[str, Any] = {"name": "deploy", "patterns": [MERGED], "agent": "backend"}


async def count(board: BoardUnderTest, name: str = "deploy") -> int:
    return await board.fetchval(
        "SELECT count(*) FROM work_items WHERE board = $1 AND kind = 'handle' AND reference = $2", f"{name}/handle"
    )


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"name": "deploy"}, DuplicateName),
        ({"name": "No Name"}, BadName),
        ({"action": "no action"}, BadName),
        ({"patterns": ["a..b"]}, BadSubject),
        ({"patterns": []}, Invalid),
        ({"patterns": ["a"] * 17}, Invalid),
        ({"agent": "nobody"}, UnknownName),
        ({"filter": "$.payload ?"}, Invalid),
        ({"filter": "$.payload == $who"}, Invalid),
        ({"filter": "$" + ".a" * 4_000}, Invalid),
        ({"filter": "$.branch == 1"}, Invalid),
        ({"filter": '$.payload.a == "$.b" && $ . "branch" == 1'}, Invalid),
        ({"ordered_by": "payload."}, Invalid),
        ({"priority": "soon"}, Invalid),
        ({"start": 10_000}, Invalid),
        ({"start": 0}, Invalid),
        ({"start": "yesterday"}, Invalid),
        ({"start": "another-board@1"}, Invalid),
    ],
)
async def test_bad_subscription_is_refused(
    board: BoardUnderTest, arguments: dict[str, Any], error: type[SlateError]
) -> None:
    await board.perform("subscribe", **WANTED)
    with pytest.raises(error):
        await board.perform("subscribe", **{**WANTED, "name": "other", **arguments})
    assert len(await board.perform("list_subscriptions")) == 1


async def test_agent_subscribes_itself_alone(board: BoardUnderTest) -> None:
    await board.perform("subscribe", by="backend", **WANTED)
    with pytest.raises(NotYours):
        await board.perform("subscribe", by="backend", **{**WANTED, "name": "other", "agent": "cto"})
    for operation, arguments in (
        ("unsubscribe", {}),
        ("pause_subscription", {"reason": "so"}),
        ("rewind_subscription", {"to": "now"}),
    ):
        with pytest.raises(NotYours):
            await board.perform(operation, by="frontend", name="deploy", **arguments)


async def test_start_says_where_it_begins(board: BoardUnderTest, router: Router) -> None:
    for number in range(4):
        await board.perform("publish", subject=MERGED, data=number)
    events = await board.log(subject=MERGED)
    third = events[2]
    starts = {
        "all": "beginning", "none": "now", "two": third.position, "cursor": f"{board.name}@{third.position}",
        "time": third.row["happened_at"], "text": third.row["happened_at"].isoformat(),
        "later": dt.datetime.now(dt.UTC) + dt.timedelta(days=1),
    }  # fmt: skip
    for name, start in starts.items():
        await board.perform("subscribe", **{**WANTED, "name": name, "start": start})
    await router.run()
    assert {name: await count(board, name) for name in starts} == {
        "all": 4, "none": 0, "two": 2, "cursor": 2, "time": 2, "text": 2, "later": 0,
    }  # fmt: skip


async def test_paused_subscription_goes_on_where_it_stopped_and_touches_no_other(
    board: BoardUnderTest, router: Router
) -> None:
    await board.perform("subscribe", **WANTED)
    await board.perform("subscribe", **{**WANTED, "name": "other"})
    await board.perform("pause_subscription", name="deploy", reason="a freeze")
    with pytest.raises(WrongState):
        await board.perform("pause_subscription", name="deploy", reason="a freeze")
    await board.perform("publish", subject=MERGED)
    await router.run()
    assert (await count(board), await count(board, "other")) == (0, 1)
    await board.perform("resume_subscription", name="deploy")
    with pytest.raises(WrongState):
        await board.perform("resume_subscription", name="deploy")
    await router.run()
    assert (await count(board), await count(board, "other")) == (1, 1)
    await board.perform("rewind_subscription", name="deploy", to="beginning")
    await router.run()
    assert (await count(board), await count(board, "other")) == (2, 1)
    await board.perform("unsubscribe", name="deploy")
    await board.perform("publish", subject=MERGED)
    await router.run()
    assert (await count(board), await count(board, "other")) == (2, 2)
    assert [event.subject.rpartition(".")[2] for event in await board.log(subject="board.subscription.*")] == [
        "added", "added", "paused", "resumed", "rewound", "removed",
    ]  # fmt: skip


async def test_changed_subscription_keeps_its_place(board: BoardUnderTest, router: Router) -> None:
    await board.perform("subscribe", **WANTED)
    await board.perform("publish", subject=MERGED)
    await router.run()
    changed = await board.perform("change_subscription", **{**WANTED, "patterns": ["genbrain.>"], "agent": "cto"})
    await board.perform("publish", subject="genbrain.events.other")
    await router.run()
    assert await count(board) == 2
    assert len(await board.claim("cto", limit=10)) == 1
    assert changed["cursor"] > 0
