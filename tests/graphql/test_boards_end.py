"""How boards end, by GraphQL: the same words and rights as at every door."""

from __future__ import annotations

from tests.graphql.conftest import Asker
from tests.support.boards import BoardUnderTest


async def test_a_board_is_archived_opened_and_deleted(board: BoardUnderTest, asker: Asker) -> None:
    name = board.name
    done = await asker.ask(
        'mutation ($name: String) { archiveBoard(board: $name, reason: "over") { name archivedAt } }', name=name
    )
    assert done["archiveBoard"]["name"] == name
    error = await asker.refused('mutation ($name: String) { decide(board: $name, decision: "x") { id } }', name=name)
    assert error["code"] == "board_archived"
    listed = await asker.ask(
        "query ($names: [String!]) { boards(names: $names) { nodes { archivedAt } } }", names=[name]
    )
    assert listed["boards"]["nodes"] == [{"archivedAt": done["archiveBoard"]["archivedAt"]}]
    status = await asker.ask("query ($name: String) { status(board: $name) { archivedAt } }", name=name)
    assert status["status"] == {"archivedAt": done["archiveBoard"]["archivedAt"]}
    opened = await asker.ask("mutation ($name: String) { unarchiveBoard(board: $name) { name } }", name=name)
    assert opened == {"unarchiveBoard": {"name": name}}
    await asker.ask("mutation ($name: String) { archiveBoard(board: $name) { name } }", name=name)
    await board.seal()
    delete = (
        "mutation ($name: String, $yes: String!) { deleteBoard(board: $name, confirm: $yes) { name hash position } }"
    )
    assert (await asker.refused(delete, name=name, yes="another"))["code"] == "invalid"
    gone = (await asker.ask(delete, name=name, yes=name))["deleteBoard"]
    known = (await asker.ask("{ deletedBoards { name hash position } }"))["deletedBoards"]
    assert gone in known
    assert (await asker.refused(delete, name=name, yes=name))["code"] == "unknown_name"
