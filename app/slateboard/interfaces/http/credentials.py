"""Who asks over HTTP: every request but those to the open paths carries a bearer token, looked up each time.

There is no cache, so a token that was revoked is refused by the next request. What comes behind finds the actor in
`request.state.actor`. An unknown path is refused like any other without a token: nothing is learnt by asking.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from slateboard.board.agents import authenticate
from slateboard.interfaces.errors import Bug
from slateboard.interfaces.http.problems import problem
from slateboard.protocol.errors import NotAuthenticated, SlateError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from slateboard.protocol.rights import Actor
    from slateboard.store.database import Database

log = logging.getLogger(__name__)

OPEN_PATHS = frozenset({"/health"})
MAX_TOKEN_CHARACTERS = 512


class Authentication:
    """The layer before all routes."""

    def __init__(self, app: ASGIApp, database: Database) -> None:
        self.app = app
        self.database = database

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            await self.app(scope, receive, send)
            return
        try:
            actor = await actor_of(self.database, Headers(scope=scope))
        except SlateError as error:
            await problem(error, scope["path"])(scope, receive, send)
            return
        except Exception:
            log.exception("the credential of a request could not be checked")
            bug = Bug("something unexpected happened; the server's log says what", remedy="please report it")
            await problem(bug, scope["path"])(scope, receive, send)
            return
        scope.setdefault("state", {})["actor"] = actor
        await self.app(scope, receive, send)


async def actor_of(database: Database, headers: Headers) -> Actor:
    """The actor whose token the request carries; `NotAuthenticated` if it carries none that is good."""
    token = _token(headers)
    async with database.acquire() as connection:
        return await authenticate(connection, token)


def _token(headers: Headers) -> str:
    remedy = "send `Authorization: Bearer <token>`; an administrator issues one with `slate token issue AGENT`"
    given = headers.getlist("authorization")
    if not given:
        raise NotAuthenticated("the request carries no credential", remedy=remedy)
    scheme, _, token = given[0].partition(" ")
    token = token.strip()
    if len(given) > 1 or scheme.lower() != "bearer" or not token or len(token) > MAX_TOKEN_CHARACTERS:
        raise NotAuthenticated("the request's credential is no bearer token", remedy=remedy)
    return token
