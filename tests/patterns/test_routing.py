"""From the log to inboxes: what fits is delivered once, in order; what breaks pauses itself alone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from slateboard.patterns import filters, publishing, routing
from slateboard.protocol.events import Subject
from slateboard.protocol.rights import SYSTEM
from slateboard.server.duty import Duty
from slateboard.server.routing import route_once
from slateboard.transaction import hot, writing
from tests.patterns.conftest import Router
from tests.support.boards import BoardUnderTest

MERGED = "genbrain.events.pr.merged"


async def publish(board: BoardUnderTest, subject: str = MERGED, **arguments: Any) -> dict[str, Any]:
    return await board.perform("publish", subject=subject, **arguments)


async def subscribe(board: BoardUnderTest, name: str = "deploy", **arguments: Any) -> dict[str, Any]:
    wanted = {"patterns": ["genbrain.events.pr.*"], "agent": "backend"}
    return await board.perform("subscribe", **{"name": name, **wanted, **arguments})


async def deliveries(board: BoardUnderTest, name: str = "deploy") -> list[dict[str, Any]]:
    rows = await board.fetch(
        "SELECT d.*, w.reference, w.kind, w.inbox, w.depth, w.outcome, w.last_error, w.correlation AS of_item,"
        " w.base_rating FROM deliveries d JOIN work_items w ON w.board = d.board AND w.id = d.item"
        " WHERE d.board = $1 AND w.reference LIKE $2 || '/%' ORDER BY d.item",
        name,
    )
    return [dict(row) for row in rows]


async def test_event_becomes_one_delivery_in_the_agents_inbox(board: BoardUnderTest, router: Router) -> None:
    await subscribe(board, action="deploy-it", priority="high")
    await publish(board, data={"pr": 7}, correlation="c1")
    await publish(board, "genbrain.events.other", correlation="c2")
    await router.run()
    await router.run()
    (made,) = await deliveries(board)
    (event,) = await board.log(subject=MERGED)
    assert (made["kind"], made["reference"], made["inbox"]) == ("handle", "deploy/deploy-it", board.agents["backend"])
    assert (made["position"], made["positions"], made["base_rating"]) == (event.position, [event.position], 100)
    assert (made["of_item"], made["depth"]) == ("c1", 1)
    (claim,) = await board.claim()
    assert (claim.item, claim.correlation) == (made["item"], "c1")
    answers = await board.finish(claim)
    assert answers[0].error is None
    (told,) = await board.log(subject="board.delivery.made")
    assert told.payload["items"] == [[made["item"], event.position]]
    assert told.row["cause"] == event.row["id"]


@pytest.mark.parametrize(
    ("path", "fits"),
    [
        ("$.payload.pr", True),
        ("$.payload.pr == 7", True),
        ("$.payload.pr == 8", False),
        ("$.payload.branch", False),
        ("$.payload ? (@.pr > 5)", True),
        ('$.actor == "admin" && $.correlation == "c1"', True),
        ("strict $.payload.nothing.at.all", False),
    ],
)
async def test_filter_says_which_events_are_delivered(
    board: BoardUnderTest, router: Router, path: str, *, fits: bool
) -> None:
    await subscribe(board, filter=path)
    await publish(board, data={"pr": 7}, correlation="c1")
    await router.run()
    assert len(await deliveries(board)) == fits


async def test_slow_filter_pauses_its_own_subscription_alone(
    board: BoardUnderTest, router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filters, "MOST_SECONDS", 0.05)
    slow = '$.payload[*] ? (@ like_regex "^(([a-z])+.)+[A-Z]([a-z])+$" || $.payload[*] == @ + $.payload[*])'
    await subscribe(board, "slow", filter=slow)
    await subscribe(board, "quick", filter="$.payload[0] == 0")
    await publish(board, data=list(range(4_000)))
    await router.run()
    rows = {row["name"]: row for row in await board.perform("list_subscriptions")}
    assert "longer than" in rows["slow"]["paused_because"]
    assert rows["quick"]["paused_at"] is None
    assert len(await deliveries(board, "quick")) == 1
    (told,) = await board.log(subject="board.subscription.paused")
    assert told.payload["subscription"]["name"] == "slow"
    assert rows["slow"]["behind"] > 0
    (shown,) = (await board.perform("status"))["paused_subscriptions"]
    assert (shown["name"], shown["paused_because"]) == ("slow", rows["slow"]["paused_because"])
    assert shown["behind"] > 0


async def test_filter_that_is_slow_over_many_events_is_tried_with_fewer(
    board: BoardUnderTest, router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = slow_over(10, monkeypatch)
    await subscribe(board, filter="$.payload.pr")
    for number in range(25):
        await publish(board, data={"pr": number})
    await router.run()
    assert [row["position"] for row in await deliveries(board)] == [
        event.position for event in await board.log(subject=MERGED)
    ]
    assert tried == [25, 10, 15, 10, 5]


def slow_over(most: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let every filter be too slow over more events than these; the list is how many each trial was given."""
    tried: list[int] = []
    trial = filters.trial

    async def counted(tx: Any, sql: str, *arguments: Any) -> list[Any] | str:
        tried.append(len(arguments[3]))
        return filters.TooSlow("slow") if tried[-1] > most else await trial(tx, sql, *arguments)

    monkeypatch.setattr(filters, "trial", counted)
    return tried


async def test_payload_that_postgres_cannot_read_stops_nothing(board: BoardUnderTest, router: Router) -> None:
    await subscribe(board, patterns=["board.task.>"], filter='$.subject == "board.task.changed"')
    async with board.writing() as tx:
        tx.record(Subject.TASK_CHANGED, {"task": {"title": "a\x00b"}})
    await router.run()
    assert len(await deliveries(board)) == 1


async def test_life_of_deliveries_and_the_queues_motion_are_never_routed(board: BoardUnderTest, router: Router) -> None:
    await board.seal()
    await subscribe(board, patterns=[">"])
    items = await board.post_graph({"a": [], "b": ["a"]})
    await board.complete(items["a"])
    await router.run()
    for claim in await board.claim(limit=100):
        await board.finish(claim)
    await router.run()
    subjects = {event.position: event.subject for event in await board.log()}
    routed = [subjects[row["position"]] for row in await deliveries(board)]
    assert sorted(set(routed)) == [
        "board.artifact.completed", "board.artifact.posted", "board.subscription.added", "board.task.posted",
    ]  # fmt: skip


class Killed(Exception):
    """The end of a router in the middle of its step."""


async def route_and_die(board: BoardUnderTest, step: routing.Step) -> None:
    async with writing(board.database, SYSTEM, board.id) as tx:
        assert await routing.route(tx, step)
        raise Killed


async def test_routers_at_once_and_one_that_dies_deliver_each_event_once(
    board: BoardUnderTest, router: Router, duty: Duty
) -> None:
    names = [f"s{number}" for number in range(5)]
    for name in names:
        await subscribe(board, name)
    for number in range(40):
        await publish(board, data=number)
        await board.seal()
        if number % 4 == 0:
            head = await board.fetchval("SELECT position FROM event_heads WHERE board = $1")
            async with hot(board.database, SYSTEM, board.id) as tx:
                plan = await routing.plan(tx, head=head)
            with pytest.raises(Killed):
                await route_and_die(board, plan.steps[0])
            await asyncio.gather(*(route_once(duty) for _ in range(4)), return_exceptions=True)
    await router.run()
    positions = [event.position for event in await board.log(subject=MERGED)]
    for name in names:
        assert [row["position"] for row in await deliveries(board, name)] == positions


async def test_step_is_bounded_and_followed_by_another(
    board: BoardUnderTest, router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routing, "POSITIONS", 7)
    await subscribe(board, start="beginning")
    await subscribe(board, "second")
    for number in range(20):
        await publish(board, data=number)
    await router.run()
    assert len(await deliveries(board)) == len(await deliveries(board, "second")) == 20


async def test_all_of_waits_for_every_pattern_of_one_correlation(board: BoardUnderTest, router: Router) -> None:
    smoke, scan = "genbrain.events.smoke.passed", "genbrain.events.scan.passed"
    await subscribe(board, patterns=[smoke, scan], all_of=True)
    await publish(board, smoke, correlation="a")
    await publish(board, smoke, correlation="a")
    await publish(board, scan, correlation="b")
    await router.run()
    assert await deliveries(board) == []
    await publish(board, scan, correlation="a")
    await publish(board, smoke, correlation="b")
    await router.run()
    made = await deliveries(board)
    positions = {
        (event.subject, event.row["correlation"]): event.position
        for event in reversed(await board.log(subject="genbrain.>"))
    }
    assert [(row["correlation"], row["positions"]) for row in made] == [
        (one, sorted([positions[smoke, one], positions[scan, one]])) for one in "ab"
    ]
    assert await board.fetch("SELECT * FROM gatherings WHERE board = $1") == []


async def test_deliveries_of_one_key_are_claimed_one_after_the_other(board: BoardUnderTest, router: Router) -> None:
    await subscribe(board, ordered_by="$.payload.repo")
    for number, repo in enumerate("aabab"):
        await publish(board, data={"repo": repo, "number": number})
    await publish(board, data={"number": 5})
    await router.run()
    assert (await board.by_place())["ready"] == 3
    await publish(board, data={"repo": "a", "number": 6})
    await router.run()
    made = await deliveries(board)
    order: list[int] = []
    while claims := await board.claim(limit=100):
        order += [claim.item for claim in claims]
        assert len({row["key"] for row in made if row["item"] in [c.item for c in claims]}) == len(claims)
        await board.finish(*claims)
    for key in "ab":
        of_key = [row["item"] for row in made if row["key"] == key]
        assert [item for item in order if item in of_key] == of_key
    assert len(order) == 7


async def test_chain_that_is_too_deep_ends_in_one_dead_letter(board: BoardUnderTest, router: Router) -> None:
    await subscribe(board)
    for depth in (31, 32, 32):
        async with board.writing() as tx:
            tx.depth = depth
            await publishing.publish(tx, subject=MERGED, correlation="loop")
    await router.run()
    await publish(board, correlation="loop")
    await publish(board, correlation="other")
    await router.run()
    made = await deliveries(board)
    assert [(row["outcome"], row["depth"], row["correlation"]) for row in made] == [
        (None, 32, "loop"), ("dead", 33, "loop"), (None, 1, "other"),
    ]  # fmt: skip
    assert "32 deliveries deep" in made[1]["last_error"]
    (died,) = await board.log(subject="board.delivery.died")
    assert died.payload["item"] == made[1]["item"]


async def test_chain_that_is_too_long_ends_in_one_dead_letter(board: BoardUnderTest, router: Router) -> None:
    await subscribe(board)
    await subscribe(board, "other")
    await board.fetch("INSERT INTO chains VALUES ($1, 'loop', 9996, '{}', now())")
    for _ in range(3):
        await publish(board, correlation="loop")
    await router.run()
    await publish(board, correlation="loop")
    await router.run()
    outcomes = {name: [row["outcome"] for row in await deliveries(board, name)] for name in ("deploy", "other")}
    assert outcomes == {"deploy": [None, None, None, "dead"], "other": [None, "dead"]}
