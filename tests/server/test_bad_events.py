"""Bad input of the choreography at every door: one code, words that name the thing and a remedy, and nothing done."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from click.testing import CliRunner
from fastapi import FastAPI

from slateboard import cli, connect
from slateboard.board.agents import administrator_token
from slateboard.interfaces.graphql import router
from slateboard.interfaces.http import events, problems
from slateboard.interfaces.http.credentials import Authentication
from slateboard.interfaces.http.limits import BodyLimit
from slateboard.protocol.errors import SlateError
from slateboard.store.database import Database
from tests.house.test_docs import EXIT_CODES, HTTP_STATUS
from tests.support.boards import BoardUnderTest

LARGE = "x" * 1_048_576
SUBSCRIBED = {"name": "deploys", "patterns": ["a.b"], "agent": "backend"}


@dataclass(frozen=True, kw_only=True)
class Bad:
    """One wrong request, in the words of the catalogue; `says` is the thing that its message must name."""

    operation: str
    arguments: dict[str, Any]
    code: str
    kind: str
    says: str
    command: list[str] = field(default_factory=list)
    given: str | None = None
    """The command's standard input."""
    event: dict[str, Any] | None = None
    """The CloudEvent, where HTTP has this door."""


def published(code: str, kind: str, says: str, **arguments: Any) -> Bad:
    """A publish, by each door that has it."""
    given = {"subject": "a.b", **arguments}
    data = json.dumps(given["data"]) if "data" in given else None
    options = [f"--{name}={given[name]}" for name in ("id", "correlation", "traceparent") if name in given]
    event = {"type": given["subject"], **{name: one for name, one in given.items() if name not in {"subject", "id"}}}
    return Bad(
        operation="publish", arguments=given, code=code, kind=kind, says=says, given=data,
        command=["publish", given["subject"], *options, *(["--data=-"] if data else [])],
        event=None if "id" in given else event,
    )  # fmt: skip


def subscribed(code: str, kind: str, says: str, **arguments: Any) -> Bad:
    """A subscription."""
    given = {**SUBSCRIBED, "name": "new", **arguments}
    options = [f"--{name}={given[name]}" for name in ("agent", "filter", "start") if name in given]
    command = ["subscription", "add", given["name"], *options, "--", *given["patterns"]]
    return Bad(operation="subscribe", arguments=given, code=code, kind=kind, says=says, command=command)


def scheduled(code: str, kind: str, says: str, **arguments: Any) -> Bad:
    """A schedule."""
    given = {"name": "new", "cron": "0 9 * * *", "subject": "a.b", **arguments}
    options = [f"--{name}={given[name]}" for name in ("subject", "timezone") if name in given]
    command = ["schedule", "add", *options, "--", given["name"], given["cron"]]
    return Bad(operation="schedule", arguments=given, code=code, kind=kind, says=says, command=command)


TABLE = {
    "subject": published("bad_subject", "invalid", "'a..b'", subject="a..b"),
    "subject with a wildcard": published("bad_subject", "invalid", "'a.*'", subject="a.*"),
    "the board's own subject": published("denied", "denied", "board.task.posted", subject="board.task.posted"),
    "payload": published("too_large", "invalid", "1 MiB", data=LARGE),
    "traceparent": published("invalid", "invalid", "'00-1-2-3'", traceparent="00-1-2-3"),
    "correlation": published("invalid", "invalid", "correlation", correlation="c" * 256),
    "id": published("invalid", "invalid", "id", id="i" * 256),
    "pattern": subscribed("bad_subject", "invalid", "'a.>.b'", patterns=["a.>.b"]),
    "filter": subscribed("invalid", "invalid", "$.(", filter="$.("),
    "agent": subscribed("unknown_name", "not_found", "nobody", agent="nobody"),
    "two of one name": subscribed("duplicate_name", "conflict", "'deploys'", name="deploys"),
    "start": subscribed("invalid", "invalid", "999999", start="999999"),
    "name": subscribed("bad_name", "invalid", "No Name", name="No Name"),
    "cron": scheduled("invalid", "invalid", "'61 * * * *'", cron="61 * * * *"),
    "cron that never comes": scheduled("invalid", "invalid", "'0 0 31 2 *'", cron="0 0 31 2 *"),
    "time zone": scheduled("invalid", "invalid", "'Mars/Base'", timezone="Mars/Base"),
    "schedule's subject": scheduled("denied", "denied", "board.a", subject="board.a"),
    "position": Bad(
        operation="show_event", arguments={"position": 999_999}, code="unknown_name", kind="not_found", says="999999",
        command=["log", "show", "999999"],
    ),
    "chain": Bad(
        operation="chain", arguments={"correlation": "none"}, code="unknown_name", kind="not_found", says="'none'",
        command=["log", "chain", "none"],
    ),
    "rewind": Bad(
        operation="rewind_subscription", arguments={"name": "deploys", "to": "999999"}, code="invalid", kind="invalid",
        says="999999", command=["subscription", "rewind", "deploys", "--to=999999"],
    ),
    "rewind to another board": Bad(
        operation="rewind_subscription", arguments={"name": "deploys", "to": "elsewhere@1"}, code="invalid",
        kind="invalid", says="elsewhere", command=["subscription", "rewind", "deploys", "--to=elsewhere@1"],
    ),
    "pause of nothing": Bad(
        operation="pause_subscription", arguments={"name": "none", "reason": "so"}, code="unknown_name",
        kind="not_found", says="'none'", command=["subscription", "pause", "none", "--reason=so"],
    ),
    "a claim that is gone": Bad(
        operation="wait_for", arguments={"item": 1, "fence": 1, "pattern": "a.b", "timeout_seconds": 60.0},
        code="lease_lost", kind="conflict", says="1",
    ),
    "a wait for ever": Bad(
        operation="wait_for", arguments={"item": 1, "fence": 1, "pattern": "a.b", "timeout_seconds": 1e9},
        code="invalid", kind="invalid", says="30 days",
        command=["work", "wait", "1", "--fence=1", "--for=a.b", "--timeout=99999h"],
    ),
}  # fmt: skip

GRAPHQL_TYPES = {"patterns": "[String!]!", "data": "JSON", "position": "BigInt!", "item": "BigInt!", "fence": "BigInt!"}
GRAPHQL_TYPES |= {"timeout_seconds": "Float!"}
REQUIRED = {"subject", "name", "agent", "cron", "to", "reason"}


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.title, rest))


@pytest_asyncio.fixture
async def http(database: Database, board: BoardUnderTest) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    problems.install(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(Authentication, database=database)
    app.include_router(events.build(database))
    app.include_router(router.build(database, default_board=board.name, wake=lambda _board, _inboxes: None))
    async with database.acquire() as connection:
        token = await administrator_token(connection)
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://slate", headers=headers) as one:
        yield one


@pytest_asyncio.fixture
async def untouched(board: BoardUnderTest) -> AsyncIterator[None]:
    """One subscription is there; afterwards nothing else is."""
    await board.perform("subscribe", **SUBSCRIBED)
    before = await board.log()
    yield
    assert await board.log() == before
    assert len(await board.perform("list_subscriptions")) == 1
    assert await board.perform("list_schedules") == []
    assert await board.fetchval("SELECT count(*) FROM published_ids WHERE board = $1") == 0


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("name", TABLE)
async def test_bad_input_is_told_alike_at_every_door(
    name: str, board: BoardUnderTest, app_url: str, http: httpx.AsyncClient
) -> None:
    bad = TABLE[name]
    async with connect(app_url, board=board.name) as client:
        with pytest.raises(SlateError) as raised:
            await client.call(bad.operation, **bad.arguments)
    error = raised.value
    assert (error.code, error.kind) == (bad.code, bad.kind)
    assert bad.says in str(error)
    assert error.remedy

    kind = "query" if bad.operation in {"show_event", "chain"} else "mutation"
    types = {name: GRAPHQL_TYPES.get(name, "String!" if name in REQUIRED else "String") for name in bad.arguments}
    head = ", ".join(f"${camel(name)}: {one}" for name, one in types.items())
    passed = ", ".join(f"{camel(name)}: ${camel(name)}" for name in types)
    chosen = " { event }" if bad.operation == "publish" else ""
    query = f"{kind}({head}) {{ {camel(bad.operation)}({passed}){chosen} }}"
    variables = {camel(name): one for name, one in bad.arguments.items()}
    answer = (await http.post("/graphql", json={"query": query, "variables": variables})).json()
    told = answer["errors"][0]
    assert (told["extensions"]["code"], told["extensions"]["kind"]) == (bad.code, bad.kind)
    assert bad.says in told["message"]
    assert told["extensions"]["remedy"]

    if bad.event is not None:
        event = {"specversion": "1.0", "id": "1", "source": "/ci", **bad.event}
        headers = {"content-type": "application/cloudevents+json"}
        response = await http.post(f"/boards/{board.name}/events", content=json.dumps(event), headers=headers)
        problem = response.json()
        assert (response.status_code, problem["code"]) == (HTTP_STATUS[bad.kind], bad.code)
        assert bad.says in problem["detail"]
        assert problem["remedy"]


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("name", [name for name, bad in TABLE.items() if bad.command])
def test_command_ends_with_the_code_of_the_kind(name: str, board: BoardUnderTest, app_url: str) -> None:
    bad = TABLE[name]
    environment = {"SLATE_DATABASE_URL": app_url, "SLATE_BOARD": board.name, "SLATE_AGENT": "", "SLATE_LOG_LEVEL": ""}
    # Before the words that stand after `--`.
    place = bad.command.index("--") if "--" in bad.command else len(bad.command)
    command = [*bad.command[:place], "--json", *bad.command[place:]]
    result = CliRunner(env=environment).invoke(cli.main, command, input=bad.given)
    assert result.exit_code == EXIT_CODES[bad.kind], result.output
    error = json.loads(result.stdout)["error"]
    assert (error["code"], error["kind"]) == (bad.code, bad.kind)
    assert bad.says in error["message"]
    assert error["remedy"]


@pytest.mark.usefixtures("untouched")
async def test_real_program_ends_with_the_code_of_the_kind(board: BoardUnderTest, app_url: str) -> None:
    environment = os.environ | {"SLATE_DATABASE_URL": app_url, "SLATE_BOARD": board.name}
    for name in ("subject", "agent", "two of one name", "the board's own subject"):
        bad = TABLE[name]
        process = await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("slate"), *bad.command, env=environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
        assert (process.returncode, out) == (EXIT_CODES[bad.kind], b"")
        assert bad.says in err.decode()


async def test_agent_publishes_nothing_in_the_boards_name(board: BoardUnderTest, http: httpx.AsyncClient) -> None:
    issued = await board.perform("issue_token", agent="backend")
    http.headers["authorization"] = f"Bearer {issued['token']}"
    before = await board.log()
    query = 'mutation { publish(subject: "board.task.posted") { event } }'
    told = (await http.post("/graphql", json={"query": query})).json()["errors"][0]
    assert told["extensions"]["code"] == "denied"
    event = {"specversion": "1.0", "id": "1", "source": "/ci", "type": "board.task.posted"}
    headers = {"content-type": "application/cloudevents+json"}
    response = await http.post(f"/boards/{board.name}/events", content=json.dumps(event), headers=headers)
    assert (response.status_code, response.json()["code"]) == (403, "denied")
    assert await board.log() == before
