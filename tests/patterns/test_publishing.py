"""What is published: by whom, under which subjects, how large, and once for an id."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from typing import Any

import pytest

from slateboard.patterns import publishing
from slateboard.protocol.errors import BadSubject, Denied, Invalid, SlateError, TooLarge
from tests.support.boards import BoardUnderTest

MERGED = "genbrain.events.pr.merged"


async def test_published_event_stands_in_the_log_as_it_was_given(board: BoardUnderTest) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = await board.perform(
        "publish", by="backend", subject=MERGED, data={"pr": 7}, correlation="c1", cause=5, traceparent=trace
    )
    (event,) = await board.log(subject="genbrain.>")
    assert (event.payload, event.row["actor"], event.row["correlation"]) == ({"pr": 7}, "backend", "c1")
    assert (event.row["cause"], event.row["traceparent"], event.row["depth"]) == (5, trace, 0)
    assert answer == {"event": event.row["id"], "subject": MERGED, "correlation": "c1", "repeated": False}


async def test_what_is_published_without_a_correlation_gets_one(board: BoardUnderTest) -> None:
    answer = await board.perform("publish", subject=MERGED)
    (event,) = await board.log(subject=MERGED)
    assert event.row["correlation"] == answer["correlation"] != ""
    assert event.payload is None


async def test_what_is_published_under_a_claim_belongs_to_that_work(board: BoardUnderTest) -> None:
    from slateboard.interfaces.operations import perform

    items = await board.post_graph({"a": []})
    claim = await board.claim_item(items["a"])
    under = (claim.item, claim.fence)
    arguments = {"subject": MERGED}
    answer = await perform(board.database, board.actor("backend"), board.id, "publish", arguments, under=under)
    (event,) = await board.log(subject=MERGED)
    (claimed,) = await board.log(subject="board.item.claimed")
    assert answer["correlation"] == claim.correlation
    assert event.row["cause"] == claimed.row["id"]


@pytest.mark.parametrize(
    ("by", "subject", "error"),
    [
        ("backend", "board.item.claimed", Denied),
        (None, "board.item.claimed", Denied),
        ("backend", "genbrain.dlq.backend", Denied),
        ("backend", "genbrain.events", Denied),
        ("backend", "other.events.a", Denied),
        ("backend", "genbrain.events.*", BadSubject),
        ("backend", "genbrain.events.a b", BadSubject),
        ("backend", "genbrain.events.", BadSubject),
        ("boss", "deploys.done", None),
    ],
)
async def test_subject_must_be_the_actors_to_publish_under(
    board: BoardUnderTest, by: str | None, subject: str, error: type[SlateError] | None
) -> None:
    await board.add_agent("boss", right="operator")
    if error is None:
        await board.perform("publish", by=by, subject=subject)
        return
    with pytest.raises(error):
        await board.perform("publish", by=by, subject=subject)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"data": "x" * publishing.MAX_PAYLOAD_BYTES}, TooLarge),
        ({"data": float("nan")}, Invalid),
        ({"data": {"a": {1, 2}}}, Invalid),
        ({"data": "a\x00b"}, Invalid),
        ({"data": "\ud800"}, Invalid),
        ({"correlation": "a\nb"}, Invalid),
        ({"correlation": "c" * 256}, Invalid),
        ({"id": "i" * 256}, Invalid),
        ({"id": ""}, Invalid),
        ({"cause": 0}, Invalid),
        ({"traceparent": "00-1"}, Invalid),
    ],
)
async def test_bad_input_is_refused_and_leaves_nothing(
    board: BoardUnderTest, arguments: dict[str, Any], error: type[SlateError]
) -> None:
    with pytest.raises(error):
        await board.perform("publish", subject=MERGED, **arguments)
    assert await board.log(subject=MERGED) == []


async def test_letters_of_an_escape_are_letters(board: BoardUnderTest) -> None:
    data = {r"\u0000": r"a \u0000, a \\u0000 and a \ at the end: \\"}
    await board.perform("publish", subject=MERGED, data=data)
    (event,) = await board.log(subject=MERGED)
    assert json.loads(event.row["payload"]) == data
    with pytest.raises(Invalid, match="NUL"):
        await board.perform("publish", subject=MERGED, data={**data, "": "\\\x00"})


async def test_twins_with_one_id_are_appended_once(board: BoardUnderTest) -> None:
    answers = await asyncio.gather(
        *(board.perform("publish", by="backend", subject=MERGED, data=number, id="pr-7") for number in range(8))
    )
    (event,) = await board.log(subject=MERGED)
    assert sorted(answer["repeated"] for answer in answers) == [False] + [True] * 7
    assert {(answer["event"], answer["correlation"]) for answer in answers} == {
        (event.row["id"], event.row["correlation"])
    }


async def test_id_is_free_again_after_two_minutes(board: BoardUnderTest) -> None:
    first = await board.perform("publish", subject=MERGED, id="pr-7")
    later = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=publishing.REPEAT_SECONDS + 1)
    async with board.writing(now=later) as tx:
        second = await publishing.publish(tx, subject=MERGED, id="pr-7")
    assert (second["repeated"], second["event"] > first["event"]) == (False, True)


async def test_ids_are_forgotten_when_their_time_is_over(board: BoardUnderTest) -> None:
    await board.perform("publish", subject=MERGED, id="pr-7")
    async with board.chores() as tx:
        await publishing.forget(tx)
    assert await board.fetchval("SELECT count(*) FROM published_ids WHERE board = $1") == 1
    async with board.chores(now=dt.datetime.now(dt.UTC) + dt.timedelta(minutes=3)) as tx:
        assert await publishing.forget(tx) >= 1
    assert await board.fetchval("SELECT count(*) FROM published_ids WHERE board = $1") == 0
