"""The board as of a position or a time: what the listings said then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from slateboard.protocol.errors import Invalid, UnknownName
from slateboard.protocol.states import FailureClass
from slateboard.protocol.work import NewArtifact, NewTask
from slateboard.reports.past.listing import KINDS
from tests.support.boards import BoardUnderTest

LIVE = {kind: f"list_{kind}" for kind in KINDS}
NOT_TOLD = {"rating", "percent", "progress", "stalled_since", "expires_at", "updated_at", "task_id"}
"""Fields of the listings that no event tells of."""
OF_THE_EVENT = {"position", "subject"}
"""Of a delivery's dead letter: looked up in the log itself."""


async def _listed(board: BoardUnderTest) -> dict[str, list[dict[str, Any]]]:
    return {kind: (await board.perform(operation, first=1000)).rows for kind, operation in LIVE.items()}


async def _some_work(board: BoardUnderTest) -> dict[str, int]:
    items = await board.post(
        NewArtifact(task="work", name="a", owner="backend", path="/a"),
        NewArtifact(task="work", name="b", owner="backend", blocked_by=("a",), due=datetime.now(UTC)),
        NewArtifact(task="work", name="open", capability="review"),
        NewArtifact(task="part", name="c", owner="frontend", priority="high"),
        tasks=[NewTask(name="work", title="Work", agent="cto"), NewTask(name="part", title="Part", parent="work")],
    )
    await board.complete(items["work/a"])
    await board.bury(items["part/c"], agent="frontend")
    await board.claim_item(items["work/b"])
    await board.perform("decide", decision="Use it", options=["it", "not it"], task="work")
    await board.perform("decide", decision="Use that", supersedes="use-it")
    await board.perform("pause", agent="frontend", reason="ill")
    return items


async def test_the_newest_position_shows_what_the_listings_show(board: BoardUnderTest) -> None:
    await _some_work(board)
    head = (await board.log())[-1].position
    live = await _listed(board)
    past = await board.perform("as_of", position=head, first=1000)
    for kind, rows in live.items():
        shown = past[kind]["rows"]
        assert len(shown) == len(rows) == past[kind]["total"]
        for found, row in zip(shown, rows, strict=True):
            expected = row.keys() if kind == "tasks" else row.keys() - NOT_TOLD
            if kind == "dead_letters":
                expected = expected - OF_THE_EVENT
            assert {name: found[name] for name in expected} == {name: row[name] for name in expected}, kind


async def test_each_position_shows_what_was_listed_then(board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": [], "b": ["a"]})
    seen: list[tuple[int, dict[str, str]]] = []
    for item in items.values():
        seen.append(((await board.log())[-1].position, await _statuses(board)))
        await board.complete(item)
    for position, statuses in seen:
        past = await board.perform("as_of", position=position, of=["artifacts"])
        assert {row["reference"]: row["status"] for row in past["artifacts"]["rows"]} == statuses


async def _statuses(board: BoardUnderTest) -> dict[str, str]:
    return {row["reference"]: row["status"] for row in (await board.perform("list_artifacts")).rows}


async def test_a_time_means_the_last_position_at_or_before_it(board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": []})
    await board.complete(items["a"])
    events = await board.log()
    for event in events:
        at = event.row["happened_at"]
        expected = max(one.position for one in events if one.row["happened_at"] <= at)
        assert (await board.perform("as_of", time=at, of=["items"]))["position"] == expected
    future = await board.perform("as_of", time=(datetime.now(UTC) + timedelta(days=1)).isoformat(), of=["items"])
    assert future["position"] == events[-1].position
    with pytest.raises(UnknownName, match="no event at or before"):
        await board.perform("as_of", time=datetime(2000, 1, 1, tzinfo=UTC))


async def test_pages_and_filters(board: BoardUnderTest) -> None:
    await board.post_graph({f"a{number}": [] for number in range(5)})
    head = (await board.log())[-1].position
    seen: list[str] = []
    after = None
    while True:
        past = await board.perform("as_of", position=head, of=["artifacts"], first=2, after=after)
        seen += [row["name"] for row in past["artifacts"]["rows"]]
        after = past["artifacts"]["next"]
        if after is None:
            break
    assert seen == ["a0", "a1", "a2", "a3", "a4"]
    where = {"owner": "backend", "name": ["a1", "a3", "x"]}
    past = await board.perform("as_of", position=head, of=["artifacts"], where=where)
    assert [row["name"] for row in past["artifacts"]["rows"]] == ["a1", "a3"]


@pytest.mark.parametrize("position", [-1, 0, 1_000_000])
async def test_an_unknown_position_is_refused(board: BoardUnderTest, position: int) -> None:
    await board.log()
    with pytest.raises(UnknownName, match=f"none {position}") as refused:
        await board.perform("as_of", position=position)
    assert refused.value.remedy


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"position": 1, "time": datetime(2026, 1, 1, tzinfo=UTC)},
        {"time": "yesterday"},
        {"position": 1, "of": ["tokens"]},
        {"position": 1, "after": "x"},
    ],
)
async def test_a_question_that_cannot_be_meant_is_refused(board: BoardUnderTest, arguments: dict[str, Any]) -> None:
    await board.log()
    with pytest.raises(Invalid):
        await board.perform("as_of", **arguments)


async def test_a_dead_letter_is_seen_before_it_was_discarded(board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": []})
    claim = await board.claim_item(items["a"])
    await board.fail(claim, FailureClass.LOGIC, error="no way")
    head = (await board.log())[-1].position
    await board.perform("discard", items=[items["a"]], reason="never mind")
    await board.seal()
    past = await board.perform("as_of", position=head, of=["dead_letters"])
    assert [(row["reference"], row["error"]) for row in past["dead_letters"]["rows"]] == [("work/a", "no way")]
    past = await board.perform("as_of", position=head + 1, of=["dead_letters", "items"])
    assert past["dead_letters"]["rows"] == []
    assert [row["place"] for row in past["items"]["rows"]] == ["cancelled"]


async def test_the_tree_and_one_thing_are_what_they_are_today(board: BoardUnderTest) -> None:
    items = await _some_work(board)
    revised = await board.perform("revise", reference="work/a", reason="better")
    await board.complete(revised["item"])
    more = await board.post(NewArtifact(task="work", name="d", owner="backend", blocked_by=()))
    await board.fail(await board.claim_item(more["work/d"]), FailureClass.TRANSIENT, note="n", usage={"cost": 2.5})
    for rating in (2_000, None):
        await board.perform("pin", item=items["work/b"], rating=rating, reason="it is late")
    moved = await board.post(NewArtifact(task="work", name="e", owner="backend"))
    await board.perform("override", item=moved["work/e"], agent="cto", reason="who is there")
    head = (await board.log())[-1].position
    for asked in ({}, {"task": "work"}, {"task": "work", "depth": 1, "artifacts": False}):
        past = await board.perform("as_of", position=head, of=[], tree=asked)
        assert past["tree"] == await board.perform("tree", **asked)
    for name in ("work", "part", "work/a", "work/b", "work/e", "part/c", str(items["work/b"]), str(revised["item"])):
        past = (await board.perform("as_of", position=head, of=[], show=name))["show"]
        live = await board.perform("show", name=name)
        assert past.keys() == live.keys(), name
        assert [row.keys() for row in past.get("artifacts", ())] == [row.keys() for row in live.get("artifacts", ())]
        assert _told(past) == _told(live), name


def _told(value: Any) -> Any:
    """Without what no event tells of."""
    if isinstance(value, list):
        return [_told(one) for one in value]
    if not isinstance(value, dict):
        return value
    left_out = NOT_TOLD - {"progress"} | {"content", "has_content", "checkpoint", "note"}
    return {
        name: _told(one) for name, one in value.items() if name not in left_out and (name, one) != ("progress", None)
    }


async def test_what_was_not_there_then_is_named(board: BoardUnderTest) -> None:
    await board.post_graph({"a": []})
    head = (await board.log())[-1].position
    items = await board.post_graph({"b": []}, task="later")
    await board.seal()
    for asked in ({"show": "later"}, {"show": "work/b"}, {"show": str(items["b"])}, {"tree": {"task": "later"}}):
        with pytest.raises(UnknownName, match="on this board then"):
            await board.perform("as_of", position=head, of=[], **asked)
    for asked in ({"tree": {"roots": 1}}, {"tree": {"depth": 0}}):
        with pytest.raises(Invalid):
            await board.perform("as_of", position=head, of=[], **asked)


async def test_a_cursor_means_its_own_board(board: BoardUnderTest) -> None:
    head = (await board.log())[-1].position
    assert (await board.perform("as_of", position=f"{board.name}@{head}", of=[]))["position"] == head
    with pytest.raises(Invalid, match="a position of the board 'other'"):
        await board.perform("as_of", position=f"other@{head}")
    with pytest.raises(Invalid, match="no position"):
        await board.perform("as_of", position="first")
