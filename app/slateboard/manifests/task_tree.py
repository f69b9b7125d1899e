"""The kind TaskTree: tasks that are delegated downwards, from agent to agent.

A node is known by its `name`; without one by its parent's name and its agent, with a number from the second of the same
agent on. So a node stays the same task when its text changes, or when others are added after it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from slateboard.manifests.artifacts import (
    ARTIFACTS,
    BRIEF,
    DECISIONS,
    DUE,
    PRIORITY,
    declare_artifacts,
    declare_decisions,
)
from slateboard.manifests.declarations import Declarations, DeclaredTask
from slateboard.manifests.fields import Fields, Key, Rows, Table
from slateboard.manifests.values import Name, Text, Word
from slateboard.protocol.work import ON_NO_ACK

if TYPE_CHECKING:
    from collections.abc import Iterator

NODE = Table(
    "node",
    "a node of the tree: {agent, task, children}",
    {
        "name": Key(Name(), "The name of the task; else the parent's name and the agent."),
        "agent": Key(Name("the name of who does it"), "Who does it.", required=True),
        "task": Key(Text("what is to be done"), "What is to be done, in a line.", required=True),
        "brief": BRIEF,
        "priority": PRIORITY,
        "due": DUE,
        "artifacts": ARTIFACTS,
        "decisions": DECISIONS,
        "on_no_ack": Key(Word(ON_NO_ACK), "What becomes of the delegation when its agent is not heard of."),
    },
)
NODE.keys["children"] = Key(Rows(NODE, "a list of nodes"), "What its agent delegates to others.")
SPEC = Table(
    "spec",
    "the spec of a TaskTree: root",
    {
        "root": Key(NODE, "The task at the top of the tree.", required=True),
        "parent": Key(Name(), "The task below which the tree stands, in these files or on the board."),
    },
)
NAME_LENGTH = 63
HASH_LENGTH = 8


def declare(found: Declarations, spec: Fields, tree: str | None) -> None:
    """All tasks of the tree, parents before their children; the root is named after the tree.

    The root stands at the top of the board, or below the task that `parent` names.
    """
    above = spec.get("parent")
    waiting: list[tuple[Fields, str, DeclaredTask | None]] = [(spec.get("root"), tree or "", None)]
    while waiting:
        fields, derived, parent = waiting.pop()
        task = _task(found, fields, derived, parent)
        if parent is None and above is not None:
            task.parent = above
        found.add_task(task)
        declare_artifacts(found, fields, task.name)
        declare_decisions(found, fields, task.name)
        children: list[Fields] = fields.get("children") or []
        task.has_children = bool(children)
        waiting += reversed([(child, derived, task) for child, derived in _derived(task.name, children)])


def _task(found: Declarations, fields: Fields, derived: str, parent: DeclaredTask | None) -> DeclaredTask:
    agent = fields.get("agent")
    found.add_agent(agent, fields.document, fields.node_of("agent"))
    return DeclaredTask(
        document=fields.document,
        node=fields.node,
        name=fields.get("name") or derived,
        title=fields.get("task"),
        brief=fields.get("brief"),
        parent=parent and parent.name,
        agent=agent,
        delegator=parent and parent.agent,
        priority=fields.get("priority"),
        due=fields.get("due"),
        on_no_ack=fields.get("on_no_ack"),
    )


def _derived(parent: str, children: list[Fields]) -> Iterator[tuple[Fields, str]]:
    """Each child with the name that it has unless it gives one; only nameless ones are counted."""
    counts: dict[str, int] = {}
    for child in children:
        agent = child.get("agent")
        if "name" not in child:
            counts[agent] = counts.get(agent, 0) + 1
        count = counts.get(agent, 1)
        yield child, shortened(f"{parent}-{agent}" if count == 1 else f"{parent}-{agent}-{count}")


def shortened(long: str) -> str:
    """A name of at most 63 characters; a longer one keeps its start, and a hash of the whole."""
    if len(long) <= NAME_LENGTH:
        return long
    digest = hashlib.sha256(long.encode()).hexdigest()[:HASH_LENGTH]
    return f"{long[: NAME_LENGTH - HASH_LENGTH - 1]}-{digest}"
