"""The kind TaskBoard: one root task with its artifacts and decisions; also the guide's bare form with a `task_id`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slateboard.manifests.artifacts import PRIORITIES, STATUSES, declare_artifacts, declare_decisions
from slateboard.manifests.declarations import Declarations, DeclaredTask
from slateboard.manifests.fields import A_NAME, Fields
from slateboard.manifests.places import wrong

if TYPE_CHECKING:
    from slateboard.manifests.documents import Document
    from slateboard.manifests.places import Node

SPEC_KEYS = frozenset(
    ("task_id", "title", "brief", "agent", "parent", "priority", "due", "status", "artifacts", "decisions"),
)


def declare(found: Declarations, document: Document, spec: Node, name: str | None) -> None:
    """The board's task, at the top or below its `parent`; its name is that of the metadata, or `task_id`."""
    fields = Fields(document, spec, SPEC_KEYS, "the spec of a TaskBoard: artifacts and decisions")
    task_id = fields.name("task_id")
    if name is not None and task_id is not None and name != task_id:
        place = document.at(fields.values["task_id"])
        raise wrong(place, f"found {task_id!r}", f"{name!r}, the name of the metadata, or no task_id")
    if name is None and task_id is None:
        fields.require("task_id", A_NAME)
    task = task_id or name or ""
    agent, priority = fields.name("agent"), fields.word("priority", PRIORITIES)
    found.add_agent(agent, document, fields.node_of("agent"))
    found.add_task(
        DeclaredTask(
            document=document,
            node=spec,
            name=task,
            title=fields.text("title"),
            brief=fields.text("brief"),
            agent=agent,
            parent=fields.name("parent"),
            priority=priority and PRIORITIES[priority],
            due=fields.moment("due"),
            status=fields.word("status", STATUSES),
        )
    )
    if "artifacts" in fields.values:
        declare_artifacts(found, document, fields.values["artifacts"], task)
    declare_decisions(found, document, fields.items("decisions", "a list of decisions"), task)
