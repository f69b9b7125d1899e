"""A meeting under test: who is asked what, answered by hand, with the leader's chore by a clock that is moved."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from slateboard.patterns.meetings import timing
from slateboard.protocol.rights import SYSTEM
from slateboard.protocol.work import Claim
from slateboard.transaction import writing
from tests.support.boards import BoardUnderTest

TURNS = """
SELECT t.*, g.name FROM meeting_turns t JOIN agents g ON g.board = t.board AND g.id = t.agent
JOIN item_places p ON p.board = t.board AND p.item = t.item
WHERE t.board = $1 AND t.ended_at IS NULL AND p.place IN ('ready', 'claimed') ORDER BY t.item
"""


@dataclass
class MeetingUnderTest:
    """One meeting on a board, and the clock of the leader, which never goes back."""

    board: BoardUnderTest
    id: int = 0
    late: timedelta = field(default_factory=timedelta)

    async def schedule(self, participants: list[str], agenda: list[str], **options: Any) -> dict[str, Any]:
        given = {"title": "Review", "participants": participants, "agenda": agenda, **options}
        made = await self.board.perform("schedule_meeting", **given)
        self.id = made["meeting"]
        return made

    async def asked(self, kind: str | None = None) -> list[dict[str, Any]]:
        """What can be claimed or is: the open turns that nothing gates."""
        return [dict(row) for row in await self.board.fetch(TURNS) if kind in {None, row["kind"]}]

    async def claim(self, turn: dict[str, Any], *, worker: str = "w1") -> Claim:
        return await self.board.claim_item(turn["item"], turn["name"], worker=worker)

    async def answer(self, turn: dict[str, Any], content: str | None = None) -> None:
        """Claim what is asked and finish it with this content."""
        claim = await self.claim(turn)
        (answer,) = await self.board.finish(claim, by=turn["name"], **({} if content is None else {"content": content}))
        assert answer.error is None, answer.error

    async def gather(self) -> None:
        """Let everybody who is invited come."""
        while turns := await self.asked("join"):
            await self.answer(turns[0])

    async def speak(self, motion: str | None = None, by: str | None = None, **more: Any) -> None:
        """Let everybody have their turn; one of them proposes a motion."""
        while turns := await self.asked("turn"):
            if motion is not None and by in {None, turns[0]["name"]}:
                await self.do("propose", turns[0]["name"], motion=motion, **more)
                motion = None
            await self.answer(turns[0])

    async def vote(self, **choices: str) -> None:
        """Let everybody who is asked vote, by name, else to approve."""
        for turn in await self.asked("vote"):
            await self.answer(turn, choices.get(turn["name"], "approve"))

    async def do(self, operation: str, by: str, **arguments: Any) -> Any:
        return await self.board.perform(operation, by=by, meeting=self.id, **arguments)

    async def after(self, **length: float) -> None:
        """Move the leader's clock on, and let it do what is past its time, until nothing is."""
        self.late += timedelta(**length)
        now = await self.now()
        for _ in range(100):
            async with writing(self.board.database, SYSTEM, self.board.id, now=now) as tx:
                due = [one for board, one in await timing.due(tx, now=now, limit=10_000) if board == self.board.id]
            for meeting in due:
                async with writing(self.board.database, SYSTEM, self.board.id, now=now) as tx:
                    await timing.time_out(tx, meeting)
            if not due:
                return
        raise AssertionError

    async def now(self) -> datetime:
        return await self.board.fetchval("SELECT clock_timestamp() + $2 WHERE $1 > 0", self.late)

    async def state(self) -> str:
        return await self.board.fetchval("SELECT state FROM meetings WHERE board = $1 AND id = $2", self.id)

    async def minutes(self) -> dict[str, Any]:
        return await self.board.perform("minutes", meeting=self.id)

    async def outcomes(self) -> list[str | None]:
        return [one["outcome"] for one in (await self.minutes())["agenda"]]
