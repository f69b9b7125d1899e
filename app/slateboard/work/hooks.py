"""What must happen in the commit that ends a claim of some kind of item, beside its end: hooks, by kind.

An item is `hooked` from its beginning, and its lease says so too, so that `finish_items` passes over it. Such a finish
is a transaction of its own on the same connection: the hook ends the claim (`leases.give_up`), and completes the item
(`duties.end`) or lets it wait. Which hook serves which kind is in the catalogue (`interfaces/operations`).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from slateboard.protocol.errors import Invalid, SlateError
from slateboard.protocol.states import ItemKind
from slateboard.protocol.work import Finished

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime

    from slateboard.protocol.work import Finish
    from slateboard.transaction import Statement, Transaction

    Hook = Callable[[Transaction, Finish], Awaitable[Finished]]

HOOKS: dict[str, str] = {}
"""By kind of item, the import path of its hook: `package.module:function`."""

DUTIES = frozenset({ItemKind.ANSWER, ItemKind.COMPENSATE, ItemKind.MEET, ItemKind.VERIFY})
"""The kinds all of whose items are hooked."""


async def finish(
    tx: Statement, finishes: Sequence[tuple[Finish, str]], now: datetime | None
) -> tuple[dict[tuple[int, int], Finished], list[int]]:
    """Finish these claims, hooked or with evidence, one after the other: by item and fence; and the inboxes to wake.

    Each with the kind of its item.
    """
    answers: dict[tuple[int, int], Finished] = {}
    woken: set[int] = set()
    for one, kind in finishes:
        try:
            async with tx.change(now=now) as change:
                answers[one.item, one.fence] = await _hook(kind)(change, one)
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
