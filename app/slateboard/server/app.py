"""The HTTP application: the doors, behind one credential check and one bound for each request.

Nothing but `/health` is answered without a token. What a route raises becomes a problem document.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI

from slateboard.interfaces.graphql import router as graphql
from slateboard.interfaces.http import events, health, problems
from slateboard.interfaces.http.credentials import Authentication
from slateboard.interfaces.http.limits import BodyLimit

if TYPE_CHECKING:
    from slateboard.server.composition import Server


def build(server: Server) -> FastAPI:
    """The application of one server."""
    app = FastAPI(title="Slateboard", docs_url=None, redoc_url=None)
    problems.install(app)
    # The last one added is the first to see a request.
    app.add_middleware(BodyLimit)
    app.add_middleware(Authentication, database=server.database)
    watch = health.Watch(server.database, lambda: server.leadership.leads, server.duty.troubles)
    app.include_router(health.build(watch))
    app.include_router(events.build(server.database, wake=server.wake))
    app.include_router(
        graphql.build(server.database, default_board=server.settings.board, wake=server.wake, hub=server.hub),
        include_in_schema=False,
    )
    return app
