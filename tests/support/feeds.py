"""A real HTTP server around the doors, in this process, and readers of live feeds that talk to it over WebSockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from slateboard.interfaces.feeds import Hub
from slateboard.interfaces.graphql import router
from slateboard.interfaces.http.credentials import Authentication
from slateboard.protocol.events import Subject
from slateboard.server.web import Web, address, bind
from slateboard.store.database import Database
from slateboard.store.notifications import LOG_CHANNEL
from tests.support.boards import BoardUnderTest

LIMIT_SECONDS = 30
EVENTS = "subscription ($after: String, $subject: String) { events(after: $after, subject: $subject) { %s } }"
FIELDS = "position subject cursor payload"


@dataclass
class Doors:
    """A server that answers; `stop` asks it to end."""

    url: str
    hub: Hub
    web: Web
    serving: asyncio.Task[None]

    async def stop(self) -> None:
        self.web.stop()
        async with asyncio.timeout(LIMIT_SECONDS):
            await self.serving
        await self.hub.close()


@contextlib.asynccontextmanager
async def doors(database: Database, board: BoardUnderTest) -> AsyncGenerator[Doors]:
    """The doors on a free port; the board under test is meant where none is named."""
    hub = Hub(database)
    app = FastAPI()
    app.add_middleware(Authentication, database=database)
    app.include_router(router.build(database, default_board=board.name, hub=hub))
    listening = bind("127.0.0.1", 0)
    answers = asyncio.Event()
    web = Web(app, answers.set, debug=False)
    serving = asyncio.create_task(web.serve(sockets=[listening]))
    async with asyncio.timeout(LIMIT_SECONDS):
        await answers.wait()
    opened = Doors(address(listening).replace("http", "ws") + "/graphql", hub, web, serving)
    try:
        yield opened
    finally:
        if not serving.done():
            await opened.stop()


@dataclass
class Live:
    """One connection in the protocol graphql-transport-ws."""

    socket: ClientConnection
    ended: dict[str, Any] = field(default_factory=dict)

    async def say(self, kind: str, **more: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, **more}))

    async def hear(self) -> dict[str, Any]:
        async with asyncio.timeout(LIMIT_SECONDS):
            return json.loads(await self.socket.recv())

    async def subscribe(self, identity: str = "1", *, fields: str = FIELDS, **variables: Any) -> None:
        await self.say("subscribe", id=identity, payload={"query": EVENTS % fields, "variables": variables})

    async def event(self) -> dict[str, Any]:
        """The next event."""
        message = await self.hear()
        assert message["type"] == "next", message
        return message["payload"]["data"]["events"]

    async def error(self) -> dict[str, Any]:
        """The error that comes next."""
        message = await self.hear()
        assert message["type"] == "error", message
        (error,) = message["payload"]
        return {"message": error["message"], **error["extensions"]}


@contextlib.asynccontextmanager
async def live(url: str, token: str | None, **how: Any) -> AsyncGenerator[Live]:
    """An open connection; with a token it is accepted already."""
    async with connect(url, subprotocols=[Subprotocol("graphql-transport-ws")], compression=None, **how) as socket:
        opened = Live(socket)
        if token is not None:
            await opened.say("connection_init", payload={"Authorization": f"Bearer {token}"})
            assert (await opened.hear())["type"] == "connection_ack"
        yield opened


async def write(board: BoardUnderTest, *numbers: int, text: str = "") -> None:
    """Log one event for each number, and tell who follows."""
    async with board.writing() as tx:
        for number in numbers:
            tx.record(Subject.TASK_CHANGED, {"number": number, "text": text})
    await board.seal()
    async with board.hot() as tx:
        await tx.fetch("SELECT pg_notify($1, $2)", LOG_CHANNEL, str(board.id))
