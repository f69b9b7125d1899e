"""Names, references and ids.

A *name* is a subject token: `[a-z0-9][a-z0-9_-]{0,62}`. A *reference* is `task/artifact`, or `task` for its
`result`. Ids are integers from one sequence of the database, typed so that they cannot be mixed up.
"""

from __future__ import annotations

import re
from typing import NewType

from slateboard.protocol.errors import BadName

BoardId = NewType("BoardId", int)
AgentId = NewType("AgentId", int)
TaskId = NewType("TaskId", int)
ItemId = NewType("ItemId", int)
Fence = NewType("Fence", int)

NAME_PATTERN = r"[a-z0-9][a-z0-9_-]{0,62}"
RESULT = "result"

_NAME = re.compile(NAME_PATTERN)
_UNFIT = re.compile(r"[^a-z0-9_-]+")


def check_name(name: str, what: str = "name") -> str:
    """Return `name` if it is one; raise `BadName` (which says what `what` must look like) if not."""
    if not _NAME.fullmatch(name):
        remedy = f"use lower-case letters, digits, '-' and '_', 63 at most, e.g. {slug(name)!r}"
        raise BadName(f"{what} {name[:80]!r} is not a name", remedy=remedy, name=name[:80])
    return name


def slug(text: str) -> str:
    """The name nearest to a free text: lower case, runs of other signs as one '-', 63 characters at most."""
    return _UNFIT.sub("-", text.lower()).strip("-_")[:63].rstrip("-_") or "unnamed"


def split_reference(reference: str) -> tuple[str, str]:
    """Split `task/artifact` (or `task`, which means its `result`) into two checked names."""
    task, separator, artifact = reference.partition("/")
    check_name(task, "task")
    return task, check_name(artifact, "artifact") if separator else RESULT
