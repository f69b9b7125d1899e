"""Wake-ups over LISTEN and NOTIFY: hints, never guarantees. Whoever waits polls as well.

NOTIFY takes one lock for the whole database at its commit, so it is never sent inside a transaction that does work: the
`Notifier` has a connection of its own, sends the first hint at once after the commit, and gathers what follows within
15 ms; that a log has grown is sent at once, since the sequencer paces itself, and what was gathered goes with it. Its
commits do not wait for the disk: a hint may be lost. A process has one `Listener` for each channel of a database, which
fans out to all who wait, so that no worker is woken by every log that grows. Nobody is woken by its own events: each
message names its sender. Both reconnect by themselves; after that, everybody who waits is woken once.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from slateboard.sdk.backoff import Backoff
from slateboard.store.driver_errors import translate

if TYPE_CHECKING:
    from collections.abc import Iterable

log = logging.getLogger(__name__)

WORK_CHANNEL = "slateboard_work"
"""Payload: `<sender> <board> <inbox>,<inbox>…`."""
LOG_CHANNEL = "slateboard_log"
"""Payload: `<board>`, whose log has grown."""

GATHER_SECONDS = 0.015
CONNECT_SECONDS = 10.0
SEND_SECONDS = 5.0
INBOXES_PER_MESSAGE = 300
"""An id has at most 19 digits, and a payload must stay below 8,000 bytes."""
PENDING_INBOXES = 10_000
"""Hints beyond this are dropped until the next message is out."""

WHOLE = 0
"""In the place of an inbox: the whole board, whose log has grown."""

Key = tuple[int, int]
"""Board and inbox."""


def new_sender() -> str:
    """A word that names one sender of hints among all."""
    return secrets.token_hex(6)


class Notifier:
    """Sends hints. `wake` and `sealed` return at once and never fail; what cannot be sent is dropped."""

    def __init__(self, url: str, *, sender: str | None = None) -> None:
        self.sender = sender or new_sender()
        self._url = url
        self._connection: Any = None
        self._inboxes: dict[int, set[int]] = {}
        self._boards: set[int] = set()
        self._hurry = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def wake(self, board: int, inboxes: Iterable[int]) -> None:
        """Say that these inboxes of a board hold new work."""
        pending = self._inboxes.setdefault(board, set())
        if len(pending) < PENDING_INBOXES:
            pending.update(inboxes)
        self._start()

    def sealed(self, board: int) -> None:
        """Say that a board's log has grown."""
        self._boards.add(board)
        self._hurry.set()
        self._start()

    async def close(self) -> None:
        """Send what is pending, within 5 s, and let go of the connection."""
        if self._task:
            self._hurry.set()
            await asyncio.wait([self._task], timeout=SEND_SECONDS)
            self._task.cancel()
        _drop(self._connection)
        self._connection = None

    def _start(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run(), name="slateboard-notifier")

    async def _run(self) -> None:
        """Send until nothing is pending; what comes within 15 ms of a message, or until a log grows, goes together."""
        backoff = Backoff()
        while messages := self._take():
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    await self._send(messages)
                backoff.reset()
                with suppress(TimeoutError):
                    async with asyncio.timeout(GATHER_SECONDS):
                        await self._hurry.wait()
            except Exception as error:  # noqa: BLE001  hints may be lost, whatever the reason
                log.debug("dropped %d wake-ups: %s", len(messages), translate(error))
                _drop(self._connection)
                self._connection = None
                await asyncio.sleep(backoff.next_seconds())

    def _take(self) -> list[tuple[str, str]]:
        messages = [(LOG_CHANNEL, str(board)) for board in sorted(self._boards)]
        for board, inboxes in self._inboxes.items():
            ordered = sorted(inboxes)
            for start in range(0, len(ordered), INBOXES_PER_MESSAGE):
                words = ",".join(map(str, ordered[start : start + INBOXES_PER_MESSAGE]))
                messages.append((WORK_CHANNEL, f"{self.sender} {board} {words}"))
        self._hurry.clear()
        self._boards.clear()
        self._inboxes.clear()
        return messages

    async def _send(self, messages: list[tuple[str, str]]) -> None:
        if self._connection is None or self._connection.is_closed():
            self._connection = await _connect(self._url, "slateboard-notifier", synchronous_commit="off")
        await self._connection.fetch(
            "SELECT pg_notify(m.channel, m.payload) FROM unnest($1::text[], $2::text[]) AS m (channel, payload)",
            [channel for channel, _ in messages],
            [payload for _, payload in messages],
        )


class Watch:
    """What one waiter listens for. See `slateboard.sdk.transport.Watch`."""

    def __init__(self, listener: Listener | None, keys: set[Key], ignoring: str | None) -> None:
        self._listener = listener
        self._keys = keys
        self._ignoring = ignoring
        self._event = asyncio.Event()

    def set(self) -> None:
        """Wake the waiter."""
        self._event.set()

    def hear(self, keys: Iterable[Key], sender: str) -> None:
        """Wake the waiter if this concerns it and is not its own."""
        if sender != self._ignoring and not self._keys.isdisjoint(keys):
            self._event.set()

    def watch(self, board: int, inboxes: Iterable[int]) -> None:
        """From now on listen for these inboxes."""
        self._keys = {(board, inbox) for inbox in inboxes}

    async def wait(self, timeout_seconds: float) -> bool:
        """Wait for a hint, at most so long; whether one came."""
        if not self._event.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_seconds):
                    await self._event.wait()
        came = self._event.is_set()
        self._event.clear()
        return came

    async def close(self) -> None:
        """No more hints are wanted."""
        if self._listener:
            await self._listener.forget(self)
            self._listener = None


class Listener:
    """One LISTEN connection on one channel: opened for the first watch, closed after the last, reopened when lost."""

    def __init__(self, url: str, channel: str) -> None:
        self._url = url
        self._channel = channel
        self._watches: set[Watch] = set()
        self._task: asyncio.Task[None] | None = None
        self._listening = asyncio.Event()

    @property
    def listening(self) -> asyncio.Event:
        """Set while the connection listens."""
        return self._listening

    def watch(self, board: int, inboxes: Iterable[int] = (WHOLE,), *, ignoring: str | None = None) -> Watch:
        """Listen for what concerns these inboxes of a board, or its log, but for what `ignoring` (a sender) says."""
        watch = Watch(self, {(board, inbox) for inbox in inboxes}, ignoring)
        self._watches.add(watch)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run(), name="slateboard-listener")
        return watch

    async def forget(self, watch: Watch) -> None:
        """End a watch; the connection ends with the last."""
        self._watches.discard(watch)
        if not self._watches and self._task:
            task, self._task = self._task, None
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        backoff = Backoff()
        while True:
            try:
                await self._listen(backoff)
            except Exception as error:  # noqa: BLE001  whatever it is: polling goes on, and so does this
                log.debug("no wake-ups for now: %s", translate(error))
            await asyncio.sleep(backoff.next_seconds())

    async def _listen(self, backoff: Backoff) -> None:
        """Listen until the connection is lost; hints of the time without one are made good by waking everybody."""
        connection = await _connect(self._url, "slateboard-listener")
        lost = asyncio.Event()
        try:
            connection.add_termination_listener(partial(_set, lost))
            await connection.add_listener(self._channel, self._heard)
            backoff.reset()
            self._listening.set()
            for watch in self._watches:
                watch.set()
            await lost.wait()
        finally:
            self._listening.clear()
            _drop(connection)

    def _heard(self, _connection: Any, _pid: int, channel: str, payload: str) -> None:
        words = payload.split()
        try:
            if channel == LOG_CHANNEL:
                sender, keys = "", [(int(words[0]), WHOLE)]
            else:
                sender, board = words[0], int(words[1])
                keys = [(board, int(inbox)) for inbox in words[2].split(",")]
        except (IndexError, ValueError):
            log.debug("a message on %s that is none of ours: %.80r", channel, payload)
            return
        for watch in self._watches:
            watch.hear(keys, sender)


_listeners: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str], Listener]] = WeakKeyDictionary()


def listener_of(url: str, channel: str) -> Listener:
    """The one listener of this process (of its event loop) for a channel of a database."""
    listeners = _listeners.setdefault(asyncio.get_running_loop(), {})
    return listeners.setdefault((url, channel), Listener(url, channel))


async def _connect(url: str, name: str, **settings: str) -> Any:
    import asyncpg

    driver: Any = asyncpg  # it comes without types
    return await driver.connect(url, timeout=CONNECT_SECONDS, server_settings={"application_name": name, **settings})


def _set(event: asyncio.Event, _connection: Any) -> None:
    event.set()


def _drop(connection: Any) -> None:
    if connection is not None and not connection.is_closed():
        connection.terminate()
