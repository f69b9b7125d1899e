"""Meetings for a worker's author: to schedule one, and to take part in it.

    @worker.meeting
    async def take_part(work: Work) -> None:
        meeting = (await work.briefing()).meeting
        if work.step == "vote":
            await work.vote("approve", "it is the simplest")
        else:
            await work.say(f"about {meeting.item}: …")

A worker with such a handler comes to every meeting by itself. The handler is called for each turn and vote, and as the
chair for a motion that nobody proposed (`motion`) and for concerns that hold an approval (`concerns`).
"""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

from slateboard.protocol.errors import Invalid
from slateboard.protocol.states import ItemKind
from slateboard.sdk.failures import TurnPassed

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Mapping, Sequence

    from slateboard.protocol.work import Claim
    from slateboard.sdk.desk import Desk


@dataclass(frozen=True, kw_only=True, slots=True)
class Meeting:
    """What a meeting asks of a seat: the `step` is `turn`, `vote`, `motion` or `concerns`.

    `item` is the item of the agenda with its `number`, `motion` what was proposed about it ({text, rationale,
    proposed_by, actions}), `statements` and `concerns` what was said, by whom. `choices` are the votes of this seat.
    """

    meeting: int
    title: str
    step: str
    seat: str
    number: int | None = None
    item: str | None = None
    round: int | None = None
    chair: str | None = None
    seats: tuple[str, ...] = ()
    agenda: tuple[Mapping[str, Any], ...] = ()
    motion: Mapping[str, Any] | None = None
    statements: tuple[Mapping[str, Any], ...] = ()
    concerns: tuple[Mapping[str, Any], ...] = ()
    choices: tuple[str, ...] = ()
    decision_model: str = "majority"
    decision_required: bool = False
    quorum: int | None = None
    deadline: datetime | None = None
    ends_at: datetime | None = None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Meeting:
        """From the values of a briefing; those that this version does not know are left out."""
        lists = ("seats", "agenda", "statements", "concerns", "choices")
        times = ("deadline", "ends_at")
        known = {name: value for name, value in given.items() if name in cls.__slots__}
        known |= {name: tuple(known[name] or ()) for name in lists if name in known}
        known |= {name: datetime.fromisoformat(known[name]) for name in times if isinstance(known.get(name), str)}
        return cls(**known)


class MeetingWork:
    """What `Work` can do in a meeting. Each call is one under the claim, and raises `LeaseLost` when that is gone."""

    __slots__ = ()

    _claim: Claim
    _desk: Desk

    @property
    def step(self) -> str:
        """What the meeting asks for: `turn`, `vote`, or of its chair `motion` or `concerns`."""
        return self._claim.reference.partition("/")[2]

    async def say(self, text: str) -> None:
        """Say something in this turn. Raises `WrongState`."""
        await self._act("say", text=text)

    async def concern(self, text: str) -> int:
        """Raise a concern: nothing is approved until it is resolved or overruled. Returns its number."""
        said: dict[str, Any] = await self._act("concern", text=text)
        return said["concern"]

    async def propose(
        self,
        motion: str,
        rationale: str = "",
        *,
        actions: Iterable[Mapping[str, Any]] = (),
        subject: str | None = None,
    ) -> None:
        """Propose a motion, in the place of one that was proposed before.

        `actions` are `{title, owner, brief, due}` each: where the motion is approved they become tasks of their owners.
        """
        given: dict[str, Any] = {} if subject is None else {"subject": subject}
        await self._act("propose", motion=motion, rationale=rationale, actions=[dict(one) for one in actions], **given)

    async def vote(self, choice: str, rationale: str = "") -> None:
        """Vote `approve`, `reject`, `abstain` or `veto`; again, it changes the vote until the item closes."""
        await self._act("vote", choice=choice, rationale=rationale)

    async def resolve(self, concern: int, reason: str) -> None:
        """Resolve a concern that this agent raised."""
        await self._settle(concern, "resolved", reason)

    async def overrule(self, concern: int, reason: str) -> None:
        """Overrule a concern, as the chair."""
        await self._settle(concern, "overruled", reason)

    async def pass_turn(self) -> NoReturn:
        """End this turn, and this handler. A handler that returns without a word does the same."""
        raise TurnPassed

    async def _settle(self, concern: int, how: str, reason: str) -> None:
        item, fence = self._claim.item, self._claim.fence
        await self._desk.call("settle_concern", concern=concern, how=how, reason=reason, item=item, fence=fence)

    async def _act(self, operation: str, **given: Any) -> Any:
        claim = self._claim
        if claim.kind != ItemKind.MEET:
            message = f"{claim.reference} belongs to no meeting"
            raise Invalid(message, remedy="take part in a handler decorated with @worker.meeting")
        meeting = int(claim.reference.partition("/")[0].partition(":")[2])
        return await self._desk.call(operation, meeting=meeting, item=claim.item, fence=claim.fence, **given)


class SyncMeetingWork:
    """The methods of `MeetingWork` for a plain function, which runs in a thread."""

    _work: Any

    def say(self, text: str) -> None:
        """See `Work.say`."""
        self._wait(self._work.say(text))

    def concern(self, text: str) -> int:
        """See `Work.concern`."""
        return self._wait(self._work.concern(text))

    def propose(self, motion: str, rationale: str = "", **more: Any) -> None:
        """See `Work.propose`."""
        self._wait(self._work.propose(motion, rationale, **more))

    def vote(self, choice: str, rationale: str = "") -> None:
        """See `Work.vote`."""
        self._wait(self._work.vote(choice, rationale))

    def resolve(self, concern: int, reason: str) -> None:
        """See `Work.resolve`."""
        self._wait(self._work.resolve(concern, reason))

    def overrule(self, concern: int, reason: str) -> None:
        """See `Work.overrule`."""
        self._wait(self._work.overrule(concern, reason))

    def pass_turn(self) -> NoReturn:
        """See `Work.pass_turn`."""
        raise TurnPassed

    def _wait(self, call: Coroutine[Any, Any, Any]) -> Any:
        raise NotImplementedError


def schedule_agent_meeting(
    title: str,
    participants: Sequence[str],
    agenda: Sequence[str],
    decision_required: bool = False,  # noqa: FBT001, FBT002  the guide's signature
    max_duration_minutes: float = 60,
    *,
    quorum: int | None = None,
    decision_model: str | None = None,
    veto_roles: Sequence[str] = (),
    optional: Sequence[str] = (),
    starts_at: datetime | None = None,
    chair: str | None = None,
    turn_seconds: float | None = None,
    vote_seconds: float | None = None,
    url: str | None = None,
    board: str | None = None,
    agent: str | None = None,
) -> dict[str, Any]:
    """Schedule a meeting: `{meeting, reference, title, state, starts_at, quorum}`; it begins at `starts_at`, else now.

    All `participants` have a seat, those who are `optional` one if they are there at the opening. `quorum` of them
    must come (default: more than half of the participants). `decision_model` is `majority` (default), `unanimous` or
    `majority_with_veto` (of `veto_roles`). `url`, `board` and `agent` (who schedules it) are as in `connect`. In a
    program with an event loop, `client.call("schedule_meeting", …)` does the same. Raises `Invalid`, `UnknownName`.
    """
    given: dict[str, Any] = {
        "title": title, "participants": list(participants), "agenda": list(agenda), "veto_roles": list(veto_roles),
        "decision_required": decision_required, "max_duration_minutes": max_duration_minutes, "quorum": quorum,
        "decision_model": decision_model, "optional": list(optional), "starts_at": starts_at, "chair": chair,
        "turn_seconds": turn_seconds, "vote_seconds": vote_seconds,
    }  # fmt: skip
    known = {name: value for name, value in given.items() if value is not None}

    async def schedule() -> dict[str, Any]:
        from slateboard.sdk.client import connect

        async with connect(url, board=board, agent=agent) as client:
            return await client.call("schedule_meeting", **known)

    return _run(schedule())


def _run(work: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    """Run it in an event loop of its own; in a thread, where this one has a loop that runs already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    found: list[dict[str, Any]] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            found.append(asyncio.run(work))
        except BaseException as error:  # noqa: BLE001  carried over to the caller, whatever it is
            errors.append(error)

    thread = threading.Thread(target=run, name="slateboard schedules a meeting")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return found[0]
