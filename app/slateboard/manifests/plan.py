"""Comparing what manifests declare with what the board has: what is to be made, what to be changed, and what differs
only by what happened since. Pure: nothing is read or written here.

What a manifest does not say stays as it is on the board, and what is no longer in it is not taken away. An artifact
that was finished keeps everything: complete is final.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from slateboard.board.tasks import TaskChange
from slateboard.manifests.places import wrong
from slateboard.protocol.errors import AlreadyStarted
from slateboard.protocol.states import PRIORITY_RATING, STATUS_OF_PLACE, ArtifactStatus, DecisionStatus, Place, Priority
from slateboard.protocol.work import DEFAULT_ON_NO_ACK, NewArtifact, NewTask, Result

if TYPE_CHECKING:
    from collections.abc import Mapping

    from slateboard.manifests.declarations import Declarations, DeclaredArtifact, DeclaredDecision, DeclaredTask
    from slateboard.manifests.state import State

WORD_OF_RATING = {rating: priority.value for priority, rating in PRIORITY_RATING.items()}
RATING_OF = {priority.value: rating for priority, rating in PRIORITY_RATING.items()}
NOT_STARTED = frozenset((Place.GATED, Place.SCHEDULED, Place.READY))
NOT_COMPARED = ("rationale", "context", "consequences", "confirmation")
"""Texts of a decision that is recorded already; a difference is told, not written."""


@dataclass(slots=True)
class Change:
    """An existing task or artifact, and what is to change of it: `fields` has the new values."""

    reference: str
    row: Any
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Plan:
    """What an apply does, in the order of the manifests, and what it answers."""

    tasks: list[NewTask] = field(default_factory=list)
    artifacts: list[NewArtifact] = field(default_factory=list)
    task_changes: list[Change] = field(default_factory=list)
    artifact_changes: list[Change] = field(default_factory=list)
    imports: list[tuple[str, Any, Result]] = field(default_factory=list)
    edges: dict[str, list[str]] = field(default_factory=dict)
    decisions: list[tuple[DeclaredDecision, str | None]] = field(default_factory=list)
    created: list[dict[str, str]] = field(default_factory=list)
    changed: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    considered: int = 0

    @property
    def unchanged(self) -> int:
        """How many of the declared things are on the board as they are declared."""
        return self.considered - len({(one["kind"], one["reference"]) for one in [*self.created, *self.changed]})

    def touched(self, state: State) -> list[int]:
        """The existing items that this plan changes or adds edges to, with what these are blocked by; else none."""
        changes = {change.reference for change in self.artifact_changes} | {one for one, _, _ in self.imports}
        changes |= self.edges.keys()
        if not changes:
            return []
        blockers = {one for named in self.edges.values() for one in named}
        blockers |= {one if "/" in one else f"{new.task}/{one}" for new in self.artifacts for one in new.blocked_by}
        return sorted({state.artifacts[one]["newest_item"] for one in changes | (blockers & state.artifacts.keys())})


def compare(declared: Declarations, state: State, now: datetime) -> Plan:
    """The plan that makes the board what is declared, for things posted `now`."""
    plan = Plan()
    plan.considered = len(declared.tasks) + len(declared.artifacts) + len(declared.decisions)
    for task in declared.tasks.values():
        row = state.tasks.get(task.name)
        if row is None:
            _new_task(plan, task, now)
        else:
            _compare_task(plan, task, row)
    for artifact in declared.artifacts.values():
        row = state.artifacts.get(artifact.reference)
        task = declared.tasks[artifact.task]
        if row is not None:
            _compare_artifact(plan, artifact, task, row, state)
        elif not artifact.implicit or artifact.task not in state.tasks or task.has_children:
            _new_artifact(plan, artifact, now)
        else:
            plan.considered -= 1
    for decision in declared.decisions.values():
        _compare_decision(plan, decision, state.decisions.get(decision.subject, []))
    _compare_statuses(plan, declared, state)
    return plan


def _new_task(plan: Plan, task: DeclaredTask, now: datetime) -> None:
    plan.tasks.append(
        NewTask(
            name=task.name,
            title=task.title or task.name,
            brief=task.brief or "",
            parent=task.parent,
            agent=task.agent,
            delegator=task.delegator,
            priority=task.priority or Priority.MEDIUM,
            due=task.due and task.due.since(now),
            on_no_ack=task.on_no_ack or DEFAULT_ON_NO_ACK,
        )
    )
    plan.created.append({"kind": "task", "reference": task.name})


def _new_artifact(plan: Plan, one: DeclaredArtifact, now: datetime) -> None:
    plan.artifacts.append(
        NewArtifact(
            task=one.task,
            name=one.name,
            title=one.title or "",
            brief=one.brief or "",
            owner=one.owner,
            capability=one.capability,
            path=one.path,
            priority=one.priority,
            due=one.due and one.due.since(now),
            run_at=one.run_at and one.run_at.since(now),
            blocked_by=tuple(one.blocked_by),
            max_attempts=one.max_attempts or 4,
            imported=one.imported,
            rules=one.rules or None,
        )
    )
    plan.created.append({"kind": "artifact", "reference": one.reference})


def _compare_task(plan: Plan, task: DeclaredTask, row: Any) -> None:
    if task.parent is not None and row["parent"] != task.parent:
        below = f"below {row['parent']!r}" if row["parent"] else "a root"
        raise wrong(
            task.place,
            f"the task {task.name!r} is {below} on the board",
            "it there in the tree as well",
            remedy="leave it where it is, or give this node another name",
        )
    given = {
        "title": task.title,
        "brief": task.brief,
        "agent": task.agent,
        "priority": task.priority,
        "due": task.due and task.due.since(row["created_at"]),
    }
    _note_change(plan, "task", plan.task_changes, task.name, row, given)


def _compare_artifact(plan: Plan, one: DeclaredArtifact, task: DeclaredTask, row: Any, state: State) -> None:
    _compare_edges(plan, one, row, state)
    given: dict[str, Any] = {"title": one.title, "brief": one.brief, "path": one.path, "max_attempts": one.max_attempts}
    given["owner"], given["capability"] = one.owner, one.capability
    if one.owner is None and one.capability is None:
        given["owner"] = task.agent
    priority, due = one.priority or task.priority, one.due and one.due.since(row["created_at"])
    if due is None and task.due is not None:
        due = task.due.since(state.tasks[task.name]["created_at"])
    given |= {"priority": priority, "due": due}
    if one.run_at is not None and not row["attempts"]:
        given["run_at"] = one.run_at.since(row["created_at"])
    row = {**row, "priority": WORD_OF_RATING.get(row["base_rating"], "")}
    if one.rules and one.rules != json.loads(row["rules"] or "{}"):
        plan.notes.append(f"{one.place}: {one.reference} keeps the rules with which it was posted: they are final")
    if row["outcome"] is not None or row["revision"]:
        texts = [name for name in ("title", "brief", "path", "owner") if given[name] not in {None, row[name]}]
        if texts:
            plan.notes.append(f"{one.place}: {one.reference} was finished; on the board stays its {', '.join(texts)}")
        return
    if row["place"] == Place.CLAIMED and _owner(given, row):
        plan.notes.append(f"{one.place}: {one.reference} is being worked on, so its owner stays {row['owner']}")
        given["owner"] = given["capability"] = None
    _note_change(plan, "artifact", plan.artifact_changes, one.reference, row, given)


def _owner(given: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    """Whether another owner, or another capability, is wanted than there is."""
    wanted = (given["owner"], given["capability"])
    return wanted != (None, None) and wanted != (row["owner"], row["capability"])


def _note_change(
    plan: Plan, kind: str, changes: list[Change], reference: str, row: Any, given: Mapping[str, Any]
) -> None:
    """Add what differs of the given fields to the plan."""
    change = Change(reference, row, {name: new for name, new in given.items() if new is not None and new != row[name]})
    if kind == "artifact" and _owner(given, row):
        change.fields |= {name: given[name] for name in ("owner", "capability") if given[name] != row[name]}
    if change.fields:
        changes.append(change)
    for name, new in change.fields.items():
        plan.changed.append(
            {"kind": kind, "reference": reference, "field": name, "from": _plain(row[name]), "to": _plain(new)}
        )


def _compare_edges(plan: Plan, one: DeclaredArtifact, row: Any, state: State) -> None:
    """Note the dependencies that are new; one into an artifact that was begun is refused."""
    there = state.edges.get(row["id"], set())
    new = [
        reference
        for reference in one.blocked_by
        if reference not in state.artifacts or state.artifacts[reference]["id"] not in there
    ]
    if not new:
        return
    if row["place"] not in NOT_STARTED or row["revision"]:
        place = one.document.at(one.blocked_by[new[0]])
        raise AlreadyStarted(
            f"{place}: {place.path}: {one.reference} is {row['place']}, so nothing can be put before it",
            remedy="take the dependency out; its claimant can block it, or `slate revise` it when it is complete",
            reference=one.reference,
            **place.details(),
        )
    plan.edges[one.reference] = new
    older = [reference for reference in one.blocked_by if reference not in new]
    plan.changed.append(
        {"kind": "artifact", "reference": one.reference, "field": "blocked_by", "from": older, "to": older + new}
    )


def _compare_decision(plan: Plan, one: DeclaredDecision, rows: list[Any]) -> None:
    """Once for a subject and text; another text for the subject takes the place of the accepted one."""
    text = one.given["decision"]
    same = next((row for row in rows if row["decision"] == text), None)
    accepted = next((row for row in rows if row["status"] == DecisionStatus.ACCEPTED), None)
    if same is not None:
        if same["status"] == DecisionStatus.SUPERSEDED:
            by = f" by {accepted['decision']!r}" if accepted else ""
            plan.notes.append(f"{one.place}: the decision {one.subject} was superseded{by}; it stays so")
        other = [name for name in NOT_COMPARED if one.given.get(name) not in {None, same[name]}]
        if other:
            plan.notes.append(
                f"{one.place}: the decision {one.subject} keeps its {', '.join(other)}: decisions are final"
            )
        return
    if accepted is None or one.given["status"] != DecisionStatus.ACCEPTED:
        plan.decisions.append((one, one.given.get("supersedes")))
        plan.created.append({"kind": "decision", "reference": one.subject})
        return
    plan.decisions.append((one, one.given.get("supersedes") or one.subject))
    plan.changed.append(
        {"kind": "decision", "reference": one.subject, "field": "decision", "from": accepted["decision"], "to": text}
    )


def _compare_statuses(plan: Plan, declared: Declarations, state: State) -> None:
    """Take over what is complete; for any other status, note where the board works out another one."""
    found: dict[str, str] = {}
    for reference, one in declared.artifacts.items():
        row = state.artifacts.get(reference)
        if one.status is None and not declared.tasks[one.task].status:
            continue
        board = _status(one, row, declared, state)
        if one.imported is not None and row is not None and row["place"] in NOT_STARTED and not row["revision"]:
            plan.imports.append((reference, row, one.imported))
            plan.changed.append(
                {"kind": "artifact", "reference": reference, "field": "status", "from": board, "to": one.status}
            )
            board = ArtifactStatus.COMPLETE.value
        elif one.status not in {None, board}:
            plan.notes.append(f"{one.place}: {reference}: the file says {one.status}; the board works out {board}")
        found[reference] = board
    for task in declared.tasks.values():
        if task.status:
            own = [status for reference, status in found.items() if reference.partition("/")[0] == task.name]
            done = all(status == ArtifactStatus.COMPLETE for status in own)
            if done is not (task.status == ArtifactStatus.COMPLETE):
                board = "complete" if done else "not complete"
                plan.notes.append(f"{task.place}: {task.name}: the file says {task.status}; on the board it is {board}")


def _status(one: DeclaredArtifact, row: Any, declared: Declarations, state: State) -> str:
    """The status that the board gives an artifact, for a new one as it will be after its post."""
    if row is not None:
        return STATUS_OF_PLACE[Place(row["place"])].value
    if one.imported is not None:
        return ArtifactStatus.COMPLETE.value
    for reference in one.blocked_by:
        there = state.artifacts.get(reference)
        imported = reference in declared.artifacts and declared.artifacts[reference].imported is not None
        if not imported and (there is None or there["outcome"] != Place.DONE):
            return ArtifactStatus.PENDING.value
    return ArtifactStatus.NOT_STARTED.value


def task_change(change: Change, agents: Mapping[str, int]) -> TaskChange:
    """A task as it is to be."""
    wanted = {**change.row, **change.fields}
    return TaskChange(
        id=wanted["id"],
        name=wanted["name"],
        title=wanted["title"],
        brief=wanted["brief"],
        agent=agents[wanted["agent"]] if wanted["agent"] else None,
        priority=wanted["priority"],
        due=wanted["due"],
        changed=tuple(change.fields),
    )


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
