"""The desk: what a piece of work asks of the worker that runs it. Each call names the fence of its claim."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import asyncio


class Desk(Protocol):
    """What a piece of work asks of the worker that runs it."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The worker's event loop."""
        ...

    async def call(self, operation: str, *, under: tuple[int, int] | None = None, **arguments: Any) -> Any:
        """An operation of the catalogue; `under` is the claim that a change belongs to."""
        ...

    async def progress(self, fence: int, percent: int | None, text: str | None) -> None:
        """Report progress; `LeaseLost` if the claim is gone."""
        ...

    async def blocked(self, fence: int, on: list[str], note: str | None) -> None:
        """Give a claim back until others are complete."""
        ...

    async def delegated(self, fence: int, **given: Any) -> None:
        """Give tasks to others, and a claim back until they are complete."""
        ...

    async def awaiting(self, fence: int, **wanted: Any) -> None:
        """Give a claim back until an event has come."""
        ...

    async def asked(self, fence: int, operation: str, **question: Any) -> None:
        """Give a claim back until somebody has answered: `ask`, `consult` or `request`."""
        ...

    async def judged(self, fence: int, **verdict: Any) -> None:
        """End a claim with a verdict."""
        ...

    async def released(self, fence: int, delay_seconds: float | None, note: str | None) -> None:
        """Give a claim back."""
        ...
