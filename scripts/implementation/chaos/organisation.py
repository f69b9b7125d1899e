"""The board of the organisation: trees that are delegated down, routes, meetings, and people who meddle with them.

Its times are short, so that all of it happens within a minute: turns and votes of two seconds, consults of three. One
agent is gone: its worker attended once, so that what was delegated to it is unanswered after a minute.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

from slateboard import connect
from slateboard.protocol.errors import SlateError, Unavailable
from slateboard.protocol.work import NewTask

if TYPE_CHECKING:
    from scripts.implementation.chaos.trouble import Company
    from scripts.implementation.place import Place
    from slateboard import Client

BOARD = "organisation"
PEOPLE = ("olivia", "peter")
MAKERS = ("d0", "d1", "d2")
MEMBERS = ("ceo", "cto", "lead", *MAKERS)
"""Agents that members play; the ceo takes part in no meeting."""
GONE, HERMIT = "gone", "hermit"
CAPABILITY = "code"
TREES, PLANS = 16, 16
"""Trees that are posted whole, and tasks whose agent delegates at run time."""
MEDDLE_SECONDS = 0.4
MEETINGS = 25
MEETING_MINUTES = (0.1, 0.3, 1.0)
STEP_SECONDS = 2.0
CONSULT_SECONDS = 3.0

ROUTES = """
agents:
  d0: {consults: [{agent: cto, for: the design}], notifies: [{agent: d1, when: contract}]}
  d1: {consults: [{agent: cto, for: the design}, {agent: d0, for: the contract}]}
  d2: {consults: [{agent: gone, for: what it left}], notifies: [{agent: d0, when: contract}]}
  cto: {consults: [{agent: d0, for: details}, {agent: d1, for: details}]}
---
compensation:
  - {step: built, compensate: take_down}
---
circuit_breaker: {recovery_timeout: 1s}
"""

# Nothing moves any more: what is still open waits for a person, or behind something that is dead.
SETTLED = """
SELECT NOT EXISTS (SELECT FROM ready r JOIN work_items w ON w.board = r.board AND w.id = r.item
                   JOIN agents g ON g.board = w.board AND g.id = w.inbox WHERE r.board = $1 AND g.kind <> 'human')
   AND NOT EXISTS (SELECT FROM leases WHERE board = $1) AND NOT EXISTS (SELECT FROM scheduled WHERE board = $1)
   AND NOT EXISTS (SELECT FROM holds WHERE board = $1) AND NOT EXISTS (SELECT FROM event_outbox WHERE board = $1)
   AND NOT EXISTS (SELECT FROM delegations WHERE board = $1 AND state = 'pending')
   AND NOT EXISTS (SELECT FROM meetings WHERE board = $1 AND state IN ('scheduled', 'waiting', 'open'))
   AND NOT EXISTS (SELECT FROM requests WHERE board = $1 AND closed_at IS NULL)
   AND NOT EXISTS (SELECT FROM escalations e JOIN work_items w ON w.board = e.board AND w.id = e.item
                   WHERE e.board = $1 AND e.answered_at IS NULL AND e.seconds < $2
                     AND (w.outcome IS NULL OR w.outcome = 'dead'))
"""
RESTLESS = """
SELECT 'item ' || w.id || ' ' || w.reference || ', ' || w.kind || ' of ' || coalesce(g.name, '?') || ': ' || p.place
FROM work_items w JOIN item_places p ON p.board = w.board AND p.item = w.id
LEFT JOIN agents g ON g.board = w.board AND g.id = w.inbox
WHERE w.board = $1 AND w.outcome IS NULL AND p.place <> 'gated' AND NOT (p.place = 'ready' AND g.kind = 'human')
UNION ALL
SELECT 'delegation of ' || t.name || ' to ' || g.name || ': ' || d.state FROM delegations d
JOIN tasks t ON t.board = d.board AND t.id = d.task JOIN agents g ON g.board = d.board AND g.id = d.agent
WHERE d.board = $1 AND d.state = 'pending'
UNION ALL
SELECT 'meeting ' || id || ': ' || state FROM meetings
WHERE board = $1 AND state IN ('scheduled', 'waiting', 'open') LIMIT 20
"""


async def post(place: Place, dice: random.Random) -> None:
    """The board with its agents, people, routes and work."""
    async with await connect(place.app_url, board="default") as admin:
        await admin.call("create_board", name=BOARD)
    async with await connect(place.app_url, board=BOARD) as client:
        above: str | None = None
        for name in reversed(PEOPLE):
            await client.call("add_agent", name=name, kind="human", manager=above)
            above = name
        for name in ("ceo", "cto", "lead"):
            await client.call("add_agent", name=name, manager=above)
            above = name
        for name in (*MAKERS, GONE):
            await client.call("add_agent", name=name, manager="lead", capabilities=[CAPABILITY])
        await client.call("add_agent", name=HERMIT, manager="lead")
        await client.call("change_agent", name=HERMIT, accepts_from=[])
        await client.call("apply", documents=[{"source": "routes.yaml", "text": ROUTES}])
    async with await connect(place.app_url, board=BOARD, agent=GONE) as gone:
        await gone.call("attend", worker="gone-1")
    async with await connect(place.app_url, board=BOARD) as client:
        for number in range(TREES):
            await client.post(tasks=_tree(f"tree{number}", number, dice))
        plans = [
            NewTask(name=f"plan{number}", title="to be delegated", agent="lead", delegator="cto")
            for number in range(PLANS)
        ]
        await client.post(tasks=plans)


def _tree(name: str, number: int, dice: random.Random) -> list[NewTask]:
    """A tree of the ceo's: through cto and lead to two makers, now and then to who is gone."""
    made = [
        NewTask(name=name, title=name, agent="cto", delegator="ceo"),
        NewTask(name=f"{name}-lead", title=name, agent="lead", parent=name, delegator="cto"),
    ]
    for leaf in range(2):
        gone = leaf == 0 and number % 4 == 0
        made.append(
            NewTask(
                name=f"{name}-{leaf}", title=name, agent=GONE if gone else dice.choice(MAKERS), parent=f"{name}-lead",
                delegator="lead", on_no_ack="escalate" if gone and number % 8 == 0 else "reassign_or_escalate",
            )
        )  # fmt: skip
    return made


class People:
    """Who cancels, reassigns, overrules, calls meetings and answers, until calmed down."""

    def __init__(self, place: Place, seed: int, company: Company) -> None:
        self._place = place
        self._company = company
        self._dice = random.Random(f"people {seed}")
        self._first = [0.7, 0.45, 0.6, 0.6]
        """What is done first, the last before the others, while all of it can still be done."""
        self.meetings = 0
        self.cancelled: list[str] = []
        """Tasks whose cancelling was confirmed."""

    async def live(self) -> None:
        """Meddle until cancelled; of an answer that was lost nobody knows."""
        while True:
            try:
                async with await connect(self._place.app_url, board=BOARD) as client:
                    while True:
                        await self._answer(client)
                        await (self._end_what_waits(client) if self._company.quiet else self._meddle(client))
                        await asyncio.sleep(MEDDLE_SECONDS)
            except (SlateError, OSError):  # Postgres is being killed: that is what this is about
                await asyncio.sleep(MEDDLE_SECONDS)

    async def _try(self, client: Client, operation: str, **arguments: Any) -> bool:
        """Whether it was done; what was done by then, or must not be, is refused."""
        try:
            await client.call(operation, **arguments)
        except Unavailable:
            raise
        except SlateError:
            return False
        return True

    async def _meddle(self, client: Client) -> None:
        what = self._first.pop() if self._first else self._dice.random()
        tree = f"tree{self._dice.randrange(TREES)}"
        task = tree + self._dice.choice(("", "-lead", "-0", "-1"))
        if self._dice.random() < 0.3:
            task = f"plan{self._dice.randrange(PLANS)}"
        if what < 0.4 and self.meetings < MEETINGS:
            await self._call_meeting(client)
        elif what < 0.5:
            if await self._try(client, "cancel_task", task=task, reason="not this year", waive=True):
                self.cancelled.append(task)
        elif what < 0.65:
            maker = self._dice.choice((*MAKERS, HERMIT))
            await self._try(client, "reassign", task=f"{tree}-1", agent=maker, reason="it is free")
        elif what < 0.8:
            rows = (await client.call("list_items", first=50, place="ready"))["rows"]
            rows = [row for row in rows if row["kind"] == "produce"]
            if rows:
                item = self._dice.choice(rows)["id"]
                given = {"agent": self._dice.choice(MAKERS)} if what < 0.7 else {"rating": self._dice.randrange(900)}
                await self._try(client, "override", item=item, reason="it must be so", **given)

    async def _call_meeting(self, client: Client) -> None:
        """A meeting of some, with or without a veto; now and then one that nobody can open."""
        self.meetings += 1
        able = ["cto", "lead", *MAKERS, GONE]
        there = self._dice.sample(able, self._dice.randint(2, 5))
        more: dict[str, Any] = {}
        if self._dice.random() < 0.3:
            more = {"decision_model": "majority_with_veto", "veto_roles": [self._dice.choice(there)]}
        elif self._dice.random() < 0.2:
            more = {"decision_model": "unanimous"}
        if GONE in there and self._dice.random() < 0.3:
            more["quorum"] = len(there)
        await client.call(
            "schedule_meeting", title=f"review {self.meetings}", participants=there,
            agenda=[f"item {number}" for number in range(self._dice.randint(1, 3))],
            decision_required=self._dice.random() < 0.3, max_duration_minutes=self._dice.choice(MEETING_MINUTES),
            turn_seconds=STEP_SECONDS, vote_seconds=STEP_SECONDS, **more,
        )  # fmt: skip

    async def _end_what_waits(self, client: Client) -> None:
        """Nobody waits minutes for a meeting that was moved, nor for who is gone."""
        for row in await client.call("list_delegations", agents=[GONE], state="unanswered"):
            if not await self._try(
                client, "reassign", task=row["task"], agent=self._dice.choice(MAKERS), reason="nobody was heard of"
            ):
                await self._try(client, "cancel_task", task=row["task"], reason="nobody can do it", waive=True)
        for row in await client.call("list_meetings"):
            if row["state"] in {"scheduled", "waiting"}:
                await self._try(client, "adjourn_meeting", meeting=row["meeting"], reason="the day is over")

    async def _answer(self, client: Client) -> None:
        """Answer half of what people are asked; what is left is left to its deadline, or stays."""
        for row in (await client.call("list_escalations", first=100))["rows"]:
            dice = random.Random(f"{row['item']}")
            if row["owner"] in PEOPLE and dice.random() < 0.5:
                answer = "cancel" if row["kind"] == "quorum" else dice.choice(row["options"] or ["so be it"])
                await self._try(client, "answer", escalation=row["item"], answer=answer)
