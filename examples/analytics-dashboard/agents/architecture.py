"""The architecture review: the meeting that the cto calls before it plans, and what everybody holds there.

The positions are plain data, so that the meeting is checkable: each item has somebody who proposes, one has a concern
that is resolved, and one has somebody who stays against it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from slateboard import Work, schedule_agent_meeting

MINUTES = 15


@dataclass(frozen=True, kw_only=True)
class Matter:
    """An item of the agenda: who proposes what and why, what is to be done then, who has a concern, who is against."""

    item: str
    proposer: str
    motion: str
    rationale: str
    actions: tuple[dict[str, str], ...] = ()
    concerns: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By agent: the concern, and why the motion resolves it."""
    against: dict[str, str] = field(default_factory=dict)
    """By agent: why it votes against it."""


MATTERS = (
    Matter(
        item="Review proposed API schema",
        proposer="backend",
        motion="Derive the API from its description",
        rationale="What a review takes out of the description is then gone from the API as well",
        actions=({"owner": "backend", "title": "Write down which fields the API must keep"},),
        concerns={
            "cso": (
                "A column that nobody meant to publish would be public",
                "The review sees every column in the description, and can have it taken out",
            )
        },
    ),
    Matter(
        item="Discuss data pipeline architecture",
        proposer="frontend",
        motion="Serve the dashboard as one static page",
        rationale="It opens without a server, runs no scripts, and nothing is loaded from elsewhere",
        against={"backend": "A page that asks the API would never be out of date"},
    ),
    Matter(
        item="Agree on deployment strategy",
        proposer="devops",
        motion="Keep every deployed version in a folder of its own",
        rationale="Going back is then a change of one folder",
        actions=({"owner": "devops", "title": "Write down how to go back to the version before"},),
    ),
)


def call() -> int:
    """Schedule the review, for now; its number."""
    meeting = schedule_agent_meeting(
        title="Release Dashboard Architecture Review",
        participants=["cto", "backend", "frontend", "devops", "cso"],
        agenda=[matter.item for matter in MATTERS],
        decision_required=True,
        max_duration_minutes=MINUTES,
        agent="cto",
    )
    return meeting["meeting"]


async def take_part(work: Work) -> None:
    """A turn, or a vote: `worker.meeting(take_part)`. Of what it has no position on, an agent says nothing."""
    meeting = (await work.briefing()).meeting
    matter = next((one for one in MATTERS if meeting is not None and one.item == meeting.item), None)
    if meeting is None or matter is None:
        if work.step == "vote":
            await work.vote("abstain", "this is none of my matters")
        return
    if work.step == "vote":
        await work.vote(*position(matter, meeting.seat))
        return
    if meeting.motion is None and matter.proposer == meeting.seat:
        await work.propose(matter.motion, matter.rationale, actions=matter.actions)
    if meeting.seat in matter.concerns:
        concern, resolved = matter.concerns[meeting.seat]
        mine = [one for one in meeting.concerns if one["agent"] == meeting.seat]
        if not mine:
            await work.concern(concern)
        for one in mine:
            if one["settled"] is None:
                await work.resolve(one["concern"], resolved)
    if meeting.seat in matter.against and meeting.round == 1:
        await work.say(matter.against[meeting.seat])


def position(matter: Matter, seat: str) -> tuple[str, str]:
    """How this seat votes on the motion, and why."""
    if seat in matter.against:
        return "reject", matter.against[seat]
    if seat in matter.concerns:
        return "approve", matter.concerns[seat][1]
    return "approve", matter.rationale if seat == matter.proposer else f"{matter.proposer} is right"
