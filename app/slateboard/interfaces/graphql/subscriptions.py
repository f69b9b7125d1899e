"""The subscriptions: live feeds of the log, each of which can go on where another one ended.

An event's `position` and its `cursor` say where a reader stands; either is good as `after`. A cursor also knows its
board, so that one of another board is refused. An answer that is nothing but fields of an event is written once, and
its text is sent to all readers that select the same; whatever is not that simple goes through graphql-core.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Hashable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

import strawberry
from strawberry.types import Info

from slateboard.interfaces.cursors import position_of
from slateboard.interfaces.graphql.request import Request
from slateboard.interfaces.graphql.rows import NotPlainError, Write, writer
from slateboard.interfaces.graphql.selection import Selected
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
        shape = _shape(request.selected(info))
        reader = await request.hub.open(request.actor, where, after=position, subject=subject)
        reader.told = request.told
        try:
            async for event in reader:
                text = None
                if shape and request.send:
                    # An error is met again by graphql-core, which says where it is.
                    with suppress(Exception):
                        text = event.text(shape.key, shape.text)
                if text is None or request.send is None:
                    yield cast("Event", event.shown)
                elif not await request.send(text):
                    return
        finally:
            await reader.close()


@dataclass(frozen=True)
class Shape:
    """A selection of an event's fields and nothing else: readers with the same `key` get the same text."""

    key: Hashable
    name: str
    write: Write

    def text(self, row: dict[str, Any]) -> str:
        """The answer that a row makes, as JSON."""
        return json.dumps({"data": {self.name: self.write(row)}}, separators=(",", ":"))


def _shape(selected: Selected) -> Shape | None:
    """The selection, as it is once fragments, directives and variables are applied; None if a field is resolved."""
    below = selected.below
    if any(one.arguments or one.below for one in below):
        return None
    with suppress(NotPlainError):
        key = (selected.key, *((one.key, one.name) for one in below))
        return Shape(key, selected.key, writer(selected))
    return None
