"""The choreography under chaos: subscriptions of every form, a publisher that never gives up, and what must hold.

Whether an answer was lost or not, the publisher repeats with the same id until it has one; so each of its numbers must
be in the log once, and delivered once to each subscription that it fits.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import asyncpg

from slateboard import connect

if TYPE_CHECKING:
    from collections.abc import Callable

    from scripts.implementation.place import Place
    from slateboard import Client

    Connection = asyncpg.Connection[Any]

LEFT, RIGHT = "genbrain.events.chaos.left", "genbrain.events.chaos.right"
KEYS = 20
BURST = 10
PAUSE_SECONDS = 0.5
AGAIN_SECONDS = 0.2
LOOKS = 2_000
"""For a router in the midst of its work, a millisecond apart."""

SUBSCRIPTIONS: dict[str, dict[str, Any]] = {
    "watch": {"patterns": ["board.artifact.completed"]},
    "every": {"patterns": ["genbrain.events.chaos.*"]},
    "even": {"patterns": ["genbrain.events.>"], "filter": "$.payload.number % 2 == 0"},
    "ordered": {"patterns": [RIGHT], "ordered_by": "$.payload.key"},
    "both": {"patterns": [LEFT, RIGHT], "all_of": True},
}
FITS: dict[str, Callable[[str, dict[str, Any]], bool]] = {
    "watch": lambda subject, _: subject == "board.artifact.completed",
    "every": lambda subject, _: subject in {LEFT, RIGHT},
    "even": lambda subject, payload: subject in {LEFT, RIGHT} and payload["number"] % 2 == 0,
    "ordered": lambda subject, _: subject == RIGHT,
}

BEHIND = """
SELECT EXISTS (SELECT FROM subscriptions s JOIN event_heads h ON h.board = s.board
               WHERE s.board = (SELECT id FROM boards WHERE name = 'chaos') AND s.cursor < h.position)
"""


async def subscribe(client: Client) -> None:
    """Subscriptions of every form, before anything happens."""
    for name, fields in SUBSCRIPTIONS.items():
        await client.call("subscribe", name=name, agent="w", action="note", start="beginning", **fields)


async def publish(place: Place, stop: asyncio.Event) -> int:
    """Publish pairs of events until `stop`, each until it is answered; returns how many pairs."""
    sent = 0
    while not stop.is_set() or sent % 2:
        try:
            async with await connect(place.app_url, board="chaos") as client:
                while not stop.is_set() or sent % 2:
                    await _publish(client, (LEFT, RIGHT)[sent % 2], sent // 2)
                    sent += 1
                    await asyncio.sleep(0 if sent % BURST else PAUSE_SECONDS)
        except Exception:  # noqa: BLE001  Postgres is being killed: that is what this is about
            await asyncio.sleep(AGAIN_SECONDS)
    return sent // 2


async def _publish(client: Client, subject: str, number: int) -> None:
    data = {"number": number, "key": number % KEYS}
    await client.publish(subject, data, id=f"{subject}-{number}", correlation=f"pair-{number}")


async def while_routing(owner_url: str) -> bool:
    """Wait until a subscription is behind, which is when the router works; whether it was seen."""
    connection: Connection = await asyncpg.connect(owner_url)
    try:
        for _ in range(LOOKS):
            if await connection.fetchval(BEHIND):
                return True
            await asyncio.sleep(0.001)
        return False
    finally:
        await connection.close()


async def published_once(owner: Connection, board: int, pairs: int) -> list[str]:
    """Every number is in the log once under each subject, however often it was sent."""
    rows = await owner.fetch(
        "SELECT subject, payload FROM events WHERE board = $1 AND subject = ANY ($2)", board, [LEFT, RIGHT]
    )
    found = Counter((row["subject"], json.loads(row["payload"])["number"]) for row in rows)
    wanted = Counter((subject, number) for subject in (LEFT, RIGHT) for number in range(pairs))
    return [] if found == wanted else [f"published once each: {pairs} pairs; in the log: {len(rows)} events"]


async def routed_once(owner: Connection, board: int) -> list[str]:
    """Every event was delivered exactly once to each subscription that it fits, and each delivery was handled."""
    rows = await owner.fetch(
        "SELECT s.name, d.positions, w.outcome FROM deliveries d"
        " JOIN subscriptions s ON s.board = d.board AND s.id = d.subscription"
        " JOIN work_items w ON w.board = d.board AND w.id = d.item WHERE d.board = $1 ORDER BY d.position",
        board,
    )
    wrong = [f"a delivery of {row['name']} is {row['outcome'] or 'open'}" for row in rows if row["outcome"] != "done"]
    events = await owner.fetch(
        "SELECT position, subject, payload, correlation FROM events WHERE board = $1 AND subject = ANY ($2)"
        " ORDER BY position",
        board,
        ["board.artifact.completed", LEFT, RIGHT],
    )
    wanted: dict[str, list[list[int]]] = {
        name: [[event["position"]] for event in events if fits(event["subject"], json.loads(event["payload"]))]
        for name, fits in FITS.items()
    }
    pairs: dict[str, list[int]] = {}
    for event in events:
        if event["subject"] in {LEFT, RIGHT}:
            pairs.setdefault(event["correlation"], []).append(event["position"])
    wanted["both"] = sorted(pairs.values(), key=max)
    for name, positions in wanted.items():
        found = [list(row["positions"]) for row in rows if row["name"] == name]
        if found != positions:
            wrong.append(f"{name}: {len(positions)} deliveries were due, {len(found)} were made, or other ones")
    return wrong[:5]
