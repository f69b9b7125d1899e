"""The closed sets of the board's states. The values are what stands in the database, the log and every door."""

from __future__ import annotations

from enum import StrEnum


class Place(StrEnum):
    """Where a work item is; an unfinished one is in exactly one of the first five."""

    GATED = "gated"
    SCHEDULED = "scheduled"
    READY = "ready"
    CLAIMED = "claimed"
    WAITING = "waiting"
    DONE = "done"
    DEAD = "dead"
    CANCELLED = "cancelled"


class ArtifactStatus(StrEnum):
    """An artifact's status, in the guide's words; it follows from the place of its newest item."""

    PENDING = "pending"
    NOT_STARTED = "not_started"
    IN_PROGRESS = "in_progress"
    WAITING = "waiting"
    IN_REVIEW = "in_review"
    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"


STATUS_OF_PLACE: dict[Place, ArtifactStatus] = {
    Place.GATED: ArtifactStatus.PENDING,
    Place.SCHEDULED: ArtifactStatus.NOT_STARTED,
    Place.READY: ArtifactStatus.NOT_STARTED,
    Place.CLAIMED: ArtifactStatus.IN_PROGRESS,
    Place.WAITING: ArtifactStatus.WAITING,
    Place.DONE: ArtifactStatus.COMPLETE,
    Place.DEAD: ArtifactStatus.FAILED,
    Place.CANCELLED: ArtifactStatus.CANCELLED,
}


class Outcome(StrEnum):
    """How an attempt ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    RELEASED = "released"
    BLOCKED = "blocked"
    INTERRUPTED = "interrupted"
    RETURNED = "returned"
    CANCELLED = "cancelled"


class FailureClass(StrEnum):
    """Why an attempt failed; the class decides what happens next."""

    TRANSIENT = "transient"
    INFRASTRUCTURE = "infrastructure"
    VALIDATION = "validation"
    LOGIC = "logic"


class AgentKind(StrEnum):
    """What an agent is."""

    AGENT = "agent"
    HUMAN = "human"
    SERVICE = "service"


class Availability(StrEnum):
    """Whether an agent is invited to meetings."""

    ALWAYS = "always"
    NEVER = "never"


class ItemKind(StrEnum):
    """What a work item asks for."""

    PRODUCE = "produce"
    HANDLE = "handle"
    """Handle an event that a subscription delivered."""
    VERIFY = "verify"
    """Judge a version that somebody else made."""
    ANSWER = "answer"
    """Answer an escalation: a question, or what is to become of a failure."""
    COMPENSATE = "compensate"
    """Undo a step that was completed."""
    MEET = "meet"
    """Take part in a meeting: join, speak in a turn, vote, or do what its chair is asked."""


class Priority(StrEnum):
    """How urgent; the base of the rating. `normal` is the same as `medium`."""

    URGENT = "urgent"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


PRIORITY_RATING: dict[Priority, int] = {
    Priority.URGENT: 1000,
    Priority.HIGH: 100,
    Priority.MEDIUM: 10,
    Priority.LOW: 1,
}


class DecisionStatus(StrEnum):
    """The life of a decision (MADR 4)."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"
