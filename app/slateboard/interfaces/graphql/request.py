"""One GraphQL request: who asks, on which boards, and the one way to the operations.

A token's agent sees its own board only; the administrator sees all. The board is the one named in the field, else the
token's, else the server's default.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from strawberry.fastapi import BaseContext

from slateboard.board import agents
from slateboard.interfaces.feeds import Hub
from slateboard.interfaces.graphql.selection import Query, Selected
from slateboard.interfaces.operations import OPERATIONS, Mode, perform
from slateboard.protocol.errors import DatabaseBusy, Denied, Invalid, SlateError
from slateboard.protocol.names import BoardId, check_name
from slateboard.protocol.rights import Actor
from slateboard.store.database import Database
from slateboard.transaction import board_named, hot

Wake = Callable[[BoardId, Iterable[int]], None]

MAX_CONNECTIONS = 3
"""Database connections that one request uses at once, so that none takes the whole pool."""
REQUEST_SECONDS = 30.0
"""How long the questions of one request may take in all; a change is bounded by its statements alone."""
TELLING_WHOM_TO_WAKE = frozenset({"finish", "give_back"})
"""Hot operations that answer with the inboxes to wake beside their own answer."""


class Request(BaseContext):
    """The context that every resolver gets."""

    def __init__(self, database: Database, actor: Actor, *, default_board: str, wake: Wake | None, hub: Hub) -> None:
        super().__init__()
        self.hub = hub
        self.told: Callable[[SlateError], None] | None = None
        """Called when a live feed of this request is ended from outside."""
        self.send: Callable[[str], Awaitable[bool]] | None = None
        """Sends an answer that is written already (the JSON of `{data: …}`); False where nobody is there any more."""
        self.database = database
        self.actor = actor
        self.default_board = default_board
        self.wake = wake
        self.query: Query | None = None
        self._boards: dict[str, BoardId] = {}
        self._own_board: str | None = None
        self._turns = asyncio.Semaphore(MAX_CONNECTIONS)
        self._ends_at = asyncio.get_running_loop().time() + REQUEST_SECONDS

    async def board(self, name: str | None) -> BoardId:
        """The id of the board that is meant. Raises `UnknownName`, and `Denied` for another board than the token's."""
        own = self.actor.board
        if name is None and own is not None:
            return BoardId(own)
        name = check_name(name or self.default_board, "board")
        if name not in self._boards:
            async with self.database.acquire() as connection:
                if own is not None and self._own_board is None:
                    self._own_board = await connection.fetchval("SELECT name FROM boards WHERE id = $1", own)
                if own is not None and name != self._own_board:
                    message = f"{self.actor.name} belongs to the board {self._own_board}, and cannot see {name}"
                    raise Denied(message, remedy="use a token of that board, or leave the board out", board=name)
                self._boards[name] = await board_named(connection, name)
        return self._boards[name]

    async def perform(self, operation: str, board: str | BoardId | None, arguments: Mapping[str, Any]) -> Any:
        """Run one operation of the catalogue; returns what its action returns."""
        where = BoardId(board) if isinstance(board, int) else await self.board(board)
        try:
            async with (
                asyncio.timeout_at(self._ends_at if OPERATIONS[operation].mode is Mode.READ else None),
                self._turns,
            ):
                answer = await perform(self.database, self.actor, where, operation, arguments, wake=self.wake)
        except TimeoutError as error:
            message = f"the request took longer than {REQUEST_SECONDS:.0f} s"
            raise DatabaseBusy(message, remedy="ask for less, or again later") from error
        if operation in TELLING_WHOM_TO_WAKE:
            answer, woken = answer
            if self.wake and woken:
                self.wake(where, woken)
        return answer

    async def agent(self, board: str | None, name: str | None) -> int:
        """The id of the agent that is meant: the named one, else the one that asks."""
        if name is None or (name == self.actor.name and self.actor.agent is not None):
            if self.actor.agent is None:
                raise Invalid("an administrator is no agent", remedy="name the agent")
            return self.actor.agent
        async with hot(self.database, self.actor, await self.board(board)) as tx:
            return (await agents.ids(tx, [name]))[name]

    def selected(self, info: Any) -> Selected:
        """What the query selects below the field that is being resolved."""
        raw = info._raw_info  # noqa: SLF001  Strawberry's own view leaves the arguments unread
        assert self.query is not None
        definition = raw.parent_type.fields[raw.field_name]
        return Selected(
            query=self.query,
            key=raw.path.key,
            name=raw.field_name,
            definition=definition,
            arguments={},
            nodes=raw.field_nodes,
        )
