"""The kind TaskBoard: one root task with its artifacts and decisions; also the guide's bare form with a `task_id`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slateboard.manifests.artifacts import (
    ARTIFACTS,
    BRIEF,
    DECISIONS,
    DUE,
    PRIORITY,
    STATUS,
    TITLE,
    declare_artifacts,
    declare_decisions,
)
from slateboard.manifests.declarations import Declarations, DeclaredTask
from slateboard.manifests.fields import Fields, Key, Table
from slateboard.manifests.places import wrong
from slateboard.manifests.values import A_NAME, Name

if TYPE_CHECKING:
    from typing import Any

KEYS = {
    "task_id": Key(Name(), "The name of the task; else that of the metadata."),
    "title": TITLE,
    "brief": BRIEF,
    "agent": Key(Name(), "Who owns what has no owner."),
    "parent": Key(Name(), "The task below which it stands, in these files or on the board."),
    "priority": PRIORITY,
    "due": DUE,
    "status": STATUS,
    "artifacts": ARTIFACTS,
    "decisions": DECISIONS,
}
SPEC = Table("spec", "the spec of a TaskBoard: artifacts and decisions", KEYS)
BARE = Table("bare", SPEC.expected, KEYS | {"task_id": Key(Name(), "The name of the task.", required=True)})


def declare(found: Declarations, fields: Fields, name: str | None) -> None:
    """The board's task, at the top or below its `parent`; its name is that of the metadata, or `task_id`."""
    task_id: Any = fields.get("task_id")
    if name is not None and task_id is not None and name != task_id:
        raise fields.wrong("task_id", f"found {task_id!r}", f"{name!r}, the name of the metadata, or no task_id")
    if name is None and task_id is None:
        raise wrong(fields.document.at(fields.node), "there is no 'task_id'", f"task_id: {A_NAME}")
    task = task_id or name or ""
    found.add_agent(fields.get("agent"), fields.document, fields.node_of("agent"))
    found.add_task(
        DeclaredTask(
            document=fields.document,
            node=fields.node,
            name=task,
            title=fields.get("title"),
            brief=fields.get("brief"),
            agent=fields.get("agent"),
            parent=fields.get("parent"),
            priority=fields.get("priority"),
            due=fields.get("due"),
            status=fields.get("status"),
        )
    )
    declare_artifacts(found, fields, task)
    declare_decisions(found, fields, task)
