"""Listings: pages by key, filters, and words that follow from where the newest item is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from slateboard.protocol.errors import Denied, Invalid, SlateError, TooLarge, UnknownName
from slateboard.protocol.states import Outcome
from slateboard.protocol.work import NewArtifact, NewTask, Result
from tests.factories import DecisionFactory, NewArtifactFactory, NewTaskFactory
from tests.support.boards import BoardUnderTest, QueryCount


async def every_page(board: BoardUnderTest, operation: str, first: int, **arguments: Any) -> list[dict[str, Any]]:
    """All rows of a listing, read page by page."""
    rows: list[dict[str, Any]] = []
    after = None
    for _ in range(100):
        page = await board.perform(operation, first=first, after=after, **arguments)
        assert 0 < len(page.rows) <= first
        rows += page.rows
        after = page.next
        if after is None:
            return rows
    raise AssertionError(operation)


async def in_every_place(board: BoardUnderTest) -> dict[str, int]:
    """One artifact in each place that there is so far; items by name."""
    later = datetime.now(UTC) + timedelta(hours=1)
    names = ["claimed", "done", "dead", "cancelled", "ready"]
    items = await board.post(
        *[NewArtifact(task="work", name=name, owner="backend") for name in names],
        NewArtifact(task="work", name="scheduled", owner="backend", run_at=later),
        NewArtifact(task="work", name="gated", owner="backend", blocked_by=("ready",)),
        tasks=[NewTask(name="work", title="work")],
    )
    found = {reference.split("/")[1]: item for reference, item in items.items()}
    await board.complete(found["done"])
    await board.bury(found["dead"])
    await board.perform("cancel", reference="work/cancelled")
    await board.claim_item(found["claimed"])
    return found


@pytest.mark.parametrize("first", [1, 3, 7])
async def test_pages_show_every_row_once(board: BoardUnderTest, first: int) -> None:
    tasks = NewTaskFactory.build_batch(7)
    await board.post(*[NewArtifactFactory.build(task=task.name) for task in tasks], tasks=tasks)
    for operation in ("list_tasks", "list_artifacts", "list_items"):
        rows = await every_page(board, operation, first)
        assert len({row["id"] for row in rows}) == len(rows) == 7


@pytest.mark.parametrize("status", ["pending", "not_started", "complete"])
async def test_pages_of_one_status_show_every_row_once(board: BoardUnderTest, status: str) -> None:
    items = await board.post_graph({f"a{n}": [] for n in range(10)} | {f"b{n}": [f"a{n + 5}"] for n in range(5)})
    await board.complete(*[items[f"a{n}"] for n in range(5)])
    rows = await every_page(board, "list_artifacts", 2, status=status)
    assert len({row["id"] for row in rows}) == len(rows) == 5
    assert {row["status"] for row in rows} == {status}


async def test_decisions_and_dead_letters_come_newest_first(board: BoardUnderTest) -> None:
    await board.tolerate_failures()
    items = await board.post_graph({name: [] for name in "abcde"})
    for item in items.values():
        await board.bury(item)
        await board.perform("decide", **DecisionFactory.build())
    dead = await every_page(board, "list_dead_letters", 2)
    assert [row["reference"] for row in dead] == [f"work/{name}" for name in "edcba"]
    decided = await every_page(board, "list_decisions", 2)
    assert [row["id"] for row in decided] == sorted((row["id"] for row in decided), reverse=True)
    assert len(decided) == 5


async def test_ready_items_of_an_agent_come_in_the_order_of_their_rating(board: BoardUnderTest) -> None:
    priorities = ["low", "urgent", "medium", "high", "urgent"]
    tasks = [NewTask(name="work", title="work")]
    artifacts = [NewArtifactFactory.build(name=f"a{n}", priority=word) for n, word in enumerate(priorities)]
    await board.post(*artifacts, tasks=tasks)
    rows = await every_page(board, "list_items", 2, place="ready", agent="backend")
    assert [row["reference"] for row in rows] == ["work/a1", "work/a4", "work/a3", "work/a2", "work/a0"]
    claimed = [claim.item for claim in await board.claim(limit=5)]
    assert [row["id"] for row in rows] == claimed


async def test_status_follows_from_the_place_of_the_item(board: BoardUnderTest) -> None:
    await in_every_place(board)
    rows = {row["name"]: row for row in (await board.perform("list_artifacts")).rows}
    assert {name: row["status"] for name, row in rows.items()} == {
        "claimed": "in_progress",
        "done": "complete",
        "dead": "failed",
        "cancelled": "cancelled",
        "ready": "not_started",
        "scheduled": "not_started",
        "gated": "pending",
    }
    assert rows["claimed"]["claimed_by"] == "backend"
    assert rows["claimed"]["worker"] == "w1"
    assert rows["done"]["version"] == 1
    assert rows["dead"]["last_error"] == "it broke"
    assert rows["gated"]["blocked_by"] == ["work/ready"]
    assert rows["gated"]["remaining"] == 1


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("pending", {"gated"}),
        ("not_started", {"ready", "scheduled"}),
        ("in_progress", {"claimed"}),
        ("waiting", set()),
        ("complete", {"done"}),
        ("failed", {"dead"}),
        ("cancelled", {"cancelled"}),
    ],
)
async def test_artifacts_can_be_asked_for_by_status(board: BoardUnderTest, status: str, expected: set[str]) -> None:
    await in_every_place(board)
    page = await board.perform("list_artifacts", status=status, total=True)
    assert {row["name"] for row in page.rows} == expected
    assert page.total == len(expected)


@pytest.mark.parametrize("place", ["gated", "scheduled", "ready", "claimed", "done", "dead", "cancelled"])
async def test_items_can_be_asked_for_by_place(board: BoardUnderTest, place: str) -> None:
    items = await in_every_place(board)
    page = await board.perform("list_items", place=place)
    assert [(row["id"], row["place"]) for row in page.rows] == [(items[place], place)]


async def test_unfinished_and_finished_items_are_all_items(board: BoardUnderTest) -> None:
    items = await in_every_place(board)
    unfinished = {row["id"] for row in (await board.perform("list_items", finished=False)).rows}
    finished = {row["id"] for row in (await board.perform("list_items", finished=True)).rows}
    assert unfinished == {items[name] for name in ("claimed", "ready", "scheduled", "gated")}
    assert finished == {items[name] for name in ("done", "dead", "cancelled")}


async def test_artifacts_can_be_asked_for_by_owner_task_and_reference(board: BoardUnderTest) -> None:
    await board.post(
        NewArtifact(task="a", name="one", owner="backend"),
        NewArtifact(task="a", name="two", capability="paint"),
        NewArtifact(task="b", name="one", owner="cto"),
        tasks=[NewTask(name="a", title="a"), NewTask(name="b", title="b")],
    )

    async def references(**filters: Any) -> list[str]:
        return [row["reference"] for row in (await board.perform("list_artifacts", **filters)).rows]

    assert await references(owner="backend") == ["a/one"]
    assert await references(task="a") == ["a/one", "a/two"]
    assert await references(capability="paint") == ["a/two"]
    assert await references(references=["b/one", "a/one"]) == ["a/one", "b/one"]
    assert await references(stale=True) == []


@pytest.mark.parametrize(
    ("operation", "arguments", "error"),
    [
        ("list_artifacts", {"task": "nowhere"}, UnknownName),
        ("list_artifacts", {"owner": "nobody"}, UnknownName),
        ("list_artifacts", {"references": ["work/nothing"]}, UnknownName),
        ("list_artifacts", {"status": "done"}, Invalid),
        ("list_artifacts", {"first": 0}, Invalid),
        ("list_artifacts", {"first": 1001}, Invalid),
        ("list_artifacts", {"after": "what?"}, Invalid),
        ("list_artifacts", {"after": "WzEsMl0"}, Invalid),
        ("list_artifacts", {"references": ["a/b"] * 20_001}, TooLarge),
        ("list_items", {"place": "nowhere"}, Invalid),
        ("list_items", {"agent": "nobody"}, UnknownName),
        ("list_tasks", {"parent": "nowhere"}, UnknownName),
        ("list_dead_letters", {"agent": "nobody"}, UnknownName),
        ("list_attempts", {"references": ["work/nothing"]}, UnknownName),
        ("list_attempts", {}, Invalid),
        ("list_attempts", {"artifacts": [1], "last": 101}, Invalid),
        ("tree", {"task": "nowhere"}, UnknownName),
        ("tree", {"depth": 33}, Invalid),
        ("show", {"name": "nowhere"}, UnknownName),
        ("show", {"name": "no/where"}, UnknownName),
        ("show", {"name": "999999999"}, UnknownName),
    ],
)
async def test_a_slip_is_never_an_empty_answer(
    board: BoardUnderTest, operation: str, arguments: dict[str, Any], error: type[SlateError]
) -> None:
    with pytest.raises(error) as raised:
        await board.perform(operation, **arguments)
    assert raised.value.remedy


async def test_stuck_is_what_waits_for_something_dead(board: BoardUnderTest) -> None:
    items = await board.post_graph({"dead": [], "alive": [], "stuck": ["dead", "alive"], "waits": ["alive"]})
    await board.bury(items["dead"])
    rows = {row["name"]: row for row in (await board.perform("list_artifacts")).rows}
    assert {name for name, row in rows.items() if row["stuck"]} == {"stuck"}
    status = await board.perform("status")
    assert status["stuck"]["number"] == 1
    assert status["stuck"]["artifacts"][0]["because_of"] == ["work/dead"]


async def test_a_waived_blocker_makes_nothing_stuck(board: BoardUnderTest) -> None:
    items = await board.post_graph({"dead": [], "alive": [], "waits": ["dead", "alive"]})
    await board.bury(items["dead"])
    await board.perform("discard", items=[items["dead"]], reason="not needed", waive=True)
    row = (await board.perform("list_artifacts", references=["work/waits"])).rows[0]
    assert (row["status"], row["remaining"], row["stuck"]) == ("pending", 1, False)
    assert (await board.perform("status"))["stuck"]["number"] == 0


async def test_stale_is_what_used_an_older_version(board: BoardUnderTest) -> None:
    items = await board.post_graph({"spec": [], "page": ["spec"]})
    await board.complete(items["spec"], items["page"])
    revised = await board.perform("revise", reference="work/spec")
    await board.complete(revised["item"])
    rows = {row["name"]: row for row in (await board.perform("list_artifacts")).rows}
    assert (rows["page"]["stale"], rows["page"]["because"]) == (True, "a newer version of work/spec")
    assert (rows["spec"]["stale"], rows["spec"]["version"], rows["spec"]["revision"]) == (False, 2, 1)
    assert [row["name"] for row in (await board.perform("list_artifacts", stale=True)).rows] == ["page"]


async def test_attempts_of_a_revision_are_shown_with_those_before_it(board: BoardUnderTest) -> None:
    items = await board.post_graph({"spec": []})
    claim = await board.claim_item(items["spec"])
    await board.give_back(claim, Outcome.RELEASED, note="for tomorrow")
    await board.complete(items["spec"])
    for _ in range(2):
        revised = await board.perform("revise", reference="work/spec")
        await board.complete(revised["item"])
    rows = await board.perform("list_attempts", references=["work/spec"])
    assert [row["outcome"] for row in rows] == ["completed", "completed", "completed", "released"]
    assert [row["fence"] for row in rows] == sorted((row["fence"] for row in rows), reverse=True)
    assert rows[-1]["note"] == "for tomorrow"
    assert [row["version"] for row in await board.perform("list_versions", references=["work/spec"])] == [3, 2, 1]


async def test_an_imported_version_without_a_hash_is_unproven(board: BoardUnderTest) -> None:
    await board.post(
        NewArtifactFactory.build(name="proven", imported=Result(path="/a", hash="sha256:00")),
        NewArtifactFactory.build(name="unproven", imported=Result(path="/b")),
        tasks=[NewTask(name="work", title="work")],
    )
    rows = await board.perform("list_versions", references=["work/proven", "work/unproven"])
    assert {row["path"]: row["proven"] for row in rows} == {"/a": True, "/b": False}


async def test_content_is_shown_only_where_it_is_asked_for(board: BoardUnderTest) -> None:
    items = await board.post_graph({"spec": []})
    await board.complete(items["spec"])
    plain = (await board.perform("list_versions", references=["work/spec"]))[0]
    assert (plain["content"], plain["has_content"]) == (None, True)
    whole = (await board.perform("list_versions", references=["work/spec"], content=True))[0]
    assert whole["content"] == f"result of {items['spec']}"


async def test_agents_are_shown_with_what_they_have(board: BoardUnderTest) -> None:
    await board.post_graph({"a": [], "b": [], "c": []})
    await board.claim()
    await board.perform("pause", agent="cto", reason="on holiday")
    rows = {row["name"]: row for row in (await board.perform("list_agents")).rows}
    assert (rows["backend"]["ready"], rows["backend"]["claimed"]) == (2, 1)
    assert (rows["cto"]["paused"], rows["cto"]["pause_reason"]) == (True, "on holiday")
    assert rows["backend"]["right"] == "agent"


async def test_tokens_never_show_themselves(board: BoardUnderTest) -> None:
    issued = await board.perform("issue_token", agent="cto")
    revoked = await board.perform("issue_token", agent="cto")
    await board.perform("revoke_token", token_id=revoked["token_id"])
    rows = (await board.perform("list_tokens", agent="cto")).rows
    assert [(row["id"], row["live"]) for row in rows] == [(issued["token_id"], True), (revoked["token_id"], False)]
    assert not any(issued["token"] in str(value) for row in rows for value in row.values())
    with pytest.raises(Denied):
        await board.perform("list_tokens", by="backend")


async def test_an_agent_sees_its_own_board_only(board: BoardUnderTest) -> None:
    await board.perform("create_board", name=f"{board.name}-other")
    own = await board.perform("list_boards", by="backend")
    assert [row["name"] for row in own.rows] == [board.name]
    assert len((await board.perform("list_boards", first=1000)).rows) >= 2


async def test_nothing_is_counted_that_was_not_asked_for(board: BoardUnderTest, queries: QueryCount) -> None:
    await board.post_graph({"a": [], "b": ["a"]})
    async with queries.counted():
        page = await board.perform("list_artifacts")
    assert page.total is None
    assert queries.count == 2, queries.statements  # the time of the snapshot, and the page
