"""Schedules: each due time is published once, whoever leads; missed times once; the clock's own jumps."""

from __future__ import annotations

import asyncio
import datetime as dt

import pytest

from slateboard.patterns import schedules
from slateboard.protocol.errors import BadSubject, Denied, DuplicateName, Invalid, SlateError, UnknownName
from tests.support.boards import BoardUnderTest

TICK = "genbrain.events.tick"


async def test_due_time_is_published_once_whoever_leads_and_missed_ones_once(board: BoardUnderTest) -> None:
    made = await board.perform("schedule", name="tick", cron="* * * * *", subject=TICK, data={"n": 1})

    async def lead(now: dt.datetime) -> None:
        async with board.chores(now=now) as tx:
            await schedules.publish_due(tx)

    first = made["next_at"]
    await lead(first - dt.timedelta(seconds=1))
    assert await board.log(subject=TICK) == []
    await asyncio.gather(*(lead(first) for _ in range(5)))
    assert [event.payload for event in await board.log(subject=TICK)] == [{"n": 1}]
    await lead(first + dt.timedelta(hours=3))
    await lead(first + dt.timedelta(hours=3))
    events = await board.log(subject=TICK)
    assert len(events) == 2
    assert len({event.row["correlation"] for event in events}) == 2
    (row,) = await board.perform("list_schedules")
    assert row["next_at"] == first + dt.timedelta(hours=3, minutes=1)
    await board.perform("unschedule", name="tick")
    with pytest.raises(UnknownName):
        await board.perform("unschedule", name="tick")


@pytest.mark.parametrize(
    ("after", "due"),
    [
        ("2026-03-28T12:00+01:00", "2026-03-29T03:00+02:00"),  # 02:30 is skipped that night
        ("2026-10-24T12:00+02:00", "2026-10-25T02:30+02:00"),
        ("2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"),  # and comes twice in this one
    ],
)
def test_schedule_keeps_to_the_wall_clock_of_its_zone(after: str, due: str) -> None:
    found = schedules.next_time("30 2 * * *", "Europe/Berlin", dt.datetime.fromisoformat(after))
    assert found == dt.datetime.fromisoformat(due)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"cron": "every day"}, Invalid),
        ({"cron": "61 * * * *"}, Invalid),
        ({"cron": "0 0 31 2 *"}, Invalid),
        ({"cron": "* * * * * *"}, Invalid),
        ({"timezone": "Mars/Base"}, Invalid),
        ({"timezone": "../etc"}, Invalid),
        ({"timezone": ""}, Invalid),
        ({"subject": "board.a"}, Denied),
        ({"subject": "a.*"}, BadSubject),
        ({"name": "tick"}, DuplicateName),
    ],
)
async def test_bad_schedule_is_refused(
    board: BoardUnderTest, arguments: dict[str, str], error: type[SlateError]
) -> None:
    await board.perform("schedule", name="tick", cron="* * * * *", subject=TICK)
    with pytest.raises(error):
        await board.perform("schedule", **{"name": "other", "cron": "0 9 * * *", "subject": TICK, **arguments})
    assert len(await board.perform("list_schedules")) == 1
