"""Factories of inputs: what a user would send. Nothing here writes a table; a fixture sends it through an operation.

`artifacts(NewArtifactFactory.build(...))`: `factory.build` gives the frozen values of `slateboard.protocol.work`.
"""

from __future__ import annotations

from typing import Any

import factory

from slateboard.protocol.work import NewArtifact, NewTask, Result


class ResultFactory(factory.Factory):
    """A small inline result."""

    class Meta:
        model = Result

    content = factory.Sequence(lambda number: f"result {number}")
    summary = "done"


class NewTaskFactory(factory.Factory):
    """A task without an agent."""

    class Meta:
        model = NewTask

    name = factory.Sequence(lambda number: f"task-{number}")
    title = factory.LazyAttribute(lambda task: f"The task {task.name}")


class NewArtifactFactory(factory.Factory):
    """An artifact of the task `work`, owned by backend."""

    class Meta:
        model = NewArtifact

    task = "work"
    name = factory.Sequence(lambda number: f"artifact-{number}")
    title = factory.LazyAttribute(lambda one: f"The artifact {one.name}")
    owner = "backend"


class ImportedArtifactFactory(NewArtifactFactory):
    """An artifact whose result exists already."""

    imported = factory.SubFactory(ResultFactory)


class AgentFactory(factory.DictFactory):
    """The arguments of `add_agent`."""

    name = factory.Sequence(lambda number: f"agent-{number}")
    kind = "agent"
    role = "engineer"
    capabilities: tuple[str, ...] = ()


class DecisionFactory(factory.DictFactory):
    """The arguments of `decide`."""

    decision = factory.Sequence(lambda number: f"Use option {number}")
    rationale = "it is the simplest that works"


class TaskBoardFactory(factory.DictFactory):
    """A manifest: a task board with one artifact."""

    apiVersion = "agent.ceo/v1"  # noqa: N815  a key of the manifest
    kind = "TaskBoard"
    metadata = factory.LazyFunction(lambda: {"name": "feat-analytics-dashboard"})
    spec = factory.LazyFunction(
        lambda: {"artifacts": {"api_spec": {"owner": "backend", "path": "/specs/analytics.yaml"}}}
    )


class BriefingFactory(factory.DictFactory):
    """A briefing, as `briefing` gives it to a worker of one's own tests."""

    item = factory.Sequence(lambda number: number + 1)
    kind = "produce"
    reference = factory.LazyAttribute(lambda one: f"work/{one.artifact}")
    artifact = "spec"
    title = "spec"
    brief = ""
    path = None
    due = None
    revision = 0
    attempt = 1
    last_error = None
    chain: Any = factory.LazyFunction(lambda: [{"task": "work", "title": "work", "brief": "", "agent": None}])
    inputs: Any = factory.LazyFunction(list)
    decisions: Any = factory.LazyFunction(list)
    attempts: Any = factory.LazyFunction(list)
    checkpoint = None
    note = None
