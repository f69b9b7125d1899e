"""Running somebody else's program within bounds: its time, what it prints, and the end of all that it started.

The program gets a process group of its own. Whatever ends the run (its exit, its time, too much output, a cancelled
task), nothing of that group outlives it: SIGTERM, and SIGKILL for what is left after 5 s. Should this very process be
killed, a guardian, which is one small process for all programs, notices the closed pipe and ends their groups. No
program begins before the guardian knows its group.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
from asyncio.subprocess import SubprocessStreamProtocol
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping, Sequence

GRACE_SECONDS = 5.0
"""Between SIGTERM and SIGKILL; also how long output is waited for that a runaway child may hold open."""
TAIL_BYTES = 8_192
"""What is kept of standard error: its end. How much of that the board keeps is for the caller to say."""
CHUNK_BYTES = 65_536
POLL_SECONDS = 0.02
LAUNCH = ("/bin/sh", "-c", 'read -r go && exec "$@"', "sh")
"""Holds a program back until it is told to go; without a word, as when this process dies, it never begins."""

_PROC = Path("/proc")
_ENDED = frozenset({"Z", "X", "x"})


class Cut(StrEnum):
    """Why a program was ended before it ended itself."""

    TIME = "time"
    OUTPUT = "output"


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """How a program ended. `exit_code` is negative for a signal; `errors` is the end of what it complained."""

    exit_code: int
    output: bytes
    errors: str
    cut: Cut | None


async def run(
    command: Sequence[str],
    *,
    given: bytes,
    environment: Mapping[str, str],
    seconds: float,
    output_bytes: int,
    guardian: Guardian,
) -> Ending:
    """Run a program with `given` on its standard input, at most `seconds`; it may print at most `output_bytes`.

    `command` begins with a path. Raises `OSError` if nothing is there that can be executed; what vanishes at that very
    moment exits with 126 or 127, as in a shell.
    """
    if not os.access(command[0], os.X_OK):
        raise FileNotFoundError(errno.ENOENT, "it is not there, or cannot be executed")
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.subprocess_exec(
        lambda: _Protocol(loop), *LAUNCH, *command, env=dict(environment), start_new_session=True
    )
    group = transport.get_pid()
    guardian.watch(group)
    streams = _Streams(protocol, b"go\n" + given, output_bytes)
    try:
        cut = await streams.until_exit(seconds)
    finally:
        await _uninterrupted(_end(transport, streams, guardian))
    if len(streams.output) > output_bytes:  # as it may turn out only when the pipe is emptied
        cut = Cut.OUTPUT
    exit_code = transport.get_returncode()
    return Ending(
        exit_code=-signal.SIGKILL if exit_code is None else exit_code,
        output=bytes(streams.output),
        errors=streams.errors.decode(errors="replace").strip(),
        cut=cut,
    )


class _Protocol(SubprocessStreamProtocol):
    """Tells of the exit itself; asyncio's own `wait` goes on for as long as a child left behind holds a pipe open."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit=CHUNK_BYTES, loop=loop)
        self.exited = asyncio.Event()

    def process_exited(self) -> None:
        super().process_exited()
        self.exited.set()


class _Streams:
    """The three pipes of a running program, served side by side so that none can block another."""

    def __init__(self, protocol: _Protocol, given: bytes, output_bytes: int) -> None:
        assert protocol.stdin
        assert protocol.stdout
        assert protocol.stderr
        self.output = bytearray()
        self.errors = bytearray()
        self._limit = output_bytes
        self._exit = asyncio.ensure_future(protocol.exited.wait())
        self._printing = asyncio.ensure_future(self._read_output(protocol.stdout))
        self._complaining = asyncio.ensure_future(self._read_errors(protocol.stderr))
        self._feeding = asyncio.ensure_future(self._feed(protocol.stdin, given))

    async def until_exit(self, seconds: float) -> Cut | None:
        """Wait for the program's own end; returns why it must be ended if that comes first."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        pending: set[asyncio.Future[Any]] = {self._exit, self._printing}
        while self._exit in pending:
            left = max(0.0, deadline - loop.time())
            done, pending = await asyncio.wait(pending, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                return Cut.TIME
            if len(self.output) > self._limit:
                return Cut.OUTPUT
        return None

    async def close(self) -> None:
        """Take what is still in the pipes, then let go of them."""
        tasks: list[asyncio.Future[Any]] = [self._exit, self._printing, self._complaining, self._feeding]
        await asyncio.wait(tasks, timeout=GRACE_SECONDS)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _read_output(self, stream: asyncio.StreamReader) -> None:
        while len(self.output) <= self._limit and (chunk := await stream.read(CHUNK_BYTES)):
            self.output += chunk

    async def _read_errors(self, stream: asyncio.StreamReader) -> None:
        while chunk := await stream.read(CHUNK_BYTES):
            self.errors += chunk
            del self.errors[:-TAIL_BYTES]

    async def _feed(self, stream: asyncio.StreamWriter, given: bytes) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # it need not read what it is given
            stream.write(given)
            await stream.drain()
        stream.close()


async def _end(transport: asyncio.SubprocessTransport, streams: _Streams, guardian: Guardian) -> None:
    """End the whole group: what the program left behind when it exited, or all of it."""
    group = transport.get_pid()
    if _send(group, signal.SIGTERM):
        loop = asyncio.get_running_loop()
        deadline = loop.time() + GRACE_SECONDS
        try:
            while _is_alive(group) and loop.time() < deadline:  # noqa: ASYNC110  nothing tells when a group is empty
                await asyncio.sleep(POLL_SECONDS)
        finally:
            _send(group, signal.SIGKILL)  # also when the event loop itself is being closed
    await streams.close()
    transport.close()
    guardian.forget(group)


def _send(group: int, number: int) -> bool:
    """Send a signal to a process group (0 only asks); whether anybody is left in it."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # macOS says EPERM of a group of zombies
        return False
    return True


def _is_alive(group: int) -> bool:
    """Whether anybody in a process group still runs; on Linux a zombie that nobody has reaped yet does not count."""
    if not _send(group, 0):
        return False
    if not _PROC.joinpath("self", "stat").exists():
        return True
    for folder in _PROC.iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                state, _, its_group = folder.joinpath("stat").read_text(errors="replace").rpartition(")")[2].split()[:3]
                if int(its_group) == group and state not in _ENDED:
                    return True
    return False


async def _uninterrupted(work: Coroutine[None, None, None]) -> None:
    """Carry something through although this task is cancelled meanwhile; the cancellation comes after it."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    task.result()


class Guardian:
    """Ends the watched groups when this process is gone: it reads a pipe whose other end only this process holds."""

    def __init__(self) -> None:
        self._pipe: int | None = None
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start the guardian's process; once is enough for any number of programs."""
        theirs, self._pipe = os.pipe()
        os.set_blocking(self._pipe, False)
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-S", "-c", _GUARDIAN, stdin=theirs, start_new_session=True
            )
        finally:
            os.close(theirs)

    def watch(self, group: int) -> None:
        """End this group if this process dies."""
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        """The group is gone; its number may soon be somebody else's."""
        self._tell(f"-{group}\n")

    async def stop(self) -> None:
        """End the guardian; it ends what is still watched."""
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None
        if self._process is not None:
            await self._process.wait()
            self._process = None

    def _tell(self, line: str) -> None:
        """Write at once, before anything else happens; a guardian that is gone or stopped is not waited for."""
        if self._pipe is not None:
            with suppress(BrokenPipeError, BlockingIOError):
                os.write(self._pipe, line.encode())


_GUARDIAN = f"""
import os, signal, sys, time

def send(number):
    left = set()
    for group in groups:
        try:
            os.killpg(group, number)
            left.add(group)
        except OSError:
            pass
    return left

for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(name, signal.SIG_IGN)
groups = set()
for line in sys.stdin:
    (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
groups = send(signal.SIGTERM)
deadline = time.monotonic() + {GRACE_SECONDS}
while groups and time.monotonic() < deadline:
    time.sleep({POLL_SECONDS})
    groups = send(0)
send(signal.SIGKILL)
"""
