"""What must happen in the commit that ends a claim of some kind of item, beside its end: hooks, by kind.

An item is `hooked` from its beginning, and its lease says so too, so that `finish_items` passes over it. Such a finish
is a transaction of its own on the same connection: the hook ends the claim (`leases.give_up`), and completes the item
(`duties.complete`) or lets it wait. Which hook serves which kind is in the catalogue (`interfaces/operations`).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from slateboard.protocol.errors import Invalid, SlateError
from slateboard.protocol.work import Finished

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime

    from slateboard.protocol.work import Finish
    from slateboard.transaction import Statement, Transaction

    Hook = Callable[[Transaction, Finish], Awaitable[Finished]]

HOOKS: dict[str, str] = {}
"""By kind of item, the import path of its hook: `package.module:function`."""

HOOKED = """
SELECT l.item, w.kind FROM leases l JOIN work_items w ON w.board = l.board AND w.id = l.item
WHERE l.board = $1 AND (l.item, l.fence) IN (SELECT * FROM unnest($2::bigint[], $3::bigint[]))
  AND ($4::bigint IS NULL OR l.agent = $4)
ORDER BY l.item
"""


async def finish(
    tx: Statement, finishes: Sequence[Finish], now: datetime | None
) -> tuple[dict[tuple[int, int], Finished], list[int]]:
    """Finish these claims, hooked or with evidence, one after the other: by item and fence; and the inboxes to wake."""
    kinds = {
        row["item"]: row["kind"]
        for row in await tx.fetch(
            HOOKED, tx.board, [one.item for one in finishes], [one.fence for one in finishes], tx.actor.limited_to
        )
    }
    answers: dict[tuple[int, int], Finished] = {}
    woken: set[int] = set()
    for one in finishes:
        if one.item not in kinds:
            continue
        try:
            async with tx.change(now=now) as change:
                answers[one.item, one.fence] = await _hook(kinds[one.item])(change, one)
        except SlateError as error:
            answers[one.item, one.fence] = Finished(item=one.item, error=error)
        else:
            woken |= change.woken.get(tx.board, set())
    return answers, sorted(woken)


def _hook(kind: str) -> Hook:
    if kind not in HOOKS:
        raise Invalid(f"work of the kind {kind} has no artifact to give evidence of", remedy="leave the evidence out")
    module, _, name = HOOKS[kind].partition(":")
    return getattr(import_module(module), name)
