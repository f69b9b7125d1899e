"""The sequencer's loop: what is appended gets into the log, soon, and the outbox stays small."""

from __future__ import annotations

import asyncio
import time

import pytest

from slateboard.log import sequence
from slateboard.protocol.names import BoardId
from slateboard.protocol.rights import SYSTEM
from slateboard.server import sealing
from slateboard.server.duty import Duty
from slateboard.server.sealing import Pace, Rotation
from slateboard.transaction import hot
from tests.server.conftest import Told
from tests.support.boards import BoardUnderTest


async def test_seal_moves_events_to_the_log_and_tells_who_follows(
    board: BoardUnderTest, duty: Duty, told: Told
) -> None:
    await board.post_graph({"a": []})
    async with hot(board.database, SYSTEM, BoardId(0)) as tx:
        assert await sealing.seal_once(tx, duty) > 0
        assert board.id in told.sealed
        assert await sequence.backlog(tx) == 0
    assert (await board.perform("log_head")) > 0


async def test_write_of_this_process_is_sealed_without_waiting_for_the_next_look(
    board: BoardUnderTest, duty: Duty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "IDLE_PAUSE_SECONDS", 60.0)
    monkeypatch.setattr(sealing, "GROWTH", 1e6)
    heard: asyncio.Queue[int] = asyncio.Queue()
    duty.sealed = heard.put_nowait
    running = asyncio.create_task(sealing.seal_for_ever(duty))
    await board.perform("decide", decision="one")
    # Whether the loop is before its first look or in its long pause: the event ends the pause.
    duty.grown.set()
    while await asyncio.wait_for(heard.get(), 5) != board.id:
        pass
    running.cancel()
    await asyncio.wait([running])


def test_pause_grows_in_silence_and_ends_with_it() -> None:
    pace = Pace()
    pauses = [pace.after(0, 0.001) for _ in range(30)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == sealing.IDLE_PAUSE_SECONDS
    assert pace.after(1, 0.001) == sealing.LEAST_PAUSE_SECONDS
    assert pace.after(0, 0.001) < 2 * sealing.LEAST_PAUSE_SECONDS


def test_full_batch_is_followed_at_once_and_others_by_what_they_took() -> None:
    pace = Pace()
    assert pace.after(sequence.BATCH, 0.1) == 0
    assert pace.after(100, 0.005) == 0.01
    assert pace.after(10, 0.005) == 0.005
    assert pace.after(100, 5.0) == sealing.MOST_PAUSE_SECONDS


def test_lanes_rotate_after_many_events(monkeypatch: pytest.MonkeyPatch) -> None:
    rotation = Rotation()
    rotation.note(sealing.ROTATE_EVENTS - 1)
    assert not rotation.due
    rotation.note(1)
    assert rotation.due
    rotation.done(emptied=True)
    assert not rotation.due
    # The lane that was left holds dead rows; a silence empties it too, and then there is nothing left to do.
    monkeypatch.setattr(sealing, "SILENCE_SECONDS", -1.0)
    assert rotation.due
    rotation.done(emptied=True)
    assert not rotation.due


def test_lane_in_use_is_tried_again_after_a_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    rotation = Rotation()
    rotation.note(sealing.ROTATE_LEFT_OVER)
    assert not rotation.due
    now += sealing.SILENCE_SECONDS + 0.1
    assert rotation.due
    rotation.done(emptied=False)
    assert not rotation.due
    now += sealing.SILENCE_SECONDS + 0.1
    assert rotation.due
