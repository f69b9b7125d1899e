"""`/graphql`: POST, behind the server's credential check, and WebSockets (`live`), which check for themselves. No page
of its own: GraphiQL would load its scripts from elsewhere; any GraphQL client works with the address and a token.
"""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from cross_web import HTTPException
from fastapi import APIRouter
from starlette import exceptions
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from strawberry.fastapi import GraphQLRouter
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL

from slateboard.interfaces.feeds import Hub
from slateboard.interfaces.graphql.live import Handler, Opening
from slateboard.interfaces.graphql.request import Request, Wake
from slateboard.interfaces.graphql.schema import schema
from slateboard.interfaces.http.credentials import actor_of
from slateboard.protocol.errors import Invalid
from slateboard.protocol.rights import Actor

if TYPE_CHECKING:
    from slateboard.store.database import Database


INIT_SECONDS = 10.0
"""How long a new connection may take to say who it is."""
MAX_OPERATIONS = 50
"""Operations that run at once on one connection."""


def build(
    database: Database, *, default_board: str = "default", wake: Wake | None = None, hub: Hub | None = None
) -> APIRouter:
    """The route. `wake` tells the notifier whom a commit concerns; `default_board` is meant where none is named; `hub`
    feeds the subscriptions, and is closed by whoever made it.
    """
    hub = hub or Hub(database)

    def request(actor: Actor) -> Request:
        return Request(database, actor, default_board=default_board, wake=wake, hub=hub)

    async def asked_by(headers: Headers) -> Actor:
        return await actor_of(database, headers)

    async def context(connection: HTTPConnection) -> Request | Opening:
        if connection.scope["type"] == "websocket":
            return Opening(connection, asked_by, request)
        actor: Actor | None = connection.scope.get("state", {}).get("actor")
        return request(await asked_by(connection.headers) if actor is None else actor)

    router: APIRouter = _Router(
        schema(),
        path="/graphql",
        context_getter=context,
        graphql_ide=None,
        allow_queries_via_get=False,
        subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
        connection_init_wait_timeout=timedelta(seconds=INIT_SECONDS),
        max_subscriptions_per_connection=MAX_OPERATIONS,
    )
    return router


class _Router(GraphQLRouter[Any, Any]):
    """Answers a body that is no request like every other error, instead of by a bare line of text."""

    graphql_transport_ws_handler_class = Handler

    async def on_ws_connect(self, context: Opening) -> Any:
        """Refuse a connection without a good credential."""
        await context.actor()
        return await super().on_ws_connect(context)

    async def run(self, *arguments: Any, **named: Any) -> Any:
        try:
            return await super().run(*arguments, **named)  # pyright: ignore[reportUnknownVariableType]  it is untyped
        except HTTPException as error:
            if error.status_code == HTTPStatus.BAD_REQUEST:
                remedy = "POST a JSON object with `query`, and `variables` as an object where it has some"
                raise Invalid(f"this is no GraphQL request: {error.reason}", remedy=remedy) from error
            raise exceptions.HTTPException(error.status_code, error.reason) from error
