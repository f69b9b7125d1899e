"""Loading what the selected fields need, for all rows of a list at once, before the list is written.

Each selected field costs one operation of the catalogue, however many rows there are; so the number of statements of a
query depends on its text alone. What was loaded stands in the rows, under the field's name and arguments.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from slateboard.interfaces.graphql.request import Request
from slateboard.interfaces.graphql.selection import Selected
from slateboard.protocol.errors import TooLarge
from slateboard.protocol.names import BoardId
from slateboard.protocol.pages import MAX_PAGE, Page
from slateboard.reports.paging import check_first, decode, encode, id_key

MAX_CONTENTS = 100
"""Versions whose inline content (up to 1 MiB each) is read for one field."""

Row = dict[str, Any]
Key = Callable[[Row], Sequence[Any]]


def artifact_row(row: Row) -> Row:
    """The row of an artifact under the names of the schema."""
    row["attempt_count"] = row["attempts"]
    return row


def failure_row(row: Row) -> Row:
    """A row with a failure class under the name of the schema."""
    row["failure_class"] = row["class"]
    return row


def board_row(row: Row) -> Row:
    """The row of a board; how it was is asked for one board at a time."""
    row["as_of"] = None
    return row


ADAPTED: dict[str, Callable[[Row], Row]] = {
    "Artifact": artifact_row,
    "Attempt": failure_row,
    "Board": board_row,
    "DeadLetter": failure_row,
}


async def connection(
    request: Request, board: BoardId, node: str, page: Page, selected: Selected, *, key: Key = id_key, after: Any
) -> dict[str, Any]:
    """A page as a connection of nodes of that type, with everything loaded that is selected on them."""
    rows = page.rows
    if node in ADAPTED:
        for row in rows:
            ADAPTED[node](row)
    await load(request, board, node, rows, nodes_below(selected))
    return joined(rows, selected, key=key, more=page.next is not None, after=after, total=page.total)


def nodes_below(selected: Selected) -> list[Selected]:
    """What is selected on the nodes of a connection."""
    return [*selected.find("edges", "node"), *selected.find("nodes")]


def joined(
    rows: list[Row],
    selected: Selected,
    *,
    key: Key,
    more: bool,
    after: Any,
    total: int | None = None,
    keys: Sequence[Sequence[Any]] | None = None,
) -> dict[str, Any]:
    """Rows as a connection; cursors are made only where they are selected."""
    found = [key(row) for row in rows] if keys is None else keys
    cursors = [encode(one) for one in found] if _selects(selected, "cursor", "edges") else [""] * len(rows)
    ends = found if _selects(selected, "startCursor", "pageInfo") or _selects(selected, "endCursor", "pageInfo") else []
    return {
        "edges": [{"cursor": cursor, "node": row} for cursor, row in zip(cursors, rows, strict=True)],
        "nodes": rows,
        "page_info": {
            "has_next_page": more,
            "has_previous_page": after is not None,
            "start_cursor": encode(ends[0]) if ends else None,
            "end_cursor": encode(ends[-1]) if ends else None,
        },
        "total_count": total,
    }


def _selects(selected: Selected, name: str, *path: str) -> bool:
    return any(one.name == name for one in selected.find(*path))


async def load(request: Request, board: BoardId, node: str, rows: list[Row], below: Sequence[Selected]) -> None:
    """Put into the rows what the selected fields of that type need; fields of the same key once."""
    grouped: dict[Any, list[Selected]] = {}
    for one in below:
        if (node, one.python_name) in LOADERS:
            grouped.setdefault(one.row_key, []).append(one)
    for key, group in grouped.items():
        if rows:
            await LOADERS[node, group[0].python_name](request, board, rows, key, group)


async def _tasks(request: Request, board: BoardId, rows: list[Row], key: Any, group: list[Selected]) -> None:
    below = [one for selected in group for one in selected.below]
    names = sorted({row["task"] for row in rows if row["task"] is not None})
    roll_up = any(one.name in {"status", "progress"} for one in below)
    page = await request.perform("list_tasks", board, {"names": names, "roll_up": roll_up})
    await load(request, board, "Task", page.rows, below)
    found = {row["name"]: row for row in page.rows}
    for row in rows:
        row[key] = found.get(row["task"])


async def _owners(request: Request, board: BoardId, rows: list[Row], key: Any, group: list[Selected]) -> None:
    names = sorted({row["owner"] for row in rows if row["owner"] is not None})
    page = await request.perform("list_agents", board, {"names": names})
    await load(request, board, "Agent", page.rows, [one for selected in group for one in selected.below])
    found = {row["name"]: row for row in page.rows}
    for row in rows:
        row[key] = found.get(row["owner"])


async def _artifact(request: Request, board: BoardId, rows: list[Row], key: Any, group: list[Selected]) -> None:
    """The artifact of each work item."""
    ids = sorted({row["artifact"] for row in rows if row["artifact"] is not None})
    found = await _artifacts_by_id(request, board, ids, {}, group)
    for row in rows:
        row[key] = found.get(row["artifact"])


async def _artifacts_by_id(
    request: Request, board: BoardId, ids: Sequence[int], known: dict[int, Row], group: list[Selected]
) -> dict[int, Row]:
    """Artifacts by id, without asking for those that are known; what is selected on them is loaded too."""
    # Copies: on this level other fields may be selected, under the same keys.
    missing = [one for one in ids if one not in known]
    found = {one: dict(known[one]) for one in ids if one in known}
    if missing:
        page = await request.perform("list_artifacts", board, {"ids": missing})
        found |= {row["id"]: artifact_row(row) for row in page.rows}
    wanted = [found[one] for one in ids if one in found]
    below = [one for selected in group for one in (nodes_below(selected) or selected.below)]
    await load(request, board, "Artifact", wanted, below)
    return found


def _neighbours(*, dependents: bool) -> Loader:
    async def neighbours(request: Request, board: BoardId, rows: list[Row], key: Any, group: list[Selected]) -> None:
        first, after = group[0].arguments["first"], group[0].arguments["after"]
        check_first(first)
        edges = await request.perform(
            "list_dependencies",
            board,
            {
                "artifacts": [row["id"] for row in rows],
                "dependents": dependents,
                "first": min(first + 1, MAX_PAGE),
                "after": 0 if after is None else decode(after, parts=1)[0],
            },
        )
        of: dict[int, list[Row]] = {}
        for edge in edges:
            of.setdefault(edge["artifact"], []).append(edge)
        known = {row["id"]: row for row in rows}
        ids = sorted({edge["id"] for edge in edges if edge["id"] is not None})
        found = await _artifacts_by_id(request, board, ids, known, group)
        for row in rows:
            own = of.get(row["id"], [])
            shown = [edge for edge in own[:first] if edge["id"] in found]
            row[key] = joined(
                [found[edge["id"]] for edge in shown],
                group[0],
                key=id_key,
                keys=[[edge["item"]] for edge in shown],
                more=len(own) > first,
                after=after,
            )

    return neighbours


async def _attempts(request: Request, board: BoardId, rows: list[Row], key: Any, group: list[Selected]) -> None:
    of = await _of_artifacts(request, board, "list_attempts", rows, {"last": group[0].arguments["last"]})
    for row in rows:
        row[key] = of.get(row["id"], [])


async def _last_attempt(request: Request, board: BoardId, rows: list[Row], key: Any, group: list[Selected]) -> None:
    of = await _of_artifacts(request, board, "list_attempts", rows, {"last": 1})
    for row in rows:
        own = of.get(row["id"])
        row[key] = own[0] if own else None


async def _versions(request: Request, board: BoardId, rows: list[Row], key: Any, group: list[Selected]) -> None:
    content = any(one.name == "content" for selected in group for one in selected.below)
    last = group[0].arguments["last"]
    if content and len(rows) * last > MAX_CONTENTS:
        message = f"inline content is shown of {MAX_CONTENTS} versions at once, not of {len(rows) * last:,}"
        raise TooLarge(message, remedy="ask for the content of fewer artifacts, or of the last version alone")
    arguments = {"last": last, "content": content}
    of = await _of_artifacts(request, board, "list_versions", rows, arguments)
    for row in rows:
        row[key] = of.get(row["id"], [])


async def _of_artifacts(
    request: Request, board: BoardId, operation: str, rows: list[Row], arguments: dict[str, Any]
) -> dict[int, list[Row]]:
    """The rows of an operation by the artifact to which they belong."""
    found = await request.perform(operation, board, {"artifacts": [row["id"] for row in rows], **arguments})
    of: dict[int, list[Row]] = {}
    for row in found:
        of.setdefault(row["artifact"], []).append(failure_row(row) if "class" in row else row)
    return of


async def _of_tasks(request: Request, board: BoardId, rows: list[Row], key: Any, group: list[Selected]) -> None:
    first, after = group[0].arguments["first"], group[0].arguments["after"]
    check_first(first)
    arguments = {"tasks": [row["id"] for row in rows], "first": first, "after": after}
    page = await request.perform("list_artifacts", board, arguments)
    of: dict[int, list[Row]] = {}
    for row in page.rows:
        of.setdefault(row["task_id"], []).append(artifact_row(row))
    below = [one for selected in group for one in nodes_below(selected)]
    await load(request, board, "Artifact", [one for own in of.values() for one in own[:first]], below)
    for row in rows:
        own = of.get(row["id"], [])
        row[key] = joined(own[:first], group[0], key=id_key, more=len(own) > first, after=after)


Loader = Callable[[Request, BoardId, list[Row], Any, list[Selected]], Awaitable[None]]

LOADERS: dict[tuple[str, str], Loader] = {
    ("Artifact", "task"): _tasks,
    ("Artifact", "owner_agent"): _owners,
    ("Artifact", "dependencies"): _neighbours(dependents=False),
    ("Artifact", "dependents"): _neighbours(dependents=True),
    ("Artifact", "attempts"): _attempts,
    ("Artifact", "last_attempt"): _last_attempt,
    ("Artifact", "versions"): _versions,
    ("Task", "artifacts"): _of_tasks,
    ("Item", "artifact"): _artifact,
    ("DeadLetter", "artifact"): _artifact,
    ("Decision", "task"): _tasks,
}
"""The fields that are loaded, by type and name in the row."""
