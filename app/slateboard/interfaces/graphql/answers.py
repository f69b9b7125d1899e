"""What is answered beside the nouns: the state of the board and of one's work, and the answers of mutations."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry.scalars import JSON

from slateboard.interfaces.graphql.scalars import BigInt


@strawberry.type
class Places:
    """Items by place."""

    gated: int
    waiting: int
    scheduled: int
    ready: int
    claimed: int
    done: int
    dead: int
    cancelled: int


@strawberry.type
class AgentWork:
    """What one agent has. `readyAtLeast` says that counting stopped at `ready`."""

    name: str
    kind: str
    ready: int
    ready_at_least: bool
    claimed: int
    paused: bool
    pause_reason: str | None


@strawberry.type
class OpenWork:
    """What stands in an open inbox; an empty capability is that of everybody."""

    capability: str
    ready: int


@strawberry.type
class Leader:
    """Who runs the chores."""

    name: str
    holder: str
    expires_at: datetime
    alive: bool


@strawberry.type
class LogState:
    """The log's newest position, and how many events still wait for one."""

    head: BigInt
    outbox: int


@strawberry.type
class StuckArtifact:
    """A gated artifact, and (some of) the dead or cancelled ones that it waits for."""

    reference: str
    item: BigInt
    because_of: list[str]


@strawberry.type
class Stuck:
    """What is gated by something dead or cancelled."""

    number: int
    artifacts: list[StuckArtifact]


@strawberry.type
class OpenBreaker:
    """An agent that gets no work for now, why, and until when at least; half-open, one probe may go through."""

    agent: str
    state: str
    reason: str
    since: datetime
    until: datetime


@strawberry.type
class Standstill:
    """A claim that was told of since it makes no progress."""

    item: BigInt
    reference: str
    agent: str
    worker: str
    since: datetime


@strawberry.type
class PausedSubscription:
    """A subscription to which nothing is routed, why, and how many positions it is `behind`."""

    name: str
    paused_because: str
    paused_at: datetime
    behind: BigInt


@strawberry.type
class Status:
    """The board at a glance. `atLeast` names the counts that stopped at their limit."""

    board: str
    prefix: str
    archived_at: datetime | None
    paused: bool
    everything_paused: bool
    items: int
    places: Places
    at_least: list[str]
    agents: list[AgentWork]
    open: list[OpenWork]
    leader: list[Leader]
    log: LogState
    dead_letters: int
    breakers: list[OpenBreaker]
    stalled: list[Standstill]
    paused_subscriptions: list[PausedSubscription]
    stuck: Stuck


@strawberry.type
class Blocker:
    """An unfinished blocker, and where it is."""

    item: BigInt
    reference: str
    place: str


@strawberry.type
class PausedBy:
    """A pause that stops claims of this item."""

    what: str
    reason: str | None


@strawberry.type
class Explanation:
    """Why an item stands where it stands. `parts` are those of its rating; `ahead` is how many are claimed before."""

    item: BigInt
    reference: str
    place: str
    rating: int | None
    parts: JSON
    ahead: BigInt | None
    run_at: datetime | None
    blocked_by: list[Blocker]
    paused: list[PausedBy]


@strawberry.type
class Held:
    """A claim that an agent holds, with the checkpoint and note that it left."""

    item: BigInt
    fence: BigInt
    attempt: int
    worker: str
    kind: str
    reference: str
    due: datetime | None
    claimed_at: datetime
    expires_at: datetime
    percent: int | None
    progress: str | None
    checkpoint: JSON | None
    note: str | None


@strawberry.type
class Claim:
    """The exclusive, time-limited right to one work item, under its fence."""

    item: BigInt
    fence: BigInt
    attempt: int
    kind: str
    reference: str
    title: str
    due: datetime | None
    claimed_at: datetime
    expires_at: datetime
    correlation: str | None


@strawberry.type
class Refusal:
    """Why one of several was refused; nothing of it was changed."""

    code: str
    kind: str
    message: str
    remedy: str
    details: JSON


@strawberry.type
class Renewed:
    """The answer to one beat: the lease's new end, or why the right is gone."""

    item: BigInt
    expires_at: datetime | None
    error: Refusal | None


@strawberry.type
class Finished:
    """The answer to one finish: the version that it made, or why it was refused."""

    item: BigInt
    version: int | None
    error: Refusal | None


@strawberry.type
class GivenBack:
    """The answer to one give-back: where the item is now, or why it was refused."""

    item: BigInt
    place: str | None
    run_at: datetime | None
    error: Refusal | None


@strawberry.type
class PostedArtifact:
    """An artifact that was posted, and its work item."""

    reference: str
    item: BigInt


@strawberry.type
class Posted:
    """What a post made."""

    tasks: list[str]
    artifacts: list[PostedArtifact]


@strawberry.type
class Depended:
    """An artifact, and the items that were put before it."""

    reference: str
    item: BigInt
    blocked_by: list[BigInt]


@strawberry.type
class Blocked:
    """Where a claim went that was blocked on others."""

    item: BigInt
    reference: str
    place: str
    remaining: int


@strawberry.type
class Revised:
    """The item that will make a new version; `version` is the one that there is."""

    item: BigInt
    reference: str
    version: int


@strawberry.type
class Ended:
    """The references that were ended, and whether those that waited for them go on without."""

    references: list[str]
    waived: bool


@strawberry.type
class Pinned:
    """An item and its fixed rating; null where it is worked out again."""

    item: BigInt
    reference: str
    rating: int | None


@strawberry.type
class NewToken:
    """A token, shown this once."""

    token_id: BigInt
    agent: str
    token: str
    expires_at: datetime | None
