"""A board whose clock the test moves, with the leader's chores as steps, and what always holds when agents fail."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from slateboard.protocol.names import BoardId
from slateboard.server import chores
from slateboard.server.duty import Duty
from tests.support.boards import BoardUnderTest
from tests.support.invariants import DEAD_WITHOUT_LETTER, DOUBLED, MISCOUNTED, STRANDED
from tests.support.simulated import move

LEAD = (
    chores.promote_scheduled, chores.expire_leases, chores.end_overlong, chores.escalate, chores.undo_failures,
    chores.watch_budgets, chores.free_held, chores.tell_due, chores.tell_stalled, chores.sweep_gates,
)  # fmt: skip

# Who waits is waited for by somebody named who can still act, and is in the place that says so.
WAITS_FOR_NOBODY = """
SELECT n.item FROM waiting n JOIN item_places p ON p.board = n.board AND p.item = n.item
JOIN item_places d ON d.board = n.board AND d.item = n.on_item
WHERE n.board = $1 AND (p.place <> 'waiting' OR d.place IN ('done', 'cancelled'))
UNION ALL
SELECT w.id FROM work_items w JOIN dependencies d ON d.board = w.board AND d.item = w.id AND d.counted
JOIN work_items b ON b.board = d.board AND b.id = d.blocker
WHERE w.board = $1 AND w.outcome IS NULL AND w.kind = 'produce' AND b.outcome IS NULL AND b.kind IN ('verify', 'answer')
  AND NOT EXISTS (SELECT FROM waiting n WHERE n.board = w.board AND n.item = w.id AND n.on_item = b.id)
UNION ALL
SELECT e.item FROM escalations e JOIN work_items w ON w.board = e.board AND w.id = e.item
WHERE e.board = $1 AND (e.answered_at IS NULL) IS DISTINCT FROM (w.outcome IS NULL OR w.outcome = 'dead')
  AND w.outcome IS DISTINCT FROM 'cancelled'
"""

# What somebody is to judge or answer is in the inbox of who was asked, until the deadline that was set.
OF_NOBODY = """
SELECT w.id AS item FROM work_items w
LEFT JOIN escalations e ON e.board = w.board AND e.item = w.id AND e.answered_at IS NULL
LEFT JOIN verifications v ON v.board = w.board AND v.item = w.id AND v.verdict IS NULL
WHERE w.board = $1 AND w.kind IN ('verify', 'answer') AND coalesce(w.outcome, 'dead') = 'dead'
  AND ((w.inbox, w.due) IS DISTINCT FROM (coalesce(e.owner, v.verifier), coalesce(e.deadline, v.deadline))
       OR w.inbox IS NULL OR w.due IS NULL)
"""

TWO_PROBES = """
SELECT l.item FROM circuit_breakers c JOIN leases l ON l.board = c.board AND l.agent = c.agent
WHERE c.board = $1 AND l.claimed_at > c.since AND l.fence IS DISTINCT FROM c.probe_fence
"""

# A result accepted twice, a version undone twice, an undo begun before the one that comes first.
ACCEPTED_TWICE = """
SELECT x.item FROM attempts x WHERE x.board = $1 AND x.outcome = 'completed'
  AND NOT EXISTS (SELECT FROM verifications v WHERE v.board = $1 AND v.about = x.item)
GROUP BY x.item HAVING count(*) > 1
UNION ALL
SELECT v.about FROM verifications v WHERE v.board = $1 AND v.verdict = 'approved' GROUP BY v.about HAVING count(*) > 1
UNION ALL
SELECT min(c.item) FROM compensations c WHERE c.board = $1 AND c.version IS NOT NULL
GROUP BY c.artifact, c.version HAVING count(*) > 1
UNION ALL
SELECT c.item FROM compensations c JOIN leases l ON l.board = c.board AND l.item = c.item
JOIN compensations e ON e.board = c.board AND e.task = c.task AND e.item < c.item AND e.outcome IS NULL
JOIN work_items w ON w.board = e.board AND w.id = e.item AND w.outcome IS DISTINCT FROM 'cancelled'
WHERE c.board = $1
"""

OVER_BOUND = """
SELECT item FROM attempts WHERE board = $1 AND outcome IN ('failed', 'interrupted') GROUP BY item HAVING count(*) > $2
"""

LATE = """
SELECT item FROM waiting WHERE board = $1 AND deadline <= $2
UNION ALL SELECT item FROM escalations e WHERE board = $1 AND answered_at IS NULL AND deadline <= $2
  AND (SELECT w.outcome IS DISTINCT FROM 'cancelled' FROM work_items w WHERE w.board = $1 AND w.id = e.item)
UNION ALL SELECT item FROM leases WHERE board = $1 AND expires_at < $2
"""


class FailingBoard:
    """One board in simulated time; the clock starts at the real one and only goes ahead."""

    def __init__(self, board: BoardUnderTest) -> None:
        self.board = board
        self.ahead = timedelta()
        self.waived: list[int] = []
        self.duty = Duty(database=board.database, owner_url="", wake=_nobody, sealed=lambda _board: None)

    async def now(self) -> datetime:
        """What the database says that the time is."""
        return await self.board.fetchval("SELECT clock_timestamp() + interval '0' * $1::bigint")

    async def advance(self, hours: float) -> None:
        """Let time pass; nobody looks at what it means yet."""
        self.ahead += timedelta(hours=hours)
        await move(self.board.database, self.ahead)

    async def lead(self, order: Iterable[int] = range(len(LEAD))) -> None:
        """The leader does each of its chores, in some order."""
        await self.board.seal()
        for number in order:
            for _ in range(20):
                if await LEAD[number](self.duty):
                    break

    async def check(self, bound: int) -> None:
        """What always holds; the message names the items that break it."""
        for name, sql, arguments in (
            ("in no place", STRANDED, ()),
            ("in two places", DOUBLED, ()),
            ("with a gate that counts wrong", MISCOUNTED, (self.waived,)),
            ("dead without a letter", DEAD_WITHOUT_LETTER, ()),
            ("that wait for nobody", WAITS_FOR_NOBODY, ()),
            ("that are duties without their owner or deadline", OF_NOBODY, ()),
            ("claimed beside the probe", TWO_PROBES, ()),
            ("accepted or undone twice, or too early", ACCEPTED_TWICE, ()),
            ("tried too often", OVER_BOUND, (bound,)),
        ):
            rows = await self.board.fetch(sql, *arguments)
            assert not rows, f"items {name}: {[dict(row) for row in rows[:10]]}"

    async def check_nothing_is_late(self, now: datetime) -> None:
        """After the leader's chores: what was to happen by a deadline has happened."""
        rows = await self.board.fetch(LATE, now)
        assert not rows, f"items past their time: {[row['item'] for row in rows]}"

    async def rows(self, sql: str, *arguments: Any) -> list[dict[str, Any]]:
        """Rows as dictionaries; `$1` is the board."""
        return [dict(row) for row in await self.board.fetch(sql, *arguments)]


def _nobody(_board: BoardId, _inboxes: Iterable[int]) -> None:
    return None
