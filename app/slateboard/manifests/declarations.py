"""What manifests say, whatever their kind: tasks, artifacts, decisions, subscriptions, each with its place in a file.

A field that is None was not given: on a board that has the thing already, it stays as it is there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from slateboard.manifests.places import Place, wrong
from slateboard.patterns.peers.routes import shown
from slateboard.protocol.names import RESULT
from slateboard.protocol.work import MAX_POST

if TYPE_CHECKING:
    from typing import Any

    from slateboard.manifests.documents import Document
    from slateboard.manifests.places import Node
    from slateboard.manifests.values import Moment
    from slateboard.patterns.peers.routes import Route
    from slateboard.protocol.errors import SlateError
    from slateboard.protocol.work import Result


@dataclass(kw_only=True, slots=True)
class DeclaredTask:
    """A task. `delegator` is given only for a subtask of a TaskTree, `parent` for whatever stands below another."""

    document: Document
    node: Node
    name: str
    title: str | None = None
    brief: str | None = None
    parent: str | None = None
    agent: str | None = None
    delegator: str | None = None
    priority: str | None = None
    due: Moment | None = None
    status: str | None = None
    on_no_ack: str | None = None
    has_children: bool = False

    @property
    def place(self) -> Place:
        """Where it stands."""
        return self.document.at(self.node)


@dataclass(kw_only=True, slots=True)
class DeclaredArtifact:
    """An artifact; `blocked_by` maps `task/artifact` to the node that names it. An `implicit` one is a `result` that no
    manifest names.
    """

    document: Document
    node: Node
    task: str
    name: str
    title: str | None = None
    brief: str | None = None
    owner: str | None = None
    capability: str | None = None
    path: str | None = None
    priority: str | None = None
    due: Moment | None = None
    run_at: Moment | None = None
    max_attempts: int | None = None
    status: str | None = None
    imported: Result | None = None
    rules: dict[str, Any] = field(default_factory=dict[str, "Any"])
    implicit: bool = False
    blocked_by: dict[str, Node] = field(default_factory=dict)

    @property
    def reference(self) -> str:
        """`task/artifact`."""
        return f"{self.task}/{self.name}"

    @property
    def place(self) -> Place:
        """Where it stands."""
        return self.document.at(self.node)


@dataclass(kw_only=True, slots=True)
class DeclaredDecision:
    """A decision; `given` holds the arguments of `decisions.decide` that the manifest gave."""

    document: Document
    node: Node
    subject: str
    given: dict[str, Any]

    @property
    def place(self) -> Place:
        """Where it stands."""
        return self.document.at(self.node)


@dataclass(kw_only=True, slots=True)
class DeclaredSubscription:
    """A consumer of events. `source` is the pipeline that it belongs to; what is not given is not wanted."""

    document: Document
    node: Node
    name: str
    source: str
    patterns: list[str]
    all_of: bool
    agent: str
    action: str
    filter: str | None
    ordered_by: str | None
    priority: str
    start: str

    @property
    def place(self) -> Place:
        """Where it stands."""
        return self.document.at(self.node)


@dataclass(kw_only=True, slots=True)
class DeclaredCompensation:
    """What undoes the steps of a name. `source` is the manifest that says it."""

    document: Document
    node: Node
    step: str
    compensate: str
    agent: str | None
    irreversible: bool
    source: str

    @property
    def place(self) -> Place:
        """Where it stands."""
        return self.document.at(self.node)


@dataclass(kw_only=True, slots=True)
class DeclaredBreaker:
    """The rules of an agent's circuit breaker, of the board's without one. `source` is the manifest that says it."""

    document: Document
    node: Node
    agent: str
    rules: dict[str, Any]
    source: str

    @property
    def place(self) -> Place:
        """Where it stands."""
        return self.document.at(self.node)


@dataclass(kw_only=True, slots=True)
class DeclaredAgent:
    """An agent and what is said of it: `given` holds arguments of `profiles.change_agent`.

    `limit` and `budget` are arguments of theirs. A manifest that says nothing of who may delegate means anyone, and of
    meetings means always.
    """

    document: Document
    node: Node
    name: str
    source: str
    given: dict[str, Any]
    limit: dict[str, Any] | None = None
    budget: dict[str, Any] | None = None

    @property
    def place(self) -> Place:
        """Where it stands."""
        return self.document.at(self.node)


@dataclass(kw_only=True, slots=True)
class DeclaredRoute:
    """A way from one agent to another. `source` is the manifest that says it."""

    document: Document
    node: Node
    route: Route
    source: str

    @property
    def reference(self) -> str:
        """The route in a line."""
        return shown(*self.route[:4])

    @property
    def place(self) -> Place:
        """Where it stands."""
        return self.document.at(self.node)


@dataclass(kw_only=True, slots=True)
class DeclaredMeeting:
    """A meeting to be held once: `given` holds arguments of `schedule.schedule_meeting`."""

    document: Document
    node: Node
    name: str
    source: str
    given: dict[str, Any]
    starts_at: Moment | None

    @property
    def place(self) -> Place:
        """Where it stands."""
        return self.document.at(self.node)


def argued(one: DeclaredAgent | DeclaredMeeting, error: SlateError) -> Place:
    """Where the argument stands that an action refused, if the error names one; else the whole of what is declared."""
    node = one.node.entries.get(error.details.get("argument", ""))
    return one.place if node is None else one.document.at(node)


@dataclass(slots=True)
class Declarations:
    """Everything that one apply declares, in the order of the files."""

    tasks: dict[str, DeclaredTask] = field(default_factory=dict)
    artifacts: dict[str, DeclaredArtifact] = field(default_factory=dict)
    decisions: dict[str, DeclaredDecision] = field(default_factory=dict)
    subscriptions: dict[str, DeclaredSubscription] = field(default_factory=dict)
    pipelines: set[str] = field(default_factory=set)
    compensations: dict[str, DeclaredCompensation] = field(default_factory=dict)
    compensation_sources: set[str] = field(default_factory=set)
    breakers: dict[str, DeclaredBreaker] = field(default_factory=dict)
    breaker_sources: set[str] = field(default_factory=set)
    routes: dict[tuple[str, str, str, str], DeclaredRoute] = field(default_factory=dict)
    route_sources: set[str] = field(default_factory=set)
    profiles: dict[str, DeclaredAgent] = field(default_factory=dict)
    meetings: dict[str, DeclaredMeeting] = field(default_factory=dict)
    agents: dict[str, Place] = field(default_factory=dict)

    def add_task(self, one: DeclaredTask) -> None:
        """Take a task in; each stands once."""
        if one.name in self.tasks:
            raise _twice(one.place, "task", one.name, self.tasks[one.name].place)
        self.tasks[one.name] = one
        self._bound(one.place)

    def add_artifact(self, one: DeclaredArtifact) -> None:
        """Take an artifact in; each stands once."""
        if one.reference in self.artifacts:
            raise _twice(one.place, "artifact", one.reference, self.artifacts[one.reference].place)
        self.artifacts[one.reference] = one
        self._bound(one.place)

    def add_decision(self, one: DeclaredDecision) -> None:
        """Take a decision in; each subject stands once."""
        if one.subject in self.decisions:
            raise _twice(one.place, "decision", one.subject, self.decisions[one.subject].place)
        self.decisions[one.subject] = one
        self._bound(one.place)

    def add_subscription(self, one: DeclaredSubscription) -> None:
        """Take a subscription in; each stands once."""
        if one.name in self.subscriptions:
            raise _twice(one.place, "subscription", one.name, self.subscriptions[one.name].place)
        self.subscriptions[one.name] = one
        self._bound(one.place)

    def add_compensation(self, one: DeclaredCompensation) -> None:
        """Take in what undoes a step; each step stands once."""
        if one.step in self.compensations:
            raise _twice(one.place, "step", one.step, self.compensations[one.step].place)
        self.compensations[one.step] = one
        self._bound(one.place)

    def add_breaker(self, one: DeclaredBreaker) -> None:
        """Take the rules of a breaker in; each agent stands once, and the board's default."""
        if one.agent in self.breakers:
            raise _twice(one.place, "circuit breaker", one.agent or "default", self.breakers[one.agent].place)
        self.breakers[one.agent] = one
        self._bound(one.place)

    def add_route(self, one: DeclaredRoute) -> None:
        """Take a route in; each stands once."""
        key = one.route[:4]
        if key in self.routes:
            raise _twice(one.place, "route", one.reference, self.routes[key].place)
        self.routes[key] = one
        self._bound(one.place)

    def add_profile(self, one: DeclaredAgent) -> None:
        """Take in what is said of an agent; each stands once."""
        if one.name in self.profiles:
            raise _twice(one.place, "agent", one.name, self.profiles[one.name].place)
        self.profiles[one.name] = one
        self._bound(one.place)

    def add_meeting(self, one: DeclaredMeeting) -> None:
        """Take a meeting in; each stands once."""
        if one.name in self.meetings:
            raise _twice(one.place, "meeting", one.name, self.meetings[one.name].place)
        self.meetings[one.name] = one
        self._bound(one.place)

    def add_agent(self, name: str | None, document: Document, node: Node) -> None:
        """Note where an agent is named first."""
        if name is not None and name not in self.agents:
            self.agents[name] = document.at(node)

    def add_results(self) -> None:
        """The `result` of each task that declares no artifact, and of each that has subtasks."""
        producing = {one.task for one in self.artifacts.values()}
        for parent in {task.parent for task in self.tasks.values()} & self.tasks.keys():
            self.tasks[str(parent)].has_children = True
        for task in self.tasks.values():
            if (task.has_children or task.name not in producing) and f"{task.name}/{RESULT}" not in self.artifacts:
                self.add_artifact(
                    DeclaredArtifact(
                        document=task.document,
                        node=task.node,
                        task=task.name,
                        name=RESULT,
                        title=task.title,
                        implicit=True,
                    )
                )

    def implied(self) -> dict[str, list[str]]:
        """For each parent's `result`, the artifacts of its subtasks: they gate it."""
        found: dict[str, list[str]] = {}
        for reference, one in self.artifacts.items():
            parent = self.tasks[one.task].parent
            if parent is not None:
                found.setdefault(f"{parent}/{RESULT}", []).append(reference)
        return found

    def _bound(self, place: Place) -> None:
        count = len(self.tasks) + len(self.artifacts) + len(self.decisions) + len(self.subscriptions)
        count += len(self.compensations) + len(self.profiles) + len(self.meetings) + len(self.routes)
        if count > MAX_POST:
            what = "tasks, artifacts, decisions and subscriptions"
            raise wrong(place, f"found more than {MAX_POST:,} {what}", "fewer in one apply")


def _twice(place: Place, what: str, name: str, first: Place) -> Exception:
    return wrong(place, f"found the {what} {name!r} twice", f"each {what} once; {first} has it too", first=str(first))
