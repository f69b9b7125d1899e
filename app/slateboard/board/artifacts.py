"""Artifacts: the named results that tasks must produce, and who has a say in each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slateboard.board import delegations, queries
from slateboard.protocol.errors import NotYours
from slateboard.protocol.rights import Right
from slateboard.store.arrays import numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slateboard.transaction import Statement, Transaction


async def require_own(tx: Statement, artifacts: Sequence[int]) -> None:
    """Refuse an agent that neither owns nor does nor delegated one of these; operators have a say in everything."""
    if tx.actor.right >= Right.OPERATOR:
        return
    foreign = await tx.fetchval(queries.FOREIGN_ARTIFACT, tx.board, numbers(artifacts), tx.actor.agent)
    if foreign is not None:
        message = f"{tx.actor.name} neither owns nor delegated {foreign}, so it cannot change it"
        raise NotYours(message, remedy="ask its delegator, or somebody with the right operator", reference=foreign)


async def check_owners(tx: Transaction, given: Sequence[tuple[int, int]]) -> None:
    """Refuse owners that do not accept these artifacts from who gives them: (artifact, owner). `NotAccepted`."""
    if not given:
        return
    columns = (numbers(artifact for artifact, _ in given), numbers(owner for _, owner in given))
    for row in await tx.fetch(queries.GIVEN_PARTS, tx.board, *columns):
        delegations.check_part(tx, **row)
