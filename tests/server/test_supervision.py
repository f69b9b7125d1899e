"""The embedded Postgres is started again when it ends, and tried again when that fails."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from slateboard.protocol.errors import DatabaseFull
from slateboard.server import supervision
from slateboard.store.run_file import RunFile


def postgres(pid: int) -> RunFile:
    return RunFile(owner_url="", app_url="", pid=pid, started=str(pid), data=Path(), version="18")


async def test_failed_restart_is_told_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    alive = {2}
    looked = asyncio.Event()
    attempts: list[int] = []

    def start_of(pid: int) -> str | None:
        if pid in alive:
            looked.set()
            return str(pid)
        return None

    def start() -> RunFile:
        attempts.append(1)
        if len(attempts) < 3:
            raise DatabaseFull("no space left on device")
        return postgres(2)

    monkeypatch.setattr(supervision, "start_of", start_of)
    monkeypatch.setattr(supervision, "LOOK_SECONDS", 0.0)
    watching = asyncio.create_task(supervision.keep_running(postgres(1), start))
    await asyncio.wait_for(looked.wait(), 5)
    watching.cancel()
    await asyncio.wait([watching])
    assert len(attempts) == 3
    assert caplog.text.count("no space left on device") == 2


async def test_stopping_the_server_waits_for_a_restart_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "start_of", lambda pid: None)
    monkeypatch.setattr(supervision, "LOOK_SECONDS", 0.0)
    loop = asyncio.get_running_loop()
    under_way, go_on = asyncio.Event(), threading.Event()
    ended: list[bool] = []

    def start() -> RunFile:
        loop.call_soon_threadsafe(under_way.set)
        assert go_on.wait(5)
        ended.append(True)
        return postgres(2)

    watching = asyncio.create_task(supervision.keep_running(postgres(1), start))
    await asyncio.wait_for(under_way.wait(), 5)
    watching.cancel()
    await asyncio.sleep(0)
    assert not watching.done()
    go_on.set()
    await asyncio.wait([watching])
    assert ended == [True]
