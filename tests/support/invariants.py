"""What always holds on a board, asked of the tables themselves: run after every test of the queue."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from typing import Any

from tests.support.boards import BoardUnderTest

STRANDED = "SELECT item FROM item_places WHERE board = $1 AND place = 'nowhere'"

# An unfinished item in two places, a finished one in any, or a place with an item that is not there.
DOUBLED = """
SELECT p.item, array_agg(p.place ORDER BY p.place) AS places, w.outcome
FROM (SELECT item, 'ready' AS place FROM ready WHERE board = $1
      UNION ALL SELECT item, 'scheduled' FROM scheduled WHERE board = $1
      UNION ALL SELECT item, 'gated' FROM gates WHERE board = $1
      UNION ALL SELECT item, 'claimed' FROM leases WHERE board = $1) AS p
LEFT JOIN work_items w ON w.board = $1 AND w.id = p.item
GROUP BY p.item, w.id, w.outcome HAVING count(*) > 1 OR w.outcome IS NOT NULL OR w.id IS NULL
"""

# A blocker that is done still counts while the rest of its fan-out is on its way.
MISCOUNTED = """
SELECT g.item, g.remaining, counted.blockers
FROM gates g, LATERAL (
    SELECT count(*) + (SELECT count(*) FROM event_waits w
                       WHERE w.board = g.board AND w.item = g.item AND w.ended_at IS NULL)
                    + (SELECT count(*) FROM holds h WHERE h.board = g.board AND h.item = g.item) AS blockers
    FROM dependencies d
    JOIN work_items b ON b.board = d.board AND b.id = d.blocker
    LEFT JOIN unlocks u ON u.board = d.board AND u.blocker = d.blocker
    WHERE d.board = g.board AND d.item = g.item AND d.counted
      AND (b.outcome IS DISTINCT FROM 'done' AND NOT b.id = ANY ($2::bigint[]) OR d.item > u.after_item)
) AS counted
WHERE g.board = $1 AND (g.remaining <> counted.blockers OR g.remaining <= 0)
"""

DEAD_WITHOUT_LETTER = """
SELECT w.id AS item FROM work_items w FULL JOIN dead_letters d ON d.board = w.board AND d.item = w.id
WHERE coalesce(w.board, d.board) = $1 AND (w.outcome = 'dead') IS DISTINCT FROM (d.item IS NOT NULL)
  AND NOT (d.item IS NULL AND w.outcome IS NULL)
"""

FENCES = """
SELECT item, fence, attempt FROM attempts WHERE board = $1
UNION ALL SELECT item, fence, attempt FROM leases WHERE board = $1
ORDER BY item, fence
"""

SEALED = """
SELECT board, position, id, subject, payload, payload_hash, actor, authenticated_by, cause, correlation,
       depth, traceparent, (extract(epoch FROM happened_at) * 1000000)::bigint AS happened_at_microseconds, hash
FROM events WHERE board = $1 ORDER BY position
"""


async def check_board(board: BoardUnderTest) -> None:
    """Every invariant of one board; the message names the rows that break it."""
    await check_work(board)
    await check_log(board)


async def check_work(board: BoardUnderTest) -> None:
    """Places, gates, dead letters, fences."""
    waived = [item for row in await board.log(subject="board.item.waived") for item in row.payload["items"]]
    for name, sql, arguments in (
        ("in no place", STRANDED, ()),
        ("in more than one place, or finished and in one", DOUBLED, ()),
        ("with a gate that counts wrong", MISCOUNTED, (waived,)),
        ("dead without a letter, or the reverse", DEAD_WITHOUT_LETTER, ()),
    ):
        rows = await board.fetch(sql, *arguments)
        assert not rows, f"items {name}: {[dict(row) for row in rows[:10]]}"
    check_fences(await board.fetch(FENCES))


def check_fences(rows: list[Any]) -> None:
    """A fence is used once, and grows with the attempts of an item."""
    fences = [row["fence"] for row in rows]
    assert len(fences) == len(set(fences)), "a fence was used twice"
    for earlier, later in pairwise(rows):
        if earlier["item"] == later["item"]:
            assert earlier["attempt"] <= later["attempt"], (dict(earlier), dict(later))


async def check_log(board: BoardUnderTest) -> None:
    """Positions are dense, and the chain of `log/seal.sql` holds when it is worked out here."""
    await board.seal()
    rows = await board.fetch(SEALED)
    previous = b""
    for expected, row in enumerate(rows, start=1):
        assert row["position"] == expected, f"the log has a gap before position {row['position']}"
        previous = chain_hash(previous, row)
        assert row["hash"] == previous, f"the chain breaks at position {expected}"
    head = await board.fetch("SELECT position, hash FROM event_heads WHERE board = $1")
    assert [(one["position"], one["hash"]) for one in head] == ([(len(rows), previous)] if rows else [])


def chain_hash(previous: bytes, row: Any) -> bytes:
    """One step of the chain, as `log/seal.sql` describes it."""
    names = (
        "board",
        "position",
        "id",
        "subject",
        "actor",
        "authenticated_by",
        "cause",
        "correlation",
        "depth",
        "traceparent",
    )
    fields = [row[name] for name in names] + [row["happened_at_microseconds"]]
    head = "\n".join("" if one is None else str(one) for one in fields)
    digest = row["payload_hash"]
    if row["payload"] is not None:  # one that was erased keeps its hash
        worked_out = hashlib.sha256(row["payload"].encode()).digest()
        assert digest == worked_out, f"payload of position {row['position']} was changed"
    return hashlib.sha256(previous + digest + head.encode()).digest()
