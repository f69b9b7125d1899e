"""Gathering: what a subscription with `all_of` waits for, one row for each correlation until all its patterns are met.

An event meets each pattern that fits it, the first event of a correlation counts for each. When the last is met, one
delivery of all of them is made, and the correlation begins anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slateboard.patterns.fitting import Fit
    from slateboard.transaction import Transaction

HOLD = """
SELECT FROM subscriptions WHERE board = $1 AND id = $2 AND cursor = $3 AND paused_at IS NULL FOR UPDATE SKIP LOCKED
"""

GATHERED = """
SELECT correlation, positions FROM gatherings WHERE board = $1 AND subscription = $2 AND correlation = ANY ($3::text[])
"""

KEEP = """
INSERT INTO gatherings (board, subscription, correlation, positions, gathered_at)
SELECT $1, $2, g.correlation, g.positions::bigint[], $5
FROM unnest($3::text[], $4::text[]) AS g (correlation, positions)
ON CONFLICT (board, subscription, correlation) DO UPDATE
SET positions = excluded.positions, gathered_at = excluded.gathered_at
"""

FORGET = "DELETE FROM gatherings WHERE board = $1 AND subscription = $2 AND correlation = ANY ($3::text[])"

AWAITED = 0


async def gather(tx: Transaction, subscription: Any, fits: Sequence[Fit]) -> dict[int, list[int]] | None:
    """Note these events; by the position of the one that was awaited last, the positions of all that it completes.

    None if somebody else has routed this step, or is doing so.
    """
    number = subscription["id"]
    if not await tx.fetch(HOLD, tx.board, number, subscription["cursor"]):
        return None
    correlations = sorted({fit.correlation for fit in fits})
    rows = await tx.fetch(GATHERED, tx.board, number, correlations)
    before = {row["correlation"]: list(row["positions"]) for row in rows}
    complete, now = collect(before, fits, len(subscription["patterns"]))
    kept = {one: places for one, places in now.items() if any(places)}
    texts = ["{" + ",".join(map(str, places)) + "}" for places in kept.values()]
    await tx.fetch(KEEP, tx.board, number, list(kept), texts, tx.now)
    await tx.fetch(FORGET, tx.board, number, sorted(before.keys() - kept.keys()))
    return complete


def collect(
    before: dict[str, list[int]], fits: Sequence[Fit], patterns: int
) -> tuple[dict[int, list[int]], dict[str, list[int]]]:
    """What is complete after these events, by the last one's position; and what each correlation has gathered."""
    complete: dict[int, list[int]] = {}
    now = {correlation: list(places) for correlation, places in before.items()}
    for fit in fits:
        if fit.position in complete:
            continue
        places = now.setdefault(fit.correlation, [AWAITED] * patterns)
        if places[fit.number] == AWAITED:
            places[fit.number] = fit.position
        if all(places):
            complete[fit.position] = sorted(set(places))
            now[fit.correlation] = [AWAITED] * patterns
    return complete, now
