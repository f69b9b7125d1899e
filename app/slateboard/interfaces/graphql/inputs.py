"""What mutations take: the values of `protocol/work.py` as input types, each with the way to its value."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

import strawberry
from strawberry.scalars import JSON

from slateboard.interfaces.graphql.scalars import BigInt
from slateboard.protocol import work
from slateboard.protocol.errors import Invalid
from slateboard.protocol.states import FailureClass, Outcome


def _usage(given: Any) -> dict[str, Any] | None:
    if given is not None and not isinstance(given, dict):
        raise Invalid("usage is an object of tokens, cost and model", remedy='for example {"cost": 0.02}')
    return cast("dict[str, Any] | None", given)


@strawberry.input
class ResultInput:
    """What an attempt produced: a path, a URI or inline content. `hash` is `sha256:<hex>`.

    `evidence` is a list of objects, each with a `link`, a `hash` or a `note`;
    `undo` the name of the action that undoes it.
    """

    path: str | None = None
    uri: str | None = None
    content: str | None = None
    hash: str | None = None
    size_bytes: BigInt | None = None
    summary: str | None = None
    note: str | None = None
    usage: JSON | None = None
    evidence: JSON | None = None
    undo: str | None = None

    def value(self) -> work.Result:
        """The result as the board takes it."""
        return work.Result(
            path=self.path,
            uri=self.uri,
            content=self.content,
            hash=self.hash,
            size_bytes=self.size_bytes,
            summary=self.summary,
            note=self.note,
            usage=_usage(self.usage),
            evidence=cast("Any", self.evidence),
            undo=self.undo,
        )


@strawberry.input
class FinishInput:
    """A result under a claim."""

    item: BigInt
    fence: BigInt
    result: ResultInput | None = None

    def value(self) -> work.Finish:
        """The finish as the board takes it."""
        return work.Finish(
            item=self.item, fence=self.fence, result=self.result.value() if self.result else work.Result()
        )


@strawberry.input
class GiveBackInput:
    """A claim that ends without a result. `outcome` is failed (with a class), released, interrupted or returned."""

    item: BigInt
    fence: BigInt
    outcome: str
    failure_class: str | None = None
    error: str | None = None
    note: str | None = None
    usage: JSON | None = None
    delay_seconds: float | None = None

    def value(self) -> work.GiveBack:
        """The give-back as the board takes it."""
        if self.outcome not in set(Outcome):
            raise Invalid(f"{self.outcome!r} is no outcome", remedy=f"use one of: {', '.join(Outcome)}")
        if self.failure_class is not None and self.failure_class not in set(FailureClass):
            raise Invalid(f"{self.failure_class!r} is no class", remedy=f"use one of: {', '.join(FailureClass)}")
        return work.GiveBack(
            item=self.item,
            fence=self.fence,
            outcome=Outcome(self.outcome),
            failure_class=None if self.failure_class is None else FailureClass(self.failure_class),
            error=self.error,
            note=self.note,
            usage=_usage(self.usage),
            delay_seconds=self.delay_seconds,
        )


@strawberry.input
class BeatInput:
    """A sign of life for one claim, with progress if there is any."""

    item: BigInt
    fence: BigInt
    percent: int | None = None
    progress: str | None = None

    def value(self) -> work.Beat:
        """The beat as the board takes it."""
        if self.percent is not None and not 0 <= self.percent <= 100:
            raise Invalid(f"progress is 0 to 100 percent, not {self.percent}", remedy="send a number in that range")
        return work.Beat(item=self.item, fence=self.fence, percent=self.percent, progress=self.progress)


@strawberry.input
class TaskInput:
    """A task to post. `parent` is a task's name, posted in the same call or earlier."""

    name: str
    title: str
    brief: str = ""
    parent: str | None = None
    agent: str | None = None
    delegator: str | None = None
    priority: str = "medium"
    due: datetime | None = None
    source: str | None = None
    on_no_ack: str = work.DEFAULT_ON_NO_ACK

    def value(self) -> work.NewTask:
        """The task as the board takes it."""
        return work.NewTask(**vars(self))


@strawberry.input
class ArtifactInput:
    """An artifact to post into a task; see `protocol.work.NewArtifact`. `blockedBy` holds references.

    `rules` is what the work must keep to: an object of `verify`, `criteria`, `verdict_within_seconds`, `evidence`,
    `touches`, `keys`, `time_limit_seconds` and `max_idle_attempts`.
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
    blocked_by: list[str] = strawberry.field(default_factory=list)
    max_attempts: int = 4
    rules: JSON | None = None
    imported: ResultInput | None = None

    def value(self) -> work.NewArtifact:
        """The artifact as the board takes it."""
        imported = self.imported.value() if self.imported else None
        values: dict[str, Any] = {**vars(self), "blocked_by": tuple(self.blocked_by), "imported": imported}
        return work.NewArtifact(**values)


@strawberry.input
class DeadLettersInput:
    """Which dead letters: all that fit; `everything` where nothing else is said."""

    agent: str | None = None
    failure_class: str | None = None
    subject: str | None = None
    search: str | None = None
    older_than_seconds: float | None = None
    newer_than_seconds: float | None = None
    everything: bool = False

    def value(self) -> dict[str, Any]:
        """The arguments that it means."""
        return vars(self)


@strawberry.input
class DocumentInput:
    """A manifest: YAML or JSON, one or many documents. `source` names it in errors."""

    source: str
    text: str

    def value(self) -> dict[str, str]:
        """The manifest as the board takes it."""
        return {"source": self.source, "text": self.text}
