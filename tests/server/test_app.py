"""The application over HTTP: nothing but /health without a token, bounds on each request, errors as problems."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from slateboard.board.agents import administrator_token
from slateboard.interfaces.feeds import Hub
from slateboard.interfaces.http import health
from slateboard.interfaces.http.health import Watch
from slateboard.interfaces.http.limits import MAX_BODY_BYTES, BodyLimit
from slateboard.protocol.errors import DatabaseUnreachable, LeaseLost
from slateboard.server import app, leader
from slateboard.server.composition import Server
from slateboard.server.duty import Duty
from slateboard.server.leader import Leadership
from slateboard.server.owner import owner_connection
from slateboard.settings import load
from slateboard.store.database import PROTOCOL, Database
from slateboard.store.notifications import Notifier
from tests.support.boards import BoardUnderTest


async def nothing() -> None:
    """Lead nothing."""


@pytest.fixture
def application(database: Database, duty: Duty, board: BoardUnderTest) -> FastAPI:
    server = Server(
        settings=load({"SLATE_BOARD": board.name}),
        database=database,
        notifier=Notifier(database.url),
        leadership=Leadership(database, nothing),
        duty=duty,
        hub=Hub(database),
    )
    return app.build(server)


@pytest_asyncio.fixture
async def http(application: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(application, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://slate") as client:
        yield client


@pytest_asyncio.fixture
async def admin_token(database: Database) -> str:
    async with database.acquire() as connection:
        return await administrator_token(connection)


@pytest_asyncio.fixture
async def led(database: Database) -> AsyncIterator[None]:
    """Somebody leads, and has sealed what other tests left in the outbox."""
    async with database.acquire() as connection:
        await leader.take(connection, holder="somebody")
        while await connection.fetch("SELECT * FROM seal_events(10000)"):
            pass
    yield
    async with database.acquire() as connection:
        await leader.resign(connection, holder="somebody")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_health_is_answered_without_a_token(http: httpx.AsyncClient, led: None) -> None:
    answer = await http.get("/health")
    assert answer.status_code == 200
    assert answer.json() | {"version": "", "log_lag_seconds": 0} == {
        "status": "ok", "version": "", "leads": False, "log_lag_seconds": 0, "reasons": {},
    }  # fmt: skip


async def test_health_without_a_leader_is_degraded_but_answers(http: httpx.AsyncClient) -> None:
    answer = await http.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert "no server leads" in answer.json()["reasons"]["leader"]


async def test_health_says_that_the_log_lags(
    http: httpx.AsyncClient, led: None, board: BoardUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "LAG_SECONDS", -1.0)
    answer = await http.get("/health")
    assert (answer.status_code, answer.json()["reasons"].keys()) == (200, {"log"})


async def test_health_names_a_schema_that_does_not_fit(http: httpx.AsyncClient, database_url: str, led: None) -> None:
    change = "UPDATE schema_protocol SET oldest_client = $1"
    async with owner_connection(database_url) as connection:
        await connection.execute(change, 99)
        try:
            answer = await http.get("/health")
        finally:
            await connection.execute(change, PROTOCOL)
    assert (answer.status_code, answer.json()["status"]) == (503, "degraded")
    assert "protocol 99" in answer.json()["reasons"]["schema"]


async def test_health_names_a_database_that_does_not_answer() -> None:
    class Lost:
        @asynccontextmanager
        async def acquire(self) -> AsyncIterator[Any]:
            raise DatabaseUnreachable("Postgres does not answer")
            yield

    lost: Any = Lost()
    found = await Watch(lost, lambda: False).look()
    assert not found.answers
    assert found.reasons == {"database": "Postgres does not answer"}
    assert found.log_lag_seconds is None


async def test_health_gives_up_on_a_database_that_keeps_it_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow:
        @asynccontextmanager
        async def acquire(self) -> AsyncIterator[Any]:
            await asyncio.Event().wait()
            yield

    monkeypatch.setattr(health, "CHECK_SECONDS", 0.01)
    slow: Any = Slow()
    found = await Watch(slow, lambda: True).look()
    assert "did not answer within" in found.reasons["database"]


@pytest.mark.parametrize("path", ["/", "/graphql", "/openapi.json", "/docs", "/health/", "/nothing"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
async def test_everything_else_needs_a_token(http: httpx.AsyncClient, path: str, method: str) -> None:
    answer = await http.request(method, path)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["code"] == "not_authenticated"


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer  ", "Basic YTpi", "slate_x", "Bearer " + "x" * 600, "Bearer slate_unknown"]
)
async def test_credential_that_is_none_is_refused(http: httpx.AsyncClient, header: str) -> None:
    assert (await http.get("/openapi.json", headers={"Authorization": header})).status_code == 401


async def test_good_token_is_let_in(http: httpx.AsyncClient, admin_token: str, board: BoardUnderTest) -> None:
    assert (await http.get("/openapi.json", headers=bearer(admin_token))).status_code == 200
    issued = await board.perform("issue_token", agent="backend")
    assert (await http.get("/openapi.json", headers=bearer(issued["token"]))).status_code == 200


async def test_revoked_token_is_refused_by_the_next_request(http: httpx.AsyncClient, board: BoardUnderTest) -> None:
    issued = await board.perform("issue_token", agent="backend")
    assert (await http.get("/openapi.json", headers=bearer(issued["token"]))).status_code == 200
    await board.perform("revoke_token", token_id=issued["token_id"])
    answer = await http.get("/openapi.json", headers=bearer(issued["token"]))
    assert (answer.status_code, answer.json()["detail"]) == (401, "the token was revoked")


async def test_expired_token_is_refused(http: httpx.AsyncClient, board: BoardUnderTest, database_url: str) -> None:
    issued = await board.perform("issue_token", agent="backend", expires_in_seconds=3600)
    async with owner_connection(database_url) as connection:
        await connection.execute("UPDATE tokens SET expires_at = now() WHERE id = $1", issued["token_id"])
    answer = await http.get("/openapi.json", headers=bearer(issued["token"]))
    assert (answer.status_code, answer.json()["detail"]) == (401, "the token has expired")


async def test_rotated_token_works_until_its_overlap_is_over(http: httpx.AsyncClient, board: BoardUnderTest) -> None:
    old = await board.perform("issue_token", agent="backend")
    new = await board.perform("rotate_token", token_id=old["token_id"], overlap_seconds=60)
    for token in (old, new):
        assert (await http.get("/openapi.json", headers=bearer(token["token"]))).status_code == 200
    newest = await board.perform("rotate_token", token_id=new["token_id"], overlap_seconds=0)
    assert (await http.get("/openapi.json", headers=bearer(new["token"]))).status_code == 401
    assert (await http.get("/openapi.json", headers=bearer(newest["token"]))).status_code == 200


async def test_graphql_answers_behind_the_token(
    http: httpx.AsyncClient, admin_token: str, board: BoardUnderTest
) -> None:
    answer = await http.post("/graphql", json={"query": "{ __typename }"}, headers=bearer(admin_token))
    assert answer.json() == {"data": {"__typename": "Query"}}


async def test_body_over_the_limit_is_refused(http: httpx.AsyncClient, admin_token: str) -> None:
    answer = await http.post("/graphql", content=b"x" * (MAX_BODY_BYTES + 1), headers=bearer(admin_token))
    assert (answer.status_code, answer.json()["code"]) == (422, "too_large")


async def test_body_over_the_limit_is_refused_even_if_its_length_was_not_said(
    http: httpx.AsyncClient, admin_token: str
) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(9):
            yield b"x" * (1 << 20)

    answer = await http.post("/graphql", content=parts(), headers=bearer(admin_token))
    assert (answer.status_code, answer.json()["code"]) == (422, "too_large")


async def test_body_that_never_arrives_is_not_waited_for() -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
    inner: Any = None
    await BodyLimit(inner, seconds=0.01)(scope, receive, send)  # type: ignore
    assert sent[0]["status"] == 422
    assert b"did not arrive" in sent[1]["body"]


@pytest.fixture
def route(application: FastAPI) -> Callable[[Exception], None]:
    """Adds the route /raise, which raises what it is given."""

    def add(error: Exception) -> None:
        @application.get("/raise")
        async def raises() -> None:
            raise error

    return add


async def test_error_of_ours_is_a_problem_document(
    http: httpx.AsyncClient, admin_token: str, route: Callable[[Exception], None]
) -> None:
    route(LeaseLost("the claim is gone", remedy="claim again", holder="w2"))
    answer = await http.get("/raise", headers=bearer(admin_token))
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:slateboard:error:lease_lost",
        "title": "The state of the board forbids it",
        "status": 409,
        "detail": "the claim is gone",
        "instance": "/raise",
        "code": "lease_lost",
        "kind": "conflict",
        "message": "the claim is gone",
        "remedy": "claim again",
        "details": {"holder": "w2"},
    }


async def test_bug_keeps_its_text_in_the_log(
    http: httpx.AsyncClient,
    admin_token: str,
    route: Callable[[Exception], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    route(ZeroDivisionError("a secret"))
    answer = await http.get("/raise", headers=bearer(admin_token))
    assert (answer.status_code, answer.json()["code"]) == (500, "error")
    assert "secret" not in answer.text
    assert "a secret" in caplog.text


async def test_lost_database_says_when_to_ask_again(
    http: httpx.AsyncClient, admin_token: str, route: Callable[[Exception], None]
) -> None:
    route(DatabaseUnreachable("Postgres is stopping", remedy="try again"))
    answer = await http.get("/raise", headers=bearer(admin_token))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


async def test_path_that_is_not_there_is_a_problem_too(http: httpx.AsyncClient, admin_token: str) -> None:
    answer = await http.get("/nothing", headers=bearer(admin_token))
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json()["instance"] == "/nothing"
