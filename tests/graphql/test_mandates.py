"""Who may speak for whom, by tokens: what an agent's own may not post or apply for others is refused over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from slateboard.protocol.work import NewTask

POST = "mutation($tasks: [TaskInput!]) { post(tasks: $tasks) { tasks } }"
APPLY = "mutation($documents: [DocumentInput!]!) { apply(documents: $documents) }"
TREE = """
apiVersion: agent.ceo/v1
kind: TaskTree
metadata: {name: tree}
spec: {root: {agent: cto, task: all, children: [{agent: backend, task: a part}]}}
"""

REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "a parent's delegation": (
        POST, {"tasks": [{"name": "f", "title": "f", "agent": "frontend", "parent": "api", "delegator": "backend"}]},
    ),
    "a chain of its own": (
        POST,
        {"tasks": [{"name": "tx", "title": "x", "agent": "cto"},
                   {"name": "ty", "title": "y", "agent": "backend", "parent": "tx", "delegator": "cto"}]},
    ),
    "a tree": (APPLY, {"documents": [{"source": "tree.yaml", "text": TREE}]}),
    "a gate": (POST, {"tasks": [{"name": "gate", "title": "g", "parent": "api"}]}),
}  # fmt: skip


@pytest.mark.parametrize("way", REFUSED)
async def test_a_token_speaks_for_its_agent_alone(board: Any, asker_of: Any, way: str) -> None:
    await board.add_agent("zed")
    await board.add_agent("chief", right="operator")
    await board.post(tasks=[NewTask(name="api", title="API", agent="backend", delegator="cto")])
    query, variables = REFUSED[way]
    refused = await (await asker_of("zed")).refused(query, **variables)
    assert (refused["code"], refused["kind"]) == ("not_yours", "denied"), refused
    assert refused["remedy"]
    assert await board.fetchval("SELECT count(*) FROM tasks WHERE board = $1") == 1
    await (await asker_of("chief")).ask(query, **variables)
