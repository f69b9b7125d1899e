"""The board as it was: what `board(asOf:)` answers beside the board of today.

Rows are plain objects in the words of the listings, without what the log does not tell (ratings, progress, expiries).
The log is folded once for a query, whatever kinds are selected.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import strawberry
from strawberry.scalars import JSON

from slateboard.interfaces.graphql.scalars import BigInt, plain_json
from slateboard.reports.as_of_rows import KINDS

if TYPE_CHECKING:
    from slateboard.interfaces.graphql.request import Request
    from slateboard.interfaces.graphql.selection import Selected
    from slateboard.protocol.names import BoardId


@strawberry.type(description="A page of rows as they were; `next` is the cursor of the page that follows.")
class PastRows:
    """A page of rows as they were; `next` is the cursor of the page that follows."""

    nodes: JSON
    next: str | None
    total: int


@strawberry.type(
    description="The board right after an event. What the events at the positions `erased` told is missing."
)
class BoardAsOf:
    """The board right after an event. What the events at the positions `erased` told is missing."""

    position: BigInt
    happened_at: datetime
    erased: list[BigInt]
    agents: PastRows
    tasks: PastRows
    artifacts: PastRows
    items: PastRows
    decisions: PastRows
    dead_letters: PastRows


async def load(
    request: Request, board: BoardId, selected: Selected, point: str, *, first: int, after: str | None
) -> dict[str, Any]:
    """The board as of a position or a time, with the kinds that are selected."""
    below = {one.python_name for one in selected.find("asOf")}
    given: dict[str, Any] = {"position": int(point)} if point.isdecimal() else {"time": point}
    given |= {"of": [kind for kind in KINDS if kind in below], "first": first, "after": after}
    found = await request.perform("as_of", board, given)
    for kind in given["of"]:
        page = found[kind]
        found[kind] = {"nodes": plain_json(page["rows"]), "next": page["next"], "total": page["total"]}
    return found
