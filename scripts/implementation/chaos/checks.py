"""What must hold at the end, read from the tables, the log and the workers' own records."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import asyncpg

    Connection = asyncpg.Connection[Any]

SETTLED_WITHIN_SECONDS = 120.0
SHORT_SECONDS = 60.0
"""Questions with a shorter deadline come to an end by themselves."""
LOOKS = 4
"""Times in a row that a board must be found settled, half a second apart: an answer may have set something going."""


async def settled(owner: Connection, board: int, question: str, restless: str) -> list[str]:
    """Wait until nothing moves any more on a board; where it does not come to that in time, what still does.

    `question` asks the database whether so ($1 the board, $2 how short a deadline is), `restless` what is not at rest.
    """
    found = 0
    try:
        async with asyncio.timeout(SETTLED_WITHIN_SECONDS):
            while found < LOOKS:
                found = found + 1 if await owner.fetchval(question, board, SHORT_SECONDS) else 0
                await asyncio.sleep(0.5)
    except TimeoutError:
        name = await owner.fetchval("SELECT name FROM boards WHERE id = $1", board)
        left = [f"{name}: {row[0]}" for row in await owner.fetch(restless, board)]
        return left or [f"{name}: not settled after {SETTLED_WITHIN_SECONDS:.0f} s"]
    return []


async def all_complete(owner: Connection, board: int, artifacts: int) -> list[str]:
    """Every artifact is complete, with exactly one accepted result."""
    wrong: list[str] = []
    open_items = await owner.fetchval(
        "SELECT count(*) FROM work_items WHERE board = $1 AND outcome IS DISTINCT FROM 'done'", board
    )
    if open_items:
        wrong.append(f"{open_items} items are not complete")
    versions = await owner.fetchrow(
        "SELECT count(*) AS all, count(DISTINCT artifact) AS artifacts FROM artifact_versions WHERE board = $1", board
    )
    if versions["all"] != artifacts or versions["artifacts"] != artifacts:
        wrong.append(f"{artifacts} artifacts have {versions['all']} versions of {versions['artifacts']} artifacts")
    return wrong


async def log_is_whole(owner: Connection, board: int) -> list[str]:
    """Positions are dense from 1, and each entry's hash follows from the one before it."""
    previous, expected = b"", 1
    async with owner.transaction():
        async for row in owner.cursor("SELECT * FROM events WHERE board = $1 ORDER BY position", board):
            if row["position"] != expected:
                return [f"the log has position {row['position']} where {expected} should be"]
            head = "\n".join(
                "" if value is None else str(value)
                for value in (
                    row["board"], row["position"], row["id"], row["subject"], row["actor"], row["authenticated_by"],
                    row["cause"], row["correlation"], row["depth"], row["traceparent"],
                    microseconds(row["happened_at"]),
                )
            )  # fmt: skip
            payload_hash = hashlib.sha256(row["payload"].encode()).digest()
            previous = hashlib.sha256(previous + payload_hash + head.encode()).digest()
            if previous != row["hash"]:
                return [f"the hash of position {expected} does not follow from the one before it"]
            expected += 1
    return []


def microseconds(moment: Any) -> int:
    """Whole microseconds since 1970, without going through a float."""
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond


async def order_was_kept(owner: Connection, board: int) -> list[str]:
    """No item was claimed before all its blockers were complete, by the positions of the log."""
    completed: dict[int, int] = {}
    claimed: dict[int, int] = {}
    wrong: list[str] = []
    rows = await owner.fetch(
        "SELECT position, subject, payload FROM events WHERE board = $1"
        " AND subject IN ('board.artifact.completed', 'board.delivery.completed', 'board.item.claimed')"
        " ORDER BY position",
        board,
    )
    for row in rows:
        payload = json.loads(row["payload"])
        if row["subject"] == "board.item.claimed":
            for item, _fence, _attempt in payload["items"]:
                claimed.setdefault(item, row["position"])
        elif payload["item"] in completed:
            wrong.append(f"{payload['reference']} was completed twice")
        else:
            completed[payload["item"]] = row["position"]
    edges = await owner.fetch("SELECT item, blocker FROM dependencies WHERE board = $1", board)
    wrong += [
        f"item {edge['item']} was claimed before its blocker {edge['blocker']} was complete"
        for edge in edges
        if claimed.get(edge["item"], 0) < completed.get(edge["blocker"], 1 << 62)
    ]
    return wrong[:5]


async def clients_were_told_the_truth(owner: Connection, board: int, records: list[Path]) -> list[str]:
    """Every result that a worker was told was accepted is in the tables, under its fence, and only those."""
    rows = await owner.fetch("SELECT item, fence, version FROM artifact_versions WHERE board = $1", board)
    accepted = {(row["item"], row["fence"]): row["version"] for row in rows}
    wrong: list[str] = []
    told = 0
    for file in records:
        for line in file.read_text().splitlines():
            try:
                item, fence, version = json.loads(line)
            except ValueError:
                continue  # the process was killed while it wrote this line
            told += 1
            if version is None and (item, fence) in accepted:
                wrong.append(f"item {item} under fence {fence} was refused to its worker, but accepted")
            elif version is not None and accepted.get((item, fence)) != version:
                wrong.append(f"item {item} under fence {fence} was told accepted, but is not there")
    if not told:
        wrong.append("no worker recorded what it was told")
    return wrong[:5]


async def came_back(owner: Connection, board: int, restarts: list[tuple[str, Any]], limit_seconds: float) -> list[str]:
    """After each restart the next result was accepted within the limit."""
    wrong: list[str] = []
    for what, moment in restarts:
        following = await owner.fetchval(
            "SELECT min(happened_at) FROM events WHERE board = $1 AND subject = 'board.artifact.completed'"
            " AND happened_at > $2",
            board,
            moment,
        )
        seconds = None if following is None else (following - moment).total_seconds()
        if seconds is not None and seconds > limit_seconds:
            wrong.append(f"after the restart of {what} the next result came after {seconds:.1f} s")
    return wrong
