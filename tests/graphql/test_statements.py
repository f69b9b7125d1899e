"""No query whose number of statements grows with the rows."""

from __future__ import annotations

import pytest

from slateboard.protocol.work import NewTask
from tests.graphql.conftest import Asker
from tests.support.boards import BoardUnderTest, QueryCount

# Each with the most statements that it may take: the credential, the board's id, and for each listing the time of its
# snapshot and its page.
QUERIES = {
    "a board": (
        """{ artifacts(first: 1000) { edges { node { reference owner status dependencies { edges { node {
             reference status } } } lastAttempt { outcome endedAt } } } } }""",
        2 + 2 * 3,
    ),
    "all that an artifact leads to": (
        """{ artifacts(first: 100) { nodes { task { name status } ownerAgent { name } versions(last: 1) { content }
             attempts(last: 2) { outcome } dependencies(first: 5) { nodes { reference } } dependents(first: 5) {
             nodes { reference
             dependencies(first: 5) { nodes { task { name } } } } } } } }""",
        2 + 2 * 11 + 1,
    ),
    "tasks with their artifacts": ("{ tasks { nodes { name status artifacts { nodes { reference } } } } }", 7),
    "tasks with the delegations above them": (
        "{ tasks(first: 1000) { nodes { name parentTask { name } delegation { state } delegationChain { agent } } } }",
        2 + 4 * 2 + 1,
    ),
    "the agents of the organisation": (
        """{ agents { nodes { name managerAgent { name presence { live } } presence { available ready }
             delegationsGiven { task state } delegationsReceived(state: "pending") { delegator }
             threads(unread: true) { topic unread } } } }""",
        2 + 8 * 2,
    ),
    "meetings with their minutes": (
        """{ meetings { title seats { agent } agenda { title outcome statements { text } votes { agent choice }
             actions { owner task { status } } } } }""",
        2 + 2 + 8 + 3,
    ),
    "items": ("{ items(first: 1000) { nodes { artifact { reference lastAttempt { outcome } } } } }", 2 + 2 * 3),
    "the tree": ("{ tree { tasks { name status artifacts { reference } tasks { name } } } }", 4),
    "the board at a glance": ("{ status { places { ready } agents { name } stuck { number } } }", 2 + 11),
}


async def organise(board: BoardUnderTest, number: int) -> None:
    """More delegations, agents, threads and meetings."""
    given = {"parent": f"t{number}", "delegator": "cto", "agent": "backend"}
    await board.post(tasks=[NewTask(name=f"d{number}-{n}", title="D", **given) for n in range(number // 10)])
    for n in range(number // 10):
        await board.add_agent(f"agent-{number}-{n}", manager="cto")
        await board.perform(
            "schedule_meeting", by="cto", title=f"m{number}-{n}", participants=["cto", "backend"], agenda=["a", "b"]
        )


@pytest.mark.parametrize("name", QUERIES)
async def test_statements_do_not_grow_with_the_rows(
    board: BoardUnderTest, asker: Asker, queries: QueryCount, name: str
) -> None:
    query, most = QUERIES[name]
    counts: list[int] = []
    for number in (10, 100, 200):
        items = await board.post_graph(
            {f"a{n}": ([f"a{n - 1}", f"a{n // 2}"] if n > 1 else []) for n in range(number)}, task=f"t{number}"
        )
        await board.complete(items["a0"], items["a1"], items["a2"])
        await organise(board, number)
        await asker.ask(query)  # fills what is kept between requests
        async with queries.counted():
            await asker.ask(query)
        counts.append(queries.count)
    # Among few rows the neighbours are known already, and need not be asked for.
    assert counts[0] <= counts[1] == counts[2] <= most, (counts, queries.statements)
