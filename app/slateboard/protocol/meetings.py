"""The closed sets of a meeting's states, and the lengths and counts that bound it. See `patterns/meetings`."""

from __future__ import annotations

from enum import StrEnum


class MeetingState(StrEnum):
    """Where a meeting is."""

    SCHEDULED = "scheduled"
    WAITING = "waiting"
    """Its participants are asked to come; it opens with a quorum."""
    ESCALATED = "escalated"
    """Twice no quorum came: somebody was asked what is to become of it."""
    OPEN = "open"
    ADJOURNED = "adjourned"
    CANCELLED = "cancelled"
    """Ended before it opened."""


class Stage(StrEnum):
    """Where an item of the agenda is."""

    PENDING = "pending"
    DISCUSSING = "discussing"
    VOTING = "voting"
    CLOSED = "closed"


class TurnKind(StrEnum):
    """What a meeting asks of a seat."""

    JOIN = "join"
    TURN = "turn"
    """Speak: say, raise concerns, propose a motion, or pass."""
    MOTION = "motion"
    """Of the chair: propose a motion, since nobody has."""
    CONCERNS = "concerns"
    """Of the chair: overrule the concerns that hold an approval, or let it be deferred."""
    VOTE = "vote"


class TurnEnd(StrEnum):
    """How it ended."""

    JOINED = "joined"
    SPOKE = "spoke"
    PASSED = "passed"
    VOTED = "voted"
    ABSENT = "absent"
    WITHDRAWN = "withdrawn"
    """What it was for is over."""


class Choice(StrEnum):
    """A vote."""

    APPROVE = "approve"
    REJECT = "reject"
    ABSTAIN = "abstain"
    VETO = "veto"


class DecisionModel(StrEnum):
    """By what a motion is carried."""

    MAJORITY = "majority"
    UNANIMOUS = "unanimous"
    MAJORITY_WITH_VETO = "majority_with_veto"


class Verdict(StrEnum):
    """What became of an item of the agenda."""

    APPROVED = "approved"
    REJECTED = "rejected"
    VETOED = "vetoed"
    DEFERRED = "deferred"


JOIN_SECONDS = 60.0
"""How long a meeting waits for its quorum."""
GRACE_SECONDS = 5.0
"""How long it waits for the others once the quorum is there."""
MOVE_SECONDS = 300.0
"""By how much it is moved, once, when no quorum came."""
TURN_SECONDS = 90.0
"""For a turn, a vote and what the chair is asked: longer than a lease, so that a dead worker's comes back in time."""
MAX_ROUNDS = 3
MAX_MINUTES = 480
MAX_PARTICIPANTS = 50
MAX_AGENDA = 50
MAX_TITLE_CHARACTERS = 500
MAX_TEXT_CHARACTERS = 16_384
MAX_STATEMENTS_PER_TURN = 20
MAX_ACTIONS = 20
MAX_VOTE_CHANGES = 20
