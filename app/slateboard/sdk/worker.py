"""A worker: claims work for one agent and hands it to functions.

    worker = Worker(agent="backend")

    @worker.artifact("api_*")
    async def write(work: Work) -> Result:
        ...

    worker.run_sync()

A handler is called once for each claim, so at least once for each item; exactly one result is accepted. A handler may
be an async function, or a plain one, which runs in a thread. The worker reconnects by itself, renews what it holds, and
on SIGTERM or SIGINT finishes or gives back everything before it leaves; a second signal does not wait for handlers.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import secrets
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from slateboard.protocol.errors import BadHandler, BadSetting, DatabaseBusy, DatabaseUnreachable
from slateboard.protocol.names import check_name
from slateboard.protocol.work import DEFAULT_LEASE_SECONDS, MAX_BATCH, MAX_LEASE_SECONDS
from slateboard.sdk.backoff import Backoff, Outage
from slateboard.sdk.handlers import Handlers
from slateboard.sdk.run import Run
from slateboard.sdk.transport import open_transport

if TYPE_CHECKING:
    from slateboard.sdk.transport import Transport

log = logging.getLogger("slateboard.worker")

Function = TypeVar("Function", bound=Callable[..., Any])

MAX_CONCURRENCY = 1_000
MIN_POLL_SECONDS = 0.05
MAX_POLL_SECONDS = 3_600.0
START_SECONDS = 30.0
"""How long a starting worker waits for a database that does not answer yet."""
SIGNALS = (signal.SIGTERM, signal.SIGINT)
COLLECT_EVERY = 10_000
"""Containers made between two searches for cyclic garbage. Claims, tasks and results come by the thousand and form no
cycles; at Python's 700 the searches took a quarter of a quick worker's time."""


class Worker:
    """A worker of one agent.

    `concurrency` is how many handlers run at once. `wake` is how it hears of new work: `listen` (LISTEN/NOTIFY) or
    `poll`; either way it asks every `poll_seconds`. `batch` fixes how many items it claims at once; without it, as many
    as it will start in the next tenth of a second. `grace_seconds` is how long a stop waits for running handlers.
    `url` and `board` are as in `connect`.
    """

    def __init__(
        self,
        agent: str,
        *,
        concurrency: int = 1,
        wake: Literal["listen", "poll"] = "listen",
        lease_seconds: float = DEFAULT_LEASE_SECONDS,
        poll_seconds: float = 5.0,
        batch: int | None = None,
        grace_seconds: float = 30.0,
        url: str | None = None,
        board: str | None = None,
    ) -> None:
        self.agent = check_name(agent, "agent")
        self.board = board
        self.url = url
        self.concurrency = int(_within("concurrency", concurrency, 1, MAX_CONCURRENCY))
        self.lease_seconds = _within("lease_seconds", lease_seconds, 0.1, MAX_LEASE_SECONDS)
        self.poll_seconds = _within("poll_seconds", poll_seconds, MIN_POLL_SECONDS, MAX_POLL_SECONDS)
        self.grace_seconds = _within("grace_seconds", grace_seconds, 0, MAX_LEASE_SECONDS)
        self.batch = None if batch is None else int(_within("batch", batch, 1, MAX_BATCH))
        if wake not in {"listen", "poll"}:
            raise BadSetting(f"wake={wake!r} is neither 'listen' nor 'poll'", remedy="use one of them")
        self.wake = wake
        self.handlers = Handlers()
        self._run: Run | None = None
        self._stopped = False

    def artifact(self, pattern: str) -> Callable[[Function], Function]:
        """Decorate the function that produces the artifacts whose names match (as in a shell: `api_*`)."""

        def add(function: Function) -> Function:
            self.handlers.add_pattern(pattern, function)
            return function

        return add

    def action(self, pattern: str) -> Callable[[Function], Function]:
        """Decorate the function that handles the events delivered for the actions that match (as in a shell)."""

        def add(function: Function) -> Function:
            self.handlers.add_action(pattern, function)
            return function

        return add

    def compensation(self, pattern: str) -> Callable[[Function], Function]:
        """Decorate the function that undoes completed steps by the actions that match (as in a shell: `roll_*`).

        Its briefing's `compensation` says which step, and has an `idempotency_key` that stays the same.
        """

        def add(function: Function) -> Function:
            self.handlers.add_compensation(pattern, function)
            return function

        return add

    def meeting(self, function: Function) -> Function:
        """Decorate the function that takes part in meetings: it is called for each turn and vote (`work.step`).

        The worker comes by itself to the meetings that its agent is invited to.
        """
        self.handlers.add_meeting(function)
        return function

    def handler(self, *, kind: str = "produce") -> Callable[[Function], Function]:
        """Decorate the function that does all work of a kind that no pattern matches."""

        def add(function: Function) -> Function:
            self.handlers.add_kind(kind, function)
            return function

        return add

    async def run(
        self,
        *,
        url: str | None = None,
        board: str | None = None,
        signals: bool = True,
        transport: Transport | None = None,
    ) -> None:
        """Work until `stop`, SIGTERM or SIGINT. `url` and `board` come before those of the construction.

        Without `signals` the process is not the worker's: neither its signals nor its garbage collection are touched.
        Raises `BadHandler` without a handler, `UnknownName` for an agent that the board does not know, and
        `Unavailable` if it cannot be reached within 30 s of the start; a later outage is bridged, however long.
        """
        if not self.handlers:
            raise BadHandler(
                f"the worker of {self.agent} has no handlers",
                remedy="decorate a function with @worker.artifact(…) or @worker.action(…)",
            )
        if self._run is not None:
            raise BadHandler(f"the worker of {self.agent} is running already", remedy="make another one")
        self._stopped = False
        if transport is None:
            transport = await self._connect(url or self.url, board or self.board)
        undo = ExitStack()
        try:
            watch = await transport.watch_work(listen=self.wake == "listen")
            self._run = Run(
                transport,
                self.handlers,
                worker=worker_name(self.agent),
                concurrency=self.concurrency,
                lease_seconds=self.lease_seconds,
                poll_seconds=self.poll_seconds,
                grace_seconds=self.grace_seconds,
                batch=self.batch,
            )
            if self._stopped:
                return
            if signals:
                undo.callback(self._catch_signals())
                undo.callback(collect_less())
            log.info("%s works on board %s", self.agent, transport.board)
            await self._run.until_stopped(watch)
        finally:
            self._run = None
            undo.close()
            await transport.close()

    def run_sync(self, *, url: str | None = None, board: str | None = None) -> None:
        """Work until SIGTERM or SIGINT, in an event loop of its own: the last line of a worker's program."""
        work = self.run(url=url, board=board)
        try:
            import uvloop
        except ImportError:
            asyncio.run(work)
        else:
            uvloop.run(work)

    def stop(self) -> None:
        """Claim nothing more, let running handlers end, give back the rest; `run` then returns. Called in its loop."""
        self._stopped = True
        if self._run:
            self._run.stop()

    def interrupt(self) -> None:
        """Stop without waiting for running handlers: they are cancelled, and their claims given back."""
        self._stopped = True
        if self._run:
            self._run.interrupt()

    async def _connect(self, url: str | None, board: str | None) -> Transport:
        """Connect; a database that is still starting is waited for."""
        backoff, outage = Backoff(), Outage(log)
        until = monotonic() + START_SECONDS
        while True:
            try:
                transport = await open_transport(url, board=board, agent=self.agent)
            except (DatabaseUnreachable, DatabaseBusy) as error:
                if monotonic() > until or self._stopped:
                    raise
                outage.failed(error)
                await asyncio.sleep(backoff.next_seconds())
            else:
                outage.over()
                return transport

    def _catch_signals(self) -> Callable[[], None]:
        """Stop at the first SIGTERM or SIGINT, interrupt at the second; returns how to undo it."""
        if threading.current_thread() is not threading.main_thread():
            return lambda: None
        loop = asyncio.get_running_loop()
        caught: list[signal.Signals] = []

        def caught_one(number: signal.Signals) -> None:
            caught.append(number)
            if len(caught) > 1:
                log.warning("%s again: not waiting for running handlers", number.name)
                self.interrupt()
            else:
                log.info("%s: stopping", number.name)
                self.stop()

        before = {number: signal.getsignal(number) for number in SIGNALS}
        for number in SIGNALS:
            loop.add_signal_handler(number, caught_one, number)

        def restore() -> None:
            for number in SIGNALS:
                loop.remove_signal_handler(number)
                signal.signal(number, before[number])

        return restore


def collect_less() -> Callable[[], None]:
    """Search for cyclic garbage less often, unless that was chosen otherwise already; returns how to undo it."""
    before = gc.get_threshold()
    if not 0 < before[0] < COLLECT_EVERY:
        return lambda: None
    gc.set_threshold(COLLECT_EVERY, *before[1:])
    return lambda: gc.set_threshold(*before)


def worker_name(agent: str) -> str:
    """A name that no other start of any worker has: `<agent>/<host>:<pid>:<6 random hex>`."""
    return f"{agent}/{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"


def _within(name: str, value: float, least: float, most: float) -> float:
    if not least <= value <= most:
        raise BadSetting(f"{name}={value!r} is not within {least:g} and {most:g}", remedy=f"choose another {name}")
    return value
