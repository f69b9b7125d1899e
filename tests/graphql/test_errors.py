"""Errors in GraphQL: the code, kind, remedy and details of every door; nothing of what is ours alone."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from slateboard.interfaces import operations
from slateboard.store.database import Database
from tests.graphql.conftest import Asker
from tests.support.boards import BoardUnderTest


@pytest.mark.parametrize("token", [None, "slate_unknown"])
async def test_nothing_is_answered_without_a_token(asker: Asker, token: str | None) -> None:
    asker.token = token
    response = await asker.post({"query": "{ __typename }"})
    assert response.status_code == 401
    assert response.json()["code"] == "not_authenticated"


async def test_a_revoked_token_is_refused_at_once(board: BoardUnderTest, asker: Asker) -> None:
    issued = await board.perform("issue_token", agent="cto")
    asker.token = issued["token"]
    await asker.ask("{ logHead }")
    await board.perform("revoke_token", token_id=issued["token_id"])
    assert (await asker.post({"query": "{ logHead }"})).status_code == 401


async def test_an_error_says_what_to_do(board: BoardUnderTest, asker: Asker) -> None:
    answer = await asker.answer('{ logHead artifact(reference: "work/nothing") { name } }')
    assert answer["data"] == {"logHead": 0, "artifact": None}, "the other fields are answered all the same"
    error = answer["errors"][0]
    assert error["path"] == ["artifact"]
    assert error["extensions"] == {
        "code": "unknown_name",
        "kind": "not_found",
        "remedy": "see `slate get artifacts`",
        "details": {"artifact": "work/nothing"},
    }


async def test_one_mutation_that_fails_does_not_hide_the_one_before_it(board: BoardUnderTest, asker: Asker) -> None:
    await board.post_graph({"a": []})
    answer = await asker.answer(
        'mutation { claim(worker: "w", agent: "backend") { reference } cancel(reference: "no/thing") { references } }'
    )
    assert answer["data"] == {"claim": [{"reference": "work/a"}], "cancel": None}
    assert answer["errors"][0]["extensions"]["code"] == "unknown_name"


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ("{ nope }", "Cannot query field"),
        ("{ nope", "Syntax Error"),
        ("{ artifact { name } }", "reference"),
        ('{ artifacts(first: "x") { nodes { name } } }', "Int"),
        ('{ item(id: "x") { id } }', "BigInt"),
        ("{ item(id: 99999999999999999999) { id } }", "BigInt"),
    ],
)
async def test_a_wrong_document_is_refused_with_its_reason(asker: Asker, query: str, part: str) -> None:
    refused = await asker.refused(query)
    assert part in refused["message"]
    assert (refused["code"], refused["kind"]) == ("invalid", "invalid")


async def test_a_time_without_a_zone_is_refused(board: BoardUnderTest, asker: Asker) -> None:
    query = 'mutation ($due: DateTime!) { post(tasks: [{name: "a", title: "A", due: $due}]) { tasks } }'
    refused = await asker.refused(query, due="2026-12-01T10:00:00")
    assert "time zone" in refused["message"]
    await asker.ask(query, due="2026-12-01T10:00:00+02:00")
    task = await asker.ask('{ task(name: "a") { due } }')
    assert task["task"]["due"] == "2026-12-01T08:00:00+00:00"


async def test_what_is_unexpected_is_masked_and_logged(
    asker: Asker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(tx: Any) -> None:
        secret = "the secret inside"
        raise RuntimeError(secret)

    real = operations.Operation.load
    monkeypatch.setattr(
        operations.Operation, "load", lambda self: broken if self.action.endswith(":head") else real(self)
    )
    with caplog.at_level(logging.ERROR):
        answer = await asker.answer("{ logHead }")
    assert "the secret inside" not in str(answer)
    assert answer["errors"][0]["extensions"]["code"] == "error"
    assert "the secret inside" in caplog.text


async def test_what_users_do_wrong_is_not_logged(asker: Asker, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        await asker.refused('{ artifact(reference: "no/thing") { name } }')
        await asker.refused("{ nope }")
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_request_that_takes_too_long_is_ended(
    board: BoardUnderTest, asker: Asker, monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    async def slow(tx: Any) -> Any:
        return await tx.fetchval("SELECT pg_sleep(60)")

    monkeypatch.setattr("slateboard.interfaces.graphql.request.REQUEST_SECONDS", 0.2)
    real = operations.Operation.load
    monkeypatch.setattr(
        operations.Operation, "load", lambda self: slow if self.action.endswith(":status") else real(self)
    )
    refused = await asker.refused("{ status { board } }")
    assert (refused["code"], refused["kind"]) == ("database_busy", "unavailable")


@pytest.mark.parametrize("body", [{}, [], {"query": ""}, {"query": 3}, {"query": "{ logHead }", "variables": 7}])
async def test_a_body_that_is_no_request_is_refused(asker: Asker, body: Any) -> None:
    response = await asker.post(body)
    assert response.status_code == 422
    problem = response.json()
    assert (problem["code"], problem["kind"]) == ("invalid", "invalid")
    assert "JSON object" in problem["remedy"]


async def test_a_question_by_get_is_refused(asker: Asker) -> None:
    response = await asker.http.get(
        "/graphql", params={"query": "{ logHead }"}, headers={"authorization": f"Bearer {asker.token}"}
    )
    assert (response.status_code, response.json()["code"]) == (422, "invalid")
    assert response.json()["remedy"].startswith("POST")


async def test_a_reader_may_look_and_not_touch(
    board: BoardUnderTest, asker_of: Callable[[str], Awaitable[Asker]]
) -> None:
    await board.add_agent("guest", right="reader")
    guest = await asker_of("guest")
    await guest.ask("{ artifacts { nodes { name } } status { board } }")
    for mutation in ('decide(decision: "x") { id }', 'post(tasks: [{name: "a", title: "A"}]) { tasks }', "pause"):
        assert (await guest.refused(f"mutation {{ {mutation} }}"))["kind"] == "denied"


async def test_of_several_operations_one_must_be_named(asker: Asker) -> None:
    query = "query A { logHead } query B { status { board } }"
    response = await asker.post({"query": query})
    assert response.status_code == 400 or "errors" in response.json(), response.text
    named = await asker.post({"query": query, "operationName": "A"})
    assert named.json()["data"] == {"logHead": 0}
