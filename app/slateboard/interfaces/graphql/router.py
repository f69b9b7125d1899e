"""`/graphql`: POST only, behind the server's credential check. No page of its own: GraphiQL would load its scripts from
elsewhere; any GraphQL client works with the address and a token.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from cross_web import HTTPException
from fastapi import APIRouter
from starlette import exceptions
from starlette.requests import HTTPConnection
from strawberry.fastapi import GraphQLRouter

from slateboard.interfaces.graphql.request import Request, Wake
from slateboard.interfaces.graphql.schema import schema
from slateboard.interfaces.http.credentials import actor_of
from slateboard.protocol.errors import Invalid

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

    router: APIRouter = _Router(
        schema(),
        path="/graphql",
        context_getter=context,
        graphql_ide=None,
        allow_queries_via_get=False,
        subscription_protocols=(),
    )
    return router


class _Router(GraphQLRouter[Any, Any]):
    """Answers a body that is no request like every other error, instead of by a bare line of text."""

    async def run(self, *arguments: Any, **named: Any) -> Any:
        try:
            return await super().run(*arguments, **named)  # pyright: ignore[reportUnknownVariableType]  it is untyped
        except HTTPException as error:
            if error.status_code == HTTPStatus.BAD_REQUEST:
                remedy = "POST a JSON object with `query`, and `variables` as an object where it has some"
                raise Invalid(f"this is no GraphQL request: {error.reason}", remedy=remedy) from error
            raise exceptions.HTTPException(error.status_code, error.reason) from error
