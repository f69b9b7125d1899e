"""Settling: handing in results and giving claims back, many in one call, acknowledged only after the commit.

What ends within 2 ms, or while a call is on its way, travels together, at most 500 at once; up to three full calls
are on their way side by side. A call whose answer was lost is repeated: the fence makes that harmless. A call that is
refused for its data is halved until the one bad item is found; that item fails (validation), its neighbours do not.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, TypeVar

from slateboard.protocol.errors import BoardArchived, Denied, FinishConflict, LeaseLost, SlateError, Unavailable
from slateboard.protocol.states import FailureClass, Outcome
from slateboard.protocol.work import Finish, Finished, GiveBack, GivenBack
from slateboard.sdk.backoff import Backoff, Outage
from slateboard.sdk.failures import text_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from slateboard.sdk.transport import Transport

log = logging.getLogger(__name__)

GATHER_SECONDS = 0.002
MAX_TOGETHER = 500
MAX_CALLS = 3
UNFORESEEN_TRIES = 3
"""How often a call is made whose error is none of the board's own."""

Ending = TypeVar("Ending", Finish, GiveBack)
Answer = Finished | GivenBack


class Settler:
    """Ends claims for a worker; `settled` is called with those that have ended, and an answer for each."""

    def __init__(
        self,
        transport: Transport,
        *,
        settled: Callable[[Sequence[Finish | GiveBack], Sequence[Answer]], None],
        refused: Callable[[SlateError], None],
        outage: Outage,
    ) -> None:
        self._transport = transport
        self._settled = settled
        self._refused = refused
        self._outage = outage
        self._finishes: list[Finish] = []
        self._returns: list[GiveBack] = []
        self._calls: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def finish(self, ending: Finish) -> None:
        """Hand in a result, soon."""
        self._finishes.append(ending)
        self._gather(len(self._finishes))

    def give_back(self, ending: GiveBack) -> None:
        """End a claim without a result, soon."""
        self._returns.append(ending)
        self._gather(len(self._returns))

    def send(self) -> None:
        """Send what waits, now: nothing more will join it soon. What cannot go yet follows the calls on their way."""
        self._send(1)

    def _send(self, least: int) -> None:
        """Send what waits, if it is at least so much or no call is on its way."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        while self._finishes and self._may_send(len(self._finishes), least):
            together, self._finishes = self._finishes[:MAX_TOGETHER], self._finishes[MAX_TOGETHER:]
            self._start(self._settle(self._transport.finish, together))
        while self._returns and self._may_send(len(self._returns), least):
            back, self._returns = self._returns[:MAX_TOGETHER], self._returns[MAX_TOGETHER:]
            self._start(self._settle(self._transport.give_back, back))

    def _gather(self, waiting: int) -> None:
        if waiting >= MAX_TOGETHER:
            self._send(MAX_TOGETHER)
        elif self._timer is None and not self._calls:
            self._timer = asyncio.get_running_loop().call_later(GATHER_SECONDS, self._send, MAX_TOGETHER)

    def _may_send(self, waiting: int, least: int) -> bool:
        return not self._calls or (waiting >= least and len(self._calls) < MAX_CALLS)

    async def drain(self) -> None:
        """Send everything, and wait until all of it is acknowledged."""
        while self._finishes or self._returns or self._calls:
            self.send()
            await asyncio.wait(self._calls, return_when=asyncio.FIRST_COMPLETED)

    async def close(self) -> None:
        """End the calls that are still on their way."""
        calls = list(self._calls)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        if self._timer:
            self._timer.cancel()

    def _start(self, call: Any) -> None:
        task = asyncio.get_running_loop().create_task(call)
        self._calls.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._calls.discard(task)
        if not task.cancelled():
            task.result()
            if self._finishes or self._returns:
                self._send(MAX_TOGETHER)

    async def _settle(
        self,
        ask: Callable[[Sequence[Ending]], Awaitable[Sequence[Answer]]],
        endings: list[Ending],
        tries: int = UNFORESEEN_TRIES,
    ) -> None:
        """Ask until the board has answered; halve what it refuses. An unforeseen error is first met by asking again."""
        backoff = Backoff()
        while True:
            try:
                answers = await ask(endings)
            except Unavailable as error:
                self._outage.failed(error)
                await asyncio.sleep(backoff.next_seconds())
            except (Denied, BoardArchived) as error:
                self._refused(error)
                self._settled(endings, [GivenBack(item=ending.item, error=error) for ending in endings])
                return
            except Exception as error:  # noqa: BLE001  whatever the data did, the worker goes on
                tries -= 1
                if tries and not isinstance(error, SlateError):
                    await asyncio.sleep(backoff.next_seconds())
                    continue
                await self._halve(ask, endings, error)
                return
            else:
                self._outage.over()
                await self._take(endings, answers)
                return

    async def _take(self, endings: Sequence[Ending], answers: Sequence[Answer]) -> None:
        """Pass the answers on; a result that was refused while its claim was kept fails its attempt."""
        kept = [
            (ending, answer.error)
            for ending, answer in zip(endings, answers, strict=True)
            if isinstance(ending, Finish) and answer.error and not isinstance(answer.error, LeaseLost | FinishConflict)
        ]
        if not kept:
            self._settled(endings, answers)
            return
        refused = {ending.item for ending, _ in kept}
        rest = [pair for pair in zip(endings, answers, strict=True) if pair[0].item not in refused]
        self._settled([ending for ending, _ in rest], [answer for _, answer in rest])
        for ending, error in kept:
            await self._fail(ending, error)

    async def _halve(
        self,
        ask: Callable[[Sequence[Ending]], Awaitable[Sequence[Answer]]],
        endings: list[Ending],
        error: Exception,
    ) -> None:
        """Find the one that is refused, and let its neighbours pass."""
        if len(endings) == 1:
            await self._fail(endings[0], error)
            return
        middle = len(endings) // 2
        await self._settle(ask, endings[:middle], 1)
        await self._settle(ask, endings[middle:], 1)

    async def _fail(self, ending: Finish | GiveBack, error: Exception) -> None:
        """The one whose data the board does not take: its attempt fails, with the reason."""
        if isinstance(ending, GiveBack):
            log.error("item %d cannot be given back, its lease will run out: %s", ending.item, error)
            lost = LeaseLost(f"the give-back was refused: {error}", item=ending.item)
            self._settled([ending], [GivenBack(item=ending.item, error=lost)])
            return
        log.warning("the result of item %d was refused: %s", ending.item, error)
        failure = GiveBack(
            item=ending.item,
            fence=ending.fence,
            outcome=Outcome.FAILED,
            failure_class=FailureClass.VALIDATION,
            error=f"the board refused the result: {text_of(error)}",
        )
        await self._settle(self._transport.give_back, [failure])
