"""The kind TaskTree: tasks that are delegated downwards, from agent to agent.

A node is known by its `name`; without one by its parent's name and its agent, with a number from the second of the same
agent on. So a node stays the same task when its text changes, or when others are added after it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from slateboard.manifests.artifacts import PRIORITIES, declare_artifacts
from slateboard.manifests.declarations import Declarations, DeclaredTask
from slateboard.manifests.fields import Fields, name, text
from slateboard.protocol.work import ON_NO_ACK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from slateboard.manifests.documents import Document
    from slateboard.manifests.places import Node

SPEC_KEYS = frozenset(("root",))
NODE_KEYS = frozenset(("name", "agent", "task", "brief", "priority", "due", "artifacts", "children", "on_no_ack"))
A_NODE = "a node of the tree: {agent, task, children}"
NAME_LENGTH = 63
HASH_LENGTH = 8


def declare(found: Declarations, document: Document, spec: Node, tree: str) -> None:
    """All tasks of the tree, parents before their children; the root is named after the tree."""
    root = Fields(document, spec, SPEC_KEYS, "the spec of a TaskTree: root").require("root", A_NODE)
    waiting: list[tuple[Node, str, DeclaredTask | None]] = [(root, tree, None)]
    while waiting:
        node, derived, parent = waiting.pop()
        fields = Fields(document, node, NODE_KEYS, A_NODE)
        task = _task(found, fields, derived, parent)
        found.add_task(task)
        if "artifacts" in fields.values:
            declare_artifacts(found, document, fields.values["artifacts"], task.name)
        children = fields.items("children", "a list of nodes")
        task.has_children = bool(children)
        waiting += reversed([(child, derived, task) for child, derived in _derived(document, task.name, children)])


def _task(found: Declarations, fields: Fields, derived: str, parent: DeclaredTask | None) -> DeclaredTask:
    document, priority = fields.document, fields.word("priority", PRIORITIES)
    agent = name(document, fields.require("agent", "the name of who does it"))
    found.add_agent(agent, document, fields.values["agent"])
    return DeclaredTask(
        document=document,
        node=fields.node,
        name=fields.name("name") or derived,
        title=text(document, fields.require("task", "what is to be done")),
        brief=fields.text("brief"),
        parent=parent and parent.name,
        agent=agent,
        delegator=parent and parent.agent,
        priority=priority and PRIORITIES[priority],
        due=fields.moment("due"),
        on_no_ack=fields.word("on_no_ack", ON_NO_ACK),
    )


def _derived(document: Document, parent: str, children: list[Node]) -> Iterator[tuple[Node, str]]:
    """Each child with the name that it has unless it gives one; only nameless ones are counted."""
    counts: dict[str, int] = {}
    for child in children:
        fields = Fields(document, child, NODE_KEYS, A_NODE)
        agent = name(document, fields.require("agent", "the name of who does it"))
        if "name" not in fields.values:
            counts[agent] = counts.get(agent, 0) + 1
        count = counts.get(agent, 1)
        yield child, shortened(f"{parent}-{agent}" if count == 1 else f"{parent}-{agent}-{count}")


def shortened(long: str) -> str:
    """A name of at most 63 characters; a longer one keeps its start, and a hash of the whole."""
    if len(long) <= NAME_LENGTH:
        return long
    digest = hashlib.sha256(long.encode()).hexdigest()[:HASH_LENGTH]
    return f"{long[: NAME_LENGTH - HASH_LENGTH - 1]}-{digest}"
