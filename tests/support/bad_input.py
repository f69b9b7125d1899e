"""What is refused of delegations, peers, meetings and control: the same words at each door, and nothing is done.

A row says who asks for which operation, with what, which code it is refused with and what the message or remedy says;
and the same as a command. `{name}` stands for what `organised` has made.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from slateboard.patterns.peers import routes
from slateboard.patterns.peers.routes import Route
from slateboard.protocol.work import NewTask
from tests.support.boards import BoardUnderTest
from tests.support.meetings import MeetingUnderTest

COUNTED = (
    "tasks", "artifacts", "work_items", "ready", "leases", "gates", "waiting", "delegations", "escalations", "consults",
    "threads", "messages", "meetings", "meeting_turns", "statements", "motions", "votes", "vote_changes", "decisions",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """One thing that is wrong. `exits` is the code with which the command ends."""

    by: str
    operation: str
    arguments: dict[str, Any]
    code: str
    says: str
    command: tuple[str, ...]
    exits: int
    typed: bool = field(default=False)
    """Whether the door's own types refuse it already."""


MEETING = {"title": "Review", "participants": ["cto", "backend"], "agenda": ["a"]}
WITH = ("meeting", "schedule", "Review", "--with", "cto", "--with", "backend", "--item", "a")
CLAIM = {"item": "{item}", "fence": "{fence}"}
GIVE = ("task", "delegate", "{item}", "--fence", "{fence}", "--give")
PROPOSE = ("meeting", "propose", "{turn}", "do it")
CONSULT = {"to": "cto", "question": "Why?"}


def _posted(by: str, task: dict[str, Any], code: str, says: str, exits: int) -> Wrong:
    options = {"agent": "--owner", "parent": "--parent", "delegator": "--delegator"}
    said = tuple(part for name, option in options.items() if name in task for part in (option, task[name]))
    return Wrong(
        by=by, operation="post", arguments={"tasks": [{"name": "x", "title": "x", **task}]}, code=code, says=says,
        command=("post", "x", "--title", "x", *said), exits=exits,
    )  # fmt: skip


def _delegated(agent: str, code: str, says: str, exits: int) -> Wrong:
    return Wrong(
        by="backend", operation="delegate", arguments={**CLAIM, "tasks": [{"name": "x", "title": "x", "agent": agent}]},
        code=code, says=says, command=(*GIVE, f"x {agent} x"), exits=exits,
    )  # fmt: skip


def _scheduled(wrong: dict[str, Any], says: str, *command: str) -> Wrong:
    return Wrong(
        by="cto", operation="schedule_meeting", arguments={**MEETING, **wrong}, code="invalid", says=says,
        command=command or WITH, exits=2,
    )  # fmt: skip


def _proposed(action: Any, says: str, *command: str) -> Wrong:
    return Wrong(
        by="cto", operation="propose", arguments={"meeting": "{turn}", "motion": "do it", "actions": [action]},
        code="invalid", says=says, command=(*PROPOSE, *command), exits=2,
    )  # fmt: skip


def _voted(by: str, meeting: str, choice: str, code: str, says: str, exits: int) -> Wrong:
    return Wrong(
        by=by, operation="vote", arguments={"meeting": meeting, "choice": choice}, code=code, says=says,
        command=("meeting", "vote", meeting, choice), exits=exits,
    )  # fmt: skip


def _consulted(wrong: dict[str, Any], code: str, says: str, exits: int, *more: str, typed: bool = False) -> Wrong:
    asked = {**CONSULT, **wrong}
    return Wrong(
        by="backend", operation="consult", arguments=asked, code=code, says=says,
        command=("consult", asked["to"], asked["question"], *more), exits=exits, typed=typed,
    )  # fmt: skip


WRONG: dict[str, Wrong] = {
    "a delegation to oneself": _posted("cto", {"agent": "cto", "delegator": "cto"}, "delegation_loop", "cto → cto", 5),
    "a loop": _posted("a2", {"agent": "a0", "parent": "t2"}, "delegation_loop", "a0 → a1 → a2 → a0", 5),
    "too deep": _posted("a5", {"agent": "a6", "parent": "t5"}, "too_deep", "6 deep", 5),
    "not accepted": _posted("backend", {"agent": "hermit"}, "not_accepted", "hermit does not accept", 6),
    "not accepted from a claim": _delegated("hermit", "not_accepted", "hermit does not accept", 6),
    "an unknown agent": _delegated("fronted", "unknown_name", "did you mean 'frontend'", 4),
    "an empty agenda": _scheduled({"agenda": []}, "1 to 50 items", *WITH[:-2]),
    "one participant": _scheduled(
        {"participants": ["cto"]}, "2 to 50 participants", "meeting", "schedule", "x", "--with", "cto", "--item", "a"
    ),
    "a quorum above the seats": _scheduled({"quorum": 3}, "2 seats", *WITH, "--quorum", "3"),
    "no minutes": _scheduled({"max_duration_minutes": 0}, "0 minutes", *WITH, "--minutes", "0"),
    "a thousand minutes": _scheduled({"max_duration_minutes": 1000}, "1000 minutes", *WITH, "--minutes", "1000"),
    "an action item without an owner": _proposed({"title": "x"}, "no owner", "--action", "x"),
    "an action item with two owners": _proposed(
        {"title": "x", "owner": ["cto", "backend"]}, "more than one owner", "--actions", "{two_owners}"
    ),
    "a veto without the role": _voted("backend", "{voting}", "veto", "denied", "no veto", 6),
    "a vote after the close": _voted("cto", "{closed}", "approve", "wrong_state", "not open", 5),
    "a vote from no seat": _voted("frontend", "{voting}", "approve", "not_yours", "not invited", 6),
    "no channel": _consulted({"to": "frontend"}, "no_channel", "cannot consult frontend", 6),
    "an unknown peer": _consulted({"to": "ct0"}, "unknown_name", "did you mean 'cto'", 4),
    "an empty question": _consulted({"question": " "}, "invalid", "a question has 1 to", 2),
    "no time to answer": _consulted({"deadline_seconds": 0}, "invalid", "more than 0 s", 2, "--deadline", "0"),
    "a deadline that is no duration": _consulted(
        {"deadline_seconds": "soon"}, "invalid", "soon", 2, "--deadline", "soon", typed=True
    ),
    "an override without a reason": Wrong(
        by="boss", operation="override", arguments={"item": "{ready}", "rating": 1, "reason": " "}, code="invalid",
        says="a reason has 1 to", command=("work", "override", "{ready}", "--rating", "1", "--reason", " "), exits=2,
    ),
    "an override of a claimed item": Wrong(
        by="boss", operation="override", arguments={"item": "{item}", "agent": "cto", "reason": "so"},
        code="wrong_state", says="is claimed", exits=5,
        command=("work", "override", "{item}", "--agent", "cto", "--reason", "so"),
    ),
}  # fmt: skip


async def organised(board: BoardUnderTest) -> dict[str, Any]:
    """A chain of delegations, a route, a claim, and three meetings: closed, in its votes, and in its turns."""
    await board.add_agent("boss", right="operator")
    for name in ("hermit", *(f"a{number}" for number in range(7))):
        await board.add_agent(name)
    await board.perform("change_agent", name="hermit", accepts_from=[])
    chain = [
        NewTask(
            name=f"t{number}", title="T", agent=f"a{number}", parent=f"t{number - 1}" if number else None,
            delegator=f"a{number - 1}" if number else None,
        )
        for number in range(6)
    ]  # fmt: skip
    await board.post(tasks=chain)
    async with board.writing() as tx:
        await routes.add(tx, routes=[Route("backend", "cto", "consult", "security")])
    items = await board.post_graph({"api": [], "more": []})
    claim = await board.claim_item(items["api"])
    made: dict[str, Any] = {"item": claim.item, "fence": claim.fence, "ready": items["more"]}
    veto = {"decision_model": "majority_with_veto", "veto_roles": ["cto"], "chair": "cto"}
    meeting = MeetingUnderTest(board)
    for name in ("closed", "voting", "turn"):
        await meeting.schedule(["cto", "backend"], ["a"], **veto)
        made[name] = meeting.id
        await meeting.gather()
        if name == "closed":
            await meeting.do("adjourn_meeting", "cto", reason="enough")
        if name == "voting":
            await meeting.speak("do it", by="cto")
    return made


def filled(value: Any, made: dict[str, Any]) -> Any:
    """The value with what was made in the place of names in braces."""
    if isinstance(value, dict):
        return {name: filled(one, made) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [filled(one, made) for one in value]
    return made[value[1:-1]] if isinstance(value, str) and value.startswith("{") else value


async def counts(board: BoardUnderTest) -> dict[str, int]:
    """How many rows of each kind there are."""
    return {name: await board.fetchval(f"SELECT count(*) FROM {name} WHERE board = $1") for name in COUNTED}
