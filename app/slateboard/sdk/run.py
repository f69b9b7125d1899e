"""One run of a worker: claiming, handlers and endings side by side, until it is told to stop.

While one connection claims the next items, the handlers work on these and up to three calls hand in the last ones.
What always holds: every held claim is renewed until the board has acknowledged its end; nothing is started whose claim
is known to be lost; a stop starts nothing more, gives back what was not started, lets running handlers end within the
grace, and leaves only when everything held is finished or given back, or the board cannot be reached.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections import deque
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any

from slateboard.protocol.errors import LeaseLost, SlateError, Unavailable
from slateboard.protocol.states import FailureClass, Outcome
from slateboard.protocol.work import NOTHING, Finish, GiveBack
from slateboard.sdk.appetite import Appetite
from slateboard.sdk.attending import attend
from slateboard.sdk.backoff import Backoff, Outage
from slateboard.sdk.claiming import Claiming
from slateboard.sdk.failures import Failure, HandlerEnded, TurnPassed, class_of, text_of
from slateboard.sdk.heartbeats import Heartbeats
from slateboard.sdk.holding import Held, Stage
from slateboard.sdk.results import result_of
from slateboard.sdk.settling import Answer, Settler
from slateboard.sdk.work import Work

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slateboard.protocol.errors import SlateError
    from slateboard.protocol.work import Claim
    from slateboard.sdk.handlers import Handlers
    from slateboard.sdk.transport import Transport, Watch

log = logging.getLogger("slateboard.worker")

INTERRUPT_SECONDS = 2.0
"""How long an interrupted handler has to end before its claim is given back without waiting for it."""
SETTLE_SECONDS = 10.0
"""How long a stopping worker tries to tell the board how its last claims ended."""
CALL_SECONDS = 30.0
"""How long a call of a handler that may be repeated bridges an outage."""
REPEATABLE = frozenset({"briefing", "checkpoint", "post", "block_on", "publish"})
TEND_SECONDS = 1.0
IDLE_PREFETCH_SECONDS = 2.0
"""What was prefetched and not started for so long goes back to the others."""


class Run:
    """See the module. `stop` ends it; `interrupt` ends it without the grace."""

    def __init__(
        self,
        transport: Transport,
        handlers: Handlers,
        *,
        worker: str,
        concurrency: int,
        lease_seconds: float,
        poll_seconds: float,
        grace_seconds: float,
        batch: int | None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self._context = contextvars.copy_context()
        self._transport = transport
        self._worker = worker
        self._handlers = handlers
        self._concurrency = concurrency
        self._grace_seconds = grace_seconds
        self._appetite = Appetite(concurrency=concurrency, batch=batch)
        self._outage = Outage(log)
        self._held: dict[int, Held] = {}  # by fence: an item that was given back may be here twice
        self._queue: deque[Held] = deque()
        self._serving: set[Held] = set()
        self._stopping = asyncio.Event()
        self._interrupted = asyncio.Event()
        self._fatal: SlateError | None = None
        self._telling = False
        self._claiming = Claiming(
            transport,
            worker=worker,
            lease_seconds=lease_seconds,
            poll_seconds=poll_seconds,
            room=self._room,
            take=self._take,
            outage=self._outage,
        )
        self._settler = Settler(transport, settled=self._settled, refused=self._refused, outage=self._outage)
        self._heartbeats = Heartbeats(
            transport, self._held, lease_seconds=lease_seconds, lost=self._lost, outage=self._outage
        )

    def stop(self) -> None:
        """Claim nothing more, and end when everything held is finished or given back."""
        self._stopping.set()
        self._claiming.stop()

    def interrupt(self) -> None:
        """Stop, and do not wait for running handlers."""
        self._interrupted.set()
        self.stop()

    async def until_stopped(self, watch: Watch) -> None:
        """Work until `stop`; raises what no repetition changes: a wrong agent, a missing right."""
        claiming = asyncio.create_task(self._claiming.run(), name="slateboard-claims")
        others = [
            asyncio.create_task(self._heartbeats.run(), name="slateboard-heartbeats"),
            asyncio.create_task(self._claiming.hear(watch), name="slateboard-hints"),
            asyncio.create_task(self._tend(), name="slateboard-tend"),
            asyncio.create_task(attend(self._transport, self._worker), name="slateboard-attend"),
        ]
        stopping = asyncio.create_task(_wait(self._stopping))
        try:
            await asyncio.wait({claiming, stopping, *others}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self.interrupt()
            raise
        finally:
            self.stop()
            await self._drain(claiming)
            for task in (*others, stopping):
                task.cancel()
            outcomes = await asyncio.gather(*others, stopping, return_exceptions=True)
            await self._settler.close()
            await self._heartbeats.close()
        for outcome in (claiming.exception(), *outcomes, self._fatal):
            if isinstance(outcome, Exception):
                raise outcome

    # Handling.

    def _room(self) -> int:
        return self._appetite.limit(queued=len(self._queue), running=len(self._serving), held=len(self._held))

    def _take(self, claims: Sequence[Claim]) -> None:
        now = monotonic()
        for claim in claims:
            held = Held(claim, now)
            self._held[claim.fence] = held
            self._queue.append(held)
        self._dispatch()

    def _dispatch(self) -> None:
        """Start handlers while there are items and free places; then see whether there is room for more."""
        queue, serving = self._queue, self._serving
        while queue and len(serving) < self._concurrency and not self._stopping.is_set():
            held = queue.popleft()
            if held.stage is Stage.PREFETCHED:
                held.stage = Stage.RUNNING
                serving.add(held)
                # Not the context of the handler that has just ended and lets this one start.
                held.task = self.loop.create_task(self._serve(held), context=self._context.copy())
        if not queue and not serving:
            self._settler.send()
        self._freed()

    def _freed(self) -> None:
        """Let the claiming know that there may be room: once for all that ends in this turn of the loop."""
        if not self._telling:
            self._telling = True
            self.loop.call_soon(self._tell)

    def _tell(self) -> None:
        self._telling = False
        self._claiming.freed(idle=not self._held)

    async def _serve(self, held: Held) -> None:
        """Run the handler of one item, and send off how it ended."""
        claim = held.claim
        started = perf_counter()
        ending: Finish | GiveBack | None = None
        try:
            handler = self._handlers.find(claim.kind, claim.reference.partition("/")[2])
            held.in_thread = handler.in_thread
            held.work = Work(claim, self)
            result = await result_of(await handler(held.work))
            ending = Finish(claim.item, claim.fence, result)
        except TurnPassed:
            ending = Finish(claim.item, claim.fence, NOTHING)
        except HandlerEnded:
            pass
        except asyncio.CancelledError as error:
            if held.interrupted:
                ending = self._returned(held, Outcome.INTERRUPTED)
            elif held.stage is Stage.RUNNING:
                ending = _failure(claim, error)
        except BaseException as error:  # noqa: BLE001  whatever a handler raises is the attempt's failure
            ending = _failure(claim, error)
            log.info("%s failed: %s", claim.reference, ending.error)
        self._serving.discard(held)
        self._appetite.took(perf_counter() - started)
        self._end(held, ending)
        self._dispatch()

    def _end(self, held: Held, ending: Finish | GiveBack | None) -> None:
        """Send off an ending, unless the claim has ended otherwise."""
        if held.stage is not Stage.RUNNING:
            if isinstance(ending, Finish):
                log.warning("the result of %s is dropped: %s", held.claim.reference, held.lost or "it was given back")
            return
        held.stage = Stage.ENDING
        if isinstance(ending, Finish):
            self._settler.finish(ending)
        else:
            self._settler.give_back(ending or self._returned(held, Outcome.RELEASED))

    def _returned(self, held: Held, outcome: Outcome, note: str | None = None) -> GiveBack:
        error = "the worker was stopped" if outcome is Outcome.INTERRUPTED else None
        return GiveBack(item=held.claim.item, fence=held.claim.fence, outcome=outcome, error=error, note=note)

    def _settled(self, endings: Sequence[Finish | GiveBack], answers: Sequence[Answer]) -> None:
        """The board has answered how claims ended."""
        for ending, answer in zip(endings, answers, strict=True):
            held = self._held.pop(ending.fence, None)
            if held:
                held.stage = Stage.GONE
                if answer.error:
                    log.warning("what %s ended with was not accepted: %s", held.claim.reference, answer.error)
        self._freed()

    def _refused(self, error: SlateError) -> None:
        self._fatal = error
        self.stop()

    def _lost(self, held: Held, error: SlateError) -> None:
        """The board does not know the claim any more."""
        if held.stage in {Stage.PREFETCHED, Stage.RUNNING}:
            log.warning("%s is lost, its handler is cancelled: %s", held.claim.reference, error)
            self._forget(held, error)
            held.stop()
            self._dispatch()

    def _forget(self, held: Held, error: SlateError | None) -> None:
        held.lost = error
        held.stage = Stage.GONE
        self._held.pop(held.claim.fence, None)

    async def _tend(self) -> None:
        """Give back what was prefetched and cannot be started soon, since a handler takes longer than those before."""
        while True:
            await asyncio.sleep(TEND_SECONDS)
            while self._queue and self._queue[0].stage is not Stage.PREFETCHED:
                self._queue.popleft()
            if not self._queue or not self._appetite.adaptive:
                continue
            waited = monotonic() - self._queue[0].since
            if waited > IDLE_PREFETCH_SECONDS:
                self._appetite.stalled(waited)
                self._return_queue()

    def _return_queue(self) -> None:
        while self._queue:
            held = self._queue.popleft()
            if held.stage is Stage.PREFETCHED:
                held.stage = Stage.ENDING
                self._settler.give_back(self._returned(held, Outcome.RETURNED))
        self._settler.send()

    # What a piece of work asks for (see `slateboard.sdk.desk.Desk`).

    async def call(self, operation: str, *, under: tuple[int, int] | None = None, **arguments: Any) -> Any:
        """An operation of the catalogue; one that may be repeated bridges an outage of up to 30 s.

        `under` is the claim (item and fence) that a change belongs to.
        """
        backoff = Backoff()
        until = monotonic() + CALL_SECONDS
        while True:
            try:
                return await self._transport.call(operation, arguments, under=under)
            except Unavailable as error:
                self._outage.failed(error)
                if operation not in REPEATABLE or monotonic() > until:
                    raise
                await asyncio.sleep(backoff.next_seconds())
            except LeaseLost as error:
                if held := self._held.get(under[1] if under else arguments.get("fence", 0)):
                    self._forget(held, error)
                raise

    async def progress(self, fence: int, percent: int | None, text: str | None) -> None:
        """Report progress."""
        held = self._running(fence)
        await self._heartbeats.progress(held, percent, text)
        self._running(fence)

    async def blocked(self, fence: int, on: list[str], note: str | None) -> None:
        """Give a claim back until others are complete."""
        held = self._running(fence)
        await self.call("block_on", item=held.claim.item, fence=fence, on=on, note=note)
        self._forget(held, None)

    async def delegated(self, fence: int, **given: Any) -> None:
        """Give tasks to others, and a claim back until they are complete."""
        held = self._running(fence)
        await self.call("delegate", item=held.claim.item, fence=fence, **given)
        self._forget(held, None)

    async def awaiting(self, fence: int, **wanted: Any) -> None:
        """Give a claim back until an event has come, or the time is up."""
        held = self._running(fence)
        await self.call("wait_for", item=held.claim.item, fence=fence, **wanted)
        self._forget(held, None)

    async def asked(self, fence: int, operation: str, **question: Any) -> None:
        """Give a claim back until somebody has answered; the operation says who is asked."""
        held = self._running(fence)
        await self.call(operation, item=held.claim.item, fence=fence, **question)
        self._forget(held, None)

    async def judged(self, fence: int, **verdict: Any) -> None:
        """End a claim with a verdict."""
        held = self._running(fence)
        await self.call("judge", item=held.claim.item, **verdict)
        self._forget(held, None)

    async def released(self, fence: int, delay_seconds: float | None, note: str | None) -> None:
        """Give a claim back."""
        held = self._running(fence)
        held.stage = Stage.ENDING
        self._settler.give_back(
            GiveBack(
                item=held.claim.item,
                fence=fence,
                outcome=Outcome.RELEASED,
                note=note,
                delay_seconds=delay_seconds,
            )
        )

    def _running(self, fence: int) -> Held:
        held = self._held.get(fence)
        if held is None or held.stage is not Stage.RUNNING:
            raise LeaseLost(f"the claim under fence {fence} is gone", remedy="stop working on it", fence=fence)
        return held

    # Stopping.

    async def _drain(self, claiming: asyncio.Task[None]) -> None:
        """Give back what was not started, wait for what runs, and tell the board how everything ended."""
        await asyncio.wait({claiming}, timeout=SETTLE_SECONDS)
        claiming.cancel()
        self._return_queue()
        await self._wait_for_handlers(self._grace_seconds)
        running = list(self._serving)
        for held in running:
            held.interrupted = True
            held.stop()
        if running:
            await asyncio.wait(_tasks(running), timeout=INTERRUPT_SECONDS)
        for held in self._serving:
            self._end(held, self._returned(held, Outcome.INTERRUPTED))
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                await self._settler.drain()
        except TimeoutError:
            log.error(  # noqa: TRY400  there is no exception to show
                "%d claims could not be ended, the board cannot be reached: their leases will run out", len(self._held)
            )

    async def _wait_for_handlers(self, seconds: float) -> None:
        """Until all running handlers have ended, the time is up, or the worker is interrupted."""
        if not self._serving:
            return
        log.info("stopping: waiting up to %.0f s for %d running handlers", seconds, len(self._serving))
        ended = asyncio.ensure_future(asyncio.wait(_tasks(list(self._serving)), timeout=seconds))
        interrupted = asyncio.ensure_future(_wait(self._interrupted))
        await asyncio.wait({ended, interrupted}, return_when=asyncio.FIRST_COMPLETED)
        for future in (ended, interrupted):
            future.cancel()


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


def _tasks(running: Sequence[Held]) -> list[asyncio.Task[None]]:
    return [held.task for held in running if held.task]


def _failure(claim: Claim, error: BaseException) -> GiveBack:
    """What a failed attempt is given back with."""
    failure = error if isinstance(error, Failure) else None
    return GiveBack(
        item=claim.item,
        fence=claim.fence,
        outcome=Outcome.FAILED,
        failure_class=FailureClass(class_of(error)),
        error=text_of(error),
        note=failure.note if failure else None,
        delay_seconds=failure.delay_seconds if failure else None,
    )
