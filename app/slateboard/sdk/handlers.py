"""Which function does which work: by the artifact's name, else by the kind of work."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import re
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from fnmatch import translate
from typing import TYPE_CHECKING, Any

from slateboard.protocol.errors import BadHandler
from slateboard.protocol.meetings import TurnKind
from slateboard.protocol.states import ItemKind
from slateboard.sdk.failures import LogicFailure

if TYPE_CHECKING:
    from slateboard.sdk.work import Work

Function = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Handler:
    """A function, and whether it runs in a thread."""

    function: Function
    in_thread: bool

    def __call__(self, work: Work) -> Awaitable[Any]:
        """Do the work; a plain function runs in a thread of its own, with this task's context variables."""
        return run_in_thread(self.function, work) if self.in_thread else self.function(work)


class Handlers:
    """The handlers of one worker. An exact name comes first, then patterns in their order, then the kind."""

    def __init__(self) -> None:
        self._artifacts = _Named("artifact")
        self._actions = _Named("action")
        self._compensations = _Named("compensation")
        self._kinds: dict[str, Handler] = {}

    def __bool__(self) -> bool:
        return bool(self._artifacts.all or self._actions.all or self._compensations.all or self._kinds)

    def add_pattern(self, pattern: str, function: Function) -> None:
        """Let a function produce the artifacts whose names match (as in a shell: `api_*`)."""
        self._artifacts.add(pattern, function)

    def add_action(self, pattern: str, function: Function) -> None:
        """Let a function handle the deliveries whose actions match (as in a shell: `run_*`)."""
        self._actions.add(pattern, function)

    def add_compensation(self, pattern: str, function: Function) -> None:
        """Let a function undo steps by the actions that match (as in a shell: `roll_*`)."""
        self._compensations.add(pattern, function)

    def add_kind(self, kind: str, function: Function) -> None:
        """Let a function do all work of a kind that no pattern matches."""
        known = sorted(ItemKind)
        if kind not in known:
            raise BadHandler(f"there is no kind of work {kind!r}", remedy=f"one of: {', '.join(known)}")
        if kind in self._kinds:
            raise BadHandler(f"two handlers for the kind {kind!r}", remedy="leave one of them out")
        self._kinds[kind] = _handler(function)

    def add_meeting(self, function: Function) -> None:
        """Let a function take part in meetings; to come when it is asked needs no function."""
        self.add_kind(ItemKind.MEET, function)

    def find(self, kind: str, name: str) -> Handler:
        """The handler of an item, by its artifact or action; `LogicFailure` names those there are if none fits."""
        named = {
            ItemKind.PRODUCE.value: self._artifacts,
            ItemKind.HANDLE.value: self._actions,
            ItemKind.COMPENSATE.value: self._compensations,
        }.get(kind)
        handler = (named and named.find(name)) or self._kinds.get(kind)
        if handler:
            return COMING if kind == ItemKind.MEET and name == TurnKind.JOIN else handler
        names = [
            f"{one.what} {pattern!r}"
            for one in (self._artifacts, self._actions, self._compensations)
            for pattern in one.all
        ]
        names += [f"kind {str(one)!r}" for one in self._kinds]
        raise LogicFailure(f"no handler of this worker fits {kind} {name!r}; it has: {', '.join(names) or 'none'}")


class _Named:
    """Handlers by exact names, then by patterns in their order."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.all: dict[str, Handler] = {}
        self._patterns: dict[str, re.Pattern[str]] = {}

    def add(self, pattern: str, function: Function) -> None:
        if pattern in self.all:
            raise BadHandler(f"two handlers for the {self.what} {pattern!r}", remedy="leave one of them out")
        self.all[pattern] = _handler(function)
        if "*" in pattern or "?" in pattern or "[" in pattern:
            self._patterns[pattern] = re.compile(translate(pattern))

    def find(self, name: str) -> Handler | None:
        if name in self.all and name not in self._patterns:
            return self.all[name]
        return next((self.all[one] for one, pattern in self._patterns.items() if pattern.match(name)), None)


async def _come(_work: Work) -> None:
    """Come to a meeting: that it was claimed and finished says so."""


COMING = Handler(_come, in_thread=False)


def _handler(function: Function) -> Handler:
    if not callable(function):
        raise BadHandler(f"a handler is a function, not {type(function).__name__}", remedy="decorate a function")
    is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004  an object may be called as a coroutine
    )
    return Handler(function, not is_async)


def run_in_thread(function: Function, work: Work) -> asyncio.Future[Any]:
    """Run a plain function in a thread that ends with the process, so that a stop never waits for it for ever."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()

    def settle(value: Any, error: BaseException | None) -> None:
        if future.cancelled():
            return
        if error is None:
            future.set_result(value)
        else:
            # A StopIteration cannot be set on a future.
            future.set_exception(RuntimeError(repr(error)) if isinstance(error, StopIteration) else error)

    def run() -> None:
        value, error = None, None
        try:
            value = context.run(function, work)
        except BaseException as raised:  # noqa: BLE001  carried over to the loop, whatever it is
            error = raised
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, value, error)

    threading.Thread(target=run, name=f"slateboard {work.reference}", daemon=True).start()
    return future
