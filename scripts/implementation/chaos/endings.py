"""What must hold at the end of the board of those who fail, read from its log and beside it from its tables.

Every item came to an end that the log tells, or waits for somebody named, or behind what did; what must never be at
once never was, by the order of the log; what is undone is undone from the last step to the first.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from scripts.implementation.chaos import trouble
from slateboard import connect

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import asyncpg

    from scripts.implementation.place import Place

    Connection = asyncpg.Connection[Any]

MOST_TOLD = 5
"""Faults of one kind that are told."""
MOST_LEFT = 500
"""Items left open of which the reason is asked."""

ENDS: dict[str, set[str]] = {
    "done": {
        "board.artifact.completed", "board.delivery.completed", "board.escalation.answered",
        "board.verification.approved", "board.verification.rejected", "board.compensation.undone",
        "board.compensation.left",
    },
    "cancelled": {"board.item.cancelled", "board.item.discarded", "board.delivery.cancelled",
                  "board.delivery.discarded"},
    "dead": {"board.item.died", "board.delivery.died"},
}  # fmt: skip
"""By outcome, the events that say so of an `item`."""
TURNS = {"board.turn.ended", "board.turn.missed"}
"""Events that end what meetings ask; the items stand under `ended`."""
LEAVES = {
    "board.artifact.completed": "item", "board.item.failed": "item", "board.item.released": "item",
    "board.item.returned": "item", "board.item.interrupted": "item", "board.item.died": "item",
    "board.item.blocked": "item", "board.item.waiting": "item", "board.item.cancelled": "item",
    "board.verification.asked": "about", "board.escalation.raised": "about",
}  # fmt: skip
"""Events that end a claim, and where they name its item."""


class Log:
    """The events of the board, in order, as far as they are looked at."""

    def __init__(self, rows: Iterable[Any]) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = [(row["subject"], json.loads(row["payload"])) for row in rows]

    def leases(self) -> Iterable[tuple[str, int]]:
        """`taken` and `left` of each claim of an item, in the order of the log."""
        for subject, payload in self.events:
            if subject == "board.item.claimed":
                for item, _fence, _attempt in payload["items"]:
                    yield "taken", item
            elif subject in LEAVES:
                image = payload[subject.split(".")[1]] if LEAVES[subject] == "about" else payload
                if image.get(LEAVES[subject]) is not None:
                    yield "left", image[LEAVES[subject]]


async def faults(owner: Connection, board: int, place: Place, folder: Path) -> list[str]:
    """All that is wrong with the board, at most a few of each kind."""
    log = await read(owner, board)
    found = [
        await ended(owner, board, log),
        await left(owner, board, place, trouble.BOARD),
        await told_of_deaths(owner, board),
        await _apart(owner, board, log),
        await _within_limits(owner, board, log),
        await accepted_once(owner, board, log),
        _one_probe(log),
        await _in_reverse(owner, board, log),
        believed(folder),
    ]
    return [f"trouble: {one}" for several in found for one in several[:MOST_TOLD]]


async def read(owner: Connection, board: int) -> Log:
    """The log of a board, as far as the board itself wrote it."""
    return Log(
        await owner.fetch(
            "SELECT subject, payload FROM events WHERE board = $1 AND subject LIKE 'board.%' ORDER BY position", board
        )
    )


def believed(folder: Path, of: str = "") -> list[str]:
    """What the board took and should have refused, as the workers wrote it down."""
    return [line for file in sorted(folder.glob(f"lies-{of}[0-9]*.txt")) for line in file.read_text().splitlines()]


async def counts(owner: Connection, board: int) -> str:
    """What happened, in one line: nothing is proven by a run in which it did not."""
    rows = await owner.fetch(
        "SELECT subject, count(*) FROM events WHERE board = $1 AND subject ~ $2 GROUP BY 1 ORDER BY 1",
        board,
        r"^board\.(item\.(died|redriven|held|freed|interrupted)|(verification|escalation|breaker|compensation|budget)\.)",
    )
    return ", ".join(f"{row['count']} {row['subject'].removeprefix('board.')}" for row in rows)


async def ended(owner: Connection, board: int, log: Log) -> list[str]:
    """The last that the log tells of an item that has ended is how."""
    known = {subject: outcome for outcome, subjects in ENDS.items() for subject in subjects}
    last: dict[int, str] = {}
    for subject, payload in log.events:
        if subject in known:
            last[payload["item"]] = known[subject]
        elif subject in TURNS:
            last |= dict.fromkeys(payload.get("ended", ()), "done")
    rows = await owner.fetch(
        "SELECT id, reference, kind, outcome FROM work_items WHERE board = $1 AND outcome IS NOT NULL ORDER BY id",
        board,
    )
    return [
        f"{row['kind']} {row['reference']} ({row['id']}) is {row['outcome']}, and the log says {last.get(row['id'])}"
        for row in rows
        if last.get(row["id"]) != row["outcome"]
    ]


async def left(owner: Connection, board: int, place: Place, name: str) -> list[str]:
    """What has not ended waits for somebody by a deadline, is that somebody's duty, or is behind such, or a death."""
    rows = await owner.fetch(
        "SELECT id, reference FROM work_items WHERE board = $1 AND outcome IS NULL ORDER BY id LIMIT $2",
        board,
        MOST_LEFT,
    )
    wrong: list[str] = []
    async with await connect(place.app_url, board=name) as client:
        for row in rows:
            answer = await client.call("why", item=row["id"])
            named = any(_is_end(root) for root in answer["roots"])
            if answer["moves"] or not named:
                wrong.append(f"{row['reference']} ({row['id']}) is {answer['place']}: {answer['because']}")
    return wrong


def _is_end(root: dict[str, Any]) -> bool:
    return root["place"] in {"dead", "cancelled"} or (root["owner"] is not None and root["deadline"] is not None)


async def told_of_deaths(owner: Connection, board: int) -> list[str]:
    """Somebody was told of every dead letter: of its task, its agent or its own escalation; a question goes up."""
    rows = await owner.fetch(
        "SELECT w.reference, w.id, g.name AS agent, d.class"
        " FROM dead_letters d JOIN work_items w ON w.board = d.board AND w.id = d.item"
        " LEFT JOIN artifacts a ON a.board = w.board AND a.id = w.artifact"
        " LEFT JOIN tasks t ON t.board = a.board AND t.id = a.task"
        " LEFT JOIN agents g ON g.board = d.board AND g.id = d.agent"
        " WHERE d.board = $1 AND NOT EXISTS (SELECT FROM escalations e WHERE e.board = d.board"
        "   AND (e.reference IN (t.name, g.name) OR e.item = d.item OR e.item IN ("
        "        SELECT c.question FROM compensations c WHERE c.board = d.board AND c.item = d.item)))",
        board,
    )
    return [
        f"nobody was told that {row['reference']} ({row['id']}) of {row['agent']} is dead: {row['class']}"
        for row in rows
    ]


async def _apart(owner: Connection, board: int, log: Log) -> list[str]:
    """No two items whose touches overlap were ever claimed at once."""
    rows = await owner.fetch(
        "SELECT w.id, w.reference, a.rules ->> 'touches' AS touches FROM work_items w"
        " JOIN artifacts a ON a.board = w.board AND a.id = w.artifact WHERE w.board = $1 AND a.rules ? 'touches'",
        board,
    )
    touches = {row["id"]: [_prefix(one) for one in json.loads(row["touches"])] for row in rows}
    names = {row["id"]: row["reference"] for row in rows}
    held: set[int] = set()
    wrong: list[str] = []
    for what, item in log.leases():
        if item not in touches:
            continue
        if what == "left":
            held.discard(item)
            continue
        wrong += [
            f"{names[item]} was claimed while {names[other]} was, which touches the same"
            for other in held - {item}
            if any(_overlap(one, two) for one in touches[item] for two in touches[other])
        ]
        held.add(item)
    return wrong if touches else ["nothing touched anything"]


def _prefix(glob: str) -> tuple[str, bool]:
    """A glob as the part before its first `*`, and whether that is a path."""
    before, star, _ = glob.partition("*")
    return before, not star


def _overlap(one: tuple[str, bool], two: tuple[str, bool]) -> bool:
    if one[1] and two[1]:
        return one[0] == two[0]
    return (not two[1] and one[0].startswith(two[0])) or (not one[1] and two[0].startswith(one[0]))


async def _within_limits(owner: Connection, board: int, log: Log) -> list[str]:
    """Never more at once than the limits of the key and of the agent."""
    keyed = (
        "SELECT w.id FROM work_items w JOIN artifacts a ON a.board = w.board AND a.id = w.artifact WHERE w.board = $1"
    )
    flooded = "SELECT w.id FROM work_items w JOIN agents g ON g.board = w.board AND g.id = w.inbox WHERE w.board = $1"
    wanted = {
        f"the key {trouble.KEY}": (f"{keyed} AND a.rules ? 'keys'", trouble.KEY_LIMIT),
        "the agent floods": (f"{flooded} AND g.name = 'floods'", trouble.FLOOD_LIMIT),
    }
    wrong: list[str] = []
    for name, (question, limit) in wanted.items():
        items = {row["id"] for row in await owner.fetch(question, board)}
        held: set[int] = set()
        most = 0
        for what, item in log.leases():
            if item in items:
                (held.add if what == "taken" else held.discard)(item)
                most = max(most, len(held))
        if most > limit:
            wrong.append(f"{most} items of {name} were claimed at once, of {limit}")
    return wrong


async def accepted_once(owner: Connection, board: int, log: Log) -> list[str]:
    """An item has at most one result that was accepted, and the log says so once."""
    told = Counter(payload["item"] for subject, payload in log.events if subject == "board.artifact.completed")
    rows = await owner.fetch(
        "SELECT v.item, count(*) FROM artifact_versions v WHERE v.board = $1 AND NOT EXISTS ("
        "  SELECT FROM verifications n WHERE n.board = v.board AND n.artifact = v.artifact AND n.version = v.version"
        "  AND n.verdict IS DISTINCT FROM 'approved') GROUP BY 1 HAVING count(*) > 1",
        board,
    )
    twice = [f"item {row['item']} has {row['count']} accepted results" for row in rows]
    return twice + [f"item {item} was completed {times} times" for item, times in told.items() if times > 1]


def _one_probe(log: Log) -> list[str]:
    """A breaker let a probe through only when the one before had come to an end."""
    probing: dict[int, int] = {}
    wrong: list[str] = []
    for subject, payload in log.events:
        if subject == "board.breaker.probed":
            agent, item = payload["breaker"]["agent"], payload["breaker"]["probe_item"]
            if agent in probing:
                wrong.append(f"{payload['name']}: item {item} was a probe while {probing[agent]} was")
            probing[agent] = item
        elif subject in {f"board.breaker.{verb}" for verb in ("returned", "reopened", "closed", "reset")}:
            probing.pop(payload["breaker"]["agent"] if "breaker" in payload else payload["agent"], None)
    return wrong


async def _in_reverse(owner: Connection, board: int, log: Log) -> list[str]:
    """The steps of a task that were undone together were undone from the last to the first."""
    done: dict[int, int] = {}
    undone: dict[int, int] = {}
    for position, (subject, payload) in enumerate(log.events):
        if subject == "board.artifact.completed":
            done[payload["artifact"]] = position
        elif subject in {"board.compensation.undone", "board.compensation.left"}:
            undone[payload["item"]] = position
    rows = await owner.fetch(
        "SELECT item, artifact, task, reference, posted_at FROM compensations WHERE board = $1 AND version IS NOT NULL",
        board,
    )
    together: dict[tuple[int, Any], list[Any]] = {}
    for row in rows:
        if row["item"] in undone:
            together.setdefault((row["task"], row["posted_at"]), []).append(row)
    wrong: list[str] = []
    for several in together.values():
        ordered = sorted(several, key=lambda row: undone[row["item"]])
        if ordered != sorted(several, key=lambda row: done[row["artifact"]], reverse=True):
            wrong.append(f"undone out of order: {', '.join(row['reference'] for row in ordered)}")
    return wrong
