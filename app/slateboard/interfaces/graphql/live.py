# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# Strawberry's handler is generic over a view that has no types.
"""GraphQL over WebSockets, in the protocol graphql-transport-ws; queries and changes run here as well.

The credential comes with `connection_init`, as `{"Authorization": "Bearer …"}`, since a browser cannot set headers; the
header of the handshake is taken as well. It is looked up again for each operation. What ends a feed is an `error` with
the code, kind, remedy and details that it has at every door; a client that does not read is cut off after it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import aclosing
from functools import partial
from typing import Any, cast

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocketDisconnect
from strawberry.asgi import ASGIWebSocketAdapter
from strawberry.fastapi import BaseContext
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler, Operation

from slateboard.interfaces.graphql.faults import shown, worded
from slateboard.interfaces.graphql.request import Request
from slateboard.protocol.errors import NotAuthenticated, SlateError, Unavailable
from slateboard.protocol.rights import Actor

FORBIDDEN = 4403
TRY_AGAIN_LATER = 1013
REASON_BYTES = 120
"""A close frame has room for 123."""
UNHEARD_SECONDS = 1.0
"""How long whoever is told of the end of a feed may take to hear it, before it is cut off."""

Cut = Callable[[list[str], int, str], None]
CUT = "cut"
"""The name, in the state of a connection's scope, of what writes these last words at once and closes."""


class Opening(BaseContext):
    """A connection that has not yet said who it is; it makes the context of each operation."""

    def __init__(
        self, connection: HTTPConnection, asked_by: Callable[[Headers], Any], made: Callable[[Actor], Request]
    ) -> None:
        super().__init__()
        self.connection = connection
        self._asked_by = asked_by
        self._made = made

    async def actor(self) -> Actor:
        """Who asks, as of now; raises `NotAuthenticated`."""
        return await self._asked_by(self._headers())

    async def operation(self) -> Request:
        """The context of one operation."""
        return self._made(await self.actor())

    def _headers(self) -> Headers:
        given = cast("Mapping[str, Any]", self.connection_params or {})
        for name, value in given.items():
            if name.lower() == "authorization":
                if not isinstance(value, str) or not value.isascii():
                    raise NotAuthenticated("the credential is no text", remedy='send "Authorization": "Bearer <token>"')
                return Headers({"authorization": value})
        return self.connection.headers


class Handler(BaseGraphQLTransportWSHandler[Any, Any]):
    """One connection."""

    async def handle_connection_init(self, message: Any) -> None:
        """Take the credential; a connection without a good one is closed with the reason."""
        try:
            await super().handle_connection_init(message)
        except SlateError as error:
            code = TRY_AGAIN_LATER if isinstance(error, Unavailable) else FORBIDDEN
            await self.websocket.close(code=code, reason=_reason(error))

    async def run_operation(self, operation: Operation[Any, Any]) -> None:
        """Run one operation to its end, with a context of its own."""
        try:
            context = await cast("Opening", self.context).operation()
        except SlateError as error:
            await operation.send_initial_errors([worded(error)])
            return
        context.told = lambda error: self._tell(operation, error)
        context.send = partial(self._send, f'{{"id":{json.dumps(operation.id)},"type":"next","payload":')
        results: Any = await self.schema.stream(
            operation.query,
            variable_values=operation.variables,
            context_value=context,
            root_value=self.root_value,
            operation_name=operation.operation_name,
        )
        async with aclosing(results):
            async for result in results:
                errors = [shown(error) for error in result.errors or ()]
                if errors and result.data is None:
                    await operation.send_initial_errors(errors)
                    return
                result.errors = errors or None
                await operation.send_next(result)
        await operation.send_operation_message({"id": operation.id, "type": "complete"})

    async def _send(self, head: str, answer: str) -> bool:
        """Send an answer whose text is shared with other readers; whether the connection is still open."""
        try:
            await cast("ASGIWebSocketAdapter", self.websocket).ws.send_text(f"{head}{answer}}}")
        except (WebSocketDisconnect, RuntimeError):  # the second is Starlette's, for one that was closed from here
            return False
        return True

    def _tell(self, operation: Operation[Any, Any], error: SlateError) -> None:
        """A feed ended: see that its reader hears of it, or cut it off."""
        asyncio.get_running_loop().call_later(UNHEARD_SECONDS, self._cut_off, operation, error)

    def _cut_off(self, operation: Operation[Any, Any], error: SlateError) -> None:
        cut: Cut | None = cast("Opening", self.context).connection.scope.get("state", {}).get(CUT)
        if operation.task is None or operation.task.done():
            return
        operation.task.cancel()
        last = {"id": operation.id, "type": "error", "payload": [worded(error).formatted]}
        if cut and not operation.completed:
            cut([json.dumps(last, default=str)], TRY_AGAIN_LATER, _reason(error))


def _reason(error: SlateError) -> str:
    return f"{error.code}: {error.message}".encode()[:REASON_BYTES].decode(errors="ignore")
