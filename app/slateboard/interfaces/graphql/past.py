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
from slateboard.protocol.errors import Invalid
from slateboard.reports.past.listing import KINDS
from slateboard.reports.tree import MAX_DEPTH

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

    @strawberry.field
    def show(self: Any, name: str) -> JSON:
        """One thing in full: a task, an artifact (task/artifact) or a work item (its id); one in a query."""
        return self["show"]

    @strawberry.field
    def tree(self: Any, task: str | None = None, depth: int = MAX_DEPTH) -> JSON:
        """The tree below a task, or of the whole board; one in a query."""
        return self["tree"]


async def load(
    request: Request, board: BoardId, selected: Selected, point: str, *, first: int, after: str | None
) -> dict[str, Any]:
    """The board as of a position or a time, with the kinds that are selected."""
    below = {one.python_name for one in selected.find("asOf")}
    given: dict[str, Any] = {"position" if point.rpartition("@")[2].isdecimal() else "time": point}
    given |= {"of": [kind for kind in KINDS if kind in below], "first": first, "after": after}
    shown, trees = _arguments(selected, "show"), _arguments(selected, "tree")
    found = await request.perform("as_of", board, given | {"show": shown and shown["name"], "tree": trees})
    for kind in given["of"]:
        page = found[kind]
        found[kind] = {"nodes": plain_json(page["rows"]), "next": page["next"], "total": page["total"]}
    return found | {name: plain_json(found[name]) for name in ("show", "tree") if name in found}


def _arguments(selected: Selected, name: str) -> dict[str, Any] | None:
    """With what a field of `asOf` is asked for; None if it is not."""
    asked = [one.arguments for one in selected.find("asOf") if one.name == name]
    if any(one != asked[0] for one in asked):
        raise Invalid(f"a query shows one {name} as it was", remedy="ask for the others in queries of their own")
    return asked[0] if asked else None
