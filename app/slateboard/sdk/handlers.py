"""Which function does which work: by the artifact's name, else by the kind of work."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from slateboard.protocol.errors import BadHandler
from slateboard.protocol.states import ItemKind
from slateboard.sdk.failures import LogicFailure

if TYPE_CHECKING:
    from slateboard.sdk.work import Work

Function = Callable[..., Any]

REMEMBERED = 4_096
"""Look-ups kept, since artifacts' names are many."""


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
        self._patterns: list[tuple[str, Handler]] = []
        self._kinds: dict[str, Handler] = {}
        self._found: dict[tuple[str, str], Handler] = {}

    def __bool__(self) -> bool:
        return bool(self._patterns or self._kinds)

    def add_pattern(self, pattern: str, function: Function) -> None:
        """Let a function produce the artifacts whose names match (as in a shell: `api_*`)."""
        if any(known == pattern for known, _ in self._patterns):
            raise BadHandler(f"two handlers for the artifact {pattern!r}", remedy="leave one of them out")
        self._patterns.append((pattern, _handler(function)))
        self._patterns.sort(key=lambda one: "*" in one[0] or "?" in one[0] or "[" in one[0])

    def add_kind(self, kind: str, function: Function) -> None:
        """Let a function do all work of a kind that no pattern matches."""
        known = sorted(ItemKind)
        if kind not in known:
            raise BadHandler(f"there is no kind of work {kind!r}", remedy=f"one of: {', '.join(known)}")
        if kind in self._kinds:
            raise BadHandler(f"two handlers for the kind {kind!r}", remedy="leave one of them out")
        self._kinds[kind] = _handler(function)

    def find(self, kind: str, artifact: str) -> Handler:
        """The handler of an item; `LogicFailure` names those there are if none fits."""
        found = self._found.get((kind, artifact))
        if found is None:
            found = self._find(kind, artifact)
            if len(self._found) >= REMEMBERED:
                self._found.clear()
            self._found[kind, artifact] = found
        return found

    def _find(self, kind: str, artifact: str) -> Handler:
        if kind == ItemKind.PRODUCE:
            for pattern, handler in self._patterns:
                if fnmatchcase(artifact, pattern):
                    return handler
        if kind in self._kinds:
            return self._kinds[kind]
        names = [f"artifact {pattern!r}" for pattern, _ in self._patterns] + [f"kind {one!r}" for one in self._kinds]
        message = f"no handler of this worker fits {kind} {artifact!r}; it has: {', '.join(names) or 'none'}"
        raise LogicFailure(message)


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
