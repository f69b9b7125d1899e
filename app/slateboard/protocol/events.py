"""The catalogue of the board's own events: subject, and what its payload says. See `docs/events.md`.

Each change of place or state appends exactly one. Payloads are JSON objects of after-images: what the changed thing is
now, enough to fold the log into the live tables.
"""

from __future__ import annotations

from enum import StrEnum

from slateboard.protocol.states import ItemKind


class Subject(StrEnum):
    """Subjects that the board itself writes: `board.<noun>.<verb>`."""

    LOG_ARCHIVED = "board.log.archived"
    BOARD_CREATED = "board.board.created"
    BOARD_ARCHIVED = "board.board.archived"
    BOARD_UNARCHIVED = "board.board.unarchived"
    AGENT_ADDED = "board.agent.added"
    TOKEN_ISSUED = "board.token.issued"  # noqa: S105  a subject
    TOKEN_REVOKED = "board.token.revoked"  # noqa: S105  a subject
    PAUSED = "board.work.paused"
    RESUMED = "board.work.resumed"
    TASK_POSTED = "board.task.posted"
    TASK_CHANGED = "board.task.changed"
    ARTIFACT_POSTED = "board.artifact.posted"
    ARTIFACT_CHANGED = "board.artifact.changed"
    ARTIFACT_COMPLETED = "board.artifact.completed"
    ARTIFACT_IMPORTED = "board.artifact.imported"
    ARTIFACT_REVISED = "board.artifact.revised"
    ARTIFACT_STALED = "board.artifact.staled"
    DEPENDENCY_ADDED = "board.dependency.added"
    DECISION_MADE = "board.decision.made"
    DECISION_SUPERSEDED = "board.decision.superseded"
    ITEM_CLAIMED = "board.item.claimed"
    ITEM_OPENED = "board.item.opened"
    ITEM_PROMOTED = "board.item.promoted"
    ITEM_FAILED = "board.item.failed"
    ITEM_RELEASED = "board.item.released"
    ITEM_RETURNED = "board.item.returned"
    ITEM_INTERRUPTED = "board.item.interrupted"
    ITEM_BLOCKED = "board.item.blocked"
    ITEM_DIED = "board.item.died"
    ITEM_CANCELLED = "board.item.cancelled"
    ITEM_REDRIVEN = "board.item.redriven"
    ITEM_DISCARDED = "board.item.discarded"
    ITEM_PINNED = "board.item.pinned"
    ITEM_WAIVED = "board.item.waived"
    GATE_REPAIRED = "board.item.repaired"
    ITEM_WAITING = "board.item.waiting"
    DELIVERY_MADE = "board.delivery.made"
    DELIVERY_COMPLETED = "board.delivery.completed"
    DELIVERY_FAILED = "board.delivery.failed"
    DELIVERY_RELEASED = "board.delivery.released"
    DELIVERY_RETURNED = "board.delivery.returned"
    DELIVERY_INTERRUPTED = "board.delivery.interrupted"
    DELIVERY_BLOCKED = "board.delivery.blocked"
    DELIVERY_WAITING = "board.delivery.waiting"
    DELIVERY_DIED = "board.delivery.died"
    DELIVERY_CANCELLED = "board.delivery.cancelled"
    DELIVERY_REDRIVEN = "board.delivery.redriven"
    DELIVERY_DISCARDED = "board.delivery.discarded"
    DELIVERY_PINNED = "board.delivery.pinned"
    SUBSCRIPTION_ADDED = "board.subscription.added"
    SUBSCRIPTION_CHANGED = "board.subscription.changed"
    SUBSCRIPTION_REMOVED = "board.subscription.removed"
    SUBSCRIPTION_PAUSED = "board.subscription.paused"
    SUBSCRIPTION_RESUMED = "board.subscription.resumed"
    SUBSCRIPTION_REWOUND = "board.subscription.rewound"
    SCHEDULE_ADDED = "board.schedule.added"
    SCHEDULE_REMOVED = "board.schedule.removed"
    EVENT_ERASED = "board.event.erased"
    KEY_CHANGED = "board.key.changed"

    def of(self, kind: str) -> Subject:
        """What is said of an item of this kind: of a delivery `board.delivery.…`, which is never routed."""
        return Subject(self.replace(".item.", ".delivery.")) if kind == ItemKind.HANDLE else self
