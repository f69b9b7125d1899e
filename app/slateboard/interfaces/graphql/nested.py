"""Loading the fields of the organisation: one operation for each selected field, however many rows there are."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from slateboard.interfaces.graphql import prefetch
from slateboard.interfaces.graphql.prefetch import Loader, Row
from slateboard.interfaces.graphql.request import Request
from slateboard.interfaces.graphql.selection import Selected
from slateboard.protocol.errors import UnknownName
from slateboard.protocol.names import BoardId

MINUTES = ("seats", "agenda")


def _named(operation: str, node: str, column: str) -> Loader:
    """The row of another listing that a column names."""

    async def named(request: Request, board: BoardId, rows: list[Row], key: Any, group: list[Selected]) -> None:
        below = [one for selected in group for one in selected.below]
        names = sorted({row[column] for row in rows if row[column] is not None})
        arguments: dict[str, Any] = {"names": names}
        if node == "Task":
            arguments["roll_up"] = any(one.name in {"status", "progress"} for one in below)
        found: dict[str, Row] = {}
        if names:
            page = await request.perform(operation, board, arguments)
            await prefetch.load(request, board, node, page.rows, below)
            found = {row["name"]: row for row in page.rows}
        for row in rows:
            row[key] = found.get(row[column])

    return named


async def _presence(request: Request, board: BoardId, rows: list[Row], key: Any, _group: list[Selected]) -> None:
    arguments = {"names": [row["name"] for row in rows], "limit": 500}
    found = {one["name"]: one for one in await request.perform("find_agents", board, arguments)}
    for row in rows:
        row[key] = found.get(row["name"])


def _delegations(argument: str, column: str) -> Loader:
    async def delegations(request: Request, board: BoardId, rows: list[Row], key: Any, group: list[Selected]) -> None:
        arguments = {argument: [row["name"] for row in rows], **group[0].arguments}
        found: list[Row] = []
        with suppress(UnknownName):  # one that was removed
            found = await request.perform("list_delegations", board, arguments)
        _spread(rows, key, found, column)

    return delegations


async def _threads(request: Request, board: BoardId, rows: list[Row], key: Any, group: list[Selected]) -> None:
    arguments = {"agents": [row["name"] for row in rows], **group[0].arguments}
    _spread(rows, key, await request.perform("list_threads", board, arguments), "agent")


async def _delegation(request: Request, board: BoardId, rows: list[Row], key: Any, _group: list[Selected]) -> None:
    arguments = {"tasks": [row["name"] for row in rows], "first": 1_000}
    found = {one["task"]: one for one in await request.perform("list_delegations", board, arguments)}
    for row in rows:
        row[key] = found.get(row["name"])


async def _chain(request: Request, board: BoardId, rows: list[Row], key: Any, _group: list[Selected]) -> None:
    arguments = {"tasks": [row["name"] for row in rows], "above": True}
    _spread(rows, key, await request.perform("list_delegations", board, arguments), "of")


def _spread(rows: list[Row], key: Any, found: list[Row], column: str) -> None:
    """Give each row what has its name in that column."""
    of: dict[str, list[Row]] = {}
    for one in found:
        of.setdefault(one[column], []).append(one)
    for row in rows:
        row[key] = of.get(row["name"], [])


async def meetings(request: Request, board: BoardId, rows: list[Row], below: list[Selected]) -> None:
    """Put into rows of meetings what is selected of their minutes; they are read once for all of it."""
    wanted = [one for one in below if one.name in MINUTES]
    if not rows or not wanted:
        return
    minutes = await request.perform("list_minutes", board, {"meetings": [row["meeting"] for row in rows]})
    found = {one["meeting"]: one for one in minutes}
    for row in rows:
        for one in wanted:
            row[one.row_key] = found[row["meeting"]][one.name]
    actions = [action for one in minutes for item in one["agenda"] for action in item["actions"]]
    selected = [one for field in wanted if field.name == "agenda" for one in field.find("actions")]
    await prefetch.load(request, board, "ActionItem", actions, selected)


prefetch.LOADERS |= {
    ("Agent", "manager_agent"): _named("list_agents", "Agent", "manager"),
    ("Agent", "presence"): _presence,
    ("Agent", "delegations_received"): _delegations("agents", "agent"),
    ("Agent", "delegations_given"): _delegations("delegators", "delegator"),
    ("Agent", "threads"): _threads,
    ("Task", "parent_task"): _named("list_tasks", "Task", "parent"),
    ("Task", "delegation"): _delegation,
    ("Task", "delegation_chain"): _chain,
    ("ActionItem", "task"): _named("list_tasks", "Task", "task"),
}
