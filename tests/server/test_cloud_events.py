"""CloudEvents over HTTP: structured and binary mode, what is kept of them, and what is refused."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from slateboard.board.agents import administrator_token
from slateboard.interfaces.http import events, problems
from slateboard.interfaces.http.credentials import Authentication
from slateboard.interfaces.http.limits import BodyLimit
from slateboard.store.database import Database
from tests.support.boards import BoardUnderTest

STRUCTURED = {"content-type": "application/cloudevents+json; charset=utf-8"}
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
EVENT = {
    "specversion": "1.0",
    "id": "A234-1234-1234",
    "source": "/ci/builds",
    "type": "genbrain.events.pr.merged",
    "datacontenttype": "application/json",
    "traceparent": TRACE,
    "data": {"branch": "main"},
}


class Sender:
    """Sends events to one board."""

    def __init__(self, http: httpx.AsyncClient, board: str) -> None:
        self.http = http
        self.path = f"/boards/{board}/events"

    async def send(self, content: bytes, path: str | None = None, **headers: str) -> httpx.Response:
        return await self.http.post(path or self.path, content=content, headers=headers)

    async def structured(self, **changed: Any) -> httpx.Response:
        event = {name: value for name, value in {**EVENT, **changed}.items() if value is not None}
        return await self.send(json.dumps(event).encode(), **STRUCTURED)


@pytest_asyncio.fixture
async def sender(database: Database, board: BoardUnderTest) -> AsyncIterator[Sender]:
    app = FastAPI()
    problems.install(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(Authentication, database=database)
    app.include_router(events.build(database))
    async with database.acquire() as connection:
        token = await administrator_token(connection)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://slate", headers=headers) as client:
        yield Sender(client, board.name)


async def test_a_structured_event_is_in_the_log(sender, board) -> None:
    answer = await sender.structured()
    assert answer.status_code == 202, answer.text
    told = answer.json()
    assert (told["subject"], told["repeated"]) == ("genbrain.events.pr.merged", False)
    (event,) = await board.log(subject="genbrain.>")
    assert (event.row["id"], event.payload) == (told["event"], {"branch": "main"})
    assert (event.row["traceparent"], event.row["correlation"]) == (TRACE, told["correlation"])


async def test_a_binary_event_is_in_the_log(sender, board) -> None:
    headers = {f"ce-{name}": EVENT[name] for name in ("specversion", "id", "source", "type", "traceparent")}
    answer = await sender.send(b'{"branch": "main"}', **headers, **{"content-type": "application/json"})
    assert answer.status_code == 202, answer.text
    answer = await sender.send(b"gr\xc3\xbcn", **{**headers, "ce-id": "2", "content-type": "text/plain"})
    assert answer.status_code == 202, answer.text
    answer = await sender.send(b"", **{**headers, "ce-id": "%33", "ce-correlation": "chain-7"})
    assert (answer.status_code, answer.json()["correlation"]) == (202, "chain-7")
    assert [event.payload for event in await board.log(subject="genbrain.>")] == [{"branch": "main"}, "grün", None]


@pytest.mark.parametrize(
    ("given", "means"),
    [
        ("Euro%20%E2%82%AC%20%f0%9f%98%80", "Euro € 😀"),
        ("%41b", "Ab"),
        ('"with a space"', "with a space"),
        (r'"a \"quoted\" one, 100%25"', 'a "quoted" one, 100%'),
        ("%C0%A0", None),
        ("%ff", None),
    ],
)
async def test_headers_are_read_as_the_http_binding_writes_them(sender, board, given, means) -> None:
    headers = {f"ce-{name}": EVENT[name] for name in ("specversion", "id", "source", "type")}
    answer = await sender.send(b"", **headers, **{"ce-correlation": given})
    if means is None:
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
        assert "ce-correlation" in answer.json()["detail"]
        assert await board.log(subject="genbrain.>") == []
    else:
        assert (answer.status_code, answer.json()["correlation"]) == (202, means)


async def test_both_modes_and_every_repetition_are_one_event(sender, board) -> None:
    first = (await sender.structured()).json()
    headers = {f"ce-{name}": EVENT[name] for name in ("specversion", "id", "source", "type")}
    again = await sender.send(b"{}", **headers, **{"content-type": "application/json"})
    assert (again.status_code, again.json()["event"], again.json()["repeated"]) == (202, first["event"], True)
    assert not (await sender.structured(source="/elsewhere")).json()["repeated"]
    assert not (await sender.structured(id="x" * 300)).json()["repeated"]
    assert (await sender.structured(id="x" * 300)).json()["repeated"]
    assert len(await board.log(subject="genbrain.>")) == 3


async def test_data_may_be_base64(sender, board) -> None:
    encoded = base64.b64encode(b'{"a": 1}').decode()
    assert (await sender.structured(data=None, data_base64=encoded)).status_code == 202
    (event,) = await board.log(subject="genbrain.>")
    assert event.payload == {"a": 1}


@pytest.mark.parametrize(
    ("changed", "code", "says"),
    [
        ({"id": None}, "invalid", "no 'id'"),
        ({"source": ""}, "invalid", "no 'source'"),
        ({"type": 7}, "invalid", "no 'type'"),
        ({"specversion": "0.3"}, "invalid", "not 1.0"),
        ({"type": "a..b"}, "bad_subject", "is not a subject"),
        ({"type": "board.task.posted"}, "denied", "only the board"),
        ({"traceparent": "no"}, "invalid", "no traceparent"),
        ({"correlation": 1}, "invalid", "'correlation' is no text"),
        ({"data_base64": "AAAA"}, "invalid", "both data and data_base64"),
        ({"data": None, "data_base64": "%"}, "invalid", "cannot be read"),
        ({"data": None, "data_base64": "AAAA", "datacontenttype": "image/png"}, "invalid", "is not taken"),
        ({"data": "x" * 1_100_000}, "too_large", "1 MiB"),
    ],
)
async def test_what_is_wrong_is_a_problem_and_no_event(sender, board, changed, code, says) -> None:
    answer = await sender.structured(**changed)
    assert answer.headers["content-type"].startswith("application/problem+json")
    problem = answer.json()
    assert (problem["code"], problem["status"]) == (code, answer.status_code)
    assert says in problem["detail"]
    assert problem["remedy"]
    assert await board.log(subject="genbrain.>") == []


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (b"{}", {"content-type": "application/json"}),
        (b"[]", {"content-type": "application/cloudevents-batch+json"}),
        (b"[]", STRUCTURED),
        (b"{", STRUCTURED),
        (b"", {}),
    ],
)
async def test_what_is_no_cloud_event_is_invalid(sender, content, headers) -> None:
    answer = await sender.send(content, **headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


async def test_an_agent_publishes_on_its_own_board_only(sender, board) -> None:
    issued = await board.perform("issue_token", agent="backend")
    sender.http.headers["authorization"] = f"Bearer {issued['token']}"
    prefix = await board.fetchval("SELECT prefix FROM boards WHERE id = $1")
    assert (await sender.structured(type=f"{prefix}.events.a")).status_code == 202
    assert (await sender.structured(type="elsewhere.a", id="2")).status_code == 403
    event = json.dumps(EVENT).encode()
    assert (await sender.send(event, path="/boards/other/events", **STRUCTURED)).status_code == 403
    assert (await sender.send(event, path="/boards/Other/events", **STRUCTURED)).status_code == 422
    del sender.http.headers["authorization"]
    assert (await sender.structured()).status_code == 401
