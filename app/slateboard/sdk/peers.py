"""What a handler can do with its peers: consult one, ask whoever is able, tell those concerned, talk on a thread.

`consult` and `request` give the claim back and end the handler, as `ask` does; with `wait=False` the handler goes on,
and the answer comes as a message on the thread. Everything is done under the claim, and raises `LeaseLost` when that is
gone. A handler that starts anew does it anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.sdk.failures import HandlerEnded

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable
    from datetime import timedelta

    from slateboard.protocol.work import Claim
    from slateboard.sdk.desk import Desk


class PeerWork:
    """What `Work` can do with other agents."""

    __slots__ = ()

    _claim: Claim
    _desk: Desk

    async def consult(
        self,
        to: str,
        question: str,
        *,
        wait: bool = True,
        topic: str | None = None,
        thread: int | None = None,
        options: Iterable[str] = (),
        default: str | None = None,
        deadline: timedelta | None = None,
        severity: str | None = None,
        note: str | None = None,
    ) -> dict[str, Any]:
        """Ask a peer whom a route or channel leads to; the handler ends here, and starts again with the answer.

        The answer is then the last of its briefing's `answers`. With `wait=False` it goes on: `{consult, thread, to,
        deadline, item, place}`. Unanswered by the deadline (in 4 hours) the asker is told on the thread, and the
        other's manager is asked. Raises `NoChannel`, `ConsultLoop`, `UnknownName`, `Invalid`.
        """
        given = {"topic": topic, "thread": thread, "default": default, "severity": severity, "note": note}
        return await self._put("consult", deadline, wait=wait, to=to, question=question, options=list(options), **given)

    async def request(
        self,
        capability: str,
        question: str,
        *,
        answers: int = 1,
        wait: bool | None = None,
        topic: str | None = None,
        deadline: timedelta | None = None,
        severity: str | None = None,
        note: str | None = None,
    ) -> dict[str, Any]:
        """Ask whoever has a capability; the first `answers` count. For one answer the handler ends here, as in `ask`.

        For several, or with `wait=False`, it goes on: `{request, thread, consults, answers, deadline, item, place}`,
        and the answers come as messages on the thread. Raises `Invalid` where too few have the capability.
        """
        given = {"topic": topic, "severity": severity, "note": note}
        waits = answers == 1 if wait is None else wait
        return await self._put(
            "request", deadline, wait=waits, capability=capability, question=question, answers=answers, **given
        )

    async def notify(self, label: str, text: str | None = None, *, data: Any = None) -> dict[str, Any]:
        """Tell all whom the routing table names for this label: `{thread, message, told}`. Raises `NoChannel`."""
        return await self._desk.call("notify", under=self._claimed, label=label, text=text, data=data)

    async def reply(self, thread: int, text: str, *, data: Any = None) -> int:
        """Say something on a thread that this agent is on; the number of the message. Raises `NotYours`."""
        said = await self._desk.call("reply", under=self._claimed, thread=thread, text=text, data=data)
        return said["message"]

    async def acknowledge(self, thread: int, *, message: int | None = None) -> None:
        """Say that this agent has read a thread, or up to a message of it."""
        await self._desk.call("acknowledge", under=self._claimed, thread=thread, message=message)

    async def thread(self, thread: int, *, after: int = 0) -> dict[str, Any]:
        """A thread with its members, and its messages after one: `{thread, topic, members, messages, …}`."""
        return await self._desk.call("show_thread", thread=thread, after=after)

    async def _put(self, operation: str, deadline: timedelta | None, *, wait: bool, **given: Any) -> Any:
        if deadline is not None:
            given["deadline_seconds"] = deadline.total_seconds()
        known = {name: value for name, value in given.items() if value is not None}
        if not wait:
            return await self._desk.call(operation, under=self._claimed, **known)
        await self._desk.asked(self._claim.fence, operation, **known)
        raise HandlerEnded

    @property
    def _claimed(self) -> tuple[int, int]:
        return self._claim.item, self._claim.fence


class SyncPeerWork:
    """The methods of `PeerWork` for a plain function, which runs in a thread."""

    _work: Any

    def consult(self, to: str, question: str, **more: Any) -> dict[str, Any]:
        """See `Work.consult`."""
        return self._wait(self._work.consult(to, question, **more))

    def request(self, capability: str, question: str, **more: Any) -> dict[str, Any]:
        """See `Work.request`."""
        return self._wait(self._work.request(capability, question, **more))

    def notify(self, label: str, text: str | None = None, **more: Any) -> dict[str, Any]:
        """See `Work.notify`."""
        return self._wait(self._work.notify(label, text, **more))

    def reply(self, thread: int, text: str, **more: Any) -> int:
        """See `Work.reply`."""
        return self._wait(self._work.reply(thread, text, **more))

    def acknowledge(self, thread: int, **more: Any) -> None:
        """See `Work.acknowledge`."""
        self._wait(self._work.acknowledge(thread, **more))

    def thread(self, thread: int, **more: Any) -> dict[str, Any]:
        """See `Work.thread`."""
        return self._wait(self._work.thread(thread, **more))

    def _wait(self, call: Coroutine[Any, Any, Any]) -> Any:
        raise NotImplementedError
