"""The client: connecting, calling by name, following the log, and being told what is wrong."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest

from slateboard import Client, NewArtifact, NewTask, Result, connect
from slateboard.protocol.errors import (
    BadName,
    BadSetting,
    DatabaseUnreachable,
    DuplicateName,
    Invalid,
    LeaseLost,
    ServerProblem,
    UnknownName,
)
from slateboard.protocol.states import Outcome
from slateboard.protocol.work import Beat, Finish, GiveBack
from slateboard.store.notifications import Notifier


async def test_a_client_is_awaited_or_entered(board, app_url) -> None:
    client = await connect(app_url, board=board.name)
    assert (client.board, client.agent) == (board.name, None)
    async with client:
        assert await client.call("log_head") == 0
    async with connect(app_url, board=board.name, agent="cto") as entered:
        assert isinstance(entered, Client)
        assert entered.agent == "cto"


async def test_the_whole_life_of_an_item(client: Client) -> None:
    items = await client.post(
        tasks=[NewTask(name="t", title="T", agent="backend")],
        artifacts=[NewArtifact(task="t", name="a"), NewArtifact(task="t", name="b", blocked_by=("a",))],
    )
    assert set(items) == {"t/a", "t/b"}
    assert await client.has_work()
    (claim,) = await client.claim(worker="shell", limit=10)
    (renewed,) = await client.heartbeat([Beat(item=claim.item, fence=claim.fence, percent=50, progress="half")])
    assert renewed.expires_at
    (held,) = await client.mine()
    assert (held["reference"], held["percent"]) == ("t/a", 50)
    assert isinstance(held["claimed_at"], datetime)
    (given,) = await client.give_back([GiveBack(item=claim.item, fence=claim.fence, outcome=Outcome.RELEASED)])
    assert given.place == "ready"
    (claim,) = await client.claim(worker="shell")
    (finished,) = await client.finish([Finish(item=claim.item, fence=claim.fence, result=Result(content="x"))])
    assert finished.version == 1
    (claim,) = await client.claim(worker="shell")
    briefing = await client.briefing(claim.item)
    assert briefing.input("a").content == "x"
    with pytest.raises(KeyError, match="t/a"):
        briefing.input("c")


async def test_plain_values_go_in_and_come_out(client: Client) -> None:
    posted = await client.call(
        "post", tasks=[{"name": "t", "title": "T"}], artifacts=[{"task": "t", "name": "a", "owner": "backend"}]
    )
    assert posted == {"tasks": ["t"], "items": {"t/a": posted["items"]["t/a"]}}
    claims = await client.call("claim", worker="w", lease_seconds=60)
    assert claims[0]["reference"] == "t/a"
    result = {"content": "x"}
    finish = {"item": claims[0]["item"], "fence": claims[0]["fence"], "result": result}
    answers, _ = await client.call("finish", finishes=[finish])
    assert answers == [{"item": claims[0]["item"], "version": 1, "error": None}]


async def test_what_a_client_decides_is_recorded_as_its_agent(board, client: Client) -> None:
    await client.decide("Use Postgres", rationale="it is there")
    (event,) = await board.log(subject="board.decision.made")
    assert event.row["actor"] == "backend"


async def test_following_gives_what_is_there_and_what_comes(board, app_url, client: Client) -> None:
    await client.decide("First")
    await board.seal()
    seen: list[int] = []
    first, second = asyncio.Event(), asyncio.Event()

    async def follow() -> None:
        async for event in client.follow(subject="board.decision.>"):
            seen.append(event["position"])
            assert event["payload"]["decision"]
            (second if first.is_set() else first).set()

    following = asyncio.create_task(follow())
    async with asyncio.timeout(20):
        await first.wait()
        await client.decide("Second")
        await board.seal()
        notifier = Notifier(app_url)
        notifier.sealed(board.id)
        await second.wait()
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await notifier.close()
    assert seen == sorted(seen)
    assert len(seen) == 2


async def test_a_board_is_made_through_a_client(board, app_url) -> None:
    async with connect(app_url, board=f"{board.name}-new") as client:
        with pytest.raises(UnknownName, match="there is no board"):
            await client.call("log_head")
        await client.call("create_board", name=f"{board.name}-new")
        await client.call("add_agent", name="backend")
    with pytest.raises(DuplicateName):
        async with connect(app_url, board=board.name) as client:
            await client.call("create_board", name=board.name)


async def test_only_an_agent_claims(board, app_url) -> None:
    async with connect(app_url, board=board.name) as client:
        with pytest.raises(Invalid, match="only an agent"):
            await client.claim(worker="w")


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"url": "https://example.org"}, BadSetting, "https"),
        ({"url": "nonsense"}, BadSetting, "nonsense"),
        ({"url": "postgresql:///x?host=/nowhere"}, DatabaseUnreachable, "cannot be reached"),
        ({"board": "a/b"}, BadName, "a/b"),
        ({"agent": "Nobody!"}, BadName, "Nobody"),
        ({"agent": "nobody"}, UnknownName, "nobody"),
        ({"board": "nowhere", "agent": "backend"}, UnknownName, "nowhere"),
    ],
)
async def test_what_is_wrong_is_named(board, app_url, arguments, error, says) -> None:
    with pytest.raises(error, match=says) as caught:
        await connect(**{"url": app_url, "board": board.name, **arguments})
    assert caught.value.remedy


async def test_without_a_server_the_remedy_is_to_start_one(monkeypatch, tmp_path) -> None:
    monkeypatch.delenv("SLATE_DATABASE_URL", raising=False)
    monkeypatch.setenv("SLATE_HOME", str(tmp_path))
    with pytest.raises(ServerProblem, match="no server is running") as caught:
        await connect()
    assert "slate up" in caught.value.remedy


async def test_the_environment_says_where(monkeypatch, board, app_url) -> None:
    monkeypatch.setenv("SLATE_DATABASE_URL", app_url)
    monkeypatch.setenv("SLATE_BOARD", board.name)
    async with connect(agent="backend") as client:
        assert client.board == board.name
        assert not await client.has_work()


async def test_an_argument_that_does_not_fit_is_named(client: Client) -> None:
    with pytest.raises(Invalid, match="colour"):
        await client.call("post", artifacts=[{"task": "t", "name": "a", "colour": "red"}])
    with pytest.raises(Invalid, match="shape"):
        await client.call("post", shape="round")


async def test_a_change_under_a_claim_that_is_gone_is_refused(client: Client) -> None:
    await client.post(
        tasks=[NewTask(name="t", title="T", agent="backend")], artifacts=[NewArtifact(task="t", name="a")]
    )
    (claim,) = await client.claim(worker="shell")
    under = claim.item, claim.fence
    await client.transport.call("decide", {"decision": "Use columns"}, under=under)
    await client.give_back([GiveBack(item=claim.item, fence=claim.fence, outcome=Outcome.RELEASED)])
    with pytest.raises(LeaseLost):
        await client.transport.call("decide", {"decision": "Use rows"}, under=under)
