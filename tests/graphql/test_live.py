"""Live feeds over WebSockets: who may read, what they get, and how each of them ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import cached_property
from typing import Any

import pytest
import pytest_asyncio
from websockets.exceptions import ConnectionClosed, InvalidStatus

from slateboard.interfaces import feeds
from slateboard.interfaces.graphql import live as graphql_live
from slateboard.interfaces.graphql import subscriptions
from slateboard.server import sockets
from slateboard.store.database import Database
from tests.support.boards import BoardUnderTest, new_board
from tests.support.feeds import LIMIT_SECONDS, Doors, doors, live, write


@pytest_asyncio.fixture
async def served(database: Database, board: BoardUnderTest) -> AsyncIterator[Doors]:
    async with doors(database, board) as opened:
        yield opened


@pytest_asyncio.fixture
async def token(board: BoardUnderTest) -> str:
    """Of a reader of the board under test."""
    await board.add_agent("watcher", right="reader")
    return (await board.perform("issue_token", agent="watcher"))["token"]


async def closed(opened: Any) -> tuple[int, str]:
    """Hear all that comes, and then how the connection was closed."""
    try:
        while True:
            await opened.hear()
    except ConnectionClosed as error:
        return (error.rcvd.code, error.rcvd.reason) if error.rcvd else (0, "no word")


async def test_events_come_as_they_are_logged(served: Doors, board: BoardUnderTest, token: str) -> None:
    await board.seal()
    async with live(served.url, token) as reader:
        await reader.subscribe(after="0")
        assert (await reader.event())["subject"] == "board.board.created"
    head = (await board.log())[-1].position
    async with live(served.url, token) as reader:
        await reader.subscribe(after=str(head), subject="board.task.*")
        await write(board, 1, 2)
        await write(board, 3)
        events = [await reader.event() for _ in range(3)]
    assert [event["payload"]["number"] for event in events] == [1, 2, 3]
    assert [event["position"] for event in events] == [head + 1, head + 2, head + 3]


async def test_a_reader_goes_on_where_another_ended(served: Doors, board: BoardUnderTest, token: str) -> None:
    await write(board, *range(10))
    seen: list[int] = []
    cursor = "0"
    while len(seen) < 10:
        async with live(served.url, token) as reader:
            await reader.subscribe(after=cursor, subject="board.task.changed")
            for _ in range(2):
                event = await reader.event()
                seen.append(event["payload"]["number"])
                cursor = event["cursor"]
    assert seen == list(range(10))


async def test_two_feeds_of_one_connection_each_have_their_pattern(
    served: Doors, board: BoardUnderTest, token: str
) -> None:
    await board.seal()
    async with live(served.url, token) as reader:
        await reader.subscribe("tasks", after="0", subject="board.task.>")
        await reader.subscribe("agents", after="0", subject="board.agent.added", fields="subject")
        await write(board, 7)
        heard: dict[str, list[str]] = {"tasks": [], "agents": []}
        while len(heard["tasks"]) < 1 or len(heard["agents"]) < 4:
            message = await reader.hear()
            heard[message["id"]].append(message["payload"]["data"]["events"]["subject"])
        await reader.say("complete", id="agents")
        await reader.say("ping")
        assert (await reader.hear())["type"] == "pong"
    assert set(heard["tasks"]) == {"board.task.changed"}
    assert set(heard["agents"]) == {"board.agent.added"}


async def test_queries_and_changes_run_here_too(served: Doors, token: str, board: BoardUnderTest) -> None:
    async with live(served.url, token) as reader:
        await reader.say("subscribe", id="q", payload={"query": "{ board { name } }"})
        assert (await reader.hear())["payload"]["data"] == {"board": {"name": board.name}}
        assert (await reader.hear()) == {"id": "q", "type": "complete"}
        await reader.say("subscribe", id="m", payload={"query": 'mutation { pause(reason: "no") { id } }'})
        answer = await reader.hear()
        assert "errors" in answer["payload"] or answer["type"] == "error"


@pytest.mark.parametrize("credential", [None, {}, {"Authorization": 7}, {"authorization": "Bearer slt_unknown"}])
async def test_a_connection_without_a_good_token_is_closed_with_the_reason(served: Doors, credential: Any) -> None:
    async with live(served.url, None) as stranger:
        await stranger.say("connection_init", **({} if credential is None else {"payload": credential}))
        code, reason = await closed(stranger)
    assert code == 4403
    assert reason.startswith("not_authenticated: ")


async def test_nothing_is_answered_before_the_token(served: Doors) -> None:
    async with live(served.url, None) as stranger:
        await stranger.subscribe()
        assert (await closed(stranger))[0] == 4401


async def test_the_header_of_the_handshake_is_a_credential_too(served: Doors, token: str) -> None:
    async with live(served.url, None, additional_headers={"Authorization": f"Bearer {token}"}) as reader:
        await reader.say("connection_init")
        assert (await reader.hear())["type"] == "connection_ack"


async def test_a_feed_ends_when_its_token_is_revoked(served: Doors, board: BoardUnderTest) -> None:
    await board.add_agent("leaving", right="reader")
    issued = await board.perform("issue_token", agent="leaving")
    async with live(served.url, issued["token"]) as reader:
        await reader.subscribe(after="0", subject="board.board.created")
        await board.seal()
        await reader.event()
        await board.perform("revoke_token", token_id=issued["token_id"])
        await served.hub.end_unauthenticated()
        assert (await reader.error())["code"] == "not_authenticated"
        await reader.subscribe("again")
        assert (await reader.error())["code"] == "not_authenticated"


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({"after": "-1"}, "bad_cursor"),
        ({"after": "100000"}, "bad_cursor"),
        ({"after": "nonsense"}, "bad_cursor"),
        ({"after": "9" * 30}, "bad_cursor"),
        ({"subject": "a..b"}, "bad_subject"),
        ({"subject": ">.a"}, "bad_subject"),
        ({"fields": "nonsense"}, "invalid"),
    ],
)
async def test_a_bad_feed_is_refused_and_the_connection_stays(
    served: Doors, board: BoardUnderTest, token: str, variables: dict[str, Any], code: str
) -> None:
    await board.seal()
    async with live(served.url, token) as reader:
        await reader.subscribe(**variables)
        assert (await reader.error())["code"] == code
        await reader.subscribe(after="0")
        assert (await reader.event())["position"] == 1


async def test_a_cursor_of_another_board_is_refused(
    served: Doors, board: BoardUnderTest, database: Database, token: str
) -> None:
    await board.seal()
    other = await new_board(database, f"{board.name}-other", agents=("one",))
    issued = await other.perform("issue_token", agent="one")
    await other.seal()
    async with live(served.url, issued["token"]) as reader:
        await reader.subscribe(after="0")
        event = await reader.event()
    async with live(served.url, token) as reader:
        await reader.subscribe(after=event["cursor"])
        error = await reader.error()
    assert error["code"] == "bad_cursor"
    assert "another board" in error["message"]


async def test_another_board_is_not_seen(served: Doors, board: BoardUnderTest, database: Database, token: str) -> None:
    other = await new_board(database, f"{board.name}-secret")
    async with live(served.url, token) as reader:
        query = f'subscription {{ events(board: "{other.name}", after: "0") {{ position }} }}'
        await reader.say("subscribe", id="1", payload={"query": query})
        assert (await reader.error())["code"] == "denied"


async def test_what_is_too_large_is_refused(served: Doors, token: str) -> None:
    async with live(served.url, token) as reader:
        await reader.subscribe(fields=" ".join(f"a{number}: position" for number in range(60)))
        assert (await reader.error())["code"] == "too_large"


@pytest.mark.parametrize("wakes_up_in_time", [True, False])
async def test_a_reader_that_never_reads_is_told_and_closed_and_can_go_on(
    served: Doors, board: BoardUnderTest, token: str, monkeypatch: pytest.MonkeyPatch, wakes_up_in_time: bool
) -> None:
    monkeypatch.setattr(graphql_live, "UNHEARD_SECONDS", 60 if wakes_up_in_time else 0)
    monkeypatch.setattr(feeds, "BUFFER_EVENTS", 3)
    await board.seal()
    head = (await board.log())[-1].position
    async with live(served.url, token, max_queue=1) as lazy:
        await lazy.subscribe(after=str(head), subject="board.task.changed")
        await written_until_stuck(served, board)
        (reader,) = served.hub.readers
        served.hub.end_slow(asyncio.get_running_loop().time() + feeds.SLOW_SECONDS + 1)
        assert reader.buffered == 0
        seen: list[dict[str, Any]] = []
        while (message := await lazy.hear())["type"] == "next":
            seen.append(message["payload"]["data"]["events"])
        assert message["type"] == "error"
        (error,) = message["payload"]
        assert error["extensions"]["code"] == "slow_reader"
        assert error["extensions"]["details"]["position"] == seen[-1]["position"]
        if not wakes_up_in_time:
            code, reason = await closed(lazy)
            assert code == 1013
            assert reason.startswith("slow_reader")
    everything = await board.log(after=head, subject="board.task.changed")
    async with live(served.url, token) as again:
        await again.subscribe(after=seen[-1]["cursor"], subject="board.task.changed")
        while len(seen) < len(everything):
            seen.append(await again.event())
    assert [event["position"] for event in seen] == [event.position for event in everything]


async def written_until_stuck(served: Doors, board: BoardUnderTest) -> None:
    """Log large events until all that lies between this test and its reader is full, and its buffer as well."""
    (socket,) = [one for one in served.web.server_state.connections if isinstance(one, sockets.LiveSocket)]
    later = asyncio.get_running_loop().time() + 10 * feeds.SLOW_SECONDS
    async with asyncio.timeout(LIMIT_SECONDS):
        number = 0
        while socket.writable.is_set() or not any(reader.is_slow(later) for reader in served.hub.readers):
            await write(board, *range(number, number + 4), text="x" * 500_000)
            number += 4


async def test_open_feeds_do_not_hold_up_the_end_of_the_server(
    served: Doors, board: BoardUnderTest, token: str
) -> None:
    await board.seal()
    async with live(served.url, token) as reader, live(served.url, token) as other:
        await reader.subscribe(after="0")
        await reader.event()
        await other.subscribe()
        await served.stop()
        assert (await closed(reader))[0] == 1012
        assert (await closed(other))[0] == 1012
    assert not served.hub.readers


async def test_the_number_of_connections_is_bounded(served: Doors, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "MAX_SOCKETS", 1)
    async with live(served.url, token):
        with pytest.raises(InvalidStatus) as refused:
            async with live(served.url, token):
                pass
    assert refused.value.response.status_code == 503


SELECTIONS = [
    "position payload happenedAt __typename",
    "at: position position body: payload actor: subject correlation cause",
    "...Parts ... on Event { id @skip(if: $no) cursor @include(if: $yes) actor @include(if: $no) ...Parts }",
    "subject @skip(if: $yes) id @skip(if: $no)",
]


@pytest.mark.parametrize("selection", SELECTIONS)
async def test_a_shared_text_says_what_the_full_way_says(
    served: Doors, board: BoardUnderTest, token: str, monkeypatch: pytest.MonkeyPatch, selection: str
) -> None:
    await write(board, 1, 2, text='quotes " and \\ and ünïcode  ')
    switches = "$no: Boolean = false, $yes: Boolean!" if "$yes" in selection else "$yes: String"
    after = '"0"' if "$yes" in selection else "$yes"
    variables = {"yes": True if "$yes" in selection else "0"}
    parts = "fragment Parts on Event { subject happenedAt }" if "Parts" in selection else ""
    query = f"subscription Some({switches}) {{ all: events(after: {after}) {{ {selection} }} }} {parts}"
    count = len(await board.log())

    async def heard(identity: str) -> list[dict[str, Any]]:
        async with live(served.url, token) as reader:
            payload = {"query": query, "variables": variables, "operationName": "Some"}
            await reader.say("subscribe", id=identity, payload=payload)
            messages = [await reader.hear() for _ in range(count)]
        assert {(message["type"], message["id"]) for message in messages} == {("next", identity)}
        return [message["payload"] for message in messages]

    written: list[Any] = []
    text = feeds.Event.text

    def noted(event: feeds.Event, *arguments: Any) -> str:
        written.append(event.position)
        return text(event, *arguments)

    monkeypatch.setattr(feeds.Event, "text", noted)
    short = await heard('"quoted" \\ id')
    assert len(written) >= count
    monkeypatch.setattr(subscriptions, "_shape", lambda _selected: None)
    written.clear()
    assert await heard("2") == short
    assert not written


async def test_an_event_is_written_once_for_all_who_select_the_same(
    served: Doors, board: BoardUnderTest, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await board.seal()
    writes: list[str] = []
    text = subscriptions.Shape.text

    def noted(shape: subscriptions.Shape, row: dict[str, Any]) -> str:
        writes.append(row["subject"])
        return text(shape, row)

    monkeypatch.setattr(subscriptions.Shape, "text", noted)
    fields = ["position", "position", "position @include(if: true)", "number: position"]
    async with contextlib.AsyncExitStack() as stack:
        readers = [await stack.enter_async_context(live(served.url, token)) for _ in fields]
        for reader, selected in zip(readers, fields, strict=True):
            await reader.subscribe(fields=selected, subject="board.task.changed")
            await reader.say("ping")
            assert (await reader.hear())["type"] == "pong"
        await until_standing(served, len(fields))
        await write(board, 1)
        answers = [await reader.event() for reader in readers]
    assert [list(answer) for answer in answers] == [["position"]] * 3 + [["number"]]
    assert len({*answers[0].values(), *answers[3].values()}) == 1
    assert writes == ["board.task.changed"] * 2


async def test_what_cannot_be_written_short_is_worded_by_the_full_way(
    served: Doors, board: BoardUnderTest, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(board, 1)
    shown = feeds.Event.shown.func
    broken = cached_property(lambda event: {**shown(event), "subject": None})
    broken.__set_name__(feeds.Event, "shown")
    monkeypatch.setattr(feeds.Event, "shown", broken)
    async with live(served.url, token) as reader:
        await reader.subscribe(after="0", fields="position subject")
        (message,) = [await reader.hear()]
    assert message["payload"]["data"] == {"events": None}
    (error,) = message["payload"]["errors"]
    assert error["path"] == ["events", "subject"]


async def until_standing(served: Doors, count: int) -> None:
    """Wait until so many readers stand at the end of the log."""
    async with asyncio.timeout(LIMIT_SECONDS):
        while sum(reader in reader._tail.standing for reader in served.hub.readers) < count:  # noqa: ASYNC110
            await asyncio.sleep(0)
