"""Notices: an agent says that something happened, and all whom its routes name for it are told.

Each notice is a thread of its own, with a message that those told have not read, and an event on the inbox of each. A
route with a subject tells by itself, by a subscription of the one told; that needs nobody to say it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.patterns.peers import routes, threads
from slateboard.protocol.rights import Right

if TYPE_CHECKING:
    from slateboard.transaction import Transaction


async def notify(tx: Transaction, *, label: str, text: str | None = None, data: Any = None) -> dict[str, Any]:
    """Tell all whom the routing table names for a label: `{thread, message, told}`. `text` is else the label.

    Raises `NoChannel` (nobody is told of that), `Invalid`, `TooLarge` (the data, over 1 MiB).
    """
    tx.require(Right.AGENT)
    teller = threads.acting(tx)
    threads.check_text(text if text is not None else label)
    found = await routes.told(tx, teller, label)
    topic, others = found[0]["label"], {row["other"]: row["name"] for row in found}
    thread = await threads.open_(tx, topic, [teller, *others])
    message = await threads.say(tx, "notice", text or topic, thread=thread["id"], data=data)
    return {"thread": thread["id"], "message": message, "told": sorted(others.values())}
