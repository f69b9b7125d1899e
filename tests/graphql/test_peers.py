"""Peers in GraphQL, in the words of the operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slateboard.patterns.peers import routes
from slateboard.patterns.peers.routes import Route
from tests.graphql.conftest import Asker
from tests.support.boards import BoardUnderTest


async def test_peers_consult_notify_and_read(
    board: BoardUnderTest, asker: Asker, asker_of: Callable[[str], Any]
) -> None:
    async with board.writing() as tx:
        await routes.add(
            tx,
            routes=[
                Route("backend", "cto", "consult", "security"),
                Route("backend", "frontend", "notify", "API contract changes", "genbrain.events.api"),
            ],
        )
    await board.add_agent("dba", capabilities=["sql"])
    backend, cto = await asker_of("backend"), await asker_of("cto")
    found = await asker.ask('{ routes(agent: "backend") { agent kind other label subject source } }')
    assert found["routes"][1] == {
        "agent": "backend", "kind": "notify", "other": "frontend", "label": "API contract changes",
        "subject": "genbrain.events.api", "source": None,
    }  # fmt: skip
    asked = await backend.ask(
        'mutation { consult(to: "cto", question: "Is it safe?", options: ["yes", "no"], deadlineSeconds: 60)'
        " { consult thread to deadline item place }"
        ' request(capability: "sql", question: "Which index?") { request thread consults answers }'
        ' notify(label: "API contract changes", data: {endpoint: "/orders"}) { thread message told } }'
    )
    assert (asked["consult"]["to"], asked["notify"]["told"]) == ("cto", ["frontend"])
    thread = asked["consult"]["thread"]
    said = await cto.ask(f'mutation {{ reply(thread: {thread}, text: "let me see", data: [1]) {{ thread message }} }}')
    await cto.ask(f'mutation {{ answer(escalation: {asked["consult"]["consult"]}, answer: "yes") {{ answer }} }}')
    (row,) = (await backend.ask("{ threads(unread: true) { thread topic unread } }"))["threads"]
    assert row == {"thread": thread, "topic": "security", "unread": 2}
    read = f"mutation {{ acknowledge(thread: {thread}) {{ readTo }} }}"
    assert (await backend.ask(read))["acknowledge"]["readTo"] is not None
    shown = await asker.ask(
        f"{{ showThread(thread: {thread}) {{ topic members {{ agent unread }}"
        " messages { message kind saidBy text data consult } } }"
    )
    whole = shown["showThread"]
    assert [one["kind"] for one in whole["messages"]] == ["question", "reply", "answer"]
    assert whole["messages"][1]["data"] == [1]
    assert whole["messages"][1]["message"] == said["reply"]["message"]
    assert {one["agent"]: one["unread"] for one in whole["members"]} == {"backend": 0, "cto": 1}
    refused = await backend.refused('mutation { consult(to: "frontend", question: "?") { consult } }')
    assert refused["code"] == "no_channel"
