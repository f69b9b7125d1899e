"""The subscriptions: live feeds of the log, each of which can go on where another one ended.

An event's `position` and its `cursor` say where a reader stands; either is good as `after`. A cursor also knows its
board, so that one of another board is refused.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast

import strawberry
from strawberry.types import Info

from slateboard.interfaces import feeds
from slateboard.interfaces.cursors import position_of
from slateboard.interfaces.graphql.request import Request
from slateboard.interfaces.graphql.types import Event

Ask = Info[Request, None]


@strawberry.type
class Subscription:
    """Live feeds, over WebSockets (graphql-transport-ws). `board` is as in the queries."""

    @strawberry.subscription
    async def events(
        self, info: Ask, board: str | None = None, after: str | None = None, subject: str | None = None
    ) -> AsyncGenerator[Event | None]:
        """Each event after a position or cursor, as it is logged; without `after` from now on. `subject`: a pattern."""
        request = info.context
        where = await request.board(board)
        position = None if after is None else position_of(where, after)
        reader = await request.hub.open(request.actor, where, after=position, subject=subject)
        reader.told = request.told
        async with aclosing(_shown(reader)) as rows:
            async for row in rows:
                yield cast("Event", row)


async def _shown(reader: feeds.Reader) -> AsyncGenerator[dict[str, Any]]:
    try:
        async for event in reader:
            yield event.shown
    finally:
        await reader.close()
