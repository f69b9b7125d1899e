"""`/graphql`: POST only, behind the server's credential check. No page of its own: GraphiQL would load its scripts from
elsewhere; any GraphQL client works with the address and a token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.requests import HTTPConnection
from strawberry.fastapi import GraphQLRouter

from slateboard.interfaces.graphql.request import Request, Wake
from slateboard.interfaces.graphql.schema import schema
from slateboard.interfaces.http.credentials import actor_of

if TYPE_CHECKING:
    from slateboard.protocol.rights import Actor
    from slateboard.store.database import Database


def build(database: Database, *, default_board: str = "default", wake: Wake | None = None) -> APIRouter:
    """The route. `wake` tells the notifier whom a commit concerns; `default_board` is meant where none is named."""

    async def context(connection: HTTPConnection) -> Request:
        actor: Actor | None = connection.scope.get("state", {}).get("actor")
        if actor is None:
            actor = await actor_of(database, connection.headers)
        return Request(database, actor, default_board=default_board, wake=wake)

    router: APIRouter = GraphQLRouter(
        schema(),
        path="/graphql",
        context_getter=context,
        graphql_ide=None,
        allow_queries_via_get=False,
        subscription_protocols=(),
    )
    return router
