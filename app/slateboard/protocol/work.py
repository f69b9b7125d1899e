"""What travels between a worker and the board: claims, results, give-backs, beats, and what is posted.

Plain values with slots; both transports carry exactly these, and nobody changes one. Claims, finishes and their answers
are made by the hundred thousand and not frozen: the guard costs more than all else that is done with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from slateboard.protocol.errors import SlateError
    from slateboard.protocol.states import FailureClass, Outcome

DEFAULT_LEASE_SECONDS = 60.0
"""The lease that a `Worker` takes; renewed at a third of it."""
SHELL_LEASE_SECONDS = 900.0
"""The lease of a claim from the shell or by a model."""
MAX_LEASE_SECONDS = 86_400.0
MAX_BATCH = 1_000
"""Items of one claim, finish, heartbeat or give-back; artifacts of one post are bounded by `MAX_POST`."""
MAX_POST = 10_000
MAX_CONTENT_BYTES = 1_048_576
"""Inline content of one version; anything larger is a file with a path."""

DEFAULT_ON_NO_ACK = "reassign_or_escalate"
ON_NO_ACK = (DEFAULT_ON_NO_ACK, "escalate")
DEFAULT_ATTEMPTS = 4
"""How often an item is tried, failures counted, before it is dead."""


@dataclass(slots=True)
class Claim:
    """The exclusive, time-limited right to one work item, under its fence."""

    item: int
    fence: int
    attempt: int
    kind: str
    reference: str
    title: str
    due: datetime | None
    claimed_at: datetime
    expires_at: datetime
    correlation: str | None

    def as_dict(self) -> dict[str, Any]:
        """The claim as plain values."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What an attempt produced: a path, a URI or inline content (text, at most 1 MiB), and what to say of it.

    `hash` is `sha256:<hex>` of the file or content; the SDK takes it. `usage` is JSON (tokens, cost, model).
    """

    path: str | None = None
    uri: str | None = None
    content: str | None = None
    hash: str | None = None
    size_bytes: int | None = None
    summary: str | None = None
    note: str | None = None
    usage: dict[str, Any] | None = None
    evidence: tuple[dict[str, str], ...] | None = None
    """What shows that it is so: each a `link`, a `hash` or a `note`; an artifact may demand some of them."""
    undo: str | None = None
    """The name of the action that undoes it, should its task fail later."""


NOTHING = Result()
"""The result of work that leaves nothing but its completion; shared, so that it is recognised at once."""


@dataclass(slots=True)
class Finish:
    """A result under a claim."""

    item: int
    fence: int
    result: Result


@dataclass(slots=True)
class Finished:
    """The answer to one finish: the version it made, or why it was refused (nothing was changed then)."""

    item: int
    version: int | None = None
    error: SlateError | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class GiveBack:
    """A claim that ends without a result.

    `outcome` is failed, released, interrupted, or returned (a prefetched item that was never started, which is no
    attempt). `delay_seconds` overrides the back-off.
    """

    item: int
    fence: int
    outcome: Outcome
    failure_class: FailureClass | None = None
    error: str | None = None
    note: str | None = None
    usage: dict[str, Any] | None = None
    delay_seconds: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class GivenBack:
    """The answer to one give-back: where the item is now, or why it was refused."""

    item: int
    place: str | None = None
    run_at: datetime | None = None
    error: SlateError | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Beat:
    """A sign of life for one claim, with progress if there is any (percent 0 to 100, and a sentence)."""

    item: int
    fence: int
    percent: int | None = None
    progress: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Renewed:
    """The answer to one beat: the lease's new end, or why the right is gone."""

    item: int
    expires_at: datetime | None = None
    error: SlateError | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NewTask:
    """A task to post. `parent` is a task's name, posted in the same call or earlier.

    `on_no_ack` is what becomes of its delegation where the agent is not heard of: one of `ON_NO_ACK`.
    """

    name: str
    title: str
    brief: str = ""
    parent: str | None = None
    agent: str | None = None
    delegator: str | None = None
    priority: str = "medium"
    due: datetime | None = None
    source: str | None = None
    on_no_ack: str = DEFAULT_ON_NO_ACK


@dataclass(frozen=True, kw_only=True, slots=True)
class NewArtifact:
    """An artifact to post into a task.

    `owner` is an agent's name; without one it is the task's agent, and where the task has none (or `capability` is
    given) the artifact is open. `blocked_by` holds references, `artifact` meaning one of the same task. `imported` is
    a result that exists already.
    """

    task: str
    name: str
    title: str = ""
    brief: str = ""
    owner: str | None = None
    capability: str | None = None
    path: str | None = None
    priority: str | None = None
    due: datetime | None = None
    run_at: datetime | None = None
    blocked_by: tuple[str, ...] = ()
    max_attempts: int = DEFAULT_ATTEMPTS
    imported: Result | None = None
    rules: dict[str, Any] | None = None
    """What its work must keep to; the keys are those of `work.rules`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Posted:
    """What a post made: the references of the artifacts, each with the id of its work item."""

    tasks: tuple[str, ...]
    items: dict[str, int]
