"""`board(asOf:)`: how the board was, in one query."""

from __future__ import annotations

from tests.graphql.conftest import Asker
from tests.support.boards import BoardUnderTest

QUERY = """query ($at: String!, $after: String) { board(asOf: $at, first: 1, after: $after) {
    name asOf { position artifacts { nodes next total } } } }"""


async def test_the_board_is_shown_as_it_was(asker: Asker, board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": [], "b": ["a"]})
    head = (await board.log())[-1].position
    await board.complete(items["a"])
    await board.seal()
    found = (await asker.ask(QUERY, at=str(head)))["board"]["asOf"]
    assert found["position"] == head
    (row,) = found["artifacts"]["nodes"]
    assert (row["reference"], row["status"], found["artifacts"]["total"]) == ("work/a", "not_started", 2)
    found = (await asker.ask(QUERY, at=str(head), after=found["artifacts"]["next"]))["board"]["asOf"]
    assert [(row["name"], row["blocked_by"]) for row in found["artifacts"]["nodes"]] == [("b", ["work/a"])]


async def test_todays_board_has_no_past_and_an_unknown_position_is_refused(asker: Asker, board: BoardUnderTest) -> None:
    assert (await asker.ask("{ board { name asOf { position } } }"))["board"] == {"name": board.name, "asOf": None}
    assert (await asker.refused(QUERY, at="999999"))["code"] == "unknown_name"


async def test_one_thing_and_the_tree_are_shown_as_they_were(asker: Asker, board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": []})
    head = (await board.log())[-1].position
    await board.complete(items["a"])
    await board.seal()
    query = (
        """query ($at: String!) { board(asOf: $at) { asOf { show(name: "work/a") tree(task: "work", depth: 1) } } }"""
    )
    found = (await asker.ask(query, at=f"{board.name}@{head}"))["board"]["asOf"]
    assert (found["show"]["reference"], found["show"]["status"], found["show"]["versions"]) == (
        "work/a",
        "not_started",
        [],
    )
    assert [one["progress"]["done"] for one in found["tree"]["tasks"]] == [0]
    twice = """query ($at: String!) { board(asOf: $at) { asOf { show(name: "work/a") b: show(name: "work") } } }"""
    assert (await asker.refused(twice, at=str(head)))["code"] == "invalid"
