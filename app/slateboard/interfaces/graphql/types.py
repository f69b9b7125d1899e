"""What is answered: the glossary's nouns as types. A value is a row of the reports, a dict of plain values.

A field with `_loaded` is loaded for all rows of a list at once, before the list is written (`prefetch`).

Long because the types name each other.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, TypeVar

import strawberry
from strawberry.scalars import JSON

from slateboard.interfaces.graphql.organisation import AgentInOrganisation, TaskInOrganisation
from slateboard.interfaces.graphql.past import BoardAsOf
from slateboard.interfaces.graphql.rows import LOADED
from slateboard.interfaces.graphql.scalars import BigInt
from slateboard.interfaces.graphql.selection import loaded_key

T = TypeVar("T")

DEFAULT_NESTED = 20
"""Neighbours, attempts or versions of one artifact that are shown where no number is asked for."""
MARK: dict[str, Any] = {LOADED: True}


def _loaded(row: Any, field_name: str, **arguments: Any) -> Any:
    """What `prefetch` put into the row for this field with these arguments."""
    return row[loaded_key(field_name, arguments)]


@strawberry.type
class PageInfo:
    """Whether there is more, and where it begins."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@strawberry.type(description="A row and its cursor.")
class Edge(Generic[T]):
    """A row and its cursor."""

    cursor: str
    node: T


@strawberry.type(
    description="A page of rows. `totalCount` is counted only if it is selected, and no further than 100,000."
)
class Connection(Generic[T]):
    """A page of rows; `nodes` are the nodes of `edges`."""

    edges: list[Edge[T]]
    nodes: list[T]
    page_info: PageInfo
    total_count: int | None


@strawberry.type
class Board:
    """One project's shared state."""

    id: BigInt
    name: str
    prefix: str
    paused: bool
    pause_reason: str | None
    archived_at: datetime | None
    created_at: datetime
    as_of: BoardAsOf | None


@strawberry.type
class Agent(AgentInOrganisation):
    """A named actor. `ready` is counted to 10,000."""

    id: BigInt
    name: str
    kind: str
    role: str
    capabilities: list[str]
    manager: str | None
    right: str
    paused: bool
    pause_reason: str | None
    ready: int
    claimed: int
    created_at: datetime


@strawberry.type
class Token:
    """A token, without the secret itself. One without an agent is the administrator's."""

    id: BigInt
    agent: str | None
    live: bool
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


@strawberry.type
class Progress:
    """How far a task is, with everything below it; `byStatus` is artifacts by status."""

    done: int
    total: int
    by_status: JSON


@strawberry.type
class Attempt:
    """One claim from start to end."""

    item: BigInt
    attempt: int
    fence: BigInt
    agent: str | None
    worker: str
    outcome: str
    failure_class: str | None
    error: str | None
    note: str | None
    usage: JSON | None
    seconds: float
    started_at: datetime
    ended_at: datetime


@strawberry.type
class Version:
    """A result that was handed in. `proven` is false without a hash, as for an imported one.

    `review` is pending, approved or rejected; null where nobody had to verify it.
    """

    version: int
    item: BigInt | None
    fence: BigInt | None
    author: str
    path: str | None
    uri: str | None
    content: str | None
    hash: str | None
    size: BigInt | None
    summary: str | None
    proven: bool
    evidence: JSON | None
    undo: str | None
    review: str | None
    created_at: datetime


@strawberry.type
class Task(TaskInOrganisation):
    """An intent, delegated. `status` and `progress` count everything below it."""

    id: BigInt
    name: str
    title: str
    brief: str
    parent: str | None
    agent: str | None
    delegator: str | None
    priority: str
    due: datetime | None
    source: str | None
    created_by: str
    created_at: datetime
    status: str
    progress: Progress

    @strawberry.field(metadata=MARK)
    def artifacts(self, first: int = DEFAULT_NESTED, after: str | None = None) -> Connection[Artifact]:
        """The artifacts of this task, not of those below it."""
        return _loaded(self, "artifacts", first=first, after=after)


@strawberry.type
class Artifact:
    """A named result that a task must produce. `owner` and `claimedBy` are names of agents."""

    id: BigInt
    reference: str
    name: str
    title: str
    brief: str
    owner: str | None
    capability: str | None
    status: str
    place: str
    item: BigInt
    version: int | None
    path: str | None
    uri: str | None
    hash: str | None
    size: BigInt | None
    author: str | None
    summary: str | None
    priority: str | None
    due: datetime | None
    run_at: datetime | None
    rating: int | None
    revision: int
    attempt_count: int
    failures: int
    last_error: str | None
    stale: bool
    because: str | None
    stuck: bool
    blocked_by: list[str]
    remaining: int
    claimed_by: str | None
    worker: str | None
    claimed_at: datetime | None
    expires_at: datetime | None
    percent: int | None
    progress: str | None
    stalled_since: datetime | None
    created_by: str
    created_at: datetime
    updated_at: datetime

    @strawberry.field(metadata=MARK)
    def task(self) -> Task:
        """The task that it belongs to."""
        return _loaded(self, "task")

    @strawberry.field(metadata=MARK)
    def owner_agent(self) -> Agent | None:
        """Its owner, as an agent."""
        return _loaded(self, "owner_agent")

    @strawberry.field(metadata=MARK)
    def dependencies(self, first: int = DEFAULT_NESTED, after: str | None = None) -> Connection[Artifact]:
        """What it is blocked by, finished or not."""
        return _loaded(self, "dependencies", first=first, after=after)

    @strawberry.field(metadata=MARK)
    def dependents(self, first: int = DEFAULT_NESTED, after: str | None = None) -> Connection[Artifact]:
        """What is blocked by it."""
        return _loaded(self, "dependents", first=first, after=after)

    @strawberry.field(metadata=MARK)
    def attempts(self, last: int = DEFAULT_NESTED) -> list[Attempt]:
        """The last attempts (at most 100), the newest first, those of revisions included."""
        return _loaded(self, "attempts", last=last)

    @strawberry.field(metadata=MARK)
    def last_attempt(self) -> Attempt | None:
        """The newest attempt that has ended."""
        return _loaded(self, "last_attempt")

    @strawberry.field(metadata=MARK)
    def versions(self, last: int = DEFAULT_NESTED) -> list[Version]:
        """The last versions (at most 100), the newest first; inline content only if it is selected."""
        return _loaded(self, "versions", last=last)


@strawberry.type
class Item:
    """A work item: one thing that one agent has to do. `capability` is that of an open inbox, where it has no agent."""

    id: BigInt
    kind: str
    reference: str
    revision: int
    place: str
    agent: str | None
    capability: str | None
    due: datetime | None
    rating: int | None
    pinned: int | None
    run_at: datetime | None
    attempts: int
    failures: int
    interruptions: int
    max_attempts: int
    last_error: str | None
    correlation: str | None
    stuck: bool
    remaining: int
    claimed_by: str | None
    worker: str | None
    fence: BigInt | None
    claimed_at: datetime | None
    expires_at: datetime | None
    percent: int | None
    progress: str | None
    stalled_since: datetime | None
    created_at: datetime
    finished_at: datetime | None

    @strawberry.field(metadata=MARK)
    def artifact(self) -> Artifact | None:
        """What it produces."""
        return _loaded(self, "artifact")


@strawberry.type
class DeadLetter:
    """A work item that will not be tried again until somebody redrives or discards it; `id` is the item's.

    A delivery has the `subject` of the event that was delivered, and its `position` in the log.
    """

    id: BigInt
    reference: str
    kind: str
    agent: str | None
    owner: str | None
    failure_class: str
    error: str | None
    died_at: datetime
    attempts: int
    failures: int
    interruptions: int
    correlation: str | None
    subject: str | None
    position: BigInt | None

    @strawberry.field(metadata=MARK)
    def artifact(self) -> Artifact | None:
        """What it should have produced."""
        return _loaded(self, "artifact")


@strawberry.type
class Decision:
    """Who decided what, and why (MADR 4). `supersedes` and `supersededBy` are ids of decisions."""

    id: BigInt
    subject: str
    status: str
    decision: str
    rationale: str
    context: str
    drivers: list[str]
    options: JSON
    consequences: str
    confirmation: str
    agent: str
    supersedes: BigInt | None
    superseded_by: BigInt | None
    decided_at: datetime
    created_by: str

    @strawberry.field(metadata=MARK)
    def task(self) -> Task | None:
        """The task that it was made for; null for one of the whole board."""
        return _loaded(self, "task")


@strawberry.type
class Event:
    """An entry of the board's log. What was `erased` has no payload; `cursor` says where to go on after it."""

    position: BigInt
    cursor: str
    id: BigInt
    subject: str
    payload: JSON | None
    erased: bool
    actor: str
    authenticated_by: str
    cause: BigInt | None
    correlation: str | None
    happened_at: datetime


@strawberry.type
class TreeArtifact:
    """An artifact in the tree."""

    reference: str
    name: str
    status: str
    owner: str | None
    claimed_by: str | None
    percent: int | None
    stale: bool


@strawberry.type
class TreeTask:
    """A task in the tree, with the roll-up of everything below it: `seconds` and `cost` are sums over attempts."""

    name: str
    title: str
    agent: str | None
    due: datetime | None
    status: str
    progress: Progress
    cost: float
    seconds: float
    attempts: int
    artifacts: list[TreeArtifact]
    tasks: list[TreeTask]


@strawberry.type
class Tree:
    """Trees of tasks. `capped` says that something was left out, for its number."""

    tasks: list[TreeTask]
    capped: bool
