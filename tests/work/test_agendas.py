"""The agenda says what an agent gets next, and what it does not get, as its claims then show."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slateboard.protocol.errors import BreakerOpen, Invalid, Paused, UnknownName
from slateboard.protocol.states import Outcome
from slateboard.protocol.work import NewArtifact, NewTask
from tests.support.boards import BoardUnderTest, new_board
from tests.support.breakers import apply, fail_items, posted, recovered, rules
from tests.work.test_resources import free

ABLE = ("python", "sql")


async def agenda(board: BoardUnderTest, agent: str = "backend") -> list[dict[str, Any]]:
    return await board.perform("agenda", agent=agent)


async def held(board: BoardUnderTest, agent: str = "backend") -> dict[str, str | None]:
    """What holds each item of an agenda, by its name."""
    return {one["reference"].partition("/")[2]: one["held"] for one in await agenda(board, agent)}


async def check_next(board: BoardUnderTest, agent: str = "backend") -> Any:
    """The next claim gives what the agenda says; that claim, if there is one."""
    shown = await agenda(board, agent)
    free = [one["item"] for one in shown if one["held"] is None]
    try:
        claims = await board.claim(agent)
    except (BreakerOpen, Paused):
        claims = []
    assert [one.item for one in claims] == free[:1], shown
    return claims[0] if claims else None


async def pause(board: BoardUnderTest, agent: str, *, paused: bool) -> None:
    with suppress(UnknownName):  # it is not paused
        await board.perform("pause" if paused else "resume", agent=agent)


async def test_what_holds_an_agent_holds_all_that_it_has(board: BoardUnderTest) -> None:
    await board.post_graph({"a": [], "b": []})
    for who, text in (({"agent": "backend"}, "backend is paused: lunch"), ({}, "the board is paused: lunch")):
        await board.perform("pause", reason="lunch", **who)
        assert await held(board) == {"a": text, "b": text}
        assert await check_next(board) is None
        await board.perform("resume", **who)
    await board.perform("set_limit", scope="agent", name="backend", concurrency=1)
    assert await check_next(board)
    assert await held(board) == {"b": "the limit of agent backend is reached"}
    assert await check_next(board) is None


async def test_what_runs_elsewhere_is_said_of_each_item(board: BoardUnderTest) -> None:
    await board.perform("change_agent", name="backend", capabilities=["sql"])
    await board.perform("set_limit", scope="capability", name="sql", concurrency=1)
    await board.perform("set_limit", scope="key", name="gpu", concurrency=1)
    await board.post(
        NewArtifact(task="t", name="one", owner="frontend", rules={"touches": ["src/**"], "keys": ["gpu"]}),
        NewArtifact(task="t", name="open", capability="sql", priority="high"),
        NewArtifact(task="t", name="open2", capability="sql", priority="high"),
        NewArtifact(task="t", name="touches", owner="backend", rules={"touches": ["src/a.py"]}),
        NewArtifact(task="t", name="key", owner="backend", rules={"keys": ["gpu"]}),
        NewArtifact(task="t", name="last", owner="backend", priority="low"),
        tasks=[NewTask(name="t", title="T")],
    )
    (elsewhere,) = await board.claim("frontend")
    first = await check_next(board)
    assert first.reference == "t/open"
    assert await held(board) == {
        "open2": "the limit of capability sql is reached",
        "touches": "t/one has the resource src/*",
        "key": "the limit of key gpu is reached",
        "last": None,
    }
    assert (await check_next(board)).reference == "t/last"
    assert await check_next(board) is None  # what it has seen is put aside, and said all the same
    assert await held(board) == {
        "open2": "the limit of capability sql is reached",
        "touches": "t/one has the resource src/*",
        "key": "the limit of key gpu is reached",
    }
    await board.finish(elsewhere, by="frontend")
    assert "about to be ready again" in str((await held(board))["key"])
    await free(board)
    assert (await held(board))["key"] is None
    assert (await check_next(board)).reference in {"t/touches", "t/key"}


async def test_an_open_breaker_holds_and_its_substitute_has_the_work_on_its_agenda(board: BoardUnderTest) -> None:
    await apply(board, rules("failure_threshold: 1, fallback: reassign, substitute: frontend"))
    items = await posted(board, 4)
    await board.perform("pin", item=items[2], rating=7_000, reason="first of all")
    await fail_items(board, 1)
    texts = set((await held(board)).values())
    assert len(texts) == 1
    assert "circuit breaker of backend is open" in str(texts)
    assert "frontend stands in" in str(texts)
    shown = await agenda(board, "frontend")
    assert {(one["instead_of"], one["held"]) for one in shown} == {("backend", None)}
    assert await check_next(board) is None
    assert await check_next(board, "frontend")
    await recovered(board)
    first, *others = (await held(board)).values()
    assert first is None
    assert all("half-open" in str(one) for one in others)
    assert await check_next(board)
    assert await check_next(board) is None


async def test_a_pin_is_first_and_a_claim_agrees(board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": [], "b": [], "c": ["a"]})
    await board.perform("pin", item=items["b"], rating=900)
    assert (await agenda(board))[0]["parts"] == {"pinned": 900}
    assert (await check_next(board)).item == items["b"]


STEP = st.one_of(
    st.tuples(st.just("post"), st.integers(0, 5), st.sampled_from(["low", "medium", "urgent"])),
    st.tuples(st.just("pin"), st.integers(0, 20), st.integers(-50, 700)),
    st.tuples(st.just("claim"), st.sampled_from(["backend", "frontend"]), st.none()),
    st.tuples(st.just("end"), st.integers(0, 5), st.sampled_from([Outcome.COMPLETED, Outcome.RELEASED])),
    st.tuples(st.just("pause"), st.sampled_from(["backend", "frontend"]), st.booleans()),
    st.tuples(st.just("limit"), st.sampled_from(["agent backend", "capability sql", "key gpu"]), st.integers(1, 2)),
    st.tuples(st.just("free"), st.none(), st.none()),
)
KINDS: list[dict[str, Any]] = [
    {"owner": "backend"},
    {"owner": "frontend"},
    {"capability": "sql"},
    {"owner": "backend", "rules": {"keys": ["gpu"]}},
    {"owner": "frontend", "rules": {"touches": ["src/**"]}},
    {"capability": "python", "rules": {"touches": ["src/a.py"], "keys": ["gpu"]}},
]
NUMBERS = iter(range(1_000_000))


@given(steps=st.lists(STEP, min_size=5, max_size=25))
@settings(max_examples=40)
async def test_whatever_was_done_a_claim_gives_what_the_agenda_says(board: BoardUnderTest, steps: list[Any]) -> None:
    board = await new_board(board.database, f"agendas-{next(NUMBERS)}", agents=["backend", "frontend"])
    for agent in board.agents:
        await board.perform("change_agent", name=agent, capabilities=list(ABLE))
    items: list[int] = []
    claims: list[tuple[str, Any]] = []
    await board.post(tasks=[NewTask(name="t", title="T")])
    for what, one, other in steps:
        if what == "post":
            made = await board.post(NewArtifact(task="t", name=f"a{len(items)}", priority=other, **KINDS[one]))
            items += made.values()
        elif what == "pin" and items:
            if await board.place(items[one % len(items)]) != "done":
                await board.perform("pin", item=items[one % len(items)], rating=other, reason="so")
        elif what == "claim":
            claim = await check_next(board, one)
            claims += [(one, claim)] if claim else []
        elif what == "end" and claims:
            agent, claim = claims.pop(one % len(claims))
            if other is Outcome.COMPLETED:
                await board.finish(claim, by=agent)
            else:
                await board.give_back(claim, other, by=agent)
        elif what == "pause":
            await pause(board, one, paused=other)
        elif what == "limit":
            scope, _, name = one.partition(" ")
            await board.perform("set_limit", scope=scope, name=name, concurrency=other)
        elif what == "free":
            await free(board)
    for agent in board.agents:
        await pause(board, agent, paused=False)
        while await check_next(board, agent):
            pass


@pytest.mark.parametrize("limit", [0, 501])
async def test_an_agenda_has_a_bounded_length(board: BoardUnderTest, limit: int) -> None:
    with pytest.raises(Invalid):
        await board.perform("agenda", agent="backend", limit=limit)
