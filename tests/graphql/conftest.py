"""A small application with the GraphQL door behind the server's own credential check, and a client for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from slateboard.board.agents import administrator_token
from slateboard.interfaces.graphql import router
from slateboard.interfaces.http import problems
from slateboard.interfaces.http.credentials import Authentication
from slateboard.interfaces.http.limits import BodyLimit
from slateboard.store.database import Database
from tests.support.boards import BoardUnderTest


@dataclass
class Asker:
    """Asks as the holder of one token, about one board where it is an administrator of all."""

    http: httpx.AsyncClient
    token: str | None

    async def post(self, body: Any) -> httpx.Response:
        """One request, whatever comes back."""
        headers = {} if self.token is None else {"authorization": f"Bearer {self.token}"}
        return await self.http.post("/graphql", json=body, headers=headers)

    async def answer(self, query: str, **variables: Any) -> dict[str, Any]:
        """The whole answer."""
        response = await self.post({"query": query, "variables": variables})
        assert response.status_code == 200, response.text
        return response.json()

    async def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of an answer without errors."""
        answer = await self.answer(query, **variables)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    async def refused(self, query: str, **variables: Any) -> dict[str, Any]:
        """The first error of an answer that has some, with its extensions beside its message."""
        answer = await self.answer(query, **variables)
        error = answer["errors"][0]
        return {"message": error["message"], **error["extensions"]}


@pytest.fixture
def woken() -> list[tuple[int, list[int]]]:
    """Whom the door told the notifier to wake: board and inboxes."""
    return []


@pytest_asyncio.fixture
async def http(database: Database, board: BoardUnderTest, woken: list[Any]) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application; its default board is the board under test."""
    app = FastAPI()
    problems.install(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(Authentication, database=database)
    app.include_router(
        router.build(database, default_board=board.name, wake=lambda where, boxes: woken.append((where, list(boxes))))
    )
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://slateboard") as client:
        yield client


@pytest_asyncio.fixture
async def asker(http: httpx.AsyncClient, database: Database) -> Asker:
    """Asks as the administrator of all boards."""
    async with database.acquire() as connection:
        return Asker(http, await administrator_token(connection))


@pytest_asyncio.fixture
async def asker_of(http: httpx.AsyncClient, board: BoardUnderTest) -> Callable[[str], Any]:
    """Asks as an agent of the board under test."""

    async def made(agent: str) -> Asker:
        issued = await board.perform("issue_token", agent=agent)
        return Asker(http, issued["token"])

    return made
