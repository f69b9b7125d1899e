"""Which events of a part of the log fit which patterns, found for many at once: each subject is compared once.

The life of deliveries and the queue's own motion fit nothing. A range is at most 5,000 positions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slateboard.transaction import Statement

POSITIONS = 5_000
"""Of the log, in one step."""

NEVER_ROUTED = r"^board\.(delivery\..+|item\.(claimed|opened|promoted|waived|repaired))$"

# Which events fit which expressions. Each subject is compared once; whoever wants it may have several expressions.
FITTING = """
WITH range AS MATERIALIZED (
    SELECT position, id, subject, correlation, depth FROM events
    WHERE board = $1 AND position > $2 AND position <= $3 AND subject !~ $4
),
subjects AS MATERIALIZED (SELECT DISTINCT subject FROM range),
fits AS MATERIALIZED (
    SELECT w.who, w.number, u.subject
    FROM unnest($5::bigint[], $6::int[], $7::text[]) AS w (who, number, expression), subjects u
    WHERE u.subject ~ w.expression
)
SELECT f.who, array_agg(r.position ORDER BY r.position, f.number) AS positions,
       array_agg(f.number ORDER BY r.position, f.number) AS numbers,
       array_agg(r.id ORDER BY r.position, f.number) AS ids,
       array_agg(r.correlation ORDER BY r.position, f.number) AS correlations,
       array_agg(r.depth ORDER BY r.position, f.number) AS depths
FROM fits f JOIN range r ON r.subject = f.subject
GROUP BY f.who ORDER BY f.who
"""

SIFT = """
WITH range AS MATERIALIZED (
    SELECT e.position, event_json(e.subject, e.actor, e.correlation, e.payload) AS event FROM events e
    WHERE e.board = $1 AND e.position >= $2 AND e.position <= $3 AND e.position = ANY ($4::bigint[])
)
SELECT r.position, jsonb_path_query_first(r.event, $6::text::jsonpath, '{}', true) #>> '{}' AS key
FROM range r WHERE event_fits($5::text::jsonpath, r.event) ORDER BY r.position
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One expression of a subscription or a wait, whose number says which of several it is."""

    who: int
    number: int
    expression: str


@dataclass(frozen=True, slots=True)
class Fit:
    """An event that fits a wanted expression: and the number of that."""

    position: int
    number: int
    event: int
    correlation: str
    depth: int


async def fitting(tx: Statement, wanted: Sequence[Wanted], after: int, upto: int) -> dict[int, list[Fit]]:
    """By who wants them, the events of the board after one position up to another that fit, in order."""
    columns = [[one.who for one in wanted], [one.number for one in wanted], [one.expression for one in wanted]]
    found = await tx.fetch(FITTING, tx.board, after, upto, NEVER_ROUTED, *columns)
    return {
        row["who"]: [
            Fit(position, number, event, correlation or f"event-{event}", depth)
            for position, number, event, correlation, depth in zip(
                row["positions"], row["numbers"], row["ids"], row["correlations"], row["depths"], strict=True
            )
        ]
        for row in found
    }
